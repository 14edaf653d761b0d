#!/bin/sh
# Hook of mmdebstrap, which runs it with the new system's directory as its argument, first when the essential packages are
# there, then when all of them are. The values above come from the recipe.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022
root=$1

if [ "$MMDEBSTRAP_HOOK" = essential ]; then
    # the machine that builds says nothing about those that boot this
    mkdir -p "$root/etc/initramfs-tools/conf.d"
    echo 'MODULES=most' > "$root/etc/initramfs-tools/conf.d/ironstrap"
    exit 0
fi

if [ "${2-}" != in-own-namespace ]; then
    # files only: directories that the image has keep their modes. Unpacked inside the image, so that its own links to
    # directories are followed and never lead out of it; tar is one of the packages that Debian always has
    archive=ironstrap-overlay.tar
    tar --create --file="$root/$archive" --directory="$work/overlay" --files-from="$work/files" \
        --owner=0 --group=0 --numeric-owner
    chroot "$root" tar --extract --file="/$archive" --directory=/ --preserve-permissions
    rm "$root/$archive"
    for unit in $units; do
        chroot "$root" systemctl --quiet enable "$unit"
    done
    mkdir -p "$root/boot/efi"
    # what this machine left behind
    if [ -e "$root/usr/lib/systemd/systemd-resolved" ]; then
        ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
    else
        rm -f "$root/etc/resolv.conf"
        : > "$root/etc/resolv.conf"
    fi
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/apt "$root"/var/log/*.log \
        "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/etc/ssh/ssh_host_* \
        "$root"/etc/apt/apt.conf.d/00mmdebstrap "$root"/var/lib/systemd/random-seed "$root"/var/lib/dbus/machine-id
    : > "$root/etc/machine-id"
    # /proc, /sys and /dev are mounted in the new system now; a bind mount shows what is under them
    exec unshare --mount --propagation private "$0" "$root" in-own-namespace
fi

# onto a directory of ours: another one may hide the new system or the file that is written
bound=$work/bound
mount --bind "$root" "$bound"
rm -rf "$bound"/tmp/* "$bound"/run/*
# features by name: defaults of newer e2fsprogs can't be read by the GRUB of Debian 12
mke2fs -q -F -t ext4 -b 4096 -m 1 -L root -U "$root_uuid" \
    -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum \
    -E "hash_seed=$root_uuid,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard" \
    -d "$bound" "$work/root.img"
