//! The list is well formed, the handbook shows it, and what an image carries is found.

use std::collections::BTreeSet;

use super::*;
use crate::image_rules::testing::MapTree;

fn nothing() -> MapTree {
    MapTree::default()
}

fn with(files: &[(&str, &str)]) -> MapTree {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    MapTree { files, ..MapTree::default() }
}

fn told(root: &MapTree, esp: &MapTree) -> Vec<String> {
    carried(root, esp).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn no_place_is_on_the_list_twice_and_all_are_plain_paths() {
    let places: Vec<_> =
        TRACES.iter().flat_map(|trace| trace.places.iter().map(move |place| (trace, place))).collect();
    let mut seen = BTreeSet::new();
    for (trace, place) in places {
        let pattern = place.pattern();
        assert!(pattern.starts_with('/') && !pattern.contains("//") && !pattern.contains(".."), "{pattern}");
        assert!(seen.insert(pattern.clone()), "{pattern} is on the list twice");
        assert!(!trace.what.is_empty() && !trace.fate.words().ends_with(": "), "{pattern}");
    }
}

#[test]
fn what_an_image_carries_is_told_once_each_in_the_lists_order() {
    let root = with(&[
        ("/var/lib/salt", ""),
        ("/etc/salt/pki/minion/minion.pem", "key"),
        ("/etc/salt/pki/minion/minion_master.pub", "the master's"),
        ("/etc/salt/minion_id", "golden"),
        ("/etc/ssh/ssh_host_rsa_key", "key"),
        ("/etc/ssh/sshd_config", "x"),
        ("/var/lib/puppet/ssl/certs/ca.pem", "the authority's"),
        ("/var/lib/NetworkManager/NetworkManager.state", "x"),
        ("/var/lib/cloud/instances/i-1/sem/x", "x"),
    ]);
    let esp = with(&[("/loader/random-seed", "x")]);
    assert_eq!(
        told(&root, &esp),
        [
            "/loader/random-seed in the ESP (random seed of systemd-boot): removed: `bootctl` makes one",
            "/etc/ssh/ssh_host_rsa_key (SSH host keys): made anew: an Ed25519 key, the other types at first boot",
            "/var/lib/cloud/instances (instance cache of cloud-init): removed: another host is another instance",
            "/etc/salt/pki/minion/minion.pem and 1 more (key and id of the Salt minion): made anew at first boot by \
             salt-minion; the master's key stays",
        ]
    );
    assert_eq!(told(&nothing(), &nothing()), Vec::<String>::new());
}

#[test]
fn empty_files_and_links_to_what_is_made_at_boot_are_nobodys() {
    let mut root = with(&[("/etc/machine-id", "uninitialized\n"), ("/etc/resolv.conf", "# none\n\n")]);
    root.links.insert("/var/lib/dbus/machine-id".to_owned(), "/etc/machine-id".to_owned());
    assert_eq!(told(&root, &nothing()), Vec::<String>::new());
    root.links.insert("/etc/resolv.conf".to_owned(), "../run/systemd/resolve/stub-resolv.conf".to_owned());
    assert_eq!(told(&root, &nothing()), Vec::<String>::new());
    let root = with(&[("/etc/machine-id", "0123\n"), ("/etc/resolv.conf", "nameserver 192.0.2.1\n")]);
    assert_eq!(told(&root, &nothing()).len(), 2);
}

const BEGIN: &str = "<!-- made from src/image_rules/identity/list.rs; a test compares it -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn the_handbook_shows_the_list_as_it_is() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images.md");
    let mut table = String::from("| what | where | on each host |\n|---|---|---|\n");
    for trace in TRACES {
        let places: Vec<_> = trace.places.iter().map(|place| format!("`{}`", place.pattern())).collect();
        table.push_str(&format!("| {} | {} | {} |\n", trace.what, places.join(", "), trace.fate.words()));
    }
    crate::expect::section(&path, BEGIN, Some(END), &table);
}
