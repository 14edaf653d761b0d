//! What a Kickstart does about encrypted devices, run by a shell with stand-ins for the installer's commands.

use std::path::Path;
use std::process::{Command, Output};

use super::rendered;

/// The Kickstart of the host whose devices are encrypted.
fn kickstart() -> String {
    let found = rendered("kickstart").into_iter().find(|(name, _)| name == "encrypted@el-9.kickstart");
    found.unwrap().1
}

/// A section's lines, by its header.
fn section<'t>(text: &'t str, header: &str) -> &'t str {
    let (_, rest) = text.split_once(header).unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("\n%end").unwrap().0
}

/// Five LUKS devices, one of them somebody else's: it doesn't open by the passphrase. Every call is noted.
const STANDINS: &str = r#"
blkid() { for n in 1 2 3 4 5; do echo /dev/vda$n; done; }
chroot() {
  shift
  said=$(cat)
  echo "$* <$said>" >> "$NOTES"
  case "$*" in
    "cryptsetup open"*vda3) return 2 ;;
    *"$FAILS"*) return 1 ;;
    "clevis luks list"*) echo "1: tpm2 '{\"hash\":\"sha256\"}'" ;;
    "clevis luks pass"*) echo the-key-itself ;;
  esac
}
"#;

/// Runs `%post`'s part in a directory; the calls it made come second.
fn bind(dir: &Path, shell: &str, fails: &str) -> (Output, String) {
    let text = kickstart();
    let tmp = dir.display().to_string();
    let script =
        section(&text, "%post --nochroot --erroronfail --log=/mnt/sysroot/var/log/ironstrap-encryption.log");
    let script =
        script.replace("/tmp/ironstrap-", &format!("{tmp}/ironstrap-")).replace("/dev/console", "/dev/null");
    std::fs::write(dir.join("ironstrap-passphrase"), "0123abcd").unwrap();
    std::fs::write(dir.join("ironstrap-storage.ks"), "part / --passphrase=0123abcd\n").unwrap();
    let notes = dir.join("notes");
    let _ = std::fs::remove_file(&notes);
    let output = Command::new(shell)
        .args(["-c", &format!("{STANDINS}{script}")])
        .env("NOTES", &notes)
        .env("FAILS", fails)
        .output()
        .unwrap();
    (output, std::fs::read_to_string(notes).unwrap_or_default())
}

#[test]
fn the_tpm_takes_the_place_of_a_passphrase_that_nobody_keeps() {
    for shell in ["bash", "dash"] {
        let dir = tempfile::tempdir().unwrap();
        let (output, notes) = bind(dir.path(), shell, "nothing fails");
        assert!(output.status.success(), "{shell}: {output:?}\n{notes}");
        for device in ["/dev/vda1", "/dev/vda2", "/dev/vda4", "/dev/vda5"] {
            let place = |call: &str| {
                let line = notes.lines().position(|line| line.starts_with(call) && line.contains(device));
                line.unwrap_or_else(|| panic!("{shell}: no `{call}` of {device}\n{notes}"))
            };
            let order = [
                "cryptsetup open --test-passphrase",
                "clevis luks bind",
                "clevis luks pass",
                "cryptsetup luksRemoveKey",
            ];
            assert!(order.map(place).is_sorted(), "{shell}: {device}\n{notes}");
        }
        assert!(!notes.contains("bind -y -k - -d /dev/vda3"), "{notes}");
        let [.., enabled, initramfs] = notes.lines().collect::<Vec<_>>()[..] else { panic!("{notes}") };
        assert!(enabled.starts_with("systemctl enable clevis-luks-askpass.path"), "{notes}");
        assert!(initramfs.starts_with("dracut --force --regenerate-all"), "{notes}");
        assert!(
            !dir.path().join("ironstrap-passphrase").exists()
                && !dir.path().join("ironstrap-storage.ks").exists()
        );
        let said = format!("{output:?}");
        assert!(!said.contains("0123abcd") && !said.contains("the-key-itself"), "it stands in a log: {said}");
    }
}

#[test]
fn a_device_that_the_tpm_does_not_open_keeps_its_passphrase_and_the_install_fails() {
    for (fails, says) in [
        ("clevis luks bind", "can not be bound to the TPM"),
        ("clevis luks pass", "the TPM does not open /dev/vda1"),
        (
            "cryptsetup open --test-passphrase --key-file - /dev/vda2",
            "3 encrypted devices are bound to the TPM, not 4",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (output, notes) = bind(dir.path(), "bash", fails);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(says), "{fails}: {output:?}");
        if fails.starts_with("clevis") {
            assert!(!notes.contains("luksRemoveKey"), "{notes}");
        }
    }
}

#[test]
fn the_passphrase_is_random_and_only_in_files_that_nobody_else_reads() {
    let text = kickstart();
    assert_eq!(text.matches("$passphrase").count(), 6, "it is made, checked, kept and used, nowhere else");
    let (_, rest) = text.split_once("# nobody knows it").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let script = rest.split_once("\n%end").unwrap().0;
    let mut seen = std::collections::BTreeSet::new();
    for shell in ["bash", "dash", "bash"] {
        let dir = tempfile::tempdir().unwrap();
        let tmp = dir.path().display().to_string();
        let script = script
            .replace("/tmp/ironstrap-", &format!("{tmp}/ironstrap-"))
            .replace("/dev/tpmrm0", "/dev/null");
        let whole = format!("refuse() {{ echo \"refused: $1\"; exit 1; }}\nfound=vda\n{script}");
        let output = Command::new(shell).args(["-c", &whole]).output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        for name in ["ironstrap-passphrase", "ironstrap-storage.ks"] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let passphrase = std::fs::read_to_string(dir.path().join("ironstrap-passphrase")).unwrap();
        assert!(passphrase.len() == 64 && passphrase.chars().all(|c| c.is_ascii_hexdigit()), "{passphrase}");
        let storage = std::fs::read_to_string(dir.path().join("ironstrap-storage.ks")).unwrap();
        assert_eq!(storage.matches(&format!("--passphrase={passphrase}")).count(), 4, "{storage}");
        seen.insert(passphrase);
    }
    assert_eq!(seen.len(), 3);
    // a machine without a TPM is refused before anything is made
    let script = script.replace("/dev/tpmrm0", "/nonexistent");
    let whole = format!("refuse() {{ echo \"refused: $1\"; exit 1; }}\n{script}");
    let output = Command::new("bash").args(["-c", &whole]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("refused: there is no TPM"), "{output:?}");
}
