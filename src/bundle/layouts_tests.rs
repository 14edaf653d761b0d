//! Images as distributions lay them out: imported, judged, and made into what media boot from. Files have the names, places and kinds of the
//! real ones and nothing else of them.
//!
//! Sources of names and places. Loaders: shim's README.fallback, "for an installed system"; `%files` of shim's and grub2's packages of
//! Fedora and EL; what `grub-install` of Debian and Ubuntu copies (shim-signed, grub-efi-amd64-signed); SUSE's `shim-install`.
//! Kernels: `%files` of kernel-core and of SUSE's kernel-default, file lists of Debian's linux-image-amd64 and Ubuntu's
//! linux-image-generic and linux-modules. Initrds: dracut's and initramfs-tools' names. Menus: grub2's `10_linux`, with entries of
//! grubby's `20-grub.install` in `/boot/loader/entries` where the distribution has them.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::agent_file::tests::static_program;
use super::archive::tests::files_in;
use super::{bootfiles, initramfs};
use crate::image::import::import;
use crate::image::lint::Linter;
use crate::image::store::Store;
use crate::image::stored::StoredImage;
use crate::image::testing::{self, image_with, image_with_boot, key, program, root_device, xfs_device};
use crate::image_rules::modinfo::tests::elf_module;
use crate::spec::image::NetworkStack;
use crate::sys::block::BlockDevice;
use crate::sys::fat::FatFile;
use crate::value::rule::Severity;

const SIZE: u64 = 32 << 20;
const BOOT: &str = "3d5f9a3c-7c9e-4a0e-8b27-0a7a8f3b7c55";
const DEBIAN: &[&str] = &["BOOT/BOOTX64.EFI", "BOOT/grubx64.efi", "debian/shimx64.efi", "debian/grubx64.efi"];
const UBUNTU: &[&str] =
    &["BOOT/BOOTX64.EFI", "BOOT/fbx64.efi", "BOOT/mmx64.efi", "ubuntu/shimx64.efi", "ubuntu/grubx64.efi"];
const FEDORA: &[&str] = &["BOOT/BOOTX64.EFI", "BOOT/fbx64.efi", "fedora/shimx64.efi", "fedora/grubx64.efi"];
const ALMA: &[&str] =
    &["BOOT/BOOTX64.EFI", "BOOT/fbx64.efi", "almalinux/shimx64.efi", "almalinux/grubx64.efi"];
const SUSE: &[&str] = &["BOOT/bootx64.efi", "BOOT/fallback.efi", "opensuse/shim.efi", "opensuse/grub.efi"];

/// How a distribution lays an image out.
#[derive(Debug, Clone, Copy)]
struct Layout {
    os: &'static str,
    version: &'static str,
    release: &'static str,
    /// How the initrd is called.
    initrd: &'static str,
    /// How modules end.
    module: &'static str,
    /// XFS for the root and for a `/boot` of its own; else ext4 for all.
    split: bool,
    /// Below `/EFI`.
    loaders: &'static [&'static str],
    /// What is enabled.
    unit: &'static str,
    stack: NetworkStack,
}

const EL: Layout = Layout {
    os: "almalinux",
    version: "9.6",
    release: "5.14.0-570.el9.x86_64",
    initrd: "initramfs-R.img",
    module: "ko.xz",
    split: true,
    loaders: ALMA,
    unit: "NetworkManager.service",
    stack: NetworkStack::NetworkManager,
};
const APT: Layout = Layout {
    os: "debian",
    version: "12",
    release: "6.1.0-37-amd64",
    initrd: "initrd.img-R",
    module: "ko",
    split: false,
    loaders: DEBIAN,
    unit: "networking.service",
    stack: NetworkStack::Ifupdown,
};
const NETPLAN: Layout = Layout {
    os: "ubuntu",
    loaders: UBUNTU,
    unit: "systemd-networkd.service",
    stack: NetworkStack::Networkd,
    ..APT
};

const TAKEN: [Layout; 8] = [
    Layout { version: "8.10", release: "4.18.0-553.el8_10.x86_64", ..EL },
    EL,
    Layout { version: "10.0", release: "6.12.0-55.el10_0.x86_64", ..EL },
    Layout {
        os: "fedora",
        version: "43",
        release: "6.17.1-300.fc43.x86_64",
        loaders: FEDORA,
        split: false,
        ..EL
    },
    Layout { version: "22.04", release: "5.15.0-151-generic", ..NETPLAN },
    Layout { version: "24.04", release: "6.8.0-71-generic", module: "ko.zst", ..NETPLAN },
    APT,
    Layout { version: "13", release: "6.12.41+deb13-amd64", module: "ko.xz", ..APT },
];

