//! What `ironstrap explain` says: each folder of `tests/explain/` is a site (`site/`) and, for each host in it, what is printed
//! (`HOST.stdout`) and what is complained of (`HOST.stderr`, where there is something). A new folder is a new test.
//! `IRONSTRAP_BLESS=1` writes what is printed now; read it before you commit.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/expect.rs"]
mod expect;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect::Expected;

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain");
    let mut cases: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    cases
}

fn hosts(case: &Path) -> Vec<String> {
    let mut hosts: Vec<_> = fs::read_dir(case.join("site/hosts"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    hosts.sort();
    hosts
}

fn explain(case: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironstrap"))
        .arg("explain")
        .args(args)
        .current_dir(case.join("site"))
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_value_is_traced_to_its_place() {
    let mut expected = Expected::new();
    let cases = cases();
    assert!(cases.len() >= 4, "only {} cases", cases.len());
    for case in cases {
        for host in hosts(&case) {
            let output = explain(&case, &[&host]);
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            expected.file(&case.join(format!("{host}.stdout")), &out);
            expected.file(&case.join(format!("{host}.stderr")), &err);
            assert_eq!(output.status.success(), !err.contains("error"), "{host}: {err}");
        }
        expected.nothing_else_in(&case, &|name| name == "site");
    }
    expected.judge();
}

/// All texts in the sites that look like a hash or call themselves secret.
#[test]
fn no_secret_is_printed() {
    let mut hosts_seen = 0;
    for case in cases() {
        for host in hosts(&case) {
            for args in [&[host.as_str()][..], &[&host, "--json"]] {
                let output = explain(&case, args);
                let all = text(&output.stdout) + &text(&output.stderr);
                for secret in ["$6$", "$y$", "hunter2"] {
                    assert!(!all.contains(secret), "{host}: {all}");
                }
            }
            hosts_seen += 1;
        }
    }
    assert!(hosts_seen > 4);
}

/// The same for programs: every value has a place that exists, unless it is a default.
#[test]
fn json_tells_the_same() {
    for case in cases() {
        for host in hosts(&case) {
            let (people, programs) = (explain(&case, &[&host]), explain(&case, &[&host, "--json"]));
            let people = text(&people.stdout);
            let answer: serde_json::Value = serde_json::from_slice(&programs.stdout).unwrap();
            let rows = answer["values"].as_array().unwrap();
            for row in rows {
                let key = row["key"].as_str().unwrap();
                if row["state"] == "default" {
                    assert_eq!(row["file"], serde_json::Value::Null);
                    continue;
                }
                let (file, line) = (row["file"].as_str().unwrap(), row["line"].as_u64().unwrap());
                assert!(people.contains(&format!("{file}:{line}")), "{key}");
                let last = key.rsplit('.').next().unwrap().split('[').next().unwrap();
                let Ok(written) = fs::read_to_string(case.join("site").join(file)) else { continue };
                let lines: Vec<_> = written.lines().take(usize::try_from(line).unwrap()).collect();
                assert!(lines.iter().any(|line| line.contains(last)), "{key} isn't above {file}:{line}");
            }
            let states = |state: &str| rows.iter().filter(|row| row["state"] == state).count();
            assert_eq!(people.matches(", overridden at ").count(), states("overridden"));
            assert_eq!(people.matches("  !replace  ").count(), states("replace"));
        }
    }
}

#[test]
fn an_unknown_host_is_told_and_a_near_one_suggested() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain/overrides");
    let output = explain(&case, &["web02"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "error: there is no host `web02`; did you mean `web01`?\n");
}

/// A default that is told must be the one that holds: written out, it changes nothing.
#[test]
fn defaults_are_what_holds_where_nothing_is_written() {
    use ironstrap::host::{Explanation, explain, resolve};
    use ironstrap::profile::load;
    use ironstrap::profile::trace::{Path as Key, Step};
    use serde_yaml::Value;

    fn set(value: &mut Value, steps: &[Step], text: &str) {
        let Some((step, rest)) = steps.split_first() else {
            *value = serde_yaml::from_str(text).unwrap();
            return;
        };
        match step {
            Step::Item(number) => set(&mut value[*number], rest, text),
            Step::Key(key) => {
                if !value.is_mapping() {
                    *value = Value::Mapping(serde_yaml::Mapping::new());
                }
                let map = value.as_mapping_mut().unwrap();
                set(map.entry(Value::from(key.as_str())).or_insert(Value::Null), rest, text);
            }
        }
    }
    fn filled(text: &str, defaults: &[(Key, String)]) -> String {
        let mut value: Value = serde_yaml::from_str(text).unwrap();
        defaults.iter().for_each(|(key, text)| set(&mut value, key.steps(), text));
        serde_yaml::to_string(&value).unwrap()
    }
    let dir = tempfile::tempdir().unwrap();
    let write = |site: &str, host: &str| {
        fs::create_dir_all(dir.path().join("hosts")).unwrap();
        fs::write(dir.path().join("site.yaml"), site).unwrap();
        fs::write(dir.path().join("hosts/web01.yaml"), host).unwrap();
        load::load(dir.path()).unwrap()
    };
    let site = "name: test\n";
    let host = "name: web01\nimage: a@1\nmatch: { serial: CZ1 }\nstorage: { target: { serial: D1 } }\n\
                users: [{ name: ops }, { name: web, shell: /bin/sh }]\n\
                network: { interfaces: [{ match: { mac: \"52:54:00:00:00:01\" } }] }\n";
    let bare = write(site, host);
    let Explanation { defaults, site_defaults, .. } = explain(&bare, "web01").unwrap();
    let told: Vec<_> = defaults.iter().map(|(key, _)| key.to_string()).collect();
    for key in [
        "installer",
        "handoff",
        "storage.wipe",
        "locale.lang",
        "users[0].shell",
        "network.interfaces[0].ipv4",
    ] {
        assert!(told.iter().any(|told| told == key), "{key} isn't in {told:?}");
    }
    assert!(!told.iter().any(|told| told == "users[1].shell"));
    let full = write(&filled(site, &site_defaults), &filled(host, &defaults));
    let (bare, full) = (resolve(&bare), resolve(&full));
    assert_eq!((bare.diagnostics, full.diagnostics.len()), (Vec::new(), 0));
    assert_eq!((bare.hosts.len(), bare.site), (1, full.site));
    assert_eq!(bare.hosts, full.hosts);
    assert!(explain(&load::load(dir.path()).unwrap(), "web01").unwrap().defaults.is_empty());
}
