//! What usually brings each code about: the column of the handbook that the code's own line has no room for.
//!
//! The match is exhaustive on purpose: a code without a cause doesn't compile. Causes are facts of the agent; when it judges
//! anew, its sentence here changes too.

use super::Code;

impl Code {
    /// What usually brings it about, one sentence or two.
    pub fn cause(self) -> &'static str {
        match self {
            Self::NoHost => {
                "The machine's MAC addresses, UUID and serial are in no `match` of a host on the stick or in the tree: a card or a board was exchanged, the medium is of another site or room, or the host was armed after the medium was made."
            }
            Self::ManyHosts => {
                "Two hosts of the medium match this machine, for example one by MAC and one by serial; nobody can say which is meant."
            }
            Self::OrderSignature => {
                "The site has another key than the one that the medium's initramfs was built with, files of two bundles were mixed, a file of the medium is damaged, or somebody changed the order."
            }
            Self::OrderExpired => {
                "Orders hold for a limited time (`arm` says until when), and the trusted time is after it; or the order begins later than now."
            }
            Self::OrderVersion => {
                "The order or the manifest was written by another version of ironstrap than the agent of this medium."
            }
            Self::OrderStale => {
                "The host was armed again, and an install under that newer order began on a disk of this machine; now it was started with an old stick or a tree that was left behind."
            }
            Self::OrderClaimed => {
                "The disk was exchanged after the install had begun, `storage.target` means another disk of the machine than it did then, or the disk is a copy of the one that was begun on. A claim on a disk or the recorder of the stick tells."
            }
            Self::OrderDone => {
                "The machine started from the stick or the network again, which is no mistake: a done order never installs twice."
            }
            Self::BundleTime => {
                "The initramfs lacks the file with that time, or holds something else in its place: it was repacked by hand, or was damaged on a worn-out stick."
            }
            Self::ClockUnknown => {
                "The battery of the machine's clock is empty (it shows a time before the medium was made, or more than 15 years after that), and neither the site's server, nor the recorder of the stick, nor a disk of this host told the time."
            }
            Self::OrderFailed => {
                "Runs were cut off or failed again and again: a disk with faults, a server that can't be reached, power that goes."
            }
            Self::OrderRevoked => {
                "The host was disarmed, or armed anew, after this medium or tree was made; the server or the tree's signed list of revoked orders told the machine."
            }
            Self::NoDisk => {
                "The disk that `storage.target` describes isn't in the machine, its driver isn't in the image's kernel, or the controller hides it (RAID mode). Or it is one that is never taken: the boot medium, a removable disk, a disk in a network that isn't named by its wwn."
            }
            Self::ManyDisks => {
                "`storage.target` describes more than one disk of this machine, for example two of the same model and size."
            }
            Self::ForeignData => {
                "There is a file system, RAID, LVM or other content on the disk that no install of this site left there, or one by a key that the site has retired."
            }
            Self::DiskTooSmall => "The image's disk layout is longer than the disk.",
            Self::SectorSize => {
                "The disk has logical blocks of another length than those that the image's partition table is written for, mostly 4096 bytes instead of 512."
            }
            Self::DuplicateRoot => {
                "The same image is on another disk of this machine, from an earlier install or as a copy: all installs of an image have its root UUID, and the kernel finds its root by that."
            }
            Self::DiskReadOnly => {
                "A switch of the disk or card, the firmware (HPE, some NVMe at the end of their life) or the controller forbids writes."
            }
            Self::ImageUnsupported => {
                "The image enables no network stack that ironstrap configures, has a partition table that the agent can't carry over to this disk, or brings along the signature of a second file system. Or the tree holds another image's manifest in the place of the order's."
            }
            Self::Cancelled => "Somebody stood at the console and said no. Nothing was written.",
            Self::DiskChanged => {
                "Somebody plugged a disk, another system writes to a shared disk, or a controller renumbered its disks during the countdown."
            }
            Self::FirmwareRefuses => {
                "No certificate that the firmware trusts vouches for the image's shim (machines of before 2023 trust Microsoft's CA of 2011, some newer ones only that of 2023), the firmware or an update of it has forbidden it or its GRUB (dbx), or one of them is older than the machine's SBAT level allows."
            }
            Self::NetworkDown => {
                "No link at the interface that the host names, no answer of a DHCP server, or the driver of the card isn't in the image's kernel."
            }
            Self::PayloadUnreachable => {
                "The server of the order doesn't run, a firewall or a missing route is between, the tree was moved, or a stick was pulled."
            }
            Self::PayloadDamaged => {
                "The stick or the server's disk has faults, something between changed the transfer, or the tree is of another bundle than the order."
            }
            Self::DiskIo => {
                "The disk reported an error, was pulled, or couldn't be opened since something else holds it."
            }
            Self::ReadBack => {
                "A disk, cable, controller or memory that changes bytes silently, or a disk that doesn't hold the zeroes that were written; counterfeit flash behaves this way beyond its true size."
            }
            Self::Personalise => {
                "The image's file system is full or damaged, or lacks something that the host's accounts, network or files need."
            }
            Self::Internal => {
                "A mistake in ironstrap, or the agent's worker was ended by the kernel, as when memory ran out."
            }
            Self::Other => "The event was written by a newer ironstrap than this one.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_what_it_means_why_it_comes_and_what_to_do() {
        for code in Code::ALL {
            assert!(code.meaning().ends_with(['.', ')']), "{code}: {}", code.meaning());
            assert!(code.cause().ends_with('.') && code.cause().len() > 20, "{code}: {}", code.cause());
            assert!(!code.advice().is_empty(), "{code}");
            assert!(!format!("{}{}", code.cause(), code.advice()).contains('\n'), "{code}");
        }
    }
}
