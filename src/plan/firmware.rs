//! Whether the firmware of a machine would start an image, and shim on it the image's GRUB: asked before anything is wiped.
//!
//! As UEFI (section 32.5.3) and edk2 have it: a program is started when one of its signatures leads to a certificate of `db`, or `db`
//! has its hash; not when any of its signatures leads to a certificate of `dbx`, or `dbx` has its hash. As shim has it: then it
//! raises the SBAT level to the one that it brings along, if that is later, and starts neither itself nor GRUB below it.
//!
//! Nothing is refused on a guess: where the facts or the order don't say enough, that is told and the install goes on. Not judged:
//! whether shim trusts who signed GRUB, and shim's own list of what it doesn't start.

use std::collections::BTreeSet;

use crate::spec::Code;
use crate::spec::facts::{Machine, SecureBoot};
use crate::spec::order::InstallOrder;
use crate::spec::plan::Refusal;
use crate::spec::secure_boot::{FirmwareTrust, Loaders, Program, SbatLevel, SignatureDatabase};

/// What becomes of an image's loaders on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They are started.
    Starts,
    /// They aren't: why, and what helps.
    Refuses(String),
    /// That isn't known: why.
    Unknown(String),
}

/// Refuses an order whose image this machine wouldn't start.
pub(super) fn check_firmware(order: &InstallOrder, machine: &Machine) -> Result<(), Refusal> {
    match judge(order.loaders.as_ref(), machine) {
        Verdict::Refuses(why) => {
            let message = format!("image {} would not start on this machine: {why}", order.image.image);
            Err(Refusal::new(Code::FirmwareRefuses, message))
        }
        Verdict::Starts | Verdict::Unknown(_) => Ok(()),
    }
}

/// What isn't known about whether this machine starts the order's image: for a note, since nothing is refused for it.
pub fn firmware_doubt(order: &InstallOrder, machine: &Machine) -> Option<String> {
    match judge(order.loaders.as_ref(), machine) {
        Verdict::Unknown(why) => Some(format!(
            "Secure Boot is on, and whether it starts image {} isn't known: {why}",
            order.image.image
        )),
        Verdict::Starts | Verdict::Refuses(_) => None,
    }
}

/// Judges loaders by what a machine trusts.
pub fn judge(loaders: Option<&Loaders>, machine: &Machine) -> Verdict {
    if machine.secure_boot != SecureBoot::On {
        return Verdict::Starts;
    }
    let Some(trust) = &machine.firmware else {
        return Verdict::Unknown("what the firmware trusts (db, dbx) couldn't be read".to_owned());
    };
    let Some(loaders) = loaders else {
        return Verdict::Unknown("the order doesn't say who signed the image's loaders".to_owned());
    };
    let verdict = by_firmware(&loaders.shim, trust);
    if verdict != Verdict::Starts || trust.shim_is_lax {
        return verdict;
    }
    by_shim(loaders, trust).map_or(Verdict::Starts, Verdict::Refuses)
}

/// What the firmware does with a shim.
fn by_firmware(shim: &Program, FirmwareTrust { db, dbx, .. }: &FirmwareTrust) -> Verdict {
    if let Some(why) = forbidden(shim, dbx) {
        return Verdict::Refuses(format!(
            "the firmware's list of what must not start (dbx) {why} its shim; use an image with a newer shim (package shim-signed or shim-x64)"
        ));
    }
    if db.programs.contains(&shim.digest) || voucher(shim, db).is_some() {
        return Verdict::Starts;
    }
    if db.others > 0 {
        return Verdict::Unknown(format!(
            "{} entries of the firmware's db are of kinds that aren't known here",
            db.others
        ));
    }
    let wanted: BTreeSet<_> =
        shim.signatures.iter().filter_map(|chain| Some(chain.first()?.issuer_name())).collect();
    let trusted: BTreeSet<_> = db.certificates.iter().map(|certificate| certificate.name()).collect();
    let trusts = match trusted.is_empty() {
        true => "the firmware's db trusts nobody".to_owned(),
        false => format!("the firmware's db trusts only {}", quoted(&trusted)),
    };
    Verdict::Refuses(match wanted.is_empty() {
        true => format!("its shim isn't signed, and {trusts}; use an image with a signed shim"),
        false => format!(
            "its shim is signed by {}, and {trusts}; update the machine's firmware, or its db, so that it trusts one of the former, or use an image whose shim (package shim-signed or shim-x64) one of the latter signed",
            quoted(&wanted)
        ),
    })
}

/// Why shim stops, itself or before GRUB.
fn by_shim(loaders: &Loaders, trust: &FirmwareTrust) -> Option<String> {
    let Loaders { shim, grub, raises } = loaders;
    let level = SbatLevel::later(trust.sbat_level.as_ref(), raises.as_ref());
    let too_old = |program: &Program, what: &str| {
        let level = level?;
        let (component, own, wanted) = program.sbat.below(level)?;
        let by = if trust.sbat_level.as_ref() == Some(level) { "this machine's" } else { "its shim's" };
        Some(format!(
            "its {what} is generation {own} of `{component}`, and {by} SBAT level of {} wants {wanted}; use an image with a newer {what}",
            level.made()
        ))
    };
    // a shim that is older than SBAT asks for none
    let asks = !shim.sbat.is_empty();
    if let Some(why) = asks.then(|| too_old(shim, "shim")).flatten() {
        return Some(why);
    }
    if let Some(why) = forbidden(grub, &trust.dbx) {
        return Some(format!(
            "the firmware's list of what must not start (dbx) {why} its GRUB; use an image with a newer GRUB"
        ));
    }
    if asks && grub.sbat.is_empty() {
        return Some("its GRUB has no SBAT section, without which its shim doesn't start it; use an image with a newer GRUB".to_owned());
    }
    asks.then(|| too_old(grub, "GRUB")).flatten()
}

/// How `dbx` forbids a program, in words between `dbx` and the program; `None` where it doesn't. One signature will do, whoever else
/// signed it.
fn forbidden(program: &Program, dbx: &SignatureDatabase) -> Option<String> {
    if dbx.programs.contains(&program.digest) {
        return Some("has the hash of".to_owned());
    }
    if let Some(name) = voucher(program, dbx) {
        return Some(format!("has {name}, which vouches for"));
    }
    let mut signers = program.signatures.iter().flatten();
    let signer = signers.find(|signer| dbx.bodies.contains(&signer.body))?;
    Some(format!("has `{}`, which vouches for", signer.certificate.name()))
}

/// The certificate of a database that one of the program's signatures leads to.
fn voucher(program: &Program, database: &SignatureDatabase) -> Option<String> {
    let mut certificates = database.certificates.iter();
    let vouches = certificates.find(|certificate| {
        program.signatures.iter().flatten().any(|signer| certificate.vouches_for(signer))
    })?;
    Some(format!("`{}`", vouches.name()))
}

fn quoted(names: &BTreeSet<&str>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
