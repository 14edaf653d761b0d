//! Which disk is wiped: the one under `/`, whatever the file's order, and none where two things are said of it.

use ironstrap::host::Os;
use ironstrap::import::{Imported, NamedMachine, Request, Verdict, import};

fn machine(target: Option<&str>, disks: &[(&str, &str)]) -> NamedMachine {
    NamedMachine {
        macs: vec!["52:54:00:00:00:01".parse().unwrap()],
        target: target.map(ToOwned::to_owned),
        disks: disks.iter().map(|(name, serial)| ((*name).to_owned(), (*serial).to_owned())).collect(),
        ..NamedMachine::default()
    }
}

fn imported(text: &str, os: Os, machine: NamedMachine) -> Imported {
    import(&Request { file: "a", text, os, name: None, machine })
}

/// The serials of the target and of further disks, as the profile says them.
fn disks(imported: &Imported) -> (Option<String>, Vec<String>) {
    let profile: serde_json::Value = serde_yaml::from_str(&imported.profile).unwrap();
    let storage = &profile["storage"];
    let text = |value: &serde_json::Value| value.as_str().map(ToOwned::to_owned);
    let others = storage["disks"].as_array().into_iter().flatten();
    (text(&storage["target"]["serial"]), others.filter_map(|disk| text(&disk["select"]["serial"])).collect())
}

fn verdict(imported: &Imported, line: usize) -> Verdict {
    imported.report.entries.iter().find(|entry| entry.first == line).unwrap().verdict
}

const BOTH: [(&str, &str); 2] = [("sda", "SYSTEM"), ("sdb", "DATA")];
const DATA: &str = "part /srv --fstype=xfs --size=5000 --ondisk=sdb\n";

#[test]
fn a_data_disk_that_stands_first_in_a_kickstart_is_not_the_target() {
    let plain = "part / --fstype=xfs --size=9000 --ondisk=/dev/sda\n";
    let group = "part /boot --fstype=xfs --size=1000 --ondisk=sda\npart pv.1 --size=9000 --ondisk=sda\nvolgroup vg pv.1\nlogvol / --vgname=vg --name=root --fstype=xfs --size=8000\n";
    let subvolume = "part /boot --fstype=xfs --size=1000 --ondisk=sda\npart btrfs.1 --size=9000 --ondisk=sda\nbtrfs none --label=top btrfs.1\nbtrfs / --subvol --name=root LABEL=top\n";
    for root in [plain, group, subvolume] {
        let text = format!("{DATA}{root}");
        let both = imported(&text, Os::Fedora43, machine(None, &BOTH));
        assert_eq!(disks(&both), (Some("SYSTEM".to_owned()), vec!["DATA".to_owned()]), "{}", both.profile);
        // the operator names the system's disk: the other one stays out
        let one = imported(&text, Os::Fedora43, machine(Some("SYSTEM"), &[]));
        assert_eq!(disks(&one), (Some("SYSTEM".to_owned()), Vec::new()), "{}", one.profile);
        assert_eq!(verdict(&one, 1), Verdict::Refused);
        assert!(
            !one.profile.lines().any(|line| !line.starts_with('#') && line.contains("srv")),
            "{}",
            one.profile
        );
    }
}

#[test]
fn of_an_array_under_root_the_disk_of_the_boot_loader_is_the_target() {
    let array = "part raid.1 --size=9000 --ondisk=sda\npart raid.2 --size=9000 --ondisk=sdb\nraid / --device=root --level=1 --fstype=xfs raid.1 raid.2\n";
    let first = imported(array, Os::El9, machine(None, &BOTH));
    assert_eq!(disks(&first), (Some("SYSTEM".to_owned()), vec!["DATA".to_owned()]), "{}", first.profile);
    let text = format!("bootloader --boot-drive=sdb\n{array}");
    let boot = imported(&text, Os::El9, machine(None, &BOTH));
    assert_eq!(disks(&boot), (Some("DATA".to_owned()), vec!["SYSTEM".to_owned()]), "{}", boot.profile);
}

#[test]
fn a_named_disk_beside_a_root_that_names_none_is_not_taken_for_the_same() {
    let text = format!("part / --fstype=xfs --size=9000\n{DATA}");
    let unnamed = imported(&text, Os::El9, machine(Some("SYSTEM"), &[]));
    assert_eq!(verdict(&unnamed, 2), Verdict::Refused);
    assert!(!unnamed.profile.lines().any(|line| !line.starts_with('#') && line.contains("srv")));
    let only = imported(&format!("ignoredisk --only-use=sdb\n{text}"), Os::El9, machine(Some("DATA"), &[]));
    assert_eq!(disks(&only), (Some("DATA".to_owned()), Vec::new()), "{}", only.profile);
    assert_ne!(verdict(&only, 3), Verdict::Refused, "{}", only.profile);
}

