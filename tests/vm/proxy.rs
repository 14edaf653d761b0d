//! Firmware beside a DHCP server that is there already: real OVMF with Secure Boot, our configurations as they are in the tree,
//! what was on the wire, and that GRUB found its menu. The machines have no disk, and are switched off there.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use dhcproto::v4::{DhcpOption, Message, OptionCode};
use serde_json::json;

use crate::support::capture::{answers, datagrams, files};
use crate::support::image_fixture::IMAGE;
use crate::support::qemu::Machine;
use crate::support::site::Site;
use crate::support::wire::{HOST, NEIGHBOUR, Wire};
use crate::support::{say, with_machines};

/// A host with a fixed address and one without, both in the tree.
const FIXED: (&str, &str) = ("india", "52:54:00:70:00:02");
const BY_DHCP: (&str, &str) = ("juliett", "52:54:00:70:00:03");

/// The other server gives addresses and says nothing of boot files; the one that ours offers is taken, and GRUB gets on.
#[test]
fn firmware_starts_through_dnsmasq_beside_another_dhcp_server() -> Result<()> {
    with_machines("proxy-dnsmasq", |dir| {
        let Some(mut wire) = Wire::with_neighbour("dnsmasq")? else { return Ok(()) };
        let (_, tree) = tree(dir)?;
        let log = dir.join("neighbour.log");
        let words = "--no-daemon --user=root --conf-file=/dev/null --port=0 --leasefile-ro --no-ping --log-dhcp \
                     --dhcp-range=10.80.0.100,10.80.0.120,255.255.255.0";
        wire.neighbour_serves("dnsmasq", &words.split_whitespace().collect::<Vec<_>>(), &log)?;
        wire.dnsmasq(&tree, "dnsmasq.conf")?;
        let seen = starts(dir, &wire, FIXED.1)?;
        let (own, others) = by_server(&seen)?;
        ensure!(
            others.iter().any(|offer| !offer.yiaddr().is_unspecified()),
            "the other server offered nothing"
        );
        for answer in &own {
            ensure!(answer.yiaddr() == Ipv4Addr::new(10, 80, 0, 20), "{answer:?}");
            ensure!(answer.siaddr() == HOST.parse::<Ipv4Addr>()?, "{answer:?}");
            let option = |code: u8| answer.opts().get(OptionCode::from(code));
            let vendor = option(43).with_context(|| format!("no option 43: {answer:?}"))?;
            // discovery control: boot the file, ask nobody
            ensure!(
                matches!(vendor, DhcpOption::VendorExtensions(bytes) if bytes.starts_with(&[6, 1, 8])),
                "{vendor:?}"
            );
            let class = option(60).with_context(|| format!("no option 60: {answer:?}"))?;
            ensure!(
                matches!(class, DhcpOption::ClassIdentifier(text) if text.starts_with(b"PXEClient")),
                "{class:?}"
            );
        }
        ensure!(own.len() == 2, "an offer and an acknowledgement: {own:?}");
        Ok(())
    })
}

/// Kea with nothing of ours but the snippet; dnsmasq serves the files only.
#[test]
fn firmware_starts_by_kea_with_the_snippet_of_the_tree() -> Result<()> {
    with_machines("proxy-kea", |dir| {
        let Some(mut wire) = Wire::with_neighbour("kea")? else { return Ok(()) };
        let (site, tree) = tree(dir)?;
        let text = std::fs::read_to_string(tree.join("dhcp-kea.json")).context("reading the snippet")?;
        ensure!(text == site.run(&["dhcp", "kea"])?, "the command and the tree say the same");
        kea(&mut wire, dir, serde_json::from_str(&text).context("parsing the snippet")?)?;
        let only_files = dir.join("files.conf");
        std::fs::write(&only_files, "port=0\nenable-tftp\n").context("writing a configuration")?;
        wire.dnsmasq(&tree, &only_files.to_string_lossy())?;
        let seen = starts(dir, &wire, BY_DHCP.1)?;
        let (own, others) = by_server(&seen)?;
        ensure!(own.is_empty(), "only Kea answers: {own:?}");
        for answer in &others {
            ensure!(answer.siaddr() == HOST.parse::<Ipv4Addr>()?, "{answer:?}");
            ensure!(answer.opts().get(OptionCode::ClassIdentifier).is_none(), "{answer:?}");
        }
        Ok(())
    })
}

