//! `ironstrap check`: everything that can be found wrong without a machine, all at once; nothing is written.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail};

use super::context::SiteContext;
use super::paths::SitePaths;
use super::{clocks, installers, keys, output, render};
use crate::answers::{self, table::Target};
use crate::boot::grub::{self, BootHost};
use crate::bundle::inside::Inside;
use crate::failure::{Blame, BlameExt};
use crate::handoff;
use crate::host::{Host, Installer};
use crate::image::store::Store;
use crate::spec::image::{ImagePin, ImageSystem};
use crate::spec::installer::{AgentStart, DebianRelease};
use crate::trust::SitePublicKey;
use crate::value::{Digest, HostName, ImageRef, OrderId};

/// Check every host of the site.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints one line, or all mistakes.
///
/// # Errors
/// Any mistake, or a site that can't be read.
pub fn run(_args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    if !json {
        let context = SiteContext::load(paths)?;
        let refused = [render::check(paths, &context)?, installs(paths, &context)].concat();
        if !refused.is_empty() {
            output::note(&refused.iter().map(|text| format!("error: {text}\n")).collect::<String>());
            bail!("{} of {} hosts can't be installed", refused.len(), context.hosts.len());
        }
        let by_agent = context.hosts.iter().filter(|host| host.agent_start().is_some());
        let allowing = by_agent.filter(|host| host.allow_dead_clock).map(|host| &host.name);
        output::note(&clocks::cost_of_allowing(allowing));
        let count = context.hosts.len();
        let plural = if count == 1 { "" } else { "s" };
        return Ok(output::print(&format!("{count} host{plural}, all good\n"))?);
    }
    let (context, report) = SiteContext::examine(paths)?;
    let (answers, installs) = (render::check(paths, &context)?, installs(paths, &context));
    let answer = serde_json::json!({
        "hosts": context.hosts.len(), "diagnostics": report.entries(), "answers": answers, "installs": installs,
    });
    let text = serde_json::to_string_pretty(&answer).context("encoding the answer").blame(Blame::Bug)?;
    output::print(&format!("{text}\n"))?;
    if !report.diagnostics().is_empty() {
        bail!("{}", report.summary());
    }
    let refused = answers.len() + installs.len();
    if refused > 0 {
        bail!("{refused} of {} hosts can't be installed", context.hosts.len());
    }
    Ok(())
}

