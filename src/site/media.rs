//! The media that were built: whoever takes an order back is told where it still is.
//!
//! A list in the site's state, of what `bundle` finished. A medium is forgotten when the last of its orders has ended (one of a former
//! key: when that key was retired, since it tells which key installed a host), a tree when it is replaced. Where a stick went that was written from an image, nobody here can know.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::paths::SitePaths;
use crate::spec::FormatVersion;
use crate::spec::image::ImagePin;
use crate::spec::order::InstallOrder;
use crate::sys::files;
use crate::trust::{SitePublicKey, TrustedKeys};
use crate::value::{HostName, KeyId, OrderId, Timestamp};

/// Longest list that is read.
const LONGEST: u64 = 64 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    version: FormatVersion<1>,
    media: Vec<Medium>,
}

/// What was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediumKind {
    /// The image of a stick.
    Usb,
    /// A tree.
    Pxe,
}

/// One medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medium {
    /// What it is.
    pub kind: MediumKind,
    /// Where it was written.
    pub path: PathBuf,
    /// When.
    pub time: Timestamp,
    /// Which key signed it; older lists don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// The orders in it.
    pub orders: Vec<Carried>,
}

/// An order on a medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Whose.
    pub host: HostName,
    /// Which.
    pub order: OrderId,
    /// Until when it holds.
    pub until: Timestamp,
    /// What it installs; older lists don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImagePin>,
}

impl Medium {
    /// One that was finished just now.
    pub fn built<'a>(
        kind: MediumKind,
        path: &Path,
        time: Timestamp,
        key: &SitePublicKey,
        orders: impl Iterator<Item = &'a InstallOrder>,
    ) -> Self {
        let carried = |order: &InstallOrder| Carried {
            host: order.host.clone(),
            order: order.id.clone(),
            until: order.not_after,
            image: Some(order.image.clone()),
        };
        Self { kind, path: path.to_owned(), time, key: Some(key.id()), orders: orders.map(carried).collect() }
    }

    /// Its order for this host.
    pub fn carries(&self, host: &HostName) -> Option<&Carried> {
        self.orders.iter().find(|carried| carried.host == *host)
    }

    /// One line about what it can still do with an order that was revoked.
    pub fn out_of_reach(&self, carried: &Carried) -> String {
        let Self { kind, path, time, .. } = self;
        let (path, Carried { host, order, until, .. }) = (path.display(), carried);
        match kind {
            MediumKind::Usb => format!(
                "stick {path} (built {time}) carries order {order}: whatever was written from it can install {host} until {until} \
                 where it reaches no server that knows better"
            ),
            MediumKind::Pxe => format!(
                "tree {path} (built {time}) carries order {order} until {until}: this site's `serve` refuses it from now on, copies \
                 of the tree do after the next `ironstrap bundle --pxe`"
            ),
        }
    }
}

/// All of which orders may still hold, the oldest first.
///
/// # Errors
/// When the list is there and can't be read.
pub fn read(paths: &SitePaths) -> Result<Vec<Medium>> {
    let path = paths.media();
    let Some(text) = files::read_text_if_there(&path, LONGEST)? else { return Ok(Vec::new()) };
    let list: List = serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    Ok(list.media)
}

/// Remembers a medium that was finished by a site with these keys. Others that do the same at the same time wait.
///
/// # Errors
/// When the list can't be read or written.
pub fn add(paths: &SitePaths, mut medium: Medium, keys: &TrustedKeys) -> Result<()> {
    medium.path = std::path::absolute(&medium.path).unwrap_or(medium.path);
    let now = medium.time;
    let _held = hold(paths)?;
    let mut media = read(paths)?;
    media.retain(|known| {
        let replaced =
            known.kind == MediumKind::Pxe && (medium.kind, &medium.path) == (known.kind, &known.path);
        let is_former = keys.former().iter().any(|key| Some(key.id()) == known.key);
        !replaced && (is_former || known.orders.iter().any(|carried| carried.until >= now))
    });
    media.push(medium);
    write(paths, media)
}

