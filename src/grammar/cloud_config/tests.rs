//! What is found, where; what is never repeated; and cloud-init's own judgement beside ours.

use std::process::{Command, Stdio};

use super::*;

fn said(text: &str, version: Option<Version>) -> Vec<String> {
    lint(text, version).iter().map(ToString::to_string).collect()
}

fn errors(text: &str, version: Option<Version>) -> Vec<String> {
    let found = lint(text, version);
    crate::grammar::errors(&found).map(ToString::to_string).collect()
}

const GOOD: &[&str] = &[
    "#cloud-config\nruncmd: [[touch, /x], 'echo hi']\n",
    "#cloud-config\nwrite_files:\n  - path: /etc/x\n    content: hello\n    permissions: '0644'\n",
    "#cloud-config\nusers:\n  - default\n  - name: ops\n    groups: [sudo]\n    lock_passwd: true\n",
    "#cloud-config\nntp:\n  enabled: true\n  servers: [ntp.example.com]\n",
    "#cloud-config\nssh_keys:\n  ed25519_private: x\n  ed25519_public: y\n",
    "#cloud-config\nmounts: [[sdb, /srv]]\nswap: {filename: /swap, size: auto}\n",
];

const BAD: &[&str] = &[
    "#cloud-config\nruncmd: echo hi\n",
    "#cloud-config\nwrite_files:\n  - content: hello\n",
    "#cloud-config\nwrite_files:\n  - path: /etc/x\n    permissions: 0644\n",
    "#cloud-config\nntp: {servers: ntp.example.com}\n",
    "#cloud-config\npackage_update: maybe\n",
    "#cloud-config\nruncmd: [a\n",
    "#cloud-config\nusers:\n  - name: [a]\n",
    "#cloud-config\n- a\n",
    "#cloud-config\ntimezone: 5\n",
];

