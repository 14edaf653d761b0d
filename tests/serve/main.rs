//! `ironstrap serve` as targets meet it: the real binary on the loopback interface.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod client;
mod events;
mod follow;
mod hostile;
mod keys;
mod site;

use std::process::Command;
use std::time::UNIX_EPOCH;

use client::{Running, get, request};
use site::{BLOB, HOST, ORDER, Site, event};

#[test]
fn a_blob_comes_whole_in_parts_and_not_at_all_for_head() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let path = site.blob_path();
    let whole = get(&server, &path, &[]);
    assert_eq!((whole.status, whole.body.as_slice()), (200, site.blob.as_slice()));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let tag = whole.header("etag").unwrap().to_owned();
    assert!(tag.contains(&path["/blobs/".len()..]), "{tag}");

    let part = get(&server, &path, &["Range: bytes=100-199"]);
    assert_eq!((part.status, part.body.as_slice()), (206, &site.blob[100..200]));
    assert_eq!(part.header("content-range"), Some(format!("bytes 100-199/{BLOB}").as_str()));
    let rest = get(&server, &path, &["Range: bytes=1000-"]);
    assert_eq!((rest.status, rest.body.as_slice()), (206, &site.blob[1000..]));
    assert_eq!(get(&server, &path, &[&format!("Range: bytes={BLOB}-")]).status, 416);

    let head = request(&server, &format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(BLOB.to_string().as_str()));

    let same = get(&server, &path, &["Range: bytes=0-9", &format!("If-Range: {tag}")]);
    assert_eq!((same.status, same.body.len()), (206, 10));
    let other = get(&server, &path, &["Range: bytes=0-9", "If-Range: \"another\""]);
    assert_eq!((other.status, other.body.len()), (200, BLOB));
    assert_eq!(get(&server, &path, &[&format!("If-None-Match: {tag}")]).status, 304);
}

#[test]
fn only_what_the_manifest_names_is_there() {
    let site = Site::new();
    std::fs::write(site.tree().join("unlisted"), "secret").unwrap();
    let server = Running::start(&site, &[]);
    assert_eq!(get(&server, "/kernel", &[]).body, b"a kernel");
    assert_eq!(get(&server, "/manifest.json.minisig", &[]).status, 200);
    for path in [
        "/unlisted",
        "/",
        "/../etc/passwd",
        "/hosts/../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/....//....//....//etc/passwd",
        "//etc/passwd",
        "/blobs/..%2fsite.key",
        "/kernel%00",
        "/./kernel",
        "/hosts",
    ] {
        let answer = get(&server, path, &[]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("root:"), "{path}");
    }
    assert_eq!(get(&server, "/kernel\0", &[]).status, 400);
    for method in ["POST", "PUT", "DELETE"] {
        let text = format!("{method} /kernel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_eq!(request(&server, &text).status, 405, "{method}");
    }
    assert_eq!(get(&server, "/v1/events", &[]).status, 405);
}

#[test]
fn an_order_waits_until_its_install_is_committed() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let order = || get(&server, &format!("/v1/orders/{ORDER}"), &[]);
    assert_eq!((order().status, order().text()), (200, "waits\n".to_owned()));
    for unknown in ["00".repeat(16), "nonsense".to_owned(), "..".to_owned()] {
        assert_eq!(get(&server, &format!("/v1/orders/{unknown}"), &[]).status, 404);
    }
    let claimed = r#"{"event":"claimed","disk":"S1","attempt":1}"#;
    assert_eq!(server.tell("run", 0, claimed).status, 200);
    assert_eq!(order().text(), "waits\n");
    let committed = r#"{"event":"committed","ssh_host_key":null,"peak_rss_kib":1}"#;
    assert_eq!(server.tell("run", 1, committed).status, 200);
    assert_eq!(order().text(), "done\n");
}

/// Of the host's order that the tree carries.
fn arm(site: &Site) {
    site.write_permit("2036-11-30T07:00:00Z");
}