/// What `bundle` would refuse of the hosts that the agent installs, a text a host: all of it where the host's image is
/// locked and in the store, else what shows without the image.
fn installs(paths: &SitePaths, context: &SiteContext) -> Vec<String> {
    let store = Store::open(&paths.store()).ok().zip(keys::public(paths).ok());
    let mut images = Images { store, known: BTreeMap::new() };
    let unpacked = unpacked(context, &mut images);
    let mut pinned = Pinned { paths, context, known: BTreeMap::new() };
    let mut refuse = |host, start: AgentStart| -> Result<()> {
        let misfits = answers::misfits(host, Target::Native);
        if !misfits.is_empty() {
            bail!("{}", misfits.join("\n"));
        }
        if let Some(release) = start.installer() {
            installers::place(&context.site, release).with_context(|| host.name.to_string())?;
            pinned.require(host, release)?;
        }
        // any order would do
        let order = OrderId::from_random([0; 16]);
        grub::pxe(&[BootHost::of(host, &order, start)])?;
        let locked = context.locked(host).ok();
        match locked.as_ref().and_then(|locked| Some((locked, images.get(&locked.image)?))) {
            Some((locked, image)) => {
                let (system, inside) = image.as_ref().map_err(|error| anyhow!("{}: {error}", host.name))?;
                handoff::system(locked, &context.site, system, inside, &order).map(drop)
            }
            None => handoff::seed(host, &context.site).map(drop),
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
            Some(pin) if installers::is_here(&context.site, paths, release) => {
                installers::read(&context.site, paths, release)?.verify(pin).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with images that a distribution's installer unpacks, a text a host, where the image is locked and in the
/// store.
fn unpacked(context: &SiteContext, images: &mut Images) -> Vec<String> {
    let mut refuse = |host: &Host| -> Result<()> {
        let Some(locked) = context.locked(host).ok() else { return Ok(()) };
        let Some(known) = images.get(&locked.image) else { return Ok(()) };
        let (system, inside) = known.as_ref().map_err(|error| anyhow!("{}: {error}", host.name))?;
        let misfits = handoff::unpacked_misfits(host, &context.site, system, inside)?;
        if !misfits.is_empty() {
            bail!(
                "{}: can't be installed with {}:\n  {}",
                host.name,
                locked.image.image,
                misfits.join("\n  ")
            );
        }
        Ok(())
    };
    let hosts = context.hosts.iter().filter(|host| host.installer == Installer::Anaconda);
    hosts.filter_map(|host| refuse(host).err()).map(|error| format!("{error:#}")).collect()
}

/// What is known of an image; why it can't be read as a text, for every host of a damaged image.
type Known = Result<(ImageSystem, Inside), String>;

/// The images of the store, each opened once.
struct Images {
    store: Option<(Store, SitePublicKey)>,
    known: BTreeMap<(ImageRef, Digest), Known>,
}

impl Images {
    /// `None` where the image isn't in the store.
    fn get(&mut self, pin: &ImagePin) -> Option<&Known> {
        let digest = pin.manifest;
        let (store, key) = self.store.as_ref()?;
        if !store.blob_path(&digest).exists() {
            return None;
        }
        Some(self.known.entry((pin.image.clone(), digest)).or_insert_with(|| {
            let open = || {
                let manifest = store.manifest(&pin.image, &digest, key)?;
                anyhow::Ok((manifest.system.clone(), Inside::open(store, &manifest)?))
            };
            open().map_err(|error| format!("{error:#}"))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{import, testing};
    use crate::spec::lock::LockFile;

    const HOST: &str =
        "name: web01\nimage: test@1\nmatch: { serial: CZ1 }\nstorage: { target: { serial: D1 } }\n";

    /// A site of one host; its image isn't there yet.
    fn site(wants: &str) -> (tempfile::TempDir, SitePaths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        std::fs::write(dir.path().join("site.yaml"), "name: test\n").unwrap();
        std::fs::create_dir(dir.path().join("hosts")).unwrap();
        std::fs::write(dir.path().join("hosts/web01.yaml"), format!("{HOST}{wants}")).unwrap();
        (dir, paths)
    }

    /// Imports this image and locks it.
    fn lock(paths: &SitePaths, device: &std::sync::Arc<dyn crate::sys::block::BlockDevice>) {
        let key = testing::key();
        std::fs::write(paths.public_key(), key.public().to_text()).unwrap();
        let store = Store::open(&paths.store()).unwrap();
        let image: crate::value::ImageRef = "test@1".parse().unwrap();
        let digest =
            import::import(&store, device, &image, &key, false, &mut |_, _, _| Ok(())).unwrap().digest;
        let mut lock = LockFile::default();
        lock.images.insert(image, digest);
        std::fs::write(paths.lock_file(), serde_yaml::to_string(&lock).unwrap()).unwrap();
    }

    #[test]
    fn an_installer_that_hands_over_must_be_somewhere() {
        let (dir, paths) = site("installer: debian-installer\nos: debian-12\n");
        let refused = found(&paths);
        assert_eq!(refused.len(), 1);
        assert!(refused[0].starts_with("web01: site.yaml doesn't say where"), "{refused:?}");
        let text = "name: test\ndebian_installer:\n  debian-12: { kernel: linux, initrd: initrd.gz, udebs: udebs }\n";
        std::fs::write(dir.path().join("site.yaml"), text).unwrap();
        assert_eq!(
            found(&paths),
            Vec::<String>::new(),
            "whether the files are good is told when they are locked"
        );
    }

    fn found(paths: &SitePaths) -> Vec<String> {
        installs(paths, &SiteContext::load(paths).unwrap())
    }

    #[test]
    fn a_host_that_wants_what_its_image_lacks_is_found_before_it_is_bundled() {
        let Some(device) = testing::image() else { return };
        let (_dir, paths) =
            site("handoff:\n  cloud_init:\n    user_data: |\n      #cloud-config\n      packages: []\n");
        assert_eq!(found(&paths), Vec::<String>::new(), "nothing is known of the image yet");
        lock(&paths, &device);
        let refused = found(&paths);
        assert_eq!(refused.len(), 1);
        assert!(refused[0].starts_with("web01: ") && refused[0].contains("cloud-init"), "{refused:?}");
    }

    #[test]
    fn more_kernel_arguments_than_a_kernel_takes_are_found() {
        let long = format!(
            "kernel_args: [{}]\n",
            (0..8).map(|n| format!("a{n}={}", "x".repeat(400))).collect::<Vec<_>>().join(", ")
        );
        let (_dir, paths) = site(&long);
        let refused = found(&paths);
        assert_eq!(refused.len(), 1);
        assert!(refused[0].starts_with("web01: kernel_args") && refused[0].contains("2047"), "{refused:?}");
    }

    #[test]
    fn what_an_image_s_tree_lacks_is_found_all_of_it() {
        let Some(device) = testing::image() else { return };
        let (_dir, paths) = site(
            "locale: { timezone: Europe/Berlin }\nusers:\n  - { name: ops, uid: 1000, shell: /usr/bin/zsh }\n",
        );
        assert_eq!(found(&paths), Vec::<String>::new(), "nothing is known of the image yet");
        lock(&paths, &device);
        let refused = found(&paths);
        assert_eq!(refused.len(), 1);
        for misfit in ["uid 1000 belongs to `debian`", "has no `/usr/bin/zsh`", "time zone `Europe/Berlin`"] {
            assert!(refused[0].contains(misfit), "{misfit} is missing: {}", refused[0]);
        }
    }

    #[test]
    fn an_image_that_an_installer_unpacks_is_looked_into_too() {
        let Some(device) = testing::image() else { return };
        let (dir, paths) = site("");
        let host = format!(
            "{HOST}installer: anaconda\nos: el-9\nmirror: http://mirror.example/os\nusers:\n  - {{ name: debian }}\n"
        );
        std::fs::write(dir.path().join("hosts/web01.yaml"), host).unwrap();
        assert_eq!(found(&paths), Vec::<String>::new(), "nothing is known of the image yet");
        lock(&paths, &device);
        let refused = found(&paths);
        assert_eq!(refused.len(), 1);
        for misfit in
            ["web01: can't be installed with test@1", "enable NetworkManager", "has an account `debian`"]
        {
            assert!(refused[0].contains(misfit), "{misfit} is missing: {}", refused[0]);
        }
    }

    fn arguments<T: clap::Args>(line: &[&str]) -> T {
        let command = T::augment_args(clap::Command::new("ironstrap").no_binary_name(true));
        T::from_arg_matches(&command.get_matches_from(line)).unwrap()
    }

    #[test]
    fn what_check_finds_in_a_tree_bundle_refuses_before_it_writes() {
        let Some(device) = testing::image() else { return };
        let (dir, paths) = site("locale: { timezone: Europe/Berlin }\n");
        lock(&paths, &device);
        std::fs::create_dir_all(paths.private()).unwrap();
        crate::sys::files::write_whole(&paths.secret_key(), 0o600, testing::key().to_text().as_bytes())
            .unwrap();
        crate::cli::arm::arm(&arguments(&["web01"]), false, &paths).unwrap();
        let usb = dir.path().join("usb.img");
        let error =
            crate::cli::bundle::run(&arguments(&["--usb", usb.to_str().unwrap()]), &paths).unwrap_err();
        assert!(format!("{error:#}").contains("time zone `Europe/Berlin`"), "{error:#}");
        assert!(!usb.exists());
    }
}
