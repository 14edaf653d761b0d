//! What goes, what stays, and what a kill at any moment leaves.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::*;
use crate::image::import::{self, Imported, verify};
use crate::image::stored::StoredImage;
use crate::image::testing::{self, key};
use crate::sys::block::{BlockDevice, MemoryDevice};

struct Home {
    dir: tempfile::TempDir,
    store: Store,
}

fn home() -> Home {
    let dir = tempfile::tempdir().unwrap();
    Home { store: Store::open(&dir.path().join("store")).unwrap(), dir }
}

impl Home {
    fn import(&self, device: &Arc<dyn BlockDevice>, name: &str) -> Imported {
        let image = name.parse().unwrap();
        import::import(&self.store, device, &image, &key(), false, &mut |_, _, _| Ok(())).unwrap()
    }

    fn remove(&self, images: &[&str], kept: &[Digest], dry: bool) -> Result<Removed> {
        let find = |image: ImageRef| {
            let manifest = self.store.find(&image).unwrap().unwrap_or_else(|| Digest::of(b"none"));
            (image, manifest)
        };
        let images: Vec<_> = images.iter().map(|image| find(image.parse().unwrap())).collect();
        let alone = self.store.alone_with_images(&mut || ()).unwrap();
        self.store.remove(&alone, &images, &kept.iter().copied().collect(), dry)
    }

    /// Everything that has a name is whole.
    fn verify(&self) {
        for (image, digest) in self.store.list().unwrap() {
            self.verify_pinned(&image, &digest);
        }
    }

    fn verify_pinned(&self, image: &ImageRef, digest: &Digest) {
        let manifest = self.store.manifest(image, digest, &key().alone()).unwrap();
        verify(&StoredImage::open(&self.store, &manifest).unwrap(), &mut |_, _| Ok(())).unwrap();
    }

    fn names(&self) -> Vec<String> {
        self.store.list().unwrap().into_iter().map(|(image, _)| image.to_string()).collect()
    }

    fn files(&self) -> usize {
        super::super::names_in(&self.dir.path().join("store/blobs")).unwrap().len()
    }

    /// Sets an image's date.
    fn date(&self, image: &str, seconds: u64) {
        self.date_exactly(image, Duration::from_secs(seconds));
    }

    fn date_exactly(&self, image: &str, since_1970: Duration) {
        let file = File::options().append(true).open(self.store.name_path(&image.parse().unwrap())).unwrap();
        file.set_modified(UNIX_EPOCH + since_1970).unwrap();
    }
}

