//! What `bundle` and the hosts' own installers would refuse, host by host.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result, anyhow, bail};

use super::OfStore;
use crate::answers::{self, table::Target};
use crate::boot::grub::{self, BootHost};
use crate::bundle::images::OpenImage;
use crate::bundle::installer;
use crate::handoff;
use crate::host::{Host, Installer};
use crate::site::context::SiteContext;
use crate::site::paths::SitePaths;
use crate::spec::installer::{AgentStart, DebianRelease};
use crate::value::{HostName, OrderId};

/// What `bundle` would refuse of the hosts that the agent installs, a text a host: all of it where the host's image is
/// locked and in the store, else what shows without the image.
pub fn installs(paths: &SitePaths, context: &SiteContext, images: &mut OfStore) -> Vec<String> {
    let unpacked = unpacked(context, images);
    let mut pinned = Pinned { paths, context, known: BTreeMap::new() };
    // any order would do
    let order = OrderId::from_random([0; 16]);
    let mut judged = HashSet::new();
    let mut refuse = |host, start: AgentStart| -> Result<()> {
        answers::require_supported(host, Target::Native)?;
        if let Some(release) = start.installer() {
            installer::place(&context.site, release).with_context(|| host.name.to_string())?;
            pinned.require(host, release)?;
        }
        let boot = BootHost::of(host, &order, start);
        // but for quoted names, scripts differ in these alone
        match judged.contains(&(start, &host.kernel_args[..])) {
            true => grub::require_found(&boot)?,
            false => grub::pxe(std::slice::from_ref(&boot)).map(drop)?,
        }
        judged.insert((start, &host.kernel_args[..]));
        match context.pin(host).as_ref().and_then(|pin| images.get(pin)) {
            Some(image) => {
                let OpenImage { manifest, inside, .. } =
                    image.map_err(|error| anyhow!("{}: {error}", host.name))?;
                let locked = context.locked(host)?;
                handoff::system(&locked, &context.site, &manifest.system, inside, &order).map(drop)
            }
            None => Ok(handoff::seed(host, &context.site).map(drop)?),
        }
    };
    let by_agent = context.hosts.iter().filter_map(|host| Some((host, host.agent_start()?)));
    let by_agent = by_agent.filter_map(|(host, start)| refuse(host, start).err());
    unpacked.into_iter().chain(by_agent.map(|error| format!("{error:#}"))).collect()
}

/// The installers that the lock file pins, where their files are on this machine, each looked at once.
struct Pinned<'a> {
    paths: &'a SitePaths,
    context: &'a SiteContext,
    /// The first host that starts one whose files are refused.
    known: BTreeMap<DebianRelease, Option<&'a HostName>>,
}

impl<'a> Pinned<'a> {
    /// # Errors
    /// An installer that isn't the pinned one: how it differs for the first host, and that it does for others.
    fn require(&mut self, host: &'a Host, release: DebianRelease) -> Result<()> {
        match self.known.get(&release) {
            Some(None) => Ok(()),
            Some(Some(first)) => {
                bail!("{}: the installer of {release} is refused, as for {first}", host.name)
            }
            None => {
                let verified = self.verify(release);
                self.known.insert(release, verified.is_err().then_some(&host.name));
                verified.with_context(|| host.name.to_string())
            }
        }
    }

    fn verify(&self, release: DebianRelease) -> Result<()> {
        let Self { paths, context, .. } = self;
        match context.lock().debian_installer.get(&release) {
            Some(pin) if installer::is_here(&context.site, paths, release) => {
                installer::read(&context.site, paths, release)?.verify(pin).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with images that a distribution's installer unpacks, a text a host, where the image is locked and in the
/// store.
fn unpacked(context: &SiteContext, images: &mut OfStore) -> Vec<String> {
    let mut refuse = |host: &Host| -> Result<()> {
        let Some(pin) = context.pin(host) else { return Ok(()) };
        let Some(known) = images.get(&pin) else { return Ok(()) };
        let OpenImage { manifest, inside, .. } = known.map_err(|error| anyhow!("{}: {error}", host.name))?;
        let found = handoff::unpacked_incompatibilities(host, &context.site, &manifest.system, inside)?;
        if !found.is_empty() {
            bail!("{}: can't be installed with {}:\n  {}", host.name, pin.image, found.join("\n  "));
        }
        Ok(())
    };
    let hosts = context.hosts.iter().filter(|host| host.installer == Installer::Anaconda);
    hosts.filter_map(|host| refuse(host).err()).map(|error| format!("{error:#}")).collect()
}