#[test]
fn a_running_server_knows_at_once_who_was_disarmed() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let order = || get(&server, &format!("/v1/orders/{ORDER}"), &[]).text();
    arm(&site);
    assert_eq!(order(), "waits\n");
    let said = site.ironstrap(&["disarm", HOST]);
    assert!(
        said.contains(&format!("web01 disarmed: its order {ORDER}, valid until 2036-11-30T07:00:00Z")),
        "{said}"
    );
    assert_eq!(order(), "revoked\n");
    // whatever anybody says of it
    let committed = r#"{"event":"committed","ssh_host_key":null,"peak_rss_kib":1}"#;
    assert_eq!(server.tell("run", 1, committed).status, 200);
    assert_eq!(order(), "revoked\n");
    let url = format!("http://{}", server.address);
    for args in [&["status"][..], &["status", HOST, "--server", &url]] {
        assert!(site.ironstrap(args).contains("(revoked at 20"), "{}", site.ironstrap(args));
    }
    // neither a damaged list nor one that is gone gives an order back
    for damage in ["{", ""] {
        std::fs::write(site.state("revoked.json"), damage).unwrap();
        assert_eq!(order(), "revoked\n");
    }
    std::fs::remove_file(site.state("revoked.json")).unwrap();
    assert_eq!(order(), "revoked\n");
    assert_eq!(site.ironstrap(&["disarm", HOST]), "web01 was not armed\n");
}

#[test]
fn what_was_heard_of_a_host_can_be_forgotten_while_the_server_runs() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let order = |server: &Running| get(server, &format!("/v1/orders/{ORDER}"), &[]).text();
    let committed = r#"{"event":"committed","ssh_host_key":"SHA256:forged","peak_rss_kib":1}"#;
    assert_eq!(server.tell("run", 0, committed).status, 200);
    assert_eq!(order(&server), "done\n");
    // times of the server are whole seconds
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(site.ironstrap(&["status", "--forget", HOST]).starts_with("web01 forgotten: "));
    assert_eq!(order(&server), "waits\n");
    let status = get(&server, "/v1/status", &[]).text();
    assert!(status.contains("waiting") && !status.contains("forged"), "{status}");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let claimed = r#"{"event":"claimed","disk":"S1","attempt":1}"#;
    assert_eq!(server.tell("later", 0, claimed).status, 200);
    server.stop();
    let server = Running::start(&site, &[]);
    assert_eq!(order(&server), "waits\n");
    assert!(get(&server, "/v1/status", &[]).text().contains("\"phase\":\"claimed\""));
    let shown = site.ironstrap(&["status"]);
    assert!(shown.contains("claimed") && !shown.contains("committed"), "{shown}");
}

#[test]
fn every_answer_tells_the_time_to_machines_whose_clock_is_dead() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    for path in [format!("/v1/orders/{ORDER}"), "/v1/orders/nonsense".to_owned(), "/nothing".to_owned()] {
        let answer = get(&server, &path, &[]);
        let date = answer.header("date").unwrap_or_else(|| panic!("{path} has no date"));
        let seconds = Command::new("date").args(["-u", "-d", date, "+%s"]).output().unwrap();
        let told: u64 = String::from_utf8(seconds.stdout).unwrap().trim().parse().unwrap();
        let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert!(now.abs_diff(told) < 120, "{path} says {date}");
    }
}

#[test]
fn events_count_once_and_outlive_the_server() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let claimed = r#"{"event":"claimed","disk":"S1","attempt":1}"#;
    let converged = r#"{"event":"converged","by":"script"}"#;
    for (run, what) in [("run", claimed), ("run", claimed), ("other", converged)] {
        assert_eq!(server.tell(run, 0, what).status, 200);
    }
    assert_eq!(site.events().lines().count(), 2);
    server.stop();

    let server = Running::start(&site, &[]);
    assert_eq!(server.tell("run", 0, claimed).text(), "known already\n");
    assert_eq!(get(&server, &format!("/v1/orders/{ORDER}"), &[]).text(), "done\n");
    let status: serde_json::Value = serde_json::from_slice(&get(&server, "/v1/status", &[]).body).unwrap();
    let host = &status["hosts"][0];
    assert_eq!(
        (&host["host"], &host["phase"], &host["claims"]),
        (&HOST.into(), &"converged".into(), &1.into())
    );
    assert_eq!((&host["order"], &host["client"]), (&serde_json::Value::Null, &"127.0.0.1".into()));
    assert!(!status.to_string().contains(ORDER), "order ids are for hosts and the site's people");
    let url = format!("http://{}", server.address);
    for args in [&["status"][..], &["status", HOST, "--server", &url]] {
        let shown = site.ironstrap(args);
        assert!(shown.contains("web01") && shown.contains("converged by script"), "{shown}");
    }
}

