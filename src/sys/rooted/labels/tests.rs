//! What is asked for which path, and what stands in the attribute afterwards.

use std::cell::RefCell;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::rc::Rc;

use super::*;
use crate::sys::rooted::Attributes;

/// Gives each path its own label but for those below `/none`, and writes down who asked.
#[derive(Debug, Default, Clone)]
struct Asked(Rc<RefCell<Vec<(String, EntryKind)>>>);

impl Labels for Asked {
    fn label(&self, path: &str, kind: EntryKind) -> Result<Option<String>> {
        self.0.borrow_mut().push((path.to_owned(), kind));
        anyhow::ensure!(!path.starts_with("/broken"), "no such policy");
        Ok((!path.starts_with("/none/")).then(|| label(path)))
    }
}

fn label(path: &str) -> String {
    format!("u:r:{}_t:s0", path.replace('/', "_"))
}

fn tree() -> (tempfile::TempDir, RootedDir, Asked) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
    std::fs::create_dir(dir.path().join("none")).unwrap();
    symlink("usr/bin", dir.path().join("bin")).unwrap();
    let asked = Asked::default();
    let root = RootedDir::open(dir.path()).unwrap().labelled(Box::new(asked.clone()));
    (dir, root, asked)
}

/// The attribute of what stands there, links not followed.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let length = rustix::fs::lgetxattr(path, ATTRIBUTE, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

#[test]
fn whatever_gets_a_name_is_asked_for_by_its_real_path_and_what_it_is() {
    let (_dir, root, asked) = tree();
    root.write("/bin/tool", Attributes::root(0o755), b"").unwrap();
    root.make_dirs("/bin//sub/deeper", Attributes::root(0o755)).unwrap();
    root.symlink("x", "/usr/bin/sub/link", 0, 0).unwrap();
    root.rewrite("/top", Attributes::root(0o644), b"x").unwrap();
    // nothing is made
    root.make_dirs("/usr/bin", Attributes::root(0o755)).unwrap();
    root.set_attributes("/usr", Attributes::root(0o755)).unwrap();
    root.remove("/top").unwrap();
    use EntryKind::{Directory, File, Link};
    let expected = [
        ("/usr/bin/tool", File),
        ("/usr/bin/sub", Directory),
        ("/usr/bin/sub/deeper", Directory),
        ("/usr/bin/sub/link", Link),
        ("/top", File),
    ];
    assert_eq!(*asked.0.borrow(), expected.map(|(path, kind)| (path.to_owned(), kind)));
}

#[test]
fn a_name_without_its_label_is_never_there() {
    let (dir, root, _) = tree();
    assert!(root.write("/broken", Attributes::root(0o644), b"x").is_err());
    assert!(root.symlink("x", "/broken", 0, 0).is_err());
    assert!(!dir.path().join("broken").exists());
    let error = format!("{:#}", root.make_dirs("/broken", Attributes::root(0o755)).unwrap_err());
    assert!(error.contains("the SELinux label of /broken: no such policy"), "{error}");
}

#[test]
fn labels_stand_in_the_attribute_and_what_has_none_takes_its_directorys() {
    if !rustix::process::geteuid().is_root() {
        return crate::expect::unavailable("only root sets SELinux labels");
    }
    let (dir, root, _) = tree();
    let at = |path: &str| read(&dir.path().join(path.trim_start_matches('/')));
    root.make_dirs("/etc/deep", Attributes::root(0o755)).unwrap();
    root.write("/etc/file", Attributes::root(0o400), b"1").unwrap();
    root.symlink("file", "/etc/link", 0, 0).unwrap();
    root.write("/etc/file", Attributes::root(0o400), b"2").unwrap();
    for path in ["/etc", "/etc/deep", "/etc/file", "/etc/link"] {
        assert_eq!(at(path).unwrap(), (label(path) + "\0").into_bytes(), "{path}");
    }
    // a directory without one gives none
    root.write("/none/file", Attributes::root(0o644), b"").unwrap();
    root.symlink("file", "/none/link", 0, 0).unwrap();
    assert_eq!((at("/none/file"), at("/none/link")), (None, None));
    rustix::fs::setxattr(dir.path().join("none"), ATTRIBUTE, b"u:r:parent_t:s0\0", XattrFlags::empty())
        .unwrap();
    root.write("/none/file", Attributes::root(0o644), b"").unwrap();
    root.make_dirs("/none/sub", Attributes::root(0o755)).unwrap();
    root.symlink("file", "/none/sub/link", 0, 0).unwrap();
    for path in ["/none/file", "/none/sub", "/none/sub/link"] {
        assert_eq!(at(path).unwrap(), b"u:r:parent_t:s0\0", "{path}");
    }
}
