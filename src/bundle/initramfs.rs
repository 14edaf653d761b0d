//! What the installer boots with: the agent, the site's key, kernel modules and their firmware; and the orders.
//!
//! Two archives. The first is large, made of the image and the agent, and kept by the digest of what it is made of. The
//! second holds orders and is small: the kernel unpacks one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::{Context, Result, bail, ensure};

use super::agent_file::AgentFile;
use super::archive::Archive;
use super::installer::DebianInstaller;
use super::modules::ModuleTables;
use crate::image::tree::{EntryType, ReadTree};
use crate::image_rules::modinfo::{firmware_names, unpack_module};
use crate::order::SignedOrder;
use crate::spec::boot::{BUNDLE_TIME, FORMER_KEYS, MAX_INITRAMFS, ORDERS, PUBLIC_KEY, order_path};
use crate::spec::installer::{self, InstallerPin};
use crate::trust::TrustedKeys;
use crate::value::{Digest, HostName, Timestamp};

/// Changes whenever the same inputs would give another archive.
const RECIPE: &str = "ironstrap initramfs 1";
/// Good enough that a higher one gains a few percent only, and done in seconds.
const LEVEL: i32 = 12;
/// Fixed, so that the number of processors of the builder can't show; the result is the same for any number.
const THREADS: u32 = 2;
/// The modules' folder in an image: the first that is there.
const MODULE_ROOTS: [&str; 2] = ["/lib/modules", "/usr/lib/modules"];
const FIRMWARE_ROOTS: [&str; 2] = ["/lib/firmware", "/usr/lib/firmware"];
/// Where an initramfs of our own holds modules and firmware; see [`crate::spec::boot::MODULES`].
const LIBRARY: &str = "lib";

/// What the first archive is made of, beside the image's tree.
#[derive(Debug, Clone, Copy)]
pub struct InitramfsParts<'a> {
    /// Digest of the image's manifest.
    pub image: &'a Digest,
    /// Kernel release, as in `/lib/modules`.
    pub release: &'a str,
    /// The agent: this program.
    pub agent: &'a AgentFile,
    /// The site's keys.
    pub keys: &'a TrustedKeys,
}

impl InitramfsParts<'_> {
    /// Names the archive that would be built: the same parts, the same digest.
    pub fn digest(&self) -> Digest {
        let text = format!(
            "{RECIPE}\n{}\n{}\n{}\n{}",
            self.image,
            self.release,
            Digest::of(self.agent.bytes()),
            key_texts(self.keys)
        );
        Digest::of(text.as_bytes())
    }
}

/// What the first archive is made of where debian-installer starts the agent, beside the installer itself.
#[derive(Debug, Clone, Copy)]
pub struct GuestParts<'a> {
    /// The installer by content.
    pub pin: &'a InstallerPin,
    /// What it reads in its initrd instead of asking: it starts the agent.
    pub preseed: &'a str,
    /// Digests of the manifests of the images whose firmware is taken.
    pub images: &'a BTreeSet<Digest>,
    /// The agent: this program.
    pub agent: &'a AgentFile,
    /// The site's keys.
    pub keys: &'a TrustedKeys,
}

impl GuestParts<'_> {
    /// Names the archive that would be built: the same parts, the same digest.
    pub fn digest(&self) -> Digest {
        let udebs = self.pin.udebs.iter().map(|(name, digest)| format!("{name} {digest}\n"));
        let images = self.images.iter().map(|digest| format!("{digest}\n"));
        let text = format!(
            "{RECIPE}, guest\n{}\n{}\n{}{}\n{}{}\n{}",
            self.pin.kernel,
            self.pin.initrd,
            udebs.collect::<String>(),
            self.preseed,
            images.collect::<String>(),
            Digest::of(self.agent.bytes()),
            key_texts(self.keys)
        );
        Digest::of(text.as_bytes())
    }
}

/// Builds the first archive for debian-installer, compressed: it is unpacked over the installer's own, which brings the system
/// calls' other ends (`/dev`, `/proc`) and goes on being the first process. Firmware comes out of the images, each file out of the
/// first that has it: a machine is given what its own image has of it, or what another has.
///
/// # Errors
/// A module that can't be read, an image that is damaged, or a result over 64 MiB.
pub fn build_guest(
    installer: &DebianInstaller,
    images: &[&dyn ReadTree],
    parts: &GuestParts<'_>,
) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.file(installer::AGENT, 0o755, parts.agent.bytes().to_vec());
    archive.file(installer::PRESEED, 0o644, parts.preseed.as_bytes().to_vec());
    add_keys(&mut archive, parts.keys);
    add_modules(&mut archive, installer.modules(), images, installer.release(), installer.library())?;
    finish(&archive)
}

