//! Installs on disks that hold an install of ours: what isn't fetched, and that neither a power cut nor a failing disk makes more of it
//! than there is.

use super::fault_tests::{ThenFaulty, UNREAD};
use super::firmware_judge::{Verdict, judge};
use super::install::{Install, Installed, Personaliser, install};
use super::progress::Progress;
use crate::agent::Failure;
use crate::agent::fixture::{self, Marker, World};
use crate::agent::payload::faults::Fault as PayloadFault;
use crate::spec::Code;
use crate::spec::claim::{self, Claim, Stage};
use crate::spec::event::{Reused, Step};
use crate::spec::image::Extent;
use crate::sys::block::faults::{Dice, Rates, after_cut, for_seeds, rounds};
use crate::sys::block::{MemoryDevice, Operation};

const DISK_SIZE: usize = (4 << 20) + 512;
const SECTOR: u64 = 512;
fn attempt(world: &World, device: &MemoryDevice) -> Result<Installed, Failure> {
    let plan = &fixture::plan_for(world, &device.content()).unwrap();
    let World { order, manifest, index, source, .. } = world;
    let install_ = Install { device, plan, order, manifest, index, source, leave: &() };
    install(&install_, &mut Marker::of(device, plan), &mut |_| ())
}

fn installed(world: &World, disk: Vec<u8>) -> (Vec<u8>, Option<Reused>) {
    let device = MemoryDevice::new(disk);
    let installed = attempt(world, &device).unwrap();
    (device.content(), installed.reused)
}

/// A disk on which the first version is in use.
fn used() -> Vec<u8> {
    installed(&fixture::world(), vec![0; DISK_SIZE]).0
}

fn data(world: &World) -> u64 {
    let data = world.index.entries().filter(|entry| entry.content != Extent::Zero);
    data.map(|entry| entry.length).sum()
}

fn claim_of(disk: &[u8]) -> Claim {
    Claim::from_record(&disk[claim::OFFSET as usize..]).unwrap()
}

/// The next versions, by a source that has the former index and by one that hasn't; and the same version under a new order.
fn successors() -> [World; 3] {
    let world = fixture::world;
    [world().next_version(true), world().next_version(false), world().armed_again()]
}

#[test]
fn a_first_install_looks_for_nothing_and_its_claim_names_the_image() {
    let world = fixture::world();
    for disk in [vec![0; DISK_SIZE], vec![0xee; DISK_SIZE]] {
        let (disk, reused) = installed(&world, disk);
        assert_eq!(reused, None);
        let claim = claim_of(&disk);
        assert_eq!((claim.image, claim.former), (Some(world.order.image.manifest), None));
    }
}

#[test]
fn the_same_image_under_a_new_order_fetches_what_the_host_changed() {
    let world = fixture::world().armed_again();
    let (disk, reused) = installed(&world, used());
    let reused = reused.unwrap();
    // two files of the ESP's, 84 KiB of the root's, and two chunks that are withheld in part
    assert!(reused.in_place > data(&world) / 2 && reused.moved == 0, "{reused:?}");
    assert!(reused.fetched > 0 && reused.fetched < data(&world) / 2, "{reused:?}");
    assert_eq!(claim_of(&disk).former, None);
}

#[test]
fn another_version_is_made_of_the_one_before() {
    for (world, knows) in
        [(fixture::world().next_version(true), true), (fixture::world().next_version(false), false)]
    {
        let (disk, reused) = installed(&world, used());
        let (mut fresh, none) = installed(&world, vec![0; DISK_SIZE]);
        assert_eq!(none, None);
        // but for the mark of the older order
        let mark = (1 << 20) + 8192..(1 << 20) + 12288;
        fresh[mark.clone()].copy_from_slice(&disk[mark]);
        assert_eq!(judge(&disk, &[0; 1024], &fresh), Verdict::Complete);
        let reused = reused.unwrap();
        // this world's chunks aren't cut by the cutter, so that without the index little is found
        assert!(!knows || reused.moved > data(&world) / 3 && reused.in_place > 0, "{reused:?}");
        let claim = claim_of(&disk);
        let former = fixture::world().order.image.manifest;
        assert_eq!((claim.image, claim.former), (Some(world.order.image.manifest), Some(former)));
        assert!(matches!(claim.stage, Stage::Ready { .. }));
    }
}

#[test]
fn an_order_that_failed_fetches_only_the_rest() {
    let clean = fixture::world();
    let pack = clean.manifest.packs[1];
    let fault = PayloadFault::Cut { blob: pack.digest, at: pack.size - 1 };
    let world = World { source: fixture::world().source.with_fault(fault), ..fixture::world() };
    let device = MemoryDevice::new(vec![0xee; DISK_SIZE]);
    assert_eq!(attempt(&world, &device).unwrap_err().code, Code::PayloadUnreachable);
    let reused = attempt(&clean, &device).unwrap().reused.unwrap();
    assert!(reused.in_place > data(&clean) / 2, "{reused:?}");
}

