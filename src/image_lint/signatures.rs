//! `image-unsigned`, `image-ca-2011`, `image-no-sbat`: what Secure Boot will ask of shim, GRUB and the kernel.
//!
//! Told of an image by itself; whether a machine's firmware lets it start is the plan's to say, of recorded facts.

use anyhow::Result;

use super::rules::{CA_2011, NO_SBAT, UNSIGNED};
use super::{Finding, Subject};
use crate::spec::secure_boot::{Program, Sbat};

const OLD: &str = "Microsoft Corporation UEFI CA 2011";
const NEW: &str = "Microsoft UEFI CA 2023";

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    let loaders = subject.loaders.map(|loaders| [("shim", &loaders.shim), ("GRUB", &loaders.grub)]);
    for (name, program) in loaders.into_iter().flatten() {
        found.extend(unsigned(name, program));
        if program.sbat == Sbat::Absent {
            found.push(Finding::new(&NO_SBAT, format!("{name} has no SBAT section")));
        }
    }
    found.extend(subject.kernel.and_then(|kernel| unsigned("the kernel", kernel)));
    if let Some(loaders) = subject.loaders {
        let is_by = |name: &str| {
            let mut signers = loaders.shim.signatures.iter().flatten();
            signers.any(|signer| signer.issuer.contains(name) || signer.certificate.subject.contains(name))
        };
        if is_by(OLD) && !is_by(NEW) {
            let message = format!("shim is signed by `{OLD}`, and not by `{NEW}`");
            found.push(Finding::new(&CA_2011, message));
        }
    }
    Ok(found)
}

fn unsigned(name: &str, program: &Program) -> Option<Finding> {
    let is_signed = !program.signatures.is_empty() || program.unread > 0;
    (!is_signed).then(|| Finding::new(&UNSIGNED, format!("{name} has no signature")))
}
