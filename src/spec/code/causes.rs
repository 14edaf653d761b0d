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
                "The site has another key than the one that the medium's initramfs was built with, files of two bundles were mixed, or somebody changed the order."
            }
            Self::OrderExpired => {
                "Orders hold for a limited time (`arm` says until when), and the trusted time is after it; or the order begins later than now."
            }
            Self::OrderVersion => "The order was written by a newer ironstrap than the agent of this medium.",
            Self::OrderStale => {
                "The host was armed again and installed since; somebody started the machine with an old stick or a tree that was left behind."
            }
            Self::OrderClaimed => {
                "A disk was moved between machines, or the machine got another disk after an install under this order had begun."
            }
            Self::OrderDone => {
                "The machine started from the stick or the network again, which is no mistake: a done order never installs twice."
            }
            Self::BundleTime => "A file of the medium is missing or was damaged, as on a worn-out stick.",
            Self::ClockUnknown => {
                "The battery of the machine's clock is empty (it shows a time before the medium was made), and neither the site's server nor the recorder of the stick told a later time."
            }
            Self::OrderFailed => {
                "Each run was cut off or failed by the same mistake: a disk with faults, a server that can't be reached, power that goes."
            }
            Self::OrderRevoked => {
                "The host was disarmed, or armed anew, after this medium or tree was made; the server or the tree's signed list of revoked orders told the machine."
            }
            Self::NoDisk => {
                "The disk that `storage.target` describes isn't in the machine, its driver isn't in the agent, or the controller hides it (RAID mode)."
            }
            Self::ManyDisks => {
                "`storage.target` describes more than one disk of this machine, for example two of the same model and size."
            }
            Self::ForeignData => {
                "There is a file system, RAID, LVM or other content on the disk that no install of this site left there, or one by a key that the site has retired."
            }
            Self::DiskTooSmall => "The image's disk layout is longer than the disk.",
            Self::SectorSize => {
                "The disk has logical blocks of 4096 bytes; the image's partition table is written for 512."
            }
            Self::DuplicateRoot => {
                "The same image was installed on another disk of this machine earlier, or a copy of the disk is still plugged in."
            }
            Self::DiskReadOnly => {
                "A switch of the disk or card, the firmware (HPE, some NVMe at the end of their life) or the controller forbids writes."
            }
            Self::ImageUnsupported => {
                "The image was imported from elsewhere and has something that the agent can't make a host's own."
            }
            Self::Cancelled => "Somebody stood at the console and said no. Nothing was written.",
            Self::DiskChanged => {
                "Somebody plugged a disk, another system writes to a shared disk, or a controller renumbered its disks during the countdown."
            }
            Self::NetworkDown => {
                "No link at the interface that the host names, no answer of a DHCP server, or the driver of the card isn't in the agent."
            }
            Self::PayloadUnreachable => {
                "The server of the order doesn't run, a firewall or a missing route is between, the tree was moved, or a stick was pulled."
            }
            Self::PayloadDamaged => {
                "The stick or the server's disk has faults, something between changed the transfer, or the tree is of another bundle than the order."
            }
            Self::DiskIo => "The disk reported an error, or was pulled.",
            Self::ReadBack => {
                "A disk, cable, controller or memory that changes bytes silently; counterfeit flash behaves this way beyond its true size."
            }
            Self::Personalise => {
                "The image's file system is full or damaged, or lacks something that the host's accounts, network or files need."
            }
            Self::Internal => "A mistake in ironstrap.",
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