#[test]
fn after_any_power_cut_of_a_reinstall_the_order_ends_complete() {
    for (number, world) in successors().iter().enumerate() {
        let before = used();
        let device = MemoryDevice::new(before.clone()).with_cheap_zeroes();
        attempt(world, &device).unwrap();
        let (complete, operations) = (device.content(), device.operations());
        let flushes: Vec<usize> =
            (0..operations.len()).filter(|at| operations[*at] == Operation::Flush).collect();
        let dice = &mut Dice::new(number as u64);
        let (mut seen, mut reused) = ([0; 3], 0);
        for state in 0..rounds(160) {
            let cut = match state % 4 {
                0 => flushes[state as usize / 4 % flushes.len()],
                1 => operations.len() - dice.below(9) as usize,
                _ => dice.below(operations.len() as u64 + 1) as usize,
            };
            let disk = after_cut(before.clone(), &operations, cut, SECTOR, dice);
            let verdict = judge(&disk, &before, &complete);
            match verdict {
                Verdict::Closed => seen[0] += 1,
                Verdict::Before => seen[1] += 1,
                Verdict::Complete => seen[2] += 1,
                Verdict::Half => panic!("state {state} of world {number}, a cut before operation {cut}"),
            }
            if verdict == Verdict::Complete || state % 3 != 2 {
                continue;
            }
            let (ended, again) = installed(world, disk);
            assert_eq!(judge(&ended, &[0; 1024], &complete), Verdict::Complete);
            reused += u64::from(again.is_some_and(|again| again.in_place + again.moved > 0));
        }
        assert!(seen.iter().all(|count| *count > 2), "{seen:?}");
        assert!(reused > 4, "{reused}");
    }
}

/// One install on a disk that fails by chance: whether it succeeded, and whether it used anything again.
fn on_a_failing_disk(
    world: &World,
    before: &[u8],
    complete: &[u8],
    silent: bool,
    dice: &Dice,
) -> (bool, bool) {
    let rates = if silent { Rates::SILENT } else { Rates::LOUD };
    let device = MemoryDevice::new(before.to_vec());
    let device = if silent { device } else { device.with_cheap_zeroes() };
    let device = device.with_rates(rates, dice.clone());
    let faults = device.faults();
    faults.calm(silent);
    let plan = &fixture::plan_for(world, before).unwrap();
    let World { order, manifest, index, source, .. } = world;
    let install_ = Install { device: &device, plan, order, manifest, index, source, leave: &() };
    let (mut plain, dice) = (Marker::of(&device, plan), dice.clone());
    let mut quiet = ThenFaulty { device: &device, marker: Marker::of(&device, plan), dice };
    let personaliser: &mut dyn Personaliser = if silent { &mut quiet } else { &mut plain };
    let result = install(&install_, personaliser, &mut |told| match told {
        Progress::Bytes { step: Step::Write, .. } => faults.calm(false),
        Progress::Bytes { step: Step::ReadBack, done, total } if done == total => faults.calm(silent),
        _ => {}
    });
    let mut disk = device.content();
    match &result {
        Ok(_) => {
            disk[UNREAD].copy_from_slice(&complete[UNREAD]);
            assert_eq!(judge(&disk, before, complete), Verdict::Complete, "{:#?}", faults.struck());
        }
        Err(failure) => {
            assert!(!faults.struck().is_empty(), "{failure}");
            faults.cut_power();
            assert_ne!(judge(&device.content(), before, complete), Verdict::Half, "{failure}");
            if fixture::plan_for(world, &device.content()).is_ok() {
                let (ended, _) = installed(world, device.content());
                assert_eq!(judge(&ended, before, complete), Verdict::Complete);
            }
        }
    }
    let reused = result
        .as_ref()
        .is_ok_and(|installed| installed.reused.is_some_and(|reused| reused.in_place + reused.moved > 0));
    (result.is_ok(), reused)
}

#[test]
fn a_failing_disk_passes_for_no_reinstalled_one() {
    let before = used();
    let worlds = successors().map(|world| (installed(&world, before.clone()).0, world));
    for silent in [false, true] {
        let (mut good, mut reused) = (0, 0);
        let seeds = for_seeds(24, |dice| {
            let (complete, world) = &worlds[dice.below(3) as usize];
            let (is_good, is_reused) = on_a_failing_disk(world, &before, complete, silent, dice);
            good += u64::from(is_good);
            reused += u64::from(is_reused);
        });
        assert!(seeds < 24 || good > 0 && reused > 0, "{silent}: {good} {reused}");
    }
}
