//! What starts the agent on the hosts of a bundle: taken out of their images and installers, or built of them.
//!
//! An archive takes a minute to build: it is kept in the site's cache under a name that says all that it is made of.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use anyhow::{Context, Result};

use super::assemble::Request;
use super::bootfiles::{self, BootFiles, Started};
use super::host::BundledHost;
use super::images::Images;
use super::initramfs::{self, GuestParts, InitramfsParts};
use super::installer;
use crate::answers;
use crate::failure::{Blame, BlameExt};
use crate::image::stored::StoredImage;
use crate::image::tree::ReadTree;
use crate::spec::installer::{AgentStart, DebianRelease};
use crate::sys::files;
use crate::value::Digest;

/// What it is made of.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The site and the agent.
    pub request: Request<'a>,
    /// The hosts' images, open.
    pub images: &'a Images,
}

/// Loaders out of the first host's image, and whatever the hosts start the agent with.
///
/// # Errors
/// An image or an installer that lacks what is needed, is damaged or isn't the pinned one; no space for the cache.
pub fn boot_files(hosts: &[BundledHost], sources: &Sources<'_>) -> Result<BootFiles> {
    let Some(first) = hosts.first() else { return Ok(BootFiles::default()) };
    let loaders = sources.opened(first, |image| bootfiles::loaders(&image.esp()?, &image.root()?))?;
    let mut starts = BTreeMap::new();
    for host in hosts {
        if let Entry::Vacant(vacant) = starts.entry(host.boot.start) {
            vacant.insert(match host.boot.start {
                AgentStart::Kernel => sources.image_start(host)?,
                AgentStart::Installer(release) => sources.installer_start(release, hosts)?,
            });
        }
    }
    Ok(BootFiles { loaders, starts })
}

impl Sources<'_> {
    /// Looks into a host's image.
    fn opened<T>(&self, host: &BundledHost, look: impl FnOnce(&StoredImage) -> Result<T>) -> Result<T> {
        let pin = &host.order.image;
        let manifest = &self.images.get(&pin.manifest)?.manifest;
        StoredImage::open(self.images.store(), manifest)
            .and_then(|image| look(&image))
            .with_context(|| format!("taking the installer out of image {}", pin.image))
    }

    /// The kernel of a host's image with the agent's initramfs. The images of the others that start so have the same kernel.
    fn image_start(&self, host: &BundledHost) -> Result<Started> {
        let Request { agent, signing, .. } = self.request;
        let image = &host.order.image.manifest;
        let release = &self.images.get(image)?.manifest.system.kernel;
        let parts = InitramfsParts { image, release, agent, keys: &signing.trusted };
        self.opened(host, |image| {
            let root = image.root()?;
            let kernel = bootfiles::kernel(&root, release)?;
            let initramfs = self.cached(&parts.digest(), || initramfs::build(&root, &parts))?;
            Ok(Started { kernel, initrds: vec![initramfs] })
        })
    }

    /// An installer with the agent's archive for it, which serves all of the hosts that start it.
    fn installer_start(&self, release: DebianRelease, hosts: &[BundledHost]) -> Result<Started> {
        let Request { context, paths, agent, signing, .. } = self.request;
        let mut its = BTreeMap::new();
        for host in hosts.iter().filter(|host| host.boot.start == AgentStart::Installer(release)) {
            its.entry(host.order.image.manifest).or_insert(host);
        }
        let host = its.values().next().context("no host starts this installer").blame(Blame::Bug)?;
        let pin = context.lock().debian_installer.get(&release);
        let pin = pin.with_context(|| {
            format!(
                "{}: the installer of {release} is not in ironstrap.lock; run `ironstrap lock` first",
                host.order.host
            )
        })?;
        let installer = installer::read(&context.site, paths, release)?.verify(pin)?;
        let preseed = answers::take_over(release.into(), context.host(&host.order.host)?)?.text;
        let digests = its.keys().copied().collect();
        let (pin, keys) = (installer.pin(), &signing.trusted);
        let parts = GuestParts { pin, preseed: &preseed, images: &digests, agent, keys };
        let initramfs = self.cached(&parts.digest(), || {
            let opened_installer = installer.open()?;
            for digest in its.keys() {
                let manifest = &self.images.get(digest)?.manifest;
                for filesystem in [Some(&manifest.root), manifest.boot.as_ref()].into_iter().flatten() {
                    opened_installer
                        .require_mountable(filesystem.kind)
                        .with_context(|| format!("image {} by the installer of {release}", manifest.image))?;
                }
            }
            let roots = its.values().map(|host| self.opened(host, StoredImage::root));
            let roots: Vec<_> = roots.collect::<Result<_>>()?;
            let roots: Vec<&dyn ReadTree> = roots.iter().map(|root| root as &dyn ReadTree).collect();
            initramfs::build_guest(&opened_installer, &roots, &parts)
        })?;
        let (kernel, own) = (installer.kernel().to_vec(), installer.initrd().to_vec());
        Ok(Started { kernel, initrds: vec![own, initramfs] })
    }

    fn cached(&self, parts: &Digest, build: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        cached(&self.request.paths.cache().join(format!("initramfs-{parts}")), build)
    }
}

/// What was built before under this name, if it is intact: 32 bytes of digest stand before the content.
fn cached(path: &Path, build: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    if let Ok(mut kept) = std::fs::read(path)
        && kept.len() > 32
        && Digest::of(&kept[32..]).as_bytes() == &kept[..32]
    {
        kept.drain(..32);
        return Ok(kept);
    }
    let content = build()?;
    files::write_whole(path, 0o600, &[&Digest::of(&content).as_bytes()[..], &content].concat())?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_damaged_cache_is_built_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache/x");
        assert_eq!(cached(&path, || Ok(b"built".to_vec())).unwrap(), b"built");
        assert_eq!(cached(&path, || bail!("not needed")).unwrap(), b"built");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[33] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(cached(&path, || Ok(b"again".to_vec())).unwrap(), b"again");
    }
}
