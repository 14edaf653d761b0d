//! Whole trees, Debian-like and EL-like, personalised.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use super::*;
use crate::spec::FormatVersion;
use crate::spec::image::{Blob, FilesystemKind, ImageFilesystem, ImagePartition, ImageSystem, NetworkStack};
use crate::spec::system::{RootAccount, Sudo, SystemFile, User};
use crate::value::{ByteSize, Digest};

mod clones;
mod labels;
mod loaders;
mod tokens;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ops@example";

fn partition(number: u32) -> ImagePartition {
    ImagePartition {
        number,
        kind: uuid::Uuid::nil(),
        guid: uuid::Uuid::from_u128(0xabcd_0000 + u128::from(number)),
        offset: 1 << 20,
        length: 1 << 20,
        name: String::new(),
    }
}

struct Image {
    dir: tempfile::TempDir,
    manifest: ImageManifest,
}

impl Image {
    fn new(os: &str, network: NetworkStack) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for path in ["root/etc", "root/usr/bin", "root/root", "esp"] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        symlink("usr/bin", dir.path().join("root/bin")).unwrap();
        let digest = Digest::of(b"");
        let blob = Blob { digest, size: 0 };
        let tools = ["curl", "ssh-keygen", "sshd", "sudo"].map(str::to_owned).to_vec();
        let manifest = ImageManifest {
            version: FormatVersion,
            image: format!("{os}@1").parse().unwrap(),
            size: ByteSize::bytes(1 << 30),
            logical_block: 512,
            raw: Some(digest),
            index: blob,
            packs: Vec::new(),
            data: ByteSize::bytes(0),
            partitions: [1, 2].map(partition).to_vec(),
            esp: 1,
            root: ImageFilesystem { partition: 2, uuid: uuid::Uuid::nil(), kind: FilesystemKind::Ext4 },
            boot: None,
            system: ImageSystem {
                os: os.to_owned(),
                os_version: "12".to_owned(),
                kernel: "6.1.0".to_owned(),
                network,
                selinux_enforcing: false,
                tools,
            },
        };
        let image = Self { dir, manifest };
        image.put("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
        image.put("etc/group", "root:x:0:\n");
        image.put("etc/shadow", "root:$6$image$hash:19000:0:99999:7:::\n");
        image.put("usr/bin/bash", "");
        image.put("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        image.put("etc/ssh/ssh_host_rsa_key", "the image's");
        image.put("etc/ssh/sshd_config", "kept");
        image.put("root/.ssh/authorized_keys", "ssh-rsa builder\n");
        image.put("root/.ssh/authorized_keys2", "ssh-rsa builder\n");
        image.put("var/log/journal/0123456789abcdef0123456789abcdef/system.journal", "old");
        image.put("var/lib/cloud/instances/i-1/sem/x", "old");
        image
    }

    /// Debian 12 as mmdebstrap makes it.
    fn debian() -> Self {
        let image = Self::new("debian", NetworkStack::Networkd);
        image.put("etc/gshadow", "root:*::\n");
        image.put("etc/skel/.profile", "# profile\n");
        image.put("etc/skel/.config/x", "x\n");
        image.put("etc/timezone", "Etc/UTC\n");
        image.put("usr/share/zoneinfo/Europe/Berlin", "TZif");
        image.put("var/lib/dhcp/dhclient.leases", "lease");
        image.put("var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n");
        image.put("usr/lib/systemd/system/cloud-init.service", "[Unit]\n");
        image
    }

    /// EL 9: shadow readable by nobody, no skel entry for directories, NetworkManager.
    fn el() -> Self {
        let image = Self::new("rocky", NetworkStack::NetworkManager);
        image.put("etc/gshadow", "root:::\n");
        image.put("var/lib/NetworkManager/internal-1-eth0.lease", "lease");
        image.put("var/lib/NetworkManager/secret_key", "secret");
        image.put("var/lib/NetworkManager/NetworkManager.state", "kept");
        std::fs::set_permissions(image.path("etc/shadow"), std::fs::Permissions::from_mode(0o000)).unwrap();
        image
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        std::fs::symlink_metadata(self.path(path)).unwrap().permissions().mode() & 0o7777
    }

    /// The image's partitions with other GUIDs.
    fn disk_partitions(&self) -> Vec<ImagePartition> {
        let other = |guid: uuid::Uuid| uuid::Uuid::from_u128(guid.as_u128() ^ 0xff);
        let partitions = self.manifest.partitions.iter().cloned();
        partitions.map(|partition| ImagePartition { guid: other(partition.guid), ..partition }).collect()
    }

    fn apply(&self, system: &SystemSpec, seed: u8) -> Result<Report> {
        let mut next = seed;
        let mut random = |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        };
        let (root, esp) = (self.path(""), self.dir.path().join("esp"));
        let partitions = self.disk_partitions();
        super::apply(&root, &esp, system, &self.manifest, &partitions, &NetworkSpec::default(), &mut random)
    }

