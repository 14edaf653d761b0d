//! Which order is for this machine: all orders of the medium are verified, one of them must match.

pub mod order_status;
pub mod recorded;
pub mod revocation;

use std::path::Path;

use anyhow::{Context, Result};

use crate::order;
use crate::spec::Code;
use crate::spec::boot;
use crate::spec::facts::Machine;
use crate::spec::order::{HostMatch, InstallOrder};
use crate::spec::plan::Refusal;
use crate::trust::{SitePublicKey, TrustError, TrustedKeys, Verified};
use crate::value::{HttpUrl, Timestamp, ValueError};

/// What came with the initramfs.
#[derive(Debug)]
pub struct Orders {
    verified: Vec<Verified<InstallOrder>>,
    rejected: Vec<Rejected>,
}

/// File name of an order, and what is wrong with it.
type Rejected = (String, Code, String);

/// The site's public keys in the initramfs below this directory. Orders are the current one's; claims on disks may be those of
/// former ones, too.
///
/// # Errors
/// A refusal when the current one is missing, or any is damaged: nothing can be verified then.
pub fn site_keys(root: &Path) -> Result<TrustedKeys, Refusal> {
    let refuse = |name: &str, why: String| {
        Refusal::new(Code::OrderSignature, format!("the site's keys, /{name}: {why}"))
    };
    let read = |name: &str| std::fs::read_to_string(root.join(name));
    let current = read(boot::PUBLIC_KEY).map_err(|error| refuse(boot::PUBLIC_KEY, error.to_string()))?;
    let current =
        SitePublicKey::from_text(&current).map_err(|error| refuse(boot::PUBLIC_KEY, error.to_string()))?;
    let former = match read(boot::FORMER_KEYS) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(current.into()),
        other => other.map_err(|error| refuse(boot::FORMER_KEYS, error.to_string()))?,
    };
    TrustedKeys::with_former(current, &former).map_err(|error| refuse(boot::FORMER_KEYS, error.to_string()))
}

/// The bundle's time, below which no clock is right: what the initramfs says, or the newest time at which one of its orders
/// began, which is signed.
///
/// # Errors
/// A refusal when the file is missing or damaged: without a floor a dead clock would be believed.
pub fn floor(root: &Path, orders: &Orders) -> Result<Timestamp, Refusal> {
    let path = root.join(boot::BUNDLE_TIME);
    let refuse =
        |why: String| Refusal::new(Code::BundleTime, format!("bundle time /{}: {why}", boot::BUNDLE_TIME));
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let time: Timestamp = text.trim().parse().map_err(|error: ValueError| refuse(error.to_string()))?;
    Ok(orders.verified.iter().map(|order| order.not_before).fold(time, Timestamp::max))
}

/// Reads and verifies every order in the initramfs below this directory.
pub fn read(root: &Path, key: &SitePublicKey) -> Orders {
    let mut orders = Orders { verified: Vec::new(), rejected: Vec::new() };
    let entries = std::fs::read_dir(root.join(boot::ORDERS)).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        match read_one(path, key) {
            Ok(order) => orders.verified.push(order),
            Err(error) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let untrusted =
                    error.chain().any(|cause| cause.is::<TrustError>() || cause.is::<std::io::Error>());
                let code = if untrusted { Code::OrderSignature } else { Code::OrderVersion };
                orders.rejected.push((name, code, format!("{error:#}")));
            }
        }
    }
    orders
}

fn read_one(path: &Path, key: &SitePublicKey) -> Result<Verified<InstallOrder>> {
    let json = std::fs::read(path).context("reading the order")?;
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    let signature = std::fs::read_to_string(name).context("reading its signature")?;
    order::verify(&json, &signature, key)
}

impl Orders {
    /// An order that this machine matches, without judging how many do.
    pub fn first_match(&self, machine: &Machine) -> Option<&InstallOrder> {
        self.verified.iter().map(|order| &**order).find(|order| order.matching.matches(machine))
    }

    /// A server that an order of this site names, whichever machine it is for.
    pub fn server(&self) -> Option<&HttpUrl> {
        self.verified.iter().find_map(|order| order.server.as_ref())
    }

    /// The order for this machine.
    ///
    /// # Errors
    /// None or several match, or none could be trusted and understood. The message lists what was seen.
    pub fn choose(self, machine: &Machine) -> Result<Verified<InstallOrder>, Refusal> {
        let Self { verified, rejected } = self;
        let (mut matching, others): (Vec<_>, Vec<_>) =
            verified.into_iter().partition(|order| order.matching.matches(machine));
        match (matching.len(), matching.pop()) {
            (1, Some(order)) => Ok(order),
            (0, _) => Err(none_fits(&others, &rejected, machine)),
            (_, last) => {
                let names: Vec<_> =
                    matching.iter().chain(&last).map(|order| order.host.to_string()).collect();
                let text =
                    format!("hosts {} all match this machine: {}", names.join(", "), machine.in_words());
                Err(Refusal::new(Code::ManyHosts, text))
            }
        }
    }
}

/// Why no order is for this machine. If some can be trusted, the machine is unknown to them; if none can, that is why.
fn none_fits(others: &[Verified<InstallOrder>], rejected: &[Rejected], machine: &Machine) -> Refusal {
    let unusable: String = rejected.iter().map(|(name, _, why)| format!("\n  {name}: {why}")).collect();
    if let (true, Some((_, code, _))) = (others.is_empty(), rejected.first()) {
        return Refusal::new(*code, format!("no order on this medium can be used:{unusable}"));
    }
    let list = others.iter().map(|order| format!("\n  {}: {}", order.host, words(&order.matching)));
    let list = if others.is_empty() { "\n  none".to_owned() } else { list.collect() };
    let mut text = format!("this machine is {}\norders on this medium:{list}", machine.in_words());
    if !rejected.is_empty() {
        text.push_str("\norders that can't be used:");
        text.push_str(&unusable);
    }
    Refusal::new(Code::NoHost, text)
}

fn words(matching: &HostMatch) -> String {
    let mut parts = Vec::new();
    let macs: Vec<_> = matching.macs.iter().map(ToString::to_string).collect();
    parts.extend(Some(format!("mac {}", macs.join(" or "))).filter(|_| !macs.is_empty()));
    parts.extend(matching.uuid.iter().map(|uuid| format!("uuid {uuid}")));
    parts.extend(matching.serial.iter().map(|serial| format!("serial {serial}")));
    parts.extend(matching.vendor.iter().map(|vendor| format!("vendor {vendor}")));
    parts.extend(matching.model.iter().map(|model| format!("model {model}")));
    parts.join(", ")
}

#[cfg(test)]
mod tests;
