//! What distributions' installers call software.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// A package, a pattern that names several (`iwl*-firmware`), a group of them (`@core`), or an environment (`@^minimal-environment`),
/// as Anaconda tells them apart. Which of these an installer takes is its renderer's business.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(String);

/// What a [`PackageName`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageKind {
    /// One package.
    Package,
    /// All packages that fit.
    Pattern,
    /// A group, also a module's stream.
    Group,
    /// The group that all others are added to.
    Environment,
}

impl PackageName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it names.
    pub fn kind(&self) -> PackageKind {
        match self.0.strip_prefix('@') {
            Some(group) if group.starts_with('^') => PackageKind::Environment,
            Some(_) => PackageKind::Group,
            None if self.0.contains(WILDCARDS) => PackageKind::Pattern,
            None => PackageKind::Package,
        }
    }
}

const WILDCARDS: [char; 2] = ['*', '?'];
const LONGEST: usize = 128;

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PackageName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = |what: &str| Err(ValueError::new(format!("`{}` is {what}", text.escape_debug())));
        let group = text.strip_prefix('@').map(|group| group.strip_prefix('^').unwrap_or(group));
        let name = group.unwrap_or(text);
        let further = |c: char| match group {
            Some(_) => ".+_:/-".contains(c),
            None => ".+_:-".contains(c) || WILDCARDS.contains(&c),
        };
        let first = |c: char| c.is_ascii_alphanumeric() || (group.is_none() && WILDCARDS.contains(&c));
        let is_name = name.starts_with(first)
            && name.len() <= LONGEST
            && name.chars().all(|c| c.is_ascii_alphanumeric() || further(c));
        match is_name {
            false => wrong("not a package's name, nor a group's like `@core`"),
            true if !name.contains(|c: char| c.is_ascii_alphanumeric()) => wrong("every package there is"),
            true => Ok(Self(text.to_owned())),
        }
    }
}

serde_through_text!(PackageName, {
    "description": "A package; for Kickstart also a pattern (`iwl*-firmware`), a group (`@core`) or the environment (`@^minimal-environment`).",
    "pattern": "^(@\\^?[A-Za-z0-9][A-Za-z0-9.+_:/-]*|[A-Za-z0-9*?][A-Za-z0-9.+_:*?-]*)$",
    "examples": ["chrony", "@core"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_names() {
        for (text, kind) in [
            ("chrony", PackageKind::Package),
            ("libc6:i386", PackageKind::Package),
            ("glibc-langpack-en.x86_64", PackageKind::Package),
            ("*firmware", PackageKind::Pattern),
            ("iwl?-firmware", PackageKind::Pattern),
            ("@core", PackageKind::Group),
            ("@nodejs:18/common", PackageKind::Group),
            ("@^minimal-environment", PackageKind::Environment),
        ] {
            assert_eq!(text.parse::<PackageName>().map(|name| name.kind()), Ok(kind), "{text}");
        }
    }

    #[test]
    fn what_an_installer_would_read_as_something_else_is_refused() {
        for text in [
            "", "@", "@^", "*", "?*", "*-*", "-x", "--x", "%end", "a b", "a\nb", "@*", "a;b", "a/b", "@-x",
            "é",
        ] {
            assert!(text.parse::<PackageName>().is_err(), "{text}");
        }
        assert!("a".repeat(129).parse::<PackageName>().is_err());
    }
}
