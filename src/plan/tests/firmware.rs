//! With Secure Boot on: what a firmware wouldn't start isn't written, and what isn't known isn't refused.

use super::*;
use crate::spec::facts::{Machine, SecureBoot};
use crate::spec::secure_boot::{
    Certificate, FirmwareTrust, Generations, Hashes, Loaders, Program, SbatLevel, SignatureDatabase, Signer,
};

const OLD: &str = "Microsoft Corporation UEFI CA 2011";
const NEW: &str = "Microsoft UEFI CA 2023";

fn authority(name: &str) -> Certificate {
    let key = Some(format!("key of {name}"));
    Certificate {
        subject: format!("CN={name},O=Microsoft Corporation"),
        digest: Digest::of(name.as_bytes()),
        key,
    }
}

/// By a publisher whom this authority vouches for, with the authority's own certificate.
fn signature(name: &str) -> Vec<Signer> {
    let signer = |certificate: Certificate, by: &str| Signer {
        issuer: format!("CN={by},O=Microsoft Corporation"),
        issuer_key: Some(format!("key of {by}")),
        body: Digest::of(format!("body of {}", certificate.subject).as_bytes()),
        certificate,
    };
    vec![signer(authority(&format!("publisher of {name}")), name), signer(authority(name), "a root")]
}

fn loaders(by: &[&str]) -> Loaders {
    let program = |name: &str, by: &[&str], sbat: &str| Program {
        digest: Digest::of(name.as_bytes()),
        signatures: by.iter().map(|name| signature(name)).collect(),
        sbat: Generations::of_section(sbat),
    };
    Loaders {
        shim: program("shim", by, "sbat,1,x\nshim,4,y\n"),
        grub: program("grub", &["Debian Secure Boot CA"], "sbat,1,x\ngrub,5,y\ngrub.debian,5\n"),
        raises: Some(level("2025021800", "shim,4\ngrub,5\n")),
    }
}

fn level(made: &str, wanted: &str) -> SbatLevel {
    format!("sbat,1,{made}\n{wanted}").parse().unwrap()
}

fn trusting(names: &[&str]) -> FirmwareTrust {
    let certificates = names.iter().map(|name| authority(name)).collect();
    FirmwareTrust {
        db: SignatureDatabase { certificates, ..SignatureDatabase::default() },
        ..FirmwareTrust::default()
    }
}

/// The plan for an image with these loaders on a machine that trusts so.
fn on(loaders: Loaders, firmware: FirmwareTrust) -> Result<Plan, Refusal> {
    outcome(|order, _, facts| {
        order.loaders = Some(loaders.clone());
        facts.machine.firmware = Some(firmware.clone());
    })
}

fn is_refused(loaders: Loaders, firmware: FirmwareTrust, why: &str) {
    let refusal = on(loaders, firmware).unwrap_err();
    assert_eq!(refusal.code, Code::FirmwareRefuses, "{refusal}");
    assert!(refusal.message.contains(why), "expected `{why}` in: {refusal}");
}

#[test]
fn a_shim_starts_where_any_of_its_authorities_is_trusted_and_nowhere_else() {
    for (by, trusted) in [
        (&[OLD, NEW][..], &[OLD][..]),
        (&[OLD, NEW], &[NEW]),
        (&[OLD], &["somebody", OLD]),
        (&[NEW], &[&*format!("publisher of {NEW}")]),
    ] {
        assert!(on(loaders(by), trusting(trusted)).is_ok(), "{by:?} {trusted:?}");
    }
    is_refused(
        loaders(&[OLD]),
        trusting(&[NEW]),
        "its shim is signed by `Microsoft Corporation UEFI CA 2011`, and the firmware's db trusts only `Microsoft UEFI CA 2023`; update",
    );
    is_refused(loaders(&[NEW]), trusting(&[OLD]), "signed by `Microsoft UEFI CA 2023`, and");
    is_refused(loaders(&[OLD, NEW]), trusting(&[]), "the firmware's db trusts nobody");
    is_refused(loaders(&[]), trusting(&[OLD, NEW]), "its shim isn't signed");
    // another key under the same name
    let mut impostor = trusting(&[OLD]);
    impostor.db.certificates[0].key = Some("another".to_owned());
    impostor.db.certificates[0].digest = Digest::of(b"another");
    is_refused(loaders(&[OLD]), impostor, "signed by");
}

