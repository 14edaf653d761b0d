//! Whose word counts: what proves an event, and what somebody can do who can't.

use ironstrap::spec::event::Outcomes;
use ironstrap::trust::{PROOF_HEADER, SiteKey, Voucher, run_name};
use ironstrap::value::{OrderId, Token};
use serde_json::Value;

use crate::client::{Running, get};
use crate::site::{HOST, ORDER, Site, event, events, id, run, told};

const CLAIMED: &str = r#"{"event":"claimed","disk":"S1","attempt":1}"#;
const EVIL: &str = r#"{"event":"committed","ssh_host_key":"SHA256:evil","peak_rss_kib":1}"#;

/// What the disk boots with, and what proves its hand-off.
fn committed(outcomes: &Outcomes) -> String {
    let outcomes = serde_json::to_string(outcomes).unwrap();
    format!(r#"{{"event":"committed","ssh_host_key":"SHA256:true","peak_rss_kib":1,"outcomes":{outcomes}}}"#)
}

fn tokens() -> (Token, Token, Outcomes) {
    let (converged, failed) = (Token::from_bytes([1; 32]), Token::from_bytes([2; 32]));
    let outcomes = Outcomes { converged: converged.digest(), failed: failed.digest() };
    (converged, failed, outcomes)
}

/// The hand-off's word, as the installed system posts it.
fn handed(run: &str, what: &str, token: &Token) -> String {
    let json = event(run, 0, what);
    format!("{},\"token\":\"{}\"}}", json.strip_suffix('}').unwrap(), token.reveal_text())
}

fn status(server: &Running) -> Value {
    serde_json::from_slice(&get(server, "/v1/status", &[]).body).unwrap()
}

/// The host as the status tells of it, but for when it was heard.
fn host(server: &Running) -> Value {
    let mut host = status(server)["hosts"][0].take();
    host.as_object_mut().unwrap().remove("heard");
    host
}

#[test]
fn a_forged_event_changes_no_host_and_shows_a_stranger() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let (_, _, outcomes) = tokens();
    let order = || get(&server, &format!("/v1/orders/{ORDER}"), &[]).text();
    let before = host(&server);
    let said = server.post(&event("forged", 0, EVIL)).text();
    assert!(said.starts_with("stored, but not proven"), "{said}");
    assert_eq!((host(&server), order()), (before, "waits\n".to_owned()));
    assert_eq!(status(&server)["strangers"][0]["says"], HOST);
    let url = format!("http://{}", server.address);
    for args in [&["status"][..], &["status", "--server", &url]] {
        let shown = site.ironstrap(args);
        assert!(shown.contains("committed (says it is web01, and doesn't prove it)"), "{shown}");
    }

    assert_eq!(server.tell("run", 0, CLAIMED).text(), "stored\n");
    assert_eq!(server.tell("run", 1, &committed(&outcomes)).text(), "stored\n");
    let after = host(&server);
    assert_eq!((&after["ssh_host_key"], &after["claims"]), (&"SHA256:true".into(), &1.into()));
    // in the name of the run that was overheard, and of another one
    for run in [run_name(&run("run")), "another".to_owned()] {
        for seq in [1, 2, 7] {
            server.post(&event(&run, seq, EVIL));
            server.post(&event(&run, seq + 10, r#"{"event":"refused","code":"no-disk","message":"m"}"#));
        }
    }
    // somebody who says that the host is under another order
    server.post(&event("another", 9, EVIL).replace(ORDER, &"7".repeat(32)));
    assert_eq!((host(&server), order()), (after.clone(), "done\n".to_owned()));
    // the log has all of it, and says what isn't proven
    let log = site.ironstrap(&["status", HOST, "--log"]);
    let lines: Vec<_> = log.lines().collect();
    assert!(lines.iter().any(|line| line.ends_with("claimed: S1, run 1 of this order")), "{log}");
    assert!(lines.iter().any(|line| line.contains("SHA256:true") && !line.contains("unproven")), "{log}");
    let forged = |line: &&&str| line.starts_with("  ") && line.contains("SHA256:evil");
    assert!(lines.iter().filter(forged).all(|line| line.ends_with("(unproven)")), "{log}");
    assert!(lines.iter().filter(forged).count() > 1, "{log}");
    // and none of it counts after a new start
    server.stop();
    assert_eq!(host(&Running::start(&site, &[])), after);
}

#[test]
fn a_proof_is_good_for_its_event_run_host_and_order_only() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let before = host(&server);
    let (body, proof) = told("run", 0, CLAIMED);
    let (_, others) = told("other", 0, CLAIMED);
    let mine = |order: &OrderId, site: u8, body: &str| {
        let (key, run) = (SiteKey::from_random([site; 40]), run("run"));
        let voucher = Voucher::new(&key.event_secret(order), order, &run);
        format!("{PROOF_HEADER}: {}", voucher.prove(&run, body.as_bytes()))
    };
    let other_order: OrderId = "7".repeat(32).parse().unwrap();
    let of_other_host = body.replace(HOST, "web02");
    let of_other_order = body.replace(ORDER, other_order.to_string().as_str());
    for (body, proof) in [
        (body.replace("S1", "S2"), proof.clone()),
        (body.clone(), others),
        (body.clone(), format!("{PROOF_HEADER}: nonsense")),
        (body.clone(), mine(&id(), 8, &body)),
        (of_other_host.clone(), mine(&id(), 7, &of_other_host)),
        (of_other_order.clone(), mine(&id(), 7, &of_other_order)),
        // an order that the tree doesn't carry is nobody's here, whoever signs
        (of_other_order.clone(), mine(&other_order, 7, &of_other_order)),
    ] {
        let said = server.post_with(&body, &proof).text();
        assert_ne!(said, "stored\n", "{body}");
    }
    assert_eq!(host(&server), before);
    assert_eq!(server.post_with(&body, &proof).text(), "stored\n");
    // overheard and sent again, also to a server that was started again
    assert_eq!(server.post_with(&body, &proof).text(), "known already\n");
    server.stop();
    let server = Running::start(&site, &[]);
    assert_eq!(server.post_with(&body, &proof).text(), "known already\n");
    assert_eq!(host(&server)["claims"], 1);
}

#[test]
fn the_hand_off_proves_its_outcome_by_what_the_committed_system_was_given() {
    const FAILED: &str = r#"{"event":"handoff-failed","by":"script","message":"rc 1"}"#;
    const CONVERGED: &str = r#"{"event":"converged","by":"script"}"#;
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let (converged, failed, outcomes) = tokens();
    // before anything was committed a token proves nothing
    assert_ne!(server.post(&handed("early", CONVERGED, &converged)).text(), "stored\n");
    server.tell("run", 0, &committed(&outcomes));
    for (what, token) in [(CONVERGED, &failed), (FAILED, &converged), (EVIL, &converged)] {
        assert_ne!(server.post(&handed("wrong", what, token)).text(), "stored\n");
        assert_eq!(host(&server)["phase"], "committed");
    }
    assert_eq!(server.post(&handed("first", FAILED, &failed)).text(), "stored\n");
    assert_eq!(host(&server)["phase"], "handoff-failed");
    // the server is started again in between, and the site has another tree by then
    server.stop();
    site.bundle(b"another kernel");
    let server = Running::start(&site, &[]);
    assert_eq!(server.post(&handed("again", CONVERGED, &converged)).text(), "stored\n");
    assert_eq!(host(&server)["phase"], "converged");
    // who overhears a token can say once more what was said, and nothing else
    server.post(&handed("overheard", FAILED, &failed));
    assert_eq!(host(&server)["phase"], "converged");
    assert!(!status(&server).to_string().contains(&converged.reveal_text()));
}

#[test]
fn the_key_of_an_order_begins_no_run_after_its_end() {
    let site = Site::until("2026-11-24T07:00:00Z");
    let server = Running::start(&site, &[]);
    let before = host(&server);
    let said = server.tell("late", 0, CLAIMED).text();
    assert!(said.contains("not proven"), "{said}");
    assert_eq!(host(&server), before);
}

#[test]
fn a_flood_that_proves_nothing_pushes_nothing_out() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    server.tell("run", 0, CLAIMED);
    let after = host(&server);
    for number in 0..200 {
        server.post(&event(&format!("f{number}"), 0, EVIL));
    }
    assert_eq!(site.events().lines().count(), 1, "what isn't proven has a file of its own");
    assert_eq!(host(&server), after);
    assert_eq!(status(&server)["strangers"].as_array().unwrap().len(), 100);
    assert!(events() != SiteKey::from_random([8; 40]).event_secret(&id()));
}