    /// Every file with its mode and content, every link with its target.
    fn snapshot(&self) -> Vec<String> {
        fn visit(directory: &Path, lines: &mut Vec<String>) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let metadata = std::fs::symlink_metadata(&path).unwrap();
                let content = match metadata.file_type() {
                    kind if kind.is_symlink() => format!("{:?}", std::fs::read_link(&path).unwrap()),
                    kind if kind.is_dir() => {
                        visit(&path, lines);
                        String::new()
                    }
                    _ => format!("{:?}", std::fs::read(&path).unwrap()),
                };
                lines.push(format!("{} {:o} {content}", path.display(), metadata.mode()));
            }
        }
        let mut lines = Vec::new();
        visit(self.dir.path(), &mut lines);
        lines.sort_unstable();
        lines
    }
}

fn spec() -> SystemSpec {
    SystemSpec {
        hostname: "web01.example.com".parse().unwrap(),
        timezone: None,
        root: RootAccount::default(),
        users: vec![User {
            name: "ops".parse().unwrap(),
            full_name: None,
            uid: None,
            password: None,
            groups: Vec::new(),
            ssh_keys: vec![KEY.parse().unwrap()],
            sudo: Sudo::Nopasswd,
            shell: "/bin/bash".to_owned(),
        }],
        files: vec![SystemFile {
            path: "/usr/lib/ironstrap/handoff".to_owned(),
            mode: 0o755,
            content: "#!/bin/sh\n".to_owned(),
            token: None,
        }],
        units: Vec::new(),
    }
}

#[test]
fn a_debian_image_becomes_the_host() {
    let image = Image::debian();
    let system = SystemSpec {
        timezone: Some("Europe/Berlin".to_owned()),
        units: vec!["cloud-init.service".to_owned()],
        ..spec()
    };
    let report = image.apply(&system, 1).unwrap();
    assert_eq!(image.text("etc/hostname"), "web01\n");
    assert!(image.text("etc/hosts").contains("127.0.1.1 web01.example.com web01\n"));
    assert_eq!((image.text("etc/machine-id"), image.mode("etc/machine-id")), (String::new(), 0o444));
    assert_eq!(
        std::fs::read_link(image.path("var/lib/dbus/machine-id")).unwrap(),
        Path::new("/etc/machine-id")
    );
    let zone = Path::new("../usr/share/zoneinfo/Europe/Berlin");
    assert_eq!(std::fs::read_link(image.path("etc/localtime")).unwrap(), zone);
    assert_eq!(image.text("etc/timezone"), "Europe/Berlin\n");
    let seed = std::fs::read(image.path("var/lib/systemd/random-seed")).unwrap();
    assert_eq!((seed.len(), image.mode("var/lib/systemd/random-seed")), (512, 0o600));
    for gone in [
        "etc/ssh/ssh_host_rsa_key",
        "root/.ssh/authorized_keys",
        "root/.ssh/authorized_keys2",
        "var/lib/dhcp/dhclient.leases",
        "var/lib/cloud/instances",
    ] {
        assert!(!image.path(gone).exists(), "{gone}");
    }
    assert_eq!(std::fs::read_dir(image.path("var/log/journal")).unwrap().count(), 0);
    assert_eq!(image.text("etc/ssh/sshd_config"), "kept");
    let wants = image.path("etc/systemd/system/multi-user.target.wants");
    for unit in ["cloud-init.service", "ironstrap-ssh-keys.service"] {
        assert!(std::fs::symlink_metadata(wants.join(unit)).is_ok(), "{unit}");
    }
    assert!(report.ssh_fingerprint.unwrap().starts_with("SHA256:"));
}

