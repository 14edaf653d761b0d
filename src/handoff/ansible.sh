#!/bin/sh
# Written by ironstrap. Runs ansible-pull until it succeeds, five times at most: networks and servers come up late.
set -u
PYTHONUNBUFFERED=1
export PYTHONUNBUFFERED
attempt=1
while :; do
    echo "ansible-pull, attempt $attempt"
    ansible-pull --url @URL@ --directory @DIRECTORY@ --full --inventory localhost, \
        --connection local @CHECKOUT@ @PLAYBOOK@ && exit 0
    status=$?
    [ "$attempt" -ge 5 ] && exit "$status"
    attempt=$((attempt + 1))
    sleep 30
done
