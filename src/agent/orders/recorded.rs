//! The medium's memory, asked when a disk is chosen: this order may have been begun or carried out on another disk, and that
//! disk may be gone. Or it may have been revoked, and whoever said so isn't reached today.
//!
//! What [`order_status`](super::order_status) is where a server is reached, this is where only the stick is there. The records aren't
//! signed and needn't be: they can only keep a machine from installing, which whoever holds the stick can anyway. Pure.

use std::collections::HashMap;

use crate::plan::describe;
use crate::spec::Code;
use crate::spec::event::{Event, What, plain};
use crate::spec::plan::{Plan, Refusal, Work};

/// Longest name of a disk that is shown.
const LONGEST_NAME: usize = 120;

/// Refuses to write a disk under an order that was claimed on another one, or that was carried out. A try that broke off goes
/// on where it began; a disk that only gets its tables back shows by itself whose it is.
///
/// # Errors
/// [`Code::OrderRevoked`], [`Code::OrderClaimed`] with the disk that is recorded, or [`Code::OrderDone`].
pub fn check(events: &[Event], plan: &Plan) -> Result<(), Refusal> {
    let of_this = || events.iter().filter(|event| event.order.as_ref() == Some(&plan.order));
    if of_this().any(|event| event.what.code() == Some(Code::OrderRevoked)) {
        let message =
            format!("the medium's recorder knows that order {} of {} was revoked", plan.order, plan.host);
        return Err(Refusal::new(Code::OrderRevoked, message));
    }
    if matches!(plan.work, Work::Tables { .. }) {
        return Ok(());
    }
    let (name, mut claimed_in) = (plan.disk.stable_name(), HashMap::new());
    let (mut elsewhere, mut done_in) = (None, None);
    for event in of_this() {
        match &event.what {
            What::Claimed { disk, .. } => {
                claimed_in.insert(&event.run, disk);
                elsewhere = elsewhere.or((*disk != name).then_some(disk));
            }
            What::Committed { .. } => done_in = Some(&event.run),
            _ => {}
        }
    }
    let Plan { order, host, disk, .. } = plan;
    let knows = format!("the medium's recorder knows that order {order} of {host}");
    let here = describe(disk);
    let moved = |how: &str, other: &str| {
        let other = plain(other, LONGEST_NAME);
        let message = format!("{knows} was {how} on disk {other}; the disk to be written is {name}: {here}");
        Err(Refusal::new(Code::OrderClaimed, message))
    };
    let Some(run) = done_in else {
        return elsewhere.map_or(Ok(()), |other| moved("claimed", other));
    };
    match claimed_in.get(run) {
        Some(other) if **other != name => moved("carried out", other),
        _ => {
            let message = format!("{knows} is done, and the disk doesn't show it any more: {here}");
            Err(Refusal::new(Code::OrderDone, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::fixture;
    use crate::plan;
    use crate::spec::FormatVersion;
    use crate::value::{OrderId, Timestamp};

    /// A plan for the blank disk `serial:S1`.
    fn blank() -> Plan {
        let manifest = fixture::manifest();
        let order = fixture::order(&manifest);
        let facts = fixture::facts(manifest.size.as_bytes());
        plan::plan(&order, &manifest, Timestamp::from_unix(1_795_000_000), &facts).unwrap()
    }

    fn told(run: &str, order: Option<OrderId>, what: What) -> Event {
        let (version, time) = (FormatVersion, Timestamp::from_unix(1));
        Event { version, run: run.to_owned(), seq: 0, time, host: None, order, what, token: None }
    }

    fn claimed(run: &str, disk: &str) -> Event {
        let what = What::Claimed { disk: disk.to_owned(), attempt: 1 };
        told(run, Some(OrderId::from_random([1; 16])), what)
    }

    fn committed(run: &str) -> Event {
        let what = What::Committed { ssh_host_key: None, peak_rss_kib: 1, outcomes: None, reused: None };
        told(run, Some(OrderId::from_random([1; 16])), what)
    }

    fn judged(events: &[Event]) -> Option<(Code, String)> {
        check(events, &blank()).err().map(|refusal| (refusal.code, refusal.message))
    }

    #[test]
    fn an_order_goes_on_where_it_began_and_other_orders_do_not_matter() {
        let broken = told("a", Some(OrderId::from_random([1; 16])), What::AlreadyDone);
        let other = |what| told("a", Some(OrderId::from_random([2; 16])), what);
        let elsewhere = || What::Claimed { disk: "serial:S9".to_owned(), attempt: 1 };
        for events in [
            vec![],
            vec![claimed("a", "serial:S1"), claimed("b", "serial:S1")],
            vec![
                other(elsewhere()),
                other(What::Committed { ssh_host_key: None, peak_rss_kib: 1, outcomes: None, reused: None }),
            ],
            vec![told("a", None, elsewhere())],
            // a server may have said so, which nobody vouches for
            vec![broken],
        ] {
            assert_eq!(judged(&events), None, "{events:?}");
        }
    }

    #[test]
    fn an_order_that_was_revoked_stays_so_when_nobody_can_be_asked() {
        let (code, message) = (Code::OrderRevoked, String::new());
        let order = || Some(OrderId::from_random([1; 16]));
        let tables = Plan { work: Work::Tables { entries: 7 }, ..blank() };
        for what in [What::Refused { code, message: message.clone() }, What::Failed { code, message }] {
            let events = [told("a", order(), what.clone())];
            assert_eq!(judged(&events).map(|(code, _)| code), Some(Code::OrderRevoked));
            assert!(check(&events, &tables).is_err());
            assert_eq!(judged(&[told("a", Some(OrderId::from_random([2; 16])), what)]), None);
        }
    }

    #[test]
    fn a_blank_disk_in_the_place_of_the_one_that_is_gone_is_not_written_by_the_same_order() {
        let (code, message) = judged(&[claimed("a", "serial:\u{1b}S9")]).unwrap();
        assert_eq!(code, Code::OrderClaimed);
        assert!(
            message.contains("was claimed on disk serial:?S9; the disk to be written is serial:S1: sda"),
            "{message}"
        );
        let (code, message) = judged(&[claimed("a", "serial:S9"), committed("a")]).unwrap();
        assert_eq!(code, Code::OrderClaimed);
        assert!(message.contains("was carried out on disk serial:S9"), "{message}");
        // begun on this one, carried out on another
        let events = [claimed("a", "serial:S1"), claimed("b", "serial:S9"), committed("b")];
        assert!(judged(&events).unwrap().1.contains("was carried out on disk serial:S9"));
        // the other way round, as no rule of ours lets it happen
        assert!(judged(&[claimed("a", "serial:S9"), claimed("b", "serial:S1")]).is_some());
    }

    #[test]
    fn a_disk_that_was_emptied_after_its_order_was_carried_out_is_not_written_again() {
        for events in [vec![claimed("a", "serial:S1"), committed("a")], vec![committed("a")]] {
            let (code, message) = judged(&events).unwrap();
            assert_eq!(code, Code::OrderDone);
            assert!(message.contains("doesn't show it any more: sda"), "{message}");
        }
        let tables = Plan { work: Work::Tables { entries: 7 }, ..blank() };
        assert_eq!(check(&[claimed("a", "serial:S1"), committed("a")], &tables), Ok(()));
    }
}
