//! What a bundle may be built from: the lock file, made of what hosts name and of what is there.
//!
//! What is pinned stays pinned until somebody asks for what names mean now. What couldn't be used isn't pinned: an image that
//! none of the site's keys signed, a tar that Anaconda couldn't install, an installer that is of two releases.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use super::installer::{self, Unverified};
use crate::host::{Host, Installer};
use crate::image::export::{self, Progress};
use crate::image::store::Store;
use crate::site::context::SiteContext;
use crate::site::paths::SitePaths;
use crate::spec::installer::{AgentStart, DebianRelease, InstallerPin};
use crate::spec::lock::{Export, LockFile};
use crate::trust::TrustedKeys;
use crate::value::{Digest, HostName, ImageRef};

/// What is to be pinned.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The hosts, and what is pinned already.
    pub context: &'a SiteContext,
    /// Where their installers are.
    pub paths: &'a SitePaths,
    /// Where their images are.
    pub store: &'a Store,
    /// Whose images may be pinned.
    pub keys: &'a TrustedKeys,
    /// Pin what names mean now, also where they are pinned, and drop what no host uses.
    pub update: bool,
}

/// A lock file that wasn't written yet.
#[derive(Debug)]
pub struct Pinned {
    /// What it says.
    pub lock: LockFile,
    /// What is new in it and what isn't what it could be, a line each.
    pub notes: String,
}

/// Pins what the hosts use.
///
/// # Errors
/// What can't be pinned, see above; an interruption that `progress` tells.
pub fn pin(request: Request<'_>, progress: &dyn Fn(u64) -> Progress) -> Result<Pinned> {
    let Request { context, paths, store, keys, update } = request;
    let (mut lock, mut notes) = pin_images(context.lock(), &uses(&context.hosts), store, keys, update)?;
    notes.push_str(&pin_exports(&mut lock, &unpacked(&context.hosts), store, keys, update, progress)?);
    notes.push_str(&pin_installers(&mut lock, context, paths, update)?);
    Ok(Pinned { lock, notes })
}

/// Every image that is used, with one of its hosts.
fn uses(hosts: &[Host]) -> BTreeMap<&ImageRef, &HostName> {
    hosts.iter().rev().filter_map(|host| Some((host.image.as_ref()?.stored()?, &host.name))).collect()
}

/// The images of the lock, and what to tell about them.
fn pin_images(
    old: &LockFile,
    uses: &BTreeMap<&ImageRef, &HostName>,
    store: &Store,
    keys: &TrustedKeys,
    update: bool,
) -> Result<(LockFile, String)> {
    let mut lock = old.clone();
    let mut notes = String::new();
    if update {
        lock.images.retain(|image, _| uses.contains_key(image));
    }
    for (image, host) in uses {
        let pinned = lock.images.get(*image).copied();
        let found = store.find(image)?;
        match (pinned, found) {
            (Some(pinned), Some(found)) if pinned == found => continue,
            (Some(pinned), _) if !update => notes.push_str(&stays(image, &pinned, found)),
            (_, None) => bail!(
                "{image}, which {host} uses, is not in the store; `ironstrap image build` or `image import` put it there"
            ),
            (_, Some(found)) => {
                store.manifest(image, &found, keys).with_context(|| format!("pinning {image}"))?;
                notes.push_str(&format!("{image} pinned to {found}\n"));
                lock.images.insert((*image).clone(), found);
            }
        }
    }
    let dropped = old.images.keys().filter(|image| !lock.images.contains_key(image));
    dropped.for_each(|image| notes.push_str(&format!("{image} dropped: no host uses it\n")));
    Ok((lock, notes))
}

/// Images of the store that a distribution's installer unpacks.
fn unpacked(hosts: &[Host]) -> BTreeSet<&ImageRef> {
    let unpacked = hosts.iter().filter(|host| host.installer == Installer::Anaconda);
    unpacked.filter_map(|host| host.image.as_ref()?.stored()).collect()
}

