#!/bin/sh
# Collect the debconf templates of debian-installer's packages for preseed_keys.py.
# usage: fetch_templates.sh SUITE DIR NAMES [INITRD]
# SUITE is bookworm or trixie; NAMES is a file with a package a line (udebs as they are, Debian packages as NAME.deb);
# INITRD is the netboot initrd.gz of the package debian-installer-12-netboot-amd64, which holds the templates of the
# udebs built into it also when a mirror has dropped them. Nothing of the system's apt is changed. What isn't to be had is named.
set -eu
suite=$1 dir=$2 names=$3 initrd=${4:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dir" "$work/lists/partial" "$work/cache/archives/partial"
mirror=${MIRROR:-http://deb.debian.org/debian}
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main main/debian-installer" \
	> "$work/sources.list"
cat > "$work/apt.conf" <<E
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
E
export APT_CONFIG="$work/apt.conf"
apt-get update -q >&2 || echo "the mirror's lists are incomplete" >&2
while read -r name; do
	rm -rf "$work/one" && mkdir "$work/one"
	if (cd "$work/one" && apt-get download -q "${name%.deb}" >&2); then
		dpkg-deb -e "$work/one"/*.*deb "$work/one/control"
		[ ! -f "$work/one/control/templates" ] || cp "$work/one/control/templates" "$dir/$name.templates"
	else
		echo "not on the mirror: $name" >&2
	fi
done < "$names"
if [ -n "$initrd" ]; then
	mkdir "$work/initrd"
	(cd "$work/initrd" && gzip -dc "$initrd" | cpio -id --quiet 'var/lib/dpkg/info/*.templates')
	cp "$work/initrd/var/lib/dpkg/info"/*.templates "$dir/"
fi
