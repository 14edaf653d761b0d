//! Links that would lead out of the tree, and links that work.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

/// A tree with links that would lead out of it, beside a directory that must stay untouched.
fn trap() -> (tempfile::TempDir, RootedDir) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("root/etc")).unwrap();
    std::fs::create_dir(dir.path().join("outside")).unwrap();
    std::fs::write(dir.path().join("outside/file"), "precious").unwrap();
    symlink(dir.path().join("outside"), dir.path().join("root/absolute")).unwrap();
    symlink("../../outside", dir.path().join("root/etc/relative")).unwrap();
    symlink(dir.path().join("outside/file"), dir.path().join("root/etc/file")).unwrap();
    symlink("/etc", dir.path().join("root/inside")).unwrap();
    let root = RootedDir::open(&dir.path().join("root")).unwrap();
    (dir, root)
}

#[test]
fn links_in_the_tree_never_lead_out_of_it() {
    let (dir, root) = trap();
    let attributes = Attributes::root(0o644);
    for path in ["/absolute/file", "/etc/relative/file", "/etc/file"] {
        assert_eq!(root.read(path).unwrap(), None, "{path}");
        assert!(!root.exists(path), "{path}");
    }
    assert!(root.write("/absolute/file", attributes, b"x").is_err());
    assert!(root.write("/etc/relative/new", attributes, b"x").is_err());
    assert!(root.make_dirs("/absolute/sub", attributes).is_err());
    assert!(root.symlink("x", "/etc/relative/file", 0, 0).is_err());
    assert!(!root.remove("/absolute/file").unwrap());
    root.write("/etc/file", attributes, b"ours").unwrap();
    assert_eq!(root.read("/etc/file").unwrap().unwrap(), b"ours");
    assert_eq!(std::fs::read_dir(dir.path().join("outside")).unwrap().count(), 1);
    assert_eq!(std::fs::read(dir.path().join("outside/file")).unwrap(), b"precious");
}

#[test]
fn links_inside_the_tree_work_as_on_the_running_system() {
    let (dir, root) = trap();
    root.write("/inside/hostname", Attributes::root(0o640), b"web01\n").unwrap();
    assert_eq!(root.read_text("/etc/hostname").unwrap().unwrap(), "web01\n");
    let metadata = std::fs::metadata(dir.path().join("root/etc/hostname")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
    assert_eq!(root.read_link("/inside").unwrap().unwrap(), "/etc");
    assert_eq!(root.read_link("/etc/hostname").unwrap(), None);
}

#[test]
fn removing_a_directory_does_not_follow_links() {
    let (dir, root) = trap();
    root.make_dirs("/var/deep/er", Attributes::root(0o755)).unwrap();
    root.write("/var/deep/er/file", Attributes::root(0o600), b"x").unwrap();
    symlink(dir.path().join("outside"), dir.path().join("root/var/deep/link")).unwrap();
    assert!(root.remove("/var/deep").unwrap());
    assert!(!root.remove("/var/deep").unwrap());
    assert_eq!(root.list("/var").unwrap(), []);
    assert_eq!(std::fs::read(dir.path().join("outside/file")).unwrap(), b"precious");
}

#[test]
fn rewriting_keeps_owner_and_permissions() {
    let (dir, root) = trap();
    root.write("/etc/shadow", Attributes { mode: 0o640, uid: 0, gid: 42 }, b"a").unwrap();
    root.rewrite("/etc/shadow", Attributes::root(0o600), b"b").unwrap();
    let metadata = std::fs::metadata(dir.path().join("root/etc/shadow")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
    if root.sets_owners {
        assert_eq!((metadata.uid(), metadata.gid()), (0, 42));
    } else {
        println!("not root: owners were not checked");
    }
    assert_eq!(root.list("/etc").unwrap().iter().filter(|(name, _)| name.starts_with('.')).count(), 0);
}

#[test]
fn paths_with_dots_are_refused() {
    let (_dir, root) = trap();
    for path in ["/etc/../x", "/./x", "/", "", "/a\0b"] {
        assert!(root.write(path, Attributes::root(0o644), b"x").is_err(), "{path:?}");
    }
}
