//! Order of kernel releases, and policies of SELinux.

use std::sync::Arc;

use super::*;
use crate::image::testing;
use crate::image::tree::Ext4Tree;

#[test]
fn newer_kernels_are_told_from_older_ones() {
    let mut releases =
        ["6.1.0-10-amd64", "5.10.0-30-amd64", "6.1.0-9-amd64", "6.1.0-10-cloud-amd64", "6.1.0-010-amd64"];
    releases.sort_by(|a, b| by_version(a, b));
    assert_eq!(
        releases,
        ["5.10.0-30-amd64", "6.1.0-9-amd64", "6.1.0-10-amd64", "6.1.0-010-amd64", "6.1.0-10-cloud-amd64"]
    );
    assert_eq!(by_version("6.1", "6.1"), Ordering::Equal);
    assert_eq!(by_version("6.1", "6.1.1"), Ordering::Less);
}

/// What is found of SELinux in a root with these files.
fn of_selinux(files: &[(&str, &str)]) -> Option<Result<bool>> {
    let put = |root: &std::path::Path| {
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::create_dir_all(root).unwrap();
    };
    let device = Arc::new(testing::root_device(put, &[])?);
    let tree = Ext4Tree::open(device, 0, 16 << 20).unwrap();
    Some(selinux_enforcing(&tree))
}

#[test]
fn a_policy_that_an_install_could_not_use_is_found_at_import() {
    const CONFIG: &str = "etc/selinux/config";
    const FILES: &str = "etc/selinux/targeted/contexts/files/file_contexts";
    let Some(none) = of_selinux(&[]) else { return };
    assert!(!none.unwrap());
    let wide = format!("SELINUX=enforcing\n#{}\n", "x".repeat(64 << 10));
    for (config, contexts, expected) in [
        ("SELINUX=enforcing\n", "/.* u:r:t:s0\n", Ok(true)),
        ("SELINUX=permissive\n", "/.* u:r:t:s0\n", Ok(false)),
        ("SELINUX=disabled\n", "nonsense\n", Ok(false)),
        ("SELINUX=permissive\n", "nonsense\n", Err("line 1 of /etc/selinux/targeted")),
        ("SELINUX=enforcing\n", "/x(?<!y) u:r:t:s0\n", Err("can't be used")),
        ("SELINUX=enforcing\n", "/\u{e9} u:r:t:s0\n", Ok(true)),
        ("SELINUX=enforcing\nSELINUXTYPE=mls\n", "", Err("there is no /etc/selinux/mls/")),
        (&wide, "", Err("the limit is 65536")),
    ] {
        let found = of_selinux(&[(CONFIG, config), (FILES, contexts)]).unwrap();
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{config}"),
            (Err(error), Err(part)) => assert!(format!("{error:#}").contains(part), "{error:#}"),
            (found, expected) => panic!("{config}: {found:?}, not {expected:?}"),
        }
    }
}
