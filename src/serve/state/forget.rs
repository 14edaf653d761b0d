//! What a fleet forgets when it is told to.

use super::{FleetState, Received};
use crate::serve::forgotten::Forgotten;

impl FleetState {
    /// Forgets what was heard of these hosts up to the time of each, and what comes of that time later. Their orders count as
    /// waiting again.
    pub fn forget(&mut self, forgotten: &Forgotten) {
        self.forgotten.clone_from(&forgotten.hosts);
        for (host, until) in &forgotten.hosts {
            if self.hosts.get(host).is_some_and(|status| status.heard.is_none_or(|heard| heard <= *until)) {
                let order = self.hosts.remove(host).and_then(|status| status.order);
                if let Some(order) = order {
                    self.claims.remove(&order);
                    self.committed.remove(&order);
                }
            }
            self.done.retain(|_, (of, heard)| of != host || *heard > *until);
        }
    }

    /// Whether this was heard in a time that is forgotten.
    pub(super) fn is_forgotten(&self, received: &Received) -> bool {
        let until = received.event.host.as_ref().and_then(|host| self.forgotten.get(host));
        until.is_some_and(|until| received.time <= *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::report::Phase;
    use crate::serve::state::Trust;
    use crate::spec::FormatVersion;
    use crate::spec::event::{Event, What};
    use crate::value::{HostName, OrderId, Timestamp};

    fn received(time: i64, host: &HostName, order: &OrderId, what: What) -> Received {
        let event = Event {
            version: FormatVersion,
            run: format!("run{time}"),
            seq: 0,
            time: Timestamp::from_unix(0),
            host: Some(host.clone()),
            order: Some(order.clone()),
            what,
            token: None,
        };
        let (time, client) = (Timestamp::from_unix(time), "10.0.0.1".parse().unwrap());
        Received { time, client, trust: Trust::Proven, event }
    }

    #[test]
    fn a_forgotten_host_waits_again_and_what_it_says_later_counts() {
        let (web, db): (HostName, HostName) = ("web01".parse().unwrap(), "db01".parse().unwrap());
        let orders = [OrderId::from_random([1; 16]), OrderId::from_random([2; 16])];
        let mut fleet = FleetState::expecting([(&web, &orders[0]), (&db, &orders[1])]);
        let mut forgotten = Forgotten::default();
        forgotten.hosts.insert(web.clone(), Timestamp::from_unix(10));
        fleet.add(&received(9, &web, &orders[0], What::AlreadyDone));
        fleet.add(&received(10, &db, &orders[1], What::AlreadyDone));
        fleet.forget(&forgotten);
        assert!(!fleet.is_done(&orders[0]) && fleet.is_done(&orders[1]));
        assert_eq!(fleet.report([(&web, &orders[0])]).hosts[1].phase, Phase::Waiting);
        // from the file, at the next start
        fleet.add(&received(8, &web, &orders[0], What::AlreadyDone));
        assert!(!fleet.is_done(&orders[0]));
        fleet.add(&received(11, &web, &orders[0], What::AlreadyDone));
        fleet.forget(&forgotten);
        assert!(fleet.is_done(&orders[0]));
    }
}
