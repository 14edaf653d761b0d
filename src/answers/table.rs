//! Which installer can say which field of the model: a row a field, a cell a format. The only place that knows.
//!
//! A renderer may take for granted that what its cells refuse isn't there. What depends on more than one field (several
//! disks in several ways, say) is judged by the format's own module. `ironstrap formats` prints the table, the handbook includes
//! it, and tests hold every field of the model and the golden files against it: a new field needs a row, a new release a golden file
//! for each cell.
//!
//! A row is a key, when a host uses it, and what each format makes of it:
//!
//! ```text
//! Row::when("finish", |host| host.finish != Finish::Reboot, Cells { agent: no("restarts always: …"), kickstart: native(), … })
//! Row::each("scripts.pre", |host| names(&host.scripts.pre), Cells { … })       told as `scripts.pre[NAME]`
//! Row::each("network.*.mtu", |host| links(host, …), Cells { … })               told as `network[NAME].mtu`
//! Row::when("image", is_container, Cells { … }).case(": oci:…")                a second row of a key, for one case of it
//! ```

mod cells;
mod network;
mod storage;
mod system;

use crate::host::{Host, Installer, Os, Scripted, Unsupported, agent_start};
pub use cells::{Cell, Cells, Column};
use cells::{NATIVE, by, ignored, native, no, script};

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

/// One field of the model, or one case of it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    key: &'static str,
    case: &'static str,
    used: Used,
    cells: Cells,
}

/// Whether and where a host uses a field.
#[derive(Debug, Clone, Copy)]
enum Used {
    Always,
    When(fn(&Host) -> bool),
    /// Names of the things that use it.
    Each(fn(&Host) -> Vec<String>),
}

impl Row {
    /// A field that every host has. `key` is its key in profiles; what stands below it belongs to it unless it has a row of its own.
    const fn always(key: &'static str, cells: Cells) -> Self {
        Self { key, case: "", used: Used::Always, cells }
    }

    /// A field that hosts use or don't.
    const fn when(key: &'static str, used: fn(&Host) -> bool, cells: Cells) -> Self {
        Self { key, case: "", used: Used::When(used), cells }
    }

    /// A field of things with names, of which any number may use it. The name stands for `.*` in the key, or behind the key.
    const fn each(key: &'static str, names: fn(&Host) -> Vec<String>, cells: Cells) -> Self {
        Self { key, case: "", used: Used::Each(names), cells }
    }

    /// Which case of its field it is about: what the table shows behind the key.
    const fn case(self, words: &'static str) -> Self {
        Self { case: words, ..self }
    }

    /// Its name in the table: key and case.
    pub fn title(&self) -> String {
        format!("{}{}", self.key, self.case)
    }

    /// Where a host uses it, as keys; nothing where it doesn't.
    pub fn used(&self, host: &Host) -> Vec<String> {
        let named = |name: String| match self.key.split_once(".*") {
            Some((list, rest)) => format!("{list}[{name}]{rest}"),
            None => format!("{}[{name}]", self.key),
        };
        match self.used {
            Used::Always => vec![self.key.to_owned()],
            Used::When(used) if used(host) => vec![self.key.to_owned()],
            Used::When(_) => Vec::new(),
            Used::Each(names) => names(host).into_iter().map(named).collect(),
        }
    }

    /// What an installer makes of it.
    pub fn cell(&self, target: Target) -> Cell {
        self.cells.of(target)
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
        let cell = row.cell(target);
        if matches!(cell, Cell::Native | Cell::Unused(_)) {
            continue;
        }
        for key in row.used(host) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_title_has_one_row_and_every_refusal_says_something() {
        let mut keys: Vec<_> = rows().map(Row::title).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "a title has two rows");
        for row in rows() {
            for target in Target::all() {
                match row.cell(target) {
                    Cell::Native => {}
                    Cell::Scripted(text) | Cell::Unused(text) | Cell::Refused(text) => {
                        assert!(
                            text.len() > 10 && !text.ends_with('.'),
                            "{} {}: {text}",
                            row.title(),
                            target.name()
                        );
                    }
                }
            }
        }
    }
}
