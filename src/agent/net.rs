//! Brings the machine onto its network: fixed addresses of the order, or DHCP.
//!
//! With interfaces in the order, those are used and found by their hardware address. Without, every link asks by DHCP at
//! once and the first answer wins. IPv4 only.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::dhcp::{self, Lease};
use crate::spec::facts::Nic;
use crate::spec::system::{Interface, Ipv4, NetworkSpec};
use crate::sys::linux::net;

/// How patient an install is that can't go on without a network: switches learn, spanning trees settle.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// What was brought up, in words.
pub type Up = Vec<String>;

/// Brings up the network of an order on these interfaces.
///
/// # Errors
/// An interface of the order isn't there, no link got an address in time, or the kernel refused.
pub fn bring_up(spec: &NetworkSpec, nics: &[Nic], patience: Duration, random: u32) -> Result<Up> {
    let deadline = Instant::now() + patience;
    let mut leases = Vec::new();
    let mut up = Vec::new();
    if spec.interfaces.is_empty() {
        let (nic, lease) = first_lease(nics, deadline, random)?;
        up.push(apply(nic, &lease)?);
        leases.push(lease);
    }
    for interface in &spec.interfaces {
        let (nic, lease) = configured(interface, nics, deadline, random)?;
        up.push(apply(nic, &lease)?);
        leases.push(lease);
    }
    write_resolver(spec, &leases, Path::new("/etc"))?;
    Ok(up)
}

fn index(nic: &Nic) -> Result<u32> {
    let path = Path::new("/sys/class/net").join(&nic.name).join("ifindex");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    text.trim().parse().with_context(|| format!("reading {}", path.display()))
}

fn configured<'a>(
    interface: &Interface,
    nics: &'a [Nic],
    deadline: Instant,
    random: u32,
) -> Result<(&'a Nic, Lease)> {
    let nic = nics.iter().find(|nic| nic.mac == interface.mac);
    let nic = nic.with_context(|| format!("no interface has the address {}", interface.mac))?;
    net::link_up(index(nic)?).with_context(|| nic.name.clone())?;
    let lease = match &interface.ipv4 {
        Ipv4::Dhcp => dhcp::acquire(&nic.name, nic.mac, random, deadline, &AtomicBool::new(false))?,
        Ipv4::Static { address, gateway } => {
            wait_for_carrier(nic, deadline);
            Lease { address: *address, gateway: *gateway, dns: Vec::new(), domain: None }
        }
    };
    Ok((nic, lease))
}

/// A link may take seconds to come up; what needs it is patient too, so its absence is no error here.
fn wait_for_carrier(nic: &Nic, deadline: Instant) {
    let path = Path::new("/sys/class/net").join(&nic.name).join("carrier");
    let end = deadline.min(Instant::now() + Duration::from_secs(30));
    while Instant::now() < end && std::fs::read_to_string(&path).is_ok_and(|text| text.trim() != "1") {
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn first_lease(nics: &[Nic], deadline: Instant, random: u32) -> Result<(&Nic, Lease)> {
    if nics.is_empty() {
        bail!("the machine has no network interface that its kernel knows");
    }
    let stop = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let mut problems = Vec::new();
    std::thread::scope(|scope| {
        for (number, nic) in (0_u32..).zip(nics) {
            let (sender, stop) = (sender.clone(), &stop);
            scope.spawn(move || {
                let lease = index(nic).and_then(net::link_up).and_then(|()| {
                    dhcp::acquire(&nic.name, nic.mac, random.wrapping_add(number), deadline, stop)
                });
                let _ = sender.send((nic, lease));
            });
        }
        drop(sender);
        while let Ok((nic, lease)) = receiver.recv() {
            match lease {
                Ok(lease) => {
                    stop.store(true, Ordering::Relaxed);
                    return Ok((nic, lease));
                }
                Err(error) => problems.push(format!("{error:#}")),
            }
        }
        bail!("{}", problems.join("; "))
    })
}

fn apply(nic: &Nic, lease: &Lease) -> Result<String> {
    let index = index(nic)?;
    net::add_address(index, lease.address).with_context(|| nic.name.clone())?;
    if let Some(gateway) = lease.gateway {
        net::default_route(index, gateway).with_context(|| nic.name.clone())?;
    }
    let gateway = lease.gateway.map(|gateway| format!(" by {gateway}")).unwrap_or_default();
    Ok(format!("{} {}{gateway}", nic.name, lease.address))
}

/// The C library asks these files for names.
fn write_resolver(spec: &NetworkSpec, leases: &[Lease], etc: &Path) -> Result<()> {
    let given = leases.iter().flat_map(|lease| lease.dns.iter().map(|dns| IpAddr::from(*dns)));
    let servers = spec.dns.iter().copied().chain(given);
    let mut text: String = servers.map(|server| format!("nameserver {server}\n")).collect();
    let mut search: Vec<String> = spec.search.iter().map(ToString::to_string).collect();
    search.extend(leases.iter().filter_map(|lease| lease.domain.clone()));
    if !search.is_empty() {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    std::fs::create_dir_all(etc).context("making /etc")?;
    std::fs::write(etc.join("resolv.conf"), text).context("writing resolv.conf")?;
    std::fs::write(etc.join("hosts"), "127.0.0.1 localhost\n").context("writing hosts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_of_the_order_come_before_those_of_dhcp() {
        let dir = tempfile::tempdir().unwrap();
        let lease = Lease {
            address: "10.0.2.15/24".parse().unwrap(),
            gateway: None,
            dns: vec!["10.0.2.3".parse().unwrap()],
            domain: Some("lab.example".to_owned()),
        };
        let spec = NetworkSpec { dns: vec!["10.0.0.53".parse().unwrap()], ..NetworkSpec::default() };
        write_resolver(&spec, &[lease], dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join("resolv.conf")).unwrap();
        assert_eq!(text, "nameserver 10.0.0.53\nnameserver 10.0.2.3\nsearch lab.example\n");
    }

    #[test]
    fn a_missing_interface_is_named() {
        let interface = Interface { mac: "52:54:00:00:00:09".parse().unwrap(), ipv4: Ipv4::Dhcp };
        let spec = NetworkSpec { interfaces: vec![interface], ..NetworkSpec::default() };
        let error = bring_up(&spec, &[], Duration::ZERO, 1).unwrap_err();
        assert!(format!("{error:#}").contains("52:54:00:00:00:09"));
    }
}
