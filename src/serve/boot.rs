//! The boot decision: a GRUB script for the machine that asks, sourced by its host's script before the agent starts.
//!
//! A comment means go on. Whatever isn't a host with an order that waits boots its own disk: `exit` gives the machine back
//! to its firmware, which goes on to the next boot device. A server can so keep a machine from installing; to install
//! takes a signed order.

use super::state::Story;
use super::tree::Tree;
use crate::value::Mac;

/// The script for the machine with this address.
pub fn script(tree: &Tree, story: &Story, mac: Mac) -> String {
    let Some((host, order)) = tree.order_of(mac) else {
        return local_disk(&format!("the server has no order for {mac}"));
    };
    if story.is_done(order) {
        return local_disk(&format!("the server says that order {order} of {host} is done"));
    }
    format!("# {host}: order {order} waits\n")
}

/// Names, orders and addresses have no quotes.
fn local_disk(why: &str) -> String {
    format!("echo 'ironstrap: {why}; the firmware goes on'\nexit\n")
}
