//! A golden image in Kickstart instead of packages: `liveimg` for one of the store, `ostreecontainer` for a container image.
//!
//! Both name their content by digest. `liveimg` takes a URL for a tar by its end only, and compares the file with
//! `--checksum` before it unpacks it; GNU tar's own exit status it doesn't look at (`live_image/installation.py`).
//! `ostreecontainer` needs its transport named, or the installer may begin without a network (`rpm_ostree_container.py`);
//! signatures aren't asked for, since the digest already says which bytes are meant and no installer has a policy for them.
//! There from Anaconda 34.25.4.3 (EL 9.4) on. `bootc` is younger (40.22.3 of late 2025, 44.10), and Fedora 43's Anaconda reads
//! that command and ignores it, so it isn't used.
//!
//! `%packages` is read and ignored beside either, so it isn't written. The installer's own system (stage 2) then has to be
//! named on the kernel's line, since no `url` says where it is.

use crate::host::{Content, Host, Layout, Refusal, Site};
use crate::spec::lock::LockFile;
use crate::spec::system::Sudo;
use crate::value::{ImageRef, ImageSource, OciRef};

use super::line::Line;

/// The command that says what is installed; `None` for packages, and where it can't be said, which is noted.
pub fn command(site: &Site, host: &Host, lock: &LockFile, refusal: &mut Refusal) -> Option<Line> {
    match host.image.as_ref()? {
        ImageSource::Store(image) => live_image(site, image, lock, refusal),
        ImageSource::Oci(image) => {
            judge(host, refusal);
            Some(container(image))
        }
    }
}

fn live_image(site: &Site, image: &ImageRef, lock: &LockFile, refusal: &mut Refusal) -> Option<Line> {
    let tar = lock.tar(image);
    if tar.is_none() {
        refusal.add(
            "image",
            format_args!(
                "unpacks a tar of {image}, whose digest isn't in ironstrap.lock: run `ironstrap lock`"
            ),
        );
    }
    let Some(place) = &site.exports else {
        refusal.add(
            "image",
            format_args!("fetches {image} from a web server: set `exports: http://…` in site.yaml, and put there what `ironstrap image export {image} -o {image}.tar` writes"),
        );
        return None;
    };
    let url = place.join(&format!("{image}.tar"));
    Some(Line::new("liveimg").option("url", url).option("checksum", tar?))
}

fn container(image: &OciRef) -> Line {
    Line::new("ostreecontainer")
        .option("transport", "registry")
        .word("--no-signature-verification")
        .option("url", image.pull())
}

/// Only these places of a system that is made of an image belong to the host; `/home`, `/opt`, `/srv` and the like are links
/// into `/var`.
fn judge(host: &Host, refusal: &mut Refusal) {
    let Some(Layout { mounts, btrfs, luks, .. }) = &host.layout else { return };
    for luks in luks {
        let reason =
            "can't be opened by a container image's system, whose initramfs is the image's own: leave it out";
        refusal.add(&format!("storage.luks[{}]", luks.id), reason);
    }
    let mounts = mounts.iter().filter_map(|mount| match &mount.what {
        Content::Files(_, path) => Some((format!("storage.mounts[{}]", mount.on), path.as_str())),
        Content::Swap => None,
    });
    let subvolumes = btrfs.iter().flat_map(|btrfs| {
        let key = format!("storage.btrfs[{}]", btrfs.id);
        btrfs.subvolumes.iter().map(move |subvolume| (key.clone(), subvolume.path.as_str()))
    });
    for (key, path) in mounts.chain(subvolumes) {
        if !matches!(path, "/" | "/boot" | "/boot/efi" | "/var") && !path.starts_with("/var/") {
            let reason = format_args!(
                "can't mount {path} in a container image's system, which owns all but /boot and /var: mount it below /var (/home is /var/home there)"
            );
            refusal.add(&key, reason);
        }
    }
}

/// Programs that the image must bring, since nothing is installed.
pub fn programs(host: &Host) -> Vec<&'static str> {
    let mut programs = Vec::new();
    if !host.root.ssh_keys.is_empty() || host.users.iter().any(|user| !user.ssh_keys.is_empty()) {
        programs.push("sshd");
    }
    if host.users.iter().any(|user| user.sudo != Sudo::No) {
        programs.push("sudo");
    }
    if host.layout.as_ref().is_some_and(|layout| !layout.luks.is_empty()) {
        programs.push("clevis-luks-bind");
    }
    programs.extend(host.handoff.programs());
    programs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing;
    use crate::spec::lock::Export;
    use crate::value::Digest;

    fn command_of(exports: Option<&str>, lock: &LockFile) -> (Option<Line>, Vec<String>) {
        let exports = exports.map(|exports| exports.parse().unwrap());
        let site = Site { exports, ..testing::site() };
        let host = Host { image: Some("el@1".parse().unwrap()), ..testing::host() };
        let mut refusal = Refusal::by("el-9", &host);
        let line = command(&site, &host, lock, &mut refusal);
        (line, refusal.found().iter().map(|found| found.reason.clone()).collect())
    }

    #[test]
    fn a_tar_without_place_or_digest_is_refused_with_both_ways_out() {
        let (image, manifest) = ("el@1".parse::<ImageRef>().unwrap(), Digest::of(b"manifest"));
        let (line, refusal) = command_of(None, &LockFile::default());
        assert!(line.is_none());
        assert!(refusal[0].contains("run `ironstrap lock`"), "{refusal:?}");
        assert!(refusal[1].contains("`ironstrap image export el@1 -o el@1.tar`"), "{refusal:?}");

        let mut lock = LockFile::default();
        lock.images.insert(image.clone(), manifest);
        lock.exports.insert(image, Export { manifest, tar: Digest::of(b"tar") });
        let (line, refusal) = command_of(Some("http://web/a"), &lock);
        let tar = Digest::of(b"tar");
        let wanted = Line::new("liveimg").option("url", "http://web/a/el@1.tar").option("checksum", tar);
        assert_eq!((line, refusal), (Some(wanted), Vec::new()));
    }
}
