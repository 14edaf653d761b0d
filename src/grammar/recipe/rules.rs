//! Rules of partman-auto's recipes: what each finding is called, and what the handbook says of it.

use crate::value::rule::rules;

rules! {
    DROPPED = "recipe-dropped" error,
        "Words that d-i drops: no ` .` behind them, or they stand before a `::`.",
        "One recipe, its name first, each partition ended by a dot with a blank before it.",
        "r ::\n1000 5000 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } .\n512 512 512 ext4 method{ keep }\n";
    EMPTY = "recipe-empty" error,
        "A recipe without partitions.",
        "Add one that is mounted at `/`.",
        "r ::\n";
    INCOMPLETE = "recipe-incomplete" error,
        "A partition lacks one of smallest size, priority, largest size and file system.",
        "Write all four before its fields.",
        "r ::\n1000 5000 .\n1000 5000 -1 ext4 method{ keep } .\n";
    SIZE = "recipe-size" error,
        "A size or priority that d-i can't read, and takes for another one; or a largest size below the smallest.",
        "Write whole numbers of MB.",
        "r ::\n1G 5000 -1 ext4 method{ keep } .\n";
    LEADING_ZERO = "recipe-leading-zero" warning,
        "A number begins with a zero, which a shell may read as octal.",
        "Write it without.",
        "r ::\n0100 5000 -1 ext4 method{ keep } .\n";
    PRIORITY = "recipe-priority" warning,
        "The priority is below the smallest size: the partition doesn't grow.",
        "Write one above it, or the same size twice if that is meant.",
        "r ::\n1000 500 -1 ext4 method{ keep } .\n";
    FILESYSTEM = "recipe-filesystem" error,
        "A file system that the decoder doesn't know and takes for ext2, or that partman can't make.",
        "Write one that the message names.",
        "r ::\n1000 5000 -1 ext5 method{ keep } .\n";
    BRACES = "recipe-braces" error,
        "Braces that are glued to something, never closed, or missing: d-i reads on, or drops the word.",
        "Blanks around every brace: `method{ format }`.",
        "r ::\n1000 5000 -1 ext4 method{ keep } primary .\n";
    METHOD = "recipe-method" error,
        "A partition has no such method.",
        "Write one that the message names.",
        "r ::\n1000 5000 -1 ext4 method{ formt } mountpoint{ / } .\n";
    FIELD_MISSING = "recipe-field-missing" warning,
        "A method without a field that it needs: nothing is formatted, or the file system isn't used.",
        "Add the field.",
        "r ::\n1000 5000 -1 ext4 method{ format } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } .\n";
    MOUNTPOINT = "recipe-mountpoint" error,
        "A mount point isn't a path from `/`.",
        "Correct it.",
        "r ::\n1000 5000 -1 ext4 method{ keep } mountpoint{ srv } .\n";
    DUPLICATE_MOUNTPOINT = "recipe-duplicate-mountpoint" error,
        "Two partitions have one mount point.",
        "Change one of them.",
        "r ::\n1000 5000 -1 ext4 method{ keep } mountpoint{ / } .\n1000 5000 -1 ext4 method{ keep } mountpoint{ / } .\n";
    NO_ROOT = "recipe-no-root" error,
        "Nothing is mounted at `/`: d-i has nowhere to install to.",
        "Mount a partition there.",
        "r ::\n512 512 512 free method{ biosgrub } .\n";
    VOLUME_UNUSED = "recipe-volume-unused" error,
        "A field or method of logical volumes where none are made: it becomes a plain partition, or nobody makes volumes in it.",
        "Mark it with `$lvmok{ }`, and answer `partman-auto/method` with lvm or crypto.",
        "r ::\n500 500 500 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ /boot } .\n1000 5000 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } $lvmok{ } .\n500 600 700 ext4 lv_name{ srv } method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ /srv } .\n";
    NO_VOLUMES = "recipe-no-volumes" error,
        "No partition is marked `$lvmok{ }`: d-i can't use the recipe for volumes.",
        "Mark those that should be volumes.",
        "r ::\n1000 5000 -1 ext4 method{ crypto } .\n1000 5000 -1 ext4 method{ keep } .\n";
    BOOT_ON_LVM = "recipe-boot-on-lvm" warning,
        "What boots lies in a logical volume: d-i asks whether that is meant.",
        "Put `/boot` outside of the volumes.",
        "r ::\n1000 5000 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } $lvmok{ } .\n";
    GROUP = "recipe-group" error,
        "A volume is in a group that no partition holds.",
        "Give the partition that holds it `vg_name{ }`.",
        "r ::\n500 500 500 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ /boot } .\n1000 5000 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } $lvmok{ } in_vg{ data } .\n";
}
