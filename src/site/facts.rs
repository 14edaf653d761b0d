//! Facts of machines that the site keeps: `facts/*.json`, as `ironstrap facts` prints them, whatever the files are called.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::paths::SitePaths;
use crate::spec::facts::Facts;
use crate::spec::order::HostMatch;
use crate::sys::files;

/// No machine has so much to tell: ten thousand disks and devices do with less.
const LONGEST: u64 = 16 << 20;

/// Facts, and where they are from.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub facts: Facts,
}

/// Where the site's facts are, sorted; none where there is no such directory.
///
/// # Errors
/// When it can't be listed.
pub fn list(paths: &SitePaths) -> Result<Vec<PathBuf>> {
    let directory = paths.facts();
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let entries = files::list_dir(&directory).with_context(|| format!("reading {}", directory.display()))?;
    let files = entries.into_iter().map(|entry| directory.join(entry.name));
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    Ok(files)
}

/// Reads one.
///
/// # Errors
/// A file that isn't there, is too long, or holds no facts of this version: names file, line and column.
pub fn read(path: &Path) -> Result<Recorded> {
    let shown = path.display();
    let text = files::read_text(path, LONGEST)?;
    let facts = serde_json::from_str(&text)
        .with_context(|| format!("reading {shown}: these are no facts as `ironstrap facts` prints them"))?;
    Ok(Recorded { path: path.to_owned(), facts })
}

/// Those of the one machine that is recognised so.
///
/// # Errors
/// No file is of it, several are, or one can't be read.
pub fn of_machine(paths: &SitePaths, matching: &HostMatch) -> Result<Recorded> {
    let mut found: Vec<Recorded> = Vec::new();
    let all = list(paths)?;
    for path in &all {
        let recorded = read(path)?;
        if matching.matches(&recorded.facts.machine) {
            found.push(recorded);
        }
    }
    match (found.len(), found.pop()) {
        (1, Some(one)) => Ok(one),
        (_, Some(last)) => {
            let names: Vec<_> =
                found.iter().chain([&last]).map(|one| one.path.display().to_string()).collect();
            bail!("several files are of its machine: {}; name one with --facts", names.join(", "))
        }
        (_, None) if all.is_empty() => bail!(
            "there are no facts in {}: record them on its machine with `ironstrap facts`, or name a file with --facts",
            paths.facts().display()
        ),
        (_, None) => bail!(
            "none of the {} files in {} is of its machine: record it there with `ironstrap facts`, or name a file with --facts",
            all.len(),
            paths.facts().display()
        ),
    }
}
