#!/bin/bash
set -eu
touch /etc/post
