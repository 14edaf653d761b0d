//! What the events of a medium's hosts prove, told when it is built.

use crate::site::media::MediumKind;
use crate::spec::order::InstallOrder;

/// A line for whoever builds the medium; empty where no host tells anybody anything.
pub fn by<'a>(kind: MediumKind, mut orders: impl Iterator<Item = &'a InstallOrder>) -> String {
    if !orders.any(|order| order.server.is_some()) {
        return String::new();
    }
    match kind {
        MediumKind::Usb => "events of these hosts prove that their sender has the stick, or a copy of it\n",
        MediumKind::Pxe => {
            "events of these hosts prove that their sender has the order's archive, which whoever reaches the server can fetch; see docs/serving.md\n"
        }
    }
    .to_owned()
}
