//! Whether the images that hosts name are pinned, and whether they are on this machine.
//!
//! An image that nobody pinned is missing for everybody; one that is pinned and only not in this machine's store is no
//! mistake: it may be checked in a place that builds nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::store::Store;
use crate::profile::diag::{Diagnostic, Report};
use crate::profile::rule;
use crate::site::context::SiteContext;
use crate::site::paths::SitePaths;
use crate::sys::clock::whole_seconds;
use crate::value::{HostName, ImageRef, Timestamp};

/// What became of the images of a site's hosts.
#[derive(Debug, Default)]
pub struct Images {
    /// The hosts whose image isn't pinned, by image, and whether it is in the store.
    unpinned: BTreeMap<ImageRef, (Vec<HostName>, bool)>,
    /// Those that are pinned and not in this machine's store.
    pub elsewhere: BTreeSet<String>,
}

/// Looks at the lock file and the store; a store that can't be opened holds nothing.
pub fn look(paths: &SitePaths, context: &SiteContext) -> Images {
    let store = paths.store().exists().then(|| Store::open(&paths.store()).ok()).flatten();
    let mut images = Images::default();
    let mut seen = BTreeSet::new();
    for host in &context.hosts {
        let Some(image) = host.image.as_ref().and_then(|image| image.stored()) else { continue };
        match context.lock().images.get(image) {
            Some(digest) => {
                let is_here = || store.as_ref().is_some_and(|store| store.blob_path(digest).exists());
                if seen.insert(image) && !is_here() {
                    images.elsewhere.insert(image.to_string());
                }
            }
            None => {
                let find = || store.as_ref().is_some_and(|store| matches!(store.find(image), Ok(Some(_))));
                let (hosts, _) = images.unpinned.entry(image.clone()).or_insert_with(|| (Vec::new(), find()));
                hosts.push(host.name.clone());
            }
        }
    }
    images
}

/// Hosts whose image is older than they allow: by when it got its name in this store, or, where that leads to another by now, by
/// when it was put there.
pub fn too_old(paths: &SitePaths, context: &SiteContext, report: &Report, now: Timestamp) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let Ok(store) = Store::open(&paths.store()) else { return found };
    let files = report.host_files();
    for host in &context.hosts {
        let Some(allowed) = host.max_image_age else { continue };
        let Some(pin) = context.pin(host) else { continue };
        let named = store.find(&pin.image).ok().flatten() == Some(pin.manifest);
        let imported = if named { store.imported(&pin.image) } else { store.stored(&pin.manifest) };
        let (Ok(imported), Some(span)) = (imported, files.get(host.name.as_str()).copied()) else { continue };
        let imported = whole_seconds(imported);
        if imported.plus_seconds(allowed) < now {
            let message =
                format!("the image {} is from {imported}, older than `policy.max_age` allows", pin.image);
            let diagnostic = Diagnostic::new(span, message)
                .help("build or import a new version, name it here, and run `ironstrap lock`");
            found.push(diagnostic.rule(&rule::IMAGE_TOO_OLD, [host.name.to_string()]));
        }
    }
    found
}

impl Images {
    /// What to say of images that nobody pinned, a finding a host.
    pub fn missing(&self, report: &Report) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if self.unpinned.is_empty() {
            return found;
        }
        let files = report.host_files();
        for (image, (hosts, is_stored)) in &self.unpinned {
            let message = format!("the image {image} is not in ironstrap.lock");
            let help = match is_stored {
                true => "it is in the store: run `ironstrap lock`".to_owned(),
                false => {
                    format!(
                        "nor is it in the store: `ironstrap image build` or `image import` makes {image}, then run `ironstrap lock`"
                    )
                }
            };
            for host in hosts {
                let Some(span) = files.get(host.as_str()).copied() else { continue };
                let diagnostic = Diagnostic::new(span, message.as_str()).help(help.as_str());
                found.push(diagnostic.rule(&rule::NOT_LOCKED, [host.to_string()]));
            }
        }
        found
    }
}
