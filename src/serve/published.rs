//! What anybody may know who asks for the status: no order's name, which is what events are posted under.

use super::report::Report;
use super::revoked::Revoked;
use super::standing::Standing;
use super::tree::Tree;

/// The report without what only the site's people need. Which orders are revoked is told, since the hosts are to know it, too.
pub fn published(mut report: Report, tree: &Tree, revoked: &Revoked) -> Report {
    for status in &mut report.hosts {
        if let Some(order) = status.order.take()
            && let Some((since, reason)) = revoked.why(tree, &order)
        {
            status.standing = Some(Standing::Revoked { since, reason });
        }
    }
    report
}
