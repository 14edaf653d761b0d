//! autoinstall of Ubuntu: the user-data that subiquity reads, and what it lets pass.
//!
//! subiquity's own schema (`schema.txt`, made by `tests/generate/autoinstall_schema.py`) says nothing of `storage`, only warns
//! of top-level keys that it doesn't know, and is read after YAML 1.1 made `12:30` a number. [`lint`] reads the file as
//! subiquity does, holds it against the schema, and judges what the schema leaves open: storage actions by the rules of
//! `apply_autoinstall_config` and `_actions_from_config` in subiquity's storage model, identity, the source, the header, and
//! `user-data`, which subiquity holds against cloud-init's schema before it installs. No password is in a finding.

mod content;
mod disks;
pub(crate) mod rules;
mod schema;
mod storage;
pub(crate) mod yaml;

use super::{Finding, cloud_config, shown};
use crate::value::nearest;
use yaml::{Data, Node};

/// The installer of a release of Ubuntu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Release {
    /// Ubuntu 22.04, jammy.
    Ubuntu2204,
    /// Ubuntu 24.04, noble.
    #[default]
    Ubuntu2404,
}

impl Release {
    /// The number, as people write it.
    pub fn number(self) -> &'static str {
        match self {
            Self::Ubuntu2204 => "22.04",
            Self::Ubuntu2404 => "24.04",
        }
    }

    /// The cloud-init of its installer and of what that installs, where its media don't differ in it: those of 24.04 have 24.1
    /// and later, which take what 25.1 takes; those of 22.04 began with 22.1 and ended with 24.2.
    fn cloud_init(self) -> Option<cloud_config::Version> {
        match self {
            Self::Ubuntu2204 => None,
            Self::Ubuntu2404 => Some(cloud_config::Version::V25_1),
        }
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ubuntu {}", self.number())
    }
}

/// What the installer of a release would stumble over, in the order of lines.
///
/// Takes both forms: cloud-config with a key `autoinstall`, and the bare map that a medium's `autoinstall.yaml` may be.
pub fn lint(text: &str, release: Release) -> Vec<Finding> {
    let mut found = Vec::new();
    let root = match yaml::parse(text, &mut found) {
        Ok(root) => root,
        Err(finding) => return vec![finding],
    };
    if let Some(config) = config(text, &root, release, &mut found) {
        schema::check(config, release, &mut found);
        content::check(config, &mut found);
        found.extend(config.get("user-data").map(|data| user_data(data, release)).unwrap_or_default());
        if let Some(storage) = config.get("storage") {
            storage::check(storage, release, &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What cloud-init would stumble over in `user-data`: subiquity asks its schema, and ends the install for an error.
pub(crate) fn user_data(data: &Node, release: Release) -> Vec<Finding> {
    // nothing of an empty one is looked at, and what is no map the schema of subiquity refuses
    if data.entries().next().is_none() {
        return Vec::new();
    }
    let found = cloud_config::lint_map(data, release.cloud_init()).into_iter();
    found.map(|finding| Finding { message: format!("user-data: {}", finding.message), ..finding }).collect()
}

/// Whether this is the first line that cloud-init wants; a template's mark may stand before it.
fn has_header(text: &str) -> bool {
    let text = match text.strip_prefix("## template:") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rest)| rest),
        None => text,
    };
    text.lines().next().is_some_and(|line| line.trim_end() == "#cloud-config")
}

/// The map that subiquity reads.
fn config<'n>(text: &str, root: &'n Node, release: Release, found: &mut Vec<Finding>) -> Option<&'n Node> {
    let Data::Map(entries) = &root.data else {
        found.push(Finding::error(&rules::TYPE, root.line, format!("expected a map, found {}", root.kind())));
        return None;
    };
    let header = has_header(text);
    if let Some(autoinstall) = root.get("autoinstall") {
        if !header {
            let message = "the first line isn't `#cloud-config`: cloud-init ignores the file";
            found.push(
                Finding::error(&rules::NO_HEADER, 1, message)
                    .help("a medium's autoinstall.yaml needs no `autoinstall:` either"),
            );
        }
        let stray = entries
            .iter()
            .filter(|(key, _)| key.text != "autoinstall" && schema::is_section(&key.text, release));
        for (key, _) in stray {
            let message =
                format!("`{}` stands outside of `autoinstall`: subiquity refuses the file", shown(&key.text));
            found.push(Finding::error(&rules::OUTSIDE, key.line, message));
        }
        return Some(autoinstall);
    }
    if let Some((key, _)) = entries.iter().find(|(key, _)| nearest(&key.text, ["autoinstall"]).is_some()) {
        let finding =
            Finding::error(&rules::UNKNOWN_KEY, key.line, format!("`{}` is no key", shown(&key.text)));
        found.push(finding.help("did you mean `autoinstall`?"));
        return None;
    }
    if header {
        found.push(Finding::error(
            &rules::ABSENT,
            1,
            "cloud-config without `autoinstall`: the installer asks everything",
        ));
        return None;
    }
    Some(root)
}

#[cfg(test)]
mod tests;
