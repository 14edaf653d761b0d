//! Stories of installs, told in order, late and twice.

use super::*;

const ORDER: &str = "00000000000000000000000000000001";
const NEXT: &str = "00000000000000000000000000000002";

fn event(run: &str, seq: u64, order: &str, what: What) -> Received {
    Received {
        time: Timestamp::from_unix(100),
        client: "10.0.0.1".parse().unwrap(),
        event: Event {
            version: FormatVersion,
            run: run.to_owned(),
            seq,
            time: Timestamp::from_unix(0),
            host: Some("web01".parse().unwrap()),
            order: Some(order.parse().unwrap()),
            what,
        },
    }
}

fn claimed() -> What {
    What::Claimed { disk: "S1".to_owned(), attempt: 1 }
}

fn write(done: u64) -> What {
    What::Progress { step: Step::Write, done, total: 1000 }
}

fn committed() -> What {
    What::Committed { ssh_host_key: Some("SHA256:x".to_owned()), peak_rss_kib: 1 }
}

fn converged() -> What {
    What::Converged { by: "ansible-pull".to_owned() }
}

fn told(events: &[Received]) -> Story {
    let mut story = Story::default();
    events.iter().for_each(|event| story.add(event));
    story
}

fn host(story: &Story) -> HostStatus {
    story.report([]).hosts.into_iter().next().unwrap()
}

#[test]
fn an_install_goes_from_started_to_converged() {
    let story = [claimed(), write(426), committed(), What::Rebooting { boot_next: true }];
    let mut events: Vec<_> = (0..).zip(story).map(|(seq, what)| event("a", seq, ORDER, what)).collect();
    assert_eq!(host(&told(&events[..2])).phase, Phase::Writing { percent: 42 });
    assert!(!told(&events[..2]).is_done(&ORDER.parse().unwrap()));
    assert!(told(&events[..3]).is_done(&ORDER.parse().unwrap()));
    assert_eq!(host(&told(&events)).phase, Phase::Rebooting);
    events.push(event("b", 0, ORDER, converged()));
    let last = host(&told(&events));
    assert_eq!(last.phase, Phase::Converged { by: "ansible-pull".to_owned() });
    assert_eq!((last.claims, last.ssh_host_key.as_deref()), (1, Some("SHA256:x")));
}

#[test]
fn an_event_counts_once_and_a_late_one_moves_nothing_back() {
    let story = told(&[
        event("a", 0, ORDER, claimed()),
        event("a", 0, ORDER, claimed()),
        event("a", 5, ORDER, write(900)),
        event("a", 3, ORDER, write(100)),
    ]);
    assert_eq!((host(&story).phase, host(&story).claims), (Phase::Writing { percent: 90 }, 1));
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
    let mut story = told(&done);
    story.add(&event("c", 0, ORDER, started()));
    story.add(&event("c", 1, ORDER, refused));
    assert!(matches!(host(&story).phase, Phase::Converged { .. }));
    story.add(&event("d", 0, NEXT, started()));
    assert_eq!((host(&story).phase, host(&story).order), (Phase::Started, Some(NEXT.parse().unwrap())));
    assert!(story.is_done(&ORDER.parse().unwrap()) && !story.is_done(&NEXT.parse().unwrap()));
}

#[test]
fn a_failed_hand_off_can_still_converge() {
    let failed = What::HandoffFailed { by: "script".to_owned(), message: "rc 1".to_owned() };
    let mut story = told(&[event("a", 0, ORDER, committed()), event("b", 0, ORDER, failed)]);
    assert!(matches!(host(&story).phase, Phase::HandoffFailed { .. }));
    story.add(&event("c", 0, ORDER, converged()));
    assert!(matches!(host(&story).phase, Phase::Converged { .. }));
}

#[test]
fn a_machine_without_a_host_is_a_stranger_until_it_knows_its_host() {
    let stranger = |seq, what| {
        let mut received = event("a", seq, ORDER, what);
        (received.event.host, received.event.order) = (None, None);
        received
    };
    let refused = What::Refused { code: Code::NoHost, message: "m".to_owned() };
    let mut story = told(&[stranger(0, refused)]);
    assert_eq!(story.report([]).strangers.len(), 1);
    story.add(&event("a", 1, ORDER, claimed()));
    assert!(story.report([]).strangers.is_empty());
    for run in 0..1000 {
        let mut received = stranger(0, What::AlreadyDone);
        received.event.run = run.to_string();
        story.add(&received);
    }
    assert_eq!(story.report([]).strangers.len(), MAX_STRANGERS);
}

#[test]
fn a_report_names_expected_hosts_and_reads_back() {
    let (web, db): (HostName, HostName) = ("web01".parse().unwrap(), "db01".parse().unwrap());
    let (order, next): (OrderId, OrderId) = (ORDER.parse().unwrap(), NEXT.parse().unwrap());
    let story = told(&[event("a", 0, ORDER, claimed())]);
    let report = story.report([(&web, &next), (&db, &order)]);
    let phases: Vec<_> = report.hosts.iter().map(|host| (host.host.as_str(), &host.phase)).collect();
    assert_eq!(phases, [("db01", &Phase::Waiting), ("web01", &Phase::Waiting)]);
    let json = serde_json::to_string(&story.report([(&web, &order)])).unwrap();
    let read: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(read, story.report([(&web, &order)]));
    assert!(json.contains("\"phase\":\"claimed\""), "{json}");
}

#[test]
fn invented_hosts_runs_and_orders_are_forgotten_and_expected_ones_are_not() {
    let (web01, order): (HostName, OrderId) = ("web01".parse().unwrap(), ORDER.parse().unwrap());
    let mut story = Story::expecting([(&web01, &order)]);
    story.add(&event("real", 0, ORDER, committed()));
    for number in 0..MAX_OTHER_ORDERS + 10 {
        let mut forged = event(&format!("f{number}"), 0, &format!("{:032x}", number + 16), converged());
        forged.event.host = Some(format!("x{number}").parse().unwrap());
        // cheap: only the orders are many
        if number > MAX_OTHERS + 10 {
            forged.event.host = Some(web01.clone());
        }
        story.add(&forged);
    }
    assert_eq!(story.hosts.len(), MAX_OTHERS + 1);
    assert!((story.runs.len(), story.run_ages.len()) == (MAX_RUNS, MAX_RUNS));
    assert_eq!(story.done.len(), MAX_OTHER_ORDERS);
    let next = Story { expected_orders: [NEXT.parse().unwrap()].into(), ..story };
    let mut story = next;
    story.add(&event("new", 0, NEXT, committed()));
    assert!(story.is_done(&NEXT.parse().unwrap()) && story.is_done(&order));
    (0..2 * MAX_EVENTS_OF_RUN as u64).for_each(|seq| story.add(&event("endless", seq, NEXT, write(seq))));
    assert_eq!(story.runs["endless"].seen.len(), MAX_EVENTS_OF_RUN);
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
