//! A format and a hand-off that ironstrap doesn't have, made outside of it by the traits that its own are made by. They are the
//! examples of `docs/development.md`; each is a folder of at most three files, and nothing else knows of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "format/plain.rs"]
mod plain;
#[path = "handoff/puppet.rs"]
mod puppet;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use ironstrap::answers::format::Scripts;
use ironstrap::answers::{
    self, AnswerFormat, Answers, BuiltIn, Escape, Job, Prepared, RenderError, Seed, Templates, View,
};
use ironstrap::grammar::{Finding, rules};
use ironstrap::handoff::{self, SeedError};
use ironstrap::host::handoff::Handoff;
use ironstrap::host::{self, Host, Refusal, Resolved};
use ironstrap::profile::load;
use ironstrap::spec::lock::LockFile;
use minijinja::Value;
use plain::Plain;
use puppet::Puppet;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn example_site() -> Resolved {
    let resolved = host::resolve(&load::load(&root().join("profiles/example")).unwrap());
    assert!(resolved.diagnostics.is_empty(), "{:?}", resolved.diagnostics);
    resolved
}

/// Answers in the format, of a template that stands for the site's own where one is given.
fn answers(site: &host::Site, host: &Host, own: Option<&str>) -> Result<Answers, RenderError> {
    answers_in(&Plain, site, host, own)
}

fn answers_in(
    format: &dyn AnswerFormat,
    site: &host::Site,
    host: &Host,
    own: Option<&str>,
) -> Result<Answers, RenderError> {
    let (files, units) = handoff::seed(host, site).unwrap();
    let seed = Seed { files, units };
    let template = |name: &str| Ok(own.filter(|_| name == "plain.j2").map(str::to_owned));
    let templates = Templates::of_formats(&[format], template).unwrap();
    let lock = LockFile::default();
    let job = Job { installer: "plain", site, host, lock: &lock, seed: &seed, scripted: &[] };
    answers::write(format, &job, Refusal::by("plain", host), &templates)
}

#[test]
fn a_format_of_at_most_three_files_renders_and_lints_the_example_site() {
    let Resolved { site, hosts, .. } = example_site();
    let mut rendered = Vec::new();
    for host in &hosts {
        match answers(&site, host, None) {
            Ok(answers) => {
                let document: serde_yaml::Value = serde_yaml::from_str(&answers.text).unwrap();
                assert_eq!(document["fqdn"], host.name.as_str());
                assert_eq!(document["runcmd"][0][2], host.mirror.as_ref().unwrap().to_string());
                assert_eq!(answers.kernel_args, ["ds=nocloud;s=URL/"]);
                assert_eq!(answers.companions[0].name, "meta-data");
                rendered.push(host.name.as_str());
            }
            Err(RenderError::Unsupported(refusal)) => {
                let keys: Vec<_> = refusal.found().iter().map(|found| found.key.as_str()).collect();
                assert_eq!(keys, ["image"], "{refusal}");
                let start = format!("{}: image: plain installs packages only", host.name);
                assert!(refusal.to_string().starts_with(&start), "{refusal}");
            }
            Err(error) => panic!("{}: {error:#}", host.name),
        }
    }
    assert_eq!(rendered, ["deb01", "el01"]);
    assert_eq!(hosts.len(), 5);
    at_most_three_files("format");
}

#[test]
fn a_site_s_template_that_the_format_can_t_read_is_refused_with_its_line() {
    let Resolved { site, hosts, .. } = example_site();
    let host = hosts.iter().find(|host| host.name.as_str() == "el01").unwrap();
    let RenderError::Unreadable(wrong) = answers(&site, host, Some(TYPO)).unwrap_err() else { panic!() };
    let told = "el01: what templates/plain.j2 made is no plain:\n\
                line 3: `timezon` is no key that cloud-init reads; did you mean `timezone`? [cloud-config-unknown-key]";
    assert_eq!(wrong.to_string(), told);
}

const TYPO: &str = "#cloud-config\nfqdn: {{ host.name }}\ntimezon: {{ locale.timezone }}\n";

/// The format with a fault of ours: its own template has a key that its reader doesn't know.
struct Faulty;

impl AnswerFormat for Faulty {
    fn name(&self) -> &'static str {
        Plain.name()
    }

    fn templates(&self) -> &'static [BuiltIn] {
        &[BuiltIn { name: "plain.j2", text: TYPO, escape: Escape::Yaml }]
    }

    fn prepare(&self, job: &Job<'_>, view: &mut View, refusal: &mut Refusal) -> Result<Prepared> {
        Plain.prepare(job, view, refusal)
    }

    fn parts(&self, job: &Job<'_>, view: &View, prepared: &Prepared, scripts: &Scripts<'_>) -> Result<Value> {
        Plain.parts(job, view, prepared, scripts)
    }

    fn lint(&self, text: &str) -> Vec<Finding> {
        Plain.lint(text)
    }
}

