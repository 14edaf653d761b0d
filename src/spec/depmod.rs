//! `modules.dep`, `modules.alias` and `modules.softdep`, as depmod(8) writes them.
//!
//! The bundle filters these tables for the initramfs and the agent loads by what is left: one reading of their lines, so that
//! no module is carried that isn't found, or missed for a rule that only one side knew. Lines only: which modules are wanted
//! is the bundle's business, in which order they are loaded the agent's.

use anyhow::{Context, Result, ensure};

use crate::value::stays_inside;

/// The name that the kernel knows a module by: file name without endings, `-` as `_`.
pub fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split(".ko").next().unwrap_or(file);
    plain_name(stem)
}

/// A name or alias in the spelling in which it is compared: `-` as `_`.
pub fn plain_name(name: &str) -> String {
    name.replace('-', "_")
}

/// The same for a pattern: a dash in brackets is a range and stays.
pub fn plain_pattern(pattern: &str) -> String {
    let mut inside = false;
    let plain = |c: char| {
        inside = (inside || c == '[') && c != ']';
        if c == '-' && !inside { '_' } else { c }
    };
    pattern.chars().map(plain).collect()
}

/// What of a pattern stands before its first wildcard of fnmatch(3); all of it where there is none.
pub fn literal_prefix(pattern: &str) -> &str {
    pattern.split(['*', '?', '[']).next().unwrap_or_default()
}

/// A line of `modules.dep`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dep<'a> {
    /// The module's file, below the modules' folder.
    pub path: &'a str,
    /// The files that it needs, nearest first.
    pub needs: Vec<&'a str>,
}

/// The lines of `modules.dep`.
///
/// # Errors
/// A line that isn't `path: path…`, or a path that leaves the modules' folder.
pub fn deps(text: &str) -> impl Iterator<Item = Result<Dep<'_>>> {
    text.lines().filter(|line| !line.trim().is_empty()).map(dep)
}

fn dep(line: &str) -> Result<Dep<'_>> {
    let (path, needs) =
        line.split_once(':').with_context(|| format!("modules.dep: `{line}` has no colon"))?;
    let needs: Vec<_> = needs.split_whitespace().collect();
    for path in needs.iter().chain([&path]) {
        ensure!(stays_inside(path), "modules.dep: `{path}` is not a path inside the modules' folder");
    }
    Ok(Dep { path, needs })
}

/// A line of `modules.alias`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias<'a> {
    /// Pattern for the names of devices, or a plain name that the kernel requests. As it is written, see [`plain_pattern`].
    pub pattern: &'a str,
    /// The module that answers to it.
    pub module: &'a str,
}

/// `alias PATTERN MODULE`; a pattern may hold blanks (DMI strings do), a module name can't. `None` for comments.
pub fn alias(line: &str) -> Option<Alias<'_>> {
    let (pattern, module) = line.strip_prefix("alias ")?.trim_end().rsplit_once(' ')?;
    let pattern = pattern.trim();
    (!pattern.is_empty()).then_some(Alias { pattern, module })
}

/// A line of `modules.softdep`: wishes, of which those that aren't there are passed over. Names may be aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Softdep<'a> {
    /// The module.
    pub module: &'a str,
    /// To load before it.
    pub before: Vec<&'a str>,
    /// To load after it.
    pub after: Vec<&'a str>,
}

/// `softdep MODULE pre: NAME… post: NAME…`; words before either are nobody's, as in modprobe.d(5). `None` for comments.
pub fn softdep(line: &str) -> Option<Softdep<'_>> {
    let mut words = line.split_whitespace();
    let (Some("softdep"), Some(module)) = (words.next(), words.next()) else { return None };
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut list = None;
    for word in words {
        match (word, &mut list) {
            ("pre:", _) => list = Some(&mut before),
            ("post:", _) => list = Some(&mut after),
            (name, Some(list)) => list.push(name),
            (_, None) => {}
        }
    }
    Some(Softdep { module, before, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_dashes_and_compression() {
        for path in ["a/crc32c-intel.ko", "crc32c_intel.ko.xz", "x/crc32c-intel.ko.zst", "crc32c-intel"] {
            assert_eq!(module_name(path), "crc32c_intel");
        }
    }

    #[test]
    fn a_dash_in_brackets_is_a_range() {
        assert_eq!(plain_pattern("fs-ext4"), "fs_ext4");
        assert_eq!(plain_pattern("usb:ip[0-9A]in-*"), "usb:ip[0-9A]in_*");
        assert_eq!(literal_prefix("usb:ip[0-9A]in*"), "usb:ip");
    }

    #[test]
    fn a_dependency_that_leads_out_or_has_no_colon_is_refused() {
        let first = |line: &'static str| deps(line).next().unwrap();
        assert_eq!(first("a/x.ko: a/y.ko b/z.ko").unwrap().needs, ["a/y.ko", "b/z.ko"]);
        for line in ["no colon", "../x.ko:", "/x.ko:", "a/x.ko: a/./y.ko"] {
            assert!(first(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_pattern_may_hold_blanks() {
        let dmi = alias("alias dmi*:svnSome Vendor*:pn* i915").unwrap();
        assert_eq!((dmi.pattern, dmi.module), ("dmi*:svnSome Vendor*:pn*", "i915"));
        for line in ["# Aliases extracted from modules themselves.", "", "alias ", "alias x"] {
            assert_eq!(alias(line), None, "{line}");
        }
    }

    #[test]
    fn wishes_stand_before_and_after() {
        let wishes = softdep("softdep r8169 odd pre: realtek mii post: late-helper").unwrap();
        assert_eq!(wishes.module, "r8169");
        assert_eq!((wishes.before, wishes.after), (vec!["realtek", "mii"], vec!["late-helper"]));
        assert_eq!(softdep("# Soft dependencies"), None);
    }
}
