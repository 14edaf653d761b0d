//! An image that enforces SELinux: all that is made or replaced has the label of its own policy, as `matchpathcon` prints it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use super::*;
use crate::image_rules::selinux::matchpathcon_tests::{matchpathcon, unpacked};

/// Each path of the tree, and the inode that stands there.
fn inodes(image: &Image) -> BTreeMap<String, u64> {
    fn visit(directory: &Path, root: &Path, found: &mut BTreeMap<String, u64>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            found.insert(format!("/{}", path.strip_prefix(root).unwrap().display()), metadata.ino());
            if metadata.is_dir() {
                visit(&path, root, found);
            }
        }
    }
    let (root, mut found) = (image.path(""), BTreeMap::new());
    visit(&root, &root, &mut found);
    found
}

fn label(image: &Image, path: &str) -> Option<String> {
    let mut value = vec![0; 4096];
    let path = image.path(path.trim_start_matches('/'));
    let length = rustix::fs::lgetxattr(path, "security.selinux", &mut value[..]).ok()?;
    let text = String::from_utf8(value[..length].to_vec()).unwrap();
    Some(text.strip_suffix('\0').unwrap().to_owned())
}

/// The image with Debian's policy in it.
fn with_policy(image: Image, tools: &Path) -> Image {
    let files = "etc/selinux/default/contexts/files";
    image.put("etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=default\n");
    for name in ["file_contexts", "file_contexts.homedirs", "file_contexts.subs_dist"] {
        image
            .put(&format!("{files}/{name}"), &std::fs::read_to_string(tools.join(files).join(name)).unwrap());
    }
    image
}

/// Personalises the image; what was made or replaced, with the letter by which `matchpathcon` knows its kind.
fn made(image: &Image) -> Vec<(String, &'static str)> {
    let before = inodes(image);
    let files = ["/opt/tool/bin/x", "/bin/y", "/var/lib/cloud/seed/nocloud/user-data", "/etc/cron.d/z"];
    let file =
        |path: &str| SystemFile { path: path.to_owned(), mode: 0o644, content: String::new(), token: None };
    let mut system = SystemSpec { files: files.map(file).to_vec(), ..spec() };
    system.files.extend(spec().files);
    image.apply(&system, 1).unwrap();
    keep_time(&image.path(""), Timestamp::from_unix(1_795_000_000)).unwrap();
    let changed = |(path, inode): (String, u64)| (before.get(&path) != Some(&inode)).then_some(path);
    let kind = |path: String| {
        let kind = std::fs::symlink_metadata(image.path(&path[1..])).unwrap().file_type();
        let kind = if kind.is_symlink() {
            "l"
        } else if kind.is_dir() {
            "d"
        } else {
            "f"
        };
        (path, kind)
    };
    inodes(image).into_iter().filter_map(changed).map(kind).collect()
}

#[test]
fn all_that_is_made_or_replaced_has_the_label_that_matchpathcon_prints() {
    let Some(tools) = unpacked() else { return };
    if !rustix::process::geteuid().is_root() {
        return crate::expect::unavailable("only root sets SELinux labels");
    }
    let contexts = tools.join("etc/selinux/default/contexts/files/file_contexts");
    for image in [Image::debian(), Image::el()] {
        let image = with_policy(image, &tools);
        let made = made(&image);
        let mut types = std::collections::BTreeSet::new();
        for (path, kind) in &made {
            let found = label(&image, path);
            let expected = matchpathcon(&tools, &contexts, kind, std::slice::from_ref(path)).remove(0);
            assert!(expected.is_some(), "{path}: every path that is written has a label in Debian's policy");
            assert_eq!(found, expected, "{path}");
            types.insert(found);
        }
        let all: Vec<_> = made.iter().map(|(path, _)| path.as_str()).collect();
        for path in [
            "/etc/passwd",
            "/etc/machine-id",
            "/home/ops/.ssh/authorized_keys",
            "/usr/lib/clock-epoch",
            "/usr/bin/y",
        ] {
            assert!(all.contains(&path), "{path} in {all:?}");
        }
        assert!(made.len() > 25 && types.len() > 10, "{made:?} {types:?}");
        assert!(!image.path(".autorelabel").exists());
    }
}

#[test]
fn without_a_policy_in_use_nothing_has_a_label() {
    let image = Image::el();
    image.put("etc/selinux/config", "SELINUX=disabled\nSELINUXTYPE=targeted\n");
    image.put("etc/selinux/targeted/contexts/files/file_contexts", "/.* system_u:object_r:default_t:s0\n");
    for (path, _) in made(&image) {
        assert_eq!(label(&image, &path), None, "{path}");
    }
}

#[test]
fn an_image_that_takes_only_notes_is_labelled_too() {
    if !rustix::process::geteuid().is_root() {
        return crate::expect::unavailable("only root sets SELinux labels");
    }
    let image = Image::el();
    image.put("etc/selinux/config", "SELINUX=permissive\n");
    image.put("etc/selinux/targeted/contexts/files/file_contexts", "/.* system_u:object_r:default_t:s0\n");
    for (path, _) in made(&image) {
        assert_eq!(label(&image, &path).as_deref(), Some("system_u:object_r:default_t:s0"), "{path}");
    }
}
