//! Whether the firmware of a machine would start an image, and shim on it the image's GRUB: asked before anything is wiped.
//!
//! As edk2 has it (`DxeImageVerificationLib`), which most firmwares are made from: a program isn't started when `dbx` has its hash, a
//! certificate that vouches for any of its signatures, or the hash of a certificate that made one. Otherwise it is when `db` has its
//! hash, or a certificate that vouches for a signature and whose own hash isn't in `dbx`. As shim has it (`shim.c`, `verify.c`): first it
//! raises the SBAT level to the one that it brings along, if that is later, and stops when it is itself below it; only then it asks
//! whether it shall verify nothing; if it verifies, then each signature of GRUB by itself, by whole certificates of `dbx`, and GRUB's
//! generations.
//!
//! Nothing is refused on a guess: where the facts or the order don't say enough, or firmwares differ, that is told and the install
//! goes on. Not judged: see docs/secure-boot.md.

use std::collections::BTreeSet;

use crate::spec::Code;
use crate::spec::facts::{Machine, SecureBoot};
use crate::spec::order::InstallOrder;
use crate::spec::plan::Refusal;
use crate::spec::secure_boot::{
    Certificate, FirmwareTrust, Loaders, Program, Sbat, SbatLevel, ShownLevel, SignatureDatabase, Signer,
};
use crate::value::Digest;

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

impl Verdict {
    /// That of a whole of which both are parts.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Refuses(why), _) | (_, Self::Refuses(why)) => Self::Refuses(why),
            (Self::Unknown(one), Self::Unknown(other)) => Self::Unknown(format!("{one}; {other}")),
            (Self::Unknown(why), Self::Starts) | (Self::Starts, Self::Unknown(why)) => Self::Unknown(why),
            (Self::Starts, Self::Starts) => Self::Starts,
        }
    }
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
    let asked = match machine.secure_boot {
        SecureBoot::Unread => "whether Secure Boot is on, and then",
        SecureBoot::On | SecureBoot::Off | SecureBoot::Absent => "Secure Boot is on, and whether it",
    };
    match judge(order.loaders.as_ref(), machine) {
        Verdict::Unknown(why) => {
            Some(format!("{asked} starts image {}, isn't known: {why}", order.image.image))
        }
        Verdict::Starts | Verdict::Refuses(_) => None,
    }
}

/// Judges loaders by what a machine trusts.
pub fn judge(loaders: Option<&Loaders>, machine: &Machine) -> Verdict {
    match machine.secure_boot {
        SecureBoot::Off | SecureBoot::Absent => return Verdict::Starts,
        SecureBoot::Unread => {
            return Verdict::Unknown("the firmware's variables (efivarfs) couldn't be read".to_owned());
        }
        SecureBoot::On => {}
    }
    let Some(trust) = &machine.firmware else {
        return Verdict::Unknown("what the firmware trusts (db, dbx) couldn't be read".to_owned());
    };
    let Some(loaders) = loaders else {
        return Verdict::Unknown("the order doesn't say who signed the image's loaders".to_owned());
    };
    let Loaders { shim, grub, .. } = loaders;
    let level = Level::of(loaders, trust);
    let mut verdict = by_firmware(shim, trust);
    // a shim that is older than SBAT asks for none
    let asks = shim.sbat != Sbat::Absent;
    if asks {
        verdict = verdict.and(level.lets_start(shim, "shim")).and(level.doubt());
    }
    // it is asked to verify nothing when it has judged itself already
    if !trust.shim_is_lax {
        verdict = verdict.and(by_shim(grub, trust));
        if asks {
            verdict = verdict.and(level.lets_start(grub, "GRUB"));
        }
    }
    verdict.and(match trust.dbx.others {
        0 => Verdict::Starts,
        others => Verdict::Unknown(format!(
            "{others} entries of the firmware's dbx are of kinds that aren't known here"
        )),
    })
}