/// Pins the tars of these images, which must be pinned themselves; tells what is new.
fn pin_exports(
    lock: &mut LockFile,
    images: &BTreeSet<&ImageRef>,
    store: &Store,
    keys: &TrustedKeys,
    update: bool,
    progress: &dyn Fn(u64) -> Progress,
) -> Result<String> {
    let mut notes = String::new();
    if update {
        lock.exports.retain(|image, _| {
            let kept = images.contains(image);
            if !kept {
                notes.push_str(&format!("the tar of {image} dropped: no host unpacks it\n"));
            }
            kept
        });
    }
    for image in images {
        let Some(manifest) = lock.images.get(*image).copied() else { continue };
        let known = lock.tar(image);
        if known.is_some() && !update {
            continue;
        }
        let tar = store
            .manifest(image, &manifest, keys)
            .and_then(|manifest| export::tar_digest(store, &manifest, progress))
            .with_context(|| format!("pinning the tar of {image}"))?;
        if known != Some(tar) {
            notes.push_str(&format!(
                "the tar of {image} pinned to {tar}; `ironstrap image export {image} -o {image}.tar` writes it\n"
            ));
        }
        lock.exports.insert((*image).clone(), Export { manifest, tar });
    }
    Ok(notes)
}

/// Pins the installers that start the agent on some host; tells what is new.
fn pin_installers(
    lock: &mut LockFile,
    context: &SiteContext,
    paths: &SitePaths,
    update: bool,
) -> Result<String> {
    let starts = context.hosts.iter().filter_map(Host::agent_start);
    let releases: BTreeSet<_> = starts.filter_map(AgentStart::installer).collect();
    let mut notes = String::new();
    if update {
        lock.debian_installer.retain(|release, _| {
            let kept = releases.contains(release);
            if !kept {
                notes.push_str(&format!("the installer of {release} dropped: no host starts it\n"));
            }
            kept
        });
    }
    for release in releases {
        let found = installer::read(&context.site, paths, release);
        if let Some(pinned) = lock.debian_installer.get(&release).filter(|_| !update) {
            notes.push_str(&installer_stays(release, pinned, &found));
            continue;
        }
        let found = found.with_context(|| format!("pinning the installer of {release}"))?;
        let pin = found.pin();
        // what can't be used is not pinned
        let kernel = found.verify(&pin)?.open()?.release().to_owned();
        if lock.debian_installer.get(&release) != Some(&pin) {
            notes.push_str(&format!(
                "the installer of {release} pinned: kernel {kernel}, {} udebs\n",
                pin.udebs.len()
            ));
        }
        lock.debian_installer.insert(release, pin);
    }
    Ok(notes)
}

/// What to tell of an installer that is pinned already; nothing where its files are the pinned ones.
fn installer_stays(release: DebianRelease, pinned: &InstallerPin, found: &Result<Unverified>) -> String {
    let stays = format!("the installer of {release} stays pinned");
    match found.as_ref().map(|found| found.differences(pinned)) {
        Ok(differences) if differences.is_empty() => String::new(),
        Ok(differences) => {
            format!(
                "{stays}; what is there now differs (--update pins that):\n  {}\n",
                differences.join("\n  ")
            )
        }
        Err(error) => format!("{stays}, but its files can't be read: {error:#}\n"),
    }
}

