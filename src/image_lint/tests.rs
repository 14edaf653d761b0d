//! Each folder of `tests/image-lint` with the id of a rule is an image that breaks it: what lies in `clean`, and over it what the folder
//! has. `root` and `esp` are trees; in them NAME.modinfo becomes the module NAME with these texts, NAME.names an initrd with files of
//! these names; `without` lists what of `clean` isn't there. `system.json`, `loaders.json` and `kernel.json` are what import reads out of an image, `hardware` names presets; `told` is
//! what is found. `IRONSTRAP_BLESS=1` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::testing::MapImage;
use super::*;
use crate::bundle::archive::Archive;
use crate::expect::Expected;
use crate::image_rules::modinfo::tests::elf_module;

mod hostile;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/image-lint").join(name)
}

/// An image, as its rules see it.
#[derive(Debug)]
pub(super) struct Case {
    root: MapImage,
    esp: MapImage,
    system: ImageSystem,
    loaders: Option<Loaders>,
    kernel: Option<Program>,
    pub(super) hardware: Vec<&'static presets::Preset>,
}

impl Case {
    pub(super) fn read(name: &str) -> Self {
        let layers = [folder("clean"), folder(name)];
        let of_layers =
            |file: &str| layers.iter().rev().find_map(|layer| fs::read_to_string(layer.join(file)).ok());
        fn json<T: DeserializeOwned>(text: Option<String>) -> Option<T> {
            text.map(|text| serde_json::from_str(&text).unwrap())
        }
        let (mut root, mut esp) = (MapImage::default(), MapImage::default());
        for layer in &layers {
            fill(&mut root, &layer.join("root"), "");
            fill(&mut esp, &layer.join("esp"), "");
        }
        for path in of_layers("without").unwrap_or_default().lines() {
            let in_root = path.strip_prefix("root").and_then(|path| root.files.remove(path));
            let in_esp = path.strip_prefix("esp").and_then(|path| esp.files.remove(path));
            assert!(in_root.or(in_esp).is_some(), "{path}");
        }
        let hardware = of_layers("hardware").unwrap_or_default();
        let hardware = hardware.split_whitespace().map(|name| presets::find(name).unwrap()).collect();
        Self {
            root,
            esp,
            system: json(of_layers("system.json")).unwrap(),
            loaders: json(of_layers("loaders.json")),
            kernel: json(of_layers("kernel.json")),
            hardware,
        }
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            root: &self.root,
            esp: &self.esp,
            system: &self.system,
            loaders: self.loaders.as_ref(),
            kernel: self.kernel.as_ref(),
            now: "2026-12-01T00:00:00Z".parse().unwrap(),
        }
    }

    fn put(&mut self, path: &str, content: Vec<u8>) {
        self.root.files.insert(path.to_owned(), content);
    }

    pub(super) fn found(&self) -> Vec<Finding> {
        let subject = self.subject();
        let mut found = general(&subject).unwrap();
        if !self.hardware.is_empty() {
            let hardware = presets::hardware(&self.hardware);
            found.extend(on_hardware(&subject, &Shelf::default(), &hardware).unwrap());
        }
        found
    }
}

fn fill(image: &mut MapImage, directory: &Path, below: &str) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let path = format!("{below}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            fill(image, &entry.path(), &path);
            continue;
        }
        let content = fs::read(entry.path()).unwrap();
        let text = || std::str::from_utf8(&content).unwrap().lines().collect::<Vec<_>>();
        if let Some(path) = path.strip_suffix(".modinfo").filter(|path| path.ends_with(".ko")) {
            image.files.insert(path.to_owned(), elf_module(&text()));
        } else if let Some(path) = path.strip_suffix(".names") {
            image.files.insert(path.to_owned(), initrd_of(&text()));
        } else {
            image.files.insert(path, content);
        }
    }
}

/// Microcode as it is, all else in zstd.
pub(super) fn initrd_of(names: &[&str]) -> Vec<u8> {
    let mut early = Archive::default();
    early.file("kernel/x86/microcode/GenuineIntel.bin", 0o644, vec![7; 5000]);
    let mut main = Archive::default();
    names.iter().for_each(|name| main.file(name, 0o644, vec![1; 100]));
    [early.to_bytes().unwrap(), vec![0; 512], zstd::encode_all(&main.to_bytes().unwrap()[..], 3).unwrap()]
        .concat()
}

#[test]
fn a_clean_image_has_no_finding_on_all_of_the_hardware() {
    let mut case = Case::read("clean");
    assert_eq!(case.found(), []);
    case.hardware =
        ["virtio", "ahci", "nvme", "usb-storage", "igb"].map(|name| presets::find(name).unwrap()).to_vec();
    assert_eq!(case.found(), []);
}

