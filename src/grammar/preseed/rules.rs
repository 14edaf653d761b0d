//! Rules of preseed files: what each finding is called, and what the handbook says of it.

use crate::value::rule::rules;

rules! {
    SHORT_LINE = "preseed-short-line" error fixed,
        "A line lacks owner, key or type: d-i stops loading there, and asks what the rest of the file would have answered.",
        "Write `d-i KEY TYPE VALUE`.",
        "d-i netcfg/get_hostname\n";
    NO_ANSWER = "preseed-no-answer" error,
        "A line has three words that aren't owner, key and type.",
        "Write `d-i KEY TYPE VALUE`.",
        "d-i time/zone UTC now\n";
    UNFINISHED = "preseed-unfinished" error fixed,
        "The file ends where a line goes on: d-i drops the answer.",
        "Take the last backslash out.",
        "d-i time/zone string UTC\\\n";
    CONTINUATION = "preseed-continuation" error,
        "A blank stands behind the backslash: the line doesn't go on.",
        "End the line with the backslash.",
        "d-i time/zone string \\ \n#\n";
    INDENTED_COMMENT = "preseed-indented-comment" error,
        "A `#` that isn't in the first column begins no comment: d-i reads the line as an answer, or as a part of one.",
        "Begin comments in the first column.",
        "  # d-i time/zone string UTC\n";
    UNKNOWN_QUESTION = "preseed-unknown-question" error,
        "The installer has no such question: nothing reads the answer, and what it was to answer is asked.",
        "Correct the key, or take it out.",
        "d-i netcfg/get_hostnam string web01\n";
    OTHER_RELEASE = "preseed-other-release" warning,
        "The question is one of another release's installer.",
        "Name the release that is meant, or take it out.",
        "d-i auto-install/cloak_initrd_preseed boolean true\n" @ "debian-12";
    TYPE = "preseed-type" warning,
        "The type isn't that of the question.",
        "Write the type that the message names.",
        "d-i time/zone boolean UTC\n";
    BOOLEAN = "preseed-boolean" error,
        "The answer to a question that takes true or false is neither.",
        "Write `true` or `false`.",
        "d-i clock-setup/utc boolean yes\n";
    CHOICE = "preseed-choice" error,
        "The answer isn't one of the question's choices.",
        "Write one that the message names.",
        "d-i apt-setup/services-select multiselect securty\n";
    DUPLICATE = "preseed-duplicate" either,
        "A question is answered twice, and the last answer counts. A warning where both are the same.",
        "Take one of them out.",
        "d-i time/zone string UTC\nd-i time/zone string Europe/Berlin\n";
    TOO_LATE = "preseed-too-late" warning,
        "The network is up before a file that is fetched by URL: the answer comes too late.",
        "Give it on the kernel command line too.",
        "d-i netcfg/get_hostname string web01\n";
    OPEN_QUOTE = "preseed-open-quote" error,
        "A command has a quote that is never closed: the shell refuses all of it.",
        "Close the quote.",
        "d-i preseed/late_command string echo 'done; true\n";
    COMMAND_FAILS = "preseed-command-fails" warning,
        "A command may end with an exit code that isn't 0, and then the installer asks.",
        "End it with `; true`, and report failures another way.",
        "d-i preseed/late_command string in-target systemctl enable ssh\n";
    CLEAR_TEXT = "preseed-clear-text" warning,
        "A password stands in clear text: whoever reads the file can read it.",
        "Use the question that takes a hash, where there is one.",
        "d-i passwd/root-password password secret\nd-i passwd/root-password-again password secret\n";
    PASSWORD_AGAIN = "preseed-password-again" error,
        "A password's second answer is missing or another one: d-i asks.",
        "Answer both alike.",
        "d-i network-console/password password secret\n";
    NO_HASH = "preseed-no-hash" error,
        "What should be a password hash is none: nobody could log in with it.",
        "Make one with `ironstrap passwd`; `!` locks the account.",
        "d-i passwd/root-password-crypted password secret\n";
    NO_METHOD = "preseed-no-method" error,
        "Partitioning is answered without `partman-auto/method`: d-i asks how to partition.",
        "Answer it: regular, lvm, crypto or raid.",
        "d-i partman-auto/choose_recipe select atomic\n";
    METHOD = "preseed-method" error,
        "`partman-auto/method` can't be this.",
        "Write regular, lvm, crypto or raid.",
        "d-i partman-auto/method string lvmm\n";
    NO_RAID_RECIPE = "preseed-no-raid-recipe" error,
        "Method raid without `partman-auto-raid/recipe`: there is nothing to build.",
        "Answer it.",
        "d-i partman-auto/method string raid\nd-i partman-auto/disk string /dev/sda /dev/sdb\n";
    DISK = "preseed-disk" error fixed,
        "`partman-auto/disk` is missing where it must be there, names more disks than the method takes, or something that is no path in /dev.",
        "Name the disk, like `/dev/sda`.",
        "d-i partman-auto/method string regular\nd-i partman-auto/disk string sda\nd-i partman/confirm boolean true\nd-i partman/choose_partition select finish\nd-i partman-partitioning/confirm_write_new_label boolean true\nd-i grub-installer/bootdev string default\n";
    ASKS = "preseed-asks" warning,
        "A question that every install of this kind meets isn't answered: d-i asks it.",
        "Answer it.",
        "d-i partman-auto/method string regular\n";
    BOOTDEV = "preseed-bootdev" warning,
        "`grub-installer/bootdev` is no disk of `partman-auto/disk`.",
        "Name the same disk, or `default`.",
        "d-i partman-auto/method string regular\nd-i partman-auto/disk string /dev/sda\nd-i partman/confirm boolean true\nd-i partman/choose_partition select finish\nd-i partman-partitioning/confirm_write_new_label boolean true\nd-i grub-installer/bootdev string /dev/sdb\n";
    NO_SWAP = "preseed-no-swap" warning,
        "The recipe has no swap: d-i asks whether that is meant.",
        "Answer `partman-basicfilesystems/no_swap` with false.",
        "d-i partman-auto/method string regular\nd-i partman/confirm boolean true\nd-i partman/choose_partition select finish\nd-i partman-partitioning/confirm_write_new_label boolean true\nd-i grub-installer/bootdev string default\nd-i partman-auto/expert_recipe string r :: 1000 5000 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } .\n";
}
