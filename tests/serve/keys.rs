//! A site that changes its key under a running server.

use super::client::{Running, get};
use super::follow::soon;
use super::site::{HOST, ORDER, Site};

/// The id of the key that these sites begin with.
const FIRST: &str = "0707070707070707";

fn id_of_current(site: &Site) -> String {
    let shown: serde_json::Value = serde_json::from_str(&site.ironstrap(&["key", "show", "--json"])).unwrap();
    shown["keys"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_old_tree_is_served_and_revocable_after_a_rotation_a_new_one_taken_over_and_the_old_refused_when_retired()
 {
    let site = Site::new().with_secret_key();
    site.write_permit("2999-01-01T00:00:00Z");
    let server = Running::start(&site, &[]);
    let order = format!("/v1/orders/{ORDER}");
    let claimed = r#"{"event":"claimed","disk":"serial:S1","attempt":1}"#;
    assert_eq!(server.tell("old agent", 0, claimed).text(), "stored\n");

    let said = site.ironstrap(&["key", "rotate"]);
    assert!(said.contains("permits sealed anew: web01") && said.contains(FIRST), "{said}");
    assert_ne!(id_of_current(&site), FIRST);
    // the server that is running and one that starts now go on with the old tree and its agents
    let goes_on = |server: &Running| {
        assert_eq!(get(server, "/ready", &[]).text(), "ready\n");
        assert_eq!(get(server, "/kernel", &[]).body, b"a kernel");
        assert_eq!(get(server, &order, &[]).text(), "waits\n");
    };
    goes_on(&server);
    server.stop();
    let server = Running::start(&site, &[]);
    goes_on(&server);
    let written = r#"{"event":"progress","step":"write","done":7,"total":100}"#;
    assert_eq!(server.tell("old agent", 1, written).text(), "stored\n");
    assert!(site.ironstrap(&["status"]).contains("writing 7 %"));
    site.ironstrap(&["disarm", HOST]);
    assert_eq!(get(&server, &order, &[]).text(), "revoked\n");
    let old = std::fs::read(site.tree().join("manifest.json")).unwrap();
    let old_signature = std::fs::read(site.tree().join("manifest.json.minisig")).unwrap();

    site.bundle(b"a kernel of the new key");
    soon("the tree of the new key is taken over", || {
        get(&server, "/kernel", &[]).body == b"a kernel of the new key"
    });
    assert_eq!(get(&server, &order, &[]).text(), "revoked\n");
    let rebooting = r#"{"event":"rebooting","boot_next":true}"#;
    assert_eq!(server.tell("old agent", 2, rebooting).text(), "stored\n", "the old medium is still believed");
    // also by a server that has never seen the old tree
    server.stop();
    let server = Running::start(&site, &[]);
    assert_eq!(server.tell("another run of an old medium", 0, written).text(), "stored\n");

    let said = site.ironstrap(&["key", "retire"]);
    assert!(
        said.contains(&format!("{FIRST} is retired")) && said.contains("claimed or installed under it"),
        "{said}"
    );
    assert!(said.contains("web01") && said.contains("wipe: foreign"), "{said}");
    assert_eq!(get(&server, "/ready", &[]).text(), "ready\n", "the new tree stays");
    // the old tree comes back
    std::fs::write(site.tree().join("manifest.json"), old).unwrap();
    std::fs::write(site.tree().join("manifest.json.minisig"), old_signature).unwrap();
    let refused = site.log_line(|line| line.contains("is refused") && line.contains(FIRST));
    assert!(refused.contains(&format!("it is signed by key {FIRST}; trusted are ")), "{refused}");
    let refused = site.fails(&["--listen", "127.0.0.1:0"], 1);
    assert!(refused.contains(FIRST), "{refused}");
}

#[test]
fn a_server_hands_out_no_tree_whose_key_was_retired_and_takes_over_the_next_one() {
    let site = Site::new().with_secret_key();
    let server = Running::start(&site, &[]);
    site.ironstrap(&["key", "rotate"]);
    site.ironstrap(&["key", "retire", FIRST, "--yes"]);
    soon("the old tree isn't handed out any more", || get(&server, "/kernel", &[]).status == 503);
    let ready = get(&server, "/ready", &[]);
    assert_eq!(ready.status, 503);
    assert!(
        ready.text().contains(FIRST) && ready.text().contains("ironstrap bundle --pxe"),
        "{}",
        ready.text()
    );
    assert!(site.log().contains(&format!("signed by key {FIRST}")));
    site.bundle(b"new");
    soon("the new tree is served", || get(&server, "/kernel", &[]).body == b"new");
    assert_eq!(get(&server, "/ready", &[]).text(), "ready\n");
}

#[test]
fn a_key_that_is_still_needed_is_retired_only_by_somebody_who_says_so() {
    let site = Site::new().with_secret_key();
    let none = site.refuses(&["key", "retire"]);
    assert!(none.contains("the site has no former key"), "{none}");
    let medium = serde_json::json!({ "version": 1, "media": [{
        "kind": "usb", "path": "/sticks/usb.img", "time": "2026-11-23T07:00:00Z",
        "orders": [{ "host": HOST, "order": ORDER, "until": "2999-01-01T00:00:00Z" }],
    }]});
    site.write(".ironstrap/media.json", medium.to_string().as_bytes());
    site.write_permit("2999-01-01T00:00:00Z");
    let said = site.ironstrap(&["key", "rotate"]);
    let stands = [
        "stick /sticks/usb.img (built 2026-11-23T07:00:00Z): web01 until 2999-01-01T00:00:00Z",
        "armed, and on no medium of a newer key: web01",
    ];
    let shown = site.ironstrap(&["key", "show"]);
    let (_, former) = shown.split_once(&format!("{FIRST}: former")).unwrap();
    let refused = site.refuses(&["key", "retire"]);
    for part in stands {
        assert!(
            said.contains(part) && former.contains(part) && refused.contains(part),
            "{said}\n{shown}\n{refused}"
        );
    }
    assert!(refused.contains("nothing was changed") && refused.contains("--yes"), "{refused}");
    assert!(site.ironstrap(&["key", "show"]).contains(&format!("{FIRST}: former")));
    let retired = site.ironstrap(&["key", "retire", "--yes"]);
    assert!(retired.contains("a stick carries its key itself"), "{retired}");
    assert!(site.ironstrap(&["key", "show"]).contains(&format!("{FIRST}: retired")));
    let again = site.refuses(&["key", "retire", FIRST, "--yes"]);
    assert!(again.contains("already"), "{again}");
    let current = id_of_current(&site);
    assert!(site.refuses(&["key", "retire", &current, "--yes"]).contains("current key"));
}

#[test]
fn the_first_lines_of_key_show_are_a_public_key_that_minisign_reads_and_no_secret_is_shown() {
    let site = Site::new().with_secret_key();
    let secret = std::fs::read_to_string(site.state("site.key")).unwrap();
    let secret = &secret.lines().nth(1).unwrap()[90..120];
    site.ironstrap(&["key", "rotate"]);
    let shown = site.ironstrap(&["key", "show"]);
    let public = std::fs::read_to_string(site.state("../ironstrap.pub")).unwrap();
    assert!(shown.starts_with(&public), "{shown}");
    assert!(!shown.contains(secret) && !site.ironstrap(&["key", "show", "--json"]).contains(secret));
    let refused = site.refuses(&["key", "new"]);
    assert!(refused.contains(&id_of_current(&site)) && refused.contains("key rotate"), "{refused}");
}
