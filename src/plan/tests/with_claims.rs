//! What claims on disks allow, end, and prove.

use super::super::claims::MOST_SUPERSEDED;
use super::*;

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
        ("claimed by generation 8", Code::OrderStale, &|o, _, f| {
            f.disks[0].content = ours(by(9, 8, own_claim(o, &f.disks[0])));
            o.wipe = WipePolicy::Foreign;
        }),
        ("claimed by generation 7", Code::OrderStale, &|o, _, f| {
            f.disks[0].content = ours(by(9, 7, own_claim(o, &f.disks[0])));
        }),
        ("sdb was claimed by generation 8", Code::OrderStale, &|o, _, f| {
            let mut disk = second(f);
            disk.content = ours(by(9, 8, own_claim(o, &disk)));
            f.disks.push(disk);
        }),
        ("claimed by generation 8", Code::OrderStale, &|o, _, f| {
            let beside = Some("swap".to_owned());
            let claim = by(9, 8, own_claim(o, &f.disks[0]));
            f.disks[0].content = DiskContent::Ours { claim: claim.into(), closed: true, beside };
            o.wipe = WipePolicy::Foreign;
        }),
    ];
    refused(cases);
}

#[test]
fn a_claim_that_the_disk_does_not_bear_out_protects_what_is_there() {
    let cases: &[Case<'_>] = &[
        ("installed for host db01", Code::ForeignData, &|o, _, f| {
            f.disks[0].content = ours(of_db01(by(9, 7, own_claim(o, &f.disks[0]))));
        }),
        ("another system was installed over ours", Code::ForeignData, &|o, m, f| {
            let claim = by(9, 1, own_claim(o, &f.disks[0]));
            f.disks[0].content = DiskContent::Ours { claim: claim.into(), closed: false, beside: None };
            f.disks[0].filesystems = vec![m.root.uuid];
        }),
        ("another system was installed over ours", Code::ForeignData, &|o, _, f| {
            let claim = by(9, 1, own_claim(o, &f.disks[0]));
            f.disks[0].content = DiskContent::Ours { claim: claim.into(), closed: false, beside: None };
        }),
        ("another system was installed over ours", Code::ForeignData, &|o, m, f| {
            // its installer kept our ESP with the done file, and made a root of its own
            let order = OrderId::from_random([9; 16]);
            f.disks[0].done = vec![order];
            let claim = by(9, 1, own_claim(o, &f.disks[0]));
            f.disks[0].content = DiskContent::Ours { claim: claim.into(), closed: false, beside: None };
            f.disks[0].done_roots = vec![m.root.uuid];
            f.disks[0].filesystems = vec![uuid::Uuid::from_u128(0x07e5)];
        }),
        ("holds LVM physical volume over a claim of ours", Code::ForeignData, &|o, _, f| {
            let beside = Some("LVM physical volume".to_owned());
            let claim = own_claim(o, &f.disks[0]);
            f.disks[0].content = DiskContent::Ours { claim: claim.into(), closed: true, beside };
        }),
        ("holds other partitions over a claim of ours", Code::ForeignData, &|o, m, f| {
            // our root is still there, and somebody has put a partition beside it
            let stage = Stage::Ready { entries: 7 };
            let claim = Claim { stage, ..by(9, 1, own_claim(o, &f.disks[0])) };
            let beside = Some("other partitions".to_owned());
            f.disks[0].content = DiskContent::Ours { claim: claim.into(), closed: false, beside };
            (f.disks[0].filesystems, f.disks[0].done_roots) = (vec![m.root.uuid], vec![m.root.uuid]);
        }),
        ("a copy of disk serial:S0", Code::ForeignData, &|o, _, f| {
            let disk = "serial:S0".to_owned();
            f.disks[0].content = ours(Claim { disk, ..by(9, 1, own_claim(o, &f.disks[0])) });
        }),
    ];
    refused(cases);
}