#[test]
fn accounts_get_homes_keys_and_sudo() {
    let image = Image::debian();
    image.apply(&spec(), 1).unwrap();
    assert!(image.text("etc/passwd").contains("ops:x:1000:1000::/home/ops:/bin/bash\n"));
    assert!(image.text("etc/shadow").starts_with("root:*:"));
    assert_eq!(image.text("home/ops/.ssh/authorized_keys"), format!("{KEY}\n"));
    assert_eq!(image.text("home/ops/.config/x"), "x\n");
    assert_eq!(image.text("etc/sudoers.d/90-ironstrap-ops"), "ops ALL=(ALL:ALL) NOPASSWD: ALL\n");
    let modes = [
        ("home/ops", 0o700),
        ("home/ops/.ssh", 0o700),
        ("home/ops/.ssh/authorized_keys", 0o600),
        ("etc/sudoers.d/90-ironstrap-ops", 0o440),
        ("etc/ssh/ssh_host_ed25519_key", 0o600),
        ("etc/ssh/ssh_host_ed25519_key.pub", 0o644),
        ("usr/lib/ironstrap/handoff", 0o755),
    ];
    for (path, mode) in modes {
        assert_eq!(image.mode(path), mode, "{path}");
    }
    if rustix::process::geteuid().is_root() {
        for path in ["home/ops", "home/ops/.profile", "home/ops/.ssh/authorized_keys"] {
            assert_eq!(std::fs::metadata(image.path(path)).unwrap().uid(), 1000, "{path}");
        }
    } else {
        println!("not root: owners were not checked");
    }
}

#[test]
fn an_el_image_becomes_the_host() {
    let image = Image::el();
    image.apply(&SystemSpec { units: Vec::new(), ..spec() }, 1).unwrap();
    assert_eq!(image.mode("etc/shadow"), 0);
    assert_eq!(image.mode("etc/NetworkManager/system-connections/ironstrap-any.nmconnection"), 0o600);
    assert!(!image.path("var/lib/NetworkManager/internal-1-eth0.lease").exists());
    assert!(!image.path("var/lib/NetworkManager/secret_key").exists());
    assert_eq!(image.text("var/lib/NetworkManager/NetworkManager.state"), "kept");
}

#[test]
fn the_key_is_one_that_ssh_keygen_reads() {
    let image = Image::debian();
    let fingerprint = image.apply(&spec(), 9).unwrap().ssh_fingerprint.unwrap();
    let key = image.path("etc/ssh/ssh_host_ed25519_key");
    match std::process::Command::new("ssh-keygen").arg("-l").arg("-f").arg(&key).output() {
        Ok(output) => {
            let printed = String::from_utf8(output.stdout).unwrap();
            assert!(printed.contains(&fingerprint), "{printed}");
            let public =
                std::process::Command::new("ssh-keygen").arg("-y").arg("-f").arg(&key).output().unwrap();
            assert_eq!(
                String::from_utf8(public.stdout).unwrap().trim(),
                image.text("etc/ssh/ssh_host_ed25519_key.pub").trim()
            );
        }
        Err(error) => println!("ssh-keygen was not tried: {error}"),
    }
}

#[test]
fn applying_twice_gives_the_same_tree() {
    let image = Image::debian();
    image.apply(&spec(), 1).unwrap();
    let once = image.snapshot();
    image.apply(&spec(), 1).unwrap();
    assert_eq!(image.snapshot(), once);
}

