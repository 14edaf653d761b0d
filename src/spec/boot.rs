//! Where things stand in the initramfs, in the ESP and on the kernel command line: agreed between `boot`/`bundle` and the agent.

use crate::value::{HostName, OrderId};

/// First word that tells the binary it is the agent's kernel command line.
pub const MARKER: &str = "ironstrap";
/// The site's public key in minisign's format, in the first initramfs.
pub const PUBLIC_KEY: &str = "etc/ironstrap/site.pub";
/// Directory of orders in the second initramfs: `<host>.json` and `<host>.json.minisig`.
pub const ORDERS: &str = "etc/ironstrap/orders";
/// The bundle's time (RFC 3339) in the second initramfs: floor for a wrong clock. Orders are signed; this only raises the floor.
pub const BUNDLE_TIME: &str = "etc/ironstrap/time";
/// Kernel modules in the first initramfs, as `lib/modules/<release>/…` with `modules.dep`, `modules.alias`, `modules.softdep`.
pub const MODULES: &str = "lib/modules";
/// Longest initramfs that is built, in bytes: firmware's memory is small, and GRUB drops what doesn't fit.
pub const MAX_INITRAMFS: u64 = 64 << 20;

/// Path in the initramfs of a host's order.
pub fn order_path(host: &HostName) -> String {
    format!("{ORDERS}/{host}.json")
}

/// Path in the installed ESP of the file that says an order is done, as GRUB's `search --file` sees it.
pub fn done_file(order: &OrderId) -> String {
    format!("/EFI/ironstrap/done-{order}")
}
