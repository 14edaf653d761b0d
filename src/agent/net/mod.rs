//! Brings the machine onto its network: fixed addresses of the order, or DHCP.
//!
//! With interfaces in the order, those are used and found by their hardware address. Without, every link asks by DHCP at
//! once and the first answer wins. What works is kept: a dead link beside one that works stops nothing. IPv4 only.

mod dhcp;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::dhcp::Lease;
use crate::spec::facts::Nic;
use crate::spec::system::{Interface, Ipv4, NetworkSpec};
use crate::sys::linux::net;

/// How patient an install is that can't go on without a network: switches learn, spanning trees settle.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Once one interface of the order works, the others get this long.
const GRACE: Duration = Duration::from_secs(10);
/// How long a fixed address waits for its link.
const CARRIER: Duration = Duration::from_secs(30);
/// Links give up by themselves at the deadline and say why; a little later nobody listens any more.
const SLACK: Duration = Duration::from_secs(1);

/// What was brought up, and what wasn't, in words.
#[derive(Debug, Default)]
pub struct Up {
    /// Links with an address.
    pub links: Vec<String>,
    /// What the install goes on without.
    pub problems: Vec<String>,
}

/// Brings up the network of an order on these interfaces.
///
/// # Errors
/// No link got an address in time, or no interface of the order is there, or the kernel refused all of them.
pub fn bring_up(spec: &NetworkSpec, nics: &[Nic], patience: Duration, random: u32) -> Result<Up> {
    let deadline = Instant::now() + patience;
    let (links, problems) = if spec.interfaces.is_empty() {
        first_lease(nics, deadline, random)?
    } else {
        configured(&spec.interfaces, nics, deadline, random)
    };
    let (mut up, mut leases) = (Up { problems, ..Up::default() }, Vec::new());
    for Link { nic, lease, .. } in links {
        match apply(&nic, &lease) {
            Ok(text) => up.links.push(text),
            Err(error) => up.problems.push(format!("{error:#}")),
        }
        leases.push(lease);
    }
    if up.links.is_empty() {
        bail!("{}", up.problems.join("; "));
    }
    write_resolver(spec, &leases, Path::new("/etc"))?;
    Ok(up)
}

fn index(nic: &Nic) -> Result<u32> {
    let path = Path::new("/sys/class/net").join(&nic.name).join("ifindex");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    text.trim().parse().with_context(|| format!("reading {}", path.display()))
}

/// An interface that may be given its address.
struct Link {
    nic: Nic,
    lease: Lease,
    /// Whether something is at the other end.
    carrier: bool,
}

/// Gets one link ready; ends soon after the flag is set.
type Ask = Box<dyn FnOnce(&AtomicBool) -> Result<Link> + Send>;

/// The interfaces of the order, all at once.
fn configured(
    interfaces: &[Interface],
    nics: &[Nic],
    deadline: Instant,
    random: u32,
) -> (Vec<Link>, Vec<String>) {
    let asks = (0_u32..).zip(interfaces.iter().cloned()).map(|(number, interface)| {
        let nic = nics.iter().find(|nic| nic.mac == interface.mac).cloned();
        let name = format!("interface {}", interface.mac);
        let ask = move |stop: &AtomicBool| {
            let nic = nic.with_context(|| format!("no interface has the address {}", interface.mac))?;
            net::link_up(index(&nic)?).with_context(|| nic.name.clone())?;
            match interface.ipv4 {
                Ipv4::Dhcp => leased(nic, random.wrapping_add(number), deadline, stop),
                Ipv4::Static { address, gateway } => {
                    let carrier = wait_for_carrier(&nic, deadline, stop);
                    Ok(Link {
                        nic,
                        lease: Lease { address, gateway, dns: Vec::new(), domain: None },
                        carrier,
                    })
                }
            }
        };
        (name, Box::new(ask) as Ask)
    });
    together(asks.collect(), deadline, GRACE)
}

fn leased(nic: Nic, exchange: u32, deadline: Instant, stop: &AtomicBool) -> Result<Link> {
    let lease = dhcp::acquire(&nic.name, nic.mac, exchange, deadline, stop)?;
    Ok(Link { nic, lease, carrier: true })
}

/// Whether the link came up. It may take seconds; what needs it is patient too, so its absence is no error here.
fn wait_for_carrier(nic: &Nic, deadline: Instant, stop: &AtomicBool) -> bool {
    let path = Path::new("/sys/class/net").join(&nic.name).join("carrier");
    let end = deadline.min(Instant::now() + CARRIER);
    let is_there = || std::fs::read_to_string(&path).is_ok_and(|text| text.trim() == "1");
    while !is_there() && Instant::now() < end && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(200));
    }
    is_there()
}

