//! From a site to what its boot media hold: which hosts get in, their orders, and what starts the agent on them.
//!
//! Reads the site, the store and the cache; writes nothing but the cache. [`usb`](super::usb) and [`pxe`](super::pxe) write what
//! comes of it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};

use super::agent_file::AgentFile;
use super::boot_build::{self, Sources};
use super::boot_compat;
use super::bootfiles::BootFiles;
use super::contents::{self, ArmedHost, Asked, Contents, Sorted};
use super::host::BundledHost;
use super::images::Images;
use crate::host::{Host, LockedHost};
use crate::image::store::Store;
use crate::site::context::SiteContext;
use crate::site::keys::Signing;
use crate::site::paths::SitePaths;
use crate::site::{permits, revocations};
use crate::spec::image::{Blob, ImageManifest};
use crate::spec::installer::AgentStart;
use crate::spec::order::{InstallOrder, Permit};
use crate::value::{HostName, Timestamp};

/// What media are to be made of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The site's hosts, and what they are pinned to.
    pub context: &'a SiteContext,
    /// Where the rest of the site is.
    pub paths: &'a SitePaths,
    /// Where its images are.
    pub store: &'a Store,
    /// Who signs.
    pub signing: &'a Signing,
    /// The agent.
    pub agent: &'a AgentFile,
    /// Only these hosts; all that are armed where there are none.
    pub named: &'a [HostName],
    /// For which orders must hold.
    pub now: Timestamp,
}

/// What media are made of; the parts in it are in the order of the hosts' names.
#[derive(Debug)]
pub struct Assembled<'a> {
    request: Request<'a>,
    hosts: Vec<BundledHost>,
    boot: BootFiles,
    blobs: Vec<Blob>,
}

impl<'a> Request<'a> {
    /// The armed hosts, sorted out: those of the request, or all of the site's.
    ///
    /// # Errors
    /// A host that was named and isn't armed, or is for something else; a permit that was edited.
    pub fn sort_out(&self) -> Result<Sorted> {
        let asked = if self.named.is_empty() { Asked::AllArmed } else { Asked::ByName };
        contents::sort_out(self.armed_hosts()?, asked, self.now)
    }

    /// Hosts with their permits, sorted by name, each once.
    fn armed_hosts(&self) -> Result<Vec<(LockedHost, Permit)>> {
        let &Self { context, paths, signing, named, .. } = self;
        let hosts: Vec<&Host> = match named {
            [] => context.hosts.iter().collect(),
            named => named.iter().map(|name| context.host(name)).collect::<Result<_>>()?,
        };
        let mut armed: BTreeMap<HostName, (LockedHost, Permit)> = BTreeMap::new();
        for host in hosts {
            match permits::proven(paths, &host.name, &signing.trusted)? {
                Some(permit) => {
                    armed.insert(host.name.clone(), (context.locked(host)?, permit));
                }
                None if !named.is_empty() => {
                    bail!("{0} is not armed; run `ironstrap arm {0}` first", host.name)
                }
                None => {}
            }
        }
        Ok(armed.into_values().collect())
    }

    /// Makes of these hosts what the media hold.
    ///
    /// # Errors
    /// Hosts that can't be joined with their images or that one medium can't start, a damaged store, no space for the cache.
    pub fn assemble(self, armed: &[(LockedHost, Permit)]) -> Result<Assembled<'a>> {
        let Self { context, store, signing, now, .. } = self;
        let mut images = Images::of(store.clone(), signing.trusted.clone());
        for (LockedHost { host, image }, _) in armed {
            let reading = || format!("{}: reading its image {}", host.name, image.image);
            images.open(image).with_context(reading)?;
        }
        let mut joined = Vec::new();
        let mut kernels = Vec::new();
        for (host, permit) in armed {
            let image = images.get(&host.image.manifest)?;
            if host.host.agent_start() == Some(AgentStart::Kernel) {
                kernels.push((&host.host.name, image.manifest.system.kernel.as_str()));
            }
            let loaders = image.loaders()?;
            joined.push(ArmedHost { host, permit, image: &image.manifest, tree: &image.inside, loaders });
        }
        boot_compat::require_one_kernel(kernels)?;
        let hosts = contents::signed_orders(&context.site, &joined, &signing.key, &signing.former, now)?;
        let boot = boot_build::boot_files(&hosts, &Sources { request: self, images: &images })?;
        let blobs = contents::blobs(&listed(&hosts, &images)?);
        Ok(Assembled { request: self, hosts, boot, blobs })
    }
}

impl Assembled<'_> {
    /// The hosts.
    pub fn hosts(&self) -> &[BundledHost] {
        &self.hosts
    }

    /// Their orders.
    pub fn orders(&self) -> impl Iterator<Item = &InstallOrder> {
        self.hosts.iter().map(|host| &host.order)
    }

    /// A stick of them.
    ///
    /// # Errors
    /// What a stick can't start.
    pub fn usb(&self) -> Result<Contents> {
        contents::usb(&self.hosts, &self.boot, self.blobs.clone(), &self.request.signing.key)
    }

    /// A tree of them, which tells what the site has revoked.
    ///
    /// # Errors
    /// What a tree can't start, or a list of revoked orders that can't be read.
    pub fn pxe(&self) -> Result<Contents> {
        let revoked = revocations::read(self.request.paths)?;
        contents::pxe(&self.hosts, &self.boot, self.blobs.clone(), &revoked, &self.request.signing.key)
    }
}

/// The images in the order of the hosts, each with the blob of its manifest.
fn listed<'a>(hosts: &[BundledHost], images: &'a Images) -> Result<Vec<(Blob, &'a ImageManifest)>> {
    let mut listed = Vec::new();
    for host in hosts {
        let digest = host.order.image.manifest;
        let path = images.store().blob_path(&digest);
        let size = fs::metadata(&path).with_context(|| format!("reading {}", path.display()))?.len();
        listed.push((Blob { digest, size }, &*images.get(&digest)?.manifest));
    }
    Ok(listed)
}
