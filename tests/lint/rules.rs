//! Rules have names: each is broken by its example and by nothing else in it, is in the handbook, and can be allowed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use ironstrap::grammar::detect::{self, Grammar};
use ironstrap::grammar::rules::{self, Group};
use ironstrap::profile::rule::{self, Rule};

use super::expect;

const BEGIN: &str = "<!-- made by `ironstrap explain --rules`; a test compares it -->\n";

fn found(grammar: Grammar, text: &str, release: Option<&str>) -> BTreeSet<&'static Rule> {
    detect::lint(grammar, text, release).unwrap().into_iter().map(|finding| finding.rule).collect()
}

/// What breaks those rules that no short text breaks.
fn long(rule: &Rule) -> Option<(Grammar, String)> {
    Some(match rule.id() {
        "cmdline-too-long" => (Grammar::Cmdline, "x".repeat(2048)),
        "cmdline-too-many" => {
            let many: String = (0..40).map(|at| format!(" o{at}=1")).collect();
            (Grammar::Cmdline, format!("priority=critical{many}"))
        }
        "grub-nesting" => (Grammar::Grub, "if true; then\n".repeat(2000)),
        "yaml-too-large" => (Grammar::CloudConfig, format!("#cloud-config\nruncmd: {}\n", "[".repeat(60))),
        "lint-too-many" => (Grammar::Kickstart, "frobnicate\n".repeat(300)),
        _ => return None,
    })
}

/// What can't be broken without breaking another.
const INEVITABLE: [(&str, &str); 1] = [("preseed-password-again", "preseed-clear-text")];

