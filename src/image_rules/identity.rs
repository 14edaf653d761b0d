//! What an image carries of one machine's identity: the one list by which clones are kept from being twins.
//!
//! Import tells by it what was found, the agent removes by it or makes anew, the handbook shows it. A new kind of identity is
//! a new entry here and nothing else, unless the agent has to make it ([`Maker`]).
//!
//! On the list is what services tell machines apart by, what they keep secret per machine, and records of the disks, leases
//! and logins of the machine that the image was made on. Not on it: what is the same by design, as the UUIDs of the image's
//! file systems, and what can't go without breaking the system. Sources: systemd's "Building Images", the operations of
//! virt-sysprep(1), `cloud-init clean`, the packages' own scripts.

use anyhow::Result;

use super::{Name, RootView};

mod list;
pub use list::TRACES;

/// One thing by which machines are told apart, wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// What it is, in words.
    pub what: &'static str,
    /// Where it stands.
    pub places: &'static [Place],
    /// What becomes of it on a host.
    pub fate: Fate,
}

/// Where a trace stands. Nothing here follows a link at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A file or link, or a directory with all in it.
    Path(&'static str),
    /// All in a directory, which itself stays.
    Inside(&'static str),
    /// Names in a directory, by beginning and end.
    Named {
        /// The directory.
        directory: &'static str,
        /// How names begin.
        prefix: &'static str,
        /// How they end.
        suffix: &'static str,
        /// These are others' and stay.
        except: &'static [&'static str],
    },
    /// A file of the EFI system partition.
    Esp(&'static str),
}

/// What becomes of a trace on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes. Why that is right, or what has to be done to get another.
    Removed(&'static str),
    /// It goes, and a program of the image makes another when it starts: which one.
    FirstBoot(&'static str),
    /// The agent makes another for the host.
    Anew(Maker),
}

/// What the agent makes anew, each where the image has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// `/etc/machine-id`, empty: systemd fills it in, and doesn't take the boot for a first boot that asks questions.
    MachineId,
    /// D-Bus' copy, as a link to the other.
    MachineIdLink,
    /// systemd's random seed, in every image.
    RandomSeed,
    /// An Ed25519 host key, where the image has an SSH server; the other types at its first boot.
    SshKeys,
    /// `InitiatorName=` with another name below the same naming authority.
    IscsiName,
    /// The NVMe host name, of a new UUID.
    NvmeName,
    /// The NVMe host id, the UUID in that name.
    NvmeId,
    /// gethostid(3).
    HostId,
    /// `MY_HOSTID=` of popularity-contest.
    PopconId,
    /// At the first boot, by the image's own make-ssl-cert and before services start.
    Snakeoil,
    /// The order's name servers, or nothing where a program of the image writes the file.
    Resolver,
}

impl Place {
    /// The path as it is shown to people.
    pub fn pattern(&self) -> String {
        match self {
            Self::Path(path) => (*path).to_owned(),
            Self::Inside(directory) => format!("{directory}/*"),
            Self::Named { directory, prefix, suffix, .. } => format!("{directory}/{prefix}*{suffix}"),
            Self::Esp(path) => format!("{path} in the ESP"),
        }
    }

    /// Paths of this place that the tree has; none of the ESP's, which is another tree.
    ///
    /// # Errors
    /// When the tree can't be read.
    pub fn find(&self, tree: &dyn RootView) -> Result<Vec<String>> {
        let names = |directory: &str| -> Result<Vec<String>> {
            // a link could lead to a place that isn't this one
            match tree.name(directory)? {
                Some(_) => Ok(Vec::new()),
                None => tree.list(directory),
            }
        };
        let below = |directory: &str, names: Vec<String>| -> Vec<String> {
            names.into_iter().map(|name| format!("{directory}/{name}")).collect()
        };
        match self {
            Self::Path(path) => {
                let there = tree.name(path)?.is_some() || tree.exists(path)?;
                Ok(if there { vec![(*path).to_owned()] } else { Vec::new() })
            }
            Self::Inside(directory) => Ok(below(directory, names(directory)?)),
            Self::Named { directory, prefix, suffix, except } => {
                let mut names = names(directory)?;
                names.retain(|name| {
                    name.len() >= prefix.len() + suffix.len()
                        && name.starts_with(prefix)
                        && name.ends_with(suffix)
                        && !except.contains(&name.as_str())
                });
                Ok(below(directory, names))
            }
            Self::Esp(_) => Ok(Vec::new()),
        }
    }
}

impl Fate {
    /// What becomes of it, in words for people.
    pub fn words(&self) -> String {
        match self {
            Self::Removed(why) => format!("removed: {why}"),
            Self::FirstBoot(by) => format!("made anew at first boot by {by}"),
            Self::Anew(maker) => format!("made anew: {}", maker.words()),
        }
    }
}

impl Maker {
    fn words(self) -> &'static str {
        match self {
            Self::MachineId => "emptied, and systemd makes one at first boot",
            Self::MachineIdLink => "a link to `/etc/machine-id`",
            Self::RandomSeed => "512 random bytes",
            Self::SshKeys => "an Ed25519 key, the other types at first boot",
            Self::IscsiName => {
                "a random name under the same authority; `GenerateName=yes` stays, the system then makes it"
            }
            Self::NvmeName => "of a random UUID",
            Self::NvmeId => "the UUID in the host name",
            Self::HostId => "four random bytes",
            Self::PopconId => "a random number",
            Self::Snakeoil => {
                "at first boot by `make-ssl-cert` where the image has it, before services start"
            }
            Self::Resolver => "the order's name servers, or none where a program of the image writes them",
        }
    }
}

