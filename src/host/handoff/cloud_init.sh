#!/bin/sh
# Written by ironstrap. Waits for cloud-init's first run and judges how it ended: by its own account, by what it logged, and by
# its schema, since it goes on without what it can't read and calls that done.
set -u
run=/run/cloud-init
log=/var/log/cloud-init.log
seed=/var/lib/cloud/seed/nocloud/user-data
merged=/var/lib/cloud/instance/cloud-config.txt

@JUDGE@

# Whether a file is plain cloud-config that says something; of an empty one, the schema command says that it is no mapping.
plain() {
    [ -r "$1" ] && [ "$(head -n 1 "$1" | tr -d ' \r')" = "#cloud-config" ] && grep -q '^[^#[:space:]]' "$1"
}

# 2: there is no such command yet
ask_schema() {
    cloud-init schema "$@"
    answer=$?
    if [ "$answer" -eq 2 ]; then
        cloud-init devel schema "$@"
        answer=$?
    fi
    return "$answer"
}

fits_schema() {
    # of 22.4, this reads the data again, and with it runs boothooks and fetches what is included: plain data holds none of these
    if plain "$seed"; then
        ask_schema --system || return 1
    fi
    for file in "$seed" "$merged"; do
        plain "$file" || continue
        ask_schema --config-file "$file" || return 1
    done
}

# Errors that a stage left, also where the status doesn't tell.
has_errors() {
    python3 -c '
import json, sys
for path in sys.argv[1:]:
    try:
        v1 = json.load(open(path))["v1"]
    except (OSError, ValueError, KeyError):
        continue
    stages = [v1] + [stage for stage in v1.values() if isinstance(stage, dict)]
    if any(stage.get("errors") for stage in stages):
        sys.exit(3)
' "$run/status.json" "$run/result.json"
    [ "$?" -eq 3 ]
}

# Before 23.4, cloud-init tells only its log what it went on without. The log of this boot counts; but that some configuration is
# invalid is said of the image's own files, too.
logged_errors() {
    [ -r "$log" ] && ! grep -qs recoverable_errors "$run/status.json" || return 1
    awk "/running 'init-local'/ { bad = 0 }"'
        /\[(ERROR|CRITICAL)\]/ || /\[WARNING\]: (Failed|Unhandled|Running module)/ { bad = 1 }
        END { exit !bad }' "$log"
}

# One word about how it ended.
see() {
    case $text in
    *"status: error"*) echo errors && return ;;
    *"status: done"*) ;;
    *) echo not-run && return ;;
    esac
    if has_errors || [ "$status" -eq 1 ]; then
        echo errors
    elif ! fits_schema >&2; then
        echo schema
    elif [ "$status" -eq 2 ] && echo "$text" | grep -q '^DEPRECATED:' &&
        ! echo "$text" | grep -Eq '^(WARNING|ERROR|CRITICAL):'; then
        echo deprecated
    elif [ "$status" -ne 0 ] || logged_errors; then
        echo recoverable
    else
        echo "done"
    fi
}

text=$(cloud-init status --wait --long 2>&1)
status=$?
echo "$text"
seen=$(see)
judge "$status" "$seen"
echo "$verdict: $why"
[ "$verdict" != converged ] || exit 0
[ "$status" -ne 0 ] || status=1
exit "$status"
