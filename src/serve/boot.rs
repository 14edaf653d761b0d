//! What the server remembers of an order: the agent asks before it touches a disk.
//!
//! An order may also be revoked. That is the site's own word and goes before all that was heard: a forged event must not hide it.
//!
//! A disk tells by its done mark; one that was swapped for a blank disk tells nothing, and the order is still in the tree. The
//! answer can only keep a machine from installing: to install takes a signed order.

use super::state::FleetState;
use super::tree::Tree;
use crate::spec::boot::OrderState;
use crate::value::OrderId;

/// What is known of an order; `None` if it is neither in the tree nor revoked nor heard of.
pub fn state(tree: &Tree, fleet: &FleetState, revoked: bool, order: &OrderId) -> Option<OrderState> {
    if revoked {
        return Some(OrderState::Revoked);
    }
    if fleet.is_done(order) {
        return Some(OrderState::Done);
    }
    tree.orders().any(|(_, waiting)| waiting == order).then_some(OrderState::Waits)
}
