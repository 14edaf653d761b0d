//! The boot decision: a GRUB script for the machine that asks.
//!
//! Whatever isn't a host with an order that waits boots its own disk: `exit` gives the machine back to its firmware,
//! which goes on to the next boot device.

use super::state::Story;
use super::tree::Tree;
use crate::value::Mac;

/// The script for the machine with this address.
pub fn script(tree: &Tree, story: &Story, mac: Mac) -> String {
    let Some((host, order)) = tree.order_of(mac) else {
        return format!("# {mac} is no host of this bundle: boot the local disk\nexit\n");
    };
    if story.is_done(order) {
        return format!("# {host}: order {order} is done: boot the local disk\nexit\n");
    }
    let config = format!("hosts/{}.cfg", mac.dashed());
    if tree.file(&config).is_none() {
        return format!("# {host}: the bundle has no {config}: boot the local disk\nexit\n");
    }
    format!("# {host}: order {order} waits\nconfigfile /{config}\n")
}
