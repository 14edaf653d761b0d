//! `ironstrap bundle`: boot media for the hosts that are armed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::context::SiteContext;
use super::keys::Signing;
use super::media::{self, Kind, Medium};
use super::paths::SitePaths;
use super::progress::Bytes;
use super::{clocks, installers, keys, output, permits, proven, revocations};
use crate::answers;
use crate::boot::dnsmasq;
use crate::bundle::agent_file::AgentFile;
use crate::bundle::bootfiles::{self, BootFiles, Started};
use crate::bundle::contents::{self, ArmedHost, Asked, Contents, Sorted};
use crate::bundle::initramfs::{self, GuestParts, InitramfsParts};
use crate::bundle::inside::Inside;
use crate::bundle::parts::BundledHost;
use crate::bundle::{pxe, starts, usb};
use crate::failure::{Blame, BlameExt};
use crate::host::{Host, LockedHost};
use crate::image::store::Store;
use crate::image::stored::StoredImage;
use crate::image::tree::ReadTree;
use crate::order::BuildError;
use crate::spec::image::{Blob, ImageManifest, ImagePin};
use crate::spec::installer::{AgentStart, DebianRelease};
use crate::spec::order::Permit;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::{files, interrupt};
use crate::trust::{TrustedKeys, Verified};
use crate::value::{Digest, HostName};

/// Build boot media for the hosts that are armed.
///
/// Every order in it was minted by `ironstrap arm`, and the tree tells which were revoked. Without an armed host, the tree is one
/// that installs nothing. The same site, state and keys give the same bytes, as long as the orders
/// hold. Hosts whose permit expired, or was given for another image, disk or machine than the site means now, are left out, and
/// it is said; with --host, they are an error.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("medium").required(true).multiple(true).args(["usb", "pxe"])))]
pub struct Args {
    /// Write the image of a USB stick to this file.
    #[arg(long, value_name = "FILE")]
    usb: Option<PathBuf>,
    /// Write a tree for TFTP and HTTP to this directory.
    #[arg(long, value_name = "DIR")]
    pxe: Option<PathBuf>,
    /// Only these hosts, of those that are armed.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<HostName>,
    /// The agent's binary, where it isn't this program.
    #[arg(long, value_name = "FILE", hide = true, default_value = "/proc/self/exe")]
    agent: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// An agent that no target could start, no armed host, one of --host that is armed for something else or expired, a damaged
/// store, no space, or an interruption.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    interrupt::watch()?;
    // found out before the work
    args.usb.iter().try_for_each(|path| files::require_replaceable(path))?;
    args.pxe.iter().try_for_each(|path| pxe::require_place(path))?;
    let agent = read_agent(&args.agent)?;
    let context = SiteContext::load(paths)?;
    let Signing { key, former, trusted } = keys::signing(paths)?;
    let store = Store::open(&paths.store())?;
    let now = SystemClock.now();
    let asked = if args.hosts.is_empty() { Asked::AllArmed } else { Asked::ByName };
    let Sorted { fitting: armed, left_out } =
        contents::sort_out(armed_hosts(&context, paths, &args.hosts, &trusted)?, asked, now)?;
    output::note(&tell_left_out(&left_out));
    if armed.is_empty() {
        tell_empty(args)?;
    }
    let images = images(&store, &armed, &trusted)?;
    let own_kernels = armed.iter().filter(|(host, _)| host.host.agent_start() == Some(AgentStart::Kernel));
    starts::require_one_kernel(
        own_kernels
            .map(|(host, _)| (&host.host.name, images[&host.image.manifest].manifest.system.kernel.as_str())),
    )?;
    let joined: Vec<_> = armed
        .iter()
        .map(|(host, permit)| {
            let Image { manifest, inside } = &images[&host.image.manifest];
            ArmedHost { host, permit, image: manifest, tree: inside }
        })
        .collect();
    let hosts = contents::orders(&context.site, &joined, &key, &former, now)?;
    let place = Place { context: &context, paths, store: &store };
    let boot = boot_files(&agent, &trusted, &place, &hosts, &images)?;
    let blobs = contents::blobs(&listed(&store, &hosts, &images)?);
    let orders = || hosts.iter().map(|host| &host.order);
    let allowing = orders().filter(|order| order.allow_dead_clock).map(|order| &order.host);
    output::note(&clocks::cost_of_allowing(allowing));
    if let Some(path) = &args.usb {
        output::note(&clocks::warn_of_stick(orders()));
        let contents = contents::usb(&hosts, &boot, blobs.clone(), &key)?;
        write("stick", path, &contents, &store, usb::write)?;
        media::add(paths, Medium::built(Kind::Usb, path, now, &key.public(), &hosts), &trusted)?;
        output::note(&proven::by(Kind::Usb, orders()));
    }
    if let Some(path) = &args.pxe {
        let told = dnsmasq::shortcomings(&contents::dhcp_hosts(&hosts));
        output::note(&told.iter().map(|text| format!("warning: {text}\n")).collect::<String>());
        let contents = contents::pxe(&hosts, &boot, blobs, &revocations::read(paths)?, &key)?;
        write("PXE tree", path, &contents, &store, pxe::write)
            .map_err(|error| beside(args.usb.as_deref(), error))?;
        media::add(paths, Medium::built(Kind::Pxe, path, now, &key.public(), &hosts), &trusted)?;
        output::note(&proven::by(Kind::Pxe, orders()));
    }
    for host in &hosts {
        output::print(&format!(
            "{}: order {}, generation {}, until {}\n",
            host.order.host, host.order.id, host.order.generation, host.order.not_after
        ))?;
    }
    Ok(())
}

