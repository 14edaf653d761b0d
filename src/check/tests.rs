//! What `check` finds by what stands around the profiles: installers, images, the lock file.

use std::sync::Arc;

use super::testing::{HOST, lock, site};
use super::*;
use crate::agent::fixture;
use crate::image::testing;
use crate::spec::facts::{DiskContent, Facts};
use crate::spec::lock::LockFile;
use crate::spec::secure_boot::{Certificate, FirmwareTrust, SignatureDatabase};
use crate::sys::fat::FatFile;
use crate::value::Digest;

#[test]
fn an_installer_that_hands_over_must_be_somewhere() {
    let (dir, paths) = site("installer: debian-installer\nos: debian-12\n");
    let refused = found(&paths);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].starts_with("web01: site.yaml doesn't say where"), "{refused:?}");
    let text =
        "name: test\ndebian_installer:\n  debian-12: { kernel: linux, initrd: initrd.gz, udebs: udebs }\n";
    std::fs::write(dir.path().join("site.yaml"), text).unwrap();
    assert_eq!(
        found(&paths),
        Vec::<String>::new(),
        "whether the files are good is told when they are locked"
    );
}

fn found(paths: &SitePaths) -> Vec<String> {
    installs::installs(paths, &SiteContext::load(paths).unwrap(), &mut OfStore::open(paths))
}

#[test]
fn a_host_that_wants_what_its_image_lacks_is_found_before_it_is_bundled() {
    let Some(device) = testing::image() else { return };
    let (_dir, paths) =
        site("handoff:\n  cloud_init:\n    user_data: |\n      #cloud-config\n      packages: [vim]\n");
    assert_eq!(found(&paths), Vec::<String>::new(), "nothing is known of the image yet");
    lock(&paths, &device);
    let refused = found(&paths);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].starts_with("web01: ") && refused[0].contains("cloud-init"), "{refused:?}");
}

fn too_many_arguments() -> String {
    let each: Vec<_> = (0..8).map(|n| format!("a{n}={}", "x".repeat(400))).collect();
    format!("kernel_args: [{}]\n", each.join(", "))
}

#[test]
fn more_kernel_arguments_than_a_kernel_takes_are_found() {
    let (_dir, paths) = site(&too_many_arguments());
    let refused = found(&paths);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].starts_with("web01: kernel_args") && refused[0].contains("2047"), "{refused:?}");
}

/// Scripts that differ in names alone are read back once, but every host is judged.
#[test]
fn of_hosts_with_the_same_arguments_each_that_grub_cannot_start_is_found() {
    let (dir, paths) = site("kernel_args: [quiet]\n");
    let another = |name: &str, serial: &str, args: &str| {
        let text = HOST.replace("web01", name).replace("CZ1", serial).replace("D1", name);
        std::fs::write(dir.path().join(format!("hosts/{name}.yaml")), format!("{text}{args}")).unwrap();
    };
    another("web02", "'CZ~2'", "kernel_args: [quiet]\n");
    another("web03", "CZ3", &too_many_arguments());
    another("web04", "CZ4", &too_many_arguments());
    let refused = found(&paths);
    let begin: Vec<_> = refused.iter().map(|text| &text[..5]).collect();
    assert_eq!(begin, ["web02", "web03", "web04"], "{refused:?}");
}

#[test]
fn what_an_image_s_tree_lacks_is_found_all_of_it() {
    let Some(device) = testing::image() else { return };
    let (_dir, paths) = site(
        "locale: { timezone: Europe/Berlin }\nusers:\n  - { name: ops, uid: 1000, shell: /usr/bin/zsh }\n",
    );
    assert_eq!(found(&paths), Vec::<String>::new(), "nothing is known of the image yet");
    lock(&paths, &device);
    let refused = found(&paths);
    assert_eq!(refused.len(), 1);
    for wanted in ["uid 1000 belongs to `debian`", "has no `/usr/bin/zsh`", "time zone `Europe/Berlin`"] {
        assert!(refused[0].contains(wanted), "{wanted} is missing: {}", refused[0]);
    }
}

#[test]
fn an_image_that_an_installer_unpacks_is_looked_into_too() {
    let Some(device) = testing::image() else { return };
    let (dir, paths) = site("");
    let host = format!(
        "{HOST}installer: anaconda\nos: el-9\nmirror: http://mirror.example/os\nusers:\n  - {{ name: debian }}\n"
    );
    std::fs::write(dir.path().join("hosts/web01.yaml"), host).unwrap();
    assert_eq!(found(&paths), Vec::<String>::new(), "nothing is known of the image yet");
    lock(&paths, &device);
    let refused = found(&paths);
    assert_eq!(refused.len(), 1);
    for wanted in
        ["web01: can't be installed with test@1", "enable NetworkManager", "has an account `debian`"]
    {
        assert!(refused[0].contains(wanted), "{wanted} is missing: {}", refused[0]);
    }
}

