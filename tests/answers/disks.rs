//! The disk selection of rendered answers, run by a shell on machines made of files.

use std::path::Path;
use std::process::Command;

use super::{installing, rendered};

const MIB: usize = 1 << 20;

/// One disk of a machine.
pub struct Disk {
    pub name: &'static str,
    pub serial: &'static str,
    pub removable: bool,
    /// A byte that isn't zero, if any.
    pub data: Option<usize>,
}

/// A disk whose serial number a test fills in.
pub const BLANK: Disk = Disk { name: "vdb", serial: "", removable: false, data: None };

/// Makes `sys` and `dev` of a machine with these disks.
pub fn machine(dir: &Path, disks: &[Disk]) {
    for disk in disks {
        let sys = dir.join("sys").join(disk.name);
        std::fs::create_dir_all(&sys).unwrap();
        std::fs::create_dir_all(dir.join("dev")).unwrap();
        std::fs::write(sys.join("size"), format!("{}\n", 8 * MIB / 512)).unwrap();
        std::fs::write(sys.join("serial"), disk.serial).unwrap();
        std::fs::write(sys.join("removable"), format!("{}\n", u8::from(disk.removable))).unwrap();
        let mut content = vec![0; 8 * MIB];
        if let Some(at) = disk.data {
            content[at] = 1;
        }
        std::fs::write(dir.join("dev").join(disk.name), content).unwrap();
    }
}

/// The script between the definition of `refuse` and the first use of the disk.
pub fn script(text: &str, end: &str) -> String {
    let (_, rest) = text.split_once("refuse() {").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let (script, _) = rest.split_once(end).unwrap();
    script.to_owned()
}

/// As each format carries it: Kickstart's lines, and preseed's one line, which is joined as d-i does. Hosts that differ in
/// the serial number only have one script.
fn scripts() -> Vec<(String, String)> {
    let mut scripts: Vec<(String, String)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (format, end) in [("kickstart", "cat > /tmp"), ("preseed", "debconf-set partman-auto/disk")] {
        for (_, text) in installing(format) {
            let script = script(&text, end).replace("\\\n", "");
            let wanted = script.split(" -F -e ").nth(1).and_then(|rest| rest.split(')').next());
            // one that goes on to the TPM has the same selection
            let has_one_disk = !script.contains("chosen=") && !script.contains("/dev/tpmrm0");
            if has_one_disk && script.contains("/serial") && !script.contains("ID_WWN") {
                let wanted = wanted.unwrap();
                if seen.insert(script.replace(wanted, "SERIAL")) {
                    scripts.push((wanted.to_owned(), script));
                }
            }
        }
    }
    for (name, text) in rendered("autoinstall") {
        let document: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let early = document["autoinstall"]["early-commands"].as_array().unwrap();
        let command = early.last().unwrap().as_str().unwrap();
        let script = script(command, "sed -i");
        let wanted = script.split(" -F -e ").nth(1).and_then(|rest| rest.split(')').next());
        if script.contains("/serial") && !script.contains("ID_WWN") && !script.contains("chosen=") {
            scripts.push((wanted.unwrap_or_else(|| panic!("{name}: {script}")).to_owned(), script));
        }
    }
    assert!(scripts.len() >= 3);
    scripts
}

/// What the selection says on a machine whose disks have the wanted serial number where theirs is empty.
fn select(disks: impl Fn() -> Vec<Disk>, check: impl Fn(&str)) {
    for (serial, script) in scripts() {
        let dir = tempfile::tempdir().unwrap();
        machine(dir.path(), &disks());
        for disk in disks().iter().filter(|disk| disk.serial.is_empty()) {
            // firmware pads serial numbers
            std::fs::write(
                dir.path().join("sys").join(disk.name).join("serial"),
                format!("{serial}  \n").to_uppercase(),
            )
            .unwrap();
        }
        let tmp = dir.path().display();
        let script = script
            .replace("/sys/block", &format!("{tmp}/sys"))
            .replace("disk=/dev/", &format!("disk={tmp}/dev/"));
        let whole = format!(
            "udevadm() {{ :; }}\nrefuse() {{ echo \"refused: $1\"; exit 0; }}\n{script}\necho \"chosen: $found\"\n"
        );
        for shell in ["dash", "bash"] {
            let output = Command::new(shell).args(["-c", &whole]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && said.lines().count() == 1,
                "{shell}: {said}{output:?}\n{whole}"
            );
            check(said.trim_end());
        }
    }
}