#[test]
fn a_waiver_takes_what_a_site_s_template_makes_and_nothing_that_ours_do() {
    let Resolved { site, mut hosts, .. } = example_site();
    let host = hosts.iter_mut().find(|host| host.name.as_str() == "el01").unwrap();
    host.waived = vec![rules::find("cloud-config-unknown-key").unwrap()];
    assert_eq!(answers(&site, host, Some(TYPO)).unwrap().waived.len(), 1);
    assert!(matches!(answers_in(&Faulty, &site, host, None), Err(RenderError::Unreadable(_))));
    host.waived = vec![rules::find("cloud-config-type").unwrap()];
    assert!(answers(&site, host, Some(TYPO)).is_err(), "another rule is waived");
}

/// A host of the example site that Puppet takes over.
fn with_puppet(server: &str) -> Host {
    let host = example_site().hosts.into_iter().find(|host| host.name.as_str() == "deb01").unwrap();
    Host { handoff: Handoff::to(Puppet { server: server.to_owned() }), ..host }
}

#[test]
fn a_hand_off_of_at_most_three_files_fails_and_converges() {
    for (exit, converged) in [(0, true), (2, true), (1, false), (4, false), (6, false)] {
        let machine = tempfile::tempdir().unwrap();
        let printed = boot(machine.path(), &with_puppet("puppet.example.com"), exit);
        let last = match converged {
            true => "ironstrap: converged by=puppet".to_owned(),
            false => "ironstrap: handoff failed: puppet ended with exit status 1".to_owned(),
        };
        assert!(printed.contains(&last), "{exit}: {printed}");
        let asked = std::fs::read_to_string(machine.path().join("bin/asked")).unwrap();
        assert!(asked.contains("--server puppet.example.com --certname deb01"), "{asked}");
    }
    at_most_three_files("handoff");
}

#[test]
fn a_hand_off_s_values_that_can_t_be_used_are_refused_with_their_key() {
    let host = with_puppet("$(reboot)");
    let SeedError::Unsupported(refusal) = handoff::seed(&host, &example_site().site).unwrap_err() else {
        panic!()
    };
    assert_eq!(refusal.found()[0].key, "handoff.puppet.server");
    assert!(refusal.to_string().starts_with("deb01: handoff.puppet.server: `$(reboot)` is not"), "{refusal}");
    assert_ne!(host.handoff, with_puppet("other.example.com").handoff);
    assert_eq!(host.handoff, host.clone().handoff);
}

/// Boots the hand-off in a directory that stands for the installed system, with a `puppet` that ends so; what it printed.
fn boot(root: &Path, host: &Host, exit: u8) -> String {
    let site = host::Site { server: None, ..example_site().site };
    let (files, _) = handoff::seed(host, &site).unwrap();
    let put = |path: &Path, content: &str, mode| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let shown = root.display();
    for file in files.iter().filter(|file| file.path.starts_with("/usr/lib/ironstrap/")) {
        let content = file
            .content
            .replace("/usr/lib/ironstrap", &format!("{shown}/usr/lib/ironstrap"))
            .replace("/var/lib/ironstrap", &format!("{shown}/state"))
            .replace("PATH=/", &format!("PATH={shown}/bin:/"))
            .replace("/dev/console", "/dev/null")
            .replace("/dev/ttyS0", "/dev/null");
        put(&root.join(&file.path[1..]), &content, file.mode);
    }
    let puppet = format!("#!/bin/sh\necho \"$@\" > \"{shown}/bin/asked\"\nexit {exit}\n");
    put(&root.join("bin/puppet"), &puppet, 0o755);
    put(&root.join("bin/timedatectl"), "#!/bin/sh\nexit 1\n", 0o755);
    let output = Command::new("sh").arg(root.join("usr/lib/ironstrap/handoff")).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// All that an extension consists of stands in its folder, and the guide names each file.
fn at_most_three_files(folder: &str) {
    let guide = std::fs::read_to_string(root().join("docs/development.md")).unwrap();
    let files: Vec<_> = std::fs::read_dir(root().join("tests/extension").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!((1..=3).contains(&files.len()), "{files:?}");
    for file in files {
        let path = format!("tests/extension/{folder}/{file}");
        assert!(guide.contains(&path), "docs/development.md doesn't name {path}");
    }
}
