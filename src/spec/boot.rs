//! Where things stand in the initramfs, in the ESP and on the kernel command line: agreed between `boot`/`bundle` and the agent.

use crate::value::{HostName, OrderId};

/// How the loader started the agent. Its word on the kernel command line also tells the binary that it is the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartedFrom {
    /// A stick, or another medium in the machine.
    Stick,
    /// Another machine, by PXE.
    Network,
}

impl StartedFrom {
    /// The word on the kernel command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stick => "ironstrap=usb",
            Self::Network => "ironstrap=pxe",
        }
    }

    /// What a kernel command line says; the first word counts. `None` when the kernel wasn't booted for an install.
    pub fn in_command_line(line: &str) -> Option<Self> {
        let ways = [Self::Stick, Self::Network];
        line.split_ascii_whitespace().find_map(|word| ways.into_iter().find(|way| way.word() == word))
    }
}

/// What a server remembers of an order: the line that `GET /v1/orders/ID` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// Nobody said that it is done.
    Waits,
    /// An install by it was committed.
    Done,
    /// Nobody may carry it out any more.
    Revoked,
}

impl OrderState {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Done => "done",
            Self::Revoked => "revoked",
        }
    }

    /// What an answer says; `None` for anything else.
    pub fn in_answer(text: &str) -> Option<Self> {
        [Self::Waits, Self::Done, Self::Revoked].into_iter().find(|state| state.word() == text.trim_end())
    }
}

/// The site's public key in minisign's format, in the first initramfs.
pub const PUBLIC_KEY: &str = "etc/ironstrap/site.pub";
/// The keys that the site had before and hasn't retired, beside it, one a line; no file where there are none. Claims on disks may be
/// sealed with them; orders are the other one's.
pub const FORMER_KEYS: &str = "etc/ironstrap/former.pub";
/// Directory of orders in the second initramfs: `<host>.json` and `<host>.json.minisig`.
pub const ORDERS: &str = "etc/ironstrap/orders";
/// The bundle's time (RFC 3339) in the second initramfs: no right clock is below it. Not signed, unlike the times of the orders; it
/// only raises the floor that these make.
pub const BUNDLE_TIME: &str = "etc/ironstrap/time";
/// Kernel modules in the first initramfs, as `lib/modules/<release>/…` with `modules.dep`, `modules.alias`, `modules.softdep`.
pub const MODULES: &str = "lib/modules";
/// Longest initramfs that is built, in bytes: firmware's memory is small, and GRUB drops what doesn't fit.
pub const MAX_INITRAMFS: u64 = 64 << 20;

/// Where a server answers with the [`OrderState`] of an order. A tree has a file of this name for each revoked one, so that any
/// web server can answer.
pub fn order_state_path(order: &OrderId) -> String {
    format!("v1/orders/{order}")
}

/// Path in the initramfs of a host's order.
pub fn order_path(host: &HostName) -> String {
    format!("{ORDERS}/{host}.json")
}

/// Path in the installed ESP of the file that says an order is done, as GRUB sees it; its directory tells GRUB that ironstrap
/// installed what is there.
pub fn done_file(order: &OrderId) -> String {
    format!("/EFI/ironstrap/done-{order}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_says_how_the_agent_was_started() {
        let started = StartedFrom::in_command_line;
        assert_eq!(
            started("BOOT_IMAGE=/kernel ironstrap=usb quiet ironstrap=pxe\n"),
            Some(StartedFrom::Stick)
        );
        assert_eq!(started("ironstrap=pxe console=ttyS0"), Some(StartedFrom::Network));
        for other in ["", "BOOT_IMAGE=/vmlinuz-ironstrap root=/dev/sda2", "host=ironstrap=usb", "ironstrap=x"]
        {
            assert_eq!(started(other), None, "{other}");
        }
    }
}
