//! What is in a bundle: pure lists, made before anything is written.
//!
//! A host gets in when it is armed for exactly what the profile and the lock say now. Of the hosts that were asked for by
//! name, all that are refused are told at once; of the others, they are left out: a permit stays in the site when its host is installed,
//! and must neither stop the next bundle nor be renewed for its sake.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};

use super::boot_compat;
use super::bootfiles::{BootFiles, Started};
use super::host::{BundledHost, ContentFile, time};
use super::initramfs;
use super::manifest::{self, SignedManifest};
use crate::answers::{self, table::Target};
use crate::boot::dhcp::{self, Dialect};
use crate::boot::dnsmasq::{self, DhcpHost};
use crate::boot::grub::{self, BootHost, StartFiles};
use crate::failure::{Blame, BlameExt};
use crate::handoff;
use crate::host::{Host, LockedHost, Site};
use crate::image::system::NET_GRUB;
use crate::image_rules::RootView;
use crate::order::{self, BuildError, Meant, OrderParts};
use crate::spec::boot::{OrderState, order_state_path};
use crate::spec::image::{Blob, ImageManifest};
use crate::spec::installer::AgentStart;
use crate::spec::order::{InstallOrder, Permit};
use crate::spec::revocation::{self, Revocations};
use crate::spec::secure_boot::Loaders;
use crate::spec::system::SystemSpec;
use crate::trust::{SiteKey, event_public_key};
use crate::value::{Digest, Timestamp};

/// A host that is armed, with the image that its lock pins.
#[derive(Debug, Clone, Copy)]
pub struct ArmedHost<'a> {
    /// The host.
    pub host: &'a LockedHost,
    /// Its permit.
    pub permit: &'a Permit,
    /// Its image.
    pub image: &'a ImageManifest,
    /// The root file system inside it.
    pub tree: &'a dyn RootView,
    /// What starts it, as far as that can be read.
    pub loaders: Option<&'a Loaders>,
}

/// All of a bundle.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Files made here, sorted by path; manifest and signature are among them.
    pub files: Vec<ContentFile>,
    /// Blobs that come out of the store, in the order in which an install reads them.
    pub blobs: Vec<Blob>,
    /// Digest of the manifest: names all of the above.
    pub digest: Digest,
}

/// Who asked for the hosts of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The user, by their names.
    ByName,
    /// Nobody: these are all that are armed.
    AllArmed,
}

/// Hosts with their permits, sorted into those that get in and those that are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted {
    /// Armed for what the profile and the lock say now.
    pub fitting: Vec<(LockedHost, Permit)>,
    /// Armed for something else, or expired.
    pub left_out: Vec<BuildError>,
}

/// Sorts out permits that don't fit at `now`.
///
/// # Errors
/// Every permit that doesn't, a line each, if the hosts were asked for by name.
pub fn sort_out(armed: Vec<(LockedHost, Permit)>, asked: Asked, now: Timestamp) -> Result<Sorted> {
    let mut sorted = Sorted { fitting: Vec::new(), left_out: Vec::new() };
    for (host, permit) in armed {
        let Host { name, target, matching, wipe, .. } = &host.host;
        let meant = Meant { host: name, image: &host.image, target, matching, wipe: *wipe };
        match order::check(&permit, &meant, now) {
            Ok(()) => sorted.fitting.push((host, permit)),
            Err(error) => sorted.left_out.push(error),
        }
    }
    let reasons: Vec<_> = sorted.left_out.iter().map(ToString::to_string).collect();
    match asked {
        Asked::ByName if !reasons.is_empty() => bail!("{}", reasons.join("\n")),
        _ => Ok(sorted),
    }
}

