//! A udeb: an `ar` archive with `data.tar` in it, as deb(5) says; the members of `main/debian-installer` have no other form.

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};

use crate::image_rules::limit_reader::LimitReader;
use crate::value::stays_inside;

/// Most that the packages of a kernel unpack to, all together: five times Debian's.
pub const MOST_UNPACKED: u64 = 1 << 30;
/// Longest path in it.
const LONGEST_PATH: usize = 4096;

/// The kernel modules of a package: path below `lib/modules`, and content. What it unpacks to is taken off `left`.
///
/// # Errors
/// No Debian package, a compression that isn't known, damage, more than is left, or a path that leaves the package.
pub fn modules(package: &[u8], left: &mut u64) -> Result<Vec<(String, Vec<u8>)>> {
    let (packing, packed) = data(package).context("reading it as a Debian package (ar)")?;
    let name = format!("data.tar{packing}");
    let reader: Box<dyn Read> = match packing {
        "" => Box::new(packed),
        ".gz" => Box::new(flate2::read::GzDecoder::new(packed)),
        ".xz" => Box::new(liblzma::read::XzDecoder::new_multi_decoder(packed)),
        ".zst" => Box::new(zstd::Decoder::new(packed).with_context(|| format!("unpacking {name}"))?),
        _ => bail!("{}: packages are read with data.tar, .gz, .xz and .zst", name.escape_debug()),
    };
    let mut capped =
        LimitReader::new(reader, *left, "the packages of modules unpack to more than 1 GiB, all together");
    let modules = modules_in(&mut capped).with_context(|| format!("unpacking {name}"))?;
    *left = capped.left();
    Ok(modules)
}

/// Length of a member's header (ar(5)): 16 bytes of name, 32 of what packages don't use, 10 of size, and two that end it.
const HEADER: usize = 60;

/// How `data.tar` is packed (the end of its name), and its content. Read by hand: no other member matters, so none of what `ar`
/// knows beside them (tables of long names) can do harm.
fn data(package: &[u8]) -> Result<(&str, &[u8])> {
    let mut rest = package.strip_prefix(b"!<arch>\n").context("it is no Debian package")?;
    while !rest.is_empty() {
        let header = rest.get(..HEADER).filter(|header| header.ends_with(b"`\n"));
        let header = header.context("a member's header is cut short or damaged")?;
        let text = std::str::from_utf8(header).context("a member's header is damaged")?;
        let (name, size) = text.get(..16).zip(text.get(48..58)).context("a member's header is damaged")?;
        let size: usize = size.trim_end().parse().context("a member's size is no number")?;
        let content = rest.get(HEADER..).and_then(|rest| rest.get(..size));
        let content = content.with_context(|| format!("a member of {size} bytes is cut short"))?;
        if let Some(packing) = name.trim_end().trim_end_matches('/').strip_prefix("data.tar") {
            return Ok((packing, content));
        }
        // members begin at even places
        rest = rest.get(HEADER + size + size % 2..).unwrap_or_default();
    }
    bail!("it has no data.tar")
}

fn modules_in(reader: &mut dyn Read) -> Result<Vec<(String, Vec<u8>)>> {
    let mut modules = Vec::new();
    let mut tar = tar::Archive::new(reader);
    for entry in tar.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8(entry.path_bytes().into_owned()).context("a file's name isn't UTF-8")?;
        ensure!(path.len() <= LONGEST_PATH, "a file's name has {} bytes", path.len());
        let Some(inside) = below_modules(&path) else { continue };
        ensure!(stays_inside(inside), "`{}` leaves the package", path.escape_debug());
        if is_module(inside) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).with_context(|| format!("reading {path}"))?;
            modules.push((inside.to_owned(), content));
        }
    }
    Ok(modules)
}

/// The part of a path below the modules' folder, wherever that stands.
pub fn below_modules(path: &str) -> Option<&str> {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    let path = path.strip_prefix("usr/").unwrap_or(path);
    path.strip_prefix("lib/modules/")
}

/// Whether a file's name is one of a module.
pub fn is_module(path: &str) -> bool {
    [".ko", ".ko.xz", ".ko.zst"].iter().any(|ending| path.ends_with(ending))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A package of these files, packed so.
    pub fn package(files: &[(&str, &[u8])], packing: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            // by hand: the library refuses paths that leave the archive
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, *content).unwrap();
        }
        let plain = tar.into_inner().unwrap();
        let packed = match packing {
            "" => plain,
            ".xz" => {
                let mut packed = Vec::new();
                liblzma::read::XzEncoder::new(plain.as_slice(), 1).read_to_end(&mut packed).unwrap();
                packed
            }
            ".zst" => zstd::encode_all(plain.as_slice(), 1).unwrap(),
            _ => plain,
        };
        let mut archive = ar::Builder::new(Vec::new());
        let version = b"2.0\n";
        archive
            .append(&ar::Header::new(b"debian-binary".to_vec(), version.len() as u64), &version[..])
            .unwrap();
        let name = format!("data.tar{packing}").into_bytes();
        archive.append(&ar::Header::new(name, packed.len() as u64), packed.as_slice()).unwrap();
        archive.into_inner().unwrap()
    }

    #[test]
    fn modules_come_out_of_packages_however_they_are_packed() {
        let files: [(&str, &[u8]); 3] = [
            ("./lib/modules/6.1/kernel/fs/ext4/ext4.ko", b"ext4"),
            ("./usr/lib/modules/6.1/kernel/a.ko.xz", b"a"),
            ("./lib/modules/6.1/modules.order", b"no module"),
        ];
        for packing in ["", ".xz", ".zst"] {
            let found = modules(&package(&files, packing), &mut MOST_UNPACKED.clone()).unwrap();
            let found: Vec<_> =
                found.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
            let expected: [(&str, &[u8]); 2] =
                [("6.1/kernel/fs/ext4/ext4.ko", b"ext4"), ("6.1/kernel/a.ko.xz", b"a")];
            assert_eq!(found, expected, "{packing}");
        }
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let refusal = |bytes: &[u8]| format!("{:#}", modules(bytes, &mut MOST_UNPACKED.clone()).unwrap_err());
        assert!(refusal(b"").contains("package"), "{}", refusal(b""));
        assert!(refusal(b"!<arch>\n").contains("no data.tar"));
        assert!(refusal(&package(&[], ".lz4")).contains("data.tar.lz4"));
        let whole = package(&[("./lib/modules/6.1/a.ko", &[7; 5000])], ".xz");
        assert!(refusal(&whole[..whole.len() - 40]).contains("cut short"));
        for (name, size) in [("/5", "4"), ("//", "9999999999"), ("#1/9999999999", "4"), ("data.tar", "x")] {
            let mut odd = b"!<arch>\n".to_vec();
            odd.extend(format!("{name:<16}{:<32}{size:<10}`\nabcd", "0").into_bytes());
            assert!(refusal(&odd).contains("Debian package"), "{name}: {}", refusal(&odd));
        }
        let leaves = package(&[("./lib/modules/../../etc/passwd.ko", b"x")], "");
        assert!(refusal(&leaves).contains("leaves the package"));
    }

    #[test]
    fn packages_share_what_they_may_unpack_to() {
        let one = package(&[("./lib/modules/6.1/a.ko", &[7; 20_000])], ".xz");
        let mut left = 60_000;
        modules(&one, &mut left).unwrap();
        assert!((30_000..40_000).contains(&left), "{left}");
        modules(&one, &mut left).unwrap();
        let error = format!("{:#}", modules(&one, &mut left).unwrap_err());
        assert!(error.contains("more than 1 GiB, all together"), "{error}");
    }
}