/// A copy of an image with one byte changed in a place where nobody looks.
fn changed(device: &Arc<dyn BlockDevice>, value: u8) -> Arc<dyn BlockDevice> {
    let mut bytes = vec![0; device.size() as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes[1_500_000] = value;
    Arc::new(MemoryDevice::new(bytes))
}

#[test]
fn an_image_goes_with_what_only_it_used_and_a_dry_run_tells_the_same() {
    let Some(device) = testing::image() else { return };
    let home = home();
    home.import(&device, "test@1");
    let files = home.files();
    home.import(&changed(&device, 1), "test@2");
    let sizes = |image: &str| {
        let holdings = home.store.holdings().unwrap();
        holdings.into_iter().find(|it| it.image.to_string() == image).unwrap().size.unwrap()
    };
    let (old, new) = (sizes("test@1"), sizes("test@2"));
    assert!(new.shared > 0 && new.shared == old.shared && new.own < 20_000, "{old:?} {new:?}");
    let told = home.remove(&["test@2"], &[], true).unwrap();
    assert_eq!(home.names(), ["test@1", "test@2"]);
    let removed = home.remove(&["test@2"], &[], false).unwrap();
    assert_eq!(told, removed);
    // a signature belongs to the manifest, and isn't counted by `list`
    assert!(removed.bytes >= new.own && removed.bytes < new.own + 1000, "{removed:?} {new:?}");
    assert_eq!((home.names(), home.files()), (vec!["test@1".to_owned()], files));
    assert_eq!(sizes("test@1").shared, 0);
    home.verify();
    let error = home.remove(&["test@1", "test@9"], &[], false).unwrap_err().to_string();
    assert!(error.contains("test@9 is not in the store") && home.names() == ["test@1"], "{error}");
    home.remove(&["test@1"], &[], false).unwrap();
    assert_eq!((home.names().len(), home.files()), (0, 0));
}

#[test]
fn what_is_pinned_stays_also_when_its_name_leads_elsewhere() {
    let Some(device) = testing::image() else { return };
    let home = home();
    let image: ImageRef = "test@1".parse().unwrap();
    let pinned = home.import(&device, "test@1").digest;
    let other = changed(&device, 1);
    import::import(&home.store, &other, &image, &key(), true, &mut |_, _, _| Ok(())).unwrap();
    home.remove(&["test@1"], &[pinned], false).unwrap();
    home.verify_pinned(&image, &pinned);
    assert!(home.remove(&[], &[], false).unwrap().files > 0, "nobody pins it any more");
    assert_eq!(home.files(), 0);
}

#[test]
fn nothing_goes_while_a_manifest_can_t_be_read_but_that_image() {
    let Some(device) = testing::image() else { return };
    let home = home();
    let damaged = home.import(&device, "test@1").digest;
    home.import(&changed(&device, 1), "test@2");
    fs::write(home.store.blob_path(&damaged), "{").unwrap();
    let error = format!("{:#}", home.remove(&["test@2"], &[], false).unwrap_err());
    assert!(error.contains(&damaged.to_string()), "{error}");
    assert_eq!(home.names(), ["test@1", "test@2"]);
    assert_eq!(home.store.holdings().unwrap()[0].size, None);
    home.remove(&["test@1"], &[], false).unwrap();
    home.verify();
}

#[test]
fn packs_that_an_import_wants_to_use_again_stay_until_it_has_its_name() {
    let Some(device) = testing::image() else { return };
    let home = home();
    home.import(&device, "test@1");
    let image = "test@2".parse().unwrap();
    let mut removed = false;
    let newer = changed(&device, 1);
    import::import(&home.store, &newer, &image, &key(), false, &mut |step, _, _| {
        if step == import::Step::Pack && !removed {
            removed = true;
            home.remove(&["test@1"], &[], false).unwrap();
        }
        Ok(())
    })
    .unwrap();
    assert!(removed);
    assert_eq!(home.names(), ["test@2"]);
    home.verify();
}

#[test]
fn who_takes_out_waits_for_readers_and_keeps_them_away() {
    let home = home();
    fs::create_dir_all(home.dir.path().join("store")).unwrap();
    let reading = home.store.reading().unwrap();
    let mut reading = Some(reading);
    let mut waited = 0;
    let alone = home.store.alone_with_images(&mut || {
        waited += 1;
        drop(reading.take());
    });
    assert_eq!(waited, 1);
    let file = File::open(home.store.readers()).unwrap();
    assert!(file.try_lock_shared().is_err());
    drop(alone);
    assert!(file.try_lock_shared().is_ok());
}

#[test]
fn the_newest_versions_of_each_image_stay() {
    let Some(device) = testing::image() else { return };
    let home = home();
    for (name, time) in [("a@1", 30), ("a@2", 10), ("a@3", 20), ("b@1", 5)] {
        home.import(&device, name);
        home.date(name, time);
    }
    let of = |keep| -> Vec<_> {
        let holdings = home.store.holdings().unwrap();
        surplus(&holdings, keep).unwrap().iter().map(|holding| holding.image.to_string()).collect()
    };
    assert_eq!(of(1), ["a@3", "a@2"]);
    assert_eq!(of(2), ["a@2"]);
    assert!(of(3).is_empty());
    assert!(surplus(&[], 0).is_err());
    // importing the same again doesn't make it younger
    home.import(&device, "a@2");
    let imported = || home.store.imported(&"a@2".parse().unwrap()).unwrap();
    assert_eq!(imported(), UNIX_EPOCH + Duration::from_secs(10));
    // within a second the finer time decides, not the name; of the same age both stay
    home.import(&changed(&device, 1), "a@10");
    for (name, nanoseconds) in [("a@10", 7), ("a@3", 6), ("a@2", 5), ("a@1", 5)] {
        home.date_exactly(name, Duration::new(40, nanoseconds));
    }
    assert_eq!(of(1), ["a@3", "a@2", "a@1"]);
    assert!(of(3).is_empty(), "nothing says which of the last two is newer");
    // a version that can't be read doesn't take the place of one that can
    let newest = home.store.find(&"a@10".parse().unwrap()).unwrap().unwrap();
    fs::write(home.store.blob_path(&newest), "{").unwrap();
    assert_eq!(of(1), ["a@2", "a@1"]);
}

#[test]
fn an_image_that_was_imported_anew_meanwhile_stays() {
    let Some(device) = testing::image() else { return };
    let home = home();
    let image: ImageRef = "test@1".parse().unwrap();
    let seen = home.import(&device, "test@1").digest;
    let other = changed(&device, 1);
    import::import(&home.store, &other, &image, &key(), true, &mut |_, _, _| Ok(())).unwrap();
    let alone = home.store.alone_with_images(&mut || ()).unwrap();
    let error = home.store.remove(&alone, &[(image, seen)], &HashSet::new(), false).unwrap_err().to_string();
    assert!(error.contains("test@1 was imported anew meanwhile"), "{error}");
    home.verify();
    assert_eq!(home.names(), ["test@1"]);
}