/// Says of media that were built before lists said so that this key signed them: a site had one key only then.
///
/// # Errors
/// When the list can't be read or written.
pub fn attribute(paths: &SitePaths, key: KeyId) -> Result<()> {
    let _held = hold(paths)?;
    let mut media = read(paths)?;
    if media.iter().all(|medium| medium.key.is_some()) {
        return Ok(());
    }
    media.iter_mut().for_each(|medium| _ = medium.key.get_or_insert(key));
    write(paths, media)
}

/// Until it is dropped, nobody else changes the list.
fn hold(paths: &SitePaths) -> Result<File> {
    files::hold(&paths.media().with_extension("lock"))
}

fn write(paths: &SitePaths, media: Vec<Medium>) -> Result<()> {
    let list = List { version: FormatVersion, media };
    let text = serde_json::to_string_pretty(&list).context("writing the list of media")? + "\n";
    files::write_whole(&paths.media(), 0o600, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::SiteKey;

    #[test]
    fn two_who_finish_at_the_same_time_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        let keys = SiteKey::from_random([1; 40]).alone();
        let medium = |seed: u8| {
            let (host, order) = ("web01".parse().unwrap(), OrderId::from_random([seed; 16]));
            let orders = vec![Carried { host, order, until: Timestamp::from_unix(100), image: None }];
            Medium {
                kind: MediumKind::Usb,
                path: "/a.img".into(),
                time: Timestamp::from_unix(1),
                key: None,
                orders,
            }
        };
        std::thread::scope(|scope| {
            for seed in 0..16 {
                let (paths, medium, keys) = (&paths, medium(seed), &keys);
                scope.spawn(move || add(paths, medium, keys).unwrap());
            }
        });
        assert_eq!(read(&paths).unwrap().len(), 16);
    }

    #[test]
    fn sticks_are_remembered_until_their_orders_end_and_trees_until_they_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        let host: HostName = "web01".parse().unwrap();
        let [old, new] = [1, 2].map(|seed| SiteKey::from_random([seed; 40]));
        let medium = |kind, path: &str, time, until| {
            let order = OrderId::from_random([time as u8; 16]);
            let orders =
                vec![Carried { host: host.clone(), order, until: Timestamp::from_unix(until), image: None }];
            let key = (time < 5).then(|| old.public().id());
            Medium { kind, path: path.into(), time: Timestamp::from_unix(time), key, orders }
        };
        for (kind, path, time, until) in [
            (MediumKind::Usb, "/a.img", 1, 100),
            (MediumKind::Pxe, "/tree", 2, 100),
            (MediumKind::Usb, "/a.img", 3, 200),
            (MediumKind::Pxe, "/tree", 4, 200),
            (MediumKind::Pxe, "/other", 101, 300),
        ] {
            add(&paths, medium(kind, path, time, until), &old.alone()).unwrap();
        }
        let left: Vec<_> = read(&paths).unwrap().iter().map(|medium| medium.time.as_unix()).collect();
        assert_eq!(left, [3, 4, 101]);
        // after a rotation: those of the former key stay until it is retired
        attribute(&paths, new.public().id()).unwrap();
        let rotated = TrustedKeys::new(new.public(), vec![old.public()]).unwrap();
        let late = |time| medium(MediumKind::Usb, "/b.img", time, time);
        for (keys, time, left) in [(&rotated, 400, vec![3, 4, 400]), (&new.alone(), 500, vec![500])] {
            add(&paths, late(time), keys).unwrap();
            let times: Vec<_> = read(&paths).unwrap().iter().map(|medium| medium.time.as_unix()).collect();
            assert_eq!(times, left);
        }
        add(&paths, medium(MediumKind::Usb, "/a.img", 1, 200), &new.alone()).unwrap();
        let media = read(&paths).unwrap();
        let last = media.last().unwrap();
        let said = last.out_of_reach(last.carries(&host).unwrap());
        assert!(said.contains("/a.img") && said.contains("until 1970-01-01T00:03:20Z"), "{said}");
    }
}
