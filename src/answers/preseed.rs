//! Preseed for Debian's installer.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use minijinja::{Value, context};

use super::Prepared;
use super::view::{Misfits, View};
use crate::grammar::preseed::Release;
use crate::host::{Host, Ipv4, Os};

/// Notes what d-i can't do beside what the table says, and adds the kernel arguments: the network must be told there, since
/// the file comes by it.
pub fn prepare(_os: Os, host: &Host, view: &mut View, misfits: &mut Misfits) -> Prepared {
    view.script_accounts = true;
    let network = &host.network;
    let dynamic = network.interfaces.first().is_none_or(|first| first.link.ipv4 == Ipv4::Dhcp);
    if dynamic && !network.dns.is_empty() {
        misfits.add(
            "network.dns",
            "takes name servers from DHCP only, unless the address is fixed: leave them out",
        );
    }
    let domain = host.name.domain();
    if network.search.iter().any(|search| Some(search.as_str()) != domain) {
        misfits.add(
            "network.search",
            "knows one search domain, the host's own: leave it out, or use the hand-off",
        );
    }
    for group in host.users.iter().flat_map(|user| &user.groups).filter(|group| group.as_str() == "wheel") {
        misfits.add("users.groups", format_args!("would make a new group `{group}`: Debian's is `sudo`"));
    }
    Prepared { kernel_args: kernel_args(view), values: context! {}, document: None }
}

/// The release as its grammar knows it; another family's counts as the oldest.
pub fn release(os: Os) -> Release {
    match os {
        Os::Debian13 => Release::Debian13,
        _ => Release::Debian12,
    }
}

fn kernel_args(view: &View) -> Vec<String> {
    let mut args: Vec<String> =
        ["auto=true", "priority=critical", "url=URL", "interface=auto"].map(str::to_owned).to_vec();
    args.push(format!("hostname={}", view.host.short));
    // without a value d-i would take DHCP's domain
    args.push(format!("domain={}", view.host.domain));
    let Some(interface) = view.network.interfaces.first() else { return args };
    args.push(format!("BOOTIF={}", interface.bootif));
    if let Some(fixed) = &interface.ipv4 {
        args.push("netcfg/disable_autoconfig=true".to_owned());
        args.push(format!("netcfg/get_ipaddress={}", fixed.address));
        args.push(format!("netcfg/get_netmask={}", fixed.netmask));
        args.push(format!("netcfg/get_gateway={}", fixed.gateway.as_deref().unwrap_or("none")));
        // d-i splits a boot value at blanks, so that a second server doesn't arrive
        args.push(format!("netcfg/get_nameservers={}", view.network.dns.first().map_or("", String::as_str)));
        args.push("netcfg/confirm_static=true".to_owned());
    }
    args
}

/// The disk script becomes one logical line; the set-up script travels in base64, which has nothing to escape.
pub fn parts(disk: &str, setup: &str) -> Value {
    let lines: Vec<_> = disk.lines().filter(|line| !line.trim().is_empty()).collect();
    context! {
        disk_script => Value::from_safe_string(lines.join(" \\\n  ") + " \\"),
        setup_base64 => BASE64.encode(setup),
    }
}