/// What the firmware does with a shim.
fn by_firmware(shim: &Program, trust: &FirmwareTrust) -> Verdict {
    let FirmwareTrust { db, dbx, .. } = trust;
    if let Some(why) = forbidden(shim, dbx) {
        return Verdict::Refuses(format!(
            "the firmware's list of what must not start (dbx) {why} its shim; use an image with a newer shim (package shim-signed or shim-x64)"
        ));
    }
    let revoked = revoked_above(shim, trust);
    let by_signature = shim.signatures.iter().map(|chain| standing(chain, trust)).max();
    let standing = match db.programs.contains(&shim.digest) {
        true => Standing::Stands,
        false => by_signature.unwrap_or(Standing::Falls),
    };
    match standing {
        Standing::Stands if revoked.is_empty() => Verdict::Starts,
        Standing::Stands => Verdict::Unknown(format!(
            "the firmware's dbx has the hash of {}, which vouches for a signature of its shim, and firmwares differ in whether anything else counts then",
            quoted(&revoked)
        )),
        Standing::NotSaid => Verdict::Unknown(
            "the firmware's dbx forbids certificates by hash, and these facts, of an earlier version, don't have the hashes of those in its db; record them anew"
                .to_owned(),
        ),
        Standing::Falls if db.others > 0 => Verdict::Unknown(format!(
            "{} entries of the firmware's db are of kinds that aren't known here",
            db.others
        )),
        Standing::Falls => Verdict::Refuses(without_voucher(shim, db, &revoked)),
    }
}

/// Why no signature of a shim counts, and what helps.
fn without_voucher(shim: &Program, db: &SignatureDatabase, revoked: &BTreeSet<&str>) -> String {
    if !revoked.is_empty() {
        return format!(
            "the firmware's list of what must not start (dbx) has the hash of {}, without which its db trusts no signature of its shim; use an image whose shim (package shim-signed or shim-x64) another authority signed",
            quoted(revoked)
        );
    }
    let wanted: BTreeSet<_> =
        shim.signatures.iter().filter_map(|chain| Some(chain.first()?.issuer_name())).collect();
    let trusted: BTreeSet<_> = db.certificates.iter().map(|certificate| certificate.name()).collect();
    let trusts = match trusted.is_empty() {
        true => "the firmware's db trusts nobody".to_owned(),
        false => format!("the firmware's db trusts only {}", quoted(&trusted)),
    };
    match wanted.is_empty() {
        true => format!("its shim isn't signed, and {trusts}; use an image with a signed shim"),
        false => format!(
            "its shim is signed by {}, and {trusts}; update the machine's firmware, or its db, so that it trusts one of the former, or use an image whose shim (package shim-signed or shim-x64) one of the latter signed",
            quoted(&wanted)
        ),
    }
}

/// How `dbx` forbids a shim, in words between `dbx` and the program; `None` where it doesn't. One signature will do, whoever else
/// signed it.
fn forbidden(shim: &Program, dbx: &SignatureDatabase) -> Option<String> {
    if dbx.programs.contains(&shim.digest) {
        return Some("has the hash of".to_owned());
    }
    if let Some(certificate) = shim.signatures.iter().find_map(|chain| vouchers(chain, dbx).next()) {
        return Some(format!("has `{}`, which vouches for", certificate.name()));
    }
    let signer = shim.signatures.iter().filter_map(|chain| chain.first()).find(|it| is_revoked(it, dbx))?;
    Some(format!("has the hash of `{}`, which signed", signer.certificate.name()))
}

/// What a signature is worth, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// No certificate of `db` vouches for it, or only those that `dbx` has the hashes of.
    Falls,
    /// One does, and whether `dbx` has its hash isn't in the facts.
    NotSaid,
    /// One does, and counts.
    Stands,
}

fn standing(chain: &[Signer], FirmwareTrust { db, dbx, .. }: &FirmwareTrust) -> Standing {
    let worth = |anchor: &Certificate| match body(anchor, chain) {
        _ if dbx.bodies.is_empty() => Standing::Stands,
        None => Standing::NotSaid,
        Some(body) if dbx.bodies.contains(&body) => Standing::Falls,
        Some(_) => Standing::Stands,
    };
    vouchers(chain, db).map(worth).max().unwrap_or(Standing::Falls)
}

/// Names of certificates that vouch for a shim's signatures, and whose hashes are in `dbx`.
fn revoked_above<'a>(
    shim: &'a Program,
    FirmwareTrust { db, dbx, .. }: &'a FirmwareTrust,
) -> BTreeSet<&'a str> {
    let above = |chain: &'a Vec<Signer>| {
        let brought = chain.iter().skip(1).filter(|it| is_revoked(it, dbx)).map(|it| it.certificate.name());
        let is_revoked = |it: &&Certificate| body(it, chain).is_some_and(|body| dbx.bodies.contains(&body));
        brought.chain(vouchers(chain, db).filter(is_revoked).map(Certificate::name))
    };
    shim.signatures.iter().flat_map(above).collect()
}

