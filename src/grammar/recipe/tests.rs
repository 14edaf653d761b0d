//! Decoding, and what is said about it. `tests/lint/` holds the decoder against debian-installer's own.

use proptest::prelude::*;

use super::*;
use crate::grammar::Severity;

const GOOD: &str = "web ::\n 538 538 1075 free $iflabel{ gpt } $reusemethod{ } method{ efi } format{ } .\n\
    500 10000 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } .\n\
    100% 512 200% linux-swap method{ swap } format{ } .\n";

fn judged(text: &str, method: Method) -> Vec<String> {
    judge(&decode(words(text), &Machine::default()), method).iter().map(ToString::to_string).collect()
}

fn says(text: &str, method: Method, what: &str) {
    let found = judged(text, method);
    assert!(found.iter().any(|finding| finding.contains(what)), "{text}: {what} is not in {found:#?}");
}

fn root(rest: &str) -> String {
    format!(
        "500 1000 -1 ext4 method{{ format }} format{{ }} use_filesystem{{ }} filesystem{{ ext4 }} mountpoint{{ / }} . {rest}"
    )
}

#[test]
fn a_good_recipe_is_decoded_and_nothing_is_said() {
    let decoded = decode(words(GOOD), &Machine::default());
    assert_eq!(decoded.name.as_deref(), Some("web"));
    let swap = &decoded.partitions[2];
    assert_eq!((swap.min, swap.priority, swap.max), (1024, 1024, 2048));
    assert!(swap.is_swap() && swap.line == 4);
    assert_eq!(judged(GOOD, Method::Regular), Vec::<String>::new());
}

#[test]
fn partitions_for_another_disk_label_are_left_out() {
    let label = |label| decode(words(GOOD), &Machine { label, ..Machine::default() }).partitions.len();
    assert_eq!((label(Some("gpt")), label(Some("msdos")), label(None)), (3, 2, 3));
}

#[test]
fn sizes_with_units_and_nonsense_are_told_with_their_line() {
    says(
        &root("\n8G 100 -1 ext4 ."),
        Method::Regular,
        "line 2: `8G` is no smallest size: d-i takes 2200000000 MB; sizes are whole numbers of MB: 8000",
    );
    says(&root("8 1.5 -1 ext4 ."), Method::Regular, "`1.5` is no priority: d-i takes 8");
    says(&root("8 8 max ext4 ."), Method::Regular, "`max` is no largest size");
    says(&root("100 100 50 ext4 ."), Method::Regular, "the largest size 50 is below the smallest, 100");
    says(&root("100 50 100 ext4 ."), Method::Regular, "priority 50 is below");
    says(&root("99999999999999999999 1 1 ext4 ."), Method::Regular, "more than d-i can count");
    says(&root("1 1 ."), Method::Regular, "needs smallest size");
}

#[test]
fn unknown_file_systems_become_ext2_and_that_is_told() {
    says(&root("1 1 1 zfs ."), Method::Regular, "doesn't know the file system `zfs`: it takes ext2");
    says(&root("1 1 1 ext44 ."), Method::Regular, "did you mean `ext4`?");
    says(
        &root("1 1 1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ zfs } ."),
        Method::Regular,
        "can't make the file system `zfs`",
    );
    let btrfs = root(
        "1 1 1 btrfs method{ format } format{ } use_filesystem{ } filesystem{ btrfs } mountpoint{ /x } .",
    );
    assert_eq!(judged(&btrfs, Method::Regular), Vec::<String>::new());
}

#[test]
fn a_missing_or_glued_dot_drops_the_rest() {
    says(&root("\n1 1 1 ext4 method{ keep }"), Method::Regular, "line 2: no ` .` after these 7 words");
    says(&root("\n1 1 1 ext4 method{ keep }."), Method::Regular, "line 2: no blank before the dot");
    says(&root("1 1 1 ext4 other ::"), Method::Regular, "before a `::`");
    says("", Method::Regular, "without partitions");
}

#[test]
fn braces_need_blanks() {
    says(&root("1 1 1 ext4 method{keep} ."), Method::Regular, "`method{keep}` stands outside");
    says(&root("1 1 1 ext4 method{ keep} ."), Method::Regular, "no blank before the brace of `keep}`");
    says(&root("1 1 1 ext4 method{ keep ."), Method::Regular, "`method{` isn't closed");
}

#[test]
fn volumes_need_their_group_and_their_marks() {
    let boot = "500 600 700 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ /boot } .";
    let holder = "\n100 1000 -1 ext4 method{ lvm } vg_name{ vg0 } .";
    let volume = |mark: &str, group: &str| {
        format!(
            "\n500 1000 -1 ext4 {mark} in_vg{{ {group} }} lv_name{{ root }} method{{ format }} format{{ }} use_filesystem{{ }} filesystem{{ ext4 }} mountpoint{{ / }} ."
        )
    };
    let good = format!("{boot}{holder}{}", volume("$lvmok{ }", "vg0"));
    assert_eq!(judged(&good, Method::Lvm), Vec::<String>::new());
    says(&good, Method::Regular, "line 3: in_vg{ } without `partman-auto/method` lvm");
    says(&good, Method::Crypto, "no partition with method{ crypto } has vg_name{ vg0 }");
    says(
        &format!("{boot}{holder}{}", volume("$lvmok{ }", "vg1")),
        Method::Lvm,
        "no partition with method{ lvm } has vg_name{ vg1 }",
    );
    says(&format!("{boot}{holder}{}", volume("", "vg0")), Method::Lvm, "no partition is marked $lvmok{ }");
    says(&format!("{boot}{holder}{}", volume("", "vg0")), Method::Lvm, "in_vg{ } without $lvmok{ }");
    says(&format!("{holder}{}", volume("$lvmok{ }", "vg0")), Method::Lvm, "neither / nor /boot");
}

#[test]
fn a_root_is_needed_once() {
    says("1 1 1 linux-swap method{ swap } format{ } .", Method::Regular, "nothing is mounted at `/`");
    says(&root(&root("")), Method::Regular, "`/` is mounted in line 1 already");
}

proptest! {
    #[test]
    fn no_words_make_the_decoder_fail(text in "([0-9]{1,20}%?|ext4|\\.|::|:|method\\{|\\}|[ \n]|\\PC{0,4}){0,40}") {
        let decoded = decode(words(&text), &Machine::default());
        let kept: usize = decoded.partitions.iter().map(|partition| partition.written.len() + partition.rest.len()).sum();
        let lost: usize = decoded.dropped.iter().map(|dropped| dropped.words.len()).sum();
        let all = words(&text).filter(|(_, word)| !matches!(*word, "." | ":" | "::")).count();
        prop_assert!(kept + lost <= all);
        for finding in judge(&decode(words(&text), &Machine::default()), Method::Lvm) {
            prop_assert!(finding.severity <= Severity::Warning && !finding.message.contains('\n'));
        }
    }
}
