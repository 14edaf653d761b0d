//! The JSON Schemas that editors use: they are what the types say, they accept every file that ironstrap can read, and what they
//! refuse of the wrong sites in `tests/errors/` is in `tests/golden/schema/verdicts`. `IRONSTRAP_BLESS=1` writes anew.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/expect.rs"]
mod expect;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use boon::{Compiler, SchemaIndex, Schemas};
use expect::Expected;
use ironstrap::profile::decode::decode;
use ironstrap::profile::raw::{RawProfile, RawSite};
use ironstrap::profile::schema::{Document, schema};
use ironstrap::profile::source::Sources;
use ironstrap::profile::yaml;
use serde_json::{Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The schemas, compiled.
struct Judge {
    schemas: Schemas,
    kinds: BTreeMap<&'static str, SchemaIndex>,
}

impl Judge {
    fn new() -> Self {
        let (mut schemas, mut compiler, mut kinds) = (Schemas::new(), Compiler::new(), BTreeMap::new());
        for kind in Document::ALL {
            let name = format!("http://localhost/{kind}.json");
            compiler.add_resource(&name, schema(*kind)).unwrap();
            kinds.insert(kind.name(), compiler.compile(&name, &mut schemas).unwrap());
        }
        Self { schemas, kinds }
    }

    /// Places that are wrong; none where the file is right.
    fn wrong(&self, kind: Document, value: &Value) -> Vec<String> {
        fn leaves(error: &boon::ValidationError<'_, '_>, found: &mut Vec<String>) {
            if error.causes.is_empty() {
                found.push(error.instance_location.to_string());
            }
            error.causes.iter().for_each(|cause| leaves(cause, found));
        }
        let mut found = Vec::new();
        if let Err(error) = self.schemas.validate(value, self.kinds[kind.name()]) {
            leaves(&error, &mut found);
            assert!(!found.is_empty(), "{error}");
        }
        found.sort();
        found.dedup();
        found
    }

    fn accepts(&self, kind: Document, value: &Value) -> bool {
        self.wrong(kind, value).is_empty()
    }
}

/// What an editor's YAML reader sees: tags don't change what is tagged.
fn as_json(value: serde_yaml::Value) -> Value {
    match value {
        serde_yaml::Value::Tagged(tagged) => as_json(tagged.value),
        serde_yaml::Value::Sequence(items) => items.into_iter().map(as_json).collect(),
        serde_yaml::Value::Mapping(entries) => {
            let key = |key: serde_yaml::Value| key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
            Value::Object(entries.into_iter().map(|(name, value)| (key(name), as_json(value))).collect())
        }
        plain => serde_json::to_value(plain).unwrap(),
    }
}

/// Whether ironstrap reads the file alone without a complaint.
fn readable(kind: Document, text: &str) -> bool {
    let mut diagnostics = Vec::new();
    let source = Sources::default().add("x.yaml", text);
    if let Some(node) = yaml::parse(source, text, &mut diagnostics) {
        match kind {
            Document::Site => drop(decode::<RawSite>(node, &mut diagnostics)),
            Document::Profile | Document::Host => drop(decode::<RawProfile>(node, &mut diagnostics)),
        }
    }
    diagnostics.is_empty()
}

/// All YAML files of a site that have a schema.
fn files(site: &Path) -> Vec<(Document, PathBuf)> {
    let list = |folder: &str, kind: Document| {
        let mut found: Vec<_> = fs::read_dir(site.join(folder))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .collect();
        found.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        found.sort();
        found.into_iter().map(move |path| (kind, path))
    };
    let main = Some((Document::Site, site.join("site.yaml"))).filter(|(_, path)| path.exists());
    main.into_iter().chain(list("profiles", Document::Profile)).chain(list("hosts", Document::Host)).collect()
}

/// Sites of tests: the folders named `site` below a folder.
fn sites(below: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(below)).into_iter().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path().join("site")).collect();
    found.retain(|site| site.is_dir());
    found.sort();
    found
}

#[test]
fn what_a_new_site_gets_is_what_the_types_say_and_the_command_prints() {
    let mut expected = Expected::new();
    for kind in Document::ALL {
        let path = root().join(format!("profiles/example/schema/{kind}.json"));
        let output =
            Command::new(env!("CARGO_BIN_EXE_ironstrap")).args(["schema", kind.name()]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        expected.file(&path, &printed);
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), schema(*kind));
    }
    expected.nothing_else_in(&root().join("profiles/example/schema"), &|_| false);
    expected.judge();
    let unknown = Command::new(env!("CARGO_BIN_EXE_ironstrap")).args(["schema", "hosts"]).output().unwrap();
    let message = String::from_utf8(unknown.stderr).unwrap();
    assert!(message.contains("`hosts` has no schema; known are site, profile, host"), "{message}");
}

#[test]
fn the_example_is_valid_and_names_its_schemas() {
    let judge = Judge::new();
    let site = root().join("profiles/example");
    let files = files(&site);
    assert!(files.len() >= 8, "{files:?}");
    for (kind, path) in files {
        let text = fs::read_to_string(&path).unwrap();
        let value = as_json(serde_yaml::from_str(&text).unwrap());
        assert_eq!(judge.wrong(kind, &value), Vec::<String>::new(), "{}", path.display());
        let hint = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        let named = path.parent().unwrap().join(hint).canonicalize().unwrap();
        assert_eq!(named, site.join(format!("schema/{kind}.json")), "{}", path.display());
    }
}

