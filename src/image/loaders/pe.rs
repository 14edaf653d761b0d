//! Programs for UEFI (PE32+): their sections, their signatures, and the hash that is signed.
//!
//! The hash is that of "Windows Authenticode Portable Executable Signature Format": of all of the file but the checksum, the
//! place of the signatures and the signatures themselves, sections in the order in which they lie in the file.

use std::io::Write as _;
use std::ops::Range;

use object::LittleEndian as LE;
use object::pe::{IMAGE_DIRECTORY_ENTRY_SECURITY, ImageDosHeader, ImageNtHeaders64};
use object::read::StringTable;
use object::read::pe::{ImageNtHeaders as _, ImageOptionalHeader as _, SectionTable};

use crate::spec::secure_boot::Sbat;
use crate::value::{Digest, DigestWriter};

/// From the optional header (PE32+): of the checksum, and of the place of the signatures.
const CHECKSUM: usize = 64;
const SECURITY: usize = 112 + 8 * IMAGE_DIRECTORY_ENTRY_SECURITY;
/// Signature and file header, before the optional header.
const NT_HEAD: usize = 4 + 20;
/// Length, revision and type, before each signature.
const SIGNATURE_HEAD: usize = 8;
/// Revision 2, type PKCS#7.
const PKCS7: [u8; 4] = [0, 2, 2, 0];

/// A program whose places lie within it.
#[derive(Debug)]
pub(super) struct Pe<'a> {
    data: &'a [u8],
    sections: SectionTable<'a>,
    /// Where names longer than eight bytes are.
    names: StringTable<'a>,
    signatures: &'a [u8],
    digest: Digest,
}

impl<'a> Pe<'a> {
    /// Reads one; `None` for anything else.
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        let dos = ImageDosHeader::parse(data).ok()?;
        let optional = usize::try_from(dos.nt_headers_offset()).ok()?.checked_add(NT_HEAD)?;
        let mut offset = dos.nt_headers_offset().into();
        let (nt, directories) = ImageNtHeaders64::parse(data, &mut offset).ok()?;
        let sections = nt.sections(data, offset).ok()?;
        let has_place =
            nt.optional_header().number_of_rva_and_sizes() as usize > IMAGE_DIRECTORY_ENTRY_SECURITY;
        let signed = match directories.get(IMAGE_DIRECTORY_ENTRY_SECURITY).filter(|_| has_place) {
            // here alone it isn't an address in memory
            Some(directory) => range(directory.virtual_address.get(LE), directory.size.get(LE))?,
            None if has_place => 0..0,
            None => return None,
        };
        let head = usize::try_from(nt.optional_header().size_of_headers()).ok()?;
        let digest = authenticode(data, optional, head, &sections, signed.len())?;
        let names = nt.symbols(data).map(|symbols| symbols.strings()).unwrap_or_default();
        Some(Self { data, sections, names, signatures: data.get(signed)?, digest })
    }

    /// What its section `.sbat` says, as a shim looks for it: one section, without relocations, as long in the file as in memory.
    pub(super) fn sbat(&self) -> Sbat {
        let mut sections = self.sections.iter().filter(|section| section.name == *b".sbat\0\0\0");
        let (section, others) = (sections.next(), sections.next());
        let Some(section) = section else { return Sbat::Absent };
        let relocations = (section.number_of_relocations.get(LE), section.pointer_to_relocations.get(LE));
        if others.is_some() || relocations != (0, 0) {
            return Sbat::Malformed;
        }
        let (on_disk, used) = (section.size_of_raw_data.get(LE), section.virtual_size.get(LE));
        if on_disk == 0 || on_disk < used {
            return Sbat::Absent;
        }
        let text = range(section.pointer_to_raw_data.get(LE), on_disk).and_then(|place| self.data.get(place));
        text.map_or(Sbat::Malformed, |text| Sbat::of_section(&String::from_utf8_lossy(text)))
    }

    /// What is in a section, as much of it as is used.
    pub(super) fn section(&self, name: &str) -> Option<&'a [u8]> {
        let (_, section) = self.sections.section_by_name(self.names, name.as_bytes())?;
        section.pe_data(self.data).ok()
    }

    /// Its SHA-256 without its signatures.
    pub(super) fn authenticode(&self) -> Digest {
        self.digest
    }

    /// Its signatures, each as PKCS#7; those of other kinds are passed over.
    pub(super) fn signatures(&self) -> Vec<&'a [u8]> {
        let (mut found, mut bytes) = (Vec::new(), self.signatures);
        while let Some((length, after)) = bytes.split_first_chunk() {
            let Ok(length) = usize::try_from(u32::from_le_bytes(*length)) else { break };
            let Some(signature) = bytes.get(SIGNATURE_HEAD..length) else { break };
            if after.starts_with(&PKCS7) {
                found.push(signature);
            }
            bytes = bytes.get(length.next_multiple_of(8)..).unwrap_or_default();
        }
        found
    }
}

fn range(begin: u32, length: u32) -> Option<Range<usize>> {
    let begin = usize::try_from(begin).ok()?;
    Some(begin..begin.checked_add(usize::try_from(length).ok()?)?)
}

/// The hash, of a program whose optional header and first section begin there. What lies behind the sections counts, without the
/// signatures, which are last.
fn authenticode(
    data: &[u8],
    optional: usize,
    head: usize,
    sections: &SectionTable<'_>,
    signed: usize,
) -> Option<Digest> {
    let (checksum, security) = (optional.checked_add(CHECKSUM)?, optional.checked_add(SECURITY)?);
    let places = sections.iter().map(|it| range(it.pointer_to_raw_data.get(LE), it.size_of_raw_data.get(LE)));
    let mut places = places.collect::<Option<Vec<_>>>()?;
    places.sort_unstable_by_key(|place| place.start);
    let mut hasher = DigestWriter::new(std::io::sink());
    let mut hash = |place: Range<usize>| hasher.write_all(data.get(place)?).ok();
    hash(0..checksum)?;
    hash(checksum.checked_add(4)?..security)?;
    hash(security.checked_add(8)?..head)?;
    let mut hashed = head;
    for place in places {
        hashed = hashed.checked_add(place.len())?;
        hash(place)?;
    }
    hash(hashed..data.len().checked_sub(signed)?.max(hashed))?;
    Some(hasher.finish().1)
}