fn is_revoked(signer: &Signer, dbx: &SignatureDatabase) -> bool {
    signer.certificate.body.is_some_and(|body| dbx.bodies.contains(&body))
}

/// The hash of what is signed in a firmware's certificate: as the facts have it, or the signature, if that brings the certificate along.
fn body(certificate: &Certificate, chain: &[Signer]) -> Option<Digest> {
    let same = || chain.iter().find(|it| it.certificate.digest == certificate.digest)?.certificate.body;
    certificate.body.or_else(same)
}

/// The certificates of a database that a signature leads to.
fn vouchers<'a>(
    chain: &'a [Signer],
    database: &'a SignatureDatabase,
) -> impl Iterator<Item = &'a Certificate> {
    database.certificates.iter().filter(|it| chain.iter().any(|signer| it.vouches_for(signer)))
}

/// What shim does with a GRUB for the sake of `db` and `dbx`.
fn by_shim(grub: &Program, FirmwareTrust { db, dbx, .. }: &FirmwareTrust) -> Verdict {
    let why = |it: &str| format!("the firmware's list of what must not start (dbx) {it} its GRUB");
    let helps = "use an image with a newer GRUB";
    if dbx.programs.contains(&grub.digest) {
        return Verdict::Refuses(format!("{}; {helps}", why("has the hash of")));
    }
    if db.programs.contains(&grub.digest) || dbx.certificates.is_empty() {
        return Verdict::Starts;
    }
    let struck: BTreeSet<_> =
        grub.signatures.iter().filter_map(|chain| Some(vouchers(chain, dbx).next()?.name())).collect();
    let is_struck = |chain: &Vec<Signer>| vouchers(chain, dbx).next().is_some();
    if grub.unread > 0 {
        return Verdict::Unknown(format!(
            "{} signatures of its GRUB can't be read, and the firmware's dbx forbids those of some authorities",
            grub.unread
        ));
    }
    if struck.is_empty() {
        return Verdict::Starts;
    }
    let why = why(&format!("has {}, which vouches for", quoted(&struck)));
    match grub.signatures.iter().all(is_struck) {
        true => Verdict::Refuses(format!("{why}; {helps}")),
        false => Verdict::Unknown(format!(
            "{why}, and whether its shim trusts who else signed that isn't known here"
        )),
    }
}

/// The level that holds when an image's shim has started.
struct Level<'a> {
    /// The machine's, as far as it is known.
    machines: Option<&'a ShownLevel>,
    in_force: Option<&'a SbatLevel>,
}

impl<'a> Level<'a> {
    fn of(loaders: &'a Loaders, trust: &'a FirmwareTrust) -> Self {
        let machines = trust.sbat_level.as_ref();
        let in_force = SbatLevel::in_force(machines.and_then(ShownLevel::known), loaders.raises.as_ref());
        Self { machines, in_force }
    }

    /// Whether shim goes on with a program; it counts itself among them.
    fn lets_start(&self, program: &Program, what: &str) -> Verdict {
        let generations = match &program.sbat {
            Sbat::Says(generations) => generations,
            Sbat::Absent => {
                return Verdict::Refuses(format!(
                    "its {what} has no SBAT section, without which its shim doesn't start it; use an image with a newer {what}"
                ));
            }
            Sbat::Malformed => {
                return Verdict::Unknown(format!("the SBAT section of its {what} isn't well-formed"));
            }
        };
        let Some(level) = self.in_force else { return Verdict::Starts };
        let Some((component, own, wanted)) = generations.below(level) else { return Verdict::Starts };
        let by = if self.machines.and_then(ShownLevel::known) == Some(level) {
            "this machine's"
        } else {
            "its shim's"
        };
        Verdict::Refuses(format!(
            "its {what} is generation {own} of `{component}`, and {by} SBAT level of {} wants {wanted}; use an image with a newer {what}",
            level.made()
        ))
    }

    /// What isn't known of it: the machine may keep a higher one than the shim brings along.
    fn doubt(&self) -> Verdict {
        match self.machines {
            Some(ShownLevel::Known(_)) => Verdict::Starts,
            Some(ShownLevel::Malformed(_)) => {
                Verdict::Unknown("the machine's SBAT level (SbatLevelRT) isn't one".to_owned())
            }
            None => Verdict::Unknown(
                "no shim has shown the machine's SBAT level (SbatLevelRT) since it was switched on"
                    .to_owned(),
            ),
        }
    }
}

fn quoted(names: &BTreeSet<&str>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
