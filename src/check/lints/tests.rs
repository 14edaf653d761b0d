//! Findings of images as `check`, `arm` and `bundle` tell them: once, and waived for the hosts that say so.

use std::sync::Arc;

use super::super::testing::{HOST, lock, site};
use super::super::{Checked, check};
use super::of_hosts;
use crate::agent::fixture;
use crate::image::testing;
use crate::profile::diag::Diagnostic;
use crate::site::context::SiteContext;
use crate::site::paths::SitePaths;
use crate::sys::block::BlockDevice;

const MODULES: &str = "lib/modules/6.1.0-9-amd64";

/// An image that mounts its root by the kernel's name, and has a driver for AHCI alone.
fn image() -> Option<Arc<dyn BlockDevice>> {
    let files = |root: &std::path::Path| {
        testing::root_files(root);
        std::fs::write(root.join("etc/fstab"), "/dev/vda1 /data ext4 nofail 0 0\n").unwrap();
        let alias = "alias pci:v*d*sv*sd*bc01sc06i01* ahci\n";
        std::fs::write(root.join(MODULES).join("modules.alias"), alias).unwrap();
        std::fs::write(root.join(MODULES).join("modules.builtin"), "").unwrap();
    };
    let root = testing::root_device(files, &[])?;
    Some(Arc::new(testing::image_with(&root, testing::esp_files())))
}

/// Two hosts of that image.
fn two_hosts(device: &Arc<dyn BlockDevice>) -> (tempfile::TempDir, SitePaths) {
    let (dir, paths) = site("");
    let other = HOST.replace("web01", "web02").replace("CZ1", "CZ2").replace("D1", "D2");
    std::fs::write(dir.path().join("hosts/web02.yaml"), other).unwrap();
    lock(&paths, device);
    (dir, paths)
}

fn waive(paths: &SitePaths, waivers: &str) {
    std::fs::write(paths.root().join("site.yaml"), format!("name: test\nwaive:\n{waivers}")).unwrap();
}

fn of_rule<'a>(checked: &'a Checked, id: &str) -> Vec<&'a Diagnostic> {
    let is_it = |found: &&Diagnostic| found.rule.is_some_and(|rule| rule.id() == id);
    checked.report.diagnostics().iter().filter(is_it).collect()
}

fn required(paths: &SitePaths) -> Result<String, String> {
    let context = SiteContext::load(paths).unwrap();
    let locked: Vec<_> = context.hosts.iter().map(|host| context.locked(host).unwrap()).collect();
    of_hosts(paths, &locked).unwrap().require().map_err(|error| format!("{error:#}"))
}

#[test]
fn what_an_image_has_is_told_once_and_a_waiver_is_for_its_hosts_alone() {
    let Some(device) = image() else { return };
    let (_dir, paths) = two_hosts(&device);
    let checked = check(&paths).unwrap();
    let found = of_rule(&checked, "image-fstab-device");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].hosts, ["web01", "web02"]);
    assert!(found[0].message.starts_with("image test@1: /etc/fstab:1: /data is mounted from /dev/vda1"));
    assert!(checked.report.has_errors());
    let refused = required(&paths).unwrap_err();
    assert!(refused.contains("error[image-fstab-device]: web01, web02: image test@1"), "{refused}");

    waive(&paths, "  - { rule: image-fstab-device, host: web01, reason: known }\n");
    let checked = check(&paths).unwrap();
    assert_eq!(of_rule(&checked, "image-fstab-device")[0].hosts, ["web02"]);
    let waived: Vec<_> = checked.waived.iter().map(|waived| &waived.finding.hosts[..]).collect();
    assert_eq!(waived, [["web01"]]);
    assert!(required(&paths).unwrap_err().contains("error[image-fstab-device]: web02: image test@1"));

    waive(&paths, "  - { rule: image-fstab-device, reason: known }\n");
    assert!(!check(&paths).unwrap().report.has_errors());
    let warnings = required(&paths).unwrap();
    assert!(!warnings.contains("fstab"), "{warnings}");
}

#[test]
fn recorded_facts_judge_the_image_for_their_host_and_no_other() {
    let Some(device) = image() else { return };
    let (_dir, paths) = two_hosts(&device);
    waive(&paths, "  - { rule: image-fstab-device, reason: known }\n");
    std::fs::create_dir(paths.facts()).unwrap();
    let record = |serial: &str, modalias: &str| {
        let mut facts = fixture::facts(1 << 40);
        facts.machine.serial = Some(serial.parse().unwrap());
        facts.machine.modaliases = vec![modalias.to_owned()];
        facts.disks[0].serial = Some(serial.replace("CZ", "D"));
        std::fs::write(paths.facts().join(format!("{serial}.json")), serde_json::to_string(&facts).unwrap())
            .unwrap();
    };
    record("CZ1", "pci:v00008086d0000A352sv00000000sd00000000bc01sc06i01");
    record("CZ2", "pci:v00001000d0000005Dsv00001028sd00001F49bc01sc04i00");
    let checked = check(&paths).unwrap();
    let found = of_rule(&checked, "image-no-driver");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].hosts, ["web02"]);
    assert!(found[0].message.contains("disk controller 1000:005d"), "{}", found[0].message);
    let refused = required(&paths).unwrap_err();
    assert!(refused.contains("error[image-no-driver]: web02: image test@1"), "{refused}");
    assert!(!refused.contains("web01"), "{refused}");
}
