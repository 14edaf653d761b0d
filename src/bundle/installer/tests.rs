//! A small installer made by hand; the real one starts in `tests/vm/installer.rs`.

use std::io::Write;

use super::udeb::tests::package;
use super::*;
use crate::bundle::agent_file::tests::static_program;
use crate::bundle::archive::Archive;
use crate::bundle::archive::tests::files_in;
use crate::bundle::bootfiles::{BootFiles, Started};
use crate::bundle::contents;
use crate::bundle::host::BundledHost;
use crate::bundle::initramfs::{GuestParts, build_guest};
use crate::bundle::testing;
use crate::image_rules::modinfo::tests::elf_module;
use crate::spec::boot::PUBLIC_KEY;
use crate::spec::installer::{AGENT, AgentStart, PRESEED};
use crate::trust::SiteKey;

const RELEASE: &str = "6.1.0-50-amd64";

/// A header as EFI and the boot protocol want it, with a release.
fn kernel(release: &str) -> Vec<u8> {
    let mut kernel = vec![0; 0x400];
    kernel[..2].copy_from_slice(b"MZ");
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    kernel[0x300..0x300 + release.len()].copy_from_slice(release.as_bytes());
    kernel[0x300 + release.len()..0x300 + release.len() + 8].copy_from_slice(b" (debian");
    kernel
}

fn initrd(library: &str, release: &str) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.file("init", 0o755, b"#!/bin/sh\n".to_vec());
    let modules = format!("{library}/modules/{release}");
    archive.file(
        &format!("{modules}/kernel/drivers/scsi/sd_mod.ko"),
        0o644,
        elf_module(&["depends=scsi-mod"]),
    );
    archive.file(&format!("{modules}/kernel/drivers/scsi/scsi_mod.ko"), 0o644, elf_module(&["depends="]));
    archive.file(&format!("{modules}/modules.builtin"), 0o644, b"kernel/fs/efivarfs/efivarfs.ko\n".to_vec());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&archive.to_bytes().unwrap()).unwrap();
    packed.finish().unwrap()
}

fn udebs(release: &str) -> BTreeMap<String, Vec<u8>> {
    let path = |path: &str| format!("./lib/modules/{release}/kernel/{path}.ko");
    let one = |name: &str, files: &[(&str, &[&str])]| {
        let files: Vec<_> = files.iter().map(|(file, info)| (path(file), elf_module(info))).collect();
        let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
        (format!("{name}-{release}-di_1_amd64.udeb"), package(&files, ".xz"))
    };
    [
        one("sata-modules", &[("drivers/ata/ahci", &["alias=pci:v*d*sv*sd*bc01sc06i01*", "depends=libata"])]),
        one("ata-modules", &[("drivers/ata/libata", &["depends=scsi_mod"])]),
        one("ext4-modules", &[("fs/ext4/ext4", &["alias=fs-ext4", "softdep=pre: crc32c"])]),
        one("fat-modules", &[("fs/fat/vfat", &[]), ("sound/snd", &[])]),
        one(
            "scsi-modules",
            &[("drivers/block/virtio_blk", &[]), ("drivers/nvme/host/nvme", &["firmware=nvme.bin"])],
        ),
    ]
    .into()
}

fn files() -> Unverified {
    Unverified {
        release: DebianRelease::Debian12,
        kernel: kernel(RELEASE),
        initrd: initrd("lib", RELEASE),
        udebs: udebs(RELEASE),
    }
}

fn open(files: Unverified) -> Result<DebianInstaller> {
    let pin = files.pin();
    files.verify(&pin)?.open()
}

fn refusal(files: Unverified) -> String {
    format!("{:#}", open(files).unwrap_err())
}

#[test]
fn modules_of_initrd_and_packages_get_their_tables() {
    let installer = open(files()).unwrap();
    assert_eq!((installer.release(), installer.library()), (RELEASE, "lib"));
    let table = |name: &str| {
        let path = format!("/lib/modules/{RELEASE}/modules.{name}");
        String::from_utf8(installer.modules().read(&path).unwrap()).unwrap()
    };
    let dep = table("dep");
    for line in [
        "kernel/drivers/ata/ahci.ko: kernel/drivers/ata/libata.ko\n",
        "kernel/drivers/ata/libata.ko: kernel/drivers/scsi/scsi_mod.ko\n",
        "kernel/drivers/scsi/sd_mod.ko: kernel/drivers/scsi/scsi_mod.ko\n",
    ] {
        assert!(dep.contains(line), "{dep}");
    }
    assert!(table("alias").contains("alias pci:v*d*sv*sd*bc01sc06i01* ahci\n"));
    assert_eq!(table("softdep"), "softdep ext4 pre: crc32c\n");
    assert!(table("builtin").contains("efivarfs"));
}