/// What the keys are by; for a site that never had another one, as it always was.
fn key_texts(keys: &TrustedKeys) -> String {
    keys.current().to_text() + &keys.former_text()
}

/// The key that orders are verified by, and those that claims on disks may be sealed with besides.
fn add_keys(archive: &mut Archive, keys: &TrustedKeys) {
    archive.file(PUBLIC_KEY, 0o644, keys.current().to_text().into_bytes());
    if !keys.former().is_empty() {
        archive.file(FORMER_KEYS, 0o644, keys.former_text().into_bytes());
    }
}

/// Builds the first archive, compressed.
///
/// # Errors
/// An image without the modules of its kernel, a module that can't be read, or a result over 64 MiB.
pub fn build(root: &dyn ReadTree, parts: &InitramfsParts<'_>) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for path in ["dev", "mnt", "proc", "run", "sys", "tmp"] {
        archive.directory(path);
    }
    // until devtmpfs is mounted, the kernel gives PID 1 these or nothing
    archive.device("dev/console", 0o600, 5, 1);
    archive.device("dev/null", 0o666, 1, 3);
    archive.file("init", 0o755, parts.agent.bytes().to_vec());
    add_keys(&mut archive, parts.keys);
    add_modules(&mut archive, root, &[root], parts.release, LIBRARY)?;
    finish(&archive)
}

fn finish(archive: &Archive) -> Result<Vec<u8>> {
    let plain = archive.to_bytes()?;
    let packed = compress(&plain).context("compressing the initramfs")?;
    if packed.len() as u64 > MAX_INITRAMFS {
        bail!("{}", too_large(archive, packed.len()));
    }
    Ok(packed)
}

fn too_large(archive: &Archive, size: usize) -> String {
    let parts: Vec<_> = archive
        .largest()
        .into_iter()
        .take(10)
        .map(|(path, size)| format!("  {:>6} KiB  {path}", size.div_ceil(1024)))
        .collect();
    format!(
        "the initramfs has {} KiB, the limit is {} KiB, since firmware's memory is small; its largest parts, unpacked:\n{}",
        size.div_ceil(1024),
        MAX_INITRAMFS / 1024,
        parts.join("\n")
    )
}

fn compress(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.multithread(THREADS)?;
    encoder.write_all(plain)?;
    encoder.finish()
}

fn first_there(root: &dyn ReadTree, places: &[String]) -> Result<Option<String>> {
    for place in places {
        if root.exists(place)? {
            return Ok(Some(place.clone()));
        }
    }
    Ok(None)
}

/// Adds the modules of one tree, and their firmware out of others, below `library`.
fn add_modules(
    archive: &mut Archive,
    root: &dyn ReadTree,
    firmware_roots: &[&dyn ReadTree],
    release: &str,
    library: &str,
) -> Result<()> {
    let places = MODULE_ROOTS.map(|place| format!("{place}/{release}/modules.dep"));
    let found = first_there(root, &places)?;
    let Some(dep) = found else { bail!("no kernel modules: looked for {}", places.join(" and ")) };
    let folder = dep.trim_end_matches("/modules.dep");
    let table = |name: &str| -> Result<String> {
        let path = format!("{folder}/{name}");
        String::from_utf8(root.read(&path)?).with_context(|| format!("reading {path}"))
    };
    let (dep, alias, softdep) = (table("modules.dep")?, table("modules.alias")?, table("modules.softdep")?);
    let selection = ModuleTables::parse(&dep, &alias, &softdep)
        .and_then(|tables| tables.select())
        .with_context(|| format!("selecting modules in {folder}"))?;
    let mut firmware = BTreeSet::new();
    let target = format!("{library}/modules/{release}");
    for file in &selection.files {
        let path = format!("{folder}/{file}");
        let content = root.read(&path)?;
        firmware.extend(firmware_names(&path, &unpack_module(&path, &content)?)?);
        archive.file(&format!("{target}/{file}"), 0o644, content);
    }
    archive.file(&format!("{target}/modules.dep"), 0o644, selection.dep.into_bytes());
    archive.file(&format!("{target}/modules.alias"), 0o644, selection.alias.into_bytes());
    archive.file(&format!("{target}/modules.softdep"), 0o644, selection.softdep.into_bytes());
    archive.file(&format!("{target}/modules.builtin"), 0o644, table("modules.builtin")?.into_bytes());
    add_firmware(archive, firmware_roots, &firmware, &format!("{library}/firmware"))
}

