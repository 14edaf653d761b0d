//! Hardware that can be asked for by name: what the devices of common drivers say of themselves.
//!
//! One or two devices stand for a driver, the most sold ones. Sources: the tables of the drivers in Linux 6.1, each in the file that is
//! named; the tests hold them against the aliases of Debian's kernel.

use super::Hardware;

/// Devices under a name.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// The name, which is the driver's where it has one.
    pub name: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// What its devices ask for, without subsystems.
    pub modaliases: &'static [&'static str],
}

macro_rules! pci {
    ($vendor:literal, $device:literal, $class:literal) => {
        concat!("pci:v0000", $vendor, "d0000", $device, "sv0000", $vendor, "sd00000000", $class)
    };
}
macro_rules! nic {
    ($vendor:literal, $device:literal) => {
        pci!($vendor, $device, "bc02sc00i00")
    };
}

/// `NAME, WHAT, WHERE THE KERNEL'S SOURCE HAS THE IDENTITIES, [DEVICES];`
macro_rules! presets {
    ($($name:literal, $what:literal, $source:literal, [$($modalias:expr),+ $(,)?];)+) => {
        /// All of them.
        pub const ALL: &[Preset] = &[$(
            Preset { name: $name, what: $what, modaliases: &[$($modalias),+] },
        )+];
    };
}

presets! {
    "virtio", "disks and network of QEMU and KVM", "include/uapi/linux/virtio_ids.h",
        [
            pci!("1AF4", "1041", "bc02sc00i00"), "virtio:d00000001v00001AF4",
            pci!("1AF4", "1042", "bc01sc00i00"), "virtio:d00000002v00001AF4",
        ];
    "ahci", "SATA", "drivers/ata/ahci.c", [pci!("8086", "A352", "bc01sc06i01")];
    "nvme", "NVMe", "drivers/nvme/host/pci.c", [pci!("144D", "A808", "bc01sc08i02")];
    "usb-storage", "disks on USB, and their controllers", "drivers/usb/storage/unusual_devs.h, drivers/usb/host/xhci-pci.c",
        [pci!("8086", "A36D", "bc0Csc03i30"), "usb:v0781p5581d0100dc00dsc00dp00ic08isc06ip50in00"];
    "megaraid_sas", "Broadcom MegaRAID, Dell PERC", "drivers/scsi/megaraid/megaraid_sas.h",
        [pci!("1000", "005D", "bc01sc04i00"), pci!("1000", "0073", "bc01sc04i00")];
    "mpt3sas", "Broadcom SAS 2308 and 3008", "drivers/scsi/mpt3sas/mpi/mpi2_cnfg.h",
        [pci!("1000", "0097", "bc01sc07i00"), pci!("1000", "0087", "bc01sc07i00")];
    "smartpqi", "Microchip and HPE Smart Array, from Gen10", "drivers/scsi/smartpqi/smartpqi_init.c",
        ["pci:v00009005d0000028Fsv0000103Csd00000600bc01sc07i00"];
    "hpsa", "HPE Smart Array, up to Gen9", "drivers/scsi/hpsa.c",
        ["pci:v0000103Cd0000323Bsv0000103Csd00003350bc01sc04i00"];
    "e1000e", "Intel 82574 and I219", "drivers/net/ethernet/intel/e1000e/hw.h", [nic!("8086", "10D3"), nic!("8086", "15B7")];
    "igb", "Intel I350 and I210", "drivers/net/ethernet/intel/igb/e1000_hw.h", [nic!("8086", "1521"), nic!("8086", "1533")];
    "igc", "Intel I225", "drivers/net/ethernet/intel/igc/igc_hw.h", [nic!("8086", "15F3")];
    "ixgbe", "Intel 82599 and X540", "drivers/net/ethernet/intel/ixgbe/ixgbe_type.h", [nic!("8086", "10FB"), nic!("8086", "1528")];
    "i40e", "Intel X710 and XL710", "drivers/net/ethernet/intel/i40e/i40e_devids.h", [nic!("8086", "1572"), nic!("8086", "1583")];
    "ice", "Intel E810", "drivers/net/ethernet/intel/ice/ice_devids.h", [nic!("8086", "1592"), nic!("8086", "1593")];
    "tg3", "Broadcom BCM5720", "drivers/net/ethernet/broadcom/tg3.h", [nic!("14E4", "165F")];
    "bnx2x", "Broadcom BCM57810", "drivers/net/ethernet/broadcom/bnx2x/bnx2x_main.c", [nic!("14E4", "168E")];
    "bnxt_en", "Broadcom BCM57414 and BCM57508", "drivers/net/ethernet/broadcom/bnxt/bnxt.c",
        [nic!("14E4", "16D7"), nic!("14E4", "1750")];
    "mlx5_core", "NVIDIA ConnectX-4 Lx, ConnectX-5 and ConnectX-6 Dx", "drivers/net/ethernet/mellanox/mlx5/core/main.c",
        [nic!("15B3", "1015"), nic!("15B3", "1017"), nic!("15B3", "101D")];
    "r8169", "Realtek RTL8168", "drivers/net/ethernet/realtek/r8169_main.c", [nic!("10EC", "8168")];
}

/// The preset with this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    ALL.iter().find(|preset| preset.name == name)
}

/// All devices of these.
pub fn hardware(presets: &[&Preset]) -> Hardware {
    let modaliases = presets.iter().flat_map(|preset| preset.modaliases).map(|text| (*text).to_owned());
    Hardware { modaliases: modaliases.collect() }
}