#[test]
fn a_disk_of_which_two_things_are_said_is_not_taken() {
    let text = "part / --fstype=xfs --size=9000 --ondisk=sda\n";
    let two = imported(text, Os::El9, machine(Some("OTHER"), &BOTH));
    assert_eq!(disks(&two).0, None, "{}", two.profile);
    assert!(
        two.report.open.iter().any(|open| open.contains("--disk OTHER and --disk sda=SYSTEM")),
        "{:?}",
        two.report.open
    );
    // a further disk can't be the target as well
    let text = format!("{text}{DATA}");
    let same = imported(&text, Os::El9, machine(Some("DATA"), &[("sdb", "DATA")]));
    assert_eq!(verdict(&same, 2), Verdict::Refused, "{}", same.profile);
}

#[test]
fn a_root_that_is_refused_leaves_no_partition_of_its_own() {
    let text =
        "part /boot --fstype=xfs --size=1000 --ondisk=sda\npart / --fstype=zfs --size=9000 --ondisk=sda\n";
    let refused = imported(text, Os::El9, machine(Some("SYSTEM"), &[]));
    assert_eq!(verdict(&refused, 2), Verdict::Refused);
    assert!(
        !refused.profile.lines().any(|line| !line.starts_with('#') && line.contains("esp")),
        "{}",
        refused.profile
    );
}

const CURTIN: &str = "autoinstall:
  version: 1
  storage:
    config:
    - {id: data, type: disk, path: /dev/sdb, ptable: gpt}
    - {id: dp, type: partition, device: data, size: 5G}
    - {id: df, type: format, volume: dp, fstype: ext4}
    - {id: dm, type: mount, device: df, path: /srv}
    - {id: system, type: disk, WHICH, ptable: gpt}
    - {id: esp, type: partition, device: system, size: 512M, flag: boot}
    - {id: ef, type: format, volume: esp, fstype: fat32}
    - {id: pv, type: partition, device: system, size: 20G}
    - {id: vg, type: lvm_volgroup, name: vg, devices: [pv]}
    - {id: root, type: lvm_partition, name: root, volgroup: vg, size: 9G}
    - {id: rf, type: format, volume: root, fstype: ext4}
    - {id: rm, type: mount, device: rf, path: /}
    - {id: em, type: mount, device: ef, path: /boot/efi}
";

#[test]
fn a_data_disk_that_stands_first_in_an_autoinstall_is_not_the_target() {
    let by_path = CURTIN.replace("WHICH", "path: /dev/sda");
    let both = imported(&by_path, Os::Ubuntu2404, machine(None, &BOTH));
    assert_eq!(disks(&both), (Some("SYSTEM".to_owned()), vec!["DATA".to_owned()]), "{}", both.profile);
    let one = imported(&by_path, Os::Ubuntu2404, machine(Some("SYSTEM"), &[]));
    assert_eq!(disks(&one), (Some("SYSTEM".to_owned()), Vec::new()), "{}", one.profile);
    assert_eq!((verdict(&one, 5), verdict(&one, 8)), (Verdict::Refused, Verdict::Refused));
    let by_serial = CURTIN.replace("WHICH", "serial: SYSTEM");
    let own = imported(&by_serial, Os::Ubuntu2404, machine(None, &[("sdb", "DATA")]));
    assert_eq!(disks(&own), (Some("SYSTEM".to_owned()), vec!["DATA".to_owned()]), "{}", own.profile);
}

#[test]
fn what_the_operator_says_of_the_target_counts_and_the_file_s_own_word_is_told_as_lost() {
    let text = CURTIN.replace("WHICH", "serial: WRITTEN");
    let other = imported(&text, Os::Ubuntu2404, machine(Some("SAID"), &[("sdb", "DATA")]));
    assert_eq!(disks(&other).0.as_deref(), Some("SAID"));
    assert_eq!(verdict(&other, 9), Verdict::Refused, "{}", other.profile);
    let vague = CURTIN.replace("WHICH", "match: {size: largest, serial: \"WD*\"}");
    let vague = imported(&vague, Os::Ubuntu2404, machine(Some("SAID"), &[("sdb", "DATA")]));
    assert_eq!(verdict(&vague, 9), Verdict::Partly, "{}", vague.profile);
}

#[test]
fn names_of_a_file_lead_nowhere_else() {
    let text = "part / --fstype=xfs --size=9000\npart btrfs.1 --size=9000\nbtrfs none --label=top btrfs.1\nbtrfs /a].path[b --subvol --name=x LABEL=top\n";
    let odd = imported(text, Os::Fedora43, machine(Some("SYSTEM"), &[]));
    let profile: serde_json::Value = serde_yaml::from_str(&odd.profile).unwrap();
    assert!(!profile["storage"].to_string().contains("\"path\":{"), "{}", odd.profile);
}

#[test]
fn two_things_of_one_name_are_two_things() {
    let text = "part /boot --fstype=xfs --size=1000\npart pv.1 --size=9000\npart pv.2 --size=9000\nvolgroup a pv.1\nvolgroup b pv.2\nlogvol / --vgname=a --name=data --fstype=xfs --size=8000\nlogvol /srv --vgname=b --name=data --fstype=xfs --size=8000\n";
    let two = imported(text, Os::El9, machine(Some("SYSTEM"), &[]));
    for line in [6, 7] {
        assert_ne!(verdict(&two, line), Verdict::Refused, "{}", two.profile);
    }
    assert!(two.profile.contains("on: data\n") && two.profile.contains("on: data_2\n"), "{}", two.profile);
}