#[test]
fn what_one_version_of_cloud_init_does_not_read_is_told_until_the_image_shows_which_it_is() {
    let Some(device) = testing::image() else { return };
    let (_dir, paths) = site(
        "handoff:\n  cloud_init:\n    user_data: |\n      #cloud-config\n      packages: [{ snap: [x] }]\n",
    );
    let warned = || {
        let Inspected { context, resolved, .. } = SiteContext::inspect(&paths).unwrap();
        let found = of_unknown_versions(resolved.warnings, &context, &mut OfStore::open(&paths));
        found.iter().filter(|finding| finding.is_of(&rule::USER_DATA_VERSION)).count()
    };
    assert_eq!(warned(), 1);
    lock(&paths, &device);
    assert_eq!(warned(), 0);
    let refused = found(&paths);
    let told = "`packages`, item 1 is a map, expected a list or a text [cloud-config-type] (cloud-init 22.4)";
    assert!(refused.len() == 1 && refused[0].contains(told), "{refused:?}");
}

#[test]
fn an_image_that_is_missing_is_told_apart_from_one_that_is_not_on_this_machine() {
    let (_dir, paths) = site("");
    let look = || {
        let Inspected { context, sources, resolved, .. } = SiteContext::inspect(&paths).unwrap();
        let images = pins::look(&paths, &context);
        let report = Report::new(sources, resolved.diagnostics);
        (images.missing(&report), images.elsewhere.clone())
    };
    let (missing, elsewhere) = look();
    assert_eq!((missing.len(), elsewhere.len()), (1, 0));
    assert!(missing[0].help.as_ref().unwrap().starts_with("nor is it in the store"), "{missing:?}");
    let mut lock = LockFile::default();
    lock.images.insert("test@1".parse().unwrap(), Digest::of(b"elsewhere"));
    std::fs::write(paths.lock_file(), serde_yaml::to_string(&lock).unwrap()).unwrap();
    let (missing, elsewhere) = look();
    assert_eq!((missing.len(), elsewhere.len()), (0, 1), "{missing:?}");
}

#[test]
fn a_waiver_takes_a_finding_away_and_one_without_a_finding_is_told() {
    let (dir, paths) = site("");
    let said = |waive: &str| {
        std::fs::write(dir.path().join("site.yaml"), format!("name: test\n{waive}")).unwrap();
        let host::Resolved { warnings, waived, waivers, .. } = SiteContext::inspect(&paths).unwrap().resolved;
        (warnings.len(), waived.len(), waivers.unused().len())
    };
    assert_eq!(said(""), (1, 0, 0), "nobody can log in");
    assert_eq!(said("waive: [{ rule: no-login, reason: the image brings ops }]\n"), (0, 1, 0));
    assert_eq!(said("waive: [{ rule: no-login, host: web01, reason: ops }]\n"), (0, 1, 0));
    assert_eq!(said("waive: [{ rule: no-login, host: web02, reason: ops }]\n"), (1, 0, 1));
    assert_eq!(said("waive: [{ rule: same-disk, reason: ops }]\n"), (1, 0, 1));
}

/// Facts of the machine of [`HOST`], with a disk that holds this.
fn facts(serial: &str, content: DiskContent) -> Facts {
    let mut facts = fixture::facts(1 << 40);
    facts.machine.serial = Some("CZ1".parse().unwrap());
    (facts.disks[0].serial, facts.disks[0].content) = (Some(serial.to_owned()), content);
    facts
}

#[test]
fn a_host_is_held_against_the_facts_of_its_machine() {
    let Some(device) = testing::image() else { return };
    let (dir, paths) = site("");
    lock(&paths, &device);
    std::fs::create_dir(paths.facts()).unwrap();
    let foreign = || DiskContent::Foreign { looks_like: "LVM".to_owned() };
    for (serial, content, rule, words) in [
        ("D1", DiskContent::Blank, None, ""),
        ("D1", foreign(), Some(&rule::MACHINE_CONTENT), "IS-203: it holds LVM"),
        ("D2", DiskContent::Blank, Some(&rule::MACHINE_REFUSED), "IS-201: no disk has"),
    ] {
        let text = serde_json::to_string(&facts(serial, content)).unwrap();
        std::fs::write(paths.facts().join("rack7.json"), text).unwrap();
        let Checked { report, facts, unread, .. } = check(&paths).unwrap();
        let found = report.diagnostics().iter().filter(|one| {
            [&rule::MACHINE_CONTENT, &rule::MACHINE_REFUSED].iter().any(|rule| one.is_of(rule))
        });
        let found: Vec<_> = found.collect();
        assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), Vec::from_iter(rule.map(Some)));
        assert!(found.iter().all(|one| one.message.contains(words)), "{found:?}");
        assert_eq!((facts, unread), ((1, 0), Vec::new()));
    }
    let mut stranger = facts("D1", DiskContent::Blank);
    stranger.machine.serial = None;
    std::fs::write(paths.facts().join("rack8.json"), serde_json::to_string(&stranger).unwrap()).unwrap();
    std::fs::write(paths.facts().join("notes.json"), "{\"version\": 1").unwrap();
    let waive = "waive: [{ rule: machine-refused, reason: the disk is ordered }]\n";
    std::fs::write(dir.path().join("site.yaml"), format!("name: test\n{waive}")).unwrap();
    let Checked { report, waived, facts, unread, .. } = check(&paths).unwrap();
    assert!(waived.iter().any(|one| one.finding.is_of(&rule::MACHINE_REFUSED)), "{waived:?}");
    assert!(!report.has_errors());
    assert_eq!(facts, (3, 1));
    assert!(unread.len() == 1 && unread[0].contains("notes.json"), "{unread:?}");
}

