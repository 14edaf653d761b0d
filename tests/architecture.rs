//! The house rules that the compiler doesn't know: who may import whom, where effects may be, how long a file may be.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "support/expect.rs"]
mod expect;
#[path = "architecture/expected_files.rs"]
mod expected_files;
#[path = "architecture/functions.rs"]
mod functions;

/// What each module may import from the crate. `cli` and `main` may import everything; a module that is missing here
/// fails the test, so that a new one has to say where it stands.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("value", &[]),
    ("failure", &[]),
    ("spec", &["value"]),
    ("image_rules", &["value", "spec"]),
    ("image_lint", &["value", "spec", "image_rules"]),
    ("trust", &["value", "spec"]),
    ("sys", &["value", "spec", "trust", "failure"]),
    ("profile", &["value", "spec", "image_lint", "trust", "sys", "grammar", "failure"]),
    ("host", &["value", "spec", "trust", "profile", "grammar", "failure"]),
    ("grammar", &["value"]),
    ("answers", &["value", "spec", "host", "grammar", "boot", "failure"]),
    ("handoff", &["value", "spec", "image_rules", "host", "grammar", "failure"]),
    ("import", &["value", "spec", "profile", "host", "grammar", "answers", "handoff"]),
    ("boot", &["value", "spec", "host", "grammar", "failure"]),
    ("image", &["value", "spec", "image_rules", "image_lint", "trust", "sys", "profile", "failure"]),
    ("order", &["value", "spec", "trust", "sys", "failure"]),
    ("site", &["value", "spec", "trust", "sys", "profile", "host", "image", "order", "failure"]),
    (
        "bundle",
        &[
            "value",
            "spec",
            "image_rules",
            "trust",
            "sys",
            "host",
            "answers",
            "handoff",
            "boot",
            "image",
            "order",
            "site",
            "failure",
        ],
    ),
    (
        "check",
        &[
            "value",
            "spec",
            "image_lint",
            "trust",
            "sys",
            "profile",
            "grammar",
            "host",
            "answers",
            "handoff",
            "boot",
            "image",
            "site",
            "bundle",
            "simulate",
        ],
    ),
    (
        "serve",
        &["value", "spec", "trust", "sys", "host", "boot", "image", "order", "site", "bundle", "failure"],
    ),
    ("simulate", &["value", "spec", "trust", "host", "order", "plan", "bundle"]),
    ("plan", &["value", "spec"]),
    ("probe", &["value", "spec", "trust", "sys", "order"]),
    (
        "agent",
        &["value", "spec", "image_rules", "trust", "sys", "order", "image", "plan", "probe", "failure"],
    ),
];

/// What each room of the agent may import from the others, which point one way. A room that is missing here fails the test.
const ROOMS: &[(&str, &[&str])] = &[
    ("backoff", &[]),
    ("failure", &[]),
    ("efi", &[]),
    ("net", &[]),
    ("devices", &[]),
    ("time", &[]),
    ("report", &["backoff"]),
    ("init", &["report"]),
    ("payload", &["report", "backoff"]),
    ("disk", &["payload"]),
    ("personalise", &["disk"]),
    ("orders", &["disk"]),
    ("ends", &["report", "efi"]),
];

/// Where the agent's rooms come together: its entry, the process that installs, the one that tells of its crash, the bench of
/// the write path, and the world that tests share.
const ABOVE_ROOMS: &[&str] = &["mod", "worker", "crash_report", "write_trial", "filesystem_trial", "fixture"];

/// Data in, data out: no file, clock, network, process or environment.
const PURE: &[&str] = &[
    "value/",
    "spec/",
    "image_rules/",
    "image_lint/",
    "trust/",
    "host/",
    "handoff/",
    "answers/",
    "grammar/",
    "import/",
    "boot/",
    "order/",
    "bundle/contents.rs",
    "image/loaders.rs",
    "image/loaders/",
    "plan/",
    "simulate/",
    "agent/ends/next.rs",
    "agent/ends/tries.rs",
    "agent/disk/engine/reuse/moves.rs",
    "agent/disk/engine/reuse/wanted.rs",
    "agent/disk/signatures.rs",
    "agent/disk/signatures/",
    "agent/disk/table.rs",
    "agent/orders/recorded.rs",
    "probe/disk_probe/",
    "serve/history.rs",
    "serve/proofs.rs",
    "serve/report.rs",
    "serve/state.rs",
    "serve/state/",
];

const EFFECTS: &[&str] = &[
    "std::fs",
    "std::process",
    "std::net::Tcp",
    "std::net::Udp",
    "std::env",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "reqwest",
    "tokio",
    "rustix",
    "getrandom::",
];

const LONGEST_FILE: usize = 400;

fn sources() -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    found
}

/// Code without comments and without the inline tests at the end of a file.
fn product_code(text: &str) -> String {
    let is_inline = |after: &str| {
        let line = after.lines().nth(1).unwrap_or_default();
        line.trim_start_matches("pub(crate) ").starts_with("mod ") && line.ends_with('{')
    };
    let mut marks = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at);
    let code = &text[..marks.find(|at| is_inline(&text[*at..])).unwrap_or(text.len())];
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("tests.rs") || name.ends_with("testing.rs") || name.contains("/tests/")
}

