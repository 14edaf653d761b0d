//! A tar of an image in a file: as it is, or packed. The same image gives the same bytes either way.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use liblzma::write::XzEncoder;

use super::{Export, Summary};
use crate::value::{Digest, DigestWriter};

/// As good as zstd gets before it gets slow.
const ZSTD_LEVEL: i32 = 9;
/// xz's own default.
const XZ_LEVEL: u32 = 6;
/// A writer's buffer: headers are 512 bytes each.
const BUFFER: usize = 1 << 20;

/// How a tar is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// By xz.
    Xz,
    /// By zstd.
    Zstd,
}

impl Packing {
    /// The one that a file's name asks for.
    ///
    /// # Errors
    /// A name that asks for none of them.
    pub fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let known = [(".tar", Self::None), (".tar.xz", Self::Xz), (".tar.zst", Self::Zstd)];
        let found = known.into_iter().find(|(end, _)| name.ends_with(end)).map(|(_, packing)| packing);
        found.with_context(|| {
            format!("{} doesn't say how to pack: name a file .tar, .tar.xz or .tar.zst", path.display())
        })
    }
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// Of the file, packed as it is: what `liveimg --checksum` is given.
    pub digest: Digest,
    /// Of the file, in bytes.
    pub size: u64,
    /// What is in it.
    pub summary: Summary,
}

/// Writes the tar of an image to a file.
///
/// # Errors
/// An image that is damaged, a file that can't be written, or what `progress` returned.
pub fn write(
    export: &Export,
    file: &mut File,
    packing: Packing,
    progress: impl FnMut(u64) -> Result<()> + 'static,
) -> Result<Written> {
    let out = DigestWriter::new(BufWriter::with_capacity(BUFFER, file));
    let (out, summary) = match packing {
        Packing::None => export.write(out, progress)?,
        Packing::Xz => {
            let (encoder, summary) = export.write(XzEncoder::new(out, XZ_LEVEL), progress)?;
            (encoder.finish().context("packing by xz")?, summary)
        }
        Packing::Zstd => {
            let encoder = zstd::Encoder::new(out, ZSTD_LEVEL).context("packing by zstd")?;
            let (encoder, summary) = export.write(encoder, progress)?;
            (encoder.finish().context("packing by zstd")?, summary)
        }
    };
    let (mut buffer, digest, size) = out.finish();
    buffer.flush()?;
    Ok(Written { digest, size, summary })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_name_says_how_it_is_packed() {
        let of = |name: &str| Packing::of(Path::new(name));
        assert_eq!(of("out/el9.tar").unwrap(), Packing::None);
        assert_eq!(of("el9@1.2.tar.xz").unwrap(), Packing::Xz);
        assert_eq!(of("el9.tar.zst").unwrap(), Packing::Zstd);
        let error = of("el9.tgz").unwrap_err().to_string();
        assert!(error.contains("el9.tgz") && error.contains(".tar.xz"), "{error}");
    }
}