fn first_lease(nics: &[Nic], deadline: Instant, random: u32) -> Result<(Vec<Link>, Vec<String>)> {
    if nics.is_empty() {
        bail!("the machine has no network interface that its kernel knows");
    }
    let asks = (0_u32..).zip(nics.iter().cloned()).map(|(number, nic)| {
        let name = nic.name.clone();
        let ask = move |stop: &AtomicBool| {
            net::link_up(index(&nic)?).with_context(|| nic.name.clone())?;
            leased(nic, random.wrapping_add(number), deadline, stop)
        };
        (name, Box::new(ask) as Ask)
    });
    let (mut links, problems) = together(asks.collect(), deadline, Duration::ZERO);
    links.truncate(1);
    // sockets without a cable are no news when another one works
    let problems = if links.is_empty() { problems } else { Vec::new() };
    Ok((links, problems))
}

/// Asks on all links at once, until the deadline, or until this long after the first one that works. Links with a peer
/// come last: the default route that is set last stays.
fn together(asks: Vec<(String, Ask)>, deadline: Instant, grace: Duration) -> (Vec<Link>, Vec<String>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let (mut silent, mut links, mut problems) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (number, (name, ask)) in asks.into_iter().enumerate() {
        silent.insert(number, name);
        let (sender, stop) = (sender.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            let _ = sender.send((number, ask(&stop)));
        });
    }
    drop(sender);
    let mut end = deadline + SLACK;
    while let Ok((number, result)) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
        let name = silent.remove(&number).unwrap_or_default();
        match result {
            Ok(link) => {
                match link.carrier {
                    true => end = end.min(Instant::now() + grace),
                    false => problems.push(format!("{name}: nothing is at the other end")),
                }
                links.push((number, link));
            }
            Err(error) => problems.push(format!("{name}: {error:#}")),
        }
    }
    stop.store(true, Ordering::Relaxed);
    problems.extend(silent.into_values().map(|name| format!("{name}: didn't come up in time")));
    links.sort_by_key(|(number, link)| (link.carrier, *number));
    (links.into_iter().map(|(_, link)| link).collect(), problems)
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

    fn link(name: &str, carrier: bool) -> Link {
        let mac = "52:54:00:00:00:01".parse().unwrap();
        let nic = Nic { name: name.to_owned(), mac, driver: None, carrier };
        let address = "10.0.2.15/24".parse().unwrap();
        Link { nic, lease: Lease { address, gateway: None, dns: Vec::new(), domain: None }, carrier }
    }

    fn asked(asks: Vec<(&str, Ask)>, patience: u64) -> (Vec<String>, Vec<String>) {
        let asks = asks.into_iter().map(|(name, ask)| (name.to_owned(), ask)).collect();
        let (links, problems) =
            together(asks, Instant::now() + Duration::from_secs(patience), Duration::ZERO);
        (links.into_iter().map(|link| link.nic.name).collect(), problems)
    }

    #[test]
    fn a_dead_link_is_noted_and_does_not_hold_up_the_one_that_works() {
        let begin = Instant::now();
        let hanging: Ask = Box::new(|_| {
            std::thread::sleep(Duration::from_secs(100));
            bail!("never heard")
        });
        let good: Ask = Box::new(|_| {
            // after the failure of the third
            std::thread::sleep(Duration::from_millis(300));
            Ok(link("eth1", true))
        });
        let bad: Ask = Box::new(|_| bail!("no DHCP server answered"));
        let (links, problems) = asked(vec![("eth0", hanging), ("eth1", good), ("eth2", bad)], 60);
        assert_eq!(links, ["eth1"]);
        assert_eq!(problems, ["eth2: no DHCP server answered", "eth0: didn't come up in time"]);
        assert!(begin.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_link_without_a_peer_comes_before_the_one_that_shall_have_the_route() {
        let (live, dead): (Ask, Ask) = (
            Box::new(|_| {
                std::thread::sleep(Duration::from_millis(300));
                Ok(link("eth0", true))
            }),
            Box::new(|_| Ok(link("eth1", false))),
        );
        let (links, problems) = asked(vec![("eth0", live), ("eth1", dead)], 60);
        assert_eq!(links, ["eth1", "eth0"]);
        assert_eq!(problems, ["eth1: nothing is at the other end"]);
    }
}