/// Modules of the crate that this code names, in `use crate::a::…`, `use crate::{a::…, b}` and `crate::a::…`.
fn imports(code: &str) -> Vec<String> {
    named_after("crate::", code)
}

/// What this code names right behind a prefix, by itself or in braces.
fn named_after(prefix: &str, code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let word =
        |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (i, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && c.is_ascii_alphabetic() => {
                            found.push(word(&group[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if matches!(module.as_str(), "cli" | "main" | "lib") || is_test_file(&name) {
            continue;
        }
        let Some(allowed) = table.get(module.as_str()) else {
            wrong.push(format!("{name}: module `{module}` isn't in the import table"));
            continue;
        };
        let code = product_code(&text);
        for import in imports(&code) {
            if import != module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{name}: `{module}` may not import `{import}`"));
            }
        }
        // `chunk` cuts a disk whose index nobody has any more, as it cut the image
        let may_use = ["crate::image::read", "crate::image::chunk"];
        let used: usize = may_use.iter().map(|path| code.matches(path).count()).sum();
        if module == "agent" && code.matches("crate::image::").count() != used {
            wrong.push(format!("{name}: the agent may use `image::read` and `image::chunk` only"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn rooms_of_the_agent_import_one_way() {
    let table: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let Some(place) = name.strip_prefix("agent/").filter(|_| !is_test_file(&name)) else { continue };
        let path: Vec<_> = place.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect();
        if ABOVE_ROOMS.contains(&path[0]) {
            continue;
        }
        let Some(allowed) = table.get(path[0]) else {
            wrong.push(format!("{name}: room `{}` isn't in the table", path[0]));
            continue;
        };
        let code = product_code(&text);
        let mut found = named_after("crate::agent::", &code);
        found.extend(named_after(&"super::".repeat(path.len()), &code));
        for import in found.iter().filter(|import| import.starts_with(|c: char| c.is_ascii_lowercase())) {
            if import != path[0] && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{name}: `{}` may not import `{import}`", path[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_of_rooms_has_no_circle() {
    let mut below: Vec<&str> = Vec::new();
    for (room, imports) in ROOMS {
        let above = imports.iter().find(|import| !below.contains(import));
        assert_eq!(above, None, "`{room}` stands before a room that it imports");
        below.push(room);
    }
}

#[test]
fn pure_modules_have_no_effects() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        if is_test_file(&name) || !PURE.iter().any(|pure| name.starts_with(pure)) {
            continue;
        }
        let code = product_code(&text);
        for effect in EFFECTS.iter().filter(|effect| code.contains(**effect)) {
            wrong.push(format!("{name}: `{effect}` is an effect; this module is pure"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_stands_in_sys_only_and_is_proved() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let lines: Vec<_> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            if !["unsafe {", "unsafe extern", "unsafe impl"].iter().any(|mark| code.contains(mark)) {
                continue;
            }
            if !name.starts_with("sys/") {
                wrong.push(format!("{name}:{}: unsafe outside sys/", at + 1));
            }
            if !lines[at.saturating_sub(8)..=at].iter().any(|line| line.contains("SAFETY:")) {
                wrong.push(format!("{name}:{}: unsafe without a `// SAFETY:` proof", at + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_stay_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{name}: {lines} lines; split it by what it owns"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{name}: no module documentation"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The work of a command is done below it, where `serve` and tests can call it too. What `explain` tells is data, of many types.
#[test]
fn commands_are_short() {
    const LONGEST: usize = 150;
    let is_command =
        |name: &str| name.starts_with("cli/") && !is_test_file(name) && name != "cli/explain/answer.rs";
    let length = |text: &str| product_code(text).lines().filter(|line| !line.trim().is_empty()).count();
    let long = sources().into_iter().filter(|(name, text)| is_command(name) && length(text) > LONGEST);
    let long: Vec<_> = long.map(|(name, text)| format!("{name}: {} lines of code", length(&text))).collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

/// Arguments are seen by every user of a machine: who starts programs is known, and its tests look for secrets in them
/// (`image::build_tests`; the agent starts itself with words of its own; `handoff` quotes values into scripts).
#[test]
fn programs_are_started_in_two_places() {
    let starts =
        |(name, text): &(String, String)| !is_test_file(name) && product_code(text).contains("Command::new(");
    let found: Vec<_> = sources().into_iter().filter(starts).map(|(name, _)| name).collect();
    assert_eq!(found, ["agent/init.rs", "sys/process.rs"]);
}

#[test]
fn no_shell_is_started() {
    let starts_shell = |code: &str| {
        ["Command::new(\"sh\")", "Command::new(\"bash\")", "\"-c\""].iter().any(|mark| code.contains(mark))
    };
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|(name, text)| !is_test_file(name) && starts_shell(&product_code(text)))
        .map(|(name, _)| format!("{name}: starts a shell; run the program with its arguments"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_import_reader_sees_groups_and_paths() {
    let code =
        "use crate::{spec::{order::X, plan}, value};\nfn f() { crate::sys::block::g(); mycrate::x(); }";
    assert_eq!(imports(code), ["spec", "value", "sys"]);
    let code = "use super::{Failure, disk};\nuse super::super::net::x;\nuse super::report;\n";
    assert_eq!(named_after("super::super::", code), ["net"]);
    assert_eq!(named_after("super::", code), ["Failure", "disk", "super", "report"]);
}
