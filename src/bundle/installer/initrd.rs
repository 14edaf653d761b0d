//! The installer's own initrd: which kernel its modules are for, and these modules.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, Result, bail, ensure};

use super::udeb::{below_modules, is_module};
use crate::image_rules::limit_reader::LimitReader;
use crate::value::stays_inside;

/// Largest initrd, unpacked: five times Debian's.
const LARGEST: u64 = 1 << 30;

/// What of an initrd is needed.
#[derive(Debug)]
pub struct Initrd {
    /// The kernel release that its modules are for.
    pub release: String,
    /// Where they stand: `lib` or `usr/lib`.
    pub library: &'static str,
    /// Modules and the list of those that are built in, by path below `modules/RELEASE`.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Reads it: newc cpio archives in gzip, one after the other.
///
/// # Errors
/// Another form, damage, or modules for no kernel or for several ones.
pub fn read(initrd: &[u8]) -> Result<Initrd> {
    ensure!(initrd.starts_with(&[0x1f, 0x8b]), "its `initrd` is not packed by gzip, as Debian's is");
    let mut plain = Vec::new();
    LimitReader::new(flate2::read::MultiGzDecoder::new(initrd), LARGEST, "it unpacks to more than 1 GiB")
        .read_to_end(&mut plain)
        .context("unpacking its `initrd`")?;
    let (mut files, mut releases, mut library) = (BTreeMap::new(), Vec::new(), "lib");
    let mut rest = plain.as_slice();
    loop {
        let mut reader = cpio::newc::Reader::new(rest).context("reading its `initrd` as cpio archives")?;
        let name = reader.entry().name().to_owned();
        let is_trailer = reader.entry().is_trailer();
        if let Some((release, path)) = below_modules(&name).and_then(|path| path.split_once('/')) {
            ensure!(stays_inside(path), "its `initrd` has a file `{}`", name.escape_debug());
            if !releases.iter().any(|known| known == release) {
                releases.push(release.to_owned());
            }
            if name.trim_start_matches(['.', '/']).starts_with("usr/") {
                library = "usr/lib";
            }
            if is_module(path) || path == "modules.builtin" {
                let mut content = Vec::new();
                reader
                    .read_to_end(&mut content)
                    .with_context(|| format!("reading {name} in its `initrd`"))?;
                files.insert(path.to_owned(), content);
            }
        }
        rest = reader.finish().context("reading its `initrd`")?;
        if is_trailer {
            // between archives there may be zeroes
            let next = rest.iter().position(|byte| *byte != 0).unwrap_or(rest.len());
            rest = &rest[next..];
            if rest.is_empty() {
                break;
            }
        }
    }
    let [release] = releases.as_slice() else {
        bail!("its `initrd` has modules for {} kernels, not one: {}", releases.len(), releases.join(", "));
    };
    Ok(Initrd { release: release.clone(), library, files })
}
