//! `ironstrap bundle`: boot media for the hosts that are armed.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::progress::Bytes;
use super::{clocks, output, proven};
use crate::boot::dnsmasq;
use crate::bundle::agent_file::AgentFile;
use crate::bundle::assemble::Request;
use crate::bundle::contents::{self, Contents, Sorted};
use crate::bundle::{pxe as tree, usb as stick};
use crate::check;
use crate::image::store::Store;
use crate::order::BuildError;
use crate::site::context::SiteContext;
use crate::site::keys;
use crate::site::media::{self, Medium, MediumKind};
use crate::site::paths::SitePaths;
use crate::spec::order::InstallOrder;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::{files, interrupt};
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
/// An agent that no target could start, no armed host, an image that would not work, one of --host that is armed for something else or expired, a damaged
/// store, no space, or an interruption.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let Args { usb, pxe, hosts: named, agent } = args;
    interrupt::watch()?;
    // found out before the work
    usb.iter().try_for_each(|path| files::require_replaceable(path))?;
    pxe.iter().try_for_each(|path| tree::require_place(path))?;
    let agent = &AgentFile::read(agent)?;
    let store = &Store::open(&paths.store())?;
    // before it is read what is pinned: nobody takes that out meanwhile
    let _reading = store.reading();
    let context = &SiteContext::load(paths)?;
    let signing = &keys::signing(paths)?;
    let now = SystemClock.now();
    let request = Request { context, paths, store, signing, agent, named, now };
    let Sorted { fitting, left_out } = request.sort_out()?;
    output::note(&tell_left_out(&left_out));
    if fitting.is_empty() {
        tell_empty(args)?;
    }
    output::note(&check::of_hosts(paths, fitting.iter().map(|(host, _)| host))?.require()?);
    let bundle = request.assemble(&fitting)?;
    let allowing = bundle.orders().filter(|order| order.allow_dead_clock).map(|order| &order.host);
    output::note(&clocks::cost_of_allowing(allowing));
    let remember = |kind, path| {
        media::add(
            paths,
            Medium::built(kind, path, now, &signing.key.public(), bundle.orders()),
            &signing.trusted,
        )?;
        output::note(&proven::by(kind, bundle.orders()));
        anyhow::Ok(())
    };
    if let Some(path) = usb {
        output::note(&clocks::warn_of_stick(bundle.orders()));
        write("stick", path, &bundle.usb()?, store, stick::write)?;
        remember(MediumKind::Usb, path)?;
    }
    if let Some(path) = pxe {
        let told = dnsmasq::shortcomings(&contents::dhcp_hosts(bundle.hosts()));
        output::note(&told.iter().map(|text| format!("warning: {text}\n")).collect::<String>());
        write("PXE tree", path, &bundle.pxe()?, store, tree::write)
            .map_err(|error| beside(usb.as_deref(), error))?;
        remember(MediumKind::Pxe, path)?;
    }
    let line = |order: &InstallOrder| {
        let InstallOrder { host, id, generation, not_after, .. } = order;
        format!("{host}: order {id}, generation {generation}, until {not_after}\n")
    };
    Ok(bundle.orders().try_for_each(|order| output::print(&line(order)))?)
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

/// What to say of hosts that don't get in; nothing where all do.
fn tell_left_out(left_out: &[BuildError]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for refusal in left_out {
        text.push_str(&format!("left out: {}\n", refusal.reason()));
    }
    text + &format!("note: {}\n", BuildError::advice("HOST"))
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
    use crate::image::testing;

    fn arguments<T: clap::Args>(line: &[&str]) -> T {
        let command = T::augment_args(clap::Command::new("ironstrap").no_binary_name(true));
        T::from_arg_matches(&command.get_matches_from(line)).unwrap()
    }

    #[test]
    fn what_check_finds_in_a_tree_bundle_refuses_before_it_writes() {
        let Some(device) = testing::image() else { return };
        let (dir, paths) = check::testing::site("locale: { timezone: Europe/Berlin }\n");
        check::testing::lock(&paths, &device);
        std::fs::create_dir_all(paths.private()).unwrap();
        files::write_whole(&paths.secret_key(), 0o600, testing::key().to_text().as_bytes()).unwrap();
        crate::cli::arm::run(&arguments(&["web01"]), false, &paths).unwrap();
        let usb = dir.path().join("usb.img");
        let error = run(&arguments(&["--usb", usb.to_str().unwrap()]), &paths).unwrap_err();
        assert!(format!("{error:#}").contains("time zone `Europe/Berlin`"), "{error:#}");
        assert!(!usb.exists());
    }
    #[test]
    fn an_error_of_image_lint_stops_arm_and_bundle_until_the_site_waives_it() {
        let in_root = |root: &std::path::Path| {
            testing::root_files(root);
            std::fs::write(root.join("etc/fstab"), "/dev/sda1 /data ext4 nofail 0 0\n").unwrap();
        };
        let Some(root) = testing::root_device(in_root, &[]) else { return };
        let device: std::sync::Arc<dyn crate::sys::block::BlockDevice> =
            std::sync::Arc::new(testing::image_with(&root, testing::esp_files()));
        let (dir, paths) = check::testing::site("");
        check::testing::lock(&paths, &device);
        std::fs::create_dir_all(paths.private()).unwrap();
        files::write_whole(&paths.secret_key(), 0o600, testing::key().to_text().as_bytes()).unwrap();
        let arm = || crate::cli::arm::run(&arguments(&["web01", "--yes"]), false, &paths);
        let usb = dir.path().join("usb.img");
        let bundle = || run(&arguments(&["--usb", usb.to_str().unwrap()]), &paths);
        let site = dir.path().join("site.yaml");
        assert!(format!("{:#}", arm().unwrap_err()).contains("error[image-fstab-device]: web01"));
        assert!(format!("{:#}", bundle().unwrap_err()).contains("no host is armed"));
        let waived = "name: test\nwaive:\n  - { rule: image-fstab-device, reason: known }\n";
        std::fs::write(&site, waived).unwrap();
        arm().unwrap();
        std::fs::write(&site, "name: test\n").unwrap();
        let refused = format!("{:#}", bundle().unwrap_err());
        assert!(refused.contains("/etc/fstab:1: /data is mounted from /dev/sda1"), "{refused}");
        assert!(!usb.exists());
    }
}
