//! Rules of autoinstall: what each finding is called, and what the handbook says of it.

use crate::value::rule::rules;

rules! {
    NO_HEADER = "autoinstall-no-header" error fixed,
        "The first line isn't `#cloud-config`: cloud-init ignores the file.",
        "Add it; a medium's autoinstall.yaml needs neither it nor the key `autoinstall`.",
        "autoinstall:\n  version: 1\n  user-data: {users: [{name: ops}]}\n";
    ABSENT = "autoinstall-absent" error fixed,
        "Cloud-config without `autoinstall`: the installer asks everything.",
        "Put the answers below `autoinstall:`.",
        "#cloud-config\nruncmd: [a]\n";
    OUTSIDE = "autoinstall-outside" error,
        "A section stands beside `autoinstall` instead of below it: subiquity refuses the file.",
        "Indent it.",
        "#cloud-config\nautoinstall:\n  version: 1\n  user-data: {users: [{name: ops}]}\nkeyboard: {layout: us}\n";
    UNKNOWN_KEY = "autoinstall-unknown-key" either,
        "Nothing reads this key. A warning where the schema leaves it open and no known key is near.",
        "Correct it, or take it out.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nlocal: en_US.UTF-8\n";
    LATER_RELEASE = "autoinstall-later-release" either,
        "The key is of a later release. A warning where the schema lets any pass.",
        "Name the release that is meant, or take it out.",
        "version: 1\nuser-data: {users: [{name: ops}]}\noem: {install: auto}\n" @ "22.04";
    MISSING_KEY = "autoinstall-missing-key" error,
        "A key that must be there is missing.",
        "Add it.",
        "user-data: {users: [{name: ops}]}\n";
    TYPE = "autoinstall-type" error,
        "A value is of another type than its key takes.",
        "Write a value of the type that the message names.",
        "version: 1\nuser-data: {users: [{name: ops}]}\npackages: git\n";
    VALUE = "autoinstall-value" error,
        "The key can't have this value.",
        "Write one that the message names.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nshutdown: halt\n";
    NO_IDENTITY = "autoinstall-no-identity" either,
        "`identity` is missing, and there is no `user-data`. A warning for sources that may need none.",
        "Add one of them.",
        "version: 1\n";
    USERNAME = "autoinstall-username" error,
        "subiquity refuses the user name.",
        "Small letters, digits, `-` and `_`, at most 32, and not root.",
        "version: 1\nidentity: {username: Ops, hostname: web01, password: $6$salt$hash}\n";
    HOSTNAME = "autoinstall-hostname" error,
        "What should be a host name is none.",
        "Letters, digits, `-` and dots.",
        "version: 1\nidentity: {username: ops, hostname: web_01, password: $6$salt$hash}\n";
    NO_HASH = "autoinstall-no-hash" error,
        "What should be a password hash is none: nobody could log in with it.",
        "Make one with `ironstrap passwd`.",
        "version: 1\nidentity: {username: ops, hostname: web01, password: secret}\n";
    NO_LOGIN = "autoinstall-no-login" warning,
        "There is neither `identity` nor a user in `user-data`: nobody can log in with a password.",
        "Add one of them.",
        "version: 1\nuser-data: {timezone: UTC}\n";
    CLEAR_TEXT = "autoinstall-clear-text" warning,
        "A password or passphrase stands in clear text: whoever reads the file can read it.",
        "Write a hash; change a passphrase after the install.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage: {layout: {name: lvm, password: secret, match: {serial: A1}}}\n";
    SSH_KEY = "autoinstall-ssh-key" warning,
        "This doesn't look like a public key.",
        "Write the whole line of the `.pub` file.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nssh: {authorized-keys: [AAAA]}\n";
    INTERACTIVE = "autoinstall-interactive" warning,
        "The installer waits for somebody at these sections.",
        "Take `interactive-sections` out.",
        "version: 1\nuser-data: {users: [{name: ops}]}\ninteractive-sections: [network]\n";
    OLD_NAME = "autoinstall-old-name" warning,
        "A section's old name.",
        "Write the new one.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nubuntu-advantage: {token: C1token}\n" @ "22.04";
    SOURCE_ADDRESS = "autoinstall-source-address" error,
        "`source` can't be an address: its ids are those of the medium's install-sources.yaml.",
        "Make a medium with the image, or install it with the native installer.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nsource: {id: http://server/image.squashfs}\n";
    CONFIG_IGNORED = "autoinstall-config-ignored" warning,
        "`layout` and `config` are both there: subiquity doesn't read `config`.",
        "Keep one of them.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage: {layout: {name: lvm, match: {serial: A1}}, config: []}\n";
    LAYOUT = "autoinstall-layout" error fixed,
        "The release has no such layout; subiquity may take it for `direct`.",
        "Write one that it has.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage: {layout: {name: lvn, match: {serial: A1}}}\n";
    ANY_DISK = "autoinstall-any-disk" warning,
        "Nothing says which disk is written, or several can fit: an arbitrary one is taken.",
        "Name a serial or a path, without wildcards.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage: {layout: {name: lvm}}\n";
    MATCH_KEY = "autoinstall-match-key" error fixed,
        "`match` has no such key: subiquity ignores it and may take another disk.",
        "Write one that the message names.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage: {layout: {name: lvm, match: {serial: A1, modell: X}}}\n";
    ACTION = "autoinstall-action" error,
        "The release has no action of this type: subiquity skips it without a word.",
        "Correct the type.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage:\n  config:\n    - {type: disk, id: d, serial: A1, grub_device: true}\n    - {type: format, id: f, volume: d, fstype: ext4}\n    - {type: mount, id: m, device: f, path: /}\n    - {type: bcache, id: b}\n";
    DUPLICATE_ID = "autoinstall-duplicate-id" error,
        "Two actions have one id.",
        "Rename one of them.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage:\n  config:\n    - {type: disk, id: d, serial: A1, grub_device: true}\n    - {type: disk, id: d, serial: A2}\n    - {type: format, id: f, volume: d, fstype: ext4}\n    - {type: mount, id: m, device: f, path: /}\n";
    REFERENCE = "autoinstall-reference" error,
        "An action names an id that none before it has, or that of a wrong kind: subiquity drops the reference without a word.",
        "Correct the id, or move the action.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage:\n  config:\n    - {type: disk, id: d, serial: A1, grub_device: true}\n    - {type: format, id: f, volume: p, fstype: ext4}\n    - {type: mount, id: m, device: f, path: /}\n";
    FILESYSTEM = "autoinstall-filesystem" error,
        "curtin can't make such a file system.",
        "Write one that the message names.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage:\n  config:\n    - {type: disk, id: d, serial: A1, grub_device: true}\n    - {type: format, id: f, volume: d, fstype: ext5}\n    - {type: mount, id: m, device: f, path: /}\n";
    MOUNTPOINT = "autoinstall-mountpoint" error,
        "A mount point isn't a path from `/`.",
        "Correct it.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage:\n  config:\n    - {type: disk, id: d, serial: A1, grub_device: true}\n    - {type: format, id: f, volume: d, fstype: ext4}\n    - {type: mount, id: m, device: f, path: /}\n    - {type: mount, id: n, device: f, path: srv}\n";
    SIZE = "autoinstall-size" error,
        "What should be a size is none, or the rest of a device is given away twice.",
        "Write bytes, `10G`, `50%`, or `-1` for the rest, at the last one.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage:\n  config:\n    - {type: disk, id: d, serial: A1, grub_device: true}\n    - {type: partition, id: p, device: d, size: ten}\n    - {type: format, id: f, volume: p, fstype: ext4}\n    - {type: mount, id: m, device: f, path: /}\n";
    NO_ROOT = "autoinstall-no-root" error,
        "Nothing is mounted at `/`.",
        "Add a mount.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage: {config: [{type: disk, id: d, serial: A1, grub_device: true}]}\n";
    NO_BOOT_DEVICE = "autoinstall-no-boot-device" warning,
        "No disk or partition has `grub_device: true`: subiquity finds no place for the boot loader.",
        "Set it where the firmware boots from.",
        "version: 1\nuser-data: {users: [{name: ops}]}\nstorage:\n  config:\n    - {type: disk, id: d, serial: A1}\n    - {type: format, id: f, volume: d, fstype: ext4}\n    - {type: mount, id: m, device: f, path: /}\n";
}