/// The armed hosts with their permits; those that were named, or all of the site's.
fn armed_hosts(
    context: &SiteContext,
    paths: &SitePaths,
    named: &[HostName],
    keys: &TrustedKeys,
) -> Result<Vec<(LockedHost, Permit)>> {
    let hosts: Vec<&Host> = match named {
        [] => context.hosts.iter().collect(),
        named => named.iter().map(|name| context.host(name)).collect::<Result<_>>()?,
    };
    let mut armed: BTreeMap<HostName, (LockedHost, Permit)> = BTreeMap::new();
    for host in hosts {
        match permits::proven(paths, &host.name, keys)? {
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

/// A tree without a host says that nothing is to be installed; a stick without one says nothing.
fn tell_empty(args: &Args) -> Result<()> {
    if args.usb.is_some() {
        bail!(
            "no host is armed, so there is nothing to install from a stick; run `ironstrap arm HOST` first"
        );
    }
    output::note("note: no host is armed: the tree installs nothing, and has no loader\n");
    Ok(())
}

/// An image that a bundle needs.
struct Image {
    manifest: Verified<ImageManifest>,
    inside: Inside,
}

/// What to say of hosts that don't get in; nothing where all do.
fn tell_left_out(left_out: &[BuildError]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for misfit in left_out {
        text.push_str(&format!("left out: {}\n", misfit.reason()));
    }
    text + &format!("note: {}\n", BuildError::advice("HOST"))
}

type Images = BTreeMap<Digest, Image>;

fn images(store: &Store, armed: &[(LockedHost, Permit)], keys: &TrustedKeys) -> Result<Images> {
    let mut images = Images::new();
    for (host, _) in armed {
        let ImagePin { image, manifest: digest } = &host.image;
        if images.get(digest).is_some_and(|known| known.manifest.image == *image) {
            continue;
        }
        let found = store.manifest(image, digest, keys).and_then(|manifest| {
            let inside = Inside::open(store, &manifest)?;
            Ok(Image { manifest, inside })
        });
        let found = found.with_context(|| format!("{}: reading its image {image}", host.host.name))?;
        images.insert(*digest, found);
    }
    Ok(images)
}

/// The images in the order of the hosts, each with the blob of its manifest.
fn listed<'a>(
    store: &Store,
    hosts: &[BundledHost],
    images: &'a Images,
) -> Result<Vec<(Blob, &'a ImageManifest)>> {
    let mut listed = Vec::new();
    for host in hosts {
        let digest = host.order.image.manifest;
        let path = store.blob_path(&digest);
        let size = std::fs::metadata(&path).with_context(|| format!("reading {}", path.display()))?.len();
        listed.push((Blob { digest, size }, &*images[&digest].manifest));
    }
    Ok(listed)
}

/// Loaders out of the first host's image, and whatever the hosts start the agent with: large archives come from the cache where
/// they are there.
fn boot_files(
    agent: &AgentFile,
    keys: &TrustedKeys,
    place: &Place<'_>,
    hosts: &[BundledHost],
    images: &Images,
) -> Result<BootFiles> {
    let Some(first) = hosts.first() else { return Ok(BootFiles::default()) };
    let loaders =
        opened(place.store, images, first, |image| bootfiles::loaders(&image.esp()?, &image.root()?))?;
    let mut starts = BTreeMap::new();
    for host in hosts {
        if let Entry::Vacant(vacant) = starts.entry(host.boot.start) {
            vacant.insert(match host.boot.start {
                AgentStart::Kernel => image_start(agent, keys, place, host, images)?,
                AgentStart::Installer(release) => {
                    installer_start(agent, keys, place, release, hosts, images)?
                }
            });
        }
    }
    Ok(BootFiles { loaders, starts })
}

/// Where the parts of a bundle come from.
struct Place<'a> {
    context: &'a SiteContext,
    paths: &'a SitePaths,
    store: &'a Store,
}

/// Looks into a host's image.
fn opened<T>(
    store: &Store,
    images: &Images,
    host: &BundledHost,
    look: impl FnOnce(&StoredImage) -> Result<T>,
) -> Result<T> {
    let pin = &host.order.image;
    StoredImage::open(store, &images[&pin.manifest].manifest)
        .and_then(|image| look(&image))
        .with_context(|| format!("taking the installer out of image {}", pin.image))
}

/// The kernel of a host's image with the agent's initramfs. The images of the others that start so have the same kernel.
fn image_start(
    agent: &AgentFile,
    keys: &TrustedKeys,
    place: &Place<'_>,
    host: &BundledHost,
    images: &Images,
) -> Result<Started> {
    let image = &host.order.image.manifest;
    let release = &images[image].manifest.system.kernel;
    let parts = InitramfsParts { image, release, agent, keys };
    opened(place.store, images, host, |image| {
        let root = image.root()?;
        let kernel = bootfiles::kernel(&root, release)?;
        let path = place.paths.cache().join(format!("initramfs-{}", parts.digest()));
        let initramfs = cached(&path, || initramfs::build(&root, &parts))?;
        Ok(Started { kernel, initrds: vec![initramfs] })
    })
}

/// An installer with the agent's archive for it, which serves all of the hosts that start it.
fn installer_start(
    agent: &AgentFile,
    keys: &TrustedKeys,
    place: &Place<'_>,
    release: DebianRelease,
    hosts: &[BundledHost],
    images: &Images,
) -> Result<Started> {
    let mut its = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.boot.start == AgentStart::Installer(release)) {
        its.entry(host.order.image.manifest).or_insert(host);
    }
    let host = its.values().next().context("no host starts this installer").blame(Blame::Bug)?;
    let pin = place.context.lock().debian_installer.get(&release);
    let pin = pin.with_context(|| {
        format!(
            "{}: the installer of {release} is not in ironstrap.lock; run `ironstrap lock` first",
            host.order.host
        )
    })?;
    let installer = installers::read(&place.context.site, place.paths, release)?.verify(pin)?;
    let preseed = answers::take_over(release.into(), place.context.host(&host.order.host)?)?.text;
    let digests = its.keys().copied().collect();
    let parts = GuestParts { pin: installer.pin(), preseed: &preseed, images: &digests, agent, keys };
    let path = place.paths.cache().join(format!("initramfs-{}", parts.digest()));
    let initramfs = cached(&path, || {
        let opened_installer = installer.open()?;
        let roots = its.values().map(|host| opened(place.store, images, host, StoredImage::root));
        let roots: Vec<_> = roots.collect::<Result<_>>()?;
        let roots: Vec<&dyn ReadTree> = roots.iter().map(|root| root as &dyn ReadTree).collect();
        initramfs::build_guest(&opened_installer, &roots, &parts)
    })?;
    let (kernel, own) = (installer.kernel().to_vec(), installer.initrd().to_vec());
    Ok(Started { kernel, initrds: vec![own, initramfs] })
}

