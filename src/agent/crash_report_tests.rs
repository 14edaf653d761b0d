//! What is told of a worker that died, and by whom it is heard.

use std::io::{Read, Write};
use std::sync::Arc;

use super::*;
use crate::agent::report::console::Consoles;
use crate::agent::report::recorder::Medium;
use crate::order::{build, fixtures};
use crate::spec::event::{Event, Step};
use crate::value::{HttpUrl, OrderId};

const HOW: &str = "signal 9 ended the agent's worker";

fn worker(state: &Path) -> Reporter {
    let mut worker =
        Reporter::new(Arc::new(Consoles::none()), Box::new(SystemClock), RunSecret::from_bytes([7; 32]));
    worker.keep_state_in(state);
    let order = build(&fixtures::permit(), fixtures::parts(), &fixtures::key(), fixtures::now()).unwrap();
    worker.identify(&order);
    worker
}

/// Where nothing may be counted.
fn uncalled(_: &Claimed, _: &OrderId) -> Result<u32, Failure> {
    panic!("there was no claim")
}

fn progress() -> What {
    What::Progress { step: Step::Write, done: 40, total: 100 }
}

/// Takes this many posts and gives their events.
fn listen(count: usize) -> (HttpUrl, std::thread::JoinHandle<Vec<Event>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let server = std::thread::spawn(move || {
        let mut events = Vec::new();
        for _ in 0..count {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            let event = loop {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "the request ended early");
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request);
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
                if let Some(event) = body.and_then(|body| serde_json::from_str(body).ok()) {
                    break event;
                }
            };
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            events.push(event);
        }
        events
    });
    (url, server)
}

#[test]
fn a_worker_that_died_has_failed_at_its_server_and_in_its_recorder() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let medium = Medium::new();
    let (url, server) = listen(2);
    let mut worker = worker(&state);
    worker.record_to("sda", medium.recorder());
    worker.post_to(&url);
    worker.event(progress());
    // it is killed here: nothing of it says another word
    worker.finish(Duration::from_secs(20));

    let recorder = |left: &RunState| (left.medium.as_deref() == Some("sda")).then(|| medium.recorder());
    let (end, reporter) = tell(&state, HOW, recorder, &uncalled);
    reporter.finish(PATIENCE);
    assert_eq!(end, End::Refused { code: Code::Internal }, "it had touched nothing");
    for events in [server.join().unwrap(), medium.events()] {
        assert_eq!(events.len(), 2, "{events:?}");
        let last = &events[1];
        let failed = What::Failed { code: Code::Internal, message: HOW.to_owned() };
        assert_eq!((&last.what, &last.run, last.seq), (&failed, &events[0].run, 1));
        assert_eq!((&last.host, &last.order), (&events[0].host, &events[0].order));
        assert_eq!(last.host.as_ref().unwrap().as_str(), "web01");
    }
}

#[test]
fn a_run_that_told_its_end_has_no_second_one() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let medium = Medium::new();
    let mut worker = worker(&state);
    worker.record_to("sda", medium.recorder());
    worker.event(progress());
    worker.claimed("sdb", 0);
    worker.event(What::Committed { ssh_host_key: None, peak_rss_kib: 1, outcomes: None, reused: None });
    worker.event(What::Rebooting { boot_next: true });
    let (end, _) = tell(&state, HOW, |_| Some(medium.recorder()), &uncalled);
    assert_eq!((end, medium.events().len()), (End::Installed, 3));
}

#[test]
fn a_crash_after_the_claim_is_a_failure_that_is_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut worker = worker(&state);
    worker.claimed("sdb", 1);
    worker.event(What::Claimed { disk: "serial:S1".to_owned(), attempt: 2 });
    let counted = std::cell::RefCell::new(Vec::new());
    let count = |claimed: &Claimed, order: &OrderId| {
        counted.borrow_mut().push((claimed.disk.clone(), order.clone()));
        Ok(2)
    };
    // whoever tells of it may crash in its turn
    for _ in 0..2 {
        let (end, _) = tell(&state, HOW, |_| None, &count);
        assert_eq!(end, End::Failed { before: 1 });
    }
    assert_eq!(counted.into_inner(), [("sdb".to_owned(), OrderId::from_random([7; 16]))]);
}

#[test]
fn a_worker_that_died_before_it_began_has_touched_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (end, _) = tell(&dir.path().join("state"), HOW, |_| None, &uncalled);
    assert_eq!(end, End::Refused { code: Code::Internal });
}

#[test]
fn after_a_trail_that_makes_no_sense_nothing_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    std::fs::write(&state, "{").unwrap();
    let (end, _) = tell(&state, HOW, |_| None, &uncalled);
    assert_eq!(end, End::Failed { before: u32::MAX });
}
