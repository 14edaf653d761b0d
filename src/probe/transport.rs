//! How a disk is reached, told from where the kernel put it in `/sys/devices` and from what its ancestors there say.
//!
//! As lsblk and multipath tell it: the directories of SCSI hosts say what transports they serve, remote ports and sessions are
//! among a disk's ancestors, an NVMe controller says it in a file. What leads out of the machine is looked for first: a disk in
//! a Thunderbolt case hangs at an NVMe or SATA controller like any other.

use std::path::{Path, PathBuf};

use crate::spec::transport::Transport;

/// A disk's ancestors, the nearest first.
struct Way(Vec<PathBuf>);

impl Way {
    fn to(directory: &Path) -> Self {
        let place = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
        Self(place.ancestors().map(Path::to_owned).collect())
    }

    /// Whether an ancestor has this name with a number behind it, like `usb1` and `rport-7:0-0`.
    fn has(&self, prefix: &str) -> bool {
        self.0.iter().any(|place| is_numbered(place, prefix))
    }

    /// Whether the SCSI host among the ancestors serves this transport.
    fn serves(&self, class: &str) -> bool {
        self.0.iter().any(|place| is_numbered(place, "host") && place.join(class).exists())
    }

    /// Whether an ancestor belongs to this bus.
    fn is_on(&self, bus: &str) -> bool {
        let is_it = |place: &PathBuf| {
            std::fs::read_link(place.join("subsystem"))
                .is_ok_and(|link| link.file_name() == Some(bus.as_ref()))
        };
        self.0.iter().any(is_it)
    }

    /// Whether a PCI device among the ancestors was plugged into a port for that, as firmware says (kernels from 5.14 on).
    /// A disk says 0 or 1 in the file of this name.
    fn is_plugged_in(&self) -> bool {
        self.0.iter().any(|place| text(&place.join("removable")).as_deref() == Some("removable"))
    }
}

/// The way to the disk whose directory in `/sys/block` this is.
pub fn transport(directory: &Path, name: &str) -> Transport {
    let way = Way::to(directory);
    let nvme = name.starts_with("nvme").then(|| nvme(directory));
    let outside = [
        (way.has("usb"), Transport::Usb),
        (way.has("fw"), Transport::FireWire),
        (way.is_plugged_in(), Transport::External),
        (name.starts_with("rbd"), Transport::Rbd),
        (name.starts_with("pmem") || way.has("ndbus"), Transport::Pmem),
        (way.has("session") || way.serves("iscsi_host"), Transport::Iscsi),
        (way.has("rport-") || way.serves("fc_host"), Transport::FibreChannel),
        (way.serves("srp_host"), Transport::Srp),
    ];
    let inside = [
        (way.has("end_device-") || way.serves("sas_host"), Transport::Sas),
        (way.has("ata"), Transport::Ata),
        (way.has("virtio"), Transport::Virtio),
        (way.is_on("vmbus"), Transport::HyperV),
        (way.has("vbd-") || way.has("vscsi-"), Transport::Xen),
        (way.is_on("mmc"), Transport::Mmc),
        (way.has("host") && way.is_on("pci"), Transport::Scsi),
    ];
    let first = |ways: &[(bool, Transport)]| ways.iter().find(|(is, _)| *is).map(|(_, transport)| *transport);
    first(&outside).or(nvme).or_else(|| first(&inside)).unwrap_or_default()
}

/// NVMe names its transport at the controller: behind `device`, or, where several controllers may lead to one namespace,
/// beside it in the subsystem that is behind `device`. All of them must lead to a place inside of the machine.
fn nvme(directory: &Path) -> Transport {
    let device = directory.join("device");
    let mut controllers = vec![device.clone()];
    if !device.join("transport").exists() {
        let entries = std::fs::read_dir(&device).into_iter().flatten().flatten().map(|entry| entry.path());
        controllers =
            entries.filter(|path| is_numbered(path, "nvme") && path.join("transport").exists()).collect();
    }
    let mut found = Transport::Unknown;
    for controller in controllers {
        match text(&controller.join("transport")).as_deref() {
            Some("pcie") if Way::to(&controller).is_plugged_in() => return Transport::External,
            Some("pcie") => found = Transport::Nvme,
            Some(_) => return Transport::NvmeFabrics,
            None => return Transport::Unknown,
        }
    }
    found
}

