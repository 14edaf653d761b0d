//! Files of the order, and units that start at boot.

use std::borrow::Cow;

use anyhow::{Result, ensure};

use crate::image_rules::{self, MASK, UNITS};
use crate::spec::event::Outcomes;
use crate::spec::system::{Outcome, SystemFile, SystemSpec, TOKEN};
use crate::sys::rooted::{Attributes, RootedDir};
use crate::value::Token;

/// Returns what proves the outcomes of the hand-off, where a file wants a token for that.
pub(super) fn apply(
    root: &RootedDir,
    system: &SystemSpec,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Option<Outcomes>> {
    let mut token = || {
        let mut bytes = [0; 32];
        random(&mut bytes);
        Token::from_bytes(bytes)
    };
    let tokens = Tokens { converged: token(), failed: token() };
    system.files.iter().try_for_each(|file| write(root, file, &tokens))?;
    system.units.iter().try_for_each(|unit| enable(root, unit))?;
    let wanted = system.files.iter().any(|file| file.token.is_some());
    Ok(wanted.then(|| Outcomes { converged: tokens.converged.digest(), failed: tokens.failed.digest() }))
}

/// Random for each install, and on its disk only.
struct Tokens {
    converged: Token,
    failed: Token,
}

fn write(root: &RootedDir, file: &SystemFile, tokens: &Tokens) -> Result<()> {
    let SystemFile { path, mode, content, token } = file;
    let content = match token {
        None => Cow::Borrowed(content),
        Some(outcome) => {
            let token = match outcome {
                Outcome::Converged => &tokens.converged,
                Outcome::Failed => &tokens.failed,
            };
            Cow::Owned(content.replace(TOKEN, &token.reveal_text()))
        }
    };
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
    let path = image_rules::unit_file(unit, root, &|_| false)??;
    let masked = format!("{UNITS}/{unit}");
    if root.read_link(&masked)?.as_deref() == Some(MASK) {
        root.remove(&masked)?;
    }
    let wants = format!("{UNITS}/multi-user.target.wants");
    root.make_dirs(&wants, Attributes::root(0o755))?;
    root.symlink(&path, &format!("{wants}/{unit}"), 0, 0)
}
