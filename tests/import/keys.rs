//! Every key of an autoinstall has its line, also where the text says more than the tree.

use ironstrap::host::Os;
use ironstrap::import::{Entry, Imported, Verdict};

use super::{accounts_for_each_line, imported};

fn read(text: &str) -> Imported {
    let imported = imported("a.yaml", text, Os::Ubuntu2404);
    accounts_for_each_line(text, &imported.report).unwrap();
    imported
}

fn entry(imported: &Imported, line: usize) -> &Entry {
    imported.report.entries.iter().find(|entry| (entry.first..=entry.last).contains(&line)).unwrap()
}

#[test]
fn keys_beside_the_configuration_are_not_taken_for_it() {
    let text = "#cloud-config\nhostname: live\nautoinstall:\n  version: 1\n  locale: C.UTF-8\nusers:\n  - name: eve\n    passwd: x\nruncmd: [reboot]\n";
    let imported = read(text);
    for (line, verdict) in [
        (2, Verdict::Refused),
        (5, Verdict::Kept),
        (6, Verdict::Refused),
        (8, Verdict::Refused),
        (9, Verdict::Refused),
    ] {
        let entry = entry(&imported, line);
        assert_eq!(entry.verdict, verdict, "{entry:?}");
    }
    assert_eq!((entry(&imported, 6).first, entry(&imported, 6).last), (6, 8));
    assert!(entry(&imported, 2).notes[0].contains("the installer's own system"), "{:?}", entry(&imported, 2));
}

#[test]
fn of_a_key_that_is_said_twice_the_earlier_line_says_which_one_counts() {
    let text = "autoinstall:\n  version: 1\n  locale: de_DE.UTF-8\n  identity: {hostname: a, username: ops, password: x}\n  locale: C.UTF-8\n  storage:\n    layout: {name: lvm}\n  storage:\n    layout: {name: direct}\n";
    let imported = read(text);
    for (line, later) in [(3, 5), (6, 8), (7, 8)] {
        let entry = entry(&imported, line);
        assert_eq!(entry.verdict, Verdict::Refused, "{entry:?}");
        assert!(entry.notes[0].contains(&format!("line {later} says it again, and counts")), "{entry:?}");
    }
    assert_eq!(entry(&imported, 5).verdict, Verdict::Kept);
    assert_eq!(entry(&imported, 5).keys, ["locale.lang"]);
}

#[test]
fn of_several_keys_on_one_line_none_is_lost_without_a_word() {
    let text = "autoinstall:\n  version: 1\n  keyboard: {layout: de, variant: nodeadkeys, toggle: alt}\n  identity: {hostname: a, realname: \"A, room 5\", username: ops, password: '!'}\n";
    let imported = read(text);
    for (line, words) in [(3, ["variant", "toggle"]), (4, ["not a person's name", "password"])] {
        let entry = entry(&imported, line);
        assert_eq!(entry.verdict, Verdict::Partly, "{entry:?}");
        let notes = entry.notes.join("\n");
        assert!(words.iter().all(|word| notes.contains(word)), "{entry:?}");
    }
    assert!(
        imported.profile.contains("keyboard: de\n") && imported.profile.contains("- name: ops\n"),
        "{}",
        imported.profile
    );
}

#[test]
fn comments_within_an_item_are_kept() {
    let text = "autoinstall:\n  version: 1\n  storage:\n    config:\n    - id: d # one\n      type: disk # two\n      # three\n      serial: S\n  packages:\n    - a # four\n";
    let imported = read(text);
    let remark = entry(&imported, 5).remark.clone().unwrap_or_default();
    assert!(["one", "two", "three"].iter().all(|word| remark.contains(word)), "{remark}");
    assert!(
        ["one", "two", "three", "four"].iter().all(|word| imported.profile.contains(word)),
        "{}",
        imported.profile
    );
}

#[test]
fn what_an_alias_or_a_merge_brings_is_told_of() {
    let text = "autoinstall:\n  version: 1\n  late-commands: &c\n    - echo one\n  early-commands: *c\n  ssh: &s\n    install-server: true\n  apt:\n    <<: *s\n    geoip: false\n";
    let imported = read(text);
    let merge = entry(&imported, 9);
    assert_eq!(merge.verdict, Verdict::Refused, "{merge:?}");
    assert!(merge.notes[0].contains("where it is written"), "{merge:?}");
}

#[test]
fn what_yaml_1_1_takes_for_something_else_is_said_at_its_line() {
    let text = "autoinstall:\n  version: 1\n  network:\n    version: 2\n    ethernets:\n      lan0:\n        match: {macaddress: 52:54:00:12:34:56}\n        mtu: big\n        dhcp4: true\n";
    let imported = read(text);
    assert!(
        entry(&imported, 7).notes.iter().any(|note| note.contains("base 60")),
        "{:?}",
        entry(&imported, 7)
    );
    let mtu = entry(&imported, 8);
    assert_eq!(
        (mtu.verdict, mtu.notes.as_slice()),
        (Verdict::Refused, ["`big` is no number".to_owned()].as_slice())
    );
}

#[test]
fn of_what_is_refused_each_line_stands_in_the_profile_without_secrets() {
    let long = "word ".repeat(100);
    let text = format!(
        "# {long}end\nautoinstall:\n  version: 1\n  active-directory:\n    admin-name: root\nusers:\n  - name: eve\n    passwd: geheim\n    shell: /bin/zsh # remark {long}last\n"
    );
    let imported = read(&text);
    for words in [" 7: ", "- name: eve", "shell: /bin/zsh", "word end", "word last"] {
        assert!(imported.profile.contains(words), "{words}: {}", imported.profile);
    }
    assert!(!imported.profile.contains("geheim"), "{}", imported.profile);
}