#[test]
fn only_what_is_pinned_is_taken() {
    let pin = files().pin();
    assert!(files().verify(&pin).is_ok());
    let mut changed = files();
    changed.initrd[20] ^= 1;
    let (name, content) = changed.udebs.pop_first().unwrap();
    changed.udebs.insert(format!("a{name}"), content);
    changed.udebs.values_mut().last().unwrap()[100] ^= 1;
    let error = changed.verify(&pin).unwrap_err().to_string();
    for part in [
        "debian-12 isn't the one in ironstrap.lock",
        "initrd: pinned is ",
        &format!("{name}: is pinned and not there"),
        &format!("a{name}: is there and not pinned"),
        "scsi-modules-6.1.0-50-amd64-di_1_amd64.udeb: pinned is ",
    ] {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
    assert!(!error.contains("kernel: pinned"), "{error}");
}

#[test]
fn files_of_several_kernels_are_refused() {
    let other = "6.1.0-47-amd64";
    let error = refusal(Unverified { kernel: kernel(other), ..files() });
    assert!(error.contains(other) && error.contains(RELEASE) && error.contains("one directory"), "{error}");
    let error = refusal(Unverified { udebs: udebs(other), ..files() });
    assert!(error.contains(&format!("take its `*-{RELEASE}-di_*.udeb`")), "{error}");
}

#[test]
fn what_installs_need_is_missed_by_the_package_that_has_it() {
    let mut files = files();
    files.udebs.retain(|name, _| !name.starts_with("ext4") && !name.starts_with("scsi"));
    let error = refusal(files);
    for part in
        ["ext4 (package ext4-modules", "nvme (package scsi-modules", "virtio_blk (package scsi-modules"]
    {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
    assert!(!error.contains("efivarfs") && !error.contains("sd_mod"), "they are there: {error}");
}

#[test]
fn an_image_whose_file_system_the_installer_has_no_module_for_is_refused_by_the_package() {
    let installer = open(files()).unwrap();
    installer.require_mountable(FilesystemKind::Ext4).unwrap();
    let error = installer.require_mountable(FilesystemKind::Xfs).unwrap_err().to_string();
    assert!(error.contains("xfs-modules-6.1.0-50-amd64-di"), "{error}");
    let mut with = files();
    let module = (format!("./lib/modules/{RELEASE}/kernel/fs/xfs/xfs.ko"), elf_module(&["depends="]));
    with.udebs.insert(
        format!("xfs-modules-{RELEASE}-di_1_amd64.udeb"),
        package(&[(module.0.as_str(), module.1.as_slice())], ".xz"),
    );
    open(with).unwrap().require_mountable(FilesystemKind::Xfs).unwrap();
}

#[test]
fn what_is_no_installer_is_refused() {
    assert!(refusal(Unverified { kernel: b"MZ no kernel".to_vec(), ..files() }).contains("no Linux kernel"));
    assert!(refusal(Unverified { initrd: b"07070100".to_vec(), ..files() }).contains("gzip"));
    let whole = initrd("lib", RELEASE);
    let cut = whole[..whole.len() - 30].to_vec();
    assert!(refusal(Unverified { initrd: cut, ..files() }).contains("`initrd`"));
    let error = refusal(Unverified { udebs: [("a.udeb".to_owned(), b"?".to_vec())].into(), ..files() });
    assert!(error.contains("reading a.udeb"), "{error}");
}

/// Files and their paths in the archive for an installer whose modules stand there.
fn guest(library: &str) -> BTreeMap<String, Vec<u8>> {
    let files = Unverified { initrd: initrd(library, RELEASE), ..files() };
    let pinned = {
        let pin = files.pin();
        files.verify(&pin).unwrap()
    };
    let (agent, keys) = (static_program(b"agent"), SiteKey::from_random([3; 40]).alone());
    let parts = GuestParts {
        pin: pinned.pin(),
        preseed: "d-i preseed/early_command string true\n",
        images: &[Digest::of(b"image"), Digest::of(b"another")].into(),
        agent: &agent,
        keys: &keys,
    };
    let image = |folder: &str, name: &str| ModuleTree {
        folder: folder.to_owned(),
        files: [(name.to_owned(), folder.as_bytes().to_vec())].into(),
    };
    let (first, second) = (image("/lib/firmware", "ahci.bin"), image("/usr/lib/firmware", "nvme.bin"));
    let packed =
        build_guest(&pinned.open().unwrap(), &[&first, &second, &image("/lib/firmware", "nvme.bin")], &parts)
            .unwrap();
    files_in(&zstd::decode_all(packed.as_slice()).unwrap())
}

#[test]
fn the_agent_comes_with_what_the_installer_lacks() {
    let files = guest("lib");
    assert!(files[AGENT].ends_with(b"agent"));
    assert_eq!(files[PRESEED], b"d-i preseed/early_command string true\n");
    assert!(
        files.contains_key(PUBLIC_KEY) && !files.contains_key("init") && !files.contains_key("dev/console")
    );
    assert!(files.contains_key(&format!("lib/modules/{RELEASE}/kernel/fs/ext4/ext4.ko")));
    assert_eq!(files["lib/firmware/nvme.bin"], b"/usr/lib/firmware", "out of the first image that has it");
    assert!(!files.contains_key(&format!("lib/modules/{RELEASE}/kernel/sound/snd.ko")), "nobody needs it");
}

#[test]
fn a_library_that_is_a_link_in_the_installer_stays_one() {
    let files = guest("usr/lib");
    assert!(files.contains_key(&format!("usr/lib/modules/{RELEASE}/modules.dep")));
    assert!(files.keys().all(|path| path != "lib" && !path.starts_with("lib/")), "{:?}", files.keys());
}

/// One host that its image's kernel installs, and one that debian-installer hands over.
fn two_ways() -> (Vec<BundledHost>, BootFiles) {
    let start = AgentStart::Installer(DebianRelease::Debian12);
    let (mut hosts, mut boot) = (testing::hosts(), testing::boot());
    hosts[1].boot.start = start;
    let started = Started { kernel: b"linux".to_vec(), initrds: vec![b"own".to_vec(), b"agent".to_vec()] };
    boot.starts.insert(start, started);
    (hosts, boot)
}

#[test]
fn hosts_of_both_kinds_share_a_tree_each_with_its_own_kernel() {
    let (hosts, boot) = two_ways();
    let contents = contents::pxe(&hosts, &boot, Vec::new(), &Default::default(), &testing::key()).unwrap();
    let content = |path: &str| &contents.files.iter().find(|file| file.path == path).unwrap().content;
    assert_eq!(content("debian-12/linux"), b"linux");
    assert_eq!(content("debian-12/initrd.gz"), b"own");
    assert_eq!(content("debian-12/initramfs"), b"agent");
    assert_eq!(content("kernel").len(), 3_000_000);
    let script = |host: usize| {
        String::from_utf8(content(&format!("hosts/52-54-00-00-00-0{host}.cfg")).clone()).unwrap()
    };
    assert!(script(1).contains("linux '/kernel' 'ironstrap=pxe' 'console="), "{}", script(1));
    assert!(script(2).contains("linux '/debian-12/linux' 'ironstrap=pxe' 'auto=true' "), "{}", script(2));
    let initrds = "initrd '/debian-12/initrd.gz' '/debian-12/initramfs' '/orders/web01.cpio'\n";
    assert!(script(2).contains(initrds), "{}", script(2));
}

#[test]
fn a_stick_starts_one_kind() {
    let (hosts, boot) = two_ways();
    let error = contents::usb(&hosts, &boot, Vec::new(), &testing::key()).unwrap_err().to_string();
    assert!(error.contains("a stick starts one kernel") && error.contains("--host"), "{error}");
    let contents = contents::usb(&hosts[1..], &boot, Vec::new(), &testing::key()).unwrap();
    let config = contents.files.iter().find(|file| file.path == "EFI/BOOT/grub.cfg").unwrap();
    let config = String::from_utf8(config.content.clone()).unwrap();
    let initrds = "initrd '/ironstrap/initrd.gz' '/ironstrap/initramfs' '/ironstrap/orders.cpio'\n";
    assert!(config.contains(initrds) && config.contains("'ironstrap=usb' 'auto=true'"), "{config}");
    assert!(contents.files.iter().any(|file| file.path == "ironstrap/initrd.gz" && file.content == b"own"));
}

#[test]
fn loaders_of_another_distribution_do_not_start_debian_installer() {
    let (hosts, mut boot) = two_ways();
    for vendors in [vec!["ubuntu".to_owned()], Vec::new()] {
        boot.loaders.vendors = vendors;
        let pxe = contents::pxe(&hosts, &boot, Vec::new(), &Default::default(), &testing::key())
            .unwrap_err()
            .to_string();
        assert!(pxe.starts_with("web01: ") && pxe.contains("signed by Debian"), "{pxe}");
        assert!(contents::usb(&hosts[1..], &boot, Vec::new(), &testing::key()).is_err());
        // the image's own kernel is its own distribution's
        contents::usb(&hosts[..1], &boot, Vec::new(), &testing::key()).unwrap();
    }
}

#[test]
fn a_dependency_that_is_nowhere_is_missed_before_anything_is_installed() {
    let mut lacking = files();
    lacking.udebs.retain(|name, _| !name.starts_with("ata-modules"));
    let error = refusal(lacking);
    assert!(error.contains("name their packages as well:\n  libata, for ahci"), "{error}");
}

#[test]
fn a_module_s_words_stay_within_their_line_of_the_tables() {
    let with = |path: &str, info: &[&str]| {
        let mut files = files();
        let path = format!("./lib/modules/{RELEASE}/kernel/{path}");
        files.udebs.insert("odd.udeb".to_owned(), package(&[(path.as_str(), &elf_module(info))], ".xz"));
        files
    };
    for path in ["a b.ko", "a:.ko", "a\n.ko", "ä.ko"] {
        let error = refusal(with(path, &[]));
        assert!(error.contains("a name that modules.dep can't hold"), "{path:?}: {error}");
    }
    for info in ["alias=a\nalias x", "softdep=pre: a\r", "depends=a\tb"] {
        let error = refusal(with("odd.ko", &[info]));
        assert!(
            error.contains("kernel/odd.ko says `") && error.contains("control character"),
            "{info:?}: {error}"
        );
    }
    assert!(open(with("odd.ko", &["description=two\nlines", "alias=a b"])).is_ok());
}
