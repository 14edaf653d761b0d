//! Files of the order, and units that start at boot.

use anyhow::{Result, ensure};

use crate::fit::{self, MASK, UNITS};
use crate::spec::system::{SystemFile, SystemSpec};
use crate::sys::rooted::{Attributes, RootedDir};

pub(super) fn apply(root: &RootedDir, system: &SystemSpec) -> Result<()> {
    system.files.iter().try_for_each(|file| write(root, file))?;
    system.units.iter().try_for_each(|unit| enable(root, unit))
}

fn write(root: &RootedDir, file: &SystemFile) -> Result<()> {
    let SystemFile { path, mode, content } = file;
    ensure!(
        path.starts_with('/') && !path.ends_with('/'),
        "`{}` is not the path of a file",
        path.escape_debug()
    );
    if let Some((parent, _)) = path.rsplit_once('/') {
        root.make_dirs(parent, Attributes::root(0o755))?;
    }
    root.write(path, Attributes::root(mode & 0o7777), content.as_bytes())
}

/// Writes a unit of ours.
pub(super) fn write_unit(root: &RootedDir, name: &str, text: &str) -> Result<()> {
    root.make_dirs(UNITS, Attributes::root(0o755))?;
    root.write(&format!("{UNITS}/{name}"), Attributes::root(0o644), text.as_bytes())
}

/// Links a unit into `multi-user.target.wants`, taking a mask off.
pub(super) fn enable(root: &RootedDir, unit: &str) -> Result<()> {
    // names first: an illegal one leads out of the folder
    let path = fit::unit_file(unit, root, &|_| false)??;
    let masked = format!("{UNITS}/{unit}");
    if root.read_link(&masked)?.as_deref() == Some(MASK) {
        root.remove(&masked)?;
    }
    let wants = format!("{UNITS}/multi-user.target.wants");
    root.make_dirs(&wants, Attributes::root(0o755))?;
    root.symlink(&path, &format!("{wants}/{unit}"), 0, 0)
}
