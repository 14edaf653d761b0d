//! What stands on each of a site's keys: media, armed hosts, images, installed hosts.
//!
//! From the site's state: the list of media, the permits, the store, and what `serve` heard and was proven. The last decides
//! nothing: it is told, so that somebody knows whose disks are nobody's any more when a key is retired.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::journal;
use super::report::says_done;
use crate::image::store::Store;
use crate::order::SealedPermit;
use crate::site::media::{self, Medium, MediumKind};
use crate::site::paths::SitePaths;
use crate::site::permits;
use crate::spec::event::What;
use crate::trust::{KeyRing, SitePublicKey};
use crate::value::{HostName, ImageRef, KeyId, OrderId, Timestamp};

/// How many hosts a line names.
const SHOWN: usize = 20;

/// All that is told from.
#[derive(Debug)]
pub struct Stands {
    ring: KeyRing,
    media: Vec<Medium>,
    permits: Vec<SealedPermit>,
    images: Vec<(ImageRef, KeyId)>,
    installed: BTreeMap<HostName, Heard>,
    now: Timestamp,
}

/// The last claim that was heard of.
#[derive(Debug)]
struct Heard {
    order: Option<OrderId>,
    time: Timestamp,
}

/// What stands on one key.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct OnKey {
    /// Media that carry it and orders that still hold.
    pub media: Vec<Medium>,
    /// Armed hosts of whose order there is no medium of a newer key.
    pub armed: Vec<HostName>,
    /// Hosts whose permits it sealed.
    pub sealed: Vec<HostName>,
    /// Images whose manifests it signed.
    pub images: Vec<ImageRef>,
    /// Hosts whose disks carry a claim that it sealed, as far as `serve` heard.
    pub installed: Vec<HostName>,
}

impl Stands {
    /// Reads the site's state.
    ///
    /// # Errors
    /// When a part of it can't be read.
    pub fn read(paths: &SitePaths, ring: KeyRing, now: Timestamp) -> Result<Self> {
        let store = Store::open(&paths.store())?;
        let images = store.list()?.into_iter();
        // one without a signature stands on none
        let images =
            images.filter_map(|(image, manifest)| Some((image, store.signer(&manifest).ok()?))).collect();
        let mut installed = BTreeMap::new();
        journal::each(&paths.events(), |received| {
            let (event, time) = (&received.event, received.time);
            let claims = matches!(event.what, What::Claimed { .. }) || says_done(&event.what);
            if let Some(host) = event.host.as_ref().filter(|_| claims) {
                installed.insert(host.clone(), Heard { order: event.order.clone(), time });
            }
        })?;
        let (media, permits) = (media::read(paths)?, permits::readable(paths)?);
        Ok(Self { ring, media, permits, images, installed, now })
    }

    /// What stands on this key.
    pub fn on(&self, key: &SitePublicKey) -> OnKey {
        let id = key.id();
        let trusted = self.ring.trusted();
        let holds = |medium: &&Medium| medium.orders.iter().any(|carried| carried.until >= self.now);
        let media = self.media.iter().filter(|medium| self.signer(medium) == id);
        let hosts = |filter: &dyn Fn(&SealedPermit) -> bool| {
            let permits = self.permits.iter().filter(|sealed| filter(sealed));
            permits.map(|sealed| sealed.permit().host.clone()).collect()
        };
        let installed = self.installed.iter().filter(|(_, heard)| self.sealer(heard) == id);
        OnKey {
            media: media.filter(holds).cloned().collect(),
            armed: hosts(&|sealed| sealed.permit().not_after >= self.now && self.newest(sealed) == id),
            sealed: hosts(&|sealed| sealed.by(&trusted).is_some_and(|by| by.id() == id)),
            images: self.images.iter().filter(|(_, by)| *by == id).map(|(image, _)| image.clone()).collect(),
            installed: installed.map(|(host, _)| host.clone()).collect(),
        }
    }

    /// Who signed a medium. Lists that don't say are older than all rotations.
    fn signer(&self, medium: &Medium) -> KeyId {
        let first = || self.ring.records().next().map_or(self.ring.current().id(), |record| record.key.id());
        medium.key.unwrap_or_else(first)
    }

    fn carriers<'a>(&'a self, order: &'a OrderId) -> impl Iterator<Item = KeyId> + 'a {
        let carries = |medium: &&Medium| medium.orders.iter().any(|carried| carried.order == *order);
        self.media.iter().filter(carries).map(|medium| self.signer(medium))
    }

    /// The newest key of which there is a medium with this permit's order; the current one where there is none.
    fn newest(&self, sealed: &SealedPermit) -> KeyId {
        let carriers: Vec<_> = self.carriers(&sealed.permit().id).collect();
        let keys: Vec<_> = self.ring.records().map(|record| record.key.id()).collect();
        let newest = keys.iter().rev().find(|id| carriers.contains(id));
        newest.copied().unwrap_or(self.ring.current().id())
    }

    /// The oldest key that can have sealed a claim: one of a medium that is known, else the one of that time.
    fn sealer(&self, heard: &Heard) -> KeyId {
        let carriers: Vec<_> = heard.order.iter().flat_map(|order| self.carriers(order)).collect();
        let mut keys = self.ring.records().map(|record| record.key.id());
        keys.find(|id| carriers.contains(id)).unwrap_or(self.ring.at(heard.time).id())
    }
}

impl OnKey {
    /// Whether something would stop working without this key.
    pub fn is_needed(&self) -> bool {
        let Self { media, armed, sealed, images, installed: _ } = self;
        !(media.is_empty() && armed.is_empty() && sealed.is_empty() && images.is_empty())
    }

    /// A line a medium, and one for each other kind of which there is something. On the current key stands all that is new.
    pub fn lines(&self, is_current: bool) -> String {
        let mut text = String::new();
        for Medium { kind, path, time, orders, .. } in &self.media {
            let kind = match kind {
                MediumKind::Usb => "stick",
                MediumKind::Pxe => "tree",
            };
            let orders: Vec<_> =
                orders.iter().map(|carried| format!("{} until {}", carried.host, carried.until)).collect();
            text.push_str(&format!("  {kind} {} (built {time}): {}\n", path.display(), list(&orders)));
        }
        let (armed, sealed) = match is_current {
            true => ("armed", &Vec::new()),
            false => ("armed, and on no medium of a newer key", &self.sealed),
        };
        for (what, hosts) in [
            (armed, &self.armed),
            ("armed by a permit that it sealed", sealed),
            ("claimed or installed under it, as far as `serve` heard", &self.installed),
        ] {
            if !hosts.is_empty() {
                text.push_str(&format!("  {what}: {}\n", list(hosts)));
            }
        }
        if !self.images.is_empty() && !is_current {
            text.push_str(&format!("  images that it signed: {}\n", list(&self.images)));
        }
        text
    }
}

/// Names, as many as a line holds.
pub fn list<T: ToString>(names: &[T]) -> String {
    let mut text: Vec<_> = names.iter().take(SHOWN).map(ToString::to_string).collect();
    if names.len() > SHOWN {
        text.push(format!("and {} more", names.len() - SHOWN));
    }
    text.join(", ")
}
