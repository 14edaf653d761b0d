//! PXE with Secure Boot: loaders by TFTP, everything else by HTTP; the server dies in the middle and comes back. The machine's
//! clock is dead.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::hosts::Host;
use crate::support::qemu::{Bus, free_port};
use crate::support::server::{Request, Server, blob_bytes};
use crate::support::site::Site;
use crate::support::ssh::Key;
use crate::support::{judges, with_machines};
use crate::visit::stays_installed;

const ECHO: Host = Host { name: "echo", mac: "52:54:00:30:00:05", disk: "ECHO1", bus: Bus::Virtio };
const SCRIPT: &str = "#!/bin/sh\necho echo >/etc/from-script\ndate +%s >/etc/time-of-script\n";

#[test]
fn a_network_install_outlives_its_server_and_is_not_repeated() -> Result<()> {
    with_machines("network", |dir| {
        let key = Key::make(dir)?;
        let (web, ssh) = (free_port()?, free_port()?);
        let host = ECHO.yaml(&key.public()?, "{ script: files/echo.sh }");
        let site = Site::new(dir, Some(&format!("http://10.0.2.2:{web}")), &[(ECHO.name, host)])?;
        site.write("files/echo.sh", SCRIPT)?;
        let armed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        site.arm(&[ECHO.name])?;
        let tree = site.tree("pxe")?;
        let total = tree_bytes(&tree)?;

        let server = Server::start(&site, &tree, web)?;
        let (machine, disk) = ECHO.machine(dir)?;
        // Its battery is dead: the server tells it the time, and the new system hears of it.
        let mut running =
            machine.dead_clock().boots_from_network(&tree, "bootx64.efi", 0).ssh(ssh).start()?;
        running.wait_for("ironstrap: claimed attempt=1")?;
        running.wait_for_progress("write", 20)?;
        let before = server.stop()?;
        let sent = blob_bytes(&before) as f64 / total as f64;
        ensure!((0.2..=0.8).contains(&sent), "the server had sent {:.0} % of the blobs", sent * 100.0);
        std::thread::sleep(Duration::from_secs(10));
        running.serial().absent("ironstrap: committed")?;

        let server = Server::start(&site, &tree, web)?;
        running.wait_for("ironstrap: committed")?;
        running.wait_for("ironstrap: converged by=script")?;
        let after = server.requests()?;
        let resumed = after.iter().skip(before.len()).find(|request| is_resumption(request));
        let resumed = resumed.context("no request after the restart asks for a rest of a blob")?;
        ensure!(resumed.status == 206, "the rest was answered with {}", resumed.status);

        stays_installed(&mut running, &key, ssh, 1)?;
        running.serial().absent("attempt=2")?;
        running.shut_down()?;
        judges::installed_disk(&disk)?;
        ensure!(judges::file(&disk, "/etc/from-script")? == "echo\n", "the script has not written its file");
        let time: u64 =
            judges::file(&disk, "/etc/time-of-script")?.trim().parse().context("reading a time")?;
        ensure!(time >= armed, "the script has run at {time}, and the host was armed at {armed}");
        let status = site.run(&["status"])?;
        ensure!(
            status.lines().any(|line| line.contains("echo") && line.contains("converged")),
            "status says: {status}"
        );
        Ok(())
    })
}

/// Whether a request asks for a blob from somewhere inside it.
fn is_resumption(request: &Request) -> bool {
    let start = request.range.strip_prefix("bytes=").and_then(|range| range.split('-').next());
    request.path.starts_with("/blobs/") && start.is_some_and(|start| start.parse().is_ok_and(|n: u64| n > 0))
}

/// Bytes of all blobs of a tree.
fn tree_bytes(tree: &std::path::Path) -> Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(tree.join("blobs")).context("reading the tree's blobs")? {
        let path = entry.context("reading the tree's blobs")?.path();
        total += std::fs::metadata(&path).with_context(|| format!("sizing {}", path.display()))?.len();
    }
    Ok(total)
}
