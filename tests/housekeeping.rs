//! Cleaning a store by the real program, killed at random moments beside imports, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/expect.rs"]
mod expect;

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use ironstrap::value::Digest;

const RELEASE: &str = "6.1.0-9-amd64";
const KILLS: usize = 200;
const MIB: u64 = 1 << 20;
/// MiB of the ESP, and of the root.
const ESP: u64 = 36;
const ROOT: u64 = 8;

/// Bytes that EFI would take for a kernel or a loader.
fn program() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes
}

/// A raw image as small as one can be; `None`, said aloud, where mke2fs is missing.
fn raw_image(dir: &Path) -> Option<PathBuf> {
    let tree = dir.join("tree");
    for (path, content) in [
        ("etc/os-release", b"ID=debian\nVERSION_ID=12\n".to_vec()),
        (&format!("boot/vmlinuz-{RELEASE}"), program()),
        (&format!("boot/initrd.img-{RELEASE}"), b"initrd".to_vec()),
        (&format!("lib/modules/{RELEASE}/modules.dep"), b"".to_vec()),
        ("boot/grub/grub.cfg", b"linux /vmlinuz\n".to_vec()),
    ] {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let root = dir.join("root.ext4");
    let mut mke2fs = Command::new("mke2fs");
    mke2fs.args(["-q", "-t", "ext4", "-b", "4096", "-d"]).arg(&tree).arg(&root).arg(format!("{ROOT}M"));
    let Ok(status) = mke2fs.status() else {
        expect::missing_program("mke2fs", "e2fsprogs");
        return None;
    };
    assert!(status.success());
    let esp = dir.join("esp.fat");
    File::create(&esp).unwrap().set_len(ESP * MIB).unwrap();
    run("mkfs.vfat", &["-F", "32", "-s", "1", &text(&esp)]);
    run("mmd", &["-i", &text(&esp), "::EFI", "::EFI/BOOT", "::EFI/debian"]);
    let file = dir.join("file");
    let config = b"configfile /boot/grub/grub.cfg\n".to_vec();
    for (path, content) in
        [("BOOT/BOOTX64.EFI", program()), ("BOOT/grubx64.efi", program()), ("debian/grub.cfg", config)]
    {
        fs::write(&file, content).unwrap();
        run("mcopy", &["-i", &text(&esp), &text(&file), &format!("::EFI/{path}")]);
    }
    let raw = dir.join("image.raw");
    let target = File::create(&raw).unwrap();
    target.set_len((2 + ESP + ROOT + 1) * MIB).unwrap();
    let esp_part = format!("1:4096:{}", (2 + ESP) * 2048 - 1);
    let root_part = format!("2:{}:{}", (2 + ESP) * 2048, (2 + ESP + ROOT) * 2048 - 1);
    run("sgdisk", &["-n", &esp_part, "-t", "1:ef00", "-n", &root_part, "-t", "2:8304", &text(&raw)]);
    for (part, at) in [(&esp, 2), (&root, 2 + ESP)] {
        target.write_all_at(&fs::read(part).unwrap(), at * MIB).unwrap();
    }
    Some(raw)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn run(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Another content: a byte between the partitions.
fn change(raw: &Path, value: u8) {
    File::options().write(true).open(raw).unwrap().write_all_at(&[value], 1_500_000).unwrap();
}

struct Site(PathBuf);

impl Site {
    fn new(dir: &Path) -> Self {
        let site = Self(dir.join("site"));
        let init = Command::new(env!("CARGO_BIN_EXE_ironstrap")).arg("init").arg(&site.0).output().unwrap();
        assert!(init.status.success());
        site
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironstrap"));
        command.arg("-C").arg(&self.0).args(words);
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What is printed; it must succeed.
    fn printed(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn import(&self, raw: &Path, image: &str) {
        self.printed(&["image", "import", raw.to_str().unwrap(), image]);
    }

    fn blobs(&self) -> PathBuf {
        self.0.join(".ironstrap/store/blobs")
    }

    /// Sets the day on which an image was imported.
    fn date(&self, image: &str, seconds: u64) {
        let name = self.0.join(".ironstrap/store/images").join(image.replace('@', "/"));
        let file = File::options().append(true).open(name).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    /// Pins an image that no host names, as an older lock does.
    fn pin(&self, image: &str) {
        let store = self.0.join(".ironstrap/store/images").join(image.replace('@', "/"));
        let digest = fs::read_to_string(store).unwrap();
        let lock = format!("version: 1\nimages:\n  {image}: {}\n", digest.trim());
        fs::write(self.0.join("ironstrap.lock"), lock).unwrap();
    }

    fn images(&self) -> Vec<String> {
        let list: serde_json::Value =
            serde_json::from_str(&self.printed(&["--json", "image", "list"])).unwrap();
        let name = |entry: &serde_json::Value| entry["image"].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(name).collect()
    }
}

#[test]
fn a_cleaning_that_is_killed_at_any_moment_beside_imports_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(raw) = raw_image(dir.path()) else { return };
    let site = Site::new(dir.path());
    site.import(&raw, "work@0");
    site.pin("work@0");
    let began = Instant::now();
    site.printed(&["image", "gc"]);
    // on a machine that others use too, what one takes says little of the next: followed, so that both ends stay in sight
    let mut longest = began.elapsed();
    let done = AtomicBool::new(false);
    let (mut killed, mut finished) = (0, 0);
    let imported = std::thread::scope(|scope| {
        let imports = scope.spawn(|| {
            let mut version = 0_u8;
            while !done.load(Ordering::Relaxed) && version < 250 {
                version += 1;
                change(&raw, version);
                site.import(&raw, &format!("work@{version}"));
            }
            version
        });
        for round in 0..KILLS {
            // what a crash could have left, so that there is always something to remove
            for seed in 0..20 {
                let digest = Digest::of(format!("{round} {seed}").as_bytes());
                fs::write(site.blobs().join(digest.to_string()), "left over").unwrap();
            }
            let words: &[&str] =
                if round % 2 == 0 { &["image", "prune", "--keep", "1"] } else { &["image", "gc"] };
            let mut cleaning = site.command(words).stdout(std::process::Stdio::null()).spawn().unwrap();
            let step = u32::try_from(round * 37 % 100).unwrap();
            std::thread::sleep(longest * step / 100);
            cleaning.kill().unwrap();
            match cleaning.wait().unwrap().signal() {
                Some(_) => {
                    killed += 1;
                    longest = longest.mul_f64(1.1).min(Duration::from_secs(1));
                }
                None => {
                    finished += 1;
                    longest = longest.mul_f64(0.8);
                }
            }
            if round % 50 == 49 {
                site.printed(&["image", "verify"]);
            }
        }
        done.store(true, Ordering::Relaxed);
        imports.join().unwrap()
    });
    assert!(killed > KILLS / 10 && finished > 0, "{killed} were killed, {finished} were quicker");
    let last = format!("work@{imported}");
    site.printed(&["image", "verify", "work@0", &last]);
    site.printed(&["image", "prune", "--keep", "1"]);
    assert_eq!(site.images(), ["work@0".to_owned(), last]);
    site.printed(&["image", "verify"]);
    // manifests, their signatures, indexes, and packs of two images that differ in a byte
    let left: Vec<_> = fs::read_dir(site.blobs()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.len() <= 10, "{left:?}");
}

#[test]
fn what_somebody_needs_is_refused_with_who_and_stays_when_others_go() {
    let dir = tempfile::tempdir().unwrap();
    let Some(raw) = raw_image(dir.path()) else { return };
    let site = Site::new(dir.path());
    for version in 1..4 {
        change(&raw, version);
        site.import(&raw, &format!("work@{version}"));
        site.date(&format!("work@{version}"), u64::from(version) * 86_400);
    }
    site.pin("work@1");
    let refused = site.run(&["image", "rm", "work@2", "work@1"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("work@1 is needed by ironstrap.lock; nothing was removed"), "{said}");
    assert_eq!(site.images().len(), 3);

    let told = site.printed(&["image", "prune", "--keep", "1", "--dry-run"]);
    assert!(told.contains("work@2 would go") && !told.contains("work@1"), "{told}");
    assert_eq!(site.images().len(), 3);
    let told: serde_json::Value =
        serde_json::from_str(&site.printed(&["--json", "image", "prune", "--keep", "1"])).unwrap();
    assert_eq!(told["images"], serde_json::json!(["work@2"]));
    assert!(told["bytes"].as_u64().unwrap() > 0);
    assert_eq!(site.images(), ["work@1", "work@3"]);
    let list = site.printed(&["image", "list"]);
    assert!(
        list.contains("work@1") && list.contains("1970-01-04") && list.contains("ironstrap.lock"),
        "{list}"
    );
    site.printed(&["image", "rm", "work@3"]);
    site.printed(&["image", "verify"]);
    for (words, says) in [
        (&["image", "rm", "work@3"][..], "not in the store"),
        (&["image", "prune", "--keep", "0"], "--keep 0"),
        (&["image", "prune", "other", "--keep", "1"], "no version of other"),
    ] {
        let output = site.run(words);
        assert!(!output.status.success(), "{words:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_store_that_is_another_site_s_is_not_cleaned_from_here() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::new(dir.path());
    let theirs = dir.path().join("theirs");
    let store = site.0.join(".ironstrap/store");
    let blob = theirs.join("blobs").join(Digest::of(b"left over").to_string());
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::write(&blob, "left over").unwrap();
    fs::create_dir_all(store.parent().unwrap()).unwrap();
    let _ = fs::remove_dir_all(&store);
    std::os::unix::fs::symlink(&theirs, &store).unwrap();
    let commands: [&[&str]; 3] =
        [&["image", "gc"], &["image", "prune", "--keep", "1"], &["image", "rm", "work@1"]];
    for words in commands {
        let refused = site.run(words);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("is a link to") && said.contains("nothing was removed"), "{said}");
    }
    assert!(blob.exists());
}
