//! Journals that are torn, shared and flooded.

use super::*;

fn event(seq: u64) -> Box<serde_json::value::RawValue> {
    let text = format!(
        "{{\"version\":1,\"run\":\"r\",\"seq\":{seq},\n\"time\":\"2026-11-23T07:00:00Z\",\"host\":\"web01\",\"order\":null,\"what\":{{\"event\":\"already-done\"}},\"new\":\"kept\"}}"
    );
    serde_json::value::RawValue::from_string(text).unwrap()
}

/// From an address that matters to nobody.
fn append(journal: &mut Journal, json: &serde_json::value::RawValue, trust: Trust) {
    let event = serde_json::from_str(json.get()).unwrap();
    let (time, client) = (Timestamp::from_unix(5), "10.0.0.1".parse().unwrap());
    journal.append(&Received { time, client, trust, event }, json).unwrap();
}

#[test]
fn a_torn_last_line_is_cut_off_and_the_rest_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub/events.jsonl");
    let mut journal = Journal::open(&path, &mut FleetState::default()).unwrap();
    append(&mut journal, &event(0), Trust::Proven);
    let whole = std::fs::read_to_string(&path).unwrap();
    assert_eq!(whole.matches('\n').count(), 1, "{whole}");
    assert!(whole.contains("\"new\":\"kept\""));
    drop(journal);
    std::fs::write(&path, format!("{whole}not json\n{}", &whole[..whole.len() / 2])).unwrap();
    assert_eq!(read(&path, &Forgotten::default()).unwrap().report([]).hosts.len(), 1);
    let mut fleet = FleetState::default();
    let mut journal = Journal::open(&path, &mut fleet).unwrap();
    assert!(fleet.knows(&serde_json::from_str(event(0).get()).unwrap(), Trust::Proven));
    append(&mut journal, &event(1), Trust::Proven);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().filter(|line| parse_line(line.as_bytes()).is_some()).count(), 2, "{text}");
}

#[test]
fn two_servers_do_not_share_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let (mut fleet, mut other) = (FleetState::default(), FleetState::default());
    let mut first = Journal::open_up_to(&path, &mut fleet, 1000).unwrap();
    let error = Journal::open(&path, &mut other).unwrap_err().to_string();
    assert!(error.contains("another `ironstrap serve`"), "{error}");
    // nor when it was put aside
    (0..20).for_each(|seq| append(&mut first, &event(seq), Trust::Proven));
    let error = Journal::open(&path, &mut other).unwrap_err().to_string();
    assert!(error.contains("another `ironstrap serve`"), "{error}");
}

#[test]
fn a_flood_neither_silences_a_host_nor_makes_its_done_order_wait_again() {
    const LONGEST: u64 = 4000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let order: OrderId = "00000000000000000000000000000001".parse().unwrap();
    let host = "web01".parse().unwrap();
    let told = |run: &str, host: &str, order: &str, what: &str| {
        let text = format!(
            "{{\"version\":1,\"run\":\"{run}\",\"seq\":0,\"time\":\"2026-11-23T07:00:00Z\",\"host\":\"{host}\",\"order\":{order},\"what\":{{\"event\":\"{what}\"}}}}"
        );
        serde_json::value::RawValue::from_string(text).unwrap()
    };
    let open = || {
        let mut fleet = FleetState::expecting([(&host, &order)]);
        let journal = Journal::open_up_to(&path, &mut fleet, LONGEST).unwrap();
        (journal, fleet)
    };
    let (mut journal, _) = open();
    let done = told("real", "web01", &format!("\"{order}\""), "already-done");
    append(&mut journal, &done, Trust::Proven);
    for number in 0..100 {
        let forged = format!("\"{number:032}\"");
        append(&mut journal, &told(&format!("f{number}"), "x", &forged, "already-done"), Trust::Proven);
    }
    let bytes = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(bytes(&path) <= LONGEST && bytes(&former(&path)) <= LONGEST);
    drop(journal);
    let (mut journal, fleet) = open();
    assert!(fleet.is_done(&order), "{}", std::fs::read_to_string(&path).unwrap());
    append(&mut journal, &told("later", "web01", "null", "already-done"), Trust::Proven);
    assert!(
        read(&path, &Forgotten::default()).unwrap().report([]).hosts.iter().any(|status| status.host == host)
    );
}