#[test]
fn the_one_disk_with_the_serial_number_is_chosen() {
    let others = || {
        vec![
            Disk { name: "vda", serial: "OTHER", ..BLANK },
            BLANK,
            Disk { name: "sdc", removable: true, ..BLANK },
            Disk { name: "loop0", ..BLANK },
        ]
    };
    select(others, |said| assert_eq!(said, "chosen: vdb"));
}

#[test]
fn no_disk_or_two_are_refused() {
    select(
        || vec![Disk { name: "vda", serial: "OTHER", ..BLANK }],
        |said| assert!(said.starts_with("refused: 0 disks match"), "{said}"),
    );
    select(
        || vec![BLANK, Disk { name: "sda", ..BLANK }],
        |said| assert!(said.starts_with("refused: 2 disks match"), "{said}"),
    );
}

#[test]
fn a_disk_that_holds_data_at_either_end_is_refused() {
    for at in [0, MIB - 1, 7 * MIB, 8 * MIB - 1] {
        select(
            || vec![Disk { data: Some(at), ..BLANK }],
            |said| assert!(said.contains("holds data"), "{at}: {said}"),
        );
    }
    select(|| vec![Disk { data: Some(4 * MIB), ..BLANK }], |said| assert_eq!(said, "chosen: vdb"));
}

/// Every disk of a host with several is found by itself, and the installer's own file names each afterwards.
#[test]
fn further_disks_are_put_into_the_file_that_the_installer_reads_again() {
    let (_, text) = rendered("autoinstall").into_iter().find(|(name, _)| name.starts_with("disks@")).unwrap();
    let document: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let early = document["autoinstall"]["early-commands"].as_array().unwrap();
    let (_, command) = early.last().unwrap().as_str().unwrap().split_once('\n').unwrap();
    let dir = tempfile::tempdir().unwrap();
    let tmp = dir.path().display();
    let names = [("vdb", "d11"), ("vda", "d10"), ("vdd", "d13"), ("vdc", "other")];
    machine(dir.path(), &names.map(|(name, serial)| Disk { name, serial, ..BLANK }));
    std::fs::write(dir.path().join("sys/vdc/wwid"), "naa.5000c500a1b2c3d5\n").unwrap();
    for name in ["vda", "vdb", "vdc", "vdd"] {
        // large enough for the host's partitions, without the bytes
        let size = 1 << 40;
        std::fs::write(dir.path().join("sys").join(name).join("size"), format!("{}\n", size / 512)).unwrap();
        let disk = std::fs::File::options().write(true).open(dir.path().join("dev").join(name)).unwrap();
        disk.set_len(size).unwrap();
    }
    // cloud-init writes what it read, without our quotes
    let again = dir.path().join("autoinstall.yaml");
    std::fs::write(&again, text.replace("\"/dev/", "/dev/").replace("/disk\"", "/disk")).unwrap();
    let command = command
        .replace("/sys/block", &format!("{tmp}/sys"))
        .replace("disk=/dev/", &format!("disk={tmp}/dev/"))
        .replace("/autoinstall.yaml", &format!("{tmp}/autoinstall.yaml"));
    let whole = format!("udevadm() {{ :; }}\nrefuse() {{ echo \"refused: $1\"; exit 1; }}\n{command}");
    let output = Command::new("dash").args(["-c", &whole]).output().unwrap();
    assert!(output.status.success(), "{output:?}\n{whole}");
    let found = std::fs::read_to_string(again).unwrap();
    let (_, storage) = found.split_once("\n  storage:").unwrap();
    let paths: Vec<_> = storage.lines().filter_map(|line| line.trim().strip_prefix("path: ")).collect();
    let target = format!("{tmp}/dev/vda");
    assert_eq!(&paths[..3], [target.as_str(), "/dev/vdb", "/dev/vdc"], "{storage}");
}
