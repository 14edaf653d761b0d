//! GRUB's configuration on sticks and over PXE.
//!
//! The loaders are a distribution's own, signed: `chainloader`, `smbios` and `regexp`, which also expands `*` in paths, are in
//! Debian's. A GRUB without `regexp` finds no done file: the agent starts, and finds the order done itself. Debian's PXE
//! binary reads `/grub/grub.cfg` of the TFTP root; its disk binary reads `/EFI/<vendor>/grub.cfg`, then the one beside itself.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail, ensure};
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::cmdline;
use super::template::render;
use crate::grammar;
use crate::host::Host;
use crate::spec::boot::{StartedFrom, done_file};
use crate::spec::installer::AgentStart;
use crate::spec::order::HostMatch;
use crate::value::{HostName, KernelArg, Mac, OrderId, SerialNumber};

/// One host with an order, as far as its loader is concerned.
#[derive(Debug, Clone)]
pub struct BootHost {
    /// Its name.
    pub host: HostName,
    /// Its order.
    pub order: OrderId,
    /// How it is recognised.
    pub matching: HostMatch,
    /// The addresses of its interfaces: it may boot from any of them, also from one that `matching` doesn't name.
    pub interfaces: Vec<Mac>,
    /// What starts the agent on it.
    pub start: AgentStart,
    /// Its kernel arguments.
    pub kernel_args: Vec<KernelArg>,
}

impl BootHost {
    /// A host with the order that it is to be installed by.
    pub fn of(host: &Host, order: &OrderId, start: AgentStart) -> Self {
        Self {
            host: host.name.clone(),
            order: order.clone(),
            matching: host.matching.clone(),
            interfaces: host.network.interfaces.iter().map(|interface| interface.mac).collect(),
            start,
            kernel_args: host.kernel_args.clone(),
        }
    }
}

/// A file of the TFTP tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Path in the tree.
    pub path: String,
    /// Content.
    pub text: String,
}

/// Where a medium holds a kernel, and what that unpacks one after the other before the orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFiles {
    /// The kernel.
    pub kernel: String,
    /// The initrds, the agent's last.
    pub initrds: Vec<String>,
}

impl StartFiles {
    /// On a stick, which starts one kernel.
    pub fn on_stick(start: AgentStart) -> Self {
        let initrds: &[&str] = match start {
            AgentStart::Kernel => &["initramfs"],
            AgentStart::Installer(_) => &["initrd.gz", "initramfs"],
        };
        Self::below("/ironstrap", "kernel", initrds)
    }

    /// In a TFTP tree.
    pub fn over_network(start: AgentStart) -> Self {
        match start {
            AgentStart::Kernel => Self::below("", "kernel", &["initramfs"]),
            AgentStart::Installer(release) => {
                Self::below(&format!("/{release}"), "linux", &["initrd.gz", "initramfs"])
            }
        }
    }

    fn below(place: &str, kernel: &str, initrds: &[&str]) -> Self {
        let path = |name: &str| format!("{place}/{name}");
        Self { kernel: path(kernel), initrds: initrds.iter().map(|name| path(name)).collect() }
    }

    fn initrds_with(&self, orders: String) -> Vec<String> {
        self.initrds.iter().cloned().chain([orders]).collect()
    }
}

/// Where the orders stand on a stick.
pub const USB_ORDERS: &str = "/ironstrap/orders.cpio";

/// Where one host's order stands in a TFTP tree.
pub fn pxe_orders(host: &HostName) -> String {
    format!("/orders/{host}.cpio")
}

fn check_args(hosts: &[BootHost]) -> Result<()> {
    hosts.iter().try_for_each(|host| cmdline::check(&host.host, host.start, &host.kernel_args))
}

/// The configuration of a stick for these hosts.
///
/// The loader can't tell which host it runs on, so the agent starts with the arguments of all of them, each once.
///
/// # Errors
/// Kernel arguments that are too many for a kernel; a mistake in the template.
pub fn usb(start: AgentStart, hosts: &[BootHost]) -> Result<String> {
    #[derive(Serialize)]
    struct Order {
        done_file: String,
    }
    check_args(hosts)?;
    let orders: Vec<_> = hosts.iter().map(|host| Order { done_file: done_file(&host.order) }).collect();
    let args: Vec<_> = hosts.iter().map(|host| &host.kernel_args[..]).collect();
    let files = StartFiles::on_stick(start);
    let values = context! {
        orders => Value::from(Serde(&orders)),
        kernel => files.kernel.clone(),
        args => cmdline::agent(StartedFrom::Stick, start, &args),
        initrds => files.initrds_with(USB_ORDERS.to_owned()),
    };
    read_back(script("usb.grub.cfg", include_str!("../../netboot/usb.grub.cfg"), values)?)
}

/// `grub/grub.cfg` of a TFTP tree and the scripts that it finds the hosts by: every address that the host may boot from, its
/// UUID, its serial number. This only says which order a machine gets to see; the agent judges whether it is that host.
///
/// # Errors
/// A host that only its serial number names, when GRUB can't compare that number; what [`pxe_host`] refuses.
pub fn pxe(hosts: &[BootHost]) -> Result<Vec<Script>> {
    check_args(hosts)?;
    #[derive(Serialize)]
    struct BySerial {
        pattern: String,
        script: String,
    }
    let mut scripts = Vec::new();
    let mut serials = Vec::new();
    let mut by_uuid = false;
    let mut owned = owned(hosts);
    for host in hosts {
        let text = pxe_host(host)?;
        by_uuid |= host.matching.uuid.is_some();
        let mut names = own_names(host, &owned.remove(&host.host).unwrap_or_default());
        if let Some(pattern) = own_serial(host, !names.is_empty())? {
            let name = format!("serial-{}", host.host);
            serials.push(BySerial { pattern, script: format!("/hosts/{name}.cfg") });
            names.push(name);
        }
        scripts.extend(
            names.into_iter().map(|name| Script { path: format!("hosts/{name}.cfg"), text: text.clone() }),
        );
    }
    let values = context! { by_uuid, serials => Value::from(Serde(&serials)) };
    let text = read_back(script("pxe.grub.cfg", include_str!("../../netboot/pxe.grub.cfg"), values)?)?;
    scripts.push(Script { path: "grub/grub.cfg".to_owned(), text });
    Ok(scripts)
}