fn refused(cases: &[Case<'_>]) {
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
    assert_eq!(retry.work, Work::Install);
    let newer = outcome(|o, m, f| {
        f.disks[0].content = ours(by(9, 6, own_claim(o, &f.disks[0])));
        f.disks[0].done = vec![OrderId::from_random([9; 16])];
        (f.disks[0].filesystems, f.disks[0].done_roots) = (vec![m.root.uuid], vec![m.root.uuid]);
    });
    assert_eq!(newer.unwrap().attempt, 1);
}

/// What is new: nothing but the tables is ever written again under an order whose claim is ready.
#[test]
fn under_a_claim_that_is_ready_nothing_but_the_tables_is_made_again() {
    let ready = |o: &InstallOrder, f: &Facts| Claim {
        stage: Stage::Ready { entries: 7 },
        ..own_claim(o, &f.disks[0])
    };
    // the power failed just before the commit, or LBA 0 was zeroed years later: the order has expired since
    let again = outcome(|o, _, f| {
        f.disks[0].content = ours(ready(o, f));
        f.disks[0].claimed_root_in_place = true;
        o.not_after = Timestamp::from_unix(1);
        o.wipe = WipePolicy::AnyMatch;
    });
    let again = again.unwrap();
    assert_eq!((again.work, again.attempt), (Work::Tables { entries: 7 }, 2));
    let other = outcome(|o, _, f| {
        let beside = Some("other partitions".to_owned());
        f.disks[0].content = DiskContent::Ours { claim: ready(o, f).into(), closed: true, beside };
        o.wipe = WipePolicy::AnyMatch;
    });
    let other = other.unwrap_err();
    assert_eq!(other.code, Code::ForeignData);
    assert!(other.message.contains("holds other partitions that it didn't make"), "{other}");
    let twin = outcome(|o, m, f| {
        f.disks[0].content = ours(ready(o, f));
        f.disks[0].claimed_root_in_place = true;
        let mut disk = second(f);
        (disk.content, disk.filesystems) = (DiskContent::Blank, vec![m.root.uuid]);
        f.disks.push(disk);
    });
    assert_eq!(twin.unwrap_err().code, Code::DuplicateRoot);
    // somebody's system was there since, and its tables were wiped: neither this order nor a newer one takes it for ours
    for generation in [7, 6] {
        let zapped = outcome(|o, _, f| {
            let claim = if generation == 7 { ready(o, f) } else { by(9, generation, ready(o, f)) };
            f.disks[0].content = ours(claim);
        });
        let zapped = zapped.unwrap_err();
        assert_eq!(zapped.code, Code::ForeignData, "{zapped}");
        assert!(zapped.message.contains("root"), "{zapped}");
    }
    // the host has moved to another disk under a newer order: this one is retired
    let retired = outcome(|o, _, f| {
        f.disks[0].content = ours(ready(o, f));
        f.disks[0].claimed_root_in_place = true;
        let mut disk = second(f);
        disk.content = ours(by(9, 8, own_claim(o, &disk)));
        f.disks.push(disk);
    });
    assert_eq!(retired.unwrap_err().code, Code::OrderStale);
    // whoever can write to a shared disk can copy a sealed grant there: tables are made on none but the order's own disk
    let shared = outcome(|o, _, f| {
        let mut lun = second(f);
        lun.content = ours(Claim { disk: lun.stable_name(), ..ready(o, f) });
        lun.claimed_root_in_place = true;
        f.disks.push(lun);
    });
    assert_eq!(shared.unwrap_err().code, Code::OrderClaimed);
    // a copy of the disk isn't the disk
    let copy = outcome(|o, _, f| {
        f.disks[0].content = ours(Claim { disk: "serial:S0".to_owned(), ..ready(o, f) });
        o.wipe = WipePolicy::AnyMatch;
    });
    assert_eq!(copy.unwrap_err().code, Code::OrderClaimed);
}

#[test]
fn what_lies_beyond_the_image_is_given_up_only_as_it_was_judged() {
    let elsewhere = |o: &InstallOrder, f: &Facts, stage: Stage| Claim {
        outside: Digest::of(b"as it was"),
        stage,
        ..own_claim(o, &f.disks[0])
    };
    let begun = outcome(|o, _, f| f.disks[0].content = ours(elsewhere(o, f, Stage::Begun)));
    let begun = begun.unwrap_err();
    assert_eq!(begun.code, Code::ForeignData);
    assert!(begun.message.contains("beyond the image has changed since the claim"), "{begun}");
    let allowed = outcome(|o, _, f| {
        f.disks[0].content = ours(elsewhere(o, f, Stage::Begun));
        o.wipe = WipePolicy::Foreign;
    });
    assert!(allowed.unwrap().overwrites_foreign);
    // once the image is placed, its root may have been grown over the rest
    let placed = |is_there: bool| {
        outcome(|o, _, f| {
            f.disks[0].content = ours(elsewhere(o, f, Stage::Placed));
            f.disks[0].claimed_root_in_place = is_there;
        })
    };
    assert_eq!(placed(false).unwrap_err().code, Code::ForeignData);
    // and a run that is cut off after that finds what the run before it had made of the rest
    let plan = placed(true).unwrap();
    let again = outcome(|o, _, f| {
        let claim = Claim { outside: plan.outside, stage: Stage::Begun, ..own_claim(o, &f.disks[0]) };
        f.disks[0].content = ours(claim);
    });
    assert_eq!(again.unwrap().attempt, plan.attempt);
}

#[test]
fn a_copy_of_the_targets_own_claim_on_a_shared_disk_stops_nobody() {
    let copied = |failures: u32, stage: Stage, closed: bool| {
        outcome(|o, _, f| {
            let claim = own_claim(o, &f.disks[0]);
            f.disks[0].content = ours(claim.clone());
            let mut lun = second(f);
            let claim = Claim { failures, stage, ..claim }.into();
            lun.content = DiskContent::Ours { claim, closed, beside: None };
            f.disks.push(lun);
        })
    };
    // what isn't in the grant is nobody's word there
    for (failures, stage, closed) in
        [(0, Stage::Begun, true), (9, Stage::Begun, true), (0, Stage::Ready { entries: 7 }, false)]
    {
        assert_eq!(copied(failures, stage, closed).unwrap().attempt, 3, "{failures} {stage:?}");
    }
}

#[test]
fn data_that_one_order_gave_up_is_not_given_up_by_another() {
    let judge = |seed: u8, generation: u64, wipe: WipePolicy| {
        outcome(|o, _, f| {
            let claim = Claim { foreign: true, ..own_claim(o, &f.disks[0]) };
            f.disks[0].content = ours(by(seed, generation, claim));
            o.wipe = wipe;
        })
    };
    let refusal = judge(9, 6, WipePolicy::Ours).unwrap_err();
    assert_eq!(refusal.code, Code::ForeignData);
    assert!(refusal.message.contains("was begun on it over data that isn't ours"), "{refusal}");
    assert!(judge(9, 6, WipePolicy::Foreign).unwrap().foreign);
    // its own retry goes on, and keeps the word
    assert!(judge(1, 7, WipePolicy::Ours).unwrap().foreign);
}

#[test]
fn an_order_that_was_begun_absurdly_often_ends() {
    let refusal = outcome(|o, _, f| {
        let attempts = claim::MOST_ATTEMPTS;
        f.disks[0].content = ours(Claim { attempts, ..own_claim(o, &f.disks[0]) });
    });
    assert_eq!(refusal.unwrap_err().code, Code::OrderFailed);
}

fn ids(seeds: &[u8]) -> Vec<OrderId> {
    seeds.iter().map(|seed| OrderId::from_random([*seed; 16])).collect()
}

#[test]
fn a_newer_order_ends_all_that_were_done_or_claimed_on_the_disk_for_this_host() {
    let older = |o: &InstallOrder, f: &Facts| Claim {
        superseded: ids(&[8, 7]),
        ..by(9, 6, own_claim(o, &f.disks[0]))
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
        f.disks[0].content = ours(of_db01(older(o, f)));
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
        superseded: ids(&(1..=5).collect::<Vec<_>>()),
        ..by(99, 1, own_claim(&order, &facts.disks[0]))
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
            f.disks[0].content = ours(by(claimed_by[0], generation, own_claim(o, &f.disks[0])));
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
    assert_eq!(judge([9; 16], 6, WipePolicy::Foreign).unwrap_err().code, Code::ForeignData);
    assert!(judge([9; 16], 6, WipePolicy::AnyMatch).unwrap().overwrites_foreign);
    assert_eq!(judge([9; 16], 8, WipePolicy::AnyMatch).unwrap_err().code, Code::OrderStale);
}

#[test]
fn an_order_that_failed_three_times_is_not_tried_again() {
    let with = |failures: u32, id: u8, stage: Stage, closed: bool| {
        outcome(|o, _, f| {
            let own = own_claim(o, &f.disks[0]);
            let grant = Grant { order: OrderId::from_random([id; 16]), ..own.grant.clone() };
            let claim = Claim { failures, stage, grant, ..own };
            f.disks[0].content = DiskContent::Ours { claim: claim.into(), closed, beside: None };
            o.wipe = WipePolicy::Foreign;
            // armed again
            o.generation += u64::from(id != 1);
        })
    };
    let own = 1;
    assert_eq!(with(2, own, Stage::Begun, true).unwrap().failures, 2);
    for stage in [Stage::Begun, Stage::Placed, Stage::Ready { entries: 7 }] {
        let refusal = with(3, own, stage, true).unwrap_err();
        assert_eq!(refusal.code, Code::OrderFailed, "{refusal}");
        assert!(refusal.message.contains("failed 3 times") && refusal.message.contains("sda"), "{refusal}");
    }
    // once it is done, it is done; and another order has failures of its own
    assert_eq!(with(3, own, Stage::Ready { entries: 7 }, false).unwrap_err().code, Code::OrderDone);
    assert_eq!(with(3, 9, Stage::Begun, true).unwrap().failures, 0);
}