/// Adds what of these names the images have, packed or not. The same content under a second name becomes a link.
fn add_firmware(
    archive: &mut Archive,
    roots: &[&dyn ReadTree],
    names: &BTreeSet<String>,
    place: &str,
) -> Result<()> {
    let mut folders = Vec::new();
    for root in roots {
        let found = first_there(*root, &FIRMWARE_ROOTS.map(str::to_owned))?;
        folders.extend(found.map(|folder| (*root, folder)));
    }
    let mut known: BTreeMap<Digest, String> = BTreeMap::new();
    for name in names {
        for (root, folder, file) in firmware_places(&folders, name)? {
            let content = root.read(&format!("{folder}/{file}"))?;
            let target = format!("{place}/{file}");
            match known.get(&Digest::of(&content)) {
                Some(first) if *first != target => archive.link(&target, format!("/{first}")),
                Some(_) => {}
                None => {
                    known.insert(Digest::of(&content), target.clone());
                    archive.file(&target, 0o644, content);
                }
            }
        }
    }
    Ok(())
}

/// Where the files of this name are: in the first of the folders that has any.
fn firmware_places<'a>(
    folders: &'a [(&'a dyn ReadTree, String)],
    name: &str,
) -> Result<Vec<(&'a dyn ReadTree, &'a str, String)>> {
    for (root, folder) in folders {
        let files = firmware_files(*root, folder, name)?;
        if !files.is_empty() {
            return Ok(files.into_iter().map(|file| (*root, folder.as_str(), file)).collect());
        }
    }
    Ok(Vec::new())
}

fn firmware_files(root: &dyn ReadTree, folder: &str, name: &str) -> Result<Vec<String>> {
    let (parent, last) = name.rsplit_once('/').map_or((None, name), |(parent, last)| (Some(parent), last));
    if !last.contains(['*', '?', '[']) {
        let names = ["", ".xz", ".zst"].map(|ending| format!("{name}{ending}"));
        let there = names.into_iter().map(|file| Ok((root.exists(&format!("{folder}/{file}"))?, file)));
        let there: Vec<(bool, String)> = there.collect::<Result<_>>()?;
        return Ok(there.into_iter().filter(|(there, _)| *there).map(|(_, file)| file).take(1).collect());
    }
    let place = parent.map_or(folder.to_owned(), |parent| format!("{folder}/{parent}"));
    let Ok(pattern) = glob::Pattern::new(last) else { return Ok(Vec::new()) };
    if !root.exists(&place)? {
        return Ok(Vec::new());
    }
    let plain = |file: &str| file.trim_end_matches(".xz").trim_end_matches(".zst").to_owned();
    let entries = root.list(&place)?.into_iter().filter(|entry| entry.kind != EntryType::Directory);
    let matching = entries.filter(|entry| pattern.matches(&plain(&entry.name))).map(|entry| entry.name);
    Ok(matching.map(|file| parent.map_or(file.clone(), |parent| format!("{parent}/{file}"))).collect())
}

/// The second archive: these orders and the time that no target's clock may be before. Not compressed: it is small, and
/// a loader can hand it to the kernel as it is.
///
/// # Errors
/// Two orders for one host.
pub fn orders(orders: &[(&HostName, &SignedOrder)], time: Timestamp) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.file(BUNDLE_TIME, 0o644, format!("{time}\n").into_bytes());
    let mut seen = BTreeSet::new();
    for (host, order) in orders {
        ensure!(seen.insert(*host), "two orders for {host} in {ORDERS}");
        let path = order_path(host);
        archive.file(&path, 0o644, order.json.clone());
        archive.file(&format!("{path}.minisig"), 0o644, order.signature.clone().into_bytes());
    }
    archive.to_bytes()
}

#[cfg(test)]
pub(crate) mod tests;
