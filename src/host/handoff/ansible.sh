#!/bin/sh
# Written by ironstrap. Runs ansible-pull until it succeeds, five times at most: networks and servers come up late.
set -u
# what is judged below is what the default callback prints, whatever the repository's ansible.cfg chooses
PYTHONUNBUFFERED=1
ANSIBLE_STDOUT_CALLBACK=default
ANSIBLE_NOCOLOR=1
ANSIBLE_FORCE_COLOR=0
ANSIBLE_DISPLAY_OK_HOSTS=1
ANSIBLE_DISPLAY_SKIPPED_HOSTS=1
ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS=ignore
export PYTHONUNBUFFERED ANSIBLE_STDOUT_CALLBACK ANSIBLE_NOCOLOR ANSIBLE_FORCE_COLOR ANSIBLE_DISPLAY_OK_HOSTS
export ANSIBLE_DISPLAY_SKIPPED_HOSTS ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS
work=/var/lib/ironstrap
mkdir -p "$work"

# One host, so that a play for `all` runs once; its other names are groups, so that a play for any of them runs too.
host=@HOST@
short=${host%%.*}
{
    printf '%s ansible_connection=local\n' "$host"
    # a group of the host's own name would be told as a mistake
    [ "$short" = "$host" ] || printf '\n[%s]\n%s\n' "$short" "$host"
    printf '\n[localhost]\n%s\n' "$host"
} >"$work/inventory"

@JUDGE@

# One word about what the last recap counts; gathering facts is no task.
see() {
    awk '
        /^PLAY RECAP/ { recap = 1; ran = 0; bad = 0; next }
        /^TASK \[Gathering Facts\]/ { facts++ }
        recap && / ok=[0-9]+ / {
            for (i = 1; i <= NF; i++) {
                if (split($i, count, "=") != 2) continue
                if (count[1] == "ok" || count[1] == "rescued") ran += count[2]
                if (count[1] == "failed" || count[1] == "unreachable") bad += count[2]
            }
        }
        END {
            if (!recap) print "no-recap"
            else if (bad > 0) print "failures"
            else if (ran - facts <= 0) print "no-task"
            else print "tasks"
        }' "$work/ansible.log"
}

attempt=1
while :; do
    echo "ansible-pull, attempt $attempt"
    {
        ansible-pull --url @URL@ --directory @DIRECTORY@ --full --inventory "$work/inventory" \
            --limit "$host,$short,localhost" --connection local @CHECKOUT@ @PLAYBOOK@ 2>&1
        echo "$?" >"$work/ansible.status"
    } | tee "$work/ansible.log"
    read -r status <"$work/ansible.status"
    seen=$(see)
    judge "$status" "$seen"
    rm -f "$work/ansible.log" "$work/ansible.status"
    echo "$verdict: $why"
    [ "$verdict" != converged ] || exit 0
    [ "$status" -ne 0 ] || status=1
    { [ "$verdict" = again ] && [ "$attempt" -lt 5 ]; } || exit "$status"
    attempt=$((attempt + 1))
    sleep 30
done
