#!/bin/sh
# Unpack a udeb of Debian 12's installer for tests that hold our models against its real code.
# usage: fetch-udeb.sh NAME DIR   (makes DIR/NAME; does nothing if it is there)
# The system's apt isn't changed. A mirror may have dropped the udeb: then the tests that want it say that they are skipped.
set -eu
name=$1 dir=$2
[ ! -d "$dir/$name" ] || exit 0
. "$(dirname "$0")/apt-udebs.sh"
if apt-get update -qq && (cd "$work/udebs" && apt-get download -qq "$name"); then
	mkdir -p "$dir"
	dpkg-deb -x "$work/udebs"/*.udeb "$dir/$name.new"
	mv "$dir/$name.new" "$dir/$name"
else
	echo "the udeb $name is on no mirror that this machine reaches; tests that want it are skipped" >&2
fi
