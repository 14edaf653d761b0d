//! The host's network, in the files of whoever configures interfaces in the image.
//!
//! Interfaces are found by their permanent address, never by a kernel name. Ours are read before the image's own files;
//! those that an image builder or cloud-init left behind are removed, and cloud-init is told to keep its hands off. Other
//! programs in the image that would configure interfaces are kept quiet.
//! DHCP identifies itself by MAC address, as the agent did, so that the host keeps the lease it was installed with.

mod ifupdown;
mod network_manager;
mod networkd;
mod quiet;

use anyhow::{Result, bail};

use crate::image_rules::stacks;
use crate::spec::image::NetworkStack;
use crate::spec::system::{Ipv4, NetworkSpec};
use crate::sys::rooted::{Attributes, EntryKind, RootedDir};

/// A file of a network stack.
#[derive(Debug, PartialEq, Eq)]
struct ConfigFile {
    path: String,
    mode: u32,
    text: String,
}

impl ConfigFile {
    fn new(path: impl Into<String>, mode: u32, text: String) -> Self {
        Self { path: path.into(), mode, text }
    }
}

/// Left behind by cloud-init and installers in an image, for another machine.
const CONFLICTS: &[&str] = &[
    "/etc/netplan/50-cloud-init.yaml",
    "/etc/netplan/00-installer-config.yaml",
    "/etc/network/interfaces.d/50-cloud-init",
    "/etc/network/interfaces.d/50-cloud-init.cfg",
    "/etc/NetworkManager/conf.d/99-cloud-init.conf",
];

pub(super) fn apply(root: &RootedDir, stack: NetworkStack, network: &NetworkSpec) -> Result<()> {
    for path in CONFLICTS {
        root.remove(path)?;
    }
    if root.exists("/etc/cloud/cloud.cfg.d") {
        let text = b"# Written by ironstrap: the network is configured without cloud-init.\nnetwork: {config: disabled}\n";
        root.write("/etc/cloud/cloud.cfg.d/99-ironstrap-network.cfg", Attributes::root(0o644), text)?;
    }
    let files = match stack {
        NetworkStack::Networkd => {
            remove_matching(root, "/etc/systemd/network", |name, _| {
                name.starts_with("10-cloud-init-") || name.starts_with("50-cloud-init")
            })?;
            networkd::files(network)
        }
        NetworkStack::Ifupdown => {
            remove_matching(root, ifupdown::DIRECTORY, |_, _| true)?;
            ifupdown::files(network)
        }
        NetworkStack::NetworkManager => {
            let ethernet = |_: &str, text: &str| text.lines().any(is_ethernet_type);
            remove_matching(root, "/etc/NetworkManager/system-connections", ethernet)?;
            remove_matching(root, "/etc/sysconfig/network-scripts", |name, _| {
                name.starts_with("ifcfg-") && name != "ifcfg-lo"
            })?;
            network_manager::files(network)
        }
        NetworkStack::Unknown => bail!("the image enables no network stack that ironstrap knows"),
    };
    files.iter().try_for_each(|file| write(root, file))?;
    quiet::apply(root, stack)?;
    resolver(root, stack, network)
}

fn write(root: &RootedDir, file: &ConfigFile) -> Result<()> {
    let ConfigFile { path, mode, text } = file;
    if let Some((parent, _)) = path.rsplit_once('/') {
        root.make_dirs(parent, Attributes::root(0o755))?;
    }
    root.write(path, Attributes::root(*mode), text.as_bytes())
}

fn is_ethernet_type(line: &str) -> bool {
    let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
    matches!(line.as_str(), "type=ethernet" | "type=802-3-ethernet")
}

/// Removes plain files and links of a directory that the image's past left there.
fn remove_matching(root: &RootedDir, directory: &str, stale: impl Fn(&str, &str) -> bool) -> Result<()> {
    for (name, kind) in root.list(directory)? {
        let path = format!("{directory}/{name}");
        if kind == EntryKind::Directory {
            continue;
        }
        let text = root.read(&path)?.unwrap_or_default();
        if stale(&name, &String::from_utf8_lossy(&text)) {
            root.remove(&path)?;
        }
    }
    Ok(())
}

/// `/etc/resolv.conf`: a link to systemd-resolved's where that runs, else our name servers where no program writes it. Name
/// servers that the image brought are those of the network in which it was made, and never stay.
fn resolver(root: &RootedDir, stack: NetworkStack, network: &NetworkSpec) -> Result<()> {
    const PATH: &str = "/etc/resolv.conf";
    if stacks::is_enabled("systemd-resolved.service", root)? {
        let target = "../run/systemd/resolve/stub-resolv.conf";
        return root.symlink(target, PATH, 0, 0);
    }
    // resolvconf(8) and NetworkManager write below /run; a link to there is how they are told to
    let writer = match root.read_link(PATH)? {
        Some(target) if target.contains("/NetworkManager/") => stack == NetworkStack::NetworkManager,
        Some(target) if target.contains("/resolvconf/") => {
            ["/usr/sbin/resolvconf", "/sbin/resolvconf"].iter().any(|program| root.exists(program))
        }
        _ => false,
    };
    if writer {
        return Ok(());
    }
    let by_dhcp = network.interfaces.is_empty()
        || network.interfaces.iter().any(|interface| interface.ipv4 == Ipv4::Dhcp);
    // NetworkManager writes it always, dhclient (ifupdown) with each lease
    let written_by_daemon =
        stack == NetworkStack::NetworkManager || (stack == NetworkStack::Ifupdown && by_dhcp);
    if written_by_daemon || network.dns.is_empty() {
        root.remove(PATH)?;
        return Ok(());
    }
    let mut text = String::from("# Written by ironstrap.\n");
    if !network.search.is_empty() {
        text.push_str(&format!("search {}\n", spaced(&network.search)));
    }
    for server in &network.dns {
        text.push_str(&format!("nameserver {server}\n"));
    }
    root.write(PATH, Attributes::root(0o644), text.as_bytes())
}

fn spaced<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod libnm_tests;
#[cfg(test)]
mod tests;
