//! What subiquity lets pass, found.

use proptest::prelude::*;

use super::*;
use crate::grammar::Severity;

const HASH: &str = "'$6$abcdefgh$0123456789abcdef'";

fn file(more: &str) -> String {
    format!(
        "#cloud-config\nautoinstall:\n  version: 1\n  identity: {{username: ops, hostname: web01, password: {HASH}}}\n{more}"
    )
}

fn judged(text: &str) -> Vec<String> {
    lint(text, Release::Ubuntu2404).iter().map(ToString::to_string).collect()
}

fn says(text: &str, what: &str) {
    let found = judged(text);
    assert!(found.iter().any(|finding| finding.contains(what)), "{text}: {what} is not in {found:#?}");
}

fn storage(actions: &str) -> String {
    let mut text = file("  storage:\n    config:\n");
    for action in actions.lines() {
        text.push_str(&format!("      - {action}\n"));
    }
    text
}

const DISK: &str = "{type: disk, id: d0, serial: D1, ptable: gpt, grub_device: true}\n";
const ROOT: &str =
    "{type: format, id: f0, volume: p0, fstype: ext4}\n{type: mount, id: m0, device: f0, path: /}\n";

#[test]
fn a_good_file_is_left_alone() {
    assert_eq!(
        judged(&file("  late-commands:\n    - echo a\n    - [echo, b]\n  shutdown: poweroff\n")),
        Vec::<String>::new()
    );
    let text = storage(&format!("{DISK}{{type: partition, id: p0, device: d0, size: -1}}\n{ROOT}"));
    assert_eq!(judged(&text), Vec::<String>::new());
}

#[test]
fn a_disk_that_is_only_described_may_be_another() {
    let disk = |rule: &str| {
        storage(&format!("{{type: disk, id: d0, match: {rule}, ptable: gpt, grub_device: true}}\n"))
    };
    let warns = |rule: &str| {
        judged(&disk(rule)).iter().any(|found| found.contains("subiquity takes an arbitrary one of them"))
    };
    for rule in [
        "{ssd: true}",
        "{size: largest}",
        "{serial: 'D*'}",
        "{model: A, vendor: B}",
        "[{serial: D1}, {size: largest}]",
    ] {
        assert!(warns(rule), "{rule}");
    }
    for rule in ["{serial: D1}", "{path: /dev/vda}", "[{serial: D1}, {serial: D2, ssd: true}]", "{}"] {
        assert!(!warns(rule), "{rule}");
    }
}

#[test]
fn the_header_is_compulsory() {
    says("autoinstall:\n  version: 1\n", "line 1: the first line isn't `#cloud-config`");
    says("\n#cloud-config\nautoinstall:\n  version: 1\n", "the first line isn't");
    says("#cloud-config\nauto-install:\n  version: 1\n", "did you mean `autoinstall`?");
    says("#cloud-config\npackages: [vim]\n", "cloud-config without `autoinstall`");
    says(&(file("") + "keyboard: {layout: de}\n"), "line 5: `keyboard` stands outside of `autoinstall`");
    assert_eq!(judged(&format!("## template: jinja\n{}", file(""))), Vec::<String>::new());
}

#[test]
fn mistyped_keys_and_wrong_types_are_told() {
    says(
        &file("  keybord: {layout: de}\n"),
        "line 5: `keybord` in `autoinstall` is no key that subiquity reads; did you mean `keyboard`?",
    );
    says(&file("  keyboard: {layou: de}\n"), "`layout` is missing in `keyboard`");
    says(&file("  shutdown: halt\n"), "`shutdown` can't be `halt`; one of poweroff, reboot");
    says(&file("  packages: vim\n"), "`packages` must be a list, found a text");
    says(&file("  locale: no\n"), "`locale` must be a text, found true or false; quote it");
    says(&file("  late-commands:\n    - echo: a\n"), "must be a list or a text, found a map");
    says("#cloud-config\nautoinstall:\n  identity: {}\n", "`version: 1` is missing");
    says(&file("  identity: {}\n"), "`identity` stands in line 4 already");
    says(&file("").replace("version: 1", "version: 2"), "version `2` isn't 1");
    let later = lint(&file("  zdevs: []\n"), Release::Ubuntu2404);
    assert!(
        later[0].message.contains("of a later release than Ubuntu 24.04")
            && later[0].severity == Severity::Warning
    );
}

