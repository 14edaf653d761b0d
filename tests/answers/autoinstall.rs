//! Rendered autoinstall files, judged by subiquity's schema, cloud-init, netplan, and a reader of YAML 1.1.
//!
//! cloud-init and netplan are unpacked beside the build, not installed: neither belongs on a developer's machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::expect::{missing_program, python, shared};
use super::{rendered, root};

/// The directory where `tests/install-deps.sh` has unpacked Debian packages.
fn unpacked(file: &str, package: &str) -> Option<PathBuf> {
    let base =
        std::env::var_os("IRONSTRAP_UNPACKED").map_or_else(|| root().join("target/unpacked"), PathBuf::from);
    let path = base.join(file);
    if !path.exists() {
        missing_program(&path.display().to_string(), package);
        return None;
    }
    Some(base)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let write = |(name, text): (String, String)| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    rendered("autoinstall").into_iter().map(write).collect()
}

#[test]
fn subiquity_s_schema_accepts_every_autoinstall() {
    let schema = shared("corpora/subiquity/autoinstall-schema.json");
    let (Some(python), Some(schema)) = (python(), schema) else { return };
    let dir = tempfile::tempdir().unwrap();
    const CHECK: &str = "import sys, json, yaml, jsonschema\n\
        schema = json.load(open(sys.argv[1]))\n\
        for path in sys.argv[2:]:\n    jsonschema.validate(yaml.safe_load(open(path))['autoinstall'], schema)\n";
    run(Command::new(python).arg("-c").arg(CHECK).arg(schema).args(files(dir.path())));
}

#[test]
fn a_reader_of_yaml_1_1_reads_what_was_meant() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    for path in files(dir.path()) {
        let meant: serde_json::Value =
            serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        const CHECK: &str =
            "import sys, json, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
        let output = Command::new(&python).arg("-c").arg(CHECK).arg(&path).output().unwrap();
        let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(read, meant, "{}", path.display());
    }
}

#[test]
fn cloud_init_accepts_every_autoinstall() {
    const MODULES: &str = "usr/lib/python3/dist-packages";
    let unpacked = unpacked(&format!("{MODULES}/cloudinit"), "cloud-init");
    let (Some(python), Some(unpacked)) = (python(), unpacked) else { return };
    let dir = tempfile::tempdir().unwrap();
    for path in files(dir.path()) {
        let mut command = Command::new(&python);
        command.env("PYTHONPATH", unpacked.join(MODULES)).args(["-m", "cloudinit.cmd.main", "schema", "-c"]);
        run(command.arg(path));
    }
}

#[test]
fn netplan_makes_units_of_every_network() {
    let Some(unpacked) = unpacked("usr/libexec/netplan/generate", "netplan.io") else { return };
    for (name, text) in rendered("autoinstall") {
        let document: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let etc = dir.path().join("etc/netplan");
        std::fs::create_dir_all(&etc).unwrap();
        let network = serde_json::json!({ "network": document["autoinstall"]["network"] });
        std::fs::write(etc.join("ironstrap.yaml"), network.to_string()).unwrap();
        let mut command = Command::new(unpacked.join("usr/libexec/netplan/generate"));
        command.env("LD_LIBRARY_PATH", unpacked.join("usr/lib/x86_64-linux-gnu"));
        run(command.arg("--root-dir").arg(dir.path()));
        let made = std::fs::read_dir(dir.path().join("run/systemd/network")).unwrap().count();
        assert!(
            made >= document["autoinstall"]["network"]["ethernets"].as_object().unwrap().len(),
            "{name}: {made}"
        );
    }
}
