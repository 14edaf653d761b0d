//! The image's own initrd: which modules are in it.
//!
//! Archives (newc cpio) stand one after the other, the first ones plain (microcode, early firmware), the last one packed; that is
//! what the kernel reads (Documentation/driver-api/early-userspace/buffer-format.rst). Promises: a damaged one, or one in a packing that
//! isn't known here, is `None` and no finding; nothing is unpacked beyond a bound, and only names are kept.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, Result, bail, ensure};

use super::Subject;
use crate::image_rules::limit_reader::LimitReader;
use crate::spec::depmod::module_name;

/// A longer one, as with the drivers of graphics cards, isn't judged.
const LARGEST_PACKED: u64 = 128 << 20;
/// Unpacked: twice what Debian's has with all drivers.
const LARGEST: u64 = 512 << 20;
/// Zeroes between archives: they pad to a sector or a page.
const LONGEST_GAP: usize = 1 << 20;
/// Of a newc entry, before its name; where the name's length stands in it.
const HEAD: usize = 110;
const NAME_LENGTH: std::ops::Range<usize> = 94..102;
/// No path is longer (PATH_MAX).
const LONGEST_NAME: u32 = 4096;
/// Modules that are remembered: ten times those of a whole kernel.
const MOST_MODULES: usize = 50_000;

/// What is in it.
#[derive(Debug, Default)]
pub(super) struct Initrd {
    /// Where it stands.
    pub(super) path: String,
    /// Names of its modules.
    pub(super) modules: BTreeSet<String>,
}

/// Reads that of the newest kernel; `None` where there is none, or it can't be read.
///
/// # Errors
/// When the tree can't be read.
pub(super) fn of_image(subject: &Subject<'_>) -> Result<Option<Initrd>> {
    let kernel = &subject.system.kernel;
    // initramfs-tools; dracut of EL and Fedora; dracut of SUSE
    let places = [
        format!("/boot/initrd.img-{kernel}"),
        format!("/boot/initramfs-{kernel}.img"),
        format!("/boot/initrd-{kernel}"),
    ];
    for path in places {
        if let Some(packed) = subject.whole(&path, LARGEST_PACKED)? {
            return Ok(modules(&packed).ok().map(|modules| Initrd { path, modules }));
        }
    }
    Ok(None)
}

/// Names of the modules in an initrd.
///
/// # Errors
/// Damage, another packing than those that are known here, or more than there can be.
pub(super) fn modules(packed: &[u8]) -> Result<BTreeSet<String>> {
    let mut modules = BTreeSet::new();
    let mut rest = packed;
    loop {
        skip_zeroes(&mut rest)?;
        match rest {
            [] => return Ok(modules),
            [b'0', b'7', ..] => archive(&mut rest, &mut modules)?,
            [0x1f, 0x8b, ..] => return unpacked(flate2::read::MultiGzDecoder::new(rest), modules),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return unpacked(zstd::Decoder::new(rest)?, modules),
            [0xfd, b'7', b'z', b'X', ..] => {
                return unpacked(liblzma::read::XzDecoder::new_multi_decoder(rest), modules);
            }
            _ => bail!("it is packed otherwise than by gzip, xz or zstd"),
        }
    }
}

/// The archives of a packed part, up to its end.
fn unpacked(reader: impl Read, mut modules: BTreeSet<String>) -> Result<BTreeSet<String>> {
    let mut reader = BufReader::new(LimitReader::new(reader, LARGEST, "it unpacks to more than 512 MiB"));
    loop {
        skip_zeroes(&mut reader)?;
        if reader.fill_buf()?.is_empty() {
            return Ok(modules);
        }
        archive(&mut reader, &mut modules)?;
    }
}

fn skip_zeroes(reader: &mut impl BufRead) -> Result<()> {
    let mut gap = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let zeroes = buffer.iter().take_while(|byte| **byte == 0).count();
        let is_all = zeroes == buffer.len() && zeroes > 0;
        reader.consume(zeroes);
        gap += zeroes;
        ensure!(
            gap <= LONGEST_GAP || reader.fill_buf()?.is_empty(),
            "it has more zeroes than pad an archive"
        );
        if !is_all {
            return Ok(());
        }
    }
}

/// One archive up to its trailer.
fn archive(reader: &mut impl Read, modules: &mut BTreeSet<String>) -> Result<()> {
    loop {
        let mut head = [0; HEAD];
        reader.read_exact(&mut head).context("it ends in the middle of an archive")?;
        let length = std::str::from_utf8(&head[NAME_LENGTH]).ok();
        let length = length.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        // the reader of the format would hold a name as long as it says it is
        ensure!(
            length.is_some_and(|length| length <= LONGEST_NAME),
            "a name in it is longer than a path can be"
        );
        let entry =
            cpio::newc::Reader::new(head.as_slice().chain(&mut *reader)).context("it is no archive")?;
        let (name, is_trailer) = (entry.entry().name().to_owned(), entry.entry().is_trailer());
        entry.finish().context("it ends in the middle of a file")?;
        if is_trailer {
            return Ok(());
        }
        let file = name.rsplit('/').next().unwrap_or_default();
        if [".ko", ".ko.xz", ".ko.zst", ".ko.gz"].iter().any(|ending| file.ends_with(ending)) {
            ensure!(modules.len() < MOST_MODULES, "it has more modules than any kernel");
            modules.insert(module_name(&name));
        }
    }
}
