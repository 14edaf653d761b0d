//! NetworkManager: keyfiles, nm-settings-keyfile(5). It ignores files that others may read.

use std::net::IpAddr;

use super::ConfigFile;
use crate::spec::system::{Interface, Ipv4, NetworkSpec};
use crate::value::Digest;

/// By itself, NetworkManager asks by DHCP on each interface that no connection is for (`no-auto-default` in NetworkManager.conf(5)); the
/// other stacks leave those alone.
const ONLY_OURS: &str =
    "# Written by ironstrap: interfaces that no connection names stay down.\n[main]\nno-auto-default=*\n";

pub(super) fn files(network: &NetworkSpec) -> Vec<ConfigFile> {
    let mut files = connections(network);
    let path = "/etc/NetworkManager/conf.d/99-ironstrap.conf";
    files.push(ConfigFile::new(path, 0o644, ONLY_OURS.to_owned()));
    files
}

fn connections(network: &NetworkSpec) -> Vec<ConfigFile> {
    let file = |name: &str, text| {
        let path = format!("/etc/NetworkManager/system-connections/{name}.nmconnection");
        ConfigFile::new(path, 0o600, text)
    };
    if network.interfaces.is_empty() {
        return vec![file("ironstrap-any", profile("ironstrap-any", None, network))];
    }
    let name = |at: usize| format!("ironstrap-{at}");
    let interfaces = network.interfaces.iter().enumerate();
    interfaces.map(|(at, interface)| file(&name(at), profile(&name(at), Some(interface), network))).collect()
}

/// One connection; without an interface, the one that every Ethernet link uses (`multi-connect=3`).
fn profile(name: &str, interface: Option<&Interface>, network: &NetworkSpec) -> String {
    let subject = interface.map_or_else(String::new, |interface| interface.mac.to_string());
    let uuid = stable_uuid(&format!("ironstrap {name} {subject}"));
    let mut text = format!("[connection]\nid={name}\nuuid={uuid}\ntype=ethernet\nautoconnect-priority=100\n");
    match interface {
        Some(interface) => text.push_str(&format!("\n[ethernet]\nmac-address={}\n", interface.mac)),
        None => text.push_str("multi-connect=3\n\n[ethernet]\n"),
    }
    text.push_str("\n[ipv4]\n");
    match interface.map(|interface| &interface.ipv4) {
        None | Some(Ipv4::Dhcp) => text.push_str("method=auto\ndhcp-client-id=mac\n"),
        Some(Ipv4::Static { address, gateway }) => {
            let gateway = gateway.map(|gateway| format!(",{gateway}")).unwrap_or_default();
            text.push_str(&format!("method=manual\naddress1={address}{gateway}\n"));
        }
    }
    let servers = |v4: bool| -> String {
        network.dns.iter().filter(|ip| ip.is_ipv4() == v4).map(|ip: &IpAddr| format!("{ip};")).collect()
    };
    let search: String = network.search.iter().map(|domain| format!("{domain};")).collect();
    text.push_str(&setting("dns", &servers(true)));
    text.push_str(&setting("dns-search", &search));
    text.push_str("\n[ipv6]\nmethod=auto\n");
    text.push_str(&setting("dns", &servers(false)));
    text
}

fn setting(key: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("{key}={value}\n") }
}

/// The same for the same host, so that a second install looks the same.
fn stable_uuid(text: &str) -> uuid::Uuid {
    let digest = Digest::of(text.as_bytes());
    uuid::Builder::from_custom_bytes(std::array::from_fn(|at| digest.as_bytes()[at])).into_uuid()
}
