//! Files that others wrote: what is known to be dead in them is found, and what is known to be good is let pass.

use std::path::Path;

use ironstrap::grammar::{Finding, Severity, autoinstall, preseed};

use super::expect;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn errors(found: &[Finding]) -> Vec<String> {
    found.iter().filter(|finding| finding.severity == Severity::Error).map(ToString::to_string).collect()
}

#[test]
fn the_dead_keys_of_a_well_known_preseed_are_found() {
    let Some(corpora) = expect::shared("corpora") else { return };
    let text = read(&corpora.join("bento/packer_templates/http/debian/preseed.cfg"));
    for release in [preseed::Release::Debian12, preseed::Release::Debian13] {
        let found = preseed::lint(&text, release);
        let mut dead: Vec<_> =
            found.iter().filter(|finding| finding.message.contains(" is no question of ")).collect();
        dead.sort_by_key(|finding| finding.line);
        let lines: Vec<_> = dead.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [10, 15, 19, 23, 58, 70, 71, 76], "{found:#?}");
        assert!(found.iter().all(|finding| !finding.to_string().contains("vagrant")), "a password is shown");
    }
}

#[test]
fn valid_autoinstall_examples_have_no_errors_and_the_broken_one_has() {
    let Some(corpora) = expect::shared("corpora") else { return };
    let examples = corpora.join("subiquity/examples");
    let mut files: Vec<_> =
        std::fs::read_dir(examples.join("autoinstall")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.extend(
        ["ai-zfs-efi.yaml", "ai-zfs-efi-simple.yaml", "ai-zfs-guided.yaml"].map(|name| examples.join(name)),
    );
    files.push(corpora.join("bento/packer_templates/http/ubuntu/user-data"));
    files.sort();
    let mut broken = Vec::new();
    for file in &files {
        let found = errors(&autoinstall::lint(&read(file), autoinstall::Release::Ubuntu2404));
        if !found.is_empty() {
            broken.push((file.file_name().unwrap().to_str().unwrap().to_owned(), found));
        }
    }
    assert!(files.len() >= 16, "only {} files", files.len());
    let names: Vec<_> = broken.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["invalid.yaml"], "{broken:#?}");
}

/// The table in the source says nothing else than the templates that it was made from.
#[test]
fn the_table_of_questions_is_that_of_the_templates() {
    let Some(corpora) = expect::shared("corpora") else { return };
    let mut count = 0;
    for entry in std::fs::read_dir(corpora.join("debian-installer-13-templates")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "templates") {
            continue;
        }
        let (mut key, text) = (String::new(), read(&path));
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("Template: ") {
                key = name.trim().to_owned();
            } else if let Some(kind) = line.strip_prefix("Type: ") {
                let known = preseed::known(&key, preseed::Release::Debian13)
                    .unwrap_or_else(|| panic!("{key} is missing"));
                assert_eq!(known.kind, kind.trim(), "{key}");
                count += 1;
            }
        }
    }
    assert!(count > 1200, "only {count} templates");
}
