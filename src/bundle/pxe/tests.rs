//! Trees, read back.

use std::collections::BTreeMap;

use super::super::testing::{Blobs, pxe as contents};
use super::*;

fn build(blobs: &Blobs, path: &Path) -> Result<()> {
    write(path, &contents(blobs), &|digest| blobs.path(digest), &mut |_| Ok(()))
}

/// Mode and digest of everything below a directory.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, (u32, Option<Digest>)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            let digest = path.is_file().then(|| Digest::of(&fs::read(&path).unwrap()));
            if path.is_dir() {
                pending.push(path.clone());
            }
            found.insert(path.strip_prefix(root).unwrap().to_owned(), (mode, digest));
        }
    }
    found
}

#[test]
fn a_tree_has_all_files_and_is_the_same_when_built_again_in_its_place() {
    let (blobs, dir) = (Blobs::new(), tempfile::tempdir().unwrap());
    let path = dir.path().join("pxe");
    build(&blobs, &path).unwrap();
    let first = snapshot(&path);
    for name in
        ["bootx64.efi", "grubx64.efi", "grub/grub.cfg", "hosts/52-54-00-00-00-01.cfg", "orders/web01.cpio"]
    {
        assert!(first.contains_key(Path::new(name)), "{name}");
    }
    for blob in &blobs.blobs {
        assert_eq!(first[&Path::new("blobs").join(blob.digest.to_string())], (0o644, Some(blob.digest)));
    }
    fs::write(path.join("stale"), "").unwrap();
    build(&blobs, &path).unwrap();
    assert_eq!(snapshot(&path), first);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_pack_leaves_the_old_tree() {
    let (blobs, dir) = (Blobs::new(), tempfile::tempdir().unwrap());
    let path = dir.path().join("pxe");
    build(&Blobs::new(), &path).unwrap();
    let before = snapshot(&path);
    let damaged = blobs.damage();
    let error = format!("{:#}", build(&blobs, &path).unwrap_err());
    assert!(error.contains(&damaged) && error.contains("is damaged"), "{error}");
    assert_eq!(snapshot(&path), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// A web server and a TFTP server that read through the link find the new tree, not the old one.
#[test]
fn through_a_link_the_tree_is_replaced_where_the_link_leads() {
    let (blobs, dir) = (Blobs::new(), tempfile::tempdir().unwrap());
    let (served, link) = (dir.path().join("srv/tree"), dir.path().join("pxe"));
    build(&blobs, &served).unwrap();
    fs::write(served.join("stale"), "").unwrap();
    std::os::unix::fs::symlink("srv/tree", &link).unwrap();
    build(&blobs, &link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(served.join("manifest.json").is_file() && !served.join("stale").exists());
    assert_eq!(fs::read_dir(dir.path().join("srv")).unwrap().count(), 1);
}

#[test]
fn a_directory_with_something_else_is_not_touched() {
    let (blobs, dir) = (Blobs::new(), tempfile::tempdir().unwrap());
    fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    let error = build(&blobs, dir.path()).unwrap_err().to_string();
    assert!(error.contains("isn't a PXE tree"), "{error}");
    assert_eq!(fs::read(dir.path().join("thesis.tex")).unwrap(), b"x");
}
