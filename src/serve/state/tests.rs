//! Stories of installs, told in order, late and twice.

use super::runs::{MAX_EVENTS_OF_RUN, MAX_RUNS, MAX_RUNS_OF_ORDER};
use super::*;
use crate::spec::Code;
use crate::spec::event::{Reused, Step};

const ORDER: &str = "00000000000000000000000000000001";
const NEXT: &str = "00000000000000000000000000000002";

const REUSED: Reused = Reused { in_place: 5, moved: 2, fetched: 1 };

fn event(run: &str, seq: u64, order: &str, what: What) -> Received {
    Received {
        time: Timestamp::from_unix(100),
        client: "10.0.0.1".parse().unwrap(),
        trust: Trust::Proven,
        event: Event {
            version: FormatVersion,
            run: run.to_owned(),
            seq,
            time: Timestamp::from_unix(0),
            host: Some("web01".parse().unwrap()),
            order: Some(order.parse().unwrap()),
            what,
            token: None,
        },
    }
}

/// What somebody says who can't prove it.
fn forged(run: &str, seq: u64, order: &str, what: What) -> Received {
    Received { trust: Trust::Stranger, client: "10.0.0.66".parse().unwrap(), ..event(run, seq, order, what) }
}

fn claimed() -> What {
    What::Claimed { disk: "S1".to_owned(), attempt: 1 }
}

fn write(done: u64) -> What {
    What::Progress { step: Step::Write, done, total: 1000 }
}

fn committed() -> What {
    What::Committed {
        ssh_host_key: Some("SHA256:x".to_owned()),
        peak_rss_kib: 1,
        outcomes: None,
        reused: Some(REUSED),
    }
}

fn converged() -> What {
    What::Converged { by: "ansible-pull".to_owned() }
}

fn told(events: &[Received]) -> FleetState {
    let mut fleet = FleetState::default();
    events.iter().for_each(|event| fleet.add(event));
    fleet
}

fn host(fleet: &FleetState) -> HostStatus {
    fleet.report([]).hosts.into_iter().next().unwrap()
}

#[test]
fn an_install_goes_from_started_to_converged() {
    let fleet = [claimed(), write(426), committed(), What::Rebooting { boot_next: true }];
    let mut events: Vec<_> = (0..).zip(fleet).map(|(seq, what)| event("a", seq, ORDER, what)).collect();
    assert_eq!(host(&told(&events[..2])).phase, Phase::Writing { percent: 42 });
    assert!(!told(&events[..2]).is_done(&ORDER.parse().unwrap()));
    assert!(told(&events[..3]).is_done(&ORDER.parse().unwrap()));
    assert_eq!(host(&told(&events)).phase, Phase::Rebooting);
    events.push(event("b", 0, ORDER, converged()));
    let last = host(&told(&events));
    assert_eq!(last.phase, Phase::Converged { by: "ansible-pull".to_owned() });
    assert_eq!((last.claims, last.ssh_host_key.as_deref()), (1, Some("SHA256:x")));
    assert_eq!(last.reused, Some(REUSED));
}

#[test]
fn an_event_counts_once_and_a_late_one_moves_nothing_back() {
    let fleet = told(&[
        event("a", 0, ORDER, claimed()),
        event("a", 0, ORDER, claimed()),
        event("a", 5, ORDER, write(900)),
        event("a", 3, ORDER, write(100)),
    ]);
    assert_eq!((host(&fleet).phase, host(&fleet).claims), (Phase::Writing { percent: 90 }, 1));
}

#[test]
fn a_retry_starts_over_and_counts_its_claim() {
    let failed = What::Failed { code: Code::ForeignData, message: "m".to_owned() };
    let mut events = vec![event("a", 0, ORDER, claimed()), event("a", 1, ORDER, failed)];
    assert!(matches!(host(&told(&events)).phase, Phase::Failed { .. }));
    events.push(event("b", 0, ORDER, claimed()));
    assert_eq!((host(&told(&events)).phase, host(&told(&events)).claims), (Phase::Claimed, 2));
}