#[test]
fn what_is_no_event_is_refused_with_a_sentence() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let newer = event("run", 0, r#"{"event":"already-done"}"#).replace("\"version\":1", "\"version\":2");
    let refused = server.post(&newer);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("format version 2 is not known here"), "{}", refused.text());
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    for bad in
        ["", "{}", "null", "\u{1b}[31m", &deep, &event(&"r".repeat(65), 0, r#"{"event":"already-done"}"#)]
    {
        let answer = server.post(bad);
        assert_eq!(answer.status, 400, "{}", &bad[..bad.len().min(40)]);
        assert!(answer.text().trim_end().chars().all(|c| !c.is_control()));
    }
    let large = event("run", 0, &format!(r#"{{"event":"converged","by":"{}"}}"#, "x".repeat(70_000)));
    assert_eq!(server.post(&large).status, 413);
    assert_eq!(site.events(), "");
    let future = r#"{"event":"cooled-down","by":"a fan"}"#;
    assert_eq!(server.tell("run", 1, future).status, 200, "a newer writer's event is kept");
    assert!(site.events().contains("a fan"));
}

#[test]
fn the_log_tells_what_was_sent_of_a_transfer_that_broke() {
    let site = Site::new();
    let server = Running::start(&site, &["--rate", "400000"]);
    let path = site.blob_path();
    server.fetch_and_go(&path, BLOB / 3);
    let line = site.log_line(|line| line.contains(&path));
    assert!(
        line.contains(" GET ") && line.contains("range=bytes=0-") && line.contains("status=206"),
        "{line}"
    );
    assert!(line.ends_with("cut"), "{line}");

    let (mut stream, _) = server.fetch(&path, BLOB / 3);
    server.stop();
    let line = site.log_line(|line| line.contains(&path) && line.contains("range=-"));
    let sent: usize = line.split("sent=").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    assert!((BLOB / 5..BLOB * 4 / 5).contains(&sent) && line.ends_with("cut"), "{line}");
    let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
}

#[test]
fn requests_leave_one_line_each_and_can_not_forge_another() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    get(&server, "/kernel", &["Range: bytes=0-3"]);
    get(&server, "/a\u{7f}b%0a127.0.0.1", &["Range: \u{9f}x y"]);
    let line = site.log_line(|line| line.contains("/kernel"));
    assert!(line.contains("range=bytes=0-3 status=206 sent=4/4 whole"), "{line}");
    server.stop();
    assert!(site.log().bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{}", site.log());
}

#[test]
fn what_can_not_be_served_is_said_at_start() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let port = server.address.port();
    let taken = site.fails(&["--listen", &format!("127.0.0.1:{port}")], 1);
    assert!(taken.contains("another `ironstrap serve`"), "{taken}");
    let second = Site::new();
    let taken = second.fails(&["--listen", &format!("127.0.0.1:{port}")], 3);
    assert!(taken.contains("another program may have the port"), "{taken}");

    std::fs::write(second.tree().join("kernel"), "a kernel that grew").unwrap();
    let grown = second.fails(&[], 1);
    assert!(grown.contains("kernel has 18 bytes, not 8"), "{grown}");
    std::fs::remove_file(second.tree().join("kernel")).unwrap();
    assert!(second.fails(&[], 1).contains("kernel is missing"));
    let manifest = second.tree().join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("kernel", "kernol")).unwrap();
    assert!(second.fails(&[], 1).contains("with the site's key"));
    std::fs::remove_file(&manifest).unwrap();
    assert!(second.fails(&[], 1).contains("ironstrap bundle --pxe"));
}
