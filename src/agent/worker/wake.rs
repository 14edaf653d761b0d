//! What an install waits for before anything is decided: drivers, and the devices that it needs.

use std::path::Path;

use super::{EFIVARS, ROOT};
use crate::agent::devices;
use crate::agent::devices::modules::Loader;
use crate::agent::orders::Orders;
use crate::agent::payload::stick::StickSource;
use crate::agent::report::reporter::Reporter;
use crate::agent::started_from;
use crate::probe::facts;
use crate::probe::live::live_disks;
use crate::spec::boot::StartedFrom;
use crate::spec::facts::Disk;
use crate::spec::order::InstallOrder;
use crate::sys::linux::mount;
use crate::trust::TrustedKeys;

/// Drivers, the firmware's variables, and patience until the devices are there.
pub(super) fn devices(reporter: &Reporter, all: &Orders, keys: &TrustedKeys) {
    let mut loader = match Loader::new(Path::new(ROOT)) {
        Ok(loader) => loader,
        Err(error) => return reporter.note(&format!("no modules: {error:#}")),
    };
    if Path::new(EFIVARS).exists() {
        loader.load("efivarfs");
        if let Err(error) = mount::mount("efivarfs", Path::new(EFIVARS), "efivarfs", "") {
            reporter.note(&format!(
                "the firmware's variables can't be read: mounting efivarfs on {EFIVARS}: {error}"
            ));
        }
    }
    loader.load_for_devices(Path::new("/sys"));
    let started = started_from();
    if let Err(restless) = devices::wait(&mut loader, &|| is_enough(all, keys, started)) {
        reporter.note(&restless.to_string());
    }
    reporter.note(&format!("loaded {} modules", loader.loaded));
    for problem in &loader.problems {
        reporter.note(&format!("module {problem}"));
    }
}

/// Whether there is an order for this machine, its disk, and the medium if its payload may only be there.
fn is_enough(orders: &Orders, keys: &TrustedKeys, started: Option<StartedFrom>) -> bool {
    let Some(order) = orders.first_match(&facts::machine(Path::new("/"))) else { return false };
    let wanted = &order.image.manifest;
    let has_medium =
        || StickSource::find(Path::new("/sys"), Some(wanted)).is_some_and(|stick| stick.has(wanted));
    // the stick has the recorder too, and no network may be where it is used
    let remote = order.payload.is_some() && started != Some(StartedFrom::Stick);
    // whether it is there, not what it holds
    is_the_disk(order, &live_disks(keys, &|_| false)) && (remote || has_medium())
}

/// Whether the one disk that can be meant is among these: only where the order names it by serial number or world-wide name. A
/// pattern or a size could be met by a disk that is still spinning up.
fn is_the_disk(order: &InstallOrder, disks: &[Disk]) -> bool {
    let named = order.target.serial().is_some() || order.target.wwn().is_some();
    named && disks.iter().any(|disk| order.target.matches(disk.identity()) && !disk.removable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::fixture;

    #[test]
    fn a_disk_that_fits_a_pattern_is_waited_for_with_all_others() {
        let mut order = fixture::order(&fixture::manifest());
        let disks = fixture::facts(1 << 30).disks;
        assert!(is_the_disk(&order, &disks));
        assert!(!is_the_disk(&order, &[]));
        order.target = serde_json::from_str(r#"{"model":"QEMU*","min_size":"1M"}"#).unwrap();
        assert!(!is_the_disk(&order, &disks), "a second one may be spinning up");
    }
}