fn packed(module: &str, bytes: &[u8]) -> Vec<u8> {
    match module.rsplit_once('.') {
        Some((_, "zst")) => zstd::encode_all(bytes, 1).unwrap(),
        Some((_, "xz")) => {
            let mut packed = Vec::new();
            std::io::Read::read_to_end(&mut liblzma::read::XzEncoder::new(bytes, 1), &mut packed).unwrap();
            packed
        }
        _ => bytes.to_vec(),
    }
}

impl Layout {
    fn has_entries(&self) -> bool {
        matches!(self.os, "almalinux" | "fedora")
    }

    /// The file system that GRUB reads its menu from, and where.
    fn menu(&self) -> (String, &'static str) {
        let folder = if self.initrd == APT.initrd { "grub" } else { "grub2" };
        let uuid = if self.split { BOOT.to_owned() } else { testing::identity().root.to_string() };
        (uuid, folder)
    }

    fn on_root(&self, root: &Path) {
        let put = |path: &str, content: &[u8]| put(root, path, content);
        let Self { os, version, release, module, .. } = self;
        put("usr/lib/os-release", format!("ID={os}\nVERSION_ID=\"{version}\"\n").as_bytes());
        put("etc/hostname", b"localhost\n");
        put("etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n");
        put("etc/shadow", b"root:*:19000:0:99999:7:::\n");
        put("etc/group", b"root:x:0:\n");
        put("usr/bin/bash", b"");
        put("usr/sbin/sshd", b"");
        let modules = format!("usr/lib/modules/{release}");
        let files = [("kernel/drivers/ata/ahci", "license=GPL"), ("kernel/fs/xfs/xfs", "license=GPL")];
        for (path, info) in files {
            put(&format!("{modules}/{path}.{module}"), &packed(module, &elf_module(&[info])));
        }
        let dep: String = files.iter().map(|(path, _)| format!("{path}.{module}:\n")).collect();
        put(&format!("{modules}/modules.dep"), dep.as_bytes());
        put(&format!("{modules}/modules.alias"), b"alias pci:v*d*sv*sd*bc01sc06i01* ahci\n");
        put(&format!("{modules}/modules.softdep"), b"");
        put(&format!("{modules}/modules.builtin"), b"kernel/fs/ext4/ext4.ko\n");
        let mount = if self.split { format!("UUID={BOOT} /boot xfs defaults 0 0\n") } else { String::new() };
        let kind = if self.split { "xfs" } else { "ext4" };
        let fstab = format!("UUID={} / {kind} defaults 0 0\n{mount}", testing::identity().root);
        put("etc/fstab", fstab.as_bytes());
        let wants = root.join("etc/systemd/system/multi-user.target.wants");
        std::fs::create_dir_all(&wants).unwrap();
        let link = |target: &str, at: &str| std::os::unix::fs::symlink(target, root.join(at)).unwrap();
        link(
            &format!("/usr/lib/systemd/system/{}", self.unit),
            &format!("{}/{}", "etc/systemd/system/multi-user.target.wants", self.unit),
        );
        for name in ["lib", "bin", "sbin"] {
            link(&format!("usr/{name}"), name);
        }
        link("../usr/lib/os-release", "etc/os-release");
        if self.has_entries() {
            put("etc/selinux/config", b"SELINUX=enforcing\nSELINUXTYPE=targeted\n");
            let contexts = "etc/selinux/targeted/contexts/files/file_contexts";
            put(contexts, b"/.* system_u:object_r:default_t:s0\n/etc(/.*)? system_u:object_r:etc_t:s0\n");
        }
        if self.split {
            std::fs::create_dir(root.join("boot")).unwrap();
        } else {
            self.on_boot(&root.join("boot"));
        }
    }

    fn on_boot(&self, boot: &Path) {
        let (release, below) = (self.release, if self.split { "" } else { "/boot" });
        let initrd = self.initrd.replace('R', release);
        put(boot, &format!("vmlinuz-{release}"), &program(1, 300_000));
        put(boot, &initrd, b"initrd");
        let (_, folder) = self.menu();
        let options = format!("root=UUID={} ro", testing::identity().root);
        let menu = if self.has_entries() {
            let entry = format!(
                "title x\nversion {release}\nlinux {below}/vmlinuz-{release}\ninitrd {below}/{initrd}\noptions {options}\n"
            );
            put(
                boot,
                &format!("loader/entries/0123456789abcdef0123456789abcdef-{release}.conf"),
                entry.as_bytes(),
            );
            "insmod blscfg\nblscfg\n".to_owned()
        } else {
            format!(
                "menuentry 'x' {{\n\tlinux {below}/vmlinuz-{release} {options}\n\tinitrd {below}/{initrd}\n}}\n"
            )
        };
        put(boot, &format!("{folder}/grub.cfg"), menu.as_bytes());
    }

