//! Mistakes are all found, each at its place; what is right is kept.

use proptest::prelude::*;

use super::*;
use crate::profile::raw::{RawHandoff, RawIpv4, RawProfile};
use crate::profile::source::SourceId;
use crate::profile::yaml;

fn read(text: &str) -> (RawProfile, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let raw = yaml::parse(SourceId(0), text, &mut diagnostics).map(|root| decode(root, &mut diagnostics));
    (raw.unwrap_or_default(), diagnostics)
}

/// The text under each caret, and the message.
fn mistakes(text: &str) -> Vec<(String, String)> {
    let at = |d: &Diagnostic| text[d.span.start as usize..d.span.end as usize].to_owned();
    read(text).1.iter().map(|d| (at(d), d.message.clone())).collect()
}

fn one(text: &str) -> (String, String) {
    let mut found = mistakes(text);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn texts_stay_as_they_were_written() {
    let (raw, diagnostics) = read("packages: [no, 0123, 1.10, 12:30:45, true]\nhandoff: none\n");
    assert_eq!(diagnostics, []);
    let packages: Vec<_> = raw.packages.items.iter().map(|item| item.value.as_str()).collect();
    assert_eq!(packages, ["no", "0123", "1.10", "12:30:45", "true"]);
    assert_eq!(raw.handoff.value, Some(RawHandoff::None));
}

#[test]
fn a_mistake_costs_only_its_own_part() {
    let text =
        "name: web01\nmatch: { mac: [\"52:54:00:12:34:56\", nonsense], serial: Default string }\nimag: x\n";
    let (raw, diagnostics) = read(text);
    assert_eq!(diagnostics.len(), 3, "{diagnostics:?}");
    assert_eq!(raw.name.unwrap().value.as_str(), "web01");
    assert_eq!(raw.matching.value.mac.items.len(), 1);
    let places: Vec<_> = mistakes(text).into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, ["nonsense", "Default string", "imag"]);
}

#[test]
fn keys_and_words_that_are_nearly_right_are_suggested() {
    let help = |text| read(text).1.remove(0).help.unwrap();
    assert_eq!(help("hanoff: none\n"), "did you mean `handoff`?");
    assert_eq!(help("installer: anacnda\n"), "did you mean `anaconda`?");
    assert_eq!(help("storage: { wipe: everything }\n"), "possible are: ours, foreign, any-match");
    assert!(help("<<: x\n").contains("class"));
}

#[test]
fn wrong_kinds_are_told_in_words_of_yaml() {
    assert_eq!(one("packages: vim\n").1, "expected a list, found a text");
    assert_eq!(one("storage: []\n").1, "expected a map, found a list");
    assert_eq!(one("storage: { confirm: soon }\n").1, "expected a whole number, not negative, found a text");
    assert_eq!(one("storage: { confirm: -1 }\n").1, "expected a whole number, not negative, found a text");
    assert_eq!(one("name: [a]\n").0, "[a");
    assert_eq!(one("- a\n").1, "expected a map, found a list");
    assert_eq!(one("handoff: { ansible: {}, script: x }\n").0, "script");
    assert_eq!(one("handoff: ansible\n").1, "`ansible` needs a value");
    assert_eq!(one("packages: [~]\n").1, "expected a text, found nothing");
}

#[test]
fn an_address_is_a_word_or_a_map() {
    let (raw, diagnostics) =
        read("network: { interfaces: [{ ipv4: dhcp }, { ipv4: { address: 10.0.0.1/8 } }] }\n");
    assert_eq!(diagnostics, []);
    let ipv4 = |at: usize| raw.network.value.interfaces.items[at].value.ipv4.as_ref().unwrap().value.clone();
    assert_eq!(ipv4(0), RawIpv4::Dhcp);
    assert!(matches!(ipv4(1), RawIpv4::Static(fixed) if fixed.address.is_some()));
    assert_eq!(one("network: { interfaces: [{ ipv4: { adress: x } }] }\n").0, "adress");
    assert_eq!(one("network: { interfaces: [{ ipv4: static }] }\n").0, "ipv4");
}

#[test]
fn a_password_that_is_none_is_shown_nowhere() {
    let (place, message) = one("root: { password: hunter2 }\n");
    assert_eq!(place, "password");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn replace_stands_only_where_it_means_something() {
    let (raw, diagnostics) = read("packages: !replace [vim]\nstorage: !replace { confirm: 0 }\n");
    assert_eq!(diagnostics, []);
    assert!(raw.packages.replace && raw.storage.replace);
    assert_eq!(one("vars: !replace { a: 1 }\n").1, "`!replace` has no meaning here");
    assert_eq!(one("users: [!replace { name: a }]\n").1, "`!replace` has no meaning here");
}

#[test]
fn a_file_that_is_no_profile_ends_after_a_hundred_mistakes() {
    let text: String = (0..500).map(|number| format!("k{number}: x\n")).collect();
    let (_, diagnostics) = read(&text);
    assert_eq!(diagnostics.len(), MAX_MISTAKES + 1);
}

proptest! {
    #[test]
    fn no_text_panics(text in "((name|match|mac|users|network|handoff|vars|ipv4|a)(: |:\\n  ?|: \\[|: \\{)?(x|- |~|1|!replace |&a |\\*a|\\]|\\}|,|\\n|é){0,3}){0,12}") {
        let (_, diagnostics) = read(&text);
        for diagnostic in diagnostics {
            assert!(text.get(diagnostic.span.start as usize..diagnostic.span.end as usize).is_some());
        }
    }
}
