//! Programs that would configure interfaces beside the one that is ours: they stay installed, and quiet.
//!
//! Which they are is the rule's to say that chose ours ([`stacks`]). Two at once give an interface two addresses, and one
//! that waits for a network it doesn't have holds up the boot for minutes.

use anyhow::Result;

use super::{ConfigFile, ifupdown, remove_matching, write};
use crate::image_rules::{MASK, UNITS, stacks};
use crate::spec::image::NetworkStack;
use crate::sys::rooted::{Attributes, RootedDir};

/// For NetworkManager where it isn't ours: also when somebody starts it by hand.
const UNMANAGED: &str = "/etc/NetworkManager/conf.d/99-ironstrap-unmanaged.conf";
/// Ubuntu's: NetworkManager leaves Ethernet to netplan. A file of the same name takes its place (NetworkManager.conf(5)).
const GLOBALLY: &str = "NetworkManager/conf.d/10-globally-managed-devices.conf";

pub(super) fn apply(root: &RootedDir, ours: NetworkStack) -> Result<()> {
    for unit in stacks::competing_units(ours, root)? {
        root.make_dirs(UNITS, Attributes::root(0o755))?;
        root.symlink(MASK, &format!("{UNITS}/{unit}"), 0, 0)?;
    }
    // netplan makes files of these for either daemon at each boot; those that the host's owner adds later count
    remove_matching(root, "/etc/netplan", |name, text| {
        name.ends_with(".yaml") && text.contains("ethernets")
    })?;
    if ours != NetworkStack::Ifupdown && root.exists(ifupdown::MAIN) {
        // NetworkManager keeps away from interfaces that stand there
        remove_matching(root, ifupdown::DIRECTORY, |_, _| true)?;
        write(root, &ifupdown::loopback())?;
    }
    if ours == NetworkStack::NetworkManager {
        root.remove(UNMANAGED)?;
        if root.exists(&format!("/usr/lib/{GLOBALLY}")) {
            let text = "# Written by ironstrap: NetworkManager configures all interfaces.\n";
            write(root, &ConfigFile::new(format!("/etc/{GLOBALLY}"), 0o644, text.to_owned()))?;
        }
    } else if root.exists("/etc/NetworkManager") {
        let text = "# Written by ironstrap: another program configures the interfaces.\n[keyfile]\nunmanaged-devices=*\n";
        write(root, &ConfigFile::new(UNMANAGED, 0o644, text.to_owned()))?;
    }
    Ok(())
}