    fn esp(&self) -> Vec<FatFile<'static>> {
        let (uuid, folder) = self.menu();
        let below = if self.split { "" } else { "/boot" };
        let config = format!(
            "search --no-floppy --fs-uuid --set=dev {uuid}\nset prefix=($dev){below}/{folder}\nconfigfile $prefix/grub.cfg\n"
        );
        let vendor = self.loaders.last().unwrap().split('/').next().unwrap();
        let csv = format!("shimx64.efi,{vendor},,This is the boot entry for {vendor}\n");
        let file = |path: String, bytes: Vec<u8>| FatFile::new(path, std::io::Cursor::new(bytes));
        let mut files: Vec<_> =
            self.loaders.iter().map(|path| file(format!("EFI/{path}"), program(3, 5000))).collect();
        files.push(file(format!("EFI/{vendor}/grub.cfg"), config.into_bytes()));
        files.push(file(format!("EFI/{vendor}/BOOTX64.CSV"), csv.into_bytes()));
        files
    }

    /// The image; `None`, said aloud, where a program that makes file systems is missing.
    fn device(&self) -> Option<Arc<dyn BlockDevice>> {
        if !self.split {
            let root = root_device(|root| self.on_root(root), &[])?;
            return Some(Arc::new(image_with(&root, self.esp())));
        }
        let root = xfs_device(|root| self.on_root(root), SIZE, &[])?;
        let boot = xfs_device(|boot| self.on_boot(boot), SIZE, &["-m", &format!("uuid={BOOT}")])?;
        Some(Arc::new(image_with_boot(&boot, &root, self.esp())))
    }
}

fn put(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn imported(device: &Arc<dyn BlockDevice>) -> Result<(tempfile::TempDir, StoredImage)> {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let imported = import(&store, device, &"test@1".parse().unwrap(), &key(), false, &mut |_, _, _| Ok(()))?;
    let manifest = store.manifest(&imported.manifest.image, &imported.digest, &key().alone()).unwrap();
    Ok((dir, StoredImage::open(&store, &manifest).unwrap()))
}

#[test]
fn distributions_are_imported_judged_and_made_into_what_media_boot_from() {
    for layout in TAKEN {
        let Some(device) = layout.device() else { return };
        let (_dir, image) = imported(&device).unwrap_or_else(|error| panic!("{layout:?}: {error:#}"));
        let manifest = image.manifest().clone();
        let system = &manifest.system;
        assert_eq!((system.os.as_str(), system.os_version.as_str()), (layout.os, layout.version));
        assert_eq!((system.kernel.as_str(), system.network), (layout.release, layout.stack), "{layout:?}");
        assert_eq!((system.selinux_enforcing, manifest.boot.is_some()), (layout.has_entries(), layout.split));
        assert!(system.tools.contains(&"sshd".to_owned()));

        let now = "2026-12-01T00:00:00Z".parse().unwrap();
        let linter = Linter::open(&image, now).unwrap();
        let found = linter.general().unwrap();
        let errors: Vec<_> = found.iter().filter(|finding| finding.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{layout:?}: {errors:?}");

        let (root, esp) = (image.root().unwrap(), image.esp().unwrap());
        assert_eq!(bootfiles::kernel(&root, layout.release).unwrap(), program(1, 300_000));
        let loaders = bootfiles::loaders(&esp, &root).unwrap();
        let vendor = layout.loaders.last().unwrap().split('/').next().unwrap();
        assert_eq!(
            (loaders.vendors, loaders.grub),
            (vec![vendor.to_owned()], program(3, 5000)),
            "{layout:?}"
        );
        let parts = initramfs::InitramfsParts {
            image: &crate::value::Digest::of(b"image"),
            release: layout.release,
            agent: &static_program(b"agent"),
            keys: &key().alone(),
        };
        let files = files_in(&zstd::decode_all(&initramfs::build(&root, &parts).unwrap()[..]).unwrap());
        let module = format!("lib/modules/{}/kernel/drivers/ata/ahci.{}", layout.release, layout.module);
        assert!(files.contains_key(&module), "{module} in {:?}", files.keys());
    }
}

#[test]
fn opensuse_is_refused_for_the_names_of_its_loaders() {
    let suse = Layout {
        os: "opensuse-leap",
        version: "16.0",
        release: "6.12.0-160000.5-default",
        initrd: "initrd-R",
        module: "ko.zst",
        loaders: SUSE,
        split: false,
        ..EL
    };
    let Some(device) = suse.device() else { return };
    let error = format!("{:#}", imported(&device).unwrap_err());
    assert!(error.contains("no /EFI/BOOT/grubx64.efi"), "{error}");
    // with the two files under the names that its shim doesn't look for, the rest of it is taken
    let renamed =
        Layout { loaders: &["BOOT/BOOTX64.EFI", "BOOT/grubx64.efi", "opensuse/grubx64.efi"], ..suse };
    let (_dir, image) = imported(&renamed.device().unwrap()).unwrap();
    assert_eq!(image.manifest().system.kernel, suse.release);
}