#[test]
fn two_hosts_of_one_image_differ() {
    let (one, two) = (Image::debian(), Image::debian());
    let first = one.apply(&spec(), 1).unwrap();
    let second = two.apply(&spec(), 2).unwrap();
    assert_ne!(first, second);
    let seed = "var/lib/systemd/random-seed";
    assert_ne!(std::fs::read(one.path(seed)).unwrap(), std::fs::read(two.path(seed)).unwrap());
}

#[test]
fn what_the_image_can_not_do_is_an_error() {
    let file =
        |path: &str| SystemFile { path: path.to_owned(), mode: 0o644, content: String::new(), token: None };
    let cases = [
        (SystemSpec { timezone: Some("../../etc/shadow".to_owned()), ..spec() }, "time zone"),
        (SystemSpec { timezone: Some("Mars/Olympus".to_owned()), ..spec() }, "tzdata"),
        (SystemSpec { units: vec!["absent.service".to_owned()], ..spec() }, "no unit"),
        (SystemSpec { units: vec!["../x.service".to_owned()], ..spec() }, "name of a unit"),
        (SystemSpec { files: vec![file("etc/x")], ..spec() }, "path of a file"),
        (SystemSpec { files: vec![file("/etc/../x")], ..spec() }, "not a plain path"),
    ];
    for (system, expected) in cases {
        let error = Image::debian().apply(&system, 1).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
    let enforcing = Image::el();
    enforcing.put("etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n");
    let error = enforcing.apply(&spec(), 1).unwrap_err();
    assert!(format!("{error:#}").contains("would have no label"), "{error:#}");
}

#[test]
fn a_mask_is_taken_off_and_an_instance_found_by_its_template() {
    let image = Image::debian();
    std::fs::create_dir_all(image.path("etc/systemd/system")).unwrap();
    symlink("/dev/null", image.path("etc/systemd/system/cloud-init.service")).unwrap();
    image.put("usr/lib/systemd/system/x@.service", "[Unit]\n");
    let units = ["cloud-init.service", "x@1.service"].map(str::to_owned).to_vec();
    image.apply(&SystemSpec { units, ..spec() }, 1).unwrap();
    let wants = image.path("etc/systemd/system/multi-user.target.wants");
    let target = |unit: &str| std::fs::read_link(wants.join(unit)).unwrap();
    assert_eq!(target("cloud-init.service"), Path::new("/usr/lib/systemd/system/cloud-init.service"));
    assert_eq!(target("x@1.service"), Path::new("/usr/lib/systemd/system/x@.service"));
}

#[test]
fn the_new_system_s_clock_begins_no_earlier_than_what_is_believed() {
    let time = Timestamp::from_unix(1_795_000_000);
    let modified = |image: &Image, path: &str| std::fs::metadata(image.path(path)).unwrap().mtime();
    let image = Image::debian();
    image.put(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\n+nis\nsystemd-timesync:x:991:990::/:/usr/sbin/nologin\n",
    );
    keep_time(&image.path(""), time).unwrap();
    let (epoch, synced) = ("usr/lib/clock-epoch", "var/lib/systemd/timesync/clock");
    assert_eq!([epoch, synced].map(|path| modified(&image, path)), [1_795_000_000; 2]);
    if rustix::process::geteuid().is_root() {
        for path in ["var/lib/systemd/timesync", synced] {
            let metadata = std::fs::metadata(image.path(path)).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (991, 990), "{path}");
        }
    }
    // an image that was made later knows better
    keep_time(&image.path(""), Timestamp::from_unix(1_794_000_000)).unwrap();
    assert_eq!([epoch, synced].map(|path| modified(&image, path)), [1_795_000_000; 2]);
    let el = Image::el();
    keep_time(&el.path(""), time).unwrap();
    assert_eq!(modified(&el, epoch), 1_795_000_000);
    assert!(!el.path("var/lib/systemd/timesync").exists());
}
