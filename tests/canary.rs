//! A secret that stands anywhere in a site is in nothing that `check`, `explain` and `status` print: a canary is put as the
//! value of every key of the schema, each with typos beside it, into broken templates, files, user-data and the site's key.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "canary/answers.rs"]
mod answers;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use ironstrap::profile::diag::Report;
use ironstrap::profile::load;
use ironstrap::profile::schema::{Document, schema};
use serde_json::Value;

const CANARY: &str = "canary!7Xq";

fn printed(site: &Path, arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_ironstrap")).args(arguments).current_dir(site).output().unwrap();
    assert_ne!(output.status.code(), Some(4), "a bug");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn site(host: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("site.yaml", "name: test\n");
    write("hosts/web01.yaml", host);
    dir
}

const HOST: &str =
    "name: web01\nmatch: { serial: CZ1 }\nimage: test@1\nstorage: { target: { serial: D1 } }\n";

/// Every key that the schema of hosts has, wherever it stands.
fn keys(schema: &Value, found: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        found.extend(properties.keys().cloned());
    }
    match schema {
        Value::Object(map) => map.values().for_each(|value| keys(value, found)),
        Value::Array(items) => items.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn a_value_beside_a_typo_of_any_key_is_shown_nowhere() {
    let mut all = Vec::new();
    Document::ALL.iter().for_each(|kind| keys(&schema(*kind), &mut all));
    all.sort();
    all.dedup();
    assert!(all.len() > 60, "{all:?}");
    for key in all {
        let typo = format!("{}{}x", key, key.chars().last().unwrap());
        for text in [
            format!("{typo}: {CANARY}\n"),
            format!("{typo}: \"{CANARY}\"\n"),
            format!("{typo}:\n  - {CANARY}\n"),
            format!("{typo}: {{ {key}: {CANARY} }}\n"),
            format!("users: [{{ name: a, {typo}: {CANARY} }}]\n"),
            format!("users:\n  - {{ {typo}: {CANARY}, name: A B }}\n"),
            format!("users: [{{ {typo}:{CANARY} }}]\n"),
            format!("{typo}: [{CANARY}\n"),
            format!("{typo}: \"{CANARY}\n"),
            format!("root: {{ password: {CANARY}, {typo}: 1 }}\n"),
            format!("root: {{ ssh_keys: [{CANARY}], {typo}: 1 }}\n"),
            format!("vars: {{ {key}: {CANARY}, {typo}-x: !tag {CANARY} }} # {CANARY}\n"),
        ] {
            let tree = load::of_host("web01", &format!("{HOST}{text}"), std::iter::empty());
            let resolved = ironstrap::host::resolve(&tree);
            let report = Report::new(tree.sources, resolved.diagnostics);
            let shown = report.render(false) + &serde_json::to_string(&report.entries()).unwrap();
            assert!(!shown.contains("canary"), "{text}{shown}");
        }
    }
}

#[test]
fn a_text_where_no_text_belongs_is_not_quoted() {
    for text in [
        "root: X\n",
        "users: X\n",
        "users: [X]\n",
        "kernel_args: X\n",
        "kernel_args: [\"a X\"]\n",
        "proxy: http//u:X@h\n",
        "proxy: \"http://h/?token=X\"\n",
        "storage: { confirm: X }\n",
        "boot: { password: X }\n",
        "handoff: { cloud_init: { user_data: \"password: X\" } }\n",
        "handoff: { cloud_init: { user_data: \"X\" } }\n",
        "handoff: { cloud_init: { user_data: \"X\\nb\" } }\n",
        "handoff:\n  cloud_init:\n    user_data: |\n      #cloud-config\n      a: {{ nope }} # X\n      b: X{{ 'X' | nope }}\n",
        "handoff:\n  cloud_init:\n    user_data: |\n      #cloud-config\n      b: {{ 1 + 'X' }} X\n",
        "handoff:\n  cloud_init:\n    user_data: |\n      #cloud-config\n      b: {{ 'X' 'X' }} X\n",
    ] {
        let site = site(&format!("{HOST}{}", text.replace('X', CANARY)));
        for arguments in [&["check"][..], &["check", "--json"]] {
            let shown = printed(site.path(), arguments);
            assert!(shown.contains("web01"), "{text}{shown}");
            assert!(!shown.contains("canary"), "{text}{shown}");
        }
    }
}

#[test]
fn broken_files_and_templates_do_not_show_their_lines() {
    let host = format!("{HOST}handoff: {{ script: scripts/a.sh.j2 }}\n");
    for script in [
        "X\n",
        "#!/bin/sh\nX {{ nope }}\n",
        "#!/bin/sh\nX {% if %}\n",
        "#!/bin/sh\n{{ 'X' | nope }}\n",
        "#!/bin/sh\n{{ nope('X') }}\n",
        "#!/bin/sh\n{{ 'X' + 1 }}\n",
        "#!/bin/sh\n{{ X",
    ] {
        let site = site(&host);
        fs::create_dir(site.path().join("scripts")).unwrap();
        fs::write(site.path().join("scripts/a.sh.j2"), script.replace('X', CANARY)).unwrap();
        let shown = printed(site.path(), &["check"]);
        assert!(shown.contains("scripts/a.sh.j2") && !shown.contains("canary"), "{script}{shown}");
    }
    let host = "name: web01\nmatch: { serial: CZ1 }\ninstaller: anaconda\nos: el-9\nmirror: http://m.example/os\n\
                storage: { target: { serial: D1 } }\n";
    for template in ["a X {{ nope }}\n", "X {% if %}\n", "{{ 'X' | nope }}\n", "{{ 'X' + 1 }}\n"] {
        let site = site(host);
        fs::create_dir(site.path().join("templates")).unwrap();
        fs::write(site.path().join("templates/kickstart.j2"), template.replace('X', CANARY)).unwrap();
        for arguments in [&["check"][..], &["render", "web01"]] {
            let shown = printed(site.path(), arguments);
            assert!(
                shown.contains("templates/kickstart.j2") && !shown.contains("canary"),
                "{template}{shown}"
            );
        }
    }
}

#[test]
fn a_damaged_site_key_and_status_show_nothing_of_it() {
    let site = site(HOST);
    fs::create_dir(site.path().join(".ironstrap")).unwrap();
    let path = site.path().join(".ironstrap/site.key");
    fs::write(&path, format!("untrusted comment: {CANARY}\n{CANARY}\n")).unwrap();
    for mode in [0o600, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for arguments in [&["status"][..], &["key", "show"], &["bundle", "--usb", "a.img"], &["check"]] {
            let shown = printed(site.path(), arguments);
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}
