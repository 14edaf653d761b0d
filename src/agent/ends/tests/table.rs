//! `docs/ends.md` is what the code decides.

use std::fmt::Write as _;
use std::path::Path;

use super::*;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ends.md");
const BEGIN: &str = "<!-- made from the code; a test compares it (IRONSTRAP_BLESS=1 writes it anew) -->\n";

/// Steps in words, equal ones in a row as one.
fn words(seen: &[(String, u64)]) -> String {
    let mut text = String::new();
    let time = |seconds: u64| match seconds {
        0 => "at once".to_owned(),
        3600 => "1 h".to_owned(),
        seconds => format!("{} min", seconds / 60),
    };
    let step = |step: &str| match step {
        "restart" => "restart".to_owned(),
        "rest" => "rest".to_owned(),
        _ => "boot it".to_owned(),
    };
    let mut last = None;
    for (at, (name, seconds)) in seen.iter().enumerate() {
        if name == "rest" {
            let _ =
                write!(text, "{}rest, told every {}", if at == 0 { "" } else { "; then " }, time(*seconds));
            break;
        }
        if last == Some((name, seconds)) {
            continue;
        }
        match last {
            None => _ = write!(text, "{}: {}", step(name), time(*seconds)),
            Some(_) => _ = write!(text, ", then {}", time(*seconds)),
        }
        last = Some((name, seconds));
    }
    text
}

fn table() -> String {
    let mut text = String::from("| end | a disk of its own boots | none does |\n|---|---|---|\n");
    let done = Known { done: Some("sda".to_owned()), ..with(&["sda"]) };
    let mut row = |what: &str, boots: &str, none: &str| _ = writeln!(text, "| {what} | {boots} | {none} |");
    row("installed", &words(&repeated(&End::Installed, &done, 1)), "–");
    for code in Code::ALL {
        let end = refused(*code);
        let own = if *code == Code::OrderDone { &done } else { &with(&["sda"]) };
        let (own, none) = (words(&repeated(&end, own, 8)), words(&repeated(&end, &with(&[]), 8)));
        row(&format!("refused {code} {code:?}"), &own, &none);
    }
    let mut known = with(&["sda"]);
    let mut seen = Vec::new();
    for before in 0..MOST_FAILURES {
        known.failures = Some(before + 1);
        seen.push(decide(&End::Failed { before }, &known));
    }
    row("failed after the claim, whatever the code; a crash there", &words(&seen), &words(&seen));
    let lost = Known { failures: None, remembers: false, ..with(&["sda"]) };
    let lost = words(&repeated(&End::Failed { before: 0 }, &lost, 1));
    row("the same, counted neither by the disk nor by the firmware", &lost, &lost);
    let revoked = words(&repeated(&End::Revoked, &with(&["sda"]), 1));
    row("revoked after the claim", &revoked, &words(&repeated(&End::Revoked, &with(&[]), 1)));
    let crash = End::Refused { code: Code::Internal };
    let (own, none) = (words(&repeated(&crash, &with(&["sda"]), 8)), words(&repeated(&crash, &with(&[]), 8)));
    row("a crash before the claim", &own, &none);
    text
}

#[test]
fn the_handbook_has_the_table_of_the_code() {
    crate::expect::section(Path::new(DOCUMENT), BEGIN, None, &table());
}

#[test]
fn no_end_is_without_a_next_step_and_only_failures_rest() {
    for code in Code::ALL {
        for known in [with(&[]), with(&["sda"]), with(&["sda", "sdb"])] {
            let rests = decide(&refused(*code), &known).0 == "rest";
            assert_eq!(rests, *code == Code::OrderFailed, "{code}");
        }
    }
}
