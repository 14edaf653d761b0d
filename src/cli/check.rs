//! `ironstrap check`: everything that can be found wrong without a machine, all at once; nothing is written.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail};

use super::context::SiteContext;
use super::paths::SitePaths;
use super::{keys, output, render};
use crate::failure::{Blame, BlameExt};
use crate::handoff;
use crate::host::{Host, Installer};
use crate::image::store::Store;
use crate::spec::image::ImagePin;
use crate::value::OrderId;

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
    let mut images = BTreeMap::new();
    let mut image_of = |pin: &ImagePin| {
        let (store, key) = store.as_ref()?;
        let digest = pin.manifest;
        if !store.blob_path(&digest).exists() {
            return None;
        }
        let image = images.entry((pin.image.clone(), digest)).or_insert_with(|| {
            // as texts, for every host of a damaged image
            store
                .manifest(&pin.image, &digest, key)
                .map(|manifest| manifest.system.clone())
                .map_err(|error| format!("{error:#}"))
        });
        Some(image.clone())
    };
    let mut refuse = |host: &Host| -> Result<()> {
        let locked = context.locked(host).ok();
        match locked.as_ref().and_then(|locked| Some((locked, image_of(&locked.image)?))) {
            Some((locked, image)) => {
                let image = image.map_err(|error| anyhow!("{}: {error}", host.name))?;
                // any order would do
                handoff::system(locked, &context.site, &image, &OrderId::from_random([0; 16])).map(drop)
            }
            None => handoff::seed(host, &context.site).map(drop),
        }
    };
    let native = context.hosts.iter().filter(|host| host.installer == Installer::Native);
    native.filter_map(|host| refuse(host).err()).map(|error| format!("{error:#}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{import, testing};
    use crate::spec::lock::LockFile;

    const HOST: &str =
        "name: web01\nimage: test@1\nmatch: { serial: CZ1 }\nstorage: { target: { serial: D1 } }\n";

    #[test]
    fn a_host_that_wants_what_its_image_lacks_is_found_before_it_is_bundled() {
        let Some(device) = testing::image() else { return };
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        std::fs::write(dir.path().join("site.yaml"), "name: test\n").unwrap();
        std::fs::create_dir(dir.path().join("hosts")).unwrap();
        let wants = "handoff:\n  cloud_init:\n    user_data: |\n      #cloud-config\n      packages: []\n";
        std::fs::write(dir.path().join("hosts/web01.yaml"), format!("{HOST}{wants}")).unwrap();
        let found = || installs(&paths, &SiteContext::load(&paths).unwrap());
        assert_eq!(found(), Vec::<String>::new(), "nothing is known of the image yet");

        let key = testing::key();
        std::fs::write(paths.public_key(), key.public().to_text()).unwrap();
        let store = Store::open(&paths.store()).unwrap();
        let image: crate::value::ImageRef = "test@1".parse().unwrap();
        let digest =
            import::import(&store, &device, &image, &key, false, &mut |_, _, _| Ok(())).unwrap().digest;
        let mut lock = LockFile::default();
        lock.images.insert(image, digest);
        std::fs::write(paths.lock_file(), serde_yaml::to_string(&lock).unwrap()).unwrap();
        let refused = found();
        assert_eq!(refused.len(), 1);
        assert!(refused[0].starts_with("web01: ") && refused[0].contains("cloud-init"), "{refused:?}");
    }
}