#[test]
fn good_user_data_has_no_errors() {
    for text in GOOD {
        for version in [None, Some(Version::V22_4), Some(Version::V25_1)] {
            assert_eq!(errors(text, version), Vec::<String>::new(), "{text}");
        }
    }
    for text in [
        "#!/bin/sh\nx\n",
        "#include\nhttps://example.com/x\n",
        "#cloud-config\n",
        "#cloud-boothook\n#!/bin/sh\n",
    ] {
        assert_eq!(errors(text, None), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn bad_user_data_is_an_error_of_every_version() {
    for text in BAD {
        for version in [None, Some(Version::V22_4), Some(Version::V25_1)] {
            assert!(!errors(text, version).is_empty(), "{version:?} {text}");
        }
    }
}

#[test]
fn a_misspelt_key_is_found_at_its_line_whatever_the_version_takes() {
    for version in [None, Some(Version::V22_4), Some(Version::V25_1)] {
        let found = errors("#cloud-config\nntp: {}\nrun_cmd: [a]\n", version);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("line 3: `run_cmd` is no key") && found[0].contains("`runcmd`"),
            "{found:?}"
        );
    }
}

#[test]
fn parts_of_archives_are_judged_at_their_lines() {
    let mime = "Content-Type: multipart/mixed; boundary=\"==B==\"\nMIME-Version: 1.0\n\n--==B==\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n\n--==B==\nContent-Type: text/cloud-config\n\n#cloud-config\nruncmd: x\n--==B==--\n";
    let found = errors(mime, None);
    assert!(found.len() == 1 && found[0].starts_with("line 13: `runcmd` is a text"), "{found:?}");
    assert_eq!(errors(&mime.replace("runcmd: x", "runcmd: [x]"), None), Vec::<String>::new());
    let found = errors(
        "#cloud-config-archive\n- type: text/cloud-config\n  content: |\n    runcmd: x\n- nothing\n",
        None,
    );
    assert_eq!(found.len(), 2, "{found:?}");
    let packed = "Content-Type: multipart/mixed; boundary=B\nMIME-Version: 1.0\n\n--B\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\nI2Nsb3VkLWNvbmZpZwpydW5jbWQ6IHgK\n--B--\n";
    assert_eq!(errors(packed, None).len(), 1);
    assert!(errors("Content-Type: multipart/mixed\nMIME-Version: 1.0\n\n", None)[0].contains("boundary"));
}

#[test]
fn a_template_s_expressions_are_unknown_and_the_rest_is_judged() {
    let text = "## template: jinja\n#cloud-config\nruncmd: {{ ds.x }}\nntp: {{ y }}\nrunmcd: [a]\n";
    let found = errors(text, None);
    assert!(found.len() == 1 && found[0].starts_with("line 5: `runmcd`"), "{found:?}");
    let branches =
        "## template: jinja\n#cloud-config\n{% if a %}\nruncmd: [a]\n{% else %}\nruncmd: [b]\n{% endif %}\n";
    assert_eq!(errors(branches, None), Vec::<String>::new());
    assert!(errors("## template: jinja\n#cloud-config\na: {{ x\n", None)[0].contains("isn't closed"));
}

#[test]
fn what_a_golden_image_s_host_reads_otherwise_is_told() {
    let found = said("#cloud-config\npackages: [vim]\ngrowpart: {mode: auto}\n", None);
    assert!(
        found.iter().any(|text| text.contains("`packages`: packages are fetched over the network")),
        "{found:?}"
    );
    assert!(found.iter().any(|text| text.contains("`growpart`: ")), "{found:?}");
}

#[test]
fn no_value_is_in_a_finding() {
    let canary = "s3cr3t";
    for text in BAD.iter().chain(GOOD) {
        let text = text.replace("echo hi", canary).replace("hello", canary).replace("maybe", canary);
        assert!(!said(&text, None).concat().contains(canary), "{text}");
    }
    for text in [
        "#cloud-config\nchpasswd: {list: 's3cr3t'}\npassword: [s3cr3t]\nbootcmd: s3cr3t\nruncmd: [a, {s: s3cr3t}]\n",
        "#cloud-config\npassword: \"s3cr3t\n",
        "#cloud-config\npower_state: {mode: s3cr3t}\nusers: [{name: a, uid: 's3cr3t'}]\n",
        "#cloud-config\nx: !s3cr3t y\n",
        "#cloud-config\nx: *s3cr3t\n",
    ] {
        assert!(!said(text, None).concat().contains(canary), "{:?}", said(text, None));
    }
}

#[test]
fn every_pattern_of_the_schemas_is_known() {
    for text in [include_str!("schema-22.4.json"), include_str!("schema-25.1.json")] {
        for (at, _) in text.match_indices("\"^") {
            let end = text[at + 1..].find('"').unwrap() + at + 2;
            let pattern: String = serde_json::from_str(&text[at..end]).unwrap();
            let known = [
                "^.+$",
                "^.*$",
                "^[0-9a-zA-Z_]+$",
                "^[0-9a-zA-Z -_]+$",
                "^[-_0-9a-zA-Z]+(,[-_0-9a-zA-Z]+)*$",
                "^.+:.+$",
                "^\\+?[0-9]+$",
                "^([0-9]+)?\\.?[0-9]+[BKMGT]$",
            ];
            assert!(
                known.contains(&pattern.as_str()) || pattern.ends_with("_(public|private|certificate)$"),
                "{pattern}"
            );
        }
    }
}

/// Says of each text on its input whether it fits the schema: what `cloud-init schema` and subiquity call. What is only
/// deprecated fits.
const JUDGE: &str = "
import json, logging, sys, yaml
from cloudinit.config.schema import SchemaValidationError, get_schema, validate_cloudconfig_schema
logging.disable(logging.CRITICAL)
schema, said = get_schema(), []
for text in json.load(sys.stdin):
    try:
        data = yaml.safe_load(text)
        if not isinstance(data, dict):
            raise ValueError
        validate_cloudconfig_schema(data, schema, strict=True)
        said.append(True)
    except SchemaValidationError as error:
        said.append(not error.schema_errors)
    except (ValueError, yaml.YAMLError):
        said.append(False)
json.dump(said, sys.stdout)
";

/// The judgement of a version that is unpacked.
fn judge(unpacked: &str, texts: &[String]) -> Option<Vec<bool>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let modules = root.join(unpacked).join("usr/lib/python3/dist-packages");
    if !modules.join("cloudinit").exists() {
        return None;
    }
    let mut child = Command::new(root.join("venv/bin/python3"))
        .args(["-c", JUDGE])
        .env("PYTHONPATH", modules)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    serde_json::to_writer(child.stdin.take().unwrap(), texts).unwrap();
    Some(serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap())
}

#[test]
fn cloud_init_s_own_judge_says_the_same() {
    let lines = include_str!("judged.txt").lines().filter(|line| !line.starts_with('#'));
    let mut texts: Vec<_> = lines.map(|line| format!("#cloud-config\n{line}\n")).collect();
    texts.extend(GOOD.iter().chain(BAD).map(ToString::to_string));
    assert!(texts.len() > 100);
    for (unpacked, version) in [("unpacked", Version::V22_4), ("unpacked-13", Version::V25_1)] {
        let Some(said) = judge(unpacked, &texts) else {
            println!("cloud-init {version} was not asked: it isn't in target/{unpacked}");
            continue;
        };
        for (text, good) in texts.iter().zip(said) {
            let mut ours = errors(text, Some(version));
            if version == Version::V22_4 {
                // it takes keys that nothing reads
                ours.retain(|error| !error.contains("is no key that cloud-init reads") || !good);
            }
            assert_eq!(ours.is_empty(), good, "{version} {text}\n{ours:?}");
        }
    }
}