#[test]
fn a_hash_may_stand_for_a_certificate_and_what_is_forbidden_is_refused_whoever_signed_it() {
    let hash = |name: &str| Hashes::from_iter([Digest::of(name.as_bytes())]);
    let mut by_hash = trusting(&[]);
    by_hash.db.programs = hash("shim");
    assert!(on(loaders(&[]), by_hash).is_ok());

    let both = || (loaders(&[OLD, NEW]), trusting(&[OLD, NEW]));
    let (image, mut trust) = both();
    trust.dbx.programs = hash("shim");
    is_refused(image, trust, "(dbx) has the hash of its shim");
    let (image, mut trust) = both();
    trust.dbx.certificates = vec![authority(OLD)];
    is_refused(image, trust, "(dbx) has `Microsoft Corporation UEFI CA 2011`, which vouches for its shim");
    let (image, mut trust) = both();
    trust.dbx.bodies = Hashes::from_iter([image.shim.signatures[1][0].body]);
    is_refused(image, trust, "has `publisher of Microsoft UEFI CA 2023`, which vouches for its shim");
    let (image, mut trust) = both();
    trust.dbx.programs = hash("grub");
    is_refused(image, trust, "(dbx) has the hash of its GRUB");
    let (image, mut trust) = both();
    trust.dbx.programs = hash("another program");
    assert!(on(image, trust).is_ok());
}

#[test]
fn the_later_of_the_two_levels_holds_for_shim_and_for_grub() {
    let both = |made: &str, wanted: &str| {
        let sbat_level = Some(level(made, wanted));
        (loaders(&[OLD]), FirmwareTrust { sbat_level, ..trusting(&[OLD]) })
    };
    let (image, trust) = both("2029010100", "shim,5\n");
    is_refused(
        image,
        trust,
        "its shim is generation 4 of `shim`, and this machine's SBAT level of 2029010100 wants 5",
    );
    let (image, trust) = both("2029010100", "shim,4\ngrub.debian,6\n");
    is_refused(image, trust, "its GRUB is generation 5 of `grub.debian`, and this machine's");
    // shim raises an older one to its own
    let (image, trust) = both("2021030218", "shim,9\ngrub,9\n");
    assert!(on(image, trust).is_ok());
    let (mut image, trust) = both("2021030218", "");
    image.grub.sbat = Generations::of_section("grub,3\n");
    is_refused(
        image,
        trust.clone(),
        "generation 3 of `grub`, and its shim's SBAT level of 2025021800 wants 5",
    );
    let (mut image, _) = both("2021030218", "");
    image.grub.sbat = Generations::default();
    is_refused(image.clone(), trust.clone(), "its GRUB has no SBAT section");
    // neither a shim that is older than SBAT nor one that was told not to asks for it
    assert!(on(image.clone(), FirmwareTrust { shim_is_lax: true, ..trust.clone() }).is_ok());
    image.shim.sbat = Generations::default();
    image.raises = None;
    assert!(on(image, trust).is_ok());
}

#[test]
fn what_is_not_known_is_told_and_not_refused_and_without_secure_boot_nothing_is_asked() {
    let told = |change: &dyn Fn(&mut InstallOrder, &mut Machine)| {
        let (mut order, manifest, mut facts) = world();
        order.loaders = Some(loaders(&[OLD]));
        facts.machine.firmware = Some(trusting(&[NEW]));
        change(&mut order, &mut facts.machine);
        plan(&order, &manifest, floor(), &facts).map(|_| firmware_doubt(&order, &facts.machine))
    };
    assert_eq!(told(&|_, _| ()).unwrap_err().code, Code::FirmwareRefuses);
    for state in [SecureBoot::Off, SecureBoot::Absent] {
        assert_eq!(told(&|_, machine| machine.secure_boot = state).unwrap(), None);
    }
    let doubt = told(&|_, machine| machine.firmware = None).unwrap().unwrap();
    assert!(doubt.contains("db, dbx) couldn't be read"), "{doubt}");
    let doubt = told(&|order, _| order.loaders = None).unwrap().unwrap();
    assert!(doubt.contains("doesn't say who signed"), "{doubt}");
    let unknown = |machine: &mut Machine| machine.firmware.as_mut().unwrap().db.others = 2;
    let doubt = told(&|_, machine| unknown(machine)).unwrap().unwrap();
    assert!(doubt.contains("2 entries of the firmware's db are of kinds"), "{doubt}");
}

#[test]
fn tables_alone_are_not_made_for_a_machine_that_would_not_start_them() {
    let refusal = outcome(|order, manifest, facts| {
        order.loaders = Some(loaders(&[OLD]));
        facts.machine.firmware = Some(trusting(&[NEW]));
        let root = super::super::root(manifest);
        let claim = own_claim(order, &facts.disks[0]);
        let claim = Claim { stage: Stage::Ready { entries: 7 }, root, covers: manifest.size, ..claim };
        facts.disks[0].content = ours(claim);
        facts.disks[0].claimed_root_in_place = true;
    });
    assert_eq!(refusal.unwrap_err().code, Code::FirmwareRefuses);
}
