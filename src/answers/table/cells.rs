//! What a row says of each format: its cells, by name.
//!
//! A row names every format, and a cell that isn't the same in all releases of a format is a `match` of them: a format or a
//! release that is added doesn't compile until somebody has said what it makes of each field. So there is no cell for "the
//! others", and none should be added.

use super::Target;
use crate::answers::dialect::Dialect;
use crate::grammar::{autoinstall, kickstart, preseed};

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

/// What the installers of one format make of a field; `R` is its releases, `()` where there is one only.
#[derive(Debug, Clone, Copy)]
pub enum Column<R> {
    /// The same in all releases.
    Same(Cell),
    /// By release.
    By(fn(R) -> Column<()>),
}

impl<R> Column<R> {
    fn of(&self, release: R) -> Cell {
        match self {
            Self::Same(cell) => *cell,
            Self::By(by) => by(release).of(()),
        }
    }
}

/// What everybody who installs makes of a field.
#[derive(Debug, Clone, Copy)]
pub struct Cells {
    /// Our agent.
    pub agent: Column<()>,
    /// Anaconda.
    pub kickstart: Column<kickstart::Release>,
    /// debian-installer.
    pub preseed: Column<preseed::Release>,
    /// subiquity.
    pub autoinstall: Column<autoinstall::Release>,
}

impl Cells {
    /// That of one of them.
    pub fn of(&self, target: Target) -> Cell {
        match target {
            Target::Native => self.agent.of(()),
            Target::Os(os) => match Dialect::of(os) {
                Dialect::Kickstart(release) => self.kickstart.of(release),
                Dialect::Preseed(release) => self.preseed.of(release),
                Dialect::Autoinstall(release) => self.autoinstall.of(release),
            },
        }
    }
}

/// All formats say it in their own words.
pub const NATIVE: Cells =
    Cells { agent: native(), kickstart: native(), preseed: native(), autoinstall: native() };

/// The installer's own words say it.
pub const fn native<R>() -> Column<R> {
    Column::Same(Cell::Native)
}

/// A script of ours does it: how.
pub const fn script<R>(how: &'static str) -> Column<R> {
    Column::Same(Cell::Scripted(how))
}

/// It means nothing here: why that does no harm.
pub const fn ignored<R>(why: &'static str) -> Column<R> {
    Column::Same(Cell::Unused(why))
}

/// It can't be said: the reason and the way out, after the key and a blank.
pub const fn no<R>(why: &'static str) -> Column<R> {
    Column::Same(Cell::Refused(why))
}

/// Another cell for some releases: a `match` without `_`.
pub const fn by<R>(release: fn(R) -> Column<()>) -> Column<R> {
    Column::By(release)
}
