#!/bin/sh
# Written by ironstrap. Waits for cloud-init's first run and says how it ended.
set -u
text=$(cloud-init status --wait --long 2>&1)
status=$?
echo "$text"
# 0: done; 1: failed; 2, since 23.4: done, with warnings
case $status in
0 | 2) ;;
*) exit "$status" ;;
esac
# "disabled" and "not run" are no success, though their exit status is 0
case $text in
*"status: done"*) exit 0 ;;
esac
echo "cloud-init did not run"
exit 1
