//! Files of the order, and units that start at boot.

use anyhow::{Result, bail, ensure};

use crate::spec::system::{SystemFile, SystemSpec};
use crate::sys::rooted::{Attributes, EntryKind, RootedDir};

const UNITS: &str = "/etc/systemd/system";
/// Where units stand, in the order in which systemd looks.
const UNIT_DIRECTORIES: [&str; 4] =
    [UNITS, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

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
    let legal = |c: char| c.is_ascii_alphanumeric() || ":_.@-".contains(c);
    let kind = unit.rsplit_once('.').map(|(_, kind)| kind);
    ensure!(
        unit.chars().all(legal) && matches!(kind, Some("service" | "timer" | "target" | "socket" | "path")),
        "`{}` is not the name of a unit that can be enabled",
        unit.escape_debug()
    );
    let masked = format!("{UNITS}/{unit}");
    if root.read_link(&masked)?.as_deref() == Some("/dev/null") {
        root.remove(&masked)?;
    }
    let template = match (unit.split_once('@'), kind) {
        (Some((name, _)), Some(kind)) => format!("{name}@.{kind}"),
        _ => unit.to_owned(),
    };
    for directory in UNIT_DIRECTORIES {
        let path = format!("{directory}/{template}");
        if matches!(root.kind(&path)?, Some(EntryKind::File | EntryKind::Link)) {
            let wants = format!("{UNITS}/multi-user.target.wants");
            root.make_dirs(&wants, Attributes::root(0o755))?;
            return root.symlink(&path, &format!("{wants}/{unit}"), 0, 0);
        }
    }
    bail!("the image has no unit `{template}`")
}
