//! With Secure Boot on: what a firmware wouldn't start isn't written, and what isn't known isn't refused.

use super::*;
use crate::spec::facts::{Machine, SecureBoot};
use crate::spec::secure_boot::{
    Certificate, FirmwareTrust, Hashes, Loaders, Program, Sbat, SbatLevel, ShownLevel, SignatureDatabase,
    Signer,
};

const OLD: &str = "Microsoft Corporation UEFI CA 2011";
const NEW: &str = "Microsoft UEFI CA 2023";
const DEBIAN: &str = "Debian Secure Boot CA";

fn authority(name: &str) -> Certificate {
    let key = Some(format!("key of {name}"));
    Certificate {
        subject: format!("CN={name},O=Microsoft Corporation"),
        digest: Digest::of(name.as_bytes()),
        key,
        body: Some(body(name)),
    }
}

/// What is signed in somebody's certificate.
fn body(name: &str) -> Digest {
    Digest::of(format!("body of {name}").as_bytes())
}

/// By a publisher whom this authority vouches for, with the authority's own certificate.
fn signature(name: &str) -> Vec<Signer> {
    let signer = |certificate: Certificate, by: &str| Signer {
        issuer: format!("CN={by},O=Microsoft Corporation"),
        issuer_key: Some(format!("key of {by}")),
        certificate,
    };
    vec![signer(authority(&format!("publisher of {name}")), name), signer(authority(name), "a root")]
}

fn loaders(by: &[&str]) -> Loaders {
    let program = |name: &str, by: &[&str], sbat: &str| Program {
        digest: Digest::of(name.as_bytes()),
        signatures: by.iter().map(|name| signature(name)).collect(),
        unread: 0,
        sbat: sbat_of(sbat),
    };
    Loaders {
        shim: program("shim", by, "sbat,1 shim,4"),
        grub: program("grub", &[DEBIAN], "sbat,1 grub,5 grub.debian,5"),
        raises: Some(level("2025021800", "shim,4\ngrub,5\n")),
    }
}

/// A section of these components and generations.
fn sbat_of(rows: &str) -> Sbat {
    let rows: String = rows.split(' ').map(|row| format!("{row},Somebody,package,1.0,https://x\n")).collect();
    Sbat::of_section(&rows)
}

fn level(made: &str, wanted: &str) -> SbatLevel {
    format!("sbat,1,{made}\n{wanted}").parse().unwrap()
}

