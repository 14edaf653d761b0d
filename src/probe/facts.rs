//! What this machine is: SMBIOS, interfaces, memory. Disks are in `disks`, its firmware in `firmware`.
//!
//! Works below a root directory. Whatever is missing is `None`: a machine without a serial number can still be matched by
//! its MAC address. Placeholders count as missing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::firmware;
use crate::spec::FormatVersion;
use crate::spec::facts::{Disk, Facts, Machine, Nic, Voucher};
use crate::value::{ByteSize, Timestamp};

/// Everything that a plan needs: the machine from `/sys` and `/proc` below this directory, and its disks.
pub fn gather(root: &Path, clock: Timestamp, vouchers: Vec<Voucher>, disks: Vec<Disk>) -> Facts {
    Facts { version: FormatVersion, clock, vouchers, machine: judged_machine(root), disks }
}

/// The machine with what its firmware trusts: each variable is a call of the firmware, and a `dbx` is long.
pub fn judged_machine(root: &Path) -> Machine {
    Machine { firmware: firmware::trust(&root.join("sys")), ..machine(root) }
}

/// Who the machine is. Cheap enough to be asked again and again while devices appear: what its firmware trusts isn't in it.
pub fn machine(root: &Path) -> Machine {
    let sys = root.join("sys");
    let dmi = |name: &str| text(&sys.join("class/dmi/id").join(name));
    Machine {
        vendor: dmi("sys_vendor"),
        model: dmi("product_name"),
        serial: dmi("product_serial").and_then(|text| text.parse().ok()),
        uuid: dmi("product_uuid").and_then(|text| text.parse().ok()),
        nics: nics(&sys.join("class/net")),
        memory: memory(&root.join("proc/meminfo")),
        secure_boot: firmware::secure_boot(&sys),
        firmware: None,
        modaliases: Vec::new(),
    }
}

/// What the devices of every bus ask `modprobe` for, sorted, each once.
pub fn modaliases(sys: &Path) -> Vec<String> {
    let list = |directory: PathBuf| std::fs::read_dir(directory).into_iter().flatten().flatten();
    let buses = list(sys.join("bus")).map(|bus| bus.path().join("devices"));
    let files = buses.flat_map(list).map(|device| device.path().join("modalias"));
    files.filter_map(|file| text(&file)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn text(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Ethernet interfaces that have a device behind them.
fn nics(directory: &Path) -> Vec<Nic> {
    const ETHERNET: &str = "1";
    let mut nics = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, Ok(name)) = (entry.path(), entry.file_name().into_string()) else { continue };
        let real = path.join("device").exists() && text(&path.join("type")).as_deref() == Some(ETHERNET);
        // a bond gives all of its members one address
        let permanent = text(&path.join("bonding_slave/perm_hwaddr"));
        let mac = permanent.or_else(|| text(&path.join("address"))).and_then(|text| text.parse().ok());
        if let (true, Some(mac)) = (real, mac) {
            let driver = std::fs::read_link(path.join("device/driver")).ok();
            let driver = driver.and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
            let carrier = text(&path.join("carrier")).as_deref() == Some("1");
            nics.push(Nic { name, mac, driver, carrier });
        }
    }
    nics.sort_by(|a, b| a.name.cmp(&b.name));
    nics
}

fn memory(meminfo: &Path) -> ByteSize {
    let text = std::fs::read_to_string(meminfo).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok());
    ByteSize::bytes(kib.unwrap_or(0_u64) << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::facts::SecureBoot;

    fn fixture(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        dir
    }

    #[test]
    fn a_machine_tells_who_it_is_and_placeholders_say_nothing() {
        let dir = fixture(&[
            ("sys/class/dmi/id/sys_vendor", b"Example Inc.\n"),
            ("sys/class/dmi/id/product_serial", b"To be filled by O.E.M.\n"),
            ("sys/class/dmi/id/product_uuid", b"8B3F12AC-7D01-4A7E-9F44-0C5B1F0A2D33\n"),
            ("sys/class/net/eth0/address", b"52:54:00:12:34:56\n"),
            ("sys/class/net/eth0/type", b"1\n"),
            ("sys/class/net/eth0/carrier", b"1\n"),
            ("sys/class/net/eth0/device/vendor", b"0x8086\n"),
            ("sys/class/net/eth1/address", b"52:54:00:12:34:56\n"),
            ("sys/class/net/eth1/bonding_slave/perm_hwaddr", b"52:54:00:aa:bb:cc\n"),
            ("sys/class/net/eth1/type", b"1\n"),
            ("sys/class/net/eth1/device/vendor", b"0x8086\n"),
            ("sys/class/net/lo/address", b"00:00:00:00:00:00\n"),
            ("sys/class/net/bond0/address", b"52:54:00:12:34:56\n"),
            ("sys/class/net/bond0/type", b"1\n"),
            ("proc/meminfo", b"MemTotal:        1015196 kB\nMemFree: 1 kB\n"),
        ]);
        let machine = machine(dir.path());
        assert_eq!(machine.vendor.as_deref(), Some("Example Inc."));
        assert_eq!((machine.model, machine.serial), (None, None));
        assert_eq!(machine.uuid.unwrap().to_string(), "8b3f12ac-7d01-4a7e-9f44-0c5b1f0a2d33");
        assert_eq!(
            machine.nics.iter().map(|nic| (nic.name.as_str(), nic.carrier)).collect::<Vec<_>>(),
            [("eth0", true), ("eth1", false)]
        );
        assert_eq!(machine.nics[1].mac.to_string(), "52:54:00:aa:bb:cc");
        assert_eq!(machine.memory.as_bytes(), 1_015_196 << 10);
        assert_eq!(machine.secure_boot, SecureBoot::Absent);
    }
}
