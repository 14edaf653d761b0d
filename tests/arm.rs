//! `ironstrap arm`: what it shows, whom it asks, and that nothing is armed without an answer.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ironstrap::order::SealedPermit;
use ironstrap::trust::SiteKey;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A site with one host whose disk is only described and given up, one whose disk is named and given up, and a careful one.
fn site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("site.yaml", "name: test\n");
    for (name, storage) in [
        ("any", "target: { min_size: 100G }, wipe: any-match"),
        ("given", "target: { serial: S1 }, wipe: foreign"),
        ("careful", "target: { min_size: 100G }"),
    ] {
        let yaml = format!(
            "name: {name}\nmatch: {{ serial: CZ-{name} }}\nimage: debian-12-base@1.0.0\nstorage: {{ {storage} }}\n"
        );
        write(&format!("hosts/{name}.yaml"), &yaml);
    }
    let key = SiteKey::from_random([3; 40]);
    write("ironstrap.pub", &key.public().to_text());
    write(".ironstrap/site.key", &key.to_text());
    std::fs::set_permissions(dir.path().join(".ironstrap/site.key"), Permissions::from_mode(0o600)).unwrap();
    let pin = "11".repeat(32);
    write("ironstrap.lock", &format!("version: 1\nimages:\n  debian-12-base@1.0.0: {pin}\n"));
    let event = |seq: u64, host: &str, what: &str| {
        format!(
            "{{\"received\":\"2026-11-2{seq}T07:00:00Z\",\"client\":\"10.0.0.1\",\"event\":{{\"version\":1,\"run\":\"r\",\
             \"seq\":{seq},\"time\":\"2026-11-23T07:00:00Z\",\"host\":\"{host}\",\"order\":null,\"what\":{what}}}}}\n"
        )
    };
    let events = [
        event(0, "any", r#"{"event":"planned","disk":"sda: \u001b[2JQEMU, serial OLD","bytes":1}"#),
        event(1, "any", r#"{"event":"claimed","disk":"serial:OLD","attempt":1}"#),
        event(2, "any", r#"{"event":"converged","by":"cloud-init"}"#),
    ];
    write(".ironstrap/events.jsonl", &events.concat());
    dir
}

fn arm(site: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironstrap"));
    command.arg("-C").arg(site).arg("arm").args(args).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Names of the hosts that are armed.
fn armed(site: &Path) -> Vec<String> {
    let Ok(names) = std::fs::read_dir(site.join(".ironstrap/orders")) else { return Vec::new() };
    let mut names: Vec<_> = names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn where_nobody_can_be_asked_nothing_is_armed() {
    let site = site();
    for hosts in [&["any"][..], &["given"], &["careful", "given"]] {
        for json in [&[][..], &["--json"]] {
            let output = arm(site.path(), &[hosts, json].concat());
            let said = text(&output.stderr);
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{said}");
            let lost = format!("data that isn't ours may be lost on {}; arm", hosts.last().unwrap());
            assert!(said.contains(&lost) && said.contains("`--yes` agrees; nothing was armed"), "{said}");
            assert_eq!(armed(site.path()), [""; 0]);
        }
    }
}

#[test]
fn who_agrees_beforehand_is_shown_all_the_same() {
    let site = site();
    let output = arm(site.path(), &["any", "given", "careful", "--yes"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(text(&output.stdout).lines().count(), 3);
    let told: Vec<_> = said.split_inclusive('\n').collect();
    assert_eq!(
        told[0..6].concat(),
        "any
  disk       at least 100GiB
  wipe       any-match: ANY DISK THAT FITS, WHATEVER IT HOLDS
  image      debian-12-base@1.0.0 (manifest 111111111111)
  last disk  sda: ?[2JQEMU, serial OLD (claimed, 2026-11-21T07:00:00Z)
  INSTALLED  it said so at 2026-11-22T07:00:00Z; this order wipes that system
"
    );
    assert_eq!(told[6], "careful\n");
    assert!(told[7..].concat().contains("  disk       serial S1\n  wipe       foreign: "), "{said}");
    assert_eq!(said.matches("no disk known").count(), 2, "{said}");
    assert_eq!(armed(site.path()), ["any.json", "careful.json", "given.json"]);
}

#[test]
fn json_stays_json() {
    let site = site();
    let output = arm(site.path(), &["any", "careful", "--yes", "--json"]);
    let permits: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(permits.as_array().unwrap().len(), 2);
    assert_eq!(permits[0]["wipe"], "any-match");
    assert!(text(&output.stderr).contains("last disk"));
}

#[test]
fn careful_hosts_need_no_answer_and_one_wrong_name_arms_nobody() {
    let site = site();
    let output = arm(site.path(), &["careful", "nobody", "--yes"]);
    assert_eq!((output.status.code(), armed(site.path())), (Some(1), vec![]));
    let output = arm(site.path(), &["careful"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(armed(site.path()), ["careful.json"]);
}

/// Arms both kinds at a terminal; `early` is typed before the question, `answer` after it.
fn at_a_terminal(site: &Path, early: &str, answer: &str) -> (Option<i32>, String) {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
    let open = || File::options().read(true).write(true).open(&name).unwrap();
    let mut terminal = File::from(keyboard);
    let kept_open = open();
    terminal.write_all(early.as_bytes()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironstrap"))
        .arg("-C")
        .arg(site)
        .args(["arm", "any", "given", "careful"])
        .stdin(open())
        .stdout(Stdio::null())
        .stderr(open())
        .spawn()
        .unwrap();
    rustix::fs::fcntl_setfl(&terminal, rustix::fs::OFlags::NONBLOCK).unwrap();
    let (mut shown, mut answered) = (Vec::new(), false);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut bytes = [0; 4096];
        match terminal.read(&mut bytes) {
            Ok(count) => shown.extend(&bytes[..count]),
            Err(_) if child.try_wait().unwrap().is_some() => break,
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
        if !answered && text(&shown).contains("Type `yes` to agree: ") {
            answered = true;
            terminal.write_all(answer.as_bytes()).unwrap();
        }
        assert!(Instant::now() < deadline, "arm doesn't end: {}", text(&shown));
    }
    drop(kept_open);
    (child.wait().unwrap().code(), text(&shown).to_owned())
}

#[test]
fn a_person_is_asked_once_for_all_hosts_and_only_yes_agrees() {
    let site = site();
    for (early, answer) in
        [("", "\n"), ("", "y\n"), ("", "no\n"), ("", "yes please\n"), ("", "\u{4}"), ("yes\n", "\n")]
    {
        let (code, shown) = at_a_terminal(site.path(), early, answer);
        assert_eq!(code, Some(1), "{early:?} {answer:?}: {shown}");
        assert!(shown.contains("nothing was armed"), "{shown}");
        assert_eq!(armed(site.path()), [""; 0]);
    }
    let (code, shown) = at_a_terminal(site.path(), "", "yes\n");
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("Type `yes`").count(), 1, "{shown}");
    assert!(shown.contains("may be lost on any, given; arm any, careful, given?"), "{shown}");
    assert_eq!(armed(site.path()).len(), 3);
}

fn run(site: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironstrap"));
    command.arg("-C").arg(site).args(args).stdin(Stdio::null()).output().unwrap()
}

/// What a command that succeeds prints.
fn shown(site: &Path, args: &[&str]) -> String {
    let output = run(site, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

fn permit(site: &Path, host: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(site.join(format!(".ironstrap/orders/{host}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn without_the_sites_key_nothing_is_armed_and_all_can_be_disarmed() {
    let site = site();
    shown(site.path(), &["arm", "careful"]);
    std::fs::remove_file(site.path().join(".ironstrap/site.key")).unwrap();
    let output = arm(site.path(), &["careful"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("the site has no key"), "{}", text(&output.stderr));
    assert!(shown(site.path(), &["disarm", "careful"]).contains("is revoked"));
    assert_eq!(armed(site.path()), ["careful.disarmed"]);
}

#[test]
fn arming_anew_says_what_it_replaces_and_disarming_what_it_revokes() {
    let site = site();
    assert!(!shown(site.path(), &["arm", "careful"]).contains("replaces"));
    let old = permit(site.path(), "careful");
    let said = shown(site.path(), &["arm", "careful"]);
    let replaced = format!("replaces order {}, generation 1, which is revoked", old["id"].as_str().unwrap());
    assert!(said.contains(&replaced) && said.contains(old["not_after"].as_str().unwrap()), "{said}");
    let new = permit(site.path(), "careful");
    // a stick and a tree that were written before
    let (id, until) = (new["id"].as_str().unwrap(), new["not_after"].as_str().unwrap());
    let media = format!(
        r#"{{"version":1,"media":[{{"kind":"usb","path":"/srv/usb.img","time":"2026-11-23T07:00:00Z",
        "orders":[{{"host":"careful","order":"{id}","until":"{until}"}}]}}]}}"#
    );
    std::fs::write(site.path().join(".ironstrap/media.json"), media).unwrap();
    let said = shown(site.path(), &["disarm", "careful"]);
    for part in ["stick /srv/usb.img", id, &format!("can install careful until {until}")] {
        assert!(said.contains(part), "{said}");
    }
    let list = std::fs::read_to_string(site.path().join(".ironstrap/revoked.json")).unwrap();
    assert!(list.contains(id) && list.contains(old["id"].as_str().unwrap()), "{list}");
}

#[test]
fn the_status_tells_how_each_permit_stands() {
    let site = site();
    let standing = |host: &str| {
        let json: serde_json::Value =
            serde_json::from_str(&shown(site.path(), &["status", host, "--json"])).unwrap();
        json["hosts"][0]["standing"]["permit"].as_str().map(str::to_owned)
    };
    shown(site.path(), &["arm", "--yes", "careful", "given", "any"]);
    assert_eq!(standing("careful").as_deref(), Some("left-out"));
    let media = |host: &str| {
        let permit = permit(site.path(), host);
        let media = serde_json::json!({ "version": 1, "media": [{ "kind": "pxe", "path": "/srv/pxe", "time": "2026-11-23T07:00:00Z",
            "orders": [{ "host": host, "order": permit["id"], "until": permit["not_after"] }] }] });
        std::fs::write(site.path().join(".ironstrap/media.json"), media.to_string()).unwrap();
    };
    media("careful");
    assert_eq!(standing("careful").as_deref(), Some("armed"));
    assert_eq!(standing("given").as_deref(), Some("left-out"));
    shown(site.path(), &["disarm", "careful"]);
    assert_eq!(standing("careful").as_deref(), Some("revoked"));
    std::fs::remove_file(site.path().join("hosts/any.yaml")).unwrap();
    assert_eq!(standing("any").as_deref(), Some("removed"));
    // an edited one, and the same sealed: `arm` gives none that is over
    let path = site.path().join(".ironstrap/orders/given.json");
    let mut edited = permit(site.path(), "given");
    edited["not_after"] = "2020-01-01T00:00:00Z".into();
    std::fs::write(&path, edited.to_string()).unwrap();
    assert_eq!(standing("given").as_deref(), Some("edited"));
    let sealed = SealedPermit::from_text(&edited.to_string()).unwrap();
    let sealed = SealedPermit::new(sealed.permit().clone(), &SiteKey::from_random([3; 40])).unwrap();
    std::fs::write(&path, sealed.to_text().unwrap()).unwrap();
    assert_eq!(standing("given").as_deref(), Some("expired"));
    let table = shown(site.path(), &["status"]);
    for part in ["(revoked at 20", "(removed: ", "(expired at 2020-01-01T00:00:00Z)"] {
        assert!(table.contains(part), "{table}");
    }
}

#[test]
fn a_bundle_is_not_made_of_a_permit_that_was_edited_and_is_made_of_none() {
    let site = site();
    shown(site.path(), &["arm", "careful"]);
    let path = site.path().join(".ironstrap/orders/careful.json");
    let mut edited = permit(site.path(), "careful");
    edited["not_after"] = "2036-11-30T07:00:00Z".into();
    std::fs::write(&path, edited.to_string()).unwrap();
    let tree = site.path().join("pxe");
    let args = ["bundle", "--pxe", tree.to_str().unwrap()];
    let output = run(site.path(), &args);
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("careful: its permit"), "{said}");
    assert!(said.contains(".ironstrap/orders/careful.json"), "{said}");
    shown(site.path(), &["disarm", "careful"]);
    let output = run(site.path(), &args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("the tree installs nothing"));
    let list = std::fs::read_to_string(tree.join("revoked.json")).unwrap();
    assert!(list.contains(edited["id"].as_str().unwrap()), "{list}");
    let stick = site.path().join("usb.img");
    let args = ["bundle", "--usb", stick.to_str().unwrap()];
    assert!(!run(site.path(), &args).status.success() && !stick.exists());
}