#[test]
fn a_committed_host_is_not_started_again_by_its_own_order() {
    let started = || What::Started { agent: "1".to_owned(), trust: "t".to_owned() };
    let refused = What::Refused { code: Code::OrderDone, message: "m".to_owned() };
    let done = [event("a", 0, ORDER, committed()), event("b", 0, ORDER, converged())];
    let mut fleet = told(&done);
    fleet.add(&event("c", 0, ORDER, started()));
    fleet.add(&event("c", 1, ORDER, refused));
    assert!(matches!(host(&fleet).phase, Phase::Converged { .. }));
    fleet.add(&event("d", 0, NEXT, started()));
    assert_eq!((host(&fleet).phase, host(&fleet).order), (Phase::Started, Some(NEXT.parse().unwrap())));
    assert!(fleet.is_done(&ORDER.parse().unwrap()) && !fleet.is_done(&NEXT.parse().unwrap()));
}

#[test]
fn a_failed_hand_off_can_still_converge() {
    let failed = What::HandoffFailed { by: "script".to_owned(), message: "rc 1".to_owned() };
    let mut fleet = told(&[event("a", 0, ORDER, committed()), event("b", 0, ORDER, failed)]);
    assert!(matches!(host(&fleet).phase, Phase::HandoffFailed { .. }));
    fleet.add(&event("c", 0, ORDER, converged()));
    assert!(matches!(host(&fleet).phase, Phase::Converged { .. }));
}

#[test]
fn a_machine_without_a_host_is_a_stranger_until_it_knows_its_host() {
    let stranger = |seq, what| {
        let mut received = event("a", seq, ORDER, what);
        (received.event.host, received.event.order) = (None, None);
        received
    };
    let refused = What::Refused { code: Code::NoHost, message: "m".to_owned() };
    let mut fleet = told(&[stranger(0, refused)]);
    assert_eq!(fleet.report([]).strangers.len(), 1);
    fleet.add(&event("a", 1, ORDER, claimed()));
    assert!(fleet.report([]).strangers.is_empty());
    for run in 0..1000 {
        let mut received = stranger(0, What::AlreadyDone);
        received.event.run = run.to_string();
        fleet.add(&received);
    }
    assert_eq!(fleet.report([]).strangers.len(), MAX_STRANGERS);
}

#[test]
fn a_report_names_expected_hosts_and_reads_back() {
    let (web, db): (HostName, HostName) = ("web01".parse().unwrap(), "db01".parse().unwrap());
    let (order, next): (OrderId, OrderId) = (ORDER.parse().unwrap(), NEXT.parse().unwrap());
    let fleet = told(&[event("a", 0, ORDER, claimed())]);
    let report = fleet.report([(&web, &next), (&db, &order)]);
    let phases: Vec<_> = report.hosts.iter().map(|host| (host.host.as_str(), &host.phase)).collect();
    assert_eq!(phases, [("db01", &Phase::Waiting), ("web01", &Phase::Waiting)]);
    let json = serde_json::to_string(&fleet.report([(&web, &order)])).unwrap();
    let read: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(read, fleet.report([(&web, &order)]));
    assert!(json.contains("\"phase\":\"claimed\""), "{json}");
}

#[test]
fn invented_hosts_and_runs_are_forgotten_and_expected_ones_are_not() {
    let (web01, order): (HostName, OrderId) = ("web01".parse().unwrap(), ORDER.parse().unwrap());
    let mut fleet = FleetState::expecting([(&web01, &order)]);
    fleet.add(&event("real", 0, ORDER, committed()));
    for number in 0..MAX_OTHERS + 10 {
        let mut open = event(&format!("f{number}"), 0, NEXT, converged());
        open.trust = Trust::Open;
        open.event.host = Some(format!("x{number}").parse().unwrap());
        // all but the last few make no room
        fleet.add(&open);
    }
    assert_eq!(fleet.hosts.len(), MAX_OTHERS + 1);
    assert_eq!(fleet.other_runs.counts("real"), (MAX_RUNS, 0));
    assert!(fleet.is_done(&order) && !fleet.is_done(&NEXT.parse().unwrap()));
    for run in 0..2 * MAX_RUNS_OF_ORDER {
        fleet.add(&event(&run.to_string(), 0, NEXT, claimed()));
    }
    (0..2 * MAX_EVENTS_OF_RUN as u64).for_each(|seq| fleet.add(&event("endless", seq, NEXT, write(seq))));
    let of = |fleet: &FleetState, order: &str| fleet.proven_runs[&Some(order.parse().unwrap())].clone();
    assert_eq!(of(&fleet, NEXT).counts("endless"), (MAX_RUNS_OF_ORDER, MAX_EVENTS_OF_RUN));
    assert_eq!(of(&fleet, ORDER).counts("real"), (1, 1));
}

