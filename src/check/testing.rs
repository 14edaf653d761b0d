//! A small site for tests.

use std::sync::Arc;

use crate::image::store::Store;
use crate::image::{import, testing};
use crate::site::paths::SitePaths;
use crate::spec::lock::LockFile;
use crate::sys::block::BlockDevice;
use crate::value::ImageRef;

/// Its host, without what a test adds.
pub const HOST: &str =
    "name: web01\nimage: test@1\nmatch: { serial: CZ1 }\nstorage: { target: { serial: D1 } }\n";

/// A site of one host; its image isn't there yet.
pub fn site(wants: &str) -> (tempfile::TempDir, SitePaths) {
    let dir = tempfile::tempdir().unwrap();
    let paths = SitePaths::new(dir.path());
    std::fs::write(dir.path().join("site.yaml"), "name: test\n").unwrap();
    std::fs::create_dir(dir.path().join("hosts")).unwrap();
    std::fs::write(dir.path().join("hosts/web01.yaml"), format!("{HOST}{wants}")).unwrap();
    (dir, paths)
}

/// Imports this image and locks it.
pub fn lock(paths: &SitePaths, device: &Arc<dyn BlockDevice>) {
    let key = testing::key();
    std::fs::write(paths.public_key(), key.public().to_text()).unwrap();
    let store = Store::open(&paths.store()).unwrap();
    let image: ImageRef = "test@1".parse().unwrap();
    let digest = import::import(&store, device, &image, &key, false, &mut |_, _, _| Ok(())).unwrap().digest;
    let mut lock = LockFile::default();
    lock.images.insert(image, digest);
    std::fs::write(paths.lock_file(), serde_yaml::to_string(&lock).unwrap()).unwrap();
}
