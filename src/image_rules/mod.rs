//! What a host asks of the system inside its image: the rules by which it fits, one owner for both sides.
//!
//! `check` and `bundle` judge the image in the store with [`incompatibilities`], before anything is wiped; the agent finds its
//! places and edits its accounts by the very same functions on the mounted root. A rule that only one side knew would be a
//! host that passes `bundle` and fails on its target for ever.
//!
//! Pure: whoever calls brings the tree as a [`RootView`]. What doesn't go together is an answer ([`Incompatible`]), a tree that
//! can't be read is an error; [`Judged`] keeps them apart. Nothing here writes, and nothing here knows profiles.

pub mod accounts;
pub mod fstab;
pub mod identity;
pub mod limit_reader;
pub mod loaders;
pub mod modinfo;
pub mod selinux;
pub mod stacks;
#[cfg(test)]
pub(crate) mod testing;

use anyhow::Result;

use crate::spec::system::SystemSpec;

/// Where units of ours and of the administrator stand.
pub const UNITS: &str = "/etc/systemd/system";
/// Where units stand, in the order in which systemd looks.
const UNIT_DIRECTORIES: [&str; 4] =
    [UNITS, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// The tree of an image, as far as the rules need to see it. Paths are absolute inside it.
pub trait RootView: std::fmt::Debug {
    /// A file as text, links followed inside the tree; `None` where there is none.
    ///
    /// # Errors
    /// Unreadable, not a file, or not UTF-8.
    fn text(&self, path: &str) -> Result<Option<String>>;

    /// Whether the path leads to something, links followed inside the tree.
    ///
    /// # Errors
    /// When the tree can't be read.
    fn exists(&self, path: &str) -> Result<bool>;

    /// What stands under this name, the last link not followed; `None` for nothing, and for what is neither.
    ///
    /// # Errors
    /// When the tree can't be read.
    fn name(&self, path: &str) -> Result<Option<Name>>;

    /// Names in a directory, sorted, links in the path followed; empty where there is no directory.
    ///
    /// # Errors
    /// When the tree can't be read.
    fn list(&self, path: &str) -> Result<Vec<String>>;
}

/// What a name in a tree stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A regular file.
    File,
    /// A symbolic link, and where it points.
    Link(String),
}

/// Everything that a host wants and its image doesn't have or give; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatible(pub Vec<String>);

impl Incompatible {
    fn one(message: impl Into<String>) -> Self {
        Self(vec![message.into()])
    }
}

impl std::fmt::Display for Incompatible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Incompatible {}

/// Outside: could the tree be read? Inside: does the host fit?
pub type Judged<T> = Result<Result<T, Incompatible>>;

/// Everything in the image's tree that this system can't be made of: accounts, shells, time zone, units, labels.
///
/// # Errors
/// When the tree can't be read.
pub fn incompatibilities(system: &SystemSpec, tree: &dyn RootView) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut note = |more: Option<Incompatible>| found.extend(more.into_iter().flat_map(|list| list.0));
    note(match accounts::AccountFiles::read(tree)? {
        Ok(files) => accounts::edit(&files, &system.root, &system.users).err(),
        Err(incompatible) => Some(incompatible),
    });
    note(selinux::contexts(tree)?.err());
    for user in &system.users {
        if !tree.exists(&user.shell)? {
            let shell = user.shell.escape_debug();
            note(Some(Incompatible::one(format!("account `{}`: the image has no `{shell}`", user.name))));
        }
    }
    if let Some(zone) = &system.timezone {
        note(zone_file(zone, tree)?.err());
    }
    for unit in &system.units {
        // the order's files are written before its units are enabled
        let ours = |file: &str| system.files.iter().any(|known| known.path == file);
        note(unit_file(unit, tree, &ours)?.err());
    }
    Ok(found)
}

/// Where a time zone's data stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    /// In this file of the image.
    File(String),
    /// Nowhere and nothing is needed: no `/etc/localtime` means UTC, see localtime(5).
    Utc,
}

/// Looks for a time zone by its IANA name.
///
/// # Errors
/// When the tree can't be read.
pub fn zone_file(zone: &str, tree: &dyn RootView) -> Judged<Zone> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "+-_".contains(c);
    if !zone.split('/').all(|part| !part.is_empty() && part.chars().all(legal)) {
        let message = format!("`{}` is not the name of a time zone", zone.escape_debug());
        return Ok(Err(Incompatible::one(message)));
    }
    let path = format!("/usr/share/zoneinfo/{zone}");
    if tree.exists(&path)? {
        return Ok(Ok(Zone::File(path)));
    }
    if matches!(zone, "UTC" | "Etc/UTC") {
        return Ok(Ok(Zone::Utc));
    }
    Ok(Err(Incompatible::one(format!("the image has no time zone `{zone}` (its package is tzdata)"))))
}

/// Looks for the file of a unit that is to be enabled; for an instance, that of its template. `ours` says which files will
/// be there besides. A mask is no unit: it is taken off before the unit is enabled.
///
/// # Errors
/// When the tree can't be read.
pub fn unit_file(unit: &str, tree: &dyn RootView, ours: &dyn Fn(&str) -> bool) -> Judged<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || ":_.@-".contains(c);
    let kind = unit.rsplit_once('.').map(|(_, kind)| kind);
    if !unit.chars().all(legal) || !matches!(kind, Some("service" | "timer" | "target" | "socket" | "path")) {
        let message = format!("`{}` is not the name of a unit that can be enabled", unit.escape_debug());
        return Ok(Err(Incompatible::one(message)));
    }
    let template = match (unit.split_once('@'), kind) {
        (Some((name, _)), Some(kind)) => format!("{name}@.{kind}"),
        _ => unit.to_owned(),
    };
    for directory in UNIT_DIRECTORIES {
        let path = format!("{directory}/{template}");
        let found = ours(&path)
            || match tree.name(&path)? {
                Some(Name::File) => true,
                Some(Name::Link(target)) => target != MASK,
                None => false,
            };
        if found {
            return Ok(Ok(path));
        }
    }
    Ok(Err(Incompatible::one(format!("the image has no unit `{template}`"))))
}

/// Where the link of a masked unit points.
pub const MASK: &str = "/dev/null";

#[cfg(test)]
mod tests;
