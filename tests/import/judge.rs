//! The round trip, judged by pykickstart: whatever an import calls kept reads the same in the rendered file.

use std::io::Write;
use std::process::{Command, Stdio};

use ironstrap::answers::{self, Dialect, Format, Seed, Templates};
use ironstrap::host;
use ironstrap::import::{Imported, Verdict};
use ironstrap::profile::load;
use ironstrap::spec::lock::LockFile;

use super::{expect, imported, newest, root};

/// The Kickstart of an imported host.
fn rendered(imported: &Imported) -> String {
    let texts = imported.scripts.iter().map(|script| (script.path.as_str(), script.text.as_str()));
    let tree = load::of_host(imported.name.as_str(), &imported.profile, texts);
    let resolved = host::resolve(&tree);
    assert!(
        resolved.diagnostics.is_empty(),
        "{}: {:#?}\n{}",
        imported.name,
        resolved.diagnostics,
        imported.profile
    );
    let host = &resolved.hosts[0];
    let templates = Templates::new(|_| Ok(None)).unwrap();
    let os = host.os.unwrap();
    answers::render(os, &resolved.site, host, &LockFile::default(), &Seed::default(), &templates)
        .unwrap()
        .text
}

#[test]
fn what_is_kept_reads_the_same_to_pykickstart() {
    let Some(python) = expect::python() else { return };
    let mut paths = vec![
        root().join("tests/import/cases/kickstart/input.ks"),
        root().join("tests/import/cases/kickstart-bare/input.ks"),
    ];
    if let Some(corpora) = expect::shared("corpora") {
        for folder in ["almalinux-cloud-images/http", "bento/packer_templates/http/rhel"] {
            paths.extend(std::fs::read_dir(corpora.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    let mut cases = Vec::new();
    let mut kept = 0;
    for path in &paths {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let os = ironstrap::import::release(Format::Kickstart, &text).unwrap_or(newest(Format::Kickstart));
        let imported = imported(name, &text, os);
        let lines = imported.report.entries.iter().filter(|entry| entry.verdict == Verdict::Kept);
        let lines: Vec<_> = lines.flat_map(|entry| entry.first..=entry.last).collect();
        kept += lines.len();
        let Dialect::Kickstart(release) = Dialect::of(os) else { panic!("{name}: {os}") };
        cases.push(serde_json::json!({
            "name": name, "version": release.stock_name(), "original": text,
            "rendered": rendered(&imported), "kept": lines,
        }));
    }
    let mut judge = Command::new(python)
        .arg(root().join("tests/import/judge.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = judge.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(serde_json::to_string(&cases).unwrap().as_bytes()).unwrap());
        let output = judge.wait_with_output().unwrap();
        assert!(output.status.success());
        let wrong: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert!(wrong.is_empty(), "{} of {kept} kept lines: {wrong:#?}", wrong.len());
    });
    assert!(kept > 30);
}
