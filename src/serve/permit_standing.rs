//! How the permits of a site's hosts stand, for `status`.

use std::collections::BTreeSet;

use anyhow::Result;

use super::report::{HostStatus, Report};
use super::standing::Standing;
use crate::order::SealedPermit;
use crate::site::context::SiteContext;
use crate::site::media::{self, Medium};
use crate::site::paths::SitePaths;
use crate::site::{keys, revocations};
use crate::spec::revocation::{Revocations, Revoked};
use crate::trust::TrustedKeys;
use crate::value::{HostName, Timestamp};

/// What it is told from.
struct Known {
    permits: Vec<SealedPermit>,
    keys: Option<TrustedKeys>,
    media: Vec<Medium>,
    revoked: Revocations,
    now: Timestamp,
}

/// Adds to each host how its permit stands, and the hosts of which that is all there is to tell.
///
/// # Errors
/// When the site's state can't be read.
pub fn add(paths: &SitePaths, report: &mut Report, permits: Vec<SealedPermit>, now: Timestamp) -> Result<()> {
    // a state without a site around it has no key to prove permits by, and still events
    let keys = keys::trusted(paths).ok();
    let known = Known { permits, keys, media: media::read(paths)?, revoked: revocations::read(paths)?, now };
    let mut named: BTreeSet<_> = report.hosts.iter().map(|status| status.host.clone()).collect();
    for revoked in known.revoked.orders.iter().filter(|revoked| revoked.until >= now) {
        if named.insert(revoked.host.clone()) {
            report.hosts.push(HostStatus::waiting(revoked.host.clone(), Some(revoked.order.clone())));
        }
    }
    report.hosts.sort_by(|a, b| a.host.cmp(&b.host));
    let removed = removed(paths, &report.hosts);
    for status in &mut report.hosts {
        status.standing = known.of(status, removed.contains(&status.host));
    }
    Ok(())
}

impl Known {
    fn of(&self, status: &HostStatus, removed: bool) -> Option<Standing> {
        let at = self.permits.binary_search_by(|sealed| sealed.permit().host.cmp(&status.host));
        let Ok(sealed) = at.map(|at| &self.permits[at]) else {
            let revoked = status.order.as_ref().and_then(|order| self.revoked.find(order));
            return revoked.map(standing).or(removed.then_some(Standing::Removed));
        };
        let permit = sealed.permit();
        let carried = |medium: &Medium| medium.carries(&permit.host).is_some_and(|it| it.order == permit.id);
        if let Some(revoked) = self.revoked.find(&permit.id) {
            return Some(standing(revoked));
        }
        Some(match () {
            () if removed => Standing::Removed,
            () if self.keys.as_ref().is_some_and(|keys| sealed.by(keys).is_none()) => Standing::Edited,
            () if permit.not_after < self.now => Standing::Expired { since: permit.not_after },
            () if self.media.iter().any(carried) => Standing::Armed,
            () => Standing::LeftOut,
        })
    }
}

fn standing(revoked: &Revoked) -> Standing {
    Standing::Revoked { since: revoked.time, reason: revoked.reason }
}

/// Those of these hosts that the site hasn't any more. A site with mistakes in it can't tell.
fn removed(paths: &SitePaths, hosts: &[HostStatus]) -> BTreeSet<HostName> {
    // nearly always there is a file of the host's name, and thousands of hosts need not be read
    let file = |host: &HostName| paths.root().join(format!("hosts/{host}.yaml"));
    let doubtful = hosts.iter().map(|status| &status.host).filter(|host| !file(host).exists());
    let mut doubtful: BTreeSet<_> = doubtful.cloned().collect();
    if doubtful.is_empty() {
        return doubtful;
    }
    match SiteContext::examine(paths) {
        Ok((context, report)) if report.diagnostics().is_empty() => {
            context.hosts.iter().for_each(|host| _ = doubtful.remove(&host.name));
            doubtful
        }
        _ => BTreeSet::new(),
    }
}