/// A trace that an image carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Which.
    pub trace: &'static Trace,
    /// The first path at which it was found.
    pub path: String,
    /// At how many more.
    pub more: usize,
}

impl std::fmt::Display for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.escape_debug())?;
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        write!(f, " ({}): {}", self.trace.what, self.trace.fate.words())
    }
}

/// What an image carries, in the order of the list.
///
/// # Errors
/// When a tree can't be read.
pub fn carried(root: &dyn RootView, esp: &dyn RootView) -> Result<Vec<Carried>> {
    let mut found = Vec::new();
    for trace in TRACES {
        let mut paths = of_root(trace, root)?;
        for place in trace.places {
            if let Place::Esp(path) = place
                && esp.exists(path)?
            {
                paths.push(place.pattern());
            }
        }
        let more = paths.len().saturating_sub(1);
        found.extend(paths.into_iter().next().map(|path| Carried { trace, path, more }));
    }
    Ok(found)
}

/// Paths of an image's root at which a trace was found. What is empty, or a link to what is made at boot, says nothing of a
/// machine.
///
/// # Errors
/// When the tree can't be read.
pub fn of_root(trace: &Trace, root: &dyn RootView) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for place in trace.places {
        for path in place.find(root)? {
            if tells_something(trace.fate, &path, root)? {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

fn tells_something(fate: Fate, path: &str, root: &dyn RootView) -> Result<bool> {
    let name = root.name(path)?;
    match fate {
        Fate::Anew(Maker::MachineId | Maker::MachineIdLink | Maker::Resolver) => {
            // machine-id(5) has the word for an image that never booted
            let blank = |text: String| {
                text.lines().all(|line| {
                    let line = line.trim();
                    line.is_empty() || line.starts_with('#') || line == "uninitialized"
                })
            };
            // what isn't text is something, and import doesn't refuse an image for it
            Ok(name == Some(Name::File) && !root.text(path).is_ok_and(|text| text.is_none_or(blank)))
        }
        _ => Ok(name.is_some() || !root.list(path)?.is_empty()),
    }
}

#[cfg(test)]
mod tests;
