#!/bin/sh
# early-commands of the original
set -e
sh -c 'echo early'