/// Joins permits and hosts into signed orders. Media of the site's former keys, as far as their secret halves are there, stay
/// believed.
///
/// # Errors
/// Every host that can't be joined, a line each.
pub fn signed_orders(
    site: &Site,
    hosts: &[ArmedHost<'_>],
    key: &SiteKey,
    former: &[SiteKey],
    now: Timestamp,
) -> Result<Vec<BundledHost>> {
    let mut bundled = Vec::new();
    let mut refused = Vec::new();
    for armed in hosts {
        match join(site, armed, key, now) {
            Ok(mut host) => {
                let events = |key: &SiteKey| event_public_key(&key.event_secret(&host.order.id));
                host.former_events = former.iter().map(events).collect();
                bundled.push(host);
            }
            Err(error) => refused.push(format!("{error:#}")),
        }
    }
    if !refused.is_empty() {
        bail!("{}", refused.join("\n"));
    }
    bundled.sort_by(|a, b| a.order.host.cmp(&b.order.host));
    Ok(bundled)
}

fn join(site: &Site, armed: &ArmedHost<'_>, key: &SiteKey, now: Timestamp) -> Result<BundledHost> {
    let host = &armed.host.host;
    let start = host.agent_start().with_context(|| {
        format!(
            "{}: its installer needs no order; boot it with the answer file that `ironstrap render` prints",
            host.name
        )
    })?;
    answers::require_supported(host, Target::Native)?;
    let system = handoff::system(armed.host, site, &armed.image.system, armed.tree, &armed.permit.id)
        .with_context(|| format!("{}: making its system's files", host.name))?;
    let order = order::build(armed.permit, order_parts(armed.host, site, system, armed.loaders), key, now)?;
    let boot = BootHost::of(host, &order.id, start);
    Ok(BundledHost { signed: order::sign(&order, key)?, order, boot, former_events: Vec::new() })
}

/// All of a host's order but what its permit says.
pub fn order_parts(
    LockedHost { host, image }: &LockedHost,
    site: &Site,
    system: SystemSpec,
    loaders: Option<&Loaders>,
) -> OrderParts {
    OrderParts {
        host: host.name.clone(),
        matching: host.matching.clone(),
        image: image.clone(),
        loaders: loaders.cloned(),
        target: host.target.clone(),
        wipe: host.wipe,
        confirm_seconds: host.confirm_seconds,
        refusal_pause_seconds: host.refusal_pause_seconds,
        allow_dead_clock: host.allow_dead_clock,
        network: host.network.for_agent(),
        payload: site.server.clone(),
        server: site.server.clone(),
        system,
    }
}

/// The blobs that installs from these images read, in that order, each once: the manifest, the index, the packs.
pub fn blobs(images: &[(Blob, &ImageManifest)]) -> Vec<Blob> {
    let mut blobs: Vec<Blob> = Vec::new();
    for (manifest, image) in images {
        for blob in [*manifest, image.index].into_iter().chain(image.packs.iter().copied()) {
            if !blobs.iter().any(|known| known.digest == blob.digest) {
                blobs.push(blob);
            }
        }
    }
    blobs
}

/// The files of a stick's ESP, and what goes into its payload partition.
///
/// # Errors
/// When a configuration can't be written.
pub fn usb(hosts: &[BundledHost], boot: &BootFiles, blobs: Vec<Blob>, key: &SiteKey) -> Result<Contents> {
    let start = hosts.first().context("no host is armed")?.boot.start;
    ensure!(
        hosts.iter().all(|host| host.boot.start == start),
        "a stick starts one kernel: hosts that debian-installer hands over need a stick of their own, made with --host"
    );
    boot_compat::require_loaders_of_installers(hosts, boot)?;
    let config = grub::usb(start, &boot_hosts(hosts))?.into_bytes();
    let mut files = vec![
        file("EFI/BOOT/BOOTX64.EFI", boot.loaders.shim.clone()),
        file("EFI/BOOT/grubx64.efi", boot.loaders.grub.clone()),
        file("EFI/BOOT/grub.cfg", config.clone()),
        file(grub::USB_ORDERS, orders_archive(hosts, time(hosts))?),
    ];
    files.extend(start_files(boot, start, &StartFiles::on_stick(start))?);
    files.extend(
        boot.loaders.vendors.iter().map(|vendor| file(&format!("EFI/{vendor}/grub.cfg"), config.clone())),
    );
    complete(hosts, files, blobs, key)
}

/// The files of a tree for TFTP and HTTP. Without hosts it is one that starts nothing, and says what is revoked.
///
/// # Errors
/// An image without a GRUB for PXE, or a configuration that can't be written.
pub fn pxe(
    hosts: &[BundledHost],
    boot: &BootFiles,
    blobs: Vec<Blob>,
    revoked: &Revocations,
    key: &SiteKey,
) -> Result<Contents> {
    let mut files = revocations(revoked)?;
    for role in dnsmasq::Role::ALL {
        files.push(file(role.file(), dnsmasq::config(role, &dhcp_hosts(hosts))?.into_bytes()));
    }
    if hosts.is_empty() {
        return complete(hosts, files, blobs, key);
    }
    // all hosts of a site have its server
    if let Some(tftp) = hosts.iter().find_map(|host| dnsmasq::address(host.order.payload.as_ref())) {
        for dialect in Dialect::ALL {
            files.push(file(dialect.file(), dhcp::snippet(dialect, tftp)?.into_bytes()));
        }
    }
    let Some(loader) = &boot.loaders.grub_net else {
        let image = hosts.first().map_or_else(String::new, |host| host.order.image.image.to_string());
        bail!(
            "image {image} has no {NET_GRUB}, which machines load by PXE; add the package grub-efi-amd64-signed to it, or make a stick with --usb"
        );
    };
    boot_compat::require_loaders_of_installers(hosts, boot)?;
    for host in hosts {
        ensure!(
            host.order.payload.is_some(),
            "{}: by PXE the image comes over HTTP; set `server` in site.yaml to where `ironstrap serve` or your web server is",
            host.order.host
        );
    }
    files.push(file("bootx64.efi", boot.loaders.shim.clone()));
    files.push(file("grubx64.efi", loader.clone()));
    for start in hosts.iter().map(|host| host.boot.start).collect::<BTreeSet<_>>() {
        files.extend(start_files(boot, start, &StartFiles::over_network(start))?);
    }
    let scripts = grub::pxe(&boot_hosts(hosts))?;
    files.extend(scripts.into_iter().map(|script| file(&script.path, script.text.into_bytes())));
    for host in hosts {
        let orders = orders_archive(std::slice::from_ref(host), time(hosts))?;
        files.push(file(&grub::pxe_orders(&host.order.host), orders));
    }
    complete(hosts, files, blobs, key)
}

/// The list of revoked orders, and for each what a server answers that is asked about it.
fn revocations(revoked: &Revocations) -> Result<Vec<ContentFile>> {
    let list = serde_json::to_string_pretty(revoked).context("writing the revoked orders")? + "\n";
    let mut files = vec![file(revocation::NAME, list.into_bytes())];
    let answer = format!("{}\n", OrderState::Revoked.word());
    let answers = revoked.orders.iter().map(|revoked| order_state_path(&revoked.order));
    files.extend(answers.map(|path| file(&path, answer.clone().into_bytes())));
    Ok(files)
}

/// The files of one way to start the agent, under these names.
fn start_files(boot: &BootFiles, start: AgentStart, names: &StartFiles) -> Result<Vec<ContentFile>> {
    let Started { kernel, initrds } = boot.starts.get(&start).context("taking a kernel").blame(Blame::Bug)?;
    let initrds = names.initrds.iter().zip(initrds).map(|(name, initrd)| file(name, initrd.clone()));
    Ok(std::iter::once(file(&names.kernel, kernel.clone())).chain(initrds).collect())
}

fn boot_hosts(hosts: &[BundledHost]) -> Vec<BootHost> {
    hosts.iter().map(|host| host.boot.clone()).collect()
}

/// The hosts of a bundle as DHCP sees them.
pub fn dhcp_hosts(hosts: &[BundledHost]) -> Vec<DhcpHost> {
    let one = |order: &InstallOrder| DhcpHost {
        host: order.host.clone(),
        matching: order.matching.clone(),
        network: order.network.clone(),
        server: dnsmasq::address(order.payload.as_ref()),
    };
    hosts.iter().map(|host| one(&host.order)).collect()
}

fn orders_archive(hosts: &[BundledHost], time: Timestamp) -> Result<Vec<u8>> {
    let signed: Vec<_> = hosts.iter().map(|host| (&host.order.host, &host.signed)).collect();
    initramfs::orders(&signed, time)
}

fn file(path: &str, content: Vec<u8>) -> ContentFile {
    ContentFile { path: path.trim_start_matches('/').to_owned(), content }
}

/// Adds the manifest and its signature.
fn complete(
    hosts: &[BundledHost],
    mut files: Vec<ContentFile>,
    blobs: Vec<Blob>,
    key: &SiteKey,
) -> Result<Contents> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for pair in files.windows(2) {
        ensure!(
            pair[0].path != pair[1].path,
            "two files are called {}; do two hosts match one machine?",
            pair[0].path
        );
    }
    let SignedManifest { json, signature } = manifest::sign(&manifest::list(hosts, &files, &blobs), key)?;
    let digest = Digest::of(&json);
    files.push(file(manifest::NAME, json));
    files.push(file(manifest::SIGNATURE_NAME, signature.into_bytes()));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Contents { files, blobs, digest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::locked;

    /// web01 is installed and its order over, web02's image was locked anew, db01 was armed just now.
    fn a_week_later() -> (Vec<(LockedHost, Permit)>, Timestamp) {
        let mut armed = ["db01", "web01", "web02"].map(locked);
        let now = armed[1].1.not_after.plus_seconds(1);
        armed[0].1.not_after = now;
        armed[2].1.not_after = now;
        armed[2].0.image.manifest = Digest::of(b"rebuilt");
        (armed.to_vec(), now)
    }

    #[test]
    fn permits_that_do_not_fit_are_left_out_and_stop_nobody_else() {
        let (armed, now) = a_week_later();
        let sorted = sort_out(armed.clone(), Asked::AllArmed, now).unwrap();
        assert_eq!(sorted.fitting, armed[..1]);
        let left_out: Vec<_> = sorted.left_out.iter().map(BuildError::reason).collect();
        assert!(left_out[0].contains("web01: its order expired at"), "{left_out:?}");
        assert!(left_out[1].contains("web02: armed for another build"), "{left_out:?}");
    }

    #[test]
    fn hosts_asked_for_by_name_must_fit_and_of_all_none_has_to() {
        let (armed, now) = a_week_later();
        let named = sort_out(armed.clone(), Asked::ByName, now).unwrap_err().to_string();
        assert!(
            named.starts_with("web01: ") && named.contains("\nweb02: ") && !named.contains("db01"),
            "{named}"
        );
        assert!(named.contains("if web01 is installed, `ironstrap disarm web01`"), "{named}");
        assert!(sort_out(armed[..1].to_vec(), Asked::ByName, now).is_ok());
        let none = sort_out(armed[1..].to_vec(), Asked::AllArmed, now).unwrap();
        assert_eq!((none.fitting.len(), none.left_out.len()), (0, 2));
    }

    #[test]
    fn a_tree_without_hosts_is_one_and_says_what_is_revoked() {
        use crate::bundle::testing;
        use crate::spec::revocation::{Reason, Revoked};
        let mut revoked = Revocations::default();
        let (time, until) = (Timestamp::from_unix(5), Timestamp::from_unix(9));
        let order = crate::value::OrderId::from_random([1; 16]);
        let (host, reason) = ("web01".parse().unwrap(), Reason::Disarmed);
        revoked.add(Revoked { order: order.clone(), host, time, until, reason });
        let contents = pxe(&[], &BootFiles::default(), Vec::new(), &revoked, &testing::key()).unwrap();
        let text = |path: &str| {
            let found = contents.files.iter().find(|file| file.path == path);
            String::from_utf8(found.unwrap_or_else(|| panic!("no {path}")).content.clone()).unwrap()
        };
        assert_eq!(serde_json::from_str::<Revocations>(&text("revoked.json")).unwrap(), revoked);
        assert_eq!(text(&format!("v1/orders/{order}")), "revoked\n");
        // all of it under the manifest's signature
        let manifest = text(manifest::NAME);
        assert!(manifest.contains("revoked.json") && manifest.contains(&format!("v1/orders/{order}")));
        for role in dnsmasq::Role::ALL {
            assert!(!text(role.file()).is_empty(), "a DHCP server that reads it must start again");
        }
    }

    #[test]
    fn an_image_without_a_loader_for_pxe_is_refused_by_name() {
        use crate::bundle::testing;
        let mut boot = testing::boot();
        boot.loaders.grub_net = None;
        let error = pxe(&testing::hosts(), &boot, Vec::new(), &Revocations::default(), &testing::key())
            .unwrap_err()
            .to_string();
        assert!(error.contains("image debian-12@1 has no") && error.contains(NET_GRUB), "{error}");
    }
}
