//! Readers that nobody here wrote, for a sample of what our own read: shells, Python's `shlex` and YAML, pykickstart, debconf,
//! GRUB's parser. One that isn't there is skipped aloud, or fails where `IRONSTRAP_STRICT` says so.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use super::expect::{missing_program, python};
use super::shell::Evidence;

/// Runs a judge on a text; `None` if it isn't there.
fn judge(program: &mut Command, input: &str) -> Option<(bool, String)> {
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().ok()?;
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // a judge that has seen enough closes its input
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    })
}

/// What words mean to a real shell.
pub fn shell(evidence: &Evidence) {
    let mut literals: Vec<_> =
        evidence.literals.iter().map(|literal| (&literal.raw, &literal.value)).collect();
    literals.sort();
    literals.dedup();
    // an argument may be as long as 128 KiB, and the test shows what it compared
    literals.retain(|(raw, _)| raw.len() < 4096);
    let script: String = literals.iter().map(|(raw, _)| format!("printf '%s\\0' {raw}\n")).collect();
    let (_, said) = judge(Command::new("sh").args(["-f", "-s"]), &script).unwrap();
    let values: Vec<_> = said.split_terminator('\0').collect();
    for ((raw, value), got) in literals.iter().zip(&values) {
        assert_eq!(got, value, "sh reads {raw:?} otherwise");
    }
    assert_eq!(values.len(), literals.len(), "sh has stopped at {:?}", literals.get(values.len()));
    eprintln!("sh reads {} words as we do", literals.len());
}

/// What lines mean to the installer's reader of Kickstart.
pub fn shlex(evidence: &Evidence) {
    const SCRIPT: &str = "import json, shlex, sys\nfor line, words in json.load(sys.stdin):\n    got = shlex.split(line, comments=True)\n    if got != words: sys.exit(f'{line!r}: {got!r}, not {words!r}')\n";
    let Some(python) = python() else { return };
    let mut lines = evidence.lines.clone();
    lines.sort();
    lines.dedup();
    let (good, said) = judge(Command::new(python).args(["-c", SCRIPT]), &json!(lines).to_string()).unwrap();
    assert!(good, "{said}");
    eprintln!("shlex splits {} lines as we do", lines.len());
}

/// Whether pykickstart reads the files.
pub fn pykickstart(texts: &[String]) {
    const SCRIPT: &str = "import json, sys, warnings\nfrom pykickstart.parser import KickstartParser\nfrom pykickstart.version import makeVersion\nwarnings.simplefilter('ignore')\nfor text in json.load(sys.stdin):\n    version = text.split('\\n', 1)[0].removeprefix('#version=')\n    KickstartParser(makeVersion(version), followIncludes=False).readKickstartFromString(text)\n";
    let Some(python) = python() else { return };
    let (good, said) = judge(Command::new(python).args(["-c", SCRIPT]), &json!(texts).to_string()).unwrap();
    assert!(good, "{said}");
    eprintln!("pykickstart reads {} files", texts.len());
}

/// Whether PyYAML, which installers use, reads what our reader reads.
pub fn yaml(texts: &[String]) {
    const SCRIPT: &str = "import json, sys, yaml\nfor text, wanted in json.load(sys.stdin):\n    got = yaml.safe_load(text)\n    if got != wanted: sys.exit(f'{text}\\nis {got!r}')\n";
    let Some(python) = python() else { return };
    let read = |text: &String| json!([text, serde_yaml::from_str::<serde_json::Value>(text).unwrap()]);
    let cases: Vec<_> = texts.iter().map(read).collect();
    let (good, said) = judge(Command::new(python).args(["-c", SCRIPT]), &json!(cases).to_string()).unwrap();
    assert!(good, "{said}");
    eprintln!("PyYAML reads {} files as we do", texts.len());
}

/// Whether debconf reads the files.
pub fn debconf(texts: &[String]) {
    for text in texts {
        let Some((good, said)) = judge(Command::new("debconf-set-selections").arg("-c"), text) else {
            return missing_program("debconf-set-selections", "debconf");
        };
        assert!(good && said.is_empty(), "{said}\n{text}");
    }
    eprintln!("debconf reads {} files", texts.len());
}

/// Whether GRUB's parser reads the scripts.
pub fn grub(texts: &[String]) {
    for text in texts {
        let Some((good, said)) = judge(&mut Command::new("grub-script-check"), text) else {
            return missing_program("grub-script-check", "grub-common");
        };
        assert!(good, "{said}\n{text}");
    }
    eprintln!("grub-script-check reads {} scripts", texts.len());
}