fn trusting(names: &[&str]) -> FirmwareTrust {
    let certificates = names.iter().map(|name| authority(name)).collect();
    FirmwareTrust {
        db: SignatureDatabase { certificates, ..SignatureDatabase::default() },
        sbat_level: Some(ShownLevel::Known(level("2021030218", ""))),
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

fn starts(loaders: Loaders, firmware: FirmwareTrust) {
    assert_eq!(on(loaders.clone(), firmware.clone()).map(drop), Ok(()));
    assert_eq!(doubt(loaders, firmware), None);
}

/// Planned, and what isn't known is told.
fn is_told(loaders: Loaders, firmware: FirmwareTrust, why: &str) {
    assert_eq!(on(loaders.clone(), firmware.clone()).map(drop), Ok(()));
    let told = doubt(loaders, firmware).unwrap_or_default();
    assert!(told.contains(why), "expected `{why}` in: {told}");
}

fn doubt(loaders: Loaders, firmware: FirmwareTrust) -> Option<String> {
    let (order, _, facts) = world();
    let machine = Machine { firmware: Some(firmware), ..facts.machine };
    firmware_doubt(&InstallOrder { loaders: Some(loaders), ..order }, &machine)
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
        starts(loaders(by), trusting(trusted));
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
    starts(loaders(&[]), by_hash);

    let both = || (loaders(&[OLD, NEW]), trusting(&[OLD, NEW]));
    let (image, mut trust) = both();
    trust.dbx.programs = hash("shim");
    is_refused(image, trust, "(dbx) has the hash of its shim");
    let (image, mut trust) = both();
    trust.dbx.certificates = vec![authority(OLD)];
    is_refused(image, trust, "(dbx) has `Microsoft Corporation UEFI CA 2011`, which vouches for its shim");
    let (image, mut trust) = both();
    trust.dbx.bodies = Hashes::from_iter([body(&format!("publisher of {NEW}"))]);
    is_refused(
        image,
        trust,
        "(dbx) has the hash of `publisher of Microsoft UEFI CA 2023`, which signed its shim",
    );
    let (image, mut trust) = both();
    trust.dbx.programs = hash("grub");
    is_refused(image, trust, "(dbx) has the hash of its GRUB");
    let (image, mut trust) = both();
    trust.dbx.programs = hash("another program");
    starts(image, trust);
}

#[test]
fn an_authority_whose_hash_is_forbidden_strikes_out_what_it_vouches_for() {
    let forbids = |trusted: &[&str]| {
        let mut trust = trusting(trusted);
        trust.dbx.bodies = Hashes::from_iter([body(OLD)]);
        trust
    };
    is_told(
        loaders(&[OLD, NEW]),
        forbids(&[OLD, NEW]),
        "dbx has the hash of `Microsoft Corporation UEFI CA 2011`",
    );
    is_refused(
        loaders(&[OLD]),
        forbids(&[OLD, NEW]),
        "has the hash of `Microsoft Corporation UEFI CA 2011`, without which its db trusts no signature of its shim",
    );
    is_refused(loaders(&[OLD, NEW]), forbids(&[OLD]), "without which its db trusts no signature");
    starts(loaders(&[NEW]), forbids(&[OLD, NEW]));
    // one that no signature brings along
    let alone = |trust: FirmwareTrust| {
        let mut image = loaders(&[OLD]);
        image.shim.signatures[0].truncate(1);
        (image, trust)
    };
    let (image, trust) = alone(forbids(&[OLD]));
    is_refused(image, trust, "without which its db trusts no signature");
    // facts of earlier versions don't say the hash of what a firmware has
    let (image, mut trust) = alone(forbids(&[OLD]));
    trust.db.certificates[0].body = None;
    is_told(image.clone(), trust.clone(), "record them anew");
    is_refused(loaders(&[OLD]), trust.clone(), "without which its db trusts no signature");
    trust.dbx.bodies = Hashes::default();
    starts(image, trust);
    // the program's own hash stands beside its signatures
    let mut by_hash = forbids(&[]);
    by_hash.db.programs = Hashes::from_iter([Digest::of(b"shim")]);
    is_told(loaders(&[OLD]), by_hash.clone(), "firmwares differ");
    starts(loaders(&[NEW]), by_hash);
    // neither a revoked authority nor anything else counts while not all of db is known
    let mut others = forbids(&[OLD]);
    others.db.others = 1;
    is_told(loaders(&[OLD]), others, "1 entries of the firmware's db");
}

#[test]
fn each_signature_of_grub_counts_by_itself() {
    const OTHER: &str = "Another CA";
    let forbids = |names: &[&str]| {
        let mut trust = trusting(&[OLD]);
        trust.dbx.certificates = names.iter().map(|name| authority(name)).collect();
        trust
    };
    let signed = |by: &[&str]| {
        let mut image = loaders(&[OLD]);
        image.grub.signatures = by.iter().map(|name| signature(name)).collect();
        image
    };
    is_refused(
        signed(&[DEBIAN]),
        forbids(&[DEBIAN]),
        "(dbx) has `Debian Secure Boot CA`, which vouches for its GRUB",
    );
    is_refused(
        signed(&[DEBIAN, OTHER]),
        forbids(&[DEBIAN, OTHER]),
        "`Another CA`, `Debian Secure Boot CA`, which",
    );
    is_told(signed(&[DEBIAN, OTHER]), forbids(&[DEBIAN]), "whether its shim trusts who else signed that");
    starts(signed(&[DEBIAN]), forbids(&[OTHER]));
    // shim takes a hash for it, before it looks at signatures
    let mut known = forbids(&[DEBIAN]);
    known.db.programs = Hashes::from_iter([Digest::of(b"grub")]);
    starts(signed(&[DEBIAN]), known);
    // and knows nothing of hashes of certificates
    let mut by_hash = trusting(&[OLD]);
    by_hash.dbx.bodies = Hashes::from_iter([body(DEBIAN), body(&format!("publisher of {DEBIAN}"))]);
    starts(signed(&[DEBIAN]), by_hash);
    // one that can't be read might be the one that is forbidden, or the one that isn't
    let mut unread = signed(&[DEBIAN]);
    unread.grub.unread = 1;
    is_told(unread.clone(), forbids(&[DEBIAN]), "1 signatures of its GRUB can't be read");
    is_told(unread.clone(), forbids(&[OTHER]), "1 signatures of its GRUB can't be read");
    starts(unread, trusting(&[OLD]));
}

#[test]
fn a_shim_that_shall_verify_nothing_still_judges_itself_and_nothing_else() {
    let lax = |wanted: &str| {
        let sbat_level = Some(ShownLevel::Known(level("2029010100", wanted)));
        FirmwareTrust { shim_is_lax: true, sbat_level, ..trusting(&[OLD]) }
    };
    is_refused(loaders(&[OLD]), lax("shim,5\n"), "its shim is generation 4 of `shim`, and this machine's");
    starts(loaders(&[OLD]), lax("shim,4\ngrub,9\n"));
    let mut forbidden = lax("shim,4\n");
    forbidden.dbx.certificates = vec![authority(DEBIAN)];
    forbidden.dbx.programs = Hashes::from_iter([Digest::of(b"grub")]);
    starts(loaders(&[OLD]), forbidden.clone());
    let mut image = loaders(&[OLD]);
    image.grub.sbat = Sbat::Malformed;
    starts(image, forbidden);
    is_refused(loaders(&[NEW]), lax(""), "its shim is signed by");
}

#[test]
fn the_later_of_the_two_levels_holds_for_shim_and_for_grub() {
    let both = |made: &str, wanted: &str| {
        let sbat_level = Some(ShownLevel::Known(level(made, wanted)));
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
    starts(image, trust);
    let (mut image, trust) = both("2021030218", "");
    image.grub.sbat = sbat_of("grub,3");
    is_refused(
        image,
        trust.clone(),
        "generation 3 of `grub`, and its shim's SBAT level of 2025021800 wants 5",
    );
    let (mut image, _) = both("2021030218", "");
    image.grub.sbat = Sbat::Absent;
    is_refused(image.clone(), trust.clone(), "its GRUB has no SBAT section");
    // neither a shim that is older than SBAT nor one that was told not to asks for it
    starts(image.clone(), FirmwareTrust { shim_is_lax: true, ..trust.clone() });
    image.shim.sbat = Sbat::Absent;
    image.raises = None;
    starts(image.clone(), FirmwareTrust { sbat_level: None, ..trust });
}

#[test]
fn a_section_that_is_not_well_formed_is_told_and_an_empty_one_passes() {
    let with = |sbat: Sbat| {
        let mut image = loaders(&[OLD]);
        image.grub.sbat = sbat;
        image
    };
    is_told(with(Sbat::Malformed), trusting(&[OLD]), "the SBAT section of its GRUB isn't well-formed");
    starts(with(Sbat::of_section("")), trusting(&[OLD]));
    let mut image = loaders(&[OLD]);
    image.shim.sbat = Sbat::Malformed;
    is_told(image, trusting(&[OLD]), "the SBAT section of its shim isn't well-formed");
}

#[test]
fn a_level_that_nobody_has_shown_is_told_and_shims_own_still_refuses() {
    let malformed = Some(ShownLevel::Malformed("zeroes".to_owned()));
    for (sbat_level, why) in [(None, "no shim has shown"), (malformed, "(SbatLevelRT) isn't one")] {
        let trust = FirmwareTrust { sbat_level, ..trusting(&[OLD]) };
        is_told(loaders(&[OLD]), trust.clone(), why);
        is_told(loaders(&[OLD]), FirmwareTrust { shim_is_lax: true, ..trust.clone() }, why);
        let mut image = loaders(&[OLD]);
        image.grub.sbat = sbat_of("grub,3");
        is_refused(image, trust, "its shim's SBAT level of 2025021800 wants 5");
    }
}

#[test]
fn all_that_is_not_known_is_told_and_a_refusal_goes_before() {
    let mut trust = FirmwareTrust { sbat_level: None, ..trusting(&[OLD]) };
    trust.dbx.others = 3;
    is_told(
        loaders(&[OLD]),
        trust.clone(),
        "since it was switched on; 3 entries of the firmware's dbx are of kinds",
    );
    trust.dbx.programs = Hashes::from_iter([Digest::of(b"grub")]);
    is_refused(loaders(&[OLD]), trust, "(dbx) has the hash of its GRUB");
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
    let doubt = told(&|_, machine| machine.secure_boot = SecureBoot::Unread).unwrap().unwrap();
    assert!(doubt.starts_with("whether Secure Boot is on, and then starts image"), "{doubt}");
    assert!(doubt.contains("(efivarfs) couldn't be read"), "{doubt}");
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
