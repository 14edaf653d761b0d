//! Words of a Kickstart that say more than they seem to.

use ironstrap::host::Os;
use ironstrap::import::{Imported, Verdict};

use super::imported;

fn verdicts(imported: &Imported) -> Vec<Verdict> {
    imported.report.entries.iter().map(|entry| entry.verdict).collect()
}

#[test]
fn options_without_a_key_are_told_as_lost() {
    let hash = format!("$6$saltsaltsalt${}", "x".repeat(86));
    let text = format!(
        "auth --enableshadow --passalgo=sha512\nauth --enableldap --ldapserver=a\nlogging --host=log.example\nlogging --level=info\nreqpart --add-boot\nuser --name=ops --groups=wheel(500) --iscrypted --password={hash}\n"
    );
    let words = imported("a.ks", &text, Os::El8);
    let expected = [
        Verdict::Changed,
        Verdict::Refused,
        Verdict::Partly,
        Verdict::Changed,
        Verdict::Partly,
        Verdict::Partly,
    ];
    assert_eq!(verdicts(&words), expected, "{:#?}", words.report.entries);
}

#[test]
fn a_group_s_name_may_have_spaces() {
    let words = imported("a.ks", "%packages\n@Development Tools --optional\n@core\n%end\n", Os::El9);
    let group = &words.report.entries[1];
    assert_eq!(group.verdict, Verdict::Refused, "{group:?}");
    assert!(!words.profile.contains("\"@Development\""), "{}", words.profile);
    assert_eq!(words.report.entries[2].verdict, Verdict::Kept);
}

#[test]
fn what_a_refused_line_says_in_passing_is_not_taken_over() {
    let text = "network --device=52:54:00:00:00:07 --bootproto=static --ip=10.0.0.2 --nameserver=10.0.0.1 --hostname=half.example\n";
    let half = super::import(&super::Request {
        file: "whole.ks",
        text,
        os: Os::El9,
        name: None,
        machine: super::NamedMachine::default(),
    });
    assert_eq!(verdicts(&half), [Verdict::Refused], "{:#?}", half.report.entries);
    assert_eq!(half.name.to_string(), "whole");
    assert!(
        !half.profile.lines().any(|line| !line.starts_with('#') && line.contains("10.0.0.1")),
        "{}",
        half.profile
    );
    assert!(!half.profile.contains("\nmatch:"), "{}", half.profile);
}

#[test]
fn what_has_a_successor_is_taken_over_as_that_and_a_lock_counts_more_than_a_password() {
    let text = "rootpw --iscrypted --lock $6$abcdefgh$0123456789abcdef\nzerombr\nclearpart --all\n\
                part / --fstype=ext3 --size=9000\n";
    let imported = imported("a.ks", text, Os::El9);
    let entries = &imported.report.entries;
    assert_eq!((entries[0].verdict, entries[3].verdict), (Verdict::Changed, Verdict::Partly), "{entries:?}");
    assert!(
        entries[0].notes[0].contains("opens nothing") && !imported.profile.contains("$6$"),
        "{entries:?}"
    );
    assert!(imported.profile.contains("fs: ext4"), "{}", imported.profile);
}

#[test]
fn what_asks_nothing_or_stands_for_no_name_is_no_loss() {
    let text = "d-i partman-md/confirm boolean true\nd-i netcfg/get_hostname string unassigned-hostname\n\
                d-i partman-lvm/confirm boolean false\n";
    let imported = imported("a.cfg", text, Os::Debian12);
    let verdicts: Vec<_> = imported.report.entries.iter().map(|entry| entry.verdict).collect();
    assert_eq!(verdicts, [Verdict::Changed, Verdict::Changed, Verdict::Refused]);
}

#[test]
fn a_pattern_for_any_card_is_what_a_profile_without_cards_says() {
    let text = "#cloud-config\nautoinstall:\n  version: 1\n  network:\n    version: 2\n    ethernets:\n      any:\n        match:\n          name: en*\n        dhcp4: true\n";
    let imported = imported("user-data", text, Os::Ubuntu2404);
    let refused = imported.report.lines(Verdict::Refused);
    assert_eq!(refused, 0, "{:?}", imported.report.entries);
}
