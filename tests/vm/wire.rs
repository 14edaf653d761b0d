//! PXE as a site has it: our own configuration of dnsmasq on a network of its own, `serve` at port 80 of its address.

use anyhow::{Context, Result, ensure};

use crate::support::disk::{blank, get};
use crate::support::image_fixture::IMAGE;
use crate::support::qemu::{Bus, Machine};
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wire::{HOST, Wire};
use crate::support::with_machines;

const NAME: &str = "hotel";
const MAC: &str = "52:54:00:70:00:01";
const DISK: u64 = 6 << 30;

/// A host that is disarmed while it is installed stays unbootable, and is installed once it is armed anew. A disk that was swapped for
/// a blank one shows no done mark; the server remembers, and the agent asks it before it looks for
/// a disk.
#[test]
fn what_the_server_knows_of_an_order_stops_a_machine() -> Result<()> {
    with_machines("wire", |dir| {
        let Some(mut wire) = Wire::new("wire")? else { return Ok(()) };
        let host = format!(
            "name: {NAME}\n\
         match: {{ mac: [\"{MAC}\"] }}\n\
         image: {IMAGE}\n\
         network: {{ interfaces: [{{ match: {{ mac: \"{MAC}\" }}, ipv4: {{ address: 10.80.0.20/24 }} }}] }}\n\
         storage: {{ target: {{ serial: DISK1 }}, confirm: 0 }}\n"
        );
        let site = Site::new(dir, Some(&format!("http://{HOST}")), &[(NAME, host)])?;
        site.arm(&[NAME])?;
        let tree = site.tree("pxe")?;
        wire.dhcp(&tree)?;
        let server = Server::start_on(&wire, &site, &tree, HOST, 80)?;
        let machine = |name: &str| -> Result<Machine> {
            let disk = blank(dir, &format!("{name}.raw"), DISK)?;
            let machine = Machine::new(dir, name)?.disk(Bus::Virtio, &disk, "DISK1", Some(5)).network(MAC);
            Ok(machine.boots_from_wire(&wire, 0).ends_at_reboot())
        };
        let mut withdrawn = machine("withdrawn")?.start()?;
        withdrawn.wait_for("ironstrap: claimed attempt=1")?;
        site.run(&["disarm", NAME])?;
        withdrawn.wait_for("ironstrap: failed IS-112")?;
        withdrawn.wait_for("ironstrap: next: rests")?;
        withdrawn.serial().absent("ironstrap: committed")?;
        withdrawn.power_off()?;
        let start = get(&dir.join("withdrawn.raw"), 0, 4096)?;
        ensure!(start.iter().all(|byte| *byte == 0), "a disk under a revoked order has a partition table");
        // into the same place: the server goes on with it
        site.arm(&[NAME])?;
        site.tree("pxe")?;

        let mut first = machine("first")?.start()?;
        first.wait_for("ironstrap: starting the agent")?;
        first.wait_for("ironstrap: committed")?;
        first.wait_for_end()?;
        let path = format!("/v1/orders/{}", order(&site)?);
        let asked = || -> Result<usize> {
            Ok(server.requests()?.iter().filter(|request| request.path == path).count())
        };
        // before it chose a disk, and all the while: the order may be revoked
        let first_asked = asked()?;
        ensure!(first_asked > 2, "the server was asked {first_asked} times about the order");
        let mut second = machine("second")?.start()?;
        second.wait_for("ironstrap: refused IS-108")?;
        second.serial().absent("ironstrap: planned")?;
        second.serial().absent("ironstrap: claimed")?;
        second.power_off()?;
        let bytes = std::fs::read(dir.join("second.raw")).context("reading the blank disk")?;
        ensure!(bytes.iter().all(|byte| *byte == 0), "the blank disk was written");
        ensure!(asked()? > first_asked, "the second machine didn't ask about its order");
        drop(server);
        Ok(())
    })
}

/// The order that the host is armed with.
fn order(site: &Site) -> Result<String> {
    let status: serde_json::Value =
        serde_json::from_str(&site.run(&["status", "--json"])?).context("reading the status")?;
    status["hosts"][0]["order"].as_str().map(str::to_owned).context("the status names no order")
}