/// Refuses a host that [`pxe`] would refuse however its script reads: one that GRUB can't find by anything.
///
/// # Errors
/// A host that only its serial number names, when GRUB can't compare that number.
pub fn require_found(host: &BootHost) -> Result<()> {
    let macs = owned(std::slice::from_ref(host)).remove(&host.host).unwrap_or_default();
    own_serial(host, !own_names(host, &macs).is_empty()).map(drop)
}

/// What a host's script is called, by its addresses and its UUID.
fn own_names(host: &BootHost, macs: &[Mac]) -> Vec<String> {
    let uuid = host.matching.uuid.map(|uuid| uuid.to_string());
    macs.iter().map(|mac| mac.dashed()).chain(uuid).collect()
}

/// The pattern of a host's serial number; a host that is found another way can do without.
fn own_serial(host: &BootHost, is_found: bool) -> Result<Option<String>> {
    let pattern = host.matching.serial.as_ref().map(|serial| serial_pattern(host, serial));
    if is_found { Ok(pattern.and_then(Result::ok)) } else { pattern.transpose() }
}

/// The addresses that find each host's script: an address is the host's that it is matched by, else the one's that has an
/// interface with it; nobody's where two hosts have.
fn owned(hosts: &[BootHost]) -> HashMap<&HostName, Vec<Mac>> {
    let mut owners: BTreeMap<Mac, Option<&HostName>> = BTreeMap::new();
    for host in hosts {
        for mac in &host.interfaces {
            owners
                .entry(*mac)
                .and_modify(|owner| *owner = owner.filter(|owner| **owner == host.host))
                .or_insert(Some(&host.host));
        }
    }
    for host in hosts {
        owners.extend(host.matching.macs.iter().map(|mac| (*mac, Some(&host.host))));
    }
    let mut owned: HashMap<_, Vec<_>> = HashMap::new();
    for (mac, owner) in owners {
        owned.entry(owner).or_default().push(mac);
    }
    owned.into_iter().filter_map(|(owner, macs)| Some((owner?, macs))).collect()
}

/// The script of one host over PXE: done → its disk, else the agent, which asks the server whether the order is done. GRUB itself
/// can't: Debian's signed one for networks (2.06) speaks TFTP only.
///
/// # Errors
/// Kernel arguments that are too many for a kernel; a mistake in the template.
pub fn pxe_host(host: &BootHost) -> Result<String> {
    let files = StartFiles::over_network(host.start);
    let values = context! {
        done_file => done_file(&host.order),
        title => format!("Install {} with ironstrap", host.host),
        kernel => files.kernel.clone(),
        args => cmdline::agent(StartedFrom::Network, host.start, &[&host.kernel_args]),
        initrds => files.initrds_with(pxe_orders(&host.host)),
    };
    let text = script("pxe-host.grub.cfg", include_str!("../../netboot/pxe-host.grub.cfg"), values)?;
    read_back(text).with_context(|| format!("{}: kernel_args", host.host))
}

/// What every script begins with: how it finds the disk that is installed, and how it starts what is on one.
const DISK: &str = include_str!("../../netboot/disk.grub.cfg");

fn script(name: &str, template: &str, values: Value) -> Result<String> {
    Ok(format!("{DISK}\n{}", render(name, template, quote, values)?))
}

/// What GRUB's grammar, and the kernel's for its command line, find wrong in a script that was made here is never written.
fn read_back(text: String) -> Result<String> {
    let found = grammar::grub::lint(&text);
    let found: Vec<_> = grammar::errors(&found).map(ToString::to_string).collect();
    ensure!(found.is_empty(), "GRUB couldn't start the kernel as it is meant: {}", found.join("; "));
    Ok(text)
}

/// A regular expression that matches this serial number in any case, with blanks around it.
fn serial_pattern(host: &BootHost, serial: &SerialNumber) -> Result<String> {
    let mut pattern = "^ *".to_owned();
    for c in serial.to_string().chars() {
        match c {
            c if c.is_ascii_alphabetic() => {
                pattern.extend(['[', c.to_ascii_lowercase(), c.to_ascii_uppercase(), ']']);
            }
            c if c.is_ascii_digit() => pattern.push(c),
            ' ' | '.' | '_' | '/' | '+' | ':' | '-' | '#' | ',' => pattern.extend(['[', c, ']']),
            _ => bail!(
                "{}: GRUB can't compare the serial number `{serial}`; add a MAC address or the UUID to `match`",
                host.host
            ),
        }
    }
    pattern.push_str(" *$");
    Ok(pattern)
}

/// One word of a GRUB script, in single quotes: nothing is expanded in them, and there is no way out but a quote.
fn quote(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err(format!(
            "`{}` has a control character; a GRUB script can't hold it",
            text.escape_debug()
        ));
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests;