/// Whether a path's last name is this prefix with a digit behind it.
fn is_numbered(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.strip_prefix(prefix))
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn text(path: &Path) -> Option<String> {
    // `removable` is also the name of a directory of other things
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PCI: &str = "devices/pci0000:00/0000:00:04.0";

    /// Makes a disk's directory, its link in `block`, and the files and links beside it; asks for its transport.
    fn of(place: &str, files: &[(&str, &str)], links: &[(&str, &str)]) -> Transport {
        let root = tempfile::tempdir().unwrap();
        let disk = root.path().join(place);
        let name = disk.file_name().unwrap().to_str().unwrap().to_owned();
        std::fs::create_dir_all(&disk).unwrap();
        let parent = |path: &Path| std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            parent(&path);
            std::fs::write(path, content).unwrap();
        }
        let bus = format!("{PCI}/subsystem");
        for (path, target) in
            links.iter().copied().chain(place.starts_with(PCI).then_some((bus.as_str(), "bus/pci")))
        {
            let (path, target) = (root.path().join(path), root.path().join(target));
            parent(&path);
            std::os::unix::fs::symlink(target, path).unwrap();
        }
        let link = root.path().join("block").join(&name);
        parent(&link);
        std::os::unix::fs::symlink(disk, &link).unwrap();
        transport(&link, &name)
    }

    /// A disk of a SCSI host: where the host is, the way from there to the disk, and the transport class beside it.
    fn scsi(host: &str, way: &str, class: Option<&str>) -> Transport {
        let class = class.map(|class| format!("{host}/{class}/host3/state"));
        let files: Vec<(&str, &str)> = class.iter().map(|path| (path.as_str(), "online\n")).collect();
        of(&format!("{host}/{way}target3:0:0/3:0:0:0/block/sda"), &files, &[])
    }

    #[test]
    fn scsi_disks_are_told_apart_by_their_ways() {
        let at = |place: &str| format!("{PCI}/{place}host3");
        for (host, way, class, expected) in [
            (at("ata1/"), "", None, Transport::Ata),
            (at(""), "", None, Transport::Scsi),
            (at(""), "port-3:0/end_device-3:0/", Some("sas_host"), Transport::Sas),
            (at("virtio2/"), "", None, Transport::Virtio),
            (at("usb2/2-1/2-1:1.0/"), "", None, Transport::Usb),
            (at("fw1/fw1.0/"), "", None, Transport::FireWire),
            ("devices/platform/host3".to_owned(), "session1/", Some("iscsi_host"), Transport::Iscsi),
            // a card that does iSCSI by itself
            (at(""), "session7/", None, Transport::Iscsi),
            (at(""), "rport-3:0-2/", Some("fc_host"), Transport::FibreChannel),
            ("devices/virtual/fcoe/ctlr_0/host3".to_owned(), "", Some("fc_host"), Transport::FibreChannel),
            (at("infiniband_srp/srp-mlx5_0-1/"), "", Some("srp_host"), Transport::Srp),
            ("devices/vscsi-768/host3".to_owned(), "", None, Transport::Xen),
            // made of memory, or by a program on this machine: nobody knows what is behind it
            ("devices/pseudo_0/adapter0/host3".to_owned(), "", None, Transport::Unknown),
        ] {
            assert_eq!(scsi(&host, way, class), expected, "{host}/{way}");
            let local = [Transport::Ata, Transport::Scsi, Transport::Sas, Transport::Virtio, Transport::Xen];
            assert_eq!(expected.is_local_fixed(), local.contains(&expected));
        }
    }

    #[test]
    fn disks_that_are_not_scsi_are_told_apart_by_name_and_bus() {
        for (place, links, expected) in [
            (&format!("{PCI}/virtio1/block/vda")[..], &[][..], Transport::Virtio),
            ("devices/vbd-51712/block/xvda", &[], Transport::Xen),
            ("devices/LNXSYSTM:00/ndbus0/region0/namespace0.0/block/pmem0", &[], Transport::Pmem),
            ("devices/rbd/0/block/rbd0", &[], Transport::Rbd),
            ("devices/virtual/block/nullb0", &[], Transport::Unknown),
            ("devices/virtual/block/etherd!e1.1", &[], Transport::Unknown),
            (
                "devices/VMBUS:00/1b2c/host3/target3:0:0/3:0:0:0/block/sda",
                &[("devices/VMBUS:00/1b2c/subsystem", "bus/vmbus")],
                Transport::HyperV,
            ),
            (
                "devices/platform/80860F14:00/mmc_host/mmc0/mmc0:0001/block/mmcblk0",
                &[("devices/platform/80860F14:00/mmc_host/mmc0/mmc0:0001/subsystem", "bus/mmc")],
                Transport::Mmc,
            ),
        ] {
            assert_eq!(of(place, &[], links), expected, "{place}");
        }
    }

    #[test]
    fn nvme_says_at_its_controllers_how_it_is_reached() {
        let controller = format!("{PCI}/nvme/nvme0");
        let namespace = format!("{controller}/nvme0n1");
        let device = (&format!("{namespace}/device")[..], &controller[..]);
        let said = |word: &str| of(&namespace, &[(&format!("{controller}/transport"), word)], &[device]);
        assert_eq!(said("pcie\n"), Transport::Nvme);
        assert_eq!(["tcp\n", "rdma\n", "fc\n", "loop\n"].map(said), [Transport::NvmeFabrics; 4]);
        assert_eq!(of(&namespace, &[], &[device]), Transport::Unknown);
    }

    #[test]
    fn a_namespace_with_several_controllers_is_local_only_if_each_of_them_is() {
        let subsystem = "devices/virtual/nvme-subsystem/nvme-subsys0";
        let controllers = [format!("{PCI}/nvme/nvme0"), "devices/virtual/nvme-fabrics/ctl/nvme1".to_owned()];
        let said = |second: &str, port: &str| {
            of(
                &format!("{subsystem}/nvme0n1"),
                &[
                    (&format!("{}/transport", controllers[0])[..], "pcie\n"),
                    (&format!("{}/transport", controllers[1]), second),
                    (&format!("{PCI}/removable"), port),
                ],
                &[
                    (&format!("{subsystem}/nvme0n1/device")[..], subsystem),
                    (&format!("{subsystem}/nvme0"), &controllers[0][..]),
                    (&format!("{subsystem}/nvme1"), &controllers[1]),
                ],
            )
        };
        assert_eq!(said("pcie\n", "fixed\n"), Transport::Nvme);
        assert_eq!(said("tcp\n", "fixed\n"), Transport::NvmeFabrics);
        assert_eq!(said("pcie\n", "removable\n"), Transport::External);
    }

    #[test]
    fn a_controller_in_a_case_outside_is_not_local() {
        let port = format!("{PCI}/removable");
        let place = format!("{PCI}/0000:05:00.0/ata1/host3/target3:0:0/3:0:0:0/block/sda");
        assert_eq!(of(&place, &[(&port, "removable\n")], &[]), Transport::External);
        for said in ["fixed\n", "unknown\n"] {
            assert_eq!(of(&place, &[(&port, said)], &[]), Transport::Ata);
        }
    }
}