#[test]
fn every_rule_is_broken_by_its_example_and_no_other_is() {
    // what a Kickstart file of one line lacks
    let bare = found(Grammar::Kickstart, "lang en_US.UTF-8\n", None);
    let mut wrong = Vec::new();
    for Group { grammar, rules, .. } in rules::GROUPS {
        for rule in *rules {
            let Some(example) = rule.example() else {
                let (grammar, text) = long(rule).unwrap_or_else(|| panic!("{rule}: nothing shows it"));
                let told = found(grammar, &text, None);
                if !told.contains(rule) {
                    wrong.push(format!("{rule}: {told:?}"));
                }
                continue;
            };
            let mut told = found(*grammar, example.text, example.release);
            let is_told = told.remove(rule);
            told.retain(|other| !INEVITABLE.contains(&(rule.id(), other.id())));
            if *grammar == Grammar::Kickstart {
                told.retain(|other| !bare.contains(other));
            }
            if !is_told || !told.is_empty() {
                wrong.push(format!(
                    "{rule}: {} and {told:?} in:\n{}",
                    if is_told { "told" } else { "not told" },
                    example.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} rules:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn an_id_names_its_reader() {
    for Group { title, rules, .. } in rules::GROUPS {
        let first = |rule: &Rule| rule.id().split_once('-').unwrap().0.to_owned();
        let prefixes: BTreeSet<_> = rules.iter().map(|rule| first(rule)).collect();
        assert_eq!(prefixes.len(), 1, "{title}: {prefixes:?}");
        for rule in *rules {
            for sentence in [rule.means(), rule.advice()] {
                assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{rule}: {sentence}");
            }
        }
    }
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironstrap")).args(args).output().unwrap()
}

fn said(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn doc(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

#[test]
fn the_handbook_has_every_rule_as_the_command_prints_it() {
    let made = format!("\n{}", said(&["explain", "--rules"]));
    expect::section(&doc("lint.md"), BEGIN, None, &made);
    for rule in rules::all() {
        assert!(made.contains(&format!("\n### {rule}\n")), "{rule}");
    }
}

#[test]
fn the_rules_of_check_are_in_its_page_with_what_they_are() {
    let text = std::fs::read_to_string(doc("check.md")).unwrap();
    for rule in rule::ALL {
        let waived = if rule.can_be_waived() { "yes" } else { "no" };
        let row = format!("| `{rule}` | {} | {waived} |", rule.severities()[0].name());
        assert!(text.contains(&row), "no `{row}`");
    }
}

#[test]
fn the_rules_of_images_are_in_their_page_with_what_they_are() {
    let text = std::fs::read_to_string(doc("image-lint.md")).unwrap();
    let of_check = |rule: &Rule| rule::ALL.iter().any(|known| known.id() == rule.id());
    let rules = rule::all().filter(|rule| rule.id().starts_with("image-") && !of_check(rule));
    let rules: Vec<_> = rules.collect();
    assert_eq!(text.matches("\n| `image-").count(), rules.len());
    for rule in rules {
        let waived = if rule.can_be_waived() { "yes" } else { "no" };
        let is = rule.severities().iter().map(|severity| severity.name()).collect::<Vec<_>>().join(" or ");
        let row = format!("\n| `{rule}` | {is} | {waived} | {} | {} |\n", rule.means(), rule.advice());
        assert!(text.contains(&row), "no `{row}`");
        assert!(said(&["explain", rule.id()]).contains(rule.means()), "{rule}");
    }
}

/// A file of which only half is read, or an installer that takes another disk: no site can want that.
#[test]
fn what_ends_reading_or_takes_another_disk_cannot_be_waived() {
    for id in [
        "yaml-syntax",
        "yaml-second-document",
        "ks-unreadable-line",
        "ks-unended-section",
        "ks-disk-hidden",
        "preseed-short-line",
        "preseed-unfinished",
        "preseed-disk",
        "autoinstall-no-header",
        "autoinstall-layout",
        "autoinstall-match-key",
    ] {
        assert!(!rules::find(id).unwrap().can_be_waived(), "{id}");
    }
}

/// A waiver that could take nothing would be told as unused, after it was believed: no text of a site is such a file.
#[test]
fn what_is_never_found_in_a_site_cannot_be_waived() {
    let made_here = |grammar| matches!(grammar, Grammar::Grub | Grammar::Cmdline);
    for Group { grammar, rules, .. } in rules::GROUPS.iter().filter(|group| made_here(group.grammar)) {
        assert!(rules.iter().all(|rule| !rule.can_be_waived()), "{}", grammar.name());
    }
}

#[test]
fn one_rule_is_explained_by_its_id() {
    let text = said(&["explain", "ks-vg-empty"]);
    for part in ["ks-vg-empty (warning)", "No logical volume lies", "what to do", "    volgroup data pv.1\n"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert!(said(&["explain", "same-mac"]).contains("same-mac (error; can't be waived)"));
    let one: serde_json::Value = serde_json::from_str(&said(&["explain", "ks-vg-empty", "--json"])).unwrap();
    assert_eq!((&one["version"], &one["rules"][0]["rule"]), (&1.into(), &"ks-vg-empty".into()));
    let all: serde_json::Value = serde_json::from_str(&said(&["explain", "--rules", "--json"])).unwrap();
    assert_eq!(all["rules"].as_array().unwrap().len(), rules::all().count());
}

#[test]
fn what_is_allowed_is_counted_and_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cmdline");
    std::fs::write(&file, "a --- b --- c 'd'\n").unwrap();
    let file = file.to_str().unwrap();
    let lint = |args: &[&str]| run(&[&["lint", file, "--as", "cmdline"], args].concat());
    assert_eq!(lint(&[]).status.code(), Some(1));
    let one = lint(&["--allow", "cmdline-separator"]);
    assert!(one.status.success());
    assert!(String::from_utf8(one.stdout).unwrap().contains("warning[cmdline-single-quote]"));
    let both = lint(&["--allow", "cmdline-separator", "--allow", "cmdline-single-quote"]);
    let both = String::from_utf8(both.stdout).unwrap();
    assert!(both.ends_with("cmdline, nothing to say; 2 findings allowed\n"), "{both}");
    let json = lint(&["--allow", "cmdline-separator", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["findings"][0]["rule"], "cmdline-single-quote");
    assert_eq!(
        (&json["allowed"][0]["rule"], &json["allowed"][0]["severity"]),
        (&"cmdline-separator".into(), &"error".into())
    );
}

#[test]
fn a_rule_that_is_none_of_lint_is_refused_with_what_was_meant() {
    for (id, expected) in [
        ("cmdline-seperator", "did you mean `cmdline-separator`?"),
        ("no-login", "`waive:` in site.yaml"),
        ("x", "ironstrap explain --rules"),
    ] {
        let output = run(&["lint", "-", "--allow", id]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(expected), "{id}: {said}");
    }
}

#[test]
fn a_waiver_in_the_site_lets_an_answer_file_pass() {
    let case = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/errors/unreadable-answers/site");
    let dir = tempfile::tempdir().unwrap();
    for file in ["site.yaml", "hosts/el01.yaml", "profiles/el.yaml", "templates/kickstart.j2"] {
        std::fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
        std::fs::copy(case.join(file), dir.path().join(file)).unwrap();
    }
    let site = std::fs::read_to_string(case.join("site.yaml")).unwrap();
    let run = |rules: &[&str], args: &[&str]| {
        let waivers: String =
            rules.iter().map(|rule| format!("  - {{ rule: {rule}, reason: known }}\n")).collect();
        std::fs::write(dir.path().join("site.yaml"), format!("{site}waive:\n{waivers}")).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_ironstrap"))
            .args(args)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let all = ["no-login", "ks-gateway", "ks-unknown-option"];
    let (good, said) = run(&all, &["check"]);
    assert!(good && said.ends_with("1 host, all good; 4 findings waived in site.yaml\n"), "{said}");
    assert!(run(&all, &["render", "el01"]).0);
    let (_, said) = run(&all, &["check", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    let waived = answer["waived"].as_array().unwrap();
    let gateway = waived.iter().find(|waived| waived["rule"] == "ks-gateway").unwrap();
    assert_eq!((&gateway["reason"], &gateway["hosts"][0]), (&"known".into(), &"el01".into()));
    // each for itself, and for its host
    let (good, said) = run(&all[..2], &["check"]);
    assert!(
        !good && said.contains("unknown option `--zone` [ks-unknown-option]") && !said.contains("gateway"),
        "{said}"
    );
    assert!(!run(&all[..2], &["render", "el01"]).0);
    let (good, said) = run(&[&all[..], &["ks-no-root"]].concat(), &["check"]);
    assert!(good && said.contains("warning[unused-waiver]"), "{said}");
    let (good, said) = run(&["ks-gatewy"], &["check"]);
    assert!(!good && said.contains("did you mean `ks-gateway`?"), "{said}");
}
