//! `ironstrap key retire`: the end of the trust in a former key.

use anyhow::{Result, bail};

use crate::serve::key_use::{OnKey, Stands, list};
use crate::site::paths::SitePaths;
use crate::site::{keys, rotation};
use crate::trust::KeyRing;
use crate::value::{KeyId, Timestamp};

/// Retires a key, and tells what doesn't work any more.
///
/// # Errors
/// One that is still needed, unless it is agreed; one that isn't a former key.
pub fn retire(paths: &SitePaths, asked: Option<KeyId>, yes: bool, now: Timestamp) -> Result<String> {
    let ring = keys::ring(paths)?;
    let id = match asked {
        Some(id) => id,
        None => only_former(&ring)?,
    };
    let on = ring
        .retire(id, now)
        .map(|(_, record)| Stands::read(paths, ring.clone(), now).map(|it| it.on(&record.key)));
    // a key that can't be retired has its own error
    let on = on.unwrap_or_else(|_| Ok(OnKey::default()))?;
    if on.is_needed() && !yes {
        bail!("{id} is still needed, and nothing was changed:\n{}{}", on.lines(false), way_out(&on, id));
    }
    rotation::retire(paths, id, now)?;
    let mut text =
        format!("{id} is retired: nothing that it signed counts any more, and its secret half is deleted\n");
    text.push_str(&consequences(&on));
    text.push_str("next: put ironstrap.keys under version control and wherever `serve` runs; build media anew with `ironstrap bundle`\n");
    Ok(text)
}

/// The key that is meant where none is named.
fn only_former(ring: &KeyRing) -> Result<KeyId> {
    let former: Vec<_> = ring.former().map(|record| record.key.id()).collect();
    match former[..] {
        [id] => Ok(id),
        [] => bail!(
            "the site has no former key; `ironstrap key rotate` makes another one than {}, which becomes one",
            ring.current().id()
        ),
        _ => bail!("which one? former keys are {}", list(&former)),
    }
}

fn way_out(on: &OnKey, id: KeyId) -> String {
    let mut ways = Vec::new();
    if !on.armed.is_empty() || !on.sealed.is_empty() {
        ways.push("`ironstrap bundle` makes media of the current key for armed hosts, `ironstrap disarm` gives them up".to_owned());
    }
    if !on.media.is_empty() {
        ways.push("media end with their orders".to_owned());
    }
    if !on.images.is_empty() {
        ways.push("images of other stores are to be built or imported again".to_owned());
    }
    ways.push(format!("`ironstrap key retire {id} --yes` retires it all the same"));
    ways.join("; ")
}

/// What doesn't work any more without a key.
fn consequences(on: &OnKey) -> String {
    let mut text = on.lines(false);
    if !on.media.is_empty() {
        text.push_str(
            "trees among them are refused by `serve`, a running one, too; a stick carries its key itself and can install until its orders \
             end where it reaches no server: `ironstrap arm` anew, or `disarm`, revokes them\n",
        );
    }
    if !on.sealed.is_empty() {
        text.push_str("these hosts are to be armed anew\n");
    }
    if !on.images.is_empty() {
        text.push_str("these images are to be built or imported again\n");
    }
    if !on.installed.is_empty() {
        text.push_str(
            "the disks of these hosts count as somebody's data from the next bundle on: to install one again takes `wipe: foreign` or an \
             erased disk\n",
        );
    }
    text
}
