//! Rules of Kickstart: what each finding is called, and what the handbook says of it.

use crate::value::rule::rules;

rules! {
    UNREADABLE_LINE = "ks-unreadable-line" error fixed,
        "A line can't be split into words: a quote stays open, or the line ends in a backslash. The installer stops reading there.",
        "Close the quote; write a command in one line, Kickstart has none that go on.",
        "lang 'en_US\n";
    UNKNOWN_COMMAND = "ks-unknown-command" error,
        "The release has no such command.",
        "Correct the name, or name the release that is meant.",
        "zerombrr\n";
    REMOVED = "ks-removed" error,
        "The release has no such command any more, and the installer stops at it.",
        "Take it out.",
        "install\n";
    DEPRECATED = "ks-deprecated" warning,
        "A command, option or section is read and does nothing any more, or goes away after this release.",
        "Take it out, or write its successor.",
        "%traceback\ntrue\n%end\n";
    OTHER_RELEASE = "ks-other-release" warning,
        "The stock parser takes a section for every release; the installer of this one may not.",
        "Take it out, or name the release that is meant.",
        "%certificate --filename=a.pem\nx\n%end\n" @ "el-9";
    COMMAND_CONFLICT = "ks-command-conflict" error,
        "Two commands can't stand beside each other.",
        "Keep one of them.",
        "clearpart --none\nautopart\npart / --fstype=xfs --size=4096\n";
    REPEATED_COMMAND = "ks-repeated-command" warning,
        "A command stands twice, and only one of them counts.",
        "Keep one of them.",
        "ignoredisk --only-use=sda\nignoredisk --only-use=sdb\n";
    EMPTY = "ks-empty" error,
        "There is no command in the file.",
        "Check that it is the right file, and whole.",
        "# nothing\n";
    CUT_WORD = "ks-cut-word" warning,
        "A `#` inside a word begins a comment, and the rest of the word is lost.",
        "Quote the word, or set a blank before the comment.",
        "lang en_US#UTF-8\n";
    LINE_END = "ks-line-end" warning,
        "A character that editors don't show as a line end ends the line for the installer.",
        "Take the character out.",
        "lang en_US\u{2028}keyboard us\n";
    INCLUDE_WITHOUT_FILE = "ks-include-without-file" error,
        "`%include` or `%ksappend` names no file.",
        "Name the file.",
        "%include\n";
    UNKNOWN_SECTION = "ks-unknown-section" error,
        "No section begins so.",
        "Correct the name.",
        "%pots\ntrue\n%end\n";
    UNENDED_SECTION = "ks-unended-section" error fixed,
        "A section has no `%end`.",
        "Add it.",
        "%packages\n";
    STRAY_END = "ks-stray-end" error,
        "`%end` stands where no section is open.",
        "Take it out, or look for the section's first line.",
        "%end\n";
    EMPTY_SECTION = "ks-empty-section" either,
        "A section that should hold something holds nothing.",
        "Fill it, or take it out.",
        "%post --erroronfail\n%end\n";
    SCRIPT_UNCHECKED = "ks-script-unchecked" warning,
        "When the script fails, the install goes on as if it hadn't.",
        "Add `--erroronfail`.",
        "%post\ntouch /etc/done\n%end\n";
    UNKNOWN_OPTION = "ks-unknown-option" error,
        "The command has no such option in this release, or several that begin so.",
        "Correct the name. Where it isn't shown it may be a password.",
        "zerombr --all\n";
    ABBREVIATED_OPTION = "ks-abbreviated-option" warning,
        "Only the beginning of an option's name is written: the next release may know two that begin so.",
        "Write it out.",
        "bootloader --timeou=5\n";
    OPTION_VALUE = "ks-option-value" error,
        "An option or word has a value that the command refuses, lacks one, or has one too much.",
        "Write a value that the message names.",
        "bootloader --timeout=soon\n";
    OPTION_NEEDS = "ks-option-needs" error,
        "An option works only with another one, or another kind of device.",
        "Add what it needs, or take it out.",
        "logging --port=514\n";
    OPTION_CONFLICT = "ks-option-conflict" error,
        "Options exclude each other, or one has no place here.",
        "Keep one of them.",
        "repo --name=x --baseurl=http://a/ --mirrorlist=http://b/\n";
    OPTION_CHOICE = "ks-option-choice" error,
        "Exactly one of some options must be given.",
        "Give one.",
        "timesource\n";
    MISSING_ARGUMENT = "ks-missing-argument" error,
        "The command lacks an option or a word that it can't do without.",
        "Add it.",
        "user --groups=wheel\n";
    SURPLUS_WORDS = "ks-surplus-words" error,
        "There are words that nothing takes.",
        "Quote a value that has blanks; take the others out.",
        "lang en_US de_DE\n";
    NO_BTRFS = "ks-no-btrfs" error,
        "Red Hat Enterprise Linux has no btrfs.",
        "Use another file system.",
        "part / --fstype=btrfs --size=4096\n";
    REALM = "ks-realm" error,
        "`realm join` reads its words in a way of its own, and stumbles over these.",
        "Write options first, then one realm, and no comment behind it.",
        "realm leave example.com\n";
    PACKAGES_ENVIRONMENT = "ks-packages-environment" warning,
        "`@^` names an environment a second time, or none.",
        "Name one environment.",
        "%packages\n@^minimal-environment\n@^server-product-environment\n%end\n";
    PACKAGES_CONTRADICTION = "ks-packages-contradiction" warning,
        "A package is asked for and left out.",
        "Keep one of the lines.",
        "%packages\nvim\n-vim\n%end\n";
    PACKAGES_GROUP = "ks-packages-group" warning,
        "A group's line has an option that groups don't have.",
        "Take it out; known are `--nodefaults` and `--optional`.",
        "%packages\n@core --all\n%end\n";
    DUPLICATE_DEVICE = "ks-duplicate-device" error,
        "Two commands make devices of one name.",
        "Rename one of them.",
        "part pv.1 --size=1024\npart pv.1 --size=1024\nvolgroup data pv.1\nlogvol /srv --vgname=data --name=srv --size=512\n";
    MEMBER_KIND = "ks-member-kind" error,
        "A member is of the wrong kind: a RAID member in a volume group, and the like.",
        "Give it the prefix that the command wants: `pv.`, `raid.`, `btrfs.`.",
        "%include /tmp/more.ks\npart raid.1 --size=1024\nvolgroup data raid.1\n";
    MEMBER_REUSED = "ks-member-reused" error,
        "A member belongs to two arrays, groups or volumes.",
        "Give each its own.",
        "part pv.1 --size=1024\nvolgroup one pv.1\nvolgroup two pv.1\nlogvol /a --vgname=one --name=a --size=512\nlogvol /b --vgname=two --name=b --size=512\n";
    MEMBER_UNDEFINED = "ks-member-undefined" either,
        "No line defines a member. A warning where its name may be that of a device which is on the machine already.",
        "Define it with `part`, or correct the name.",
        "volgroup data pv.1\nlogvol /srv --vgname=data --name=srv --size=512\n";
    MEMBER_UNUSED = "ks-member-unused" warning,
        "A partition or array that was made to be a member is used by nothing.",
        "Use it, or take it out.",
        "part pv.1 --size=1024\n";
    MEMBERS_IGNORED = "ks-members-ignored" error,
        "Members stand before and behind the options, and the installer takes one of the runs only.",
        "Write all members in one run.",
        "%include /tmp/more.ks\nraid /srv raid.1 raid.2 --device=0 --level=0 raid.3\n";
    RAID_MEMBERS = "ks-raid-members" warning,
        "The array has fewer members than its level needs.",
        "Add members, or choose another level.",
        "part raid.1 --size=1024\nraid /srv --device=0 --level=1 raid.1\n";
    VG_UNDEFINED = "ks-vg-undefined" either,
        "A logical volume is in a group that no line makes. A warning for a volume that is on the machine already.",
        "Add a line `volgroup`, or correct the name.",
        "logvol /srv --vgname=data --name=srv --size=512\n";
    VG_EMPTY = "ks-vg-empty" warning,
        "No logical volume lies in a volume group.",
        "Add a line `logvol`, or take the group out.",
        "part pv.1 --size=1024\nvolgroup data pv.1\n";
    THINPOOL_UNDEFINED = "ks-thinpool-undefined" error,
        "No line before a thin volume makes its pool.",
        "Make the pool first, with `--thinpool`.",
        "part pv.1 --size=1024\nvolgroup data pv.1\nlogvol /srv --vgname=data --name=srv --thin --poolname=pool --size=512\n";
    CACHE_OUTSIDE_VG = "ks-cache-outside-vg" error,
        "A cache's physical volume isn't in the volume group.",
        "Add it to the group.",
        "part pv.1 --size=1024\nvolgroup data pv.1\nlogvol /srv --vgname=data --name=srv --size=512 --cachesize=64 --cachepvs=pv.2\n";
    SNAPSHOT_ORIGIN = "ks-snapshot-origin" either,
        "A snapshot is of a volume that no line makes. A warning where it may be on the machine already.",
        "Correct `VOLUMEGROUP/VOLUME`.",
        "snapshot data/srv --name=before --when=post-install\n";
    SUBVOLUME_PARENT = "ks-subvolume-parent" either,
        "No line makes the btrfs volume that holds a subvolume. A warning where it may be on the machine already.",
        "Add the volume, or correct its name.",
        "btrfs /home --subvol --name=home LABEL=data\n" @ "fedora43";
    STRATIS_POOL = "ks-stratis-pool" error,
        "A Stratis file system is in a pool that no line makes.",
        "Add a line `stratispool`, or correct the name.",
        "stratisfs /srv --name=srv --poolname=pool --size=512\n" @ "fedora45";
    DUPLICATE_MOUNTPOINT = "ks-duplicate-mountpoint" either,
        "Two commands have one mount point. A warning for kinds of partitions of which a machine can have several.",
        "Change one of them.",
        "part /srv --fstype=xfs --size=512\npart /srv --fstype=xfs --size=512\n";
    MOUNTPOINT = "ks-mountpoint" warning,
        "What should be a mount point doesn't begin with `/` and isn't a word that stands for one.",
        "Correct it.",
        "part srv --fstype=xfs --size=512\n";
    FILESYSTEM = "ks-filesystem" warning,
        "Anaconda makes no such file system.",
        "Correct the name.",
        "part /srv --fstype=ext5 --size=512\n";
    EFI_FILESYSTEM = "ks-efi-filesystem" warning,
        "`/boot/efi` has a file system that firmware can't read.",
        "Write `--fstype=efi`.",
        "part /boot/efi --fstype=xfs --size=512\n";
    ENCRYPTED_BOOT = "ks-encrypted-boot" warning,
        "`/boot` or `/boot/efi` is encrypted, and the boot loader must read it.",
        "Leave it in the clear.",
        "part /boot --fstype=xfs --size=512 --encrypted\n";
    SIZE = "ks-size" error,
        "A size is less than 0, or the largest size is less than the smallest.",
        "Correct it.",
        "part /srv --fstype=xfs --size=512 --grow --maxsize=256\n";
    MAXSIZE_WITHOUT_GROW = "ks-maxsize-without-grow" warning,
        "`--maxsize` has no effect without `--grow`.",
        "Add `--grow`, or take it out.",
        "part /srv --fstype=xfs --size=512 --maxsize=1024\n";
    DISK_HIDDEN = "ks-disk-hidden" either fixed,
        "A command uses a disk that `ignoredisk` hides.",
        "Use a disk that the installer may see.",
        "ignoredisk --only-use=sda\npart /srv --fstype=xfs --size=512 --ondisk=sdb\n";
    DISK_NOT_CLEARED = "ks-disk-not-cleared" warning,
        "A new partition is on a disk that `clearpart` doesn't clear.",
        "Name the disk there too.",
        "zerombr\nclearpart --all --drives=sda\npart /srv --fstype=xfs --size=512 --ondisk=sdb\n";
    AUTOPART_WITHOUT_CLEARPART = "ks-autopart-without-clearpart" warning,
        "`autopart` without `clearpart` uses only space that no partition holds.",
        "Add a line `clearpart`.",
        "autopart\n";
    CLEARPART_CHOICE = "ks-clearpart-choice" warning,
        "`clearpart` says several things of which one counts.",
        "Keep one of `--all`, `--linux`, `--none`, `--list`.",
        "zerombr\nclearpart --all --linux --drives=sda\n";
    CLEARPART_WITHOUT_ZEROMBR = "ks-clearpart-without-zerombr" warning,
        "A disk without a partition table isn't initialised, or the installer asks.",
        "Add a line `zerombr`.",
        "clearpart --all --drives=sda\n";
    CLEARS_EVERY_DISK = "ks-clears-every-disk" warning,
        "`clearpart --all` clears every disk that the installer sees, data disks and SAN volumes too.",
        "Name the disk with `--drives`, and with `ignoredisk --only-use`.",
        "zerombr\nclearpart --all\n";
    NETWORK_DUPLICATE = "ks-network-duplicate" warning,
        "Two `network` lines have one device or one address.",
        "Keep one, or correct one.",
        "network --bootproto=dhcp --device=eth0\nnetwork --bootproto=dhcp --device=eth0\n";
    NETWORK_DEVICE = "ks-network-device" warning,
        "`network` without `--device`: of several cards, one is taken that nobody named.",
        "Name the card by its address: `--device=52:54:00:12:34:56`.",
        "network --bootproto=dhcp\n";
    ADDRESS = "ks-address" either,
        "What should be an IP address or the length of a prefix is none. A warning for a name server.",
        "Correct it.",
        "network --device=eth0 --bootproto=dhcp --ipv6=2001:db8::1/200\n";
    ADDRESS_IGNORED = "ks-address-ignored" warning,
        "An address has no effect beside another option, or without one.",
        "Add `--bootproto=static`, or take `--noipv6` or the address out.",
        "network --device=eth0 --bootproto=dhcp --ip=10.0.0.2\n";
    STATIC_INCOMPLETE = "ks-static-incomplete" either,
        "`--bootproto=static` lacks its address or netmask. A warning where IPv6 or a bond's VLANs may be all that is wanted.",
        "Add `--ip` and `--netmask`.",
        "network --device=eth0 --bootproto=static --ip=10.0.0.2\n";
    NETMASK = "ks-netmask" error,
        "The netmask's ones don't stand together.",
        "Correct it.",
        "network --device=eth0 --bootproto=static --ip=10.0.0.2 --netmask=255.0.255.0\n";
    ADDRESS_OF_NETWORK = "ks-address-of-network" error,
        "The machine's address is the network's own or its broadcast address.",
        "Take another one.",
        "network --device=eth0 --bootproto=static --ip=10.0.0.0 --netmask=255.255.255.0\n";
    GATEWAY = "ks-gateway" error,
        "The gateway is outside of the machine's network, or the machine itself.",
        "Correct the gateway or the netmask.",
        "network --device=eth0 --bootproto=static --ip=10.0.0.2 --netmask=255.255.255.0 --gateway=10.1.0.1\n";
    HOSTNAME = "ks-hostname" warning,
        "What should be a host name is none.",
        "Letters, digits and `-`, parts of at most 63 with dots between.",
        "network --device=eth0 --bootproto=dhcp --hostname=web_01\n";
    SOURCE_CONFLICT = "ks-source-conflict" error,
        "Two commands say where the system comes from; Anaconda takes the first by an order of its own.",
        "Keep one of them.",
        "cdrom\nurl --url=http://mirror/\n";
    LIVEIMG_TAR = "ks-liveimg-tar" error,
        "Anaconda doesn't take this URL for a tar: it mounts the file as an image, and fails.",
        "Let the URL end as Anaconda knows tars.",
        "liveimg --url=http://server/a.tar.zst --checksum=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
    CHECKSUM_MISSING = "ks-checksum-missing" warning,
        "An image without a checksum: Anaconda ignores tar's failure, so half an image passes.",
        "Add `--checksum=`, the SHA-256 of the file.",
        "liveimg --url=http://server/a.tar.gz\n";
    CHECKSUM = "ks-checksum" either,
        "An image's checksum is no SHA-256 in small hexadecimal digits.",
        "Write what `sha256sum` prints.",
        "liveimg --url=http://server/a.tar.gz --checksum=0123\n";
    PACKAGES_BESIDE_IMAGE = "ks-packages-beside-image" warning,
        "`%packages` is ignored where the system comes as an image.",
        "Take it out: the image must hold them already.",
        "liveimg --url=http://server/a.tar.gz --checksum=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n%packages\nvim\n%end\n";
    URL_SCHEME = "ks-url-scheme" warning,
        "A URL has a scheme that Anaconda doesn't fetch.",
        "Use http, https, ftp, file or nfs.",
        "url --url=sftp://server/\n";
    CLEAR_TEXT = "ks-clear-text" warning,
        "A password or passphrase stands in clear text: whoever reads the file can read it.",
        "Write a hash with `--iscrypted`; change a passphrase after the install, or unlock by TPM or Tang.",
        "rootpw --plaintext secret\n";
    PASSWORD_FLAGS = "ks-password-flags" warning,
        "Of `--iscrypted` and `--plaintext` the last one counts.",
        "Keep one of them.",
        "rootpw --plaintext --iscrypted $6$salt$hash\n";
    HASH_AS_PASSWORD = "ks-hash-as-password" error,
        "The password looks like a hash, but without `--iscrypted` the hash itself is the password.",
        "Add `--iscrypted`.",
        "rootpw $6$salt$hash\n";
    NO_HASH = "ks-no-hash" warning,
        "`--iscrypted`, but the password is no hash that the system's login knows.",
        "Make one with `ironstrap passwd`.",
        "rootpw --iscrypted secret\n";
    WEAK_HASH = "ks-weak-hash" warning,
        "The hash is MD5, which is quickly guessed.",
        "Make another one: `ironstrap passwd`, or `grub2-mkpasswd-pbkdf2` for the boot loader.",
        "rootpw --iscrypted $1$salt$hash\n";
    PASSPHRASE_UNUSED = "ks-passphrase-unused" warning,
        "Options of encryption without `--encrypted`: nothing is encrypted.",
        "Add `--encrypted`.",
        "part /srv --fstype=xfs --size=512 --cipher=aes-xts-plain64\n";
    DUPLICATE_USER = "ks-duplicate-user" warning,
        "Two lines make one user, or give one user id.",
        "Keep one, or correct one.",
        "user --name=ops --lock\nuser --name=ops --lock\n";
    NO_LOGIN = "ks-no-login" warning,
        "A user has neither a password nor a key: nobody can log in.",
        "Add `--password` or a line `sshkey`, or `--lock` if that is meant.",
        "user --name=ops\n";
    SSHKEY_USER = "ks-sshkey-user" warning,
        "A key is for a user that no line makes.",
        "Add a line `user` before it.",
        "sshkey --username=ops \"ssh-ed25519 AAAA ops\"\n";
    SSHKEY_REPEATED = "ks-sshkey-repeated" warning,
        "A second line gives a user a key.",
        "Check with the release whether both count.",
        "sshkey --username=root \"ssh-ed25519 AAAA a\"\nsshkey --username=root \"ssh-ed25519 AAAA b\"\n";
    NO_ACCOUNT = "ks-no-account" warning,
        "There is no `rootpw` and no `user`: the installer asks, or nobody can log in.",
        "Add one of them.",
        "lang en_US.UTF-8\n";
    NO_ROOT = "ks-no-root" error,
        "No storage command has the mount point `/`.",
        "Add a line `part / --fstype=xfs --size=4096 --grow`, or `autopart`.",
        "lang en_US.UTF-8\n";
    NO_BOOTLOADER = "ks-no-bootloader" warning,
        "No `bootloader` command, or one that installs none: the installer chooses the disk that boots, or the machine can't boot by itself.",
        "Add a line `bootloader`.",
        "bootloader --location=none\n";
    ASKS = "ks-asks" warning,
        "Language, keyboard or time zone aren't said: the installer may ask.",
        "Add the command.",
        "lang en_US.UTF-8\n";
    SCREEN = "ks-screen" warning,
        "Questions may wait on a screen that nobody sees.",
        "Add a line `text`, or `cmdline`, which stops instead of asking.",
        "graphical\n";
    NO_REBOOT = "ks-no-reboot" warning,
        "Nothing says what comes after the install: the installer waits for a key.",
        "Add a line `reboot`.",
        "lang en_US.UTF-8\n";
}