/// From the image's own files to the finding: Debian's shim, and a machine that trusts others.
#[test]
fn a_machine_whose_firmware_would_not_start_the_image_is_an_error_and_one_that_would_is_not() {
    let Some(loaders) = testing::debian_loaders() else { return };
    let [shim, grub] = loaders.map(|path| std::fs::read(path).unwrap());
    let Some(root) = testing::root_device(testing::root_files, &[]) else { return };
    let file = |path: &str, bytes: &Vec<u8>| FatFile::new(path, std::io::Cursor::new(bytes.clone()));
    let files = vec![
        file("EFI/BOOT/BOOTX64.EFI", &shim),
        file("EFI/BOOT/grubx64.efi", &grub),
        file("EFI/debian/grubx64.efi", &grub),
        testing::grub_config(),
    ];
    let (_dir, paths) = site("");
    lock(&paths, &(Arc::new(testing::image_with(&root, files)) as _));
    std::fs::create_dir(paths.facts()).unwrap();
    for (name, words) in [
        (
            "Some Maker's Own CA",
            Some("IS-211: image test@1 would not start on this machine: its shim is signed by"),
        ),
        ("Microsoft UEFI CA 2023", None),
    ] {
        let mut facts = facts("D1", DiskContent::Blank);
        let subject = match words {
            Some(_) => format!("CN={name}"),
            None => format!("CN={name},O=Microsoft Corporation,C=US"),
        };
        let certificate = Certificate { subject, digest: Digest::of(b"its own"), key: None, body: None };
        let db = SignatureDatabase { certificates: vec![certificate], ..SignatureDatabase::default() };
        facts.machine.firmware = Some(FirmwareTrust { db, ..FirmwareTrust::default() });
        std::fs::write(paths.facts().join("rack7.json"), serde_json::to_string(&facts).unwrap()).unwrap();
        let Checked { report, unread, .. } = check(&paths).unwrap();
        let found: Vec<_> =
            report.diagnostics().iter().filter(|one| one.is_of(&rule::MACHINE_REFUSED)).collect();
        assert_eq!(found.len(), usize::from(words.is_some()), "{found:?}");
        assert!(found.iter().all(|one| one.message.contains(words.unwrap_or_default())), "{found:?}");
        assert_eq!((unread, report.has_errors()), (Vec::new(), words.is_some()));
    }
}

#[test]
fn an_image_that_is_older_than_its_profile_allows_fails_the_check() {
    let Some(device) = testing::image() else { return };
    let (dir, paths) = site("policy: { max_age: 2d }\n");
    lock(&paths, &device);
    let said = || {
        let report = check(&paths).unwrap().report;
        report.has_errors().then(|| report.render(false))
    };
    assert_eq!(said(), None);
    let name = std::fs::File::options().append(true).open(paths.store().join("images/test/1")).unwrap();
    let age = |hours: u64| {
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        name.set_modified(time).unwrap();
    };
    age(47);
    assert_eq!(said(), None);
    age(49);
    let told = said().unwrap();
    assert!(told.contains("error[image-too-old]: the image test@1 is from"), "{told}");
    assert!(told.contains("hosts/web01.yaml"), "{told}");
    let waiver = "name: test\nwaive: [{ rule: image-too-old, reason: it is frozen }]\n";
    std::fs::write(dir.path().join("site.yaml"), waiver).unwrap();
    assert_eq!(said(), None);
    for wrong in ["soon", "0d", "-1d"] {
        std::fs::write(
            dir.path().join("hosts/web01.yaml"),
            format!("{HOST}policy: {{ max_age: {wrong} }}\n"),
        )
        .unwrap();
        let told = said().unwrap();
        assert!(told.contains("is not an age of an image"), "{told}");
    }
}
