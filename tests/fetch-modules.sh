#!/bin/sh
# Fetch the module packages of debian-installer's kernel, for the test in which it hands a machine over to the agent.
# usage: fetch-modules.sh INITRD DIR   (DIR gets *.udeb; does nothing if those of this kernel are there)
# The system's apt isn't changed. A mirror may have dropped the packages: then the test that wants them says so.
set -eu
initrd=$1 dir=$2
if [ ! -e "$initrd" ]; then
	echo "$initrd is not there (package debian-installer-12-netboot-amd64)" >&2
	exit 0
fi
release=$(zcat "$initrd" | cpio -t 2>/dev/null | sed -n "s:.*lib/modules/\([^/]*\)\$:\1:p" | head -n 1)
# the installer was upgraded since: modules of another kernel are of no use
ls "$dir" 2>/dev/null | grep -qv -- "-modules-$release-di_" && rm -r "$dir"
[ ! -d "$dir" ] || exit 0
. "$(dirname "$0")/apt-udebs.sh"
# the names of all packages of this kernel, but not the kernel itself
names() { apt-cache pkgnames | grep -- "-modules-$release-di\$"; }
if apt-get update -qq && [ -n "$(names)" ] && (cd "$work/udebs" && apt-get download -qq $(names)); then
	mkdir -p "$(dirname "$dir")"
	mv "$work/udebs" "$dir"
else
	echo "the udebs of $release are on no mirror that this machine reaches; the test that wants them can't run" >&2
fi