#[test]
fn what_yaml_1_1_reads_otherwise_is_told() {
    let update = lint(&file("  refresh-installer: {update: yes}\n"), Release::Ubuntu2404);
    assert_eq!((update.len(), update[0].severity), (1, Severity::Warning));
    says(&file("  network:\n    x: 0644\n"), "line 6: a number is another one to readers of YAML 1.1");
    says(
        &file("  network:\n    x: 12:30\n"),
        "line 6: YAML 1.1 reads a number to the base 60 here; quote it",
    );
    says(&file("  network:\n    x: 52:54:00:12:34:56\n"), "base 60");
    for good in ["'yes'", "\"12:30\"", "aa:bb:cc:00:11:22", "0.5", "true", "0", "10", "12:99"] {
        assert_eq!(judged(&file(&format!("  network:\n    x: {good}\n"))), Vec::<String>::new(), "{good}");
    }
    use yaml::{YamlType, plain};
    for (text, kind) in [
        ("Yes", YamlType::Boolean),
        ("yEs", YamlType::Text),
        ("0x1f", YamlType::Integer),
        ("08", YamlType::Text),
        ("1e5", YamlType::Text),
        ("1.5e+3", YamlType::Number),
        ("-1", YamlType::Integer),
        ("~", YamlType::Null),
        ("2024-01-02", YamlType::Date),
        ("1.2.3", YamlType::Text),
    ] {
        assert_eq!(plain(text), kind, "{text}");
    }
}

#[test]
fn somebody_must_be_able_to_log_in() {
    says("#cloud-config\nautoinstall:\n  version: 1\n", "`identity` is missing, and there is no `user-data`");
    assert_eq!(
        judged("#cloud-config\nautoinstall:\n  version: 1\n  user-data:\n    users: [{name: a}]\n"),
        Vec::<String>::new()
    );
    let clear = file("").replace(HASH, "sesam");
    says(&clear, "holds no password hash");
    assert!(judged(&clear).iter().all(|finding| !finding.contains("sesam")));
    let number = judged(&clear.replace("sesam", "12:34"));
    assert!(number.len() >= 2 && number.iter().all(|finding| !finding.contains("12:34")), "{number:#?}");
    says(&file("").replace("ops", "root"), "refuses the user name `root`");
    says(&file("").replace("web01", "web_01"), "`web_01` is no host name");
    says(&file("  source: {id: 'http://x/i.squashfs'}\n"), "can't be an address");
}

#[test]
fn user_data_is_held_against_the_schema_of_cloud_init() {
    says(
        &file("  user-data:\n    timezone: UTC\n    runcmd: apt-get update\n"),
        "line 7: user-data: `runcmd` is a text, expected a list",
    );
    says(
        &file("  user-data: {run_cmd: [a]}\n"),
        "line 5: user-data: `run_cmd` is no key that cloud-init reads",
    );
    says(&file("  user-data:\n    users:\n      - name: a\n        uuid: 5\n"), "line 8: user-data: `users`");
    says(&file("  user-data: [a]\n"), "`user-data` must be a map");
    // the first media of 22.04 had another schema than the last ones
    let permissions = file("  user-data:\n    ntp: {enabled: maybe}\n    ubuntu_pro: {token: a}\n");
    let of_2204 = lint(&permissions, Release::Ubuntu2204);
    assert_eq!(crate::grammar::errors(&of_2204).count(), 1, "{of_2204:?}");
    for good in ["  user-data: {}\n", "  user-data:\n    runcmd: [[touch, /x]]\n    packages: [vim]\n"] {
        assert_eq!(judged(&file(good)), Vec::<String>::new(), "{good}");
    }
    for text in [
        "runcmd: s3cr3t",
        "chpasswd: {list: [[s3cr3t]]}",
        "password: [s3cr3t]",
        "users: [{name: a, passwd: 5, uid: s3cr3t}]",
    ] {
        let found = judged(&file(&format!("  user-data:\n    {text}\n")));
        assert!(!found.is_empty() && !found.concat().contains("s3cr3t"), "{found:?}");
    }
}