/// A false alarm in an editor teaches people to ignore alarms.
#[test]
fn no_file_that_ironstrap_can_read_is_refused() {
    let judge = Judge::new();
    let built_in = fs::read_dir(root().join("profiles/classes")).unwrap();
    let classes = built_in.map(|entry| (Document::Profile, entry.unwrap().path()));
    let sites = [sites("tests/errors"), sites("tests/golden/answers"), sites("tests/explain")].concat();
    let mut seen = 0;
    for (kind, path) in sites.iter().flat_map(|site| files(site)).chain(classes) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if !readable(kind, &text) {
            continue;
        }
        let mut value = as_json(serde_yaml::from_str(&text).unwrap());
        match (kind, value.as_object_mut()) {
            // whether a file may have a name, or must, isn't a question of reading it
            (Document::Site | Document::Host, Some(keys)) => _ = keys.entry("name").or_insert(json!("a")),
            (Document::Profile, Some(keys)) => _ = keys.remove("name"),
            _ => {}
        }
        assert_eq!(judge.wrong(kind, &value), Vec::<String>::new(), "{}", path.display());
        seen += 1;
    }
    assert!(seen > 30, "only {seen} files");
}

#[test]
fn what_the_schemas_find_in_wrong_sites() {
    let judge = Judge::new();
    let mut verdicts = String::new();
    for (kind, path) in sites("tests/errors").iter().flat_map(|site| files(site)) {
        let shown = path.strip_prefix(root().join("tests/errors")).unwrap().display();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        // what isn't YAML, an editor tells without a schema
        let Ok(value) = serde_yaml::from_str::<serde_yaml::Value>(&text) else { continue };
        for place in judge.wrong(kind, &as_json(value)) {
            verdicts.push_str(&format!("{shown}: {}\n", if place.is_empty() { "/" } else { &place }));
        }
    }
    let golden = root().join("tests/golden/schema/verdicts");
    let mut expected = Expected::new();
    expected.file(&golden, &verdicts);
    expected.nothing_else_in(golden.parent().unwrap(), &|_| false);
    expected.judge();
    assert!(verdicts.lines().count() > 20, "{verdicts}");
}

#[test]
fn unknown_keys_wrong_types_and_clear_passwords_are_refused_at_every_depth() {
    let judge = Judge::new();
    let host = |value: Value| {
        let mut value = value;
        value["name"] = json!("a");
        judge.accepts(Document::Host, &value)
    };
    let good = [
        json!({}),
        json!({ "users": [{ "name": "ops", "password": "$y$j9T$salt$hash" }] }),
        json!({ "users": null, "network": null, "image": null }),
        json!({ "storage": { "target": { "serial": 123, "min_size": 4096 } } }),
        json!({ "handoff": "none" }),
        json!({ "handoff": { "ansible": { "pull": { "url": "https://git.example/site.git" } } } }),
        json!({ "network": { "interfaces": [{ "ipv4": "dhcp" }, { "ipv4": { "address": "10.0.0.1/8" } }] } }),
        json!({ "vars": { "anything": [1, { "a": null }] } }),
    ];
    let bad = [
        json!({ "imgae": "a@1" }),
        json!({ "image": "a" }),
        json!({ "packages": "sudo" }),
        json!({ "users": [{ "name": "ops", "password": "hunter2" }] }),
        json!({ "users": [{ "name": "Ops" }] }),
        json!({ "users": [{ "name": "ops", "sudo": "maybe" }] }),
        json!({ "storage": { "target": { "serail": "x" } } }),
        json!({ "storage": { "confirm": "soon" } }),
        json!({ "handoff": "nobody" }),
        json!({ "handoff": { "ansible": {}, "script": "scripts/a.sh" } }),
        json!({ "network": { "interfaces": [{ "ipv4": { "adress": "10.0.0.1/8" } }] } }),
    ];
    good.into_iter().for_each(|value| assert!(host(value.clone()), "{value}"));
    bad.into_iter().for_each(|value| assert!(!host(value.clone()), "{value}"));
    assert!(
        judge.accepts(Document::Profile, &json!({}))
            && !judge.accepts(Document::Profile, &json!({ "name": "a" }))
    );
    assert!(!judge.accepts(Document::Host, &json!({})) && !judge.accepts(Document::Site, &json!({})));
}

/// Editors show descriptions; a key without one is a riddle.
#[test]
fn every_key_is_described_and_every_map_is_closed() {
    fn walk(value: &Value, path: &str, keys: &mut usize) {
        let Value::Object(map) = value else { return };
        if let Some(Value::Object(properties)) = map.get("properties") {
            assert_eq!(map.get("additionalProperties"), Some(&json!(false)), "{path} is open");
            let variant = map.contains_key("required") && map.contains_key("description");
            for (key, property) in properties {
                let described = property["description"].as_str().is_some_and(|text| !text.is_empty());
                assert!(described || variant, "{path}/{key} has no description");
                *keys += 1;
            }
        }
        for (name, value) in map {
            match value {
                Value::Array(items) => {
                    items.iter().for_each(|item| walk(item, &format!("{path}/{name}"), keys))
                }
                value => walk(value, &format!("{path}/{name}"), keys),
            }
        }
    }
    let mut keys = 0;
    Document::ALL.iter().for_each(|kind| walk(&schema(*kind), kind.name(), &mut keys));
    assert!(keys > 80, "only {keys} keys were found");
    for kind in [Document::Profile, Document::Host] {
        assert!(schema(kind)["description"].as_str().unwrap().contains("`!replace`"));
    }
}
