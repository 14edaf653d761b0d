#!/bin/sh
# Unpack a udeb of Debian 12's installer for tests that hold our models against its real code.
# usage: fetch-udeb.sh NAME DIR   (makes DIR/NAME; does nothing if it is there)
# The system's apt isn't changed. A mirror may have dropped the udeb: then the tests that want it say that they are skipped.
set -eu
name=$1 dir=$2
[ ! -d "$dir/$name" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/deb"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${MIRROR:-http://deb.debian.org/debian} bookworm main/debian-installer" \
	> "$work/sources.list"
cat > "$work/apt.conf" <<E
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
E
export APT_CONFIG="$work/apt.conf"
if apt-get update -qq && (cd "$work/deb" && apt-get download -qq "$name"); then
	mkdir -p "$dir"
	dpkg-deb -x "$work/deb"/*.udeb "$dir/$name.new"
	mv "$dir/$name.new" "$dir/$name"
else
	echo "the udeb $name is on no mirror that this machine reaches; tests that want it are skipped" >&2
fi
