//! `network`: interfaces by their addresses, and what stands on them.
//!
//! A Kickstart may name an interface by its kernel name, which a profile can't: the operator says whose address it is (`--card`).
//! Members of bonds and bridges become interfaces without addresses of their own.

use super::Given;
use crate::import::line_report::Id;
use crate::import::machine::{ANY_INTERFACE, unknown_interface};
use crate::import::{Reading, prefix};
use crate::value::{HostName, LinkName};

/// Options that are taken over, or say what holds anyway.
const KNOWN: [&str; 22] = [
    "--device",
    "--bootproto",
    "--ip",
    "--netmask",
    "--gateway",
    "--nameserver",
    "--hostname",
    "--ipv6",
    "--ipv6gateway",
    "--noipv4",
    "--noipv6",
    "--mtu",
    "--onboot",
    "--activate",
    "--bondslaves",
    "--bondopts",
    "--bridgeslaves",
    "--bridgeopts",
    "--vlanid",
    "--interfacename",
    "--ipv4-dns-search",
    "--bindto",
];

/// The network's commands, in order.
#[derive(Default)]
pub struct Links<'f> {
    commands: Vec<Given<'f>>,
}

impl<'f> Links<'f> {
    /// Remembers a command: what it means depends on the others.
    pub fn add(&mut self, given: Given<'f>, reading: &mut Reading<'_>) {
        let arguments = &given.arguments;
        if let Some(name) = arguments.text("--hostname") {
            match name.parse::<HostName>() {
                Ok(name) if !matches!(name.as_str(), "localhost" | "localhost.localdomain") => {
                    reading.name = Some((name, given.id))
                }
                Ok(_) => reading.report.note(given.id, "the host is called otherwise"),
                Err(error) => reading.report.lose(given.id, error.to_string()),
            }
        }
        // gone again if the line is refused
        for server in arguments.list("--nameserver") {
            reading.draft.push("network.dns", server, given.id);
        }
        for domain in arguments.list("--ipv4-dns-search") {
            reading.draft.push("network.search", domain, given.id);
        }
        self.commands.push(given);
    }

    /// Reads all of them.
    pub fn finish(self, reading: &mut Reading<'_>) {
        for given in &self.commands {
            link(given, reading);
        }
    }
}

fn link(given: &Given<'_>, reading: &mut Reading<'_>) {
    let arguments = &given.arguments;
    given.rest(&KNOWN, reading);
    if matches!(arguments.text("--onboot"), Some("no" | "off" | "false" | "0")) {
        reading.report.lose(given.id, "--onboot: a profile's links come up at boot");
    }
    let device = arguments.text("--device").filter(|device| !matches!(*device, "link" | "bootif" | "ibft"));
    let place = if arguments.has("--bondslaves") {
        bond(given, reading)
    } else if arguments.has("--bridgeslaves") {
        bridge(given, reading)
    } else if arguments.has("--vlanid") {
        vlan(given, reading)
    } else if let Some(device) = device {
        interface(device, given.id, reading)
    } else {
        return any_interface(given, reading);
    };
    match place {
        Ok(place) => addresses(&place, given, reading),
        Err(why) => reading.report.refuse(given.id, why),
    }
}

/// DHCP wherever there is a link is what a profile without interfaces says; nothing more can be said of no interface in particular.
fn any_interface(given: &Given<'_>, reading: &mut Reading<'_>) {
    let arguments = &given.arguments;
    let only_name = !arguments.has("--bootproto") && !arguments.has("--device");
    let dhcp = matches!(arguments.text("--bootproto"), None | Some("dhcp"));
    if !dhcp || arguments.has("--ip") {
        let why =
            "a fixed address needs a card: name it by its address (`--device=52:54:…`), and import again";
        return reading.report.refuse(given.id, why);
    }
    for option in ["--ipv6", "--ipv6gateway", "--noipv4", "--noipv6", "--mtu"] {
        if arguments.has(option) {
            reading
                .report
                .lose(given.id, format!("{option}: say it of a card in `network: {{ interfaces: … }}`"));
        }
    }
    if !only_name {
        reading.report.note(given.id, ANY_INTERFACE);
    }
}

/// The path of an interface in the draft, by hardware address or by a kernel name that the operator has explained.
fn interface(device: &str, from: Id, reading: &mut Reading<'_>) -> Result<String, String> {
    let mac = reading.machine().interface(device).ok_or_else(|| unknown_interface(device))?;
    let place = format!("network.interfaces[{mac}]");
    if !reading.draft.has(&place) {
        reading.interface(mac, from);
    }
    if reading.machine().interfaces.contains_key(device) {
        reading.report.note(from, format!("{device} is {mac}"));
    }
    Ok(place)
}

/// An interface that something stands on: it gets a name, and no addresses of its own.
fn member(device: &str, from: Id, reading: &mut Reading<'_>) -> Result<String, String> {
    if ["bonds", "bridges"].iter().any(|kind| reading.draft.has(&format!("network.{kind}[{device}]"))) {
        return Ok(device.to_owned());
    }
    let place = interface(device, from, reading)?;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mut id: String = device.chars().map(plain).take(15).collect();
    if id.parse::<LinkName>().is_err() {
        id = format!("card{}", 1 + reading.macs.len());
    }
    if !reading.draft.has(&format!("{place}.id")) {
        reading.draft.put(&format!("{place}.id"), id.clone(), from);
    }
    if !reading.draft.has(&format!("{place}.ipv4")) {
        reading.draft.put(&format!("{place}.ipv4"), "none", from);
    }
    Ok(id)
}

