#!/bin/sh
echo "it's $HOME; { ]]> %end"
