//! Who signed what an image is started by, and which generation it is: what a firmware with Secure Boot will ask.
//!
//! Pure but for the tree that it reads. No signature is verified: that is the firmware's to do, and what is read here only says what
//! it will look for. What can't be read is `None`, never a guess.

mod pe;

use anyhow::Result;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier};
use der::{Decode as _, Encode as _, SliceReader};
use x509_cert::Certificate;

use self::pe::Pe;
use super::root_view::TreeView;
use super::stored::StoredImage;
use super::tree::ReadTree as _;
use crate::image_rules::loaders::{SHIM, grub};
use crate::spec::secure_boot::{Loaders, Program, SbatLevel, Signer};

/// Certificates between who signed a loader and who vouches for them: there are one or two.
const LONGEST_CHAIN: usize = 8;

/// What starts this image; `None` where its loaders are no programs for UEFI on this kind of machine.
///
/// # Errors
/// When its ESP lacks them, or is damaged.
pub fn of_image(image: &StoredImage) -> Result<Option<Loaders>> {
    let esp = image.esp()?;
    let grub = grub(&TreeView(&esp))??;
    Ok(read(&esp.read(SHIM)?, &esp.read(&grub)?))
}

/// What is to be known of this shim and this GRUB; `None` where one of them is no program for UEFI, or a signature of shim can't be
/// read: it might be the one that counts.
pub fn read(shim: &[u8], grub: &[u8]) -> Option<Loaders> {
    let (shim, grub) = (Pe::parse(shim)?, Pe::parse(grub)?);
    let loaders = Loaders { raises: raised_by(&shim), shim: program(&shim), grub: program(&grub) };
    (loaders.shim.unread == 0).then_some(loaders)
}

/// The same of one program; `None` where it is none for UEFI.
pub fn program_of(bytes: &[u8]) -> Option<Program> {
    Pe::parse(bytes).map(|pe| program(&pe))
}

fn program(pe: &Pe<'_>) -> Program {
    let chains: Vec<_> = pe.signatures().into_iter().map(chain).collect();
    let unread = chains.iter().filter(|chain| chain.is_none()).count();
    Program {
        digest: pe.authenticode(),
        signatures: chains.into_iter().flatten().collect(),
        unread: u32::try_from(unread).unwrap_or(u32::MAX),
        sbat: pe.sbat(),
    }
}

/// The level that a shim brings along (section `.sbatlevel`): a version, then where the two levels begin, counted from behind the
/// version. The first one is set unless somebody asks for the second.
fn raised_by(shim: &Pe<'_>) -> Option<SbatLevel> {
    let (version, levels) = shim.section(".sbatlevel")?.split_first_chunk()?;
    let begin = usize::try_from(u32::from_le_bytes(*levels.first_chunk()?)).ok()?;
    let level = levels.get(begin..)?.split(|byte| *byte == 0).next()?;
    (u32::from_le_bytes(*version) == 0).then(|| std::str::from_utf8(level).ok()?.parse().ok())?
}

/// Whose signature this is, from who signed up to the last one that it brings along; `None` for what isn't one.
fn chain(signature: &[u8]) -> Option<Vec<Signer>> {
    // entries are padded, and what pads them is often counted in
    let outer = ContentInfo::decode(&mut SliceReader::new(signature).ok()?).ok()?;
    let signed: SignedData = outer.content.decode_as().ok()?;
    let SignerIdentifier::IssuerAndSerialNumber(wanted) = &signed.signer_infos.0.as_slice().first()?.sid
    else {
        return None;
    };
    let brought: Vec<&Certificate> = signed.certificates.as_ref()?.0.iter().filter_map(certificate).collect();
    let signer = brought.iter().find(|it| {
        it.tbs_certificate.issuer == wanted.issuer && it.tbs_certificate.serial_number == wanted.serial_number
    })?;
    let read = |it: &Certificate| Signer::from_der(&it.to_der().ok()?);
    let known: Vec<Signer> = brought.iter().filter_map(|it| read(it)).collect();
    let mut chain = vec![read(signer)?];
    while chain.len() < LONGEST_CHAIN {
        let last = chain.last()?;
        let above = known.iter().find(|it| it.certificate.vouches_for(last) && !chain.contains(it));
        let Some(above) = above.cloned() else { break };
        chain.push(above);
    }
    Some(chain)
}

fn certificate(choice: &CertificateChoices) -> Option<&Certificate> {
    match choice {
        CertificateChoices::Certificate(certificate) => Some(certificate),
        CertificateChoices::Other(_) => None,
    }
}

#[cfg(test)]
mod tests;
