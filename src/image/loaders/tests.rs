//! Debian's own loaders, and what becomes of broken ones.

use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::image::testing;
use crate::spec::secure_boot::{Generations, Sbat};

const HASH: &str = "import pefile, sys
from virt.peutils.pesign import pe_authenticode_hash
print(pe_authenticode_hash(pefile.PE(sys.argv[1])).hex())";

fn bytes([shim, grub]: &[PathBuf; 2]) -> (Vec<u8>, Vec<u8>) {
    (std::fs::read(shim).unwrap(), std::fs::read(grub).unwrap())
}

fn says(program: &Program) -> &Generations {
    match &program.sbat {
        Sbat::Says(generations) => generations,
        other => panic!("{other:?}"),
    }
}

#[test]
fn debians_shim_is_signed_by_the_authorities_of_2011_and_of_2023() {
    let Some(paths) = testing::debian_loaders() else { return };
    let (shim, grub) = bytes(&paths);
    let loaders = read(&shim, &grub).unwrap();
    let names = |program: &Program| -> Vec<Vec<String>> {
        let name = |signer: &Signer| signer.certificate.name().to_owned();
        program.signatures.iter().map(|chain| chain.iter().map(name).collect()).collect()
    };
    assert_eq!(
        names(&loaders.shim),
        [
            ["Microsoft Windows UEFI Driver Publisher", "Microsoft Corporation UEFI CA 2011"],
            ["Microsoft UEFI CA 2023 signer", "Microsoft UEFI CA 2023"],
        ]
    );
    assert!(loaders.grub.signatures[0][0].issuer_name().starts_with("Debian Secure Boot CA"), "{loaders:?}");
    // far beyond any generation that there is
    let far = "sbat,1,2099010100\nshim,999\ngrub,999\n".parse().unwrap();
    assert!(matches!(says(&loaders.shim).below(&far), Some(("shim", 4.., 999))), "{loaders:?}");
    assert!(matches!(says(&loaders.grub).below(&far), Some(("grub", 5.., 999))), "{loaders:?}");
    let raises = loaders.raises.clone().unwrap();
    assert!(raises.made() >= "2025021800" && says(&loaders.shim).below(&raises).is_none(), "{raises:?}");
    // an order says it in few bytes, and reads it back
    let json = serde_json::to_string(&loaders).unwrap();
    assert!(json.len() < 6000, "{} bytes: {json}", json.len());
    assert_eq!(serde_json::from_str::<Loaders>(&json).unwrap(), loaders);
}

#[test]
fn the_hash_that_is_signed_is_the_one_that_virt_firmware_finds() {
    let Some(paths) = testing::debian_loaders() else { return };
    let (shim, grub) = bytes(&paths);
    let loaders = read(&shim, &grub).unwrap();
    let Some(python) = crate::expect::python() else { return };
    for (path, program) in paths.iter().zip([&loaders.shim, &loaders.grub]) {
        let said = Command::new(&python).args(["-W", "ignore", "-c", HASH]).arg(path).output().unwrap();
        if !said.status.success() {
            return crate::expect::missing("virt-firmware in target/venv", "tests/install-deps.sh");
        }
        assert_eq!(String::from_utf8(said.stdout).unwrap().trim(), program.digest.to_string());
    }
    // signatures don't count, and any other byte does
    let place = Pe::parse(&shim).unwrap().signatures().len();
    assert_eq!(place, 2);
    let mut other = shim.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    assert_eq!(Pe::parse(&other).unwrap().authenticode(), loaders.shim.digest);
    other[0x2000] ^= 1;
    assert_ne!(Pe::parse(&other).unwrap().authenticode(), loaders.shim.digest);
}

#[test]
fn what_is_no_program_is_not_known_and_one_without_signatures_has_none() {
    assert_eq!(read(b"MZ", b"MZ"), None);
    let Some(paths) = testing::debian_loaders() else { return };
    let (shim, grub) = bytes(&paths);
    let mut unsigned = shim.clone();
    let directory = directory(&shim);
    let begin = u32::from_le_bytes(unsigned[directory..directory + 4].try_into().unwrap());
    unsigned.truncate(usize::try_from(begin).unwrap());
    unsigned[directory..directory + 8].fill(0);
    let (loaders, signed) = (read(&unsigned, &grub).unwrap(), read(&shim, &grub).unwrap());
    assert_eq!((loaders.shim.signatures, loaders.shim.digest), (Vec::new(), signed.shim.digest));
    // a signature that can't be read might be the one that counts
    let mut broken = shim;
    broken[usize::try_from(begin).unwrap() + 8] ^= 0xff;
    assert_eq!(read(&broken, &grub), None);
}

#[test]
fn a_grub_of_which_something_cannot_be_read_says_so() {
    let Some(paths) = testing::debian_loaders() else { return };
    let (shim, grub) = bytes(&paths);
    let header = grub.windows(8).position(|bytes| bytes == b".sbat\0\0\0").unwrap();
    let number =
        |at: usize| usize::try_from(u32::from_le_bytes(grub[at..at + 4].try_into().unwrap())).unwrap();
    let text = number(header + 20);
    let other =
        (0..8).map(|n| header + 40 * n - 120).find(|at| grub[*at..].starts_with(b".text\0\0\0")).unwrap();
    let with = |place: usize, bytes: &[u8]| {
        let mut grub = grub.clone();
        grub[place..place + bytes.len()].copy_from_slice(bytes);
        read(&shim, &grub).unwrap().grub.sbat
    };
    assert_eq!(with(header, b".other\0\0"), Sbat::Absent);
    assert_eq!(with(header + 16, &[0; 4]), Sbat::Absent, "no byte of it is in the file");
    assert_eq!(with(other, b".sbat\0\0\0"), Sbat::Malformed, "two of them");
    assert_eq!(with(header + 24, &[1]), Sbat::Malformed, "relocations");
    assert_eq!(with(text, b",,"), Sbat::Malformed);
    assert_eq!(with(text, b"\0"), Sbat::of_section(""));
    let signatures =
        usize::try_from(u32::from_le_bytes(grub[directory(&grub)..directory(&grub) + 4].try_into().unwrap()));
    let mut broken = grub.clone();
    broken[signatures.unwrap() + 8] ^= 0xff;
    let program = read(&shim, &broken).unwrap().grub;
    assert_eq!((program.signatures.len(), program.unread), (0, 1));
}

/// Where a program says where its signatures are.
fn directory(program: &[u8]) -> usize {
    let head = u32::from_le_bytes(program[0x3c..0x40].try_into().unwrap());
    usize::try_from(head).unwrap() + 24 + 112 + 4 * 8
}

#[test]
fn hostile_loaders_end() {
    let Some(paths) = testing::debian_loaders() else { return };
    let (shim, grub) = bytes(&paths);
    // where lengths and offsets are: headers, and the signatures from the first one on
    let begin = shim.len() - 19_000;
    let strategy = (0..2_000_usize, prop_oneof![0..600_usize, begin..begin + 3_000], any::<u8>());
    proptest!(ProptestConfig::with_cases(100), |((cut, place, byte) in strategy)| {
        let mut bytes = shim.clone();
        bytes[place] = byte;
        read(&bytes, &grub);
        bytes.truncate(bytes.len() - cut);
        read(&bytes, &grub);
        read(&shim[..cut], &grub);
    });
}
