//! A bundle that is replaced under a running server, and what a server says of itself.

use std::io::Read;
use std::time::{Duration, Instant};

use super::client::{Running, get};
use super::site::{ORDER, Site};

/// Waits for something that takes the server a look.
pub fn soon(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_new_bundle_is_served_without_a_restart_and_without_breaking_a_transfer() {
    let site = Site::new();
    let old: Vec<u8> = vec![b'o'; 9_000_000];
    site.bundle(&old);
    let server = Running::start(&site, &[]);
    let tag = get(&server, "/kernel", &[]).header("etag").unwrap().to_owned();
    let (mut transfer, mut got) = server.fetch("/kernel", 1000);

    site.bundle(b"a new kernel");
    // the very next request has either tree's content under that tree's tag, never a mixture and never a failure
    soon("the new kernel is served", || {
        let answer = get(&server, "/kernel", &[&format!("If-None-Match: {tag}")]);
        match answer.status {
            200 => answer.body == b"a new kernel" && answer.header("etag") != Some(&tag),
            304 => panic!("the old kernel's files are gone, it can't be unchanged"),
            other => panic!("{other} {}", answer.text()),
        }
    });
    assert_eq!(
        get(&server, "/manifest.json", &[]).body,
        std::fs::read(site.tree().join("manifest.json")).unwrap()
    );
    site.log_line(|line| line.contains("taken over"));

    let body = got.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let begun = got.len();
    got.resize(body + old.len(), 0);
    transfer.read_exact(&mut got[begun..]).expect("the old transfer goes on");
    assert!(got[body..] == old);
}

#[test]
fn a_bundle_that_is_not_signed_or_not_whole_is_refused_and_the_old_one_goes_on() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let manifest = site.tree().join("manifest.json");
    let good = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, good.replace("kernel", "kernol")).unwrap();
    let line = site.log_line(|line| line.contains("refused"));
    assert!(line.contains("with the site's key") && line.contains("the former one goes on"), "{line}");
    assert_eq!(get(&server, "/manifest.json", &[]).text(), good, "what it serves is what it verified");
    assert_eq!(get(&server, "/kernel", &[]).body, b"a kernel");
    let ready = get(&server, "/ready", &[]);
    assert!(ready.status == 200 && ready.text().contains("refused"), "{}", ready.text());

    std::fs::write(&manifest, good).unwrap();
    std::fs::remove_file(site.tree().join("orders/web01.cpio")).unwrap();
    site.log_line(|line| line.contains("orders/web01.cpio is missing"));
    assert_eq!(get(&server, "/orders/web01.cpio", &[]).status, 503);
    assert_eq!(get(&server, "/kernel", &[]).status, 200);

    site.bundle(b"a good one");
    soon("a good bundle is taken over", || get(&server, "/kernel", &[]).body == b"a good one");
    assert_eq!(get(&server, "/ready", &[]).text(), "ready\n");
}

#[test]
fn a_file_that_was_written_to_is_not_sent_as_what_the_manifest_names() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    let kernel = site.tree().join("kernel");
    let tag = get(&server, "/kernel", &[]).header("etag").unwrap().to_owned();
    let condition = [&*format!("If-None-Match: {tag}")];
    std::thread::sleep(Duration::from_millis(20));
    std::fs::write(&kernel, "a kernal").unwrap();
    for _ in 0..2 {
        assert_eq!(get(&server, "/kernel", &condition).status, 503);
    }
    std::thread::sleep(Duration::from_millis(20));
    std::fs::write(&kernel, "a kernel").unwrap();
    assert_eq!(get(&server, "/kernel", &condition).status, 304);
    std::fs::remove_file(&kernel).unwrap();
    let gone = get(&server, "/kernel", &[]);
    assert!(gone.status == 503 && gone.text().contains("build the bundle again"), "{}", gone.text());
}

#[test]
fn a_server_says_whether_it_lives_and_whether_installs_would_go_well() {
    let site = Site::new();
    let server = Running::start(&site, &[]);
    for path in ["/health", "/ready"] {
        assert_eq!(get(&server, path, &[]).status, 200, "{path}");
    }
    std::fs::rename(site.events_path(), site.events_path().with_extension("moved")).unwrap();
    let unready = get(&server, "/ready", &[]);
    assert!(unready.status == 503 && unready.text().contains("events.jsonl"), "{}", unready.text());
    std::fs::rename(site.events_path().with_extension("moved"), site.events_path()).unwrap();
    assert_eq!(get(&server, "/ready", &[]).status, 200);
    std::fs::remove_dir_all(site.tree()).unwrap();
    let unready = get(&server, "/ready", &[]);
    assert!(unready.status == 503 && unready.text().contains("removed"), "{}", unready.text());
    assert_eq!(get(&server, "/health", &[]).status, 200);
}

#[test]
fn what_is_done_is_remembered_by_the_site_wherever_the_server_is_started() {
    let site = Site::new();
    site.write("site.yaml", b"{}\n");
    let committed = r#"{"event":"committed","ssh_host_key":null,"peak_rss_kib":1}"#;
    let server = Running::start(&site, &[]);
    assert_eq!(server.tell("run", 0, committed).status, 200);
    server.stop();
    let elsewhere = tempfile::tempdir().unwrap();
    let server = Running::start_in(&site, elsewhere.path());
    assert_eq!(get(&server, &format!("/v1/orders/{ORDER}"), &[]).text(), "done\n");
    assert!(!elsewhere.path().join(".ironstrap").exists());
}
