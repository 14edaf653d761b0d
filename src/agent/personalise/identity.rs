//! What makes two machines from one image two machines: name, machine id, seed, and nothing of the image's past.

use anyhow::Result;

use crate::fit::{self, Zone};
use crate::spec::system::SystemSpec;
use crate::sys::rooted::{Attributes, EntryKind, RootedDir};

/// Removed where they exist: state of the machine that the image was made on, and of ironstrap's earlier installs.
const STALE: &[&str] = &[
    "/etc/cloud/cloud-init.disabled",
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/etc/udev/rules.d/70-persistent-cd.rules",
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/seen-bssids",
    "/var/lib/NetworkManager/timestamps",
    "/var/lib/cloud/data",
    "/var/lib/cloud/instance",
    "/var/lib/cloud/instances",
    "/var/lib/cloud/seed",
    "/var/lib/cloud/sem",
    "/var/lib/ironstrap",
    "/var/lib/systemd/credential.secret",
    "/var/lib/systemd/network",
    "/var/log/cloud-init.log",
    "/var/log/cloud-init-output.log",
];
/// Everything in these directories is removed, the directories stay: leases and journals.
const EMPTIED: &[&str] =
    &["/var/lib/dhclient", "/var/lib/dhcp", "/var/lib/dhcpcd", "/var/log/journal", "/run/log/journal"];
const SEED_SIZE: usize = 512;

pub(super) fn apply(
    root: &RootedDir,
    esp: &RootedDir,
    system: &SystemSpec,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<()> {
    forget(root)?;
    // systemd-boot would mix the image's seed into every machine
    esp.remove("/loader/random-seed")?;
    machine_id(root)?;
    hostname(root, system)?;
    if let Some(zone) = &system.timezone {
        timezone(root, zone)?;
    }
    let mut seed = [0; SEED_SIZE];
    random(&mut seed);
    root.make_dirs("/var/lib/systemd", Attributes::root(0o755))?;
    root.write("/var/lib/systemd/random-seed", Attributes::root(0o600), &seed)
}

fn forget(root: &RootedDir) -> Result<()> {
    for path in STALE {
        root.remove(path)?;
    }
    for directory in EMPTIED {
        // a link could lead to a place that isn't ours to empty
        if root.kind(directory)? == Some(EntryKind::Directory) {
            for (name, _) in root.list(directory)? {
                root.remove(&format!("{directory}/{name}"))?;
            }
        }
    }
    for (name, kind) in root.list("/var/lib/NetworkManager")? {
        if kind == EntryKind::File && name.ends_with(".lease") {
            root.remove(&format!("/var/lib/NetworkManager/{name}"))?;
        }
    }
    Ok(())
}

/// Empty, not missing: systemd then makes one, and doesn't take the boot for a first boot that asks questions.
fn machine_id(root: &RootedDir) -> Result<()> {
    root.write("/etc/machine-id", Attributes::root(0o444), b"")?;
    if root.exists("/var/lib/dbus") {
        root.symlink("/etc/machine-id", "/var/lib/dbus/machine-id", 0, 0)?;
    }
    Ok(())
}

fn hostname(root: &RootedDir, system: &SystemSpec) -> Result<()> {
    let name = &system.hostname;
    root.write("/etc/hostname", Attributes::root(0o644), format!("{}\n", name.short()).as_bytes())?;
    let before = root.read_text("/etc/hosts")?.unwrap_or_default();
    root.rewrite(
        "/etc/hosts",
        Attributes::root(0o644),
        hosts(&before, name.as_str(), name.short()).as_bytes(),
    )
}

/// The hosts file with this host's names at 127.0.1.1, so that they resolve without a network.
fn hosts(before: &str, full: &str, short: &str) -> String {
    let address = |line: &&str| line.split_whitespace().next().unwrap_or_default().to_owned();
    let mut after = String::new();
    if !before.lines().any(|line| address(&line) == "127.0.0.1") {
        after.push_str("127.0.0.1 localhost\n");
    }
    for line in before.lines().filter(|line| address(line) != "127.0.1.1") {
        after.push_str(line);
        after.push('\n');
    }
    let names = if full == short { short.to_owned() } else { format!("{full} {short}") };
    after + &format!("127.0.1.1 {names}\n")
}

fn timezone(root: &RootedDir, zone: &str) -> Result<()> {
    let path = match fit::zone_file(zone, root)?? {
        Zone::File(path) => path,
        Zone::Utc => return root.remove("/etc/localtime").map(|_| ()),
    };
    root.symlink(&format!("..{path}"), "/etc/localtime", 0, 0)?;
    if root.exists("/etc/timezone") {
        root.write("/etc/timezone", Attributes::root(0o644), format!("{zone}\n").as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_keeps_what_is_not_ours() {
        let before = "127.0.0.1\tlocalhost\n127.0.1.1 builder\n::1 ip6-localhost # v6\n10.0.0.1 gw\n";
        let after = hosts(before, "web01.example.com", "web01");
        assert_eq!(
            after,
            "127.0.0.1\tlocalhost\n::1 ip6-localhost # v6\n10.0.0.1 gw\n127.0.1.1 web01.example.com web01\n"
        );
        assert_eq!(hosts(&after, "web01.example.com", "web01"), after);
        assert_eq!(hosts("", "a", "a"), "127.0.0.1 localhost\n127.0.1.1 a\n");
    }
}
