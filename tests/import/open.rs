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