/// The agent, if a target can start it.
fn read_agent(path: &Path) -> Result<AgentFile> {
    let name = std::fs::read_link(path).unwrap_or_else(|_| path.to_owned());
    let using = || format!("taking {} as the agent", name.display());
    AgentFile::parse(std::fs::read(path).with_context(using)?).with_context(using)
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

/// What else is to say when the second medium of a command fails: the first one is finished and new.
fn beside(finished: Option<&Path>, error: anyhow::Error) -> anyhow::Error {
    match finished {
        Some(path) => error.context(format!("{} is finished and stays, the PXE tree isn't", path.display())),
        None => error,
    }
}

type WriteMedium =
    fn(&Path, &Contents, &dyn Fn(&Digest) -> PathBuf, &mut dyn FnMut(u64) -> Result<()>) -> Result<()>;

fn write(
    what: &'static str,
    path: &Path,
    contents: &Contents,
    store: &Store,
    medium: WriteMedium,
) -> Result<()> {
    let total = contents.blobs.iter().map(|blob| blob.size).sum();
    let mut bar = Bytes::default();
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let mut done = 0;
    medium(path, contents, &|digest| store.blob_path(digest), &mut |count| {
        done += count;
        if terminal {
            bar.show(what, done, total);
        }
        interrupt::check()
    })?;
    bar.clear();
    output::print(&format!("{} written\n", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_no_target_can_start_is_refused_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("agent");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        let error = format!("{:#}", read_agent(&script).unwrap_err());
        assert!(error.contains(&format!("taking {} as the agent: ", script.display())), "{error}");
    }

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
