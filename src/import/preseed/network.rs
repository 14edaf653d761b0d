//! Names and addresses.

use std::net::Ipv4Addr;

use super::Given;
use crate::import::machine::unknown_interface;
use crate::import::{Reading, prefix};
use crate::value::HostName;

const NAME: [&str; 2] = ["netcfg/hostname", "netcfg/get_hostname"];

/// What d-i's example file answers where DHCP is to give the name.
const PLACEHOLDERS: [(&str, &str); 3] = [
    ("netcfg/hostname", "unassigned-hostname"),
    ("netcfg/get_hostname", "unassigned-hostname"),
    ("netcfg/get_domain", "unassigned-domain"),
];

/// Reads what `netcfg` is told.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    name(given, reading);
    let fixed = given.get("netcfg/get_ipaddress");
    let named = given.get("netcfg/choose_interface").filter(|(_, name)| *name != "auto");
    let Some((id, address)) = fixed else {
        without_address(
            "d-i asks for it only of a fixed address, and netcfg/get_ipaddress gives none",
            given,
            reading,
        );
        if let Some((id, name)) = named {
            match reading.machine().interface(name) {
                Some(mac) => {
                    reading.interface(mac, id);
                    reading.report.note(id, format!("{} is {mac}", name.escape_debug()));
                }
                None => reading.report.refuse(id, unknown_interface(name)),
            }
        }
        return;
    };
    let interface = named.and_then(|(of, name)| Some((of, reading.machine().interface(name)?)));
    let Some((of, mac)) = interface else {
        let why = match named {
            Some((_, name)) => unknown_interface(name),
            None => "a fixed address needs a card: answer netcfg/choose_interface with its kernel name, and import with --card NAME=MAC".to_owned(),
        };
        without_address(LINK, given, reading);
        return reading.report.refuse(id, why);
    };
    let prefix = given.get("netcfg/get_netmask").and_then(|(id, mask)| Some((id, prefix(mask)?)));
    // before anything is put: half a link would ask DHCP. Which machine it is, is true all the same
    let (Some((mask, prefix)), Ok(_)) = (prefix, address.parse::<Ipv4Addr>()) else {
        without_address(LINK, given, reading);
        reading.macs.push((mac, of));
        reading.report.taken(of);
        reading.report.lose(of, format!("the card {mac} tells the machine; {LINK}"));
        let why = "a fixed address needs an IPv4 address and its netmask (netcfg/get_netmask)";
        return reading.report.refuse(id, why);
    };
    let place = reading.interface(mac, of);
    reading.report.note(of, format!("the card is {mac}"));
    reading.put(&format!("{place}.ipv4.address"), format!("{address}/{prefix}"), id);
    reading.report.taken(mask);
    if let Some((id, gateway)) = given.get("netcfg/get_gateway").filter(|(_, gateway)| *gateway != "none") {
        reading.put(&format!("{place}.ipv4.gateway"), gateway, id);
    }
    if let Some((id, servers)) = given.get("netcfg/get_nameservers") {
        servers.split_whitespace().for_each(|server| reading.draft.push("network.dns", server, id));
        reading.report.taken(id);
    }
    for key in ["netcfg/confirm_static", "netcfg/disable_autoconfig", "netcfg/disable_dhcp"] {
        if let Some((id, _)) = given.get(key).filter(|(_, value)| *value == "true") {
            reading.report.taken(id);
            reading.report.note(id, "the address is on the kernel's command line, where d-i needs it");
        }
    }
}

/// Said of what belongs to an address that isn't taken over.
const LINK: &str = "the address that it belongs to (netcfg/get_ipaddress) isn't taken over";

/// What means nothing without a fixed address.
fn without_address(why: &str, given: &Given<'_>, reading: &mut Reading<'_>) {
    given.refuse(&["netcfg/get_netmask", "netcfg/get_gateway", "netcfg/get_nameservers"], why, reading);
}

fn name(given: &Given<'_>, reading: &mut Reading<'_>) {
    let domain = given
        .get("netcfg/get_domain")
        .filter(|(_, domain)| !matches!(*domain, "unassigned-domain" | "local"));
    for (id, _) in
        PLACEHOLDERS.iter().filter_map(|(key, value)| given.get(key).filter(|(_, said)| said == value))
    {
        reading.report.moot(id, "it stands for no name: the profile's counts");
    }
    let Some((id, short)) = NAME.iter().find_map(|key| given.get(key)) else { return };
    if matches!(short, "unassigned-hostname" | "localhost") {
        return;
    }
    let name = match domain {
        Some((_, domain)) if !short.contains('.') => format!("{short}.{domain}"),
        _ => short.to_owned(),
    };
    match name.parse::<HostName>() {
        Ok(name) => reading.name = Some((name, id)),
        Err(error) => {
            for (id, _) in NAME.iter().filter_map(|key| given.get(key)) {
                reading.report.refuse(id, error.to_string());
            }
        }
    }
}
