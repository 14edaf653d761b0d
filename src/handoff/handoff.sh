#!/bin/sh
# Written by ironstrap. Runs this host's configuration management once and tells journal, console and server how it ended.
# To run it again: rm /var/lib/ironstrap/handoff-*; systemctl start ironstrap-handoff.service
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
LC_ALL=C.UTF-8
export PATH HOME LC_ALL
lib=/usr/lib/ironstrap
state=/var/lib/ironstrap
# by, command, limit, url
. "$lib/handoff.conf"

# With a wrong clock, certificates aren't valid yet and the event is of another year: a time daemon gets a minute to mend it, half of
# one where the clock can be right. Where none does, the clock is at least not before the time at which these files were written,
# nor 15 years after it.
wait_for_time() {
    installed=$(date -r "$lib/handoff.conf" +%s)
    patience=30
    ! is_out "$(date +%s)" || patience=60
    begin=$(seconds_up)
    waited=0
    while daemon_is_at_it; do
        # asking takes seconds on a slow machine
        if [ "$waited" -ge "$patience" ] || [ $(($(seconds_up) - begin)) -ge "$patience" ]; then
            echo "the clock was not synchronised within $patience seconds; going on with it"
            break
        fi
        sleep 2
        waited=$((waited + 2))
    done
    if is_out "$(date +%s)"; then
        date -u -s "@$installed" >/dev/null || echo "the clock is wrong and can't be set"
    fi
}

# Counts on while the clock is set.
seconds_up() {
    read -r up _ </proc/uptime
    echo "${up%.*}"
}

is_out() {
    [ "$1" -lt "$installed" ] || [ "$1" -gt $((installed + 473040000)) ]
}

# Whether a time daemon is enabled and has not set the clock yet.
daemon_is_at_it() {
    case $(timeout 10 timedatectl show --property=NTP --property=NTPSynchronized 2>/dev/null) in
    *NTPSynchronized=yes*) return 1 ;;
    *NTP=yes*) return 0 ;;
    *) return 1 ;;
    esac
}

# Runs the manager, and keeps outcome and event for as long as the server hasn't got them.
run() {
    wait_for_time
    status=0
    timeout -k 60 "$limit" "$command" || status=$?
    outcome=converged
    [ "$status" -eq 0 ] || outcome=failed
    run=$(cat /proc/sys/kernel/random/uuid)
    now=$(date +%s)
    ! is_out "$now" || now=$installed
    time=$(date -u -d "@$now" +%Y-%m-%dT%H:%M:%SZ)
    # what proves the outcome is nobody else's business
    (
        umask 077
        sed -e "s/@RUN@/$run/" -e "s/@TIME@/$time/" -e "s/@STATUS@/$status/" \
            "$lib/$outcome.json" >"$state/handoff-event.json"
    )
    echo "$outcome $status" >"$state/handoff-outcome.new"
    sync
    mv "$state/handoff-outcome.new" "$state/handoff-outcome"
}

# One line to the journal and to the consoles. A console that doesn't take it is left alone after five seconds.
announce() {
    echo "$1"
    active=
    [ -r /sys/class/tty/console/active ] && read -r active </sys/class/tty/console/active
    tell "$1" /dev/console
    # /dev/console is the last of the active ones
    case $active in
    *ttyS0) ;;
    *) tell "$1" /dev/ttyS0 ;;
    esac
}

tell() {
    [ -c "$2" ] || return 0
    timeout 5 sh -c 'printf "\r\n%s\r\n" "$1" >"$2"' sh "$1" "$2" 2>/dev/null || :
}

post() {
    [ -n "$url" ] || return 0
    if command -v curl >/dev/null 2>&1; then
        curl -fsS -o /dev/null --max-time 30 -H 'Content-Type: application/json' --data-binary "@$1" "$url"
    elif command -v wget >/dev/null 2>&1; then
        wget -q -O /dev/null -T 30 -t 1 --header='Content-Type: application/json' --post-file="$1" "$url"
    else
        python3 -c 'import sys, urllib.request as r
body = open(sys.argv[1], "rb").read()
r.urlopen(r.Request(sys.argv[2], body, {"Content-Type": "application/json"}), timeout=30)' "$1" "$url"
    fi
}

mkdir -p "$state"
[ -e "$state/handoff-outcome" ] || run
read -r outcome status <"$state/handoff-outcome"

told=yes
post "$state/handoff-event.json" || told=no
if [ "$outcome" = converged ]; then
    announce "ironstrap: converged by=$by"
else
    announce "ironstrap: handoff failed: $by ended with exit status $status; see journalctl -u ironstrap-handoff"
fi
attempts=0
while [ "$told" = no ] && [ "$attempts" -lt 30 ]; do
    attempts=$((attempts + 1))
    sleep 10
    post "$state/handoff-event.json" && told=yes
done
if [ "$told" = yes ]; then
    : >"$state/handoff-done"
else
    echo "the server at $url was not told; the next boot tries again"
fi
[ "$outcome" = converged ]
