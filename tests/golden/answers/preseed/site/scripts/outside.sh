#!/bin/sh
# fails: the file isn't there
cat /run/no-such-file
