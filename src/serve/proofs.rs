//! Judges what stands behind an event before it counts.
//!
//! Promises: an event of a host with an order is believed where its proof or its token holds for that order and host, and
//! nowhere else; what is proven of one order says nothing of another. The key of an order begins no run after the order's end or
//! after it left the tree for good; runs that were begun go on. Pure.

use std::collections::BTreeMap;

use super::state::{FleetState, Trust};
use crate::spec::event::Event;
use crate::trust::Proof;
use crate::value::{EventPublicKey, HostName, OrderId, Timestamp};

/// Who can speak under an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// The host.
    pub host: HostName,
    /// What its runs are vouched for by; more than one where the site's key was changed since.
    pub keys: Vec<EventPublicKey>,
    /// The order's end.
    pub until: Timestamp,
}

/// All that is known of who can speak: those of the tree, and those of former trees that this server had.
#[derive(Debug, Clone, Default)]
pub struct Proofs {
    speakers: BTreeMap<OrderId, Speaker>,
}

impl Proofs {
    /// Of the first tree.
    pub fn of<'a>(speakers: impl IntoIterator<Item = (&'a OrderId, &'a Speaker)>) -> Self {
        let speakers =
            speakers.into_iter().map(|(order, speaker)| (order.clone(), speaker.clone())).collect();
        Self { speakers }
    }

    /// Another tree took the former one's place: hosts that are at it under their former orders are heard to their end.
    pub fn take_over<'a>(
        &mut self,
        speakers: impl IntoIterator<Item = (&'a OrderId, &'a Speaker)>,
        now: Timestamp,
    ) {
        self.speakers.retain(|_, speaker| speaker.until >= now);
        for (order, mut speaker) in Self::of(speakers).speakers {
            // media of a former key of the site carry the same order with that key's event key
            if let Some(known) = self.speakers.remove(&order).filter(|known| known.host == speaker.host) {
                let others = known.keys.into_iter().filter(|key| !speaker.keys.contains(key));
                let others: Vec<_> = others.collect();
                speaker.keys.extend(others);
            }
            self.speakers.insert(order, speaker);
        }
    }

    /// What stands behind an event. `body` is how it came, `proof` what came with it.
    pub fn judge(
        &self,
        event: &Event,
        body: &[u8],
        proof: Option<&Proof>,
        fleet: &FleetState,
        now: Timestamp,
    ) -> Trust {
        if proof.is_some_and(|proof| self.holds(event, body, proof, fleet, now)) || shows_token(event, fleet)
        {
            return Trust::Proven;
        }
        match &event.host {
            Some(host) if !fleet.has_order(host) => Trust::Open,
            _ => Trust::Stranger,
        }
    }

    fn holds(&self, event: &Event, body: &[u8], proof: &Proof, fleet: &FleetState, now: Timestamp) -> bool {
        let Some(speaker) = self.speakers.get(&proof.order) else { return false };
        event.order.as_ref().is_none_or(|order| *order == proof.order)
            && event.host.as_ref().is_none_or(|host| *host == speaker.host)
            && (now <= speaker.until || fleet.knows_run(&event.run, &proof.order))
            && speaker.keys.iter().any(|key| proof.is_by(key, &event.run, body))
    }
}

/// Whether the installed system of this host shows what only it has.
fn shows_token(event: &Event, fleet: &FleetState) -> bool {
    let Event { host: Some(host), order: Some(order), token: Some(token), .. } = event else { return false };
    fleet.host_of(order) == Some(host)
        && fleet.outcomes(order).is_some_and(|outcomes| outcomes.prove(&event.what, token))
}
