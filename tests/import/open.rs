//! Whatever anybody hands over: no panic, no line lost, no clear password shown.

use ironstrap::answers::Format;
use proptest::prelude::*;

use super::{accounts_for_each_line, imported, newest};

const KICKSTART: &str = include_str!("cases/kickstart/input.ks");
const PRESEED: &str = include_str!("cases/preseed/input.cfg");
const AUTOINSTALL: &str = include_str!("cases/autoinstall/input.yaml");

/// A file that somebody has been at: lines left out, doubled, swapped, cut, and with words in them that nobody expects.
fn disturbed(text: &'static str) -> impl Strategy<Value = String> {
    let lines: Vec<&str> = text.lines().collect();
    let count = lines.len();
    let odd = prop_oneof![
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("%end"),
        Just("%post"),
        Just("#"),
        Just("{{ x }}"),
        Just("$(reboot)"),
        Just("]["),
        Just("\u{2028}"),
        Just("\t"),
        Just("-1"),
        Just("[x]"),
        Just("99999999999999999999"),
        Just("ü"),
        Just("\u{7}"),
        Just("=")
    ];
    let change = (0..count, 0..6_u8, odd, 0..200_usize);
    prop::collection::vec(change, 0..12).prop_map(move |changes| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        for (at, how, odd, place) in changes {
            let at = at % lines.len().max(1);
            let line = lines[at].clone();
            let place =
                line.char_indices().map(|(at, _)| at).nth(place % line.chars().count().max(1)).unwrap_or(0);
            match how {
                0 if lines.len() > 1 => _ = lines.remove(at),
                1 => lines.insert(at, line),
                2 => lines[at] = line[..place].to_owned(),
                3 => lines[at] = format!("{}{odd}{}", &line[..place], &line[place..]),
                4 => lines[at] = format!("{line} {odd}"),
                _ => {
                    let other = (at + 1) % lines.len();
                    lines.swap(at, other);
                }
            }
        }
        lines.join("\n")
    })
}

fn holds(format: Format, text: &str) -> Result<(), TestCaseError> {
    let imported = imported("input", text, newest(format));
    accounts_for_each_line(text, &imported.report).map_err(TestCaseError::fail)?;
    let shown = serde_json::to_string(&imported.report).unwrap();
    prop_assert!(!shown.contains("\\u001b") && !shown.contains("\\u0007"), "a control character: {shown}");
    // the profile stays what it is, whatever was put into it: comments and keys
    for line in imported.profile.lines() {
        let key = line.trim_start().trim_start_matches("- ");
        prop_assert!(line.is_empty() || line.starts_with('#') || !key.is_empty(), "{}", imported.profile);
    }
    let read: Result<serde_json::Value, _> = serde_yaml::from_str(&imported.profile);
    prop_assert!(read.is_ok(), "{:?}\n{}", read, imported.profile);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_disturbed_kickstart_is_accounted_for(text in disturbed(KICKSTART)) {
        holds(Format::Kickstart, &text)?;
    }

    #[test]
    fn a_disturbed_preseed_is_accounted_for(text in disturbed(PRESEED)) {
        holds(Format::Preseed, &text)?;
    }

    #[test]
    fn a_disturbed_autoinstall_is_accounted_for(text in disturbed(AUTOINSTALL)) {
        holds(Format::Autoinstall, &text)?;
    }

    #[test]
    fn any_text_is_accounted_for(text in "([a-z%#:{} \\n'\"\\\\-]|\\PC|rootpw |part / |d-i |%packages\n|autoinstall:\n ){0,200}") {
        for format in Format::ALL {
            holds(*format, &text)?;
        }
    }
}

#[test]
fn thousands_of_lines_of_anything_are_accounted_for() {
    let lines = "part / --size=1 --ondisk=sdq\nnetwork --device=eth9 --ip=1\nuser --name=UPPER\nlang x y\n"
        .repeat(1_000);
    let imported = imported("input", &lines, newest(Format::Kickstart));
    accounts_for_each_line(&lines, &imported.report).unwrap();
}

fn entry(report: &ironstrap::import::Report, line: usize) -> &ironstrap::import::Entry {
    report.entries.iter().find(|entry| entry.first == line).unwrap()
}

#[test]
fn a_value_that_a_later_line_overwrites_is_told_as_lost() {
    let text = "lang C.UTF-8\ntimezone UTC\nlang de_DE.UTF-8\n";
    let imported = super::imported("a.ks", text, ironstrap::host::Os::El10);
    let first = entry(&imported.report, 1);
    assert_eq!(first.verdict, ironstrap::import::Verdict::Refused, "{first:?}");
    assert!(first.notes[0].contains("line 3 says it again, and counts"), "{first:?}");
}

#[test]
fn no_user_and_no_root_password_come_of_what_debian_installer_would_not_make() {
    use ironstrap::import::Verdict;
    let hash = format!("$6$saltsalt${}", "a".repeat(86));
    let text = format!(
        "d-i passwd/make-user boolean false\nd-i passwd/username string ops\nd-i passwd/user-fullname string Ops\nd-i passwd/root-login boolean false\nd-i passwd/root-password-crypted password {hash}\n"
    );
    let imported = super::imported("a.cfg", &text, ironstrap::host::Os::Debian12);
    for line in [2, 3, 5] {
        let entry = entry(&imported.report, line);
        assert_eq!(entry.verdict, Verdict::Refused, "{entry:?}");
    }
    assert!(!imported.profile.contains("\nusers:") && !imported.profile.contains("\nroot:"));
}

#[test]
fn no_half_of_a_link_is_left_and_no_layout_of_several_disks_is_taken_for_one() {
    use ironstrap::import::Verdict;
    let text = "d-i netcfg/choose_interface select 52:54:00:00:00:09\nd-i netcfg/get_ipaddress string 10.0.0.2\nd-i netcfg/get_netmask string 255.0.255.0\nd-i netcfg/get_gateway string 10.0.0.1\nd-i netcfg/get_nameservers string 10.0.0.1\nd-i partman-auto/disk string /dev/sda /dev/sdb\nd-i partman-auto/method string lvm\nd-i partman-auto/choose_recipe select atomic\n";
    let imported = super::imported("a.cfg", text, ironstrap::host::Os::Debian12);
    assert_eq!(
        entry(&imported.report, 1).verdict,
        Verdict::Partly,
        "which machine it is, is true all the same"
    );
    assert!(imported.profile.contains("52:54:00:00:00:09"), "{}", imported.profile);
    for line in 2..=8 {
        let entry = entry(&imported.report, line);
        assert_eq!(entry.verdict, Verdict::Refused, "{entry:?}");
    }
    assert!(!imported.profile.contains("\nnetwork:"), "{}", imported.profile);
    let dhcp = "d-i netcfg/get_gateway string 10.0.0.1\nd-i netcfg/get_nameservers string 10.0.0.1\n";
    let imported = super::imported("a.cfg", dhcp, ironstrap::host::Os::Debian12);
    for line in 1..=2 {
        let entry = entry(&imported.report, line);
        assert!(entry.notes[0].contains("only of a fixed address"), "{entry:?}");
    }
}
