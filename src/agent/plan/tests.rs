//! Every refusal once, and what must not be refused.

use super::*;
use crate::agent::fixture;
use crate::value::{ByteSize, OrderId};

mod after_countdown;

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
    Claim {
        version: FormatVersion,
        order: order.id.clone(),
        generation: order.generation,
        host: order.host.clone(),
        disk: disk.stable_name(),
        attempts: 2,
        stage: Stage::Begun,
        superseded: Vec::new(),
    }
}

fn outcome(change: impl Fn(&mut InstallOrder, &mut ImageManifest, &mut Facts)) -> Result<Plan, Refusal> {
    let (mut order, mut manifest, mut facts) = world();
    change(&mut order, &mut manifest, &mut facts);
    plan(&order, &manifest, floor(), &facts)
}

fn ours(claim: Claim) -> DiskContent {
    DiskContent::Ours { claim, closed: true, beside: None }
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
            f.disks[0].content = DiskContent::Ours { claim, closed: false, beside };
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
        ("enforces SELinux", Code::ImageUnsupported, &|_, m, _| m.system.selinux_enforcing = true),
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
fn an_order_goes_on_only_where_it_was_claimed() {
    let cases: &[Case<'_>] = &[
        ("was claimed on sdb", Code::OrderClaimed, &|o, _, f| {
            let mut disk = second(f);
            disk.content = ours(own_claim(o, &disk));
            f.disks.push(disk);
        }),
        ("a copy of it", Code::OrderClaimed, &|o, _, f| {
            let claim = Claim { disk: "serial:S0".to_owned(), ..own_claim(o, &f.disks[0]) };
            f.disks[0].content = ours(claim);
        }),
        ("was claimed for host db01", Code::OrderClaimed, &|o, _, f| {
            let claim = Claim { host: "db01".parse().unwrap(), ..own_claim(o, &f.disks[0]) };
            f.disks[0].content = ours(claim);
        }),
        ("claimed by generation 8", Code::OrderStale, &|o, _, f| {
            let order = OrderId::from_random([9; 16]);
            f.disks[0].content = ours(Claim { order, generation: 8, ..own_claim(o, &f.disks[0]) });
            o.wipe = WipePolicy::Foreign;
        }),
        ("claimed by generation 7", Code::OrderStale, &|o, _, f| {
            let order = OrderId::from_random([9; 16]);
            f.disks[0].content = ours(Claim { order, ..own_claim(o, &f.disks[0]) });
        }),
        ("sdb was claimed by generation 8", Code::OrderStale, &|o, _, f| {
            let mut disk = second(f);
            let order = OrderId::from_random([9; 16]);
            disk.content = ours(Claim { order, generation: 8, ..own_claim(o, &disk) });
            f.disks.push(disk);
        }),
        ("installed for host db01", Code::ForeignData, &|o, _, f| {
            let (order, host) = (OrderId::from_random([9; 16]), "db01".parse().unwrap());
            f.disks[0].content = ours(Claim { order, host, ..own_claim(o, &f.disks[0]) });
        }),
        ("another system was installed over ours", Code::ForeignData, &|o, m, f| {
            let order = OrderId::from_random([9; 16]);
            f.disks[0].content = ours(Claim { order, generation: 1, ..own_claim(o, &f.disks[0]) });
            f.disks[0].filesystems = vec![m.root.uuid];
        }),
        ("another system was installed over ours", Code::ForeignData, &|o, _, f| {
            let order = OrderId::from_random([9; 16]);
            let claim = Claim { order, generation: 1, ..own_claim(o, &f.disks[0]) };
            f.disks[0].content = DiskContent::Ours { claim, closed: false, beside: None };
        }),
        ("another system was installed over ours", Code::ForeignData, &|o, m, f| {
            // its installer kept our ESP with the done file, and made a root of its own
            let order = OrderId::from_random([9; 16]);
            f.disks[0].done = vec![order.clone()];
            let claim = Claim { order, generation: 1, ..own_claim(o, &f.disks[0]) };
            f.disks[0].content = DiskContent::Ours { claim, closed: false, beside: None };
            f.disks[0].done_roots = vec![m.root.uuid];
            f.disks[0].filesystems = vec![uuid::Uuid::from_u128(0x07e5)];
        }),
        ("holds LVM physical volume over a claim of ours", Code::ForeignData, &|o, _, f| {
            let beside = Some("LVM physical volume".to_owned());
            let claim = own_claim(o, &f.disks[0]);
            f.disks[0].content = DiskContent::Ours { claim, closed: true, beside };
        }),
        ("holds other partitions over a claim of ours", Code::ForeignData, &|o, m, f| {
            // our root is still there, and somebody has put a partition beside it
            let (order, stage) = (OrderId::from_random([9; 16]), Stage::Ready { entries: 7 });
            let claim = Claim { order, generation: 1, stage, ..own_claim(o, &f.disks[0]) };
            let beside = Some("other partitions".to_owned());
            f.disks[0].content = DiskContent::Ours { claim, closed: false, beside };
            (f.disks[0].filesystems, f.disks[0].done_roots) = (vec![m.root.uuid], vec![m.root.uuid]);
        }),
        ("claimed by generation 8", Code::OrderStale, &|o, _, f| {
            let (order, beside) = (OrderId::from_random([9; 16]), Some("swap".to_owned()));
            let claim = Claim { order, generation: 8, ..own_claim(o, &f.disks[0]) };
            f.disks[0].content = DiskContent::Ours { claim, closed: true, beside };
            o.wipe = WipePolicy::Foreign;
        }),
        ("a copy of disk serial:S0", Code::ForeignData, &|o, _, f| {
            let (order, disk) = (OrderId::from_random([9; 16]), "serial:S0".to_owned());
            f.disks[0].content = ours(Claim { order, disk, generation: 1, ..own_claim(o, &f.disks[0]) });
        }),
    ];
    for (message, code, change) in cases {
        let refusal = outcome(change).unwrap_err();
        assert_eq!(refusal.code, *code, "{refusal}");
        assert!(refusal.message.contains(message), "expected `{message}` in: {refusal}");
    }
}

#[test]
fn a_retry_and_a_newer_order_are_planned() {
    let retry = outcome(|o, _, f| f.disks[0].content = ours(own_claim(o, &f.disks[0]))).unwrap();
    assert_eq!((retry.attempt, retry.overwrites_foreign), (3, false));
    // all but the commit was there when the power failed
    let stage = Stage::Ready { entries: 7 };
    let late = outcome(|o, _, f| f.disks[0].content = ours(Claim { stage, ..own_claim(o, &f.disks[0]) }));
    assert_eq!(late.unwrap().attempt, 3);
    let newer = outcome(|o, m, f| {
        let order = OrderId::from_random([9; 16]);
        f.disks[0].content = ours(Claim { order, generation: 6, ..own_claim(o, &f.disks[0]) });
        f.disks[0].done = vec![OrderId::from_random([9; 16])];
        (f.disks[0].filesystems, f.disks[0].done_roots) = (vec![m.root.uuid], vec![m.root.uuid]);
    });
    assert_eq!(newer.unwrap().attempt, 1);
}

fn ids(seeds: &[u8]) -> Vec<OrderId> {
    seeds.iter().map(|seed| OrderId::from_random([*seed; 16])).collect()
}

#[test]
fn a_newer_order_ends_all_that_were_done_or_claimed_on_the_disk_for_this_host() {
    let older = |o: &InstallOrder, f: &Facts| Claim {
        order: OrderId::from_random([9; 16]),
        generation: 6,
        superseded: ids(&[8, 7]),
        ..own_claim(o, &f.disks[0])
    };
    let reinstall = outcome(|o, m, f| {
        f.disks[0].content = ours(older(o, f));
        f.disks[0].done = ids(&[5, 9, 8]);
        (f.disks[0].filesystems, f.disks[0].done_roots) = (vec![m.root.uuid], vec![m.root.uuid]);
    });
    assert_eq!(reinstall.unwrap().superseded, ids(&[9, 8, 7, 5]));
    // it breaks off: the ESP is gone, and the claim still knows
    let retry = outcome(|o, _, f| {
        let claim = Claim { superseded: ids(&[9, 8]), ..own_claim(o, &f.disks[0]) };
        f.disks[0].content = ours(claim);
    });
    assert_eq!(retry.unwrap().superseded, ids(&[9, 8]));
    let other_host = outcome(|o, _, f| {
        o.wipe = WipePolicy::Foreign;
        f.disks[0].content = ours(Claim { host: "db01".parse().unwrap(), ..older(o, f) });
        f.disks[0].done = ids(&[9]);
    });
    assert_eq!(other_host.unwrap().superseded, []);
    let many = outcome(|o, _, f| {
        f.disks[0].content = ours(older(o, f));
        f.disks[0].done = ids(&(10..=200).collect::<Vec<_>>());
    });
    assert_eq!(many.unwrap().superseded.len(), MOST_SUPERSEDED);
}

#[test]
fn older_orders_that_do_not_fit_the_claim_are_no_reason_to_refuse() {
    let (order, manifest, mut facts) = world();
    facts.disks[0].content = ours(Claim {
        order: OrderId::from_random([99; 16]),
        generation: 1,
        superseded: ids(&(1..=5).collect::<Vec<_>>()),
        ..own_claim(&order, &facts.disks[0])
    });
    facts.disks[0].done = ids(&(10..40).collect::<Vec<_>>());
    let plan = plan(&order, &manifest, floor(), &facts).unwrap();
    assert_eq!(plan.superseded.len(), MOST_SUPERSEDED);
    let claim = claim(&order, &plan);
    assert!(claim.superseded.len() >= 4, "{claim:?}");
    assert_eq!(claim.superseded, plan.superseded[..claim.superseded.len()]);
    assert_eq!(Claim::from_record(&claim.to_record().unwrap()), Some(claim));
}

/// Of disks of one make without WWN and serial, each may carry the copy of another one's claim.
#[test]
fn a_claim_on_a_disk_without_wwn_and_serial_serves_its_own_order_only() {
    let judge = |claimed_by: [u8; 16], generation: u64, wipe: WipePolicy| {
        outcome(|o, m, f| {
            o.target = serde_json::from_str(r#"{"model":"QEMU HARDDISK"}"#).unwrap();
            o.wipe = wipe;
            f.disks[0].serial = None;
            let order = OrderId::from_random(claimed_by);
            f.disks[0].content = ours(Claim { order, generation, ..own_claim(o, &f.disks[0]) });
            if claimed_by != [1; 16] {
                f.disks[0].done = vec![OrderId::from_random(claimed_by)];
                f.disks[0].filesystems = vec![m.root.uuid];
            }
        })
    };
    let retry = judge([1; 16], 7, WipePolicy::Ours).unwrap();
    assert_eq!((retry.attempt, retry.overwrites_foreign), (3, false));
    let refusal = judge([9; 16], 6, WipePolicy::Ours).unwrap_err();
    assert_eq!(refusal.code, Code::ForeignData);
    assert!(refusal.message.contains("without WWN and serial number"), "{refusal}");
    assert!(judge([9; 16], 6, WipePolicy::Foreign).unwrap().overwrites_foreign);
    assert_eq!(judge([9; 16], 8, WipePolicy::Foreign).unwrap_err().code, Code::OrderStale);
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

/// The order is valid for an hour from the floor on; offsets in seconds from there.
#[test]
fn validity_is_judged_against_the_later_of_clock_and_floor() {
    let judge = |clock: i64, not_before: i64| {
        outcome(|o, _, f| {
            f.clock = Timestamp::from_unix(FLOOR + clock);
            o.not_before = Timestamp::from_unix(FLOOR + not_before);
            o.not_after = Timestamp::from_unix(FLOOR + 3600);
        })
        .map_err(|refusal| refusal.code)
        .map(|_| ())
    };
    let expired = Err(Code::OrderExpired);
    assert_eq!(judge(0, 0), Ok(()));
    assert_eq!(judge(3600, 0), Ok(()));
    assert_eq!(judge(3601, 0), expired);
    // a clock before the floor is wrong: the floor counts
    assert_eq!(judge(-FLOOR, 0), Ok(()));
    assert_eq!(judge(-FLOOR, 100), Ok(()));
    // a credible clock before the beginning is believed
    assert_eq!(judge(50, 100), expired);
    // with a wrong clock, the floor alone can end an order
    let ended = outcome(|o, _, f| {
        f.clock = Timestamp::from_unix(0);
        o.not_after = Timestamp::from_unix(FLOOR - 1);
    });
    assert_eq!(ended.unwrap_err().code, Code::OrderExpired);
}

#[test]
fn a_claim_that_does_not_fit_its_sector_is_found_before_the_wipe() {
    let refusal = outcome(|_, _, f| f.disks[0].wwn = Some("w".repeat(500))).unwrap_err();
    assert_eq!(refusal.code, Code::Internal);
}
