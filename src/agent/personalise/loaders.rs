//! What the disk is started by: GRUB beside shim, and no `fbx64.efi` that would change the boot order ([`loaders`] says why).

use anyhow::{Context, Result};

use crate::image_rules::loaders::{self, FALLBACK, GRUB};
use crate::sys::rooted::{Attributes, RootedDir};

pub(super) fn apply(esp: &RootedDir) -> Result<()> {
    if !esp.exists(FALLBACK) {
        return Ok(());
    }
    let grub = loaders::grub(esp)??;
    if grub != GRUB {
        let content = esp.read(&grub)?.with_context(|| format!("{grub} is gone"))?;
        // FAT takes the attributes only that it gives itself
        let attributes = esp.attributes(&grub)?.unwrap_or(Attributes::root(0o700));
        esp.write(GRUB, attributes, &content)?;
    }
    // last: without it and without GRUB, shim would have nothing to start
    esp.remove(FALLBACK)?;
    Ok(())
}