#[test]
fn references_must_name_an_earlier_action_of_the_right_type() {
    let with = |action: &str| {
        storage(&format!("{DISK}{{type: partition, id: p0, device: d0, size: 5G}}\n{action}\n{ROOT}"))
    };
    says(
        &with("{type: partition, id: p1, device: d9, size: -1}"),
        "line 9: device: `d9` is the id of no action",
    );
    says(
        &with("{type: format, id: f1, volume: m0, fstype: ext4}"),
        "volume: `m0` is defined later, in line 11",
    );
    says(
        &with("{type: mount, id: m1, device: p0, path: /srv}"),
        "device: `p0` is the partition of line 8; it must be a format",
    );
    says(
        &with("{type: lvm_partition, id: l0, volgroup: vg9, size: 1G}"),
        "volgroup: `vg9` is the id of no action",
    );
    says(&with("{type: partition, id: p0, device: d0, size: 1G}"), "the id `p0` is that of line 8 already");
    says(
        &with("{type: partitoin, id: p1, device: d0}"),
        "has no action `partitoin`: subiquity skips it without a word; did you mean `partition`?",
    );
    says(&with("{type: format, id: f1, volume: p0, fstype: zfs}"), "can't make the file system `zfs`");
    says(&with("{type: partition, id: p1, device: d0, size: 10X}"), "`10X` is no size");
    says(&with("{type: partition, id: p1}"), "`device` is missing in this partition");
    says(
        &with(
            "{type: partition, id: p1, device: d0, size: -1}\n{type: partition, id: p2, device: d0, size: 1G}",
        ),
        "gave the rest of `d0` away already",
    );
    says(&storage(DISK), "nothing is mounted at `/`");
}

#[test]
fn an_arbitrary_disk_is_warned_of() {
    let disk = |selector: &str| storage(&format!("{{type: disk, id: d0{selector}}}\n"));
    says(&disk(""), "a disk without `serial`, `path` and `match` takes an arbitrary disk");
    says(&disk(", match: {}"), "an empty `match` takes an arbitrary disk");
    says(&disk(", match: {seriall: x}"), "did you mean `serial`?");
    says(&disk(", match: {size: big}"), "`match/size` must be largest or smallest");
    says(&file("  storage: {layout: {name: lvm}}\n"), "the largest disk is taken");
    says(
        &file("  storage: {layout: {name: dirct, match: {serial: x}}}\n"),
        "has no layout `dirct`; did you mean `direct`?",
    );
    says(&file("  storage: {layot: {name: lvm}}\n"), "did you mean `layout`?");
}

#[test]
fn hostile_yaml_ends_in_one_sentence() {
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned()
        + &(1..12)
            .map(|at| {
                format!(
                    "{0}: &{0} [*{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}]\n",
                    char::from(b'a' + at),
                    char::from(b'a' + at - 1)
                )
            })
            .collect::<String>();
    for (text, what) in [
        ("[".repeat(100_000), "levels deep"),
        (
            "a:\n".to_owned() + &(1..200).map(|at| format!("{}a:\n", " ".repeat(at))).collect::<String>(),
            "levels deep",
        ),
        (bomb, "more than 100000 values"),
        ("a: [\n".to_owned(), "not YAML"),
        ("a: 1\n---\nb: 2\n".to_owned(), "a second document"),
        ("a: &a [*a]\n".to_owned(), "an alias within"),
    ] {
        let found = judged(&text);
        assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_fail(text in "\\PC{0,80}|([a-z:{}\\[\\],\n &*'\"-]|storage:|config:|type: |match: |disk|id: ){0,60}") {
        let whole = format!("#cloud-config\nautoinstall:\n  version: 1\n  {text}\n");
        for text in [text, whole] {
            for finding in lint(&text, Release::Ubuntu2204) {
                prop_assert!(finding.line >= 1 && finding.line <= text.split('\n').count() + 1, "{}", finding);
                prop_assert!(!finding.message.contains('\n'));
            }
        }
    }
}