#[test]
fn what_is_not_proven_shows_a_stranger_and_changes_no_host() {
    let (web, order): (HostName, OrderId) = ("web01".parse().unwrap(), ORDER.parse().unwrap());
    let evil = || What::Committed {
        ssh_host_key: Some("SHA256:evil".to_owned()),
        peak_rss_kib: 1,
        outcomes: None,
        reused: None,
    };
    let mut fleet = FleetState::expecting([(&web, &order)]);
    fleet.add(&forged("f", 0, ORDER, evil()));
    fleet.add(&forged("f", 1, ORDER, converged()));
    let report = fleet.report([(&web, &order)]);
    assert_eq!(report.hosts, [HostStatus::waiting(web.clone(), Some(order.clone()))]);
    assert_eq!(report.strangers[0].says, Some(web.clone()));
    assert!(!fleet.is_done(&order));
    // under the run and number of an event that is still to come, which counts
    fleet.add(&forged("a", 0, ORDER, evil()));
    fleet.add(&event("a", 0, ORDER, committed()));
    fleet.add(&forged("a", 1, ORDER, evil()));
    fleet.add(&forged("b", 0, NEXT, evil()));
    let report = fleet.report([(&web, &order)]);
    assert_eq!(report.hosts[0].ssh_host_key.as_deref(), Some("SHA256:x"));
    assert_eq!(
        (&report.hosts[0].phase, report.hosts[0].client),
        (&Phase::Committed, "10.0.0.1".parse().ok())
    );
    // nor where no tree tells what is expected, as in a file that is read by itself
    let mut fleet = told(&[event("a", 0, ORDER, committed())]);
    fleet.add(&Received { trust: Trust::Open, ..forged("c", 0, NEXT, evil()) });
    assert_eq!(host(&fleet).ssh_host_key.as_deref(), Some("SHA256:x"));
}

#[test]
fn the_first_fingerprint_under_an_order_stands() {
    let other = What::Committed {
        ssh_host_key: Some("SHA256:late".to_owned()),
        peak_rss_kib: 1,
        outcomes: None,
        reused: None,
    };
    let mut fleet = told(&[event("a", 0, ORDER, committed()), event("b", 0, ORDER, other.clone())]);
    assert_eq!(host(&fleet).ssh_host_key.as_deref(), Some("SHA256:x"));
    fleet.add(&event("b", 1, NEXT, other));
    assert_eq!(host(&fleet).ssh_host_key.as_deref(), Some("SHA256:late"));
    assert_eq!(host(&fleet).reused, None, "of another order");
}

#[test]
fn a_host_without_an_order_is_shown_as_unproven_until_it_has_one() {
    let (web, order): (HostName, OrderId) = ("web01".parse().unwrap(), ORDER.parse().unwrap());
    let mut open = Received { trust: Trust::Open, ..event("o", 0, ORDER, converged()) };
    open.event.order = None;
    let mut fleet = told(&[open]);
    assert!(!host(&fleet).proven && matches!(host(&fleet).phase, Phase::Converged { .. }));
    assert_eq!(fleet.report([(&web, &order)]).hosts[0].phase, Phase::Waiting);
    fleet.add(&event("a", 0, ORDER, claimed()));
    assert!(host(&fleet).proven && host(&fleet).phase == Phase::Claimed);
}

#[test]
fn long_sentences_are_cut() {
    let message = "ä".repeat(60_000);
    let failed = What::HandoffFailed { by: "script".to_owned(), message };
    let Phase::HandoffFailed { message } = host(&told(&[event("a", 0, ORDER, failed)])).phase else {
        panic!()
    };
    assert_eq!(message.chars().count(), 1000);
}
