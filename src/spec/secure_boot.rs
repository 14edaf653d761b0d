//! What a firmware with Secure Boot lets start, and what an image's loaders have to show for it.
//!
//! Neither is proof of anything: no signature is verified here or with it. The firmware does that, and what it will say is to be
//! known before a disk is wiped. The words are those of the UEFI specification (section 32, Secure Boot) and of shim's SBAT.md.

mod certificate;
mod hashes;
mod sbat;

use serde::{Deserialize, Serialize};

pub use self::certificate::{Certificate, Signer};
pub use self::hashes::Hashes;
pub use self::sbat::{Generations, Sbat, SbatLevel, ShownLevel};
use crate::value::Digest;

/// What the firmware of a machine trusts, and shim on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmwareTrust {
    /// Who and what may start: variable `db`.
    pub db: SignatureDatabase,
    /// Who and what may not, whatever `db` says: variable `dbx`; empty where there is none.
    #[serde(default)]
    pub dbx: SignatureDatabase,
    /// What shim was told at last to let start, as variable `SbatLevelRT` has it; `None` where no shim has run since the machine
    /// was switched on, or one older than SBAT: what the firmware keeps for the next one isn't known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbat_level: Option<ShownLevel>,
    /// Somebody told shim to verify nothing (`mokutil --disable-validation`; variable `MokSBStateRT`). The firmware still does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shim_is_lax: bool,
}

/// `db` or `dbx`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureDatabase {
    /// Whole certificates, in the firmware's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// SHA-256 of programs, as Authenticode has it.
    #[serde(default, skip_serializing_if = "Hashes::is_empty")]
    pub programs: Hashes,
    /// SHA-256 of what is signed in a certificate (`dbx` only).
    #[serde(default, skip_serializing_if = "Hashes::is_empty")]
    pub bodies: Hashes,
    /// Entries of other kinds, or that couldn't be read: what they say isn't known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub others: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What an image is started by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loaders {
    /// What the firmware starts.
    pub shim: Program,
    /// What shim starts.
    pub grub: Program,
    /// The level below which this shim lets nothing start, if the machine has no newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raises: Option<SbatLevel>,
}

/// One program for UEFI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its SHA-256, as Authenticode has it: without its signatures.
    pub digest: Digest,
    /// Its signatures, each with the certificates that lead from who signed to who vouches for them, as far as it brings them
    /// along.
    pub signatures: Vec<Vec<Signer>>,
    /// How many more it has that can't be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unread: u32,
    /// Its generations.
    pub sbat: Sbat,
}
