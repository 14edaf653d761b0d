//! systemd-networkd: systemd.network(5).

use super::{ConfigFile, spaced};
use crate::spec::system::{Interface, Ipv4, NetworkSpec};

const DHCP: &str = "[DHCPv4]\nClientIdentifier=mac\n";

pub(super) fn files(network: &NetworkSpec) -> Vec<ConfigFile> {
    if network.interfaces.is_empty() {
        return every_link(network);
    }
    network
        .interfaces
        .iter()
        .enumerate()
        .map(|(at, interface)| {
            // 00: before anything that the image matches by name
            let path = format!("/etc/systemd/network/00-ironstrap-{at}.network");
            ConfigFile::new(path, 0o644, text(interface, network))
        })
        .collect()
}

fn text(interface: &Interface, network: &NetworkSpec) -> String {
    let mut text = format!("[Match]\nPermanentMACAddress={}\n\n[Network]\n", interface.mac);
    match &interface.ipv4 {
        Ipv4::Dhcp => text.push_str("DHCP=ipv4\n"),
        Ipv4::Static { address, gateway } => {
            text.push_str(&format!("Address={address}\n"));
            if let Some(gateway) = gateway {
                text.push_str(&format!("Gateway={gateway}\n"));
            }
        }
    }
    text.push_str(&names(network));
    if interface.ipv4 == Ipv4::Dhcp {
        text.push('\n');
        text.push_str(DHCP);
    }
    text
}

/// Physical links only, and the network counts as online with the first that has an address: the others may be unplugged.
fn every_link(network: &NetworkSpec) -> Vec<ConfigFile> {
    let text = format!("[Match]\nType=ether\nKind=!*\n\n[Network]\nDHCP=ipv4\n{}\n{DHCP}", names(network));
    let wait = "[Service]\nExecStart=\nExecStart=/usr/lib/systemd/systemd-networkd-wait-online --any\n";
    vec![
        ConfigFile::new("/etc/systemd/network/00-ironstrap-any.network", 0o644, text),
        ConfigFile::new(
            "/etc/systemd/system/systemd-networkd-wait-online.service.d/10-ironstrap.conf",
            0o644,
            wait.to_owned(),
        ),
    ]
}

fn names(network: &NetworkSpec) -> String {
    let mut text: String = network.dns.iter().map(|server| format!("DNS={server}\n")).collect();
    if !network.search.is_empty() {
        text.push_str(&format!("Domains={}\n", spaced(&network.search)));
    }
    text
}
