#!/bin/sh
# Unpacks debian-installer's partman-auto of Debian 12 into a folder: the tests let its own code read our recipes.
# usage: partman-auto.sh DIR
# It is a package of the installer (a udeb), so apt looks for it with a sources list of its own; nothing is installed.
set -eu
dir=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [arch=amd64 signed-by=$keyring] http://deb.debian.org/debian bookworm main/debian-installer" >"$work/sources.list"
cat >"$work/apt.conf" <<APT
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$work/lists";
Dir::Cache "$work/cache";
APT::Architecture "amd64";
APT::Sandbox::User "root";
APT
export APT_CONFIG="$work/apt.conf"
apt-get -qq update
cd "$work"
apt-get -qq download partman-auto
mkdir -p "$dir"
dpkg-deb -x partman-auto_*.udeb "$dir"
