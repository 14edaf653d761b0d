//! How a disk is reached: what tells a machine's own disks from those that other machines see too.

use serde::{Deserialize, Serialize};

/// The way from the machine to the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// SATA or PATA, at a controller that isn't SAS's.
    Ata,
    /// SAS, SATA disks behind it included.
    Sas,
    /// A SCSI or RAID controller on the PCI bus, or one that a hypervisor emulates.
    Scsi,
    /// NVMe on the PCI bus.
    Nvme,
    /// virtio, as block device or as SCSI controller.
    Virtio,
    /// A Hyper-V or Azure machine's disk.
    HyperV,
    /// A Xen machine's disk.
    Xen,
    /// An MMC or SD card, soldered on or not.
    Mmc,
    /// USB.
    Usb,
    /// FireWire.
    FireWire,
    /// In a case outside the machine's, by Thunderbolt or another port that PCI devices can be plugged into.
    External,
    /// iSCSI, iSER, and what a network card's firmware does of them.
    Iscsi,
    /// Fibre Channel, over Ethernet too.
    FibreChannel,
    /// SCSI over RDMA.
    Srp,
    /// NVMe over TCP, RDMA, Fibre Channel or a loop.
    NvmeFabrics,
    /// Persistent memory.
    Pmem,
    /// A Ceph RADOS block device.
    Rbd,
    /// None of these; also what facts of earlier versions say.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Transport {
    /// Whether the disk is the machine's own and stays in it: nobody else writes it, and its name means this one disk. What
    /// isn't known isn't.
    pub fn is_local_fixed(self) -> bool {
        match self {
            Self::Ata
            | Self::Sas
            | Self::Scsi
            | Self::Nvme
            | Self::Virtio
            | Self::HyperV
            | Self::Xen
            | Self::Mmc => true,
            Self::Unknown
            | Self::Usb
            | Self::FireWire
            | Self::External
            | Self::Iscsi
            | Self::FibreChannel
            | Self::Srp
            | Self::NvmeFabrics
            | Self::Pmem
            | Self::Rbd => false,
        }
    }

    /// How the disk is reached, in words: "is reached over iSCSI".
    pub fn words(self) -> &'static str {
        match self {
            Self::Unknown => "is reached in a way that is unknown here",
            Self::Ata => "is reached over ATA",
            Self::Sas => "is reached over SAS",
            Self::Scsi => "is reached over SCSI",
            Self::Nvme => "is reached over NVMe",
            Self::Virtio => "is reached over virtio",
            Self::HyperV => "is reached over Hyper-V's bus",
            Self::Xen => "is reached over Xen's bus",
            Self::Mmc => "is an MMC or SD card",
            Self::Usb => "is reached over USB",
            Self::FireWire => "is reached over FireWire",
            Self::External => "is outside of the machine (Thunderbolt or the like)",
            Self::Iscsi => "is reached over iSCSI",
            Self::FibreChannel => "is reached over Fibre Channel",
            Self::Srp => "is reached over SRP",
            Self::NvmeFabrics => "is reached over NVMe over Fabrics",
            Self::Pmem => "is persistent memory",
            Self::Rbd => "is a Ceph RADOS block device",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_a_later_version_knows_is_not_a_local_one() {
        let later: Transport = serde_json::from_str(r#""over-the-moon""#).unwrap();
        assert_eq!(later, Transport::Unknown);
        assert!(!later.is_local_fixed());
        assert_eq!(serde_json::to_string(&Transport::NvmeFabrics).unwrap(), r#""nvme-fabrics""#);
    }
}