#[test]
fn every_rule_is_broken_by_its_folder_and_no_other_is() {
    let mut expected = Expected::new();
    let mut wrong = Vec::new();
    for rule in rules::ALL {
        assert!(folder(rule.id()).is_dir(), "{rule}: nothing shows it");
        let found = Case::read(rule.id()).found();
        let mut ids: BTreeSet<_> = found.iter().map(|finding| finding.rule.id()).collect();
        let is_found = ids.remove(rule.id());
        if !is_found || !ids.is_empty() {
            wrong.push(format!("{rule}: {is_found}, and {ids:?}"));
        }
        assert!(found.iter().all(|finding| finding.rule.severities().contains(&finding.severity)), "{rule}");
        let line = |finding: &Finding| {
            let help = finding.help.as_ref().map(|help| format!("  help: {help}\n")).unwrap_or_default();
            format!("{}[{}]: {finding}\n{help}", finding.severity.name(), finding.rule)
        };
        expected.file(&folder(rule.id()).join("told"), &found.iter().map(line).collect::<String>());
    }
    expected.judge();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The secrets of these folders all have this word in them.
#[test]
fn no_secret_is_told() {
    for rule in ["image-clear-password", "image-private-key"] {
        for finding in Case::read(rule).found() {
            assert!(!format!("{finding:?}").contains("hunter2"), "{finding:?}");
        }
    }
}

/// Debian's kernel with what is built in of drivers.
fn debian(aliases: &str, kernel: &str, builtin: &str) -> Case {
    let mut case = Case::read("clean");
    let packed = fs::read(folder("kernels").join(aliases)).unwrap();
    case.system.kernel = kernel.to_owned();
    let modules = format!("/lib/modules/{kernel}");
    case.put(&format!("{modules}/modules.alias"), zstd::decode_all(&packed[..]).unwrap());
    case.put(&format!("{modules}/modules.builtin"), builtin.as_bytes().to_vec());
    case.put(&format!("{modules}/modules.builtin.modinfo"), Vec::new());
    case
}

#[test]
fn debians_cloud_kernel_against_ahci_and_ixgbe_is_an_error_that_names_the_cure() {
    let mut case = debian(
        "debian-12-cloud.alias.zst",
        "6.1.0-57-cloud-amd64",
        "kernel/drivers/nvme/host/nvme-core.ko\nkernel/drivers/nvme/host/nvme.ko\n",
    );
    case.hardware = ["ahci", "ixgbe"].map(|name| presets::find(name).unwrap()).to_vec();
    let found = case.found();
    let told = |part: &str| {
        let one = found.iter().find(|finding| finding.message.contains(part));
        one.unwrap_or_else(|| panic!("{part}: {found:#?}"))
    };
    for part in ["disk controller 8086:a352", "network card 8086:10fb", "is one for virtual machines"] {
        let finding = told(part);
        assert_eq!(finding.severity, Severity::Error, "{finding:?}");
        let help = finding.help.as_deref().unwrap_or_default();
        assert!(help.contains("linux-image-amd64 instead of linux-image-cloud-amd64"), "{help}");
    }
    // what it is made for
    case.hardware = ["virtio", "nvme"].map(|name| presets::find(name).unwrap()).to_vec();
    assert!(case.found().iter().all(|finding| finding.rule != &rules::NO_DRIVER), "{:#?}", case.found());
}

#[test]
fn the_page_has_every_preset() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/image-lint.md");
    let page = fs::read_to_string(page).unwrap();
    for preset in presets::ALL {
        assert!(page.contains(&format!("\n| `{}` | {} |\n", preset.name, preset.what)), "{}", preset.name);
    }
}

/// Each preset is named after the driver that Debian's kernel has for all of its devices.
#[test]
fn every_preset_is_driven_by_debians_general_kernel() {
    let case = debian("debian-12.alias.zst", "6.1.0-57-amd64", "");
    let subject = case.subject();
    let modules = Modules::read(&subject).unwrap();
    for preset in presets::ALL {
        let modaliases: Vec<_> = preset.modaliases.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(drivers::devices(&modaliases).len(), modaliases.len(), "{}", preset.name);
        for modalias in &modaliases {
            let found = modules.drivers(modalias);
            let expected: &[&str] = match preset.name {
                "virtio" => &["virtio_pci", "virtio_net", "virtio_blk"],
                "usb-storage" => &["xhci_pci", "usb_storage"],
                name => &[name],
            };
            assert!(expected.iter().any(|driver| found.contains(driver)), "{modalias}: {found:?}");
        }
    }
    for (modalias, driver) in [
        // a PERC H730 and an I350 as their machines told them
        ("pci:v00001000d0000005Dsv00001028sd00001F49bc01sc04i00", "megaraid_sas"),
        ("pci:v00008086d00001521sv00001028sd00000602bc02sc00i00", "igb"),
    ] {
        assert!(modules.drivers(modalias).contains(driver), "{modalias}");
    }
    assert!(modules.drivers("pci:v0000DEADd0000BEEFsv00000000sd00000000bc02sc00i00").is_empty());
}

/// Written by others' programs, each of the packings that distributions use.
#[test]
fn modules_of_an_initrd_are_found_however_it_is_packed() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let dir = tempfile::tempdir().unwrap();
    let place = "usr/lib/modules/6.1.0-57-amd64/kernel/drivers/ata";
    fs::create_dir_all(dir.path().join(place)).unwrap();
    for name in ["ahci.ko", "libata.ko.xz", "ata-generic.ko.zst"] {
        fs::write(dir.path().join(place).join(name), "x").unwrap();
    }
    let pipe = |program: &str, args: &[&str], input: &[u8]| {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    if Command::new("cpio").arg("--version").output().is_err() {
        crate::expect::missing_program("cpio", "cpio");
        return;
    }
    let names: String =
        ["ahci.ko", "libata.ko.xz", "ata-generic.ko.zst"].map(|name| format!("{place}/{name}\n")).concat();
    let plain = pipe("cpio", &["-o", "-H", "newc"], names.as_bytes());
    let early = pipe("cpio", &["-o", "-H", "newc"], b"usr\n");
    for (program, args) in
        [("gzip", &["-c"][..]), ("zstd", &["-c"]), ("xz", &["-c", "--check=crc32"]), ("cat", &[])]
    {
        let packed = [early.clone(), vec![0; 1024], pipe(program, args, &plain)].concat();
        let found: Vec<_> = initrd::modules(&packed).unwrap().into_iter().collect();
        assert_eq!(found, ["ahci", "ata_generic", "libata"], "{program}");
    }
    assert!(initrd::modules(&pipe("bzip2", &["-c"], &plain)).is_err() || plain.is_empty());
}
