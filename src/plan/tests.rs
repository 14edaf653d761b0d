//! Every refusal once, and what must not be refused.

use super::*;
use crate::agent::fixture;
use crate::spec::claim;
use crate::spec::order::{Grant, WipePolicy};
use crate::value::{ByteSize, Digest, OrderId};

mod after_countdown;
mod candidates;
mod firmware;
mod held_images;
mod time;
mod with_claims;

type Case<'a> = (&'a str, Code, &'a dyn Fn(&mut InstallOrder, &mut ImageManifest, &mut Facts));

const FLOOR: i64 = 1_795_000_000;

fn floor() -> Timestamp {
    Timestamp::from_unix(FLOOR)
}

fn world() -> (InstallOrder, ImageManifest, Facts) {
    let manifest = fixture::manifest();
    let order = fixture::order(&manifest);
    let facts = fixture::facts(manifest.size.as_bytes());
    (order, manifest, facts)
}

fn own_claim(order: &InstallOrder, disk: &Disk) -> Claim {
    let claim = claim::tests::claim();
    let outside = outside(disk, claim.covers);
    Claim { grant: order.grant(), disk: disk.stable_name(), attempts: 2, outside, ..claim }
}

/// The same by an order of this number.
fn by(seed: u8, generation: u64, claim: Claim) -> Claim {
    let grant = Grant { order: OrderId::from_random([seed; 16]), generation, ..claim.grant };
    Claim { grant, ..claim }
}

/// The same for another host.
fn of_db01(claim: Claim) -> Claim {
    Claim { grant: Grant { host: "db01".parse().unwrap(), ..claim.grant }, ..claim }
}

fn outcome(change: impl Fn(&mut InstallOrder, &mut ImageManifest, &mut Facts)) -> Result<Plan, Refusal> {
    let (mut order, mut manifest, mut facts) = world();
    change(&mut order, &mut manifest, &mut facts);
    plan(&order, &manifest, floor(), &facts)
}

fn ours(claim: Claim) -> DiskContent {
    DiskContent::Ours { claim: claim.into(), closed: true, beside: None }
}

/// A second disk that nothing speaks against.
fn second(facts: &Facts) -> Disk {
    let mut disk = facts.disks[0].clone();
    disk.name = "sdb".to_owned();
    disk.serial = Some("S2".to_owned());
    disk
}

#[test]
fn one_blank_disk_that_matches_is_planned() {
    let plan = outcome(|_, _, _| {}).unwrap();
    assert_eq!((plan.disk.name.as_str(), plan.attempt, plan.overwrites_foreign), ("sda", 1, false));
    assert_eq!(plan.host.as_str(), "web01");
}

#[test]
fn every_refusal_has_its_code_and_says_what_was_seen() {
    let cases: &[Case<'_>] = &[
        ("not that host", Code::NoHost, &|_, _, f| f.machine.nics.clear()),
        ("is done: sdb", Code::OrderDone, &|o, _, f| {
            let mut disk = second(f);
            disk.done = vec![o.id.clone()];
            f.disks.push(disk);
        }),
        ("is done: sda", Code::OrderDone, &|o, _, f| {
            // the done file went with the ESP, and the profile gives everything up: the claim still knows
            o.wipe = WipePolicy::Foreign;
            let stage = Stage::Ready { entries: 7 };
            let claim = Claim { stage, ..own_claim(o, &f.disks[0]) };
            let beside = Some("other partitions".to_owned());
            f.disks[0].content = DiskContent::Ours { claim: claim.into(), closed: false, beside };
        }),
        ("no disk has serial S1", Code::NoDisk, &|_, _, f| f.disks[0].serial = Some("S9".to_owned())),
        ("serial S9", Code::NoDisk, &|_, _, f| f.disks[0].serial = Some("S9".to_owned())),
        ("disks of this machine: none", Code::NoDisk, &|_, _, f| f.disks.clear()),
        ("only sda has", Code::NoDisk, &|_, _, f| f.disks[0].removable = true),
        ("only sda has", Code::NoDisk, &|_, _, f| f.disks[0].boot_medium = true),
        ("2 disks have serial S1: sda, sdb", Code::ManyDisks, &|_, _, f| {
            let mut disk = second(f);
            disk.serial = Some("s1".to_owned());
            f.disks.push(disk);
        }),
        ("512 bytes too small", Code::DiskTooSmall, &|_, m, f| {
            f.disks[0].size = ByteSize::bytes(m.size.as_bytes() - 512);
        }),
        ("blocks of 4096 bytes", Code::SectorSize, &|_, _, f| f.disks[0].logical_block = 4096),
        ("writes are refused", Code::DiskReadOnly, &|_, _, f| f.disks[0].read_only = true),
        ("can't be read (bad cable)", Code::DiskIo, &|_, _, f| {
            f.disks[0].content = DiskContent::Unreadable { error: "bad cable".to_owned() };
        }),
        ("it holds GPT (VMFS)", Code::ForeignData, &|_, _, f| {
            f.disks[0].content = DiskContent::Foreign { looks_like: "GPT (VMFS)".to_owned() };
        }),
        ("root UUID", Code::DuplicateRoot, &|_, m, f| {
            let mut disk = second(f);
            disk.filesystems = vec![m.root.uuid];
            disk.removable = true;
            f.disks.push(disk);
        }),
        ("would have no network", Code::ImageUnsupported, &|_, m, _| {
            m.system.network = NetworkStack::Unknown;
        }),
        ("its manifest is of", Code::ImageUnsupported, &|_, m, _| m.image = "other@1".parse().unwrap()),
    ];
    for (message, code, change) in cases {
        let refusal = outcome(change).unwrap_err();
        assert_eq!(refusal.code, *code, "{refusal}");
        assert!(refusal.message.contains(message), "expected `{message}` in: {refusal}");
    }
}