fn members(devices: &[&str], place: &str, from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
    for device in devices {
        let id = member(device, from, reading)?;
        reading.draft.push(&format!("{place}.members"), id, from);
    }
    Ok(())
}

fn named(kind: &str, name: &str, from: Id, reading: &mut Reading<'_>) -> Result<String, String> {
    name.parse::<LinkName>().map_err(|error| error.to_string())?;
    let place = format!("network.{kind}[{name}]");
    reading.draft.put(&format!("{place}.id"), name, from);
    Ok(place)
}

fn bond(given: &Given<'_>, reading: &mut Reading<'_>) -> Result<String, String> {
    let arguments = &given.arguments;
    let name = arguments.text("--device").ok_or("the bond has no name")?;
    let place = named("bonds", name, given.id, reading)?;
    members(&arguments.list("--bondslaves"), &place, given.id, reading)?;
    for option in arguments.list("--bondopts") {
        match option.split_once('=') {
            Some(("mode", mode)) => {
                let mode = match mode {
                    "0" => "balance-rr",
                    "1" => "active-backup",
                    "2" => "balance-xor",
                    "4" => "802.3ad",
                    other => other,
                };
                reading.draft.put(&format!("{place}.mode"), mode, given.id);
            }
            Some(("miimon", number)) if number.parse::<u32>().is_ok() => {
                let number = number.parse::<u32>().unwrap_or_default();
                reading.draft.put(&format!("{place}.miimon"), number, given.id);
            }
            _ => reading.report.lose(given.id, format!("`{}` has no key of a bond", option.escape_debug())),
        }
    }
    Ok(place)
}

fn bridge(given: &Given<'_>, reading: &mut Reading<'_>) -> Result<String, String> {
    let arguments = &given.arguments;
    let name = arguments.text("--device").ok_or("the bridge has no name")?;
    let place = named("bridges", name, given.id, reading)?;
    members(&arguments.list("--bridgeslaves"), &place, given.id, reading)?;
    for option in arguments.list("--bridgeopts") {
        match option {
            "stp=yes" => _ = reading.draft.put(&format!("{place}.stp"), true, given.id),
            "stp=no" => _ = reading.draft.put(&format!("{place}.stp"), false, given.id),
            other => {
                reading.report.lose(given.id, format!("`{}` has no key of a bridge", other.escape_debug()))
            }
        }
    }
    Ok(place)
}

fn vlan(given: &Given<'_>, reading: &mut Reading<'_>) -> Result<String, String> {
    let arguments = &given.arguments;
    let device = arguments.text("--device").ok_or("the VLAN has no link")?;
    let tag = arguments.number("--vlanid").ok_or("the VLAN has no number")?;
    let under = match reading.draft.has(&format!("network.interfaces[{device}].id")) {
        true => device.to_owned(),
        false => member(device, given.id, reading)?,
    };
    let usual = format!("{under}-{tag}");
    let name = arguments.text("--interfacename").unwrap_or(&usual);
    let place = named("vlans", name, given.id, reading)?;
    reading.draft.put(&format!("{place}.link"), under, given.id);
    reading.draft.put(&format!("{place}.tag"), tag, given.id);
    Ok(place)
}

fn addresses(place: &str, given: &Given<'_>, reading: &mut Reading<'_>) {
    let arguments = &given.arguments;
    let mut put = |key: &str, value: serde_json::Value| {
        reading.draft.put(&format!("{place}.{key}"), value, given.id);
    };
    match (arguments.text("--ip"), arguments.text("--bootproto")) {
        _ if arguments.has("--noipv4") => put("ipv4", "none".into()),
        (Some(address), None | Some("static")) => {
            let Some(prefix) = arguments.text("--netmask").and_then(prefix) else {
                return reading.report.refuse(given.id, "a fixed address needs its --netmask");
            };
            put("ipv4.address", format!("{address}/{prefix}").into());
            if let Some(gateway) = arguments.text("--gateway").filter(|gateway| *gateway != "none") {
                put("ipv4.gateway", gateway.into());
            }
        }
        (None, Some("static")) => return reading.report.refuse(given.id, "static, and no --ip"),
        (None, None | Some("dhcp")) => put("ipv4", "dhcp".into()),
        (_, Some(other)) => {
            let why = format!("{}: a profile knows DHCP and fixed addresses", other.escape_debug());
            return reading.report.refuse(given.id, why);
        }
    }
    match arguments.text("--ipv6") {
        _ if arguments.has("--noipv6") => put("ipv6", "none".into()),
        Some(word @ ("auto" | "dhcp")) => put("ipv6", word.into()),
        Some(address) => {
            let address = if address.contains('/') { address.to_owned() } else { format!("{address}/64") };
            put("ipv6.address", address.into());
            if let Some(gateway) = arguments.text("--ipv6gateway") {
                put("ipv6.gateway", gateway.into());
            }
        }
        None => {}
    }
    if let Some(mtu) = arguments.number("--mtu") {
        put("mtu", mtu.into());
    }
}
