#!/bin/sh
# late-commands of the original
set -e
sh -c '# a comment in the script
echo "it'\''s late" > /target/etc/late'
sh -c ''\''curtin'\'' '\''in-target'\'' '\''--'\'' '\''systemctl'\'' '\''enable'\'' '\''ssh'\'''