#[test]
fn foreign_data_and_the_root_on_the_target_itself_are_overwritten_where_allowed() {
    let plan = outcome(|o, m, f| {
        o.wipe = WipePolicy::Foreign;
        f.disks[0].content = DiskContent::Foreign { looks_like: "LUKS".to_owned() };
        f.disks[0].filesystems = vec![m.root.uuid];
    });
    assert!(plan.unwrap().overwrites_foreign);
}

/// The disk that was meant is dead, and one with somebody's data is the only match.
#[test]
fn foreign_data_is_overwritten_on_a_disk_that_is_named_or_where_the_order_gives_any_up() {
    let on = |selector: &str, wipe: WipePolicy, content: Option<&str>| {
        outcome(|o, _, f| {
            o.target = serde_json::from_str(selector).unwrap();
            o.wipe = wipe;
            f.disks[0].wwn = Some("naa.5".to_owned());
            if let Some(content) = content {
                f.disks[0].content = DiskContent::Foreign { looks_like: content.to_owned() };
            }
        })
    };
    for selector in [r#"{"min_size":"1K"}"#, r#"{"model":"QEMU*"}"#] {
        let refusal = on(selector, WipePolicy::Foreign, Some("LVM")).unwrap_err();
        assert_eq!(refusal.code, Code::ForeignData);
        let why =
            "it holds LVM, and order 01010101010101010101010101010101 allows it on a disk that is named";
        assert!(refusal.message.contains(why), "{refusal}");
        assert!(on(selector, WipePolicy::AnyMatch, Some("LVM")).unwrap().overwrites_foreign);
        assert!(!on(selector, WipePolicy::Foreign, None).unwrap().overwrites_foreign);
    }
    for selector in [r#"{"serial":"S1"}"#, r#"{"wwn":"0x5","min_size":"1K"}"#] {
        assert!(on(selector, WipePolicy::Foreign, Some("LVM")).unwrap().overwrites_foreign);
    }
}

#[test]
fn a_matching_stick_beside_the_disk_does_not_count() {
    let plan = outcome(|_, _, f| {
        let mut stick = f.disks[0].clone();
        (stick.name, stick.boot_medium) = ("sdc".to_owned(), true);
        f.disks.push(stick);
    });
    assert_eq!(plan.unwrap().disk.name, "sda");
}

#[test]
fn a_disk_exactly_as_large_as_the_image_is_enough() {
    assert!(outcome(|_, m, f| f.disks[0].size = m.size).is_ok());
}

#[test]
fn a_claim_that_does_not_fit_its_sector_is_found_before_the_wipe() {
    let refusal = outcome(|_, _, f| f.disks[0].wwn = Some("w".repeat(500))).unwrap_err();
    assert_eq!(refusal.code, Code::Internal);
}
