//! ifupdown: interfaces(5). It knows kernel names only, so systemd-udevd names the interfaces by address first
//! (systemd.link(5)).

use super::{ConfigFile, spaced};
use crate::spec::system::{Interface, Ipv4, NetworkSpec};

/// Tells ifupdown which stanza an interface without one of its own uses.
const MAP: &str = "/usr/lib/ironstrap/ifupdown-any";

/// Where the files with the stanzas stand.
pub(super) const DIRECTORY: &str = "/etc/network/interfaces.d";
/// The file that names them.
pub(super) const MAIN: &str = "/etc/network/interfaces";

/// Nothing but `lo`, and whatever is put into [`DIRECTORY`].
pub(super) fn loopback() -> ConfigFile {
    let text =
        "# Written by ironstrap.\nsource /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n";
    ConfigFile::new(MAIN, 0o644, text.to_owned())
}

pub(super) fn files(network: &NetworkSpec) -> Vec<ConfigFile> {
    let mut files = vec![loopback()];
    let mut stanzas = String::new();
    if network.interfaces.is_empty() {
        // Hot-plugged: a port without a cable then doesn't hold up the boot. A mapping, because `ifup` of one hot-plugged
        // interface doesn't look at `allow-hotplug /en*=ironstrap`.
        stanzas.push_str(&format!(
            "allow-hotplug /en* /eth*\nmapping en* eth*\n    script {MAP}\niface ironstrap inet dhcp\n"
        ));
        files.push(ConfigFile::new(MAP, 0o755, "#!/bin/sh\necho ironstrap\n".to_owned()));
    }
    for (at, interface) in network.interfaces.iter().enumerate() {
        let link = format!("[Match]\nPermanentMACAddress={}\n\n[Link]\nName={}\n", interface.mac, name(at));
        files.push(ConfigFile::new(format!("/etc/systemd/network/00-ironstrap-{at}.link"), 0o644, link));
        stanzas.push_str(&stanza(&name(at), interface, network));
    }
    files.push(ConfigFile::new("/etc/network/interfaces.d/ironstrap", 0o644, stanzas));
    files
}

/// Not `eth<n>`: the kernel gives those names itself and the two would meet.
fn name(at: usize) -> String {
    format!("lan{at}")
}

fn stanza(name: &str, interface: &Interface, network: &NetworkSpec) -> String {
    let mut text = match &interface.ipv4 {
        Ipv4::Dhcp => format!("auto {name}\niface {name} inet dhcp\n"),
        Ipv4::Static { address, gateway } => {
            let gateway = gateway.map(|gateway| format!("    gateway {gateway}\n")).unwrap_or_default();
            format!("auto {name}\niface {name} inet static\n    address {address}\n{gateway}")
        }
    };
    // read by resolvconf where it is installed
    if !network.dns.is_empty() {
        text.push_str(&format!("    dns-nameservers {}\n", spaced(&network.dns)));
    }
    if !network.search.is_empty() {
        text.push_str(&format!("    dns-search {}\n", spaced(&network.search)));
    }
    text
}
