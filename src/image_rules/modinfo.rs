//! The firmware that kernel modules name.
//!
//! A module says in its `.modinfo` section which files it may ask for. It asks for one or two of them, by hardware that
//! nobody knows when a stick is made, so all that the image has are taken.

use std::io::Read;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};

use super::limit_reader::LimitReader;
use crate::value::stays_inside;

/// Largest module that is unpacked: ten times the largest that a distribution ships.
const LARGEST_MODULE: u64 = 256 << 20;

/// The plain ELF file of a module that may be compressed, judged by its name.
///
/// # Errors
/// A compression that isn't known, or damaged data.
pub fn unpack_module(path: &str, content: &[u8]) -> Result<Vec<u8>> {
    let unpack = |reader: &mut dyn Read| -> Result<Vec<u8>> {
        let mut plain = Vec::new();
        LimitReader::new(reader, LARGEST_MODULE, "it unpacks to more than 256 MiB")
            .read_to_end(&mut plain)
            .with_context(|| format!("decompressing {path}"))?;
        Ok(plain)
    };
    match path.rsplit('.').next() {
        Some("ko") => Ok(content.to_vec()),
        Some("xz") => unpack(&mut liblzma::read::XzDecoder::new_multi_decoder(content)),
        Some("zst") => {
            unpack(&mut zstd::Decoder::new(content).with_context(|| format!("decompressing {path}"))?)
        }
        _ => bail!("{path}: modules are read as .ko, .ko.xz and .ko.zst"),
    }
}

/// What a module (plain ELF) says of itself, as `key=value`, in its order.
///
/// # Errors
/// When it isn't an ELF file.
pub fn module_info(path: &str, module: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(module).with_context(|| format!("reading {path} as an ELF file"))?;
    let Some(section) = file.section_by_name(".modinfo") else { return Ok(Vec::new()) };
    let data = section.data().with_context(|| format!("reading .modinfo of {path}"))?;
    let texts = data.split(|byte| *byte == 0).filter_map(|text| std::str::from_utf8(text).ok());
    Ok(texts.filter(|text| !text.is_empty()).map(str::to_owned).collect())
}

/// The firmware files that a module (plain ELF) names, in its order; some names are patterns.
///
/// # Errors
/// When it isn't an ELF file.
pub fn firmware_names(path: &str, module: &[u8]) -> Result<Vec<String>> {
    let info = module_info(path, module)?;
    let names = info.iter().filter_map(|text| text.strip_prefix("firmware="));
    Ok(names.filter(|name| stays_inside(name)).map(str::to_owned).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An ELF relocatable file with a `.modinfo` section of these texts and nothing else, made by hand.
    pub(crate) fn elf_module(texts: &[&str]) -> Vec<u8> {
        let info: Vec<u8> = texts.iter().flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect();
        let names = b"\0.modinfo\0.shstrtab\0";
        let (info_at, names_at) = (64, 64 + info.len());
        let table_at = (names_at + names.len()).next_multiple_of(8);
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend([1, 0, 62, 0, 1, 0, 0, 0]); // relocatable, x86-64, version 1
        file.extend([0; 16]); // entry, program headers
        file.extend((table_at as u64).to_le_bytes());
        file.extend([0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
        file.extend(&info);
        file.extend(names);
        file.resize(table_at, 0);
        file.extend([0; 64]);
        for (name, kind, at, length) in [(1_u32, 1_u32, info_at, info.len()), (10, 3, names_at, names.len())]
        {
            file.extend(name.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend([0; 16]);
            file.extend((at as u64).to_le_bytes());
            file.extend((length as u64).to_le_bytes());
            file.extend([0; 8]);
            file.extend(1_u64.to_le_bytes());
            file.extend([0; 8]);
        }
        file
    }

    #[test]
    fn names_come_out_of_modinfo_however_the_module_is_compressed() {
        let plain =
            elf_module(&["license=GPL", "firmware=bnx2/a.fw", "firmware=../../etc/shadow", "firmware=b.bin"]);
        let zst = zstd::encode_all(&plain[..], 3).unwrap();
        let mut xz = Vec::new();
        liblzma::read::XzEncoder::new(&plain[..], 1).read_to_end(&mut xz).unwrap();
        for (path, content) in [("a.ko", plain), ("a.ko.zst", zst), ("a.ko.xz", xz)] {
            let module = unpack_module(path, &content).unwrap();
            assert_eq!(firmware_names(path, &module).unwrap(), ["bnx2/a.fw", "b.bin"], "{path}");
        }
    }

    #[test]
    fn damaged_and_unknown_modules_are_named() {
        for (path, content) in [("a.ko.zst", &b"not zstd"[..]), ("a.ko.xz", b"not xz"), ("a.ko.gz", b"")] {
            let error = unpack_module(path, content).unwrap_err();
            assert!(format!("{error:#}").contains(path), "{error:#}");
        }
        assert!(firmware_names("a.ko", b"not ELF").is_err());
    }
}
