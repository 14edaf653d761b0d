//! Which installer can say which field of the model: a row a field, a cell a release. The only place that knows.
//!
//! A renderer may take for granted that what its cells refuse isn't there. What depends on more than one field (several
//! disks in several ways, say) is judged by the format's own module. `ironstrap formats` prints the table, the handbook includes
//! it, and tests hold every field of the model and the golden files against it: a new field needs a row, a new release a golden file
//! for each cell.

mod network;
mod storage;
mod system;

use crate::host::{Host, Installer, Os, Scripted, Unsupported, agent_start};

/// Whoever installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Our agent.
    Native,
    /// A distribution's installer.
    Os(Os),
}

impl Target {
    /// All columns of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Native).chain(Os::ALL.into_iter().map(Self::Os))
    }

    /// Its name, as in the head of its column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Os(os) => os.name(),
        }
    }
}

/// What an installer makes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// The installer's own words say it.
    Native,
    /// A script that ironstrap makes does it, in these words: only with `policy.allow_scripted`.
    Scripted(&'static str),
    /// It has no meaning for this installer, and is let pass: shared classes may hold it for other hosts.
    Unused(&'static str),
    /// It can't be said: the reason and the way out.
    Refused(&'static str),
}

/// One field of the model.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its key in profiles; what stands below it belongs to it unless it has a row of its own.
    pub key: &'static str,
    /// Where a host uses it, as keys; nothing where it doesn't.
    pub used: fn(&Host) -> Vec<String>,
    /// What each installer makes of it.
    pub cell: fn(Target) -> Cell,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Row").field(&self.key).finish()
    }
}

/// All rows, in the order of the model.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    network::ROWS.iter().chain(storage::ROWS).chain(system::ROWS)
}

/// What an installer can't say of a host: keys and reasons, all of them; and what scripts of ours have to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Each with its reason and the way out.
    pub refused: Vec<Unsupported>,
    /// Key and what is done.
    pub scripted: Vec<(String, &'static str)>,
}

/// Holds a host against a column. With a golden image, debian-installer hands the machine over to our agent, and then the
/// agent's column holds.
pub fn judge(host: &Host, target: Target) -> Verdict {
    let mut verdict = Verdict::default();
    let target = if by_agent(host, target) { Target::Native } else { target };
    for row in rows() {
        let cell = (row.cell)(target);
        if matches!(cell, Cell::Native | Cell::Unused(_)) {
            continue;
        }
        for key in (row.used)(host) {
            match cell {
                Cell::Refused(why) => verdict.refused.push(Unsupported { key, reason: why.to_owned() }),
                Cell::Scripted(how) if host.scripted == Scripted::Allowed => {
                    verdict.scripted.push((key, how))
                }
                Cell::Scripted(how) => {
                    let reason = format!(
                        "can be done by a script only ({how}): set `policy: {{ allow_scripted: true }}`"
                    );
                    verdict.refused.push(Unsupported { key, reason });
                }
                Cell::Native | Cell::Unused(_) => {}
            }
        }
    }
    verdict
}

/// Whether a release's installer would only start the agent: that is asked for by `installer: debian-installer`, not by
/// looking at another host's answers for that release.
pub fn by_agent(host: &Host, target: Target) -> bool {
    let Target::Os(os) = target else { return false };
    host.installer == Installer::DebianInstaller
        && agent_start(os.installer(), Some(os), host.image.as_ref()).is_some()
}

/// Short names for the tables.
mod short {
    pub use super::Cell::{self, Native as N, Refused as X, Scripted as S, Unused as U};
    pub use super::Row;
    pub use super::Target::{Native as Agent, Os as On};
    pub use crate::host::Os::{
        Debian12, Debian13, El8, El9, El10, Fedora43, Fedora44, Fedora45, Ubuntu2204, Ubuntu2404,
    };

    /// One key if it is used.
    pub fn once(key: &str, used: bool) -> Vec<String> {
        if used { vec![key.to_owned()] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_row_and_every_refusal_says_something() {
        let mut keys: Vec<_> = rows().map(|row| row.key).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "a key has two rows");
        for row in rows() {
            for target in Target::all() {
                match (row.cell)(target) {
                    Cell::Native => {}
                    Cell::Scripted(text) | Cell::Unused(text) | Cell::Refused(text) => {
                        assert!(
                            text.len() > 10 && !text.ends_with('.'),
                            "{} {}: {text}",
                            row.key,
                            target.name()
                        );
                    }
                }
            }
        }
    }
}
