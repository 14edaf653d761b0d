//! What fits, what doesn't, and that all of it is said at once.

use super::testing::MapTree;
use super::*;
use crate::spec::system::{RootAccount, Sudo, SystemFile, User};

fn user(name: &str, uid: Option<u32>, shell: &str) -> User {
    User {
        name: name.parse().unwrap(),
        full_name: None,
        uid,
        password: None,
        groups: Vec::new(),
        ssh_keys: Vec::new(),
        sudo: Sudo::No,
        shell: shell.to_owned(),
    }
}

fn system() -> SystemSpec {
    SystemSpec {
        hostname: "web01".parse().unwrap(),
        timezone: Some("Europe/Berlin".to_owned()),
        root: RootAccount::default(),
        users: vec![user("ops", Some(1500), "/bin/bash")],
        files: Vec::new(),
        units: vec!["cloud-init.target".to_owned()],
    }
}

#[test]
fn a_host_that_fits_is_let_through() {
    assert_eq!(incompatibilities(&system(), &MapTree::usual()).unwrap(), Vec::<String>::new());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let wants = SystemSpec {
        timezone: Some("Mars/Olympus".to_owned()),
        users: vec![
            user("ops", Some(1000), "/usr/bin/zsh"),
            user("debian", Some(7), "/bin/sh"),
            user("dev", None, "/usr/bin/fish"),
        ],
        units: vec!["absent.service".to_owned(), "../x.service".to_owned()],
        ..system()
    };
    let found = incompatibilities(&wants, &MapTree::usual()).unwrap();
    let expected = [
        "account `ops`: uid 1000 belongs to `debian`",
        "account `debian`: the image has it with uid 1000",
        "account `ops`: the image has no `/usr/bin/zsh`",
        "account `dev`: the image has no `/usr/bin/fish`",
        "no time zone `Mars/Olympus`",
        "no unit `absent.service`",
        "`../x.service` is not the name of a unit",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn missing_account_files_are_named_all_of_them() {
    let tree = MapTree::usual().without("/etc/shadow").without("/etc/group");
    let found = incompatibilities(&system(), &tree).unwrap();
    assert_eq!(found, ["the image has no /etc/shadow", "the image has no /etc/group"]);
}

#[test]
fn utc_needs_no_tzdata() {
    let tree = MapTree::usual();
    assert_eq!(zone_file("UTC", &tree).unwrap(), Ok(Zone::Utc));
    let berlin = "/usr/share/zoneinfo/Europe/Berlin".to_owned();
    assert_eq!(zone_file("Europe/Berlin", &tree).unwrap(), Ok(Zone::File(berlin)));
    assert!(zone_file("../../etc/shadow", &tree).unwrap().is_err());
}

#[test]
fn a_unit_is_the_images_or_the_orders_and_a_mask_is_none() {
    let mut tree = MapTree::usual();
    let ours = SystemFile {
        path: format!("{UNITS}/ours.service"),
        mode: 0o644,
        content: "[Unit]\n".to_owned(),
        token: None,
    };
    let wants = SystemSpec { files: vec![ours], units: vec!["ours.service".to_owned()], ..system() };
    assert_eq!(incompatibilities(&wants, &tree).unwrap(), Vec::<String>::new());
    let none = |_: &str| false;
    tree.links.insert(format!("{UNITS}/cloud-init.target"), MASK.to_owned());
    let below = "/lib/systemd/system/cloud-init.target".to_owned();
    assert_eq!(unit_file("cloud-init.target", &tree, &none).unwrap(), Ok(below));
    tree.links.insert(format!("{UNITS}/gone.service"), MASK.to_owned());
    assert!(unit_file("gone.service", &tree, &none).unwrap().is_err());
    tree.files.insert("/usr/lib/systemd/system/x@.service".to_owned(), String::new());
    assert!(unit_file("x@1.service", &tree, &none).unwrap().is_ok());
}
