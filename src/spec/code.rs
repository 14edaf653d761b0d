//! Stable names of everything that can go wrong on a target.
//!
//! A code never changes its meaning and is never used again. Tests, dashboards and manuals cite it.

use serde::{Deserialize, Serialize};

mod causes;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $advice:literal;)*) => {
        /// Why an install was refused or failed. Written as its stable name; unknown names are kept out by the writer and
        /// read as `Other` by older readers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant,)*
            /// A code that this version doesn't know (reading only).
            #[serde(other, rename = "IS-OTHER")]
            Other,
        }

        impl Code {
            /// All codes that can be written, for the handbook and tests.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* Code::Other => "IS-OTHER" }
            }

            /// What it means, one sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Code::$variant => concat!($($doc),*).trim_ascii(),)*
                    Code::Other => "A code of a newer ironstrap.",
                }
            }

            /// What the operator should do, one sentence.
            pub fn advice(self) -> &'static str {
                match self { $(Code::$variant => $advice,)* Code::Other => "look the code up in the manual of the ironstrap that wrote it" }
            }
        }
    };
}

codes! {
    /// No order on this medium is for this machine.
    NoHost = "IS-101", "add the machine's MAC, UUID or serial to a host profile, arm it and build the medium again";
    /// Several orders on this medium match this machine.
    ManyHosts = "IS-102", "make the match rules of these hosts exclude each other";
    /// The order's signature is not by the site's key, or its bytes were changed.
    OrderSignature = "IS-103", "build the medium again with the key whose public half is in the initramfs";
    /// The order's validity has ended or not begun.
    OrderExpired = "IS-104", "arm the host again and build the medium again";
    /// The format of the order, or of its image's manifest, is unknown to this agent.
    OrderVersion = "IS-105", "build the medium with one ironstrap throughout";
    /// The order has an older generation than the one this disk was claimed with.
    OrderStale = "IS-106", "this medium is older than the last install of this disk; use the newest one";
    /// An install under this order had begun on another disk.
    OrderClaimed = "IS-107", "an order is good for one disk; arm the host again if it has a new disk";
    /// The order is done on this machine.
    OrderDone = "IS-108", "the machine is installed; boot its disk, or arm the host again to reinstall it";
    /// The time below which no clock can be right is missing on the medium or damaged.
    BundleTime = "IS-109", "build the medium again; if it happens again, replace the stick";
    /// The machine's clock is wrong and nothing vouches for the time, so nobody knows whether the order still holds.
    ClockUnknown = "IS-110", "set the machine's clock in its firmware setup, or let it reach the site's server; for machines that can do neither there is `policy: { allow_dead_clock: true }`, after which the medium is built again";
    /// Runs under this order failed as often as an order is tried.
    OrderFailed = "IS-111", "mend what failed (the recorder and `status` name it), then arm the host again";
    /// The order was revoked: its host was disarmed, or armed anew.
    OrderRevoked = "IS-112", "if the machine is to be installed after all, arm the host again, build the medium again and restart the machine";
    /// No disk matches the selector.
    NoDisk = "IS-201", "compare the disks listed above with `storage.target`";
    /// Several disks match the selector.
    ManyDisks = "IS-202", "name the disk by serial or wwn in `storage.target`";
    /// The disk holds data that is not ours.
    ForeignData = "IS-203", "if it may be lost, name the disk by serial or wwn in `storage.target`, set `storage: { wipe: foreign }` and arm the host again, or erase the whole disk (`blkdiscard`, `nvme format`, or overwrite it; `wipefs` and `sgdisk --zap-all` leave the data)";
    /// The disk is smaller than the image.
    DiskTooSmall = "IS-204", "use a larger disk or a smaller image";
    /// The disk's logical block size isn't supported.
    SectorSize = "IS-205", "use a disk with 512-byte logical blocks, or reformat the namespace to 512";
    /// Another disk carries a file system with the image's root UUID.
    DuplicateRoot = "IS-206", "remove or wipe the other disk: the kernel could mount the wrong root";
    /// The disk refuses writes.
    DiskReadOnly = "IS-207", "remove the write protection of the disk";
    /// The image can't be installed by this agent (no known network stack, stray signatures, …).
    ImageUnsupported = "IS-208", "the message says what it is: mend it in the image (`ironstrap image inspect` shows what an image holds), import or build it again, lock it, and arm the host again";
    /// A key was pressed during the countdown.
    Cancelled = "IS-209", "start the machine again to get a new countdown";
    /// Between the plan and the claim the target became another disk or got other content.
    DiskChanged = "IS-210", "find out what plugged or wrote the disk, then start the machine again";
    /// With Secure Boot on, this machine would not start the image.
    FirmwareRefuses = "IS-211", "the message names what is missing: update the machine's firmware (its db), or make the image anew with a newer shim and GRUB, lock it and arm the host again; or turn Secure Boot off in the firmware setup";
    /// No network although the order needs one.
    NetworkDown = "IS-301", "check cable, switch port and the host's `network` section";
    /// The payload can't be reached or stopped arriving.
    PayloadUnreachable = "IS-302", "check that the server runs and that the target reaches its address";
    /// The payload's bytes aren't those that were signed.
    PayloadDamaged = "IS-303", "build the medium or tree again from an undamaged store (`ironstrap image verify`)";
    /// Reading or writing the disk failed.
    DiskIo = "IS-401", "the message names the byte and its LBA, what couldn't be opened, or that the disk's cache couldn't be flushed: release the disk if something holds it, else replace it, its cable or its controller";
    /// What was read back differs from what was written.
    ReadBack = "IS-402", "the message names the place: replace the disk, its controller or its cable";
    /// Mounting or changing the installed system failed.
    Personalise = "IS-403", "the log says which file; the disk isn't bootable and the install can be started again";
    /// The agent met a state it doesn't know; a bug.
    Internal = "IS-900", "report the log to ironstrap's developers";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<Code>(&json).unwrap(), *code);
        }
        assert_eq!(serde_json::from_str::<Code>("\"IS-999\"").unwrap(), Code::Other);
    }
}
