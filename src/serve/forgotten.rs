//! Hosts of which somebody wants to hear no more of what was said so far: `status --forget`.
//!
//! What was heard stays in the file of events; it no longer counts. A running server looks at each question whether the list
//! is another one than before, as it does for [`revoked`](super::revoked).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::state::FleetState;
use crate::spec::FormatVersion;
use crate::sys::directory::Identity;
use crate::sys::files;
use crate::value::{HostName, Timestamp};

/// Longest list that is read.
const LONGEST: u64 = 16 << 20;

/// Hosts, and until when what was heard of each is forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// By name.
    pub hosts: BTreeMap<HostName, Timestamp>,
}

impl Forgotten {
    /// The site's list; an empty one where there is none.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn read(path: &Path) -> Result<Self> {
        let Some(text) = files::read_text_if_there(path, LONGEST)? else { return Ok(Self::default()) };
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("writing the forgotten hosts")? + "\n";
        files::write_whole(path, 0o600, text.as_bytes())
    }
}

/// The list as a running server knows it.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    mark: Option<Identity>,
}

impl Watched {
    /// Reads the list into the fleet.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn open(path: &Path, fleet: &mut FleetState) -> Result<Self> {
        let watched = Self { path: path.to_owned(), mark: Identity::at(path) };
        fleet.forget(&Forgotten::read(path)?);
        Ok(watched)
    }

    /// Reads it again if it is another one; whether it was. One that can't be read is passed over.
    pub fn look(&mut self, fleet: &mut FleetState) -> bool {
        let now = Identity::at(&self.path);
        if now != self.mark
            && let Ok(forgotten) = Forgotten::read(&self.path)
        {
            self.mark = now;
            fleet.forget(&forgotten);
            return true;
        }
        false
    }
}
