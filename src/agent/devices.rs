//! Waits for devices: buses and controllers find theirs one after the other, some of them after seconds.

use std::path::Path;
use std::time::{Duration, Instant};

use super::modules::Loader;
use super::orders::Orders;
use super::stick::StickSource;
use super::{disks, facts};
use crate::spec::facts::Disk;
use crate::sys::linux::disk;

/// Nothing new for this long means that all is there, if what the order needs is there.
const QUIET: Duration = Duration::from_secs(3);
/// Longest wait for what isn't there, since the last device that appeared.
const LONGEST: Duration = Duration::from_secs(15);

/// Returns when what an install needs is there and no device has appeared for a while, or when none appears any more.
pub fn wait(loader: &mut Loader, orders: &Orders) {
    let mut seen = Vec::new();
    let mut last_change = Instant::now();
    let mut enough = false;
    loop {
        let changed = loader.load_new_devices(Path::new("/sys"));
        let now = (disks::names(Path::new("/sys")), facts::machine(Path::new("/")).nics.len());
        if changed || seen.first() != Some(&now) {
            seen = vec![now];
            (last_change, enough) = (Instant::now(), false);
        }
        let quiet = last_change.elapsed();
        if quiet >= QUIET {
            enough = enough || is_enough(orders);
            if enough || quiet >= LONGEST {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Whether there is an order for this machine, its disk, and the medium if its payload can only be there.
fn is_enough(orders: &Orders) -> bool {
    let Some(order) = orders.first_match(&facts::machine(Path::new("/"))) else { return false };
    let is_target = |disk: &Disk| order.target.matches(disk.identity()) && !disk.removable;
    let wanted = &order.image.manifest;
    let carries = |stick: StickSource| stick.has(wanted);
    let payload =
        || order.payload.is_some() || StickSource::find(Path::new("/sys"), Some(wanted)).is_some_and(carries);
    live_disks().iter().any(is_target) && payload()
}

/// All disks of this machine as they are now.
pub fn live_disks() -> Vec<Disk> {
    disks::look(Path::new("/sys"), &|name| {
        disk::open_to_read(&Path::new("/dev").join(name)).map(|device| Box::new(device) as _)
    })
}
