//! Who takes over after the install: one file for each configuration manager, and the registry of them.
//!
//! A manager's file knows all of it: what a profile says becomes it (`resolve`), the files and the program that it puts into the
//! installed system, what its ends mean, and what it needs of the image. A new one is that file, its variant in
//! `profile::raw::handoff` (what a profile can say), and its lines here. [`crate::handoff`] makes a unit of it, and doesn't know
//! any by name.
//!
//! No value of a profile may become code: values go through JSON or [`shell::quote`].

mod ansible;
mod cloud_init;
mod outcomes;
mod script;
pub mod shell;
mod text;

use std::any::Any;
use std::sync::Arc;

pub use ansible::AnsiblePull;
pub use cloud_init::{CloudInit, version_of};
pub use outcomes::{Outcome, Verdict, judge};
pub use script::{Script, check as check_script};

use super::Unsupported;
use super::resolve::handoff::Work;
use crate::profile::raw::RawHandoff;
use crate::spec::image::ImageSystem;
use crate::spec::system::SystemFile;
use crate::value::rule::Rule;
use crate::value::{HostName, OrderId};

/// What the ends of each manager mean, by its name in events.
pub const OUTCOMES: &[(&str, &[Outcome])] = &[
    (ansible::BY, ansible::OUTCOMES),
    (cloud_init::BY, cloud_init::OUTCOMES),
    (script::BY, script::OUTCOMES),
];

/// The hand-off that a profile says; `None` if something is wrong with it, which `work` was told.
pub(super) fn resolve(raw: &RawHandoff, work: &mut Work<'_, '_>) -> Option<Handoff> {
    Some(match raw {
        RawHandoff::None => Handoff::none(),
        RawHandoff::CloudInit(raw) => Handoff::to(CloudInit::resolve(raw, work)?),
        RawHandoff::Ansible(raw) => Handoff::to(AnsiblePull::resolve(raw, work)?),
        RawHandoff::Script(path) => Handoff::to(Script::resolve(path, work)?),
    })
}

/// A configuration manager with its values for one host. Its `Debug` shows no content, which may hold what must not be logged.
pub trait Manager: Comparable + std::fmt::Debug + Send + Sync {
    /// Its name in events.
    fn name(&self) -> &'static str;

    /// Its key below `handoff` in profiles.
    fn key(&self) -> &'static str;

    /// Programs without which it can't run.
    fn programs(&self) -> &'static [&'static str];

    /// The packages that bring them, where a distribution's installer installs; the same names in all of them.
    fn packages(&self) -> &'static [&'static str] {
        self.programs()
    }

    /// What it puts into the installed system. Without an order, the host is installed by a distribution's installer.
    ///
    /// # Errors
    /// Values that can't be used, all of them.
    fn takeover(&self, host: &HostName, order: Option<&OrderId>) -> Result<Takeover, Vec<Unsupported>>;

    /// What the image's own version of it refuses, for people, but for the findings that the site waives for the host.
    fn refused_by(&self, _: &ImageSystem, _: &[&'static Rule]) -> Vec<String> {
        Vec::new()
    }
}

/// What one manager puts into the installed system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeover {
    /// Runs it to its end, and fails when it failed.
    pub program: Program,
    /// Files to write.
    pub files: Vec<SystemFile>,
    /// Units to enable.
    pub units: Vec<String>,
}

/// The program that a manager is run by, as root.
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file's mode.
    pub mode: u32,
    /// Its text, with `#!` line.
    pub text: String,
}

impl std::fmt::Debug for Program {
    /// Without the text, which may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Who takes over after the install. *Done* is when its first run reported success.
#[derive(Clone)]
pub struct Handoff(Option<Arc<dyn Manager>>);

impl Handoff {
    /// Nobody: the host is done when it has booted.
    pub fn none() -> Self {
        Self(None)
    }

    /// To a manager.
    pub fn to(manager: impl Manager + 'static) -> Self {
        Self(Some(Arc::new(manager)))
    }

    /// The manager, if there is one.
    pub fn manager(&self) -> Option<&dyn Manager> {
        self.0.as_deref()
    }

    /// Whether anybody takes over.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Programs without which it can't run.
    pub fn programs(&self) -> &'static [&'static str] {
        match self.manager() {
            Some(manager) => manager.programs(),
            None => &[],
        }
    }

    /// The packages that bring them.
    pub fn packages(&self) -> &'static [&'static str] {
        match self.manager() {
            Some(manager) => manager.packages(),
            None => &[],
        }
    }

    /// Whether it runs this program.
    pub fn needs(&self, program: &str) -> bool {
        self.programs().contains(&program)
    }
}

impl PartialEq for Handoff {
    fn eq(&self, other: &Self) -> bool {
        match (self.manager(), other.manager()) {
            (Some(ours), Some(theirs)) => ours.is_same(theirs.as_any()),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl Eq for Handoff {}

impl std::fmt::Debug for Handoff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(manager) => manager.fmt(f),
            None => f.write_str("None"),
        }
    }
}

/// Lets values be compared whose types aren't known. Every type that can be compared is one.
pub trait Comparable {
    /// Itself.
    fn as_any(&self) -> &dyn Any;
    /// Whether another value is of the same type and equal.
    fn is_same(&self, other: &dyn Any) -> bool;
}

impl<T: PartialEq + 'static> Comparable for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>().is_some_and(|other| self == other)
    }
}

/// A file of the installed system.
pub(crate) fn file(path: &str, mode: u32, content: impl Into<String>) -> SystemFile {
    SystemFile { path: path.to_owned(), mode, content: content.into(), token: None }
}