fn stays(image: &ImageRef, pinned: &Digest, found: Option<Digest>) -> String {
    match found {
        Some(found) => {
            format!("{image} stays pinned to {pinned}; the store has {found} now (--update pins that)\n")
        }
        None => format!("{image} stays pinned to {pinned}, but the store doesn't have it\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::testing;

    fn quiet(_: u64) -> Progress {
        Box::new(|_| Ok(()))
    }

    fn import(
        store: &Store,
        device: &std::sync::Arc<dyn crate::sys::block::BlockDevice>,
        replace: bool,
    ) -> Digest {
        let image = "test@1".parse().unwrap();
        let key = testing::key();
        crate::image::import::import(store, device, &image, &key, replace, &mut |_, _, _| Ok(()))
            .unwrap()
            .digest
    }

    #[test]
    fn a_pin_stays_until_it_is_updated() {
        let Some(device) = testing::image() else { return };
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (image, host) = ("test@1".parse().unwrap(), "web01".parse().unwrap());
        let uses = BTreeMap::from([(&image, &host)]);
        let keys = testing::key().alone();
        let empty = LockFile::default();
        let missing = pin_images(&empty, &uses, &store, &keys, false).unwrap_err().to_string();
        assert!(missing.contains("test@1") && missing.contains("web01"), "{missing}");

        let first = import(&store, &device, false);
        let (lock, _) = pin_images(&empty, &uses, &store, &keys, false).unwrap();
        assert_eq!(lock.images[&image], first);

        let mut bytes = vec![0; device.size() as usize];
        device.read_at(0, &mut bytes).unwrap();
        bytes[1_500_000] = 1;
        let changed: std::sync::Arc<dyn crate::sys::block::BlockDevice> =
            std::sync::Arc::new(crate::sys::block::MemoryDevice::new(bytes));
        let second = import(&store, &changed, true);
        let (kept, notes) = pin_images(&lock, &uses, &store, &keys, false).unwrap();
        assert_eq!(kept, lock);
        assert!(notes.contains("--update"), "{notes}");
        let (updated, _) = pin_images(&lock, &uses, &store, &keys, true).unwrap();
        assert_eq!(updated.images[&image], second);
        let (pruned, _) = pin_images(&lock, &BTreeMap::new(), &store, &keys, true).unwrap();
        assert!(pruned.images.is_empty());
        let other = crate::trust::SiteKey::from_random([9; 40]).alone();
        assert!(
            pin_images(&empty, &uses, &store, &other, false).is_err(),
            "another site's image isn't pinned"
        );
    }

    #[test]
    fn an_installer_that_changed_stays_pinned_and_is_told() {
        let found = |initrd: &[u8]| Unverified {
            release: DebianRelease::Debian12,
            kernel: b"kernel".to_vec(),
            initrd: initrd.to_vec(),
            udebs: [("a.udeb".to_owned(), b"a".to_vec())].into(),
        };
        let pinned = found(b"initrd").pin();
        let told = |found| installer_stays(DebianRelease::Debian12, &pinned, &found);
        assert_eq!(told(Ok(found(b"initrd"))), "");
        let other = told(Ok(found(b"another")));
        assert!(
            other.starts_with("the installer of debian-12 stays pinned; what is there now differs (--update"),
            "{other}"
        );
        assert!(other.contains("\n  initrd: pinned is ") && !other.contains("a.udeb"), "{other}");
        assert!(told(Err(anyhow::anyhow!("gone"))).ends_with("can't be read: gone\n"));
    }

    #[test]
    fn a_tar_is_pinned_with_its_image_and_only_where_it_can_be_installed() {
        let files = testing::esp_files();
        let Some(root) = testing::root_device(testing::anaconda_files, &[]) else { return };
        let shim = crate::sys::fat::FatFile::new("EFI/redhat/shimx64.efi", &b"MZ"[..]);
        let device = testing::image_with(&root, files.into_iter().chain([shim]).collect());
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let keys = testing::key().alone();
        let image: ImageRef = "test@1".parse().unwrap();
        let manifest = import(&store, &(std::sync::Arc::new(device) as _), false);
        let mut lock = LockFile::default();
        lock.images.insert(image.clone(), manifest);
        let images = BTreeSet::from([&image]);

        let notes = pin_exports(&mut lock, &images, &store, &keys, false, &quiet).unwrap();
        let tar = lock.tar(&image).unwrap();
        assert!(
            notes.contains(&tar.to_string()) && notes.contains("image export test@1 -o test@1.tar"),
            "{notes}"
        );
        assert_eq!(pin_exports(&mut lock, &images, &store, &keys, false, &quiet).unwrap(), "");
        assert_eq!(
            pin_exports(&mut lock, &images, &store, &keys, true, &quiet).unwrap(),
            "",
            "the same bytes again"
        );
        lock.images.insert(image.clone(), Digest::of(b"another image"));
        assert_eq!(lock.tar(&image), None, "a tar of another image is none of this one");
        pin_exports(&mut lock, &BTreeSet::new(), &store, &keys, true, &quiet).unwrap();
        assert!(lock.exports.is_empty());

        let Some(device) = testing::image() else { return };
        let debian = import(&store, &device, true);
        lock.images.insert(image.clone(), debian);
        let error =
            format!("{:#}", pin_exports(&mut lock, &images, &store, &keys, false, &quiet).unwrap_err());
        assert!(error.contains("pinning the tar of test@1") && error.contains("grub2-mkconfig"), "{error}");
    }
}
