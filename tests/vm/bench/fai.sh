#!/bin/bash
# Makes the medium of FAI 6 for `cargo run --release --example bench -- fai`: a stick that installs the packages of the tests' golden
# image from a mirror of its own, without a question and without a network. Run by hand, as root, on Debian 12.
#
#   tests/vm/bench/fai.sh            about ten minutes, 5 GiB below target/fai; what stays is target/fai/fai.iso
#
# Where FAI leaves a choice, the quicker one is taken: no menu, nothing on the console but FAI's tasks, a base system packed with zstd
# that is up to date, dpkg without syncs, a boot loader that is copied. Recipe and excluded paths are those of our image.
set -euo pipefail
cd "$(dirname "$0")/../../.."
recipe=profiles/example/recipes/debian-12-base.yaml
work=$PWD/target/fai
logs=/var/log/fai

fail() { echo "fai.sh: $1" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "must be run as root: FAI makes file systems and mounts them"
[ "$(. /etc/os-release && echo "$VERSION_CODENAME")" = bookworm ] || fail "FAI 6.0 is Debian 12's; this is something else"

# file, and the package that brings it
missing=()
while read -r file package; do
    [ -e "$file" ] || missing+=("$package")
done <<'END'
/usr/sbin/fai-make-nfsroot                  fai-server
/usr/sbin/debootstrap                       debootstrap
/usr/bin/reprepro                           reprepro
/usr/bin/mksquashfs                         squashfs-tools
/usr/bin/xorriso                            xorriso
/usr/sbin/mkfs.vfat                         dosfstools
/usr/bin/mcopy                              mtools
/usr/bin/mmdebstrap                         mmdebstrap
/usr/bin/zstd                               zstd
END
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing with apt-get: ${missing[*]}"
    apt-get update -qq
    # recommended are servers of NFS, DHCP and TFTP, which nobody wants here
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
fi

had_logs=$([ ! -e "$logs" ] || echo yes)
clean_up() {
    # what was broken off may have left mounts, the innermost last
    awk -v below="$work/" 'index($2, below) == 1 { print $2 }' /proc/mounts | tac | while read -r mount; do umount -l "$mount"; done
    find "$work" -mindepth 1 -maxdepth 1 ! -name fai.iso ! -name '*.log' -exec rm -rf --one-file-system {} +
    [ "$had_logs" = yes ] || rm -rf "$logs"
}
rm -rf --one-file-system "$work"
mkdir -p "$work"/{etc/apt,config,tmp,tftp} "$logs"
trap clean_up EXIT

# Where apt gets a release from; Debian's own servers where it isn't told.
mirror_of() {
    local known
    known=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        awk -v release="$1" '$1 == release && $2 ~ /debian/ { print $2; exit }')
    echo "${known:-$2}"
}
debian=$(mirror_of bookworm http://deb.debian.org/debian)
security=$(mirror_of bookworm-security http://deb.debian.org/debian-security)
sources=("$debian bookworm main" "$debian bookworm-updates main" "$security bookworm-security main")
key=/usr/share/keyrings/debian-archive-keyring.gpg
for source in "${sources[@]}"; do echo "deb [signed-by=$key] $source"; done >"$work/etc/apt/sources.list"

# a list of the recipe, and what every image gets; the tests' image has no time daemon
listed() { sed -n "/^$1:/,/^[^ ]*\$/s/^  - \([^ ]*\).*/\1/p" "$recipe"; }
packages=$({ listed packages | grep -vx systemd-timesyncd
    sed -n '/^const NEEDED/,/^];/s/^ *"\(.*\)",$/\1/p' src/image/recipe.rs; } | sort)
paths=()
for what in exclude include; do
    while read -r path; do paths+=("--dpkgopt=path-$what=$path"); done < <(listed $what)
done
[ "$(wc -w <<<"$packages")" -gt 20 ] && [ ${#paths[@]} -gt 10 ] || fail "$recipe isn't written as it was: what is in it can't be found"

# --- FAI's configuration
etc=$work/etc
config=$work/config
cp /etc/fai/NFSROOT "$etc/"
: >"$etc/fai.conf"
cat >"$etc/nfsroot.conf" <<END
FAI_DEBOOTSTRAP="bookworm $debian"
FAI_DEBOOTSTRAP_OPTS=
FAI_ROOTPW='*'
FAI_CONFIGDIR=$config
NFSROOT=$work/nfsroot
NFSROOT_HOOKS=
TFTPROOT=$work/tftp
END
cat >"$etc/grub.cfg" <<'END'
set timeout=0
menuentry 'install' {
    search --set=root --file /FAI-CD
    linux /boot/vmlinuz FAI_FLAGS=reboot FAI_ACTION=install FAI_CONFIG_SRC=file:///var/lib/fai/config hostname=bench01 rd.live.image root=live:CDLABEL=FAI_CD console=tty0 console=ttyS0,115200n8
    initrd /boot/initrd.img
}
END
mkdir -p "$config"/{class,disk_config,package_config,hooks,debconf,scripts/BENCH,basefiles}
printf '#!/bin/sh\necho BENCH\n' >"$config/class/10-bench"
printf 'FAI_ALLOW_UNSIGNED=1\nUTC=yes\nTIMEZONE=UTC\nMAXPACKAGES=800\n' >"$config/class/BENCH.var"
cat >"$config/disk_config/BENCH" <<'END'
disk_config disk1 disklabel:gpt bootable:1 fstabkey:uuid
p=efi   /boot/efi  64M  vfat  rw
p=root  /          1G-  ext4  rw,errors=remount-ro
END
printf 'PACKAGES install-norec\n%s\n' "$packages" >"$config/package_config/BENCH"
# a failing disk while it is installed is a reason to begin anew, not to wait for each file
printf '#!/bin/sh\necho force-unsafe-io >"$target/etc/dpkg/dpkg.cfg.d/unsafe-io"\n' >"$config/hooks/updatebase.BENCH"
cat >"$config/scripts/BENCH/10-host" <<'END'
#!/bin/bash
# What our personaliser and the recipe's files do to the image.
set -eu
echo "$HOSTNAME" >"$target/etc/hostname"
printf '127.0.0.1\tlocalhost\n127.0.1.1\t%s\n' "$HOSTNAME" >"$target/etc/hosts"
printf '[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\n' >"$target/etc/systemd/network/10-bench.network"
echo 'network: {config: disabled}' >"$target/etc/cloud/cloud.cfg.d/90-bench-network.cfg"
$ROOTCMD systemctl --quiet enable systemd-networkd systemd-resolved
ln -sf ../run/systemd/resolve/stub-resolv.conf "$target/etc/resolv.conf"
: >"$target/etc/machine-id"
rm -f "$target/etc/dpkg/dpkg.cfg.d/unsafe-io"
echo installed >"$target/etc/bench"
END
cat >"$config/scripts/BENCH/20-boot" <<'END'
#!/bin/bash
# The signed loader, where firmware looks on a disk it doesn't know.
set -eu
esp=$target/boot/efi/EFI
root=$(findmnt --noheadings --output UUID "$target")
mkdir -p "$esp/BOOT" "$esp/debian" "$target/boot/grub"
cp "$target/usr/lib/shim/shimx64.efi.signed" "$esp/BOOT/BOOTX64.EFI"
cp "$target/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" "$esp/BOOT/grubx64.efi"
printf 'search --no-floppy --fs-uuid --set=root %s\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' "$root" |
    tee "$esp/BOOT/grub.cfg" >"$esp/debian/grub.cfg"
printf 'set timeout=1\nmenuentry Debian {\n\tlinux /vmlinuz root=UUID=%s ro console=tty0 console=ttyS0,115200n8\n\tinitrd /initrd.img\n}\n' \
    "$root" >"$target/boot/grub/grub.cfg"
END
chmod +x "$config"/class/10-bench "$config"/hooks/* "$config"/scripts/BENCH/*

# --- its parts, and the medium
echo "base system, as mmdebstrap makes the image's"
mmdebstrap --quiet --variant=minbase --architectures=amd64 --aptopt='Acquire::Languages "none"' "${paths[@]}" \
    bookworm "$config/basefiles/BENCH.tar.zst" - <"$etc/apt/sources.list"
echo "the live system that FAI runs in (fai-make-nfsroot)"
fai-make-nfsroot -s -z -C "$etc" >"$work/nfsroot.log" 2>&1 || { tail -n 30 "$work/nfsroot.log"; fail "fai-make-nfsroot"; }
echo "the mirror (fai-mirror)"
fai-mirror -b -C "$etc" -c BENCH "$work/mirror" >"$work/mirror.log" 2>&1 || { tail -n 30 "$work/mirror.log"; fail "fai-mirror"; }
echo "the medium (fai-cd)"
TMPDIR=$work/tmp fai-cd -e -C "$etc" -m "$work/mirror" "$work/fai.iso" >"$work/cd.log" 2>&1 || { tail -n 30 "$work/cd.log"; fail "fai-cd"; }
echo "made $work/fai.iso: FAI $(dpkg-query -W -f '${Version}' fai-server), $(find "$work/mirror" -name '*.deb' | wc -l) packages, $(du -h "$work/fai.iso" | cut -f 1)"
