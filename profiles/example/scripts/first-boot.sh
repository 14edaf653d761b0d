#!/bin/sh
# Runs once as root on the first boot of the installed system; an exit status other than 0 is reported as a failed hand-off.
set -eu
echo "installed on $(date -u +%Y-%m-%d)" > /etc/motd
