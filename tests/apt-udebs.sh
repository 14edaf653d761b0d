# Sourced by the scripts that fetch udebs: an apt of its own that knows debian-installer's packages of Debian 12, in the directory
# `$work`, which goes away at the end. The system's apt isn't changed. MIRROR names another mirror.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/udebs"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${MIRROR:-http://deb.debian.org/debian} bookworm main/debian-installer" \
	> "$work/sources.list"
cat > "$work/apt.conf" <<A
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
A
export APT_CONFIG="$work/apt.conf"