/// A host without a fixed address: Kea names the next server, the proxy the file.
#[test]
fn firmware_starts_by_proxy_beside_a_kea_that_names_the_next_server() -> Result<()> {
    if std::env::var_os("IRONSTRAP_SOAK").is_none() {
        say("skipped: a second machine beside Kea; `make soak` (IRONSTRAP_SOAK=1) runs it");
        return Ok(());
    }
    with_machines("proxy-soak", |dir| {
        let Some(mut wire) = Wire::with_neighbour("soak")? else { return Ok(()) };
        let (_, tree) = tree(dir)?;
        kea(&mut wire, dir, json!({ "Dhcp4": { "next-server": HOST } }))?;
        wire.dnsmasq(&tree, "dnsmasq.conf")?;
        let seen = starts(dir, &wire, BY_DHCP.1)?;
        let (own, _) = by_server(&seen)?;
        ensure!(
            own.iter().all(|answer| answer.yiaddr().is_unspecified()),
            "a proxy gives no address: {own:?}"
        );
        let named =
            own.iter().any(|answer| answer.fname().is_some_and(|file| file.starts_with(b"bootx64.efi")));
        ensure!(named, "port 4011 names the file: {own:?}");
        Ok(())
    })
}

/// A site with both hosts, armed, and its tree.
fn tree(dir: &Path) -> Result<(Site, PathBuf)> {
    let host = |(name, mac): (&str, &str), ipv4: &str| {
        let yaml = format!(
            "name: {name}\n\
             match: {{ mac: [\"{mac}\"] }}\n\
             image: {IMAGE}\n\
             network: {{ interfaces: [{{ match: {{ mac: \"{mac}\" }}, ipv4: {ipv4} }}] }}\n\
             storage: {{ target: {{ serial: {name} }}, confirm: 0 }}\n"
        );
        yaml
    };
    let hosts = [(FIXED.0, host(FIXED, "{ address: 10.80.0.20/24 }")), (BY_DHCP.0, host(BY_DHCP, "dhcp"))];
    let site = Site::new(dir, Some(&format!("http://{HOST}")), &hosts)?;
    site.arm(&[FIXED.0, BY_DHCP.0])?;
    let tree = site.tree("pxe")?;
    Ok((site, tree))
}

/// Kea on the neighbour, with this and a range.
fn kea(wire: &mut Wire, dir: &Path, mut config: serde_json::Value) -> Result<()> {
    config["Dhcp4"]["interfaces-config"] = json!({ "interfaces": ["eth0"] });
    config["Dhcp4"]["lease-database"] = json!({ "type": "memfile", "persist": false });
    config["Dhcp4"]["subnet4"] =
        json!([{ "subnet": "10.80.0.0/24", "pools": [{ "pool": "10.80.0.100-10.80.0.120" }] }]);
    let path = dir.join("kea.json");
    std::fs::write(&path, config.to_string()).context("writing Kea's configuration")?;
    wire.neighbour_serves("kea-dhcp4", &["-c", &path.to_string_lossy()], &dir.join("neighbour.log"))
}

/// Starts a machine, waits until GRUB has the menu of its host, and returns the answers of the DHCP servers.
fn starts(dir: &Path, wire: &Wire, mac: &str) -> Result<Vec<(Ipv4Addr, Message)>> {
    let capture = dir.join("wire.pcap");
    let machine = Machine::new(dir, "machine")?.memory(512).network(mac);
    let mut machine = machine.boots_from_wire(wire, 0).captured(&capture).start()?;
    let file = format!("hosts/{}.cfg", mac.replace(':', "-"));
    machine.wait_until(&format!("GRUB's request for {file}"), &mut || {
        Ok(files(&datagrams(&capture)?).contains(&file))
    })?;
    say(&format!("GRUB has its host's menu after {} s", machine.uptime().as_secs()));
    machine.power_off()?;
    let seen = datagrams(&capture)?;
    for file in ["bootx64.efi", "grubx64.efi", "grub/grub.cfg"] {
        ensure!(files(&seen).iter().any(|name| name == file), "nobody asked for {file}");
    }
    Ok(answers(&seen))
}

/// What our host and what the neighbour said.
fn by_server(seen: &[(Ipv4Addr, Message)]) -> Result<(Vec<&Message>, Vec<&Message>)> {
    let (own, other) = (HOST.parse::<Ipv4Addr>()?, NEIGHBOUR.parse::<Ipv4Addr>()?);
    let of =
        |server| seen.iter().filter(move |(from, _)| *from == server).map(|(_, message)| message).collect();
    Ok((of(own), of(other)))
}
