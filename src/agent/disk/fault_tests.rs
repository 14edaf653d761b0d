//! Installs on disks that fail, as the [fault model](crate::sys::block::faults) has it: no failure passes for a success, nothing half
//! installed boots, and a good disk with the same content ends installed.

use std::ops::Range;

use super::firmware_judge::{Verdict, judge, old_system};
use super::install::{Install, Installed, Personalised, Personaliser, install};
use super::progress::Progress;
use super::table::DiskLayout;
use crate::agent::Failure;
use crate::agent::fixture::{self, Marker, World};
use crate::image::read::BACKUP_LENGTH;
use crate::spec::Code;
use crate::spec::event::Step;
use crate::sys::block::faults::{Dice, Fault, OneIn, Rates, for_seeds};
use crate::sys::block::{MemoryDevice, Operation};

mod sectors;
mod size;

const DISK_SIZE: u64 = (4 << 20) + 512;
const SEEDS: u64 = 24;
/// The place of the image's own backup table, in the root as it is grown: zeroed before the blocks, and read by nobody.
pub(super) const UNREAD: Range<usize> = (fixture::SIZE - BACKUP_LENGTH) as usize..fixture::SIZE as usize;

/// A disk before an install, and how a good one is afterwards.
struct Case {
    before: Vec<u8>,
    wanted: Vec<u8>,
    operations: Vec<Operation>,
}

impl Case {
    fn of(world: &World, before: Vec<u8>) -> Self {
        let device = MemoryDevice::new(before.clone());
        attempt(world, &device).unwrap();
        Self { before, wanted: device.content(), operations: device.operations() }
    }

    /// Both kinds of disks that installs meet.
    fn both(world: &World) -> [Self; 2] {
        [vec![0; DISK_SIZE as usize], old_system(DISK_SIZE)].map(|before| Self::of(world, before))
    }

    fn judge(&self, disk: &[u8]) -> Verdict {
        judge(disk, &self.before, &self.wanted)
    }
}

/// Writes the host's own files while silent faults rest, since nobody reads those back; then they may strike the final tables, and
/// none strays into the image.
pub(super) struct ThenFaulty<'a> {
    pub device: &'a MemoryDevice,
    pub marker: Marker<'a>,
    pub dice: Dice,
}

impl Personaliser for ThenFaulty<'_> {
    fn personalise(&mut self, layout: &DiskLayout) -> Result<Personalised, Failure> {
        let personalised = self.marker.personalise(layout);
        self.device.faults().calm(false);
        let rates = Rates { writes_stray: OneIn::NEVER, ..Rates::SILENT };
        self.device.faults().set_rates(rates, self.dice.clone());
        personalised
    }
}

fn attempt(world: &World, device: &MemoryDevice) -> Result<Installed, Failure> {
    let plan = &fixture::plan_for(world, &device.content()).unwrap();
    run(world, device, plan, &mut Marker::of(device, plan), &mut |_| ())
}

fn run(
    world: &World,
    device: &MemoryDevice,
    plan: &crate::spec::plan::Plan,
    personaliser: &mut dyn Personaliser,
    progress: &mut dyn FnMut(Progress),
) -> Result<Installed, Failure> {
    let World { order, manifest, index, source, .. } = world;
    install(&Install { device, plan, order, manifest, index, source, leave: &() }, personaliser, progress)
}

/// What a firmware makes of the disk, and whether a good disk with the same content ends installed.
fn ends_installed(world: &World, disk: Vec<u8>, case: &Case) -> Verdict {
    let verdict = case.judge(&disk);
    let again = MemoryDevice::new(disk);
    match fixture::plan_for(world, &again.content()) {
        Ok(_) => drop(attempt(world, &again).unwrap()),
        Err(refusal) => {
            assert_eq!((refusal.code, verdict), (Code::OrderDone, Verdict::Complete), "{refusal}");
        }
    }
    assert_eq!(case.judge(&again.content()), Verdict::Complete);
    verdict
}

/// Judges what became of an install; returns whether it succeeded. What nobody reads back may be anything.
fn is_honest(
    world: &World,
    result: &Result<Installed, Failure>,
    device: &MemoryDevice,
    case: &Case,
    unread: Range<usize>,
) -> bool {
    let struck = device.faults().struck();
    match result {
        Ok(_) => {
            let mut disk = device.content();
            disk[unread.clone()].copy_from_slice(&case.wanted[unread]);
            assert_eq!(case.judge(&disk), Verdict::Complete, "{struck:#?}");
        }
        Err(failure) => {
            let known = [Code::DiskIo, Code::ReadBack, Code::Personalise].contains(&failure.code);
            assert!(known && failure.message.len() > 20 && !struck.is_empty(), "{failure} {struck:#?}");
            // and whoever pulls the plug then finds no more than that
            device.faults().cut_power();
            assert_ne!(case.judge(&device.content()), Verdict::Half, "{failure} {struck:#?}");
            ends_installed(world, device.content(), case);
        }
    }
    result.is_ok()
}

#[test]
fn a_dying_disk_that_says_so_is_never_taken_for_an_installed_one() {
    let world = fixture::world();
    let cases = Case::both(&world);
    let (mut good, mut bad) = (0, 0);
    let seeds = for_seeds(SEEDS, |dice| {
        let case = &cases[dice.below(2) as usize];
        let device = MemoryDevice::new(case.before.clone()).with_cheap_zeroes();
        let device = device.with_rates(Rates::LOUD, dice.clone());
        let result = attempt(&world, &device);
        // what can't be read is written once more, and what can't be zeroed by command is written
        let is_final = |what: &String| {
            what.contains("fails") && (what.starts_with("writing") || what.starts_with("flushing"))
        };
        let told = device.faults().struck().iter().any(is_final);
        assert!(!(told && result.is_ok()), "{:#?}", device.faults().struck());
        match is_honest(&world, &result, &device, case, 0..0) {
            true => good += 1,
            false => bad += 1,
        }
    });
    assert!(seeds < SEEDS || (good > 0 && bad > 5), "{good} {bad}");
}

#[test]
fn what_a_disk_stores_wrong_without_a_word_is_found_by_reading_back() {
    let world = fixture::world();
    let cases = Case::both(&world);
    let mut mended = 0;
    let seeds = for_seeds(SEEDS, |dice| {
        let case = &cases[dice.below(2) as usize];
        let device = MemoryDevice::new(case.before.clone()).with_rates(Rates::SILENT, dice.clone());
        let faults = device.faults();
        faults.calm(true);
        let plan = &fixture::plan_for(&world, &case.before).unwrap();
        // as different from the dice before as from those of other seeds
        let dice = Dice::new(dice.below(u64::MAX));
        let mut personaliser = ThenFaulty { device: &device, marker: Marker::of(&device, plan), dice };
        let result = run(&world, &device, plan, &mut personaliser, &mut |told| match told {
            Progress::Bytes { step: Step::Write, .. } => faults.calm(false),
            Progress::Bytes { step: Step::ReadBack, done, total } if done == total => faults.calm(true),
            _ => {}
        });
        let struck = !faults.struck().is_empty();
        mended += u64::from(is_honest(&world, &result, &device, case, UNREAD) && struck);
    });
    assert!(seeds < SEEDS || mended > 0, "{mended}");
}

#[test]
fn each_flush_that_fails_ends_the_install() {
    let world = fixture::world();
    let case = Case::of(&world, old_system(DISK_SIZE));
    let flushes = case.operations.iter().filter(|operation| **operation == Operation::Flush).count() as u64;
    assert!(flushes >= 8, "{flushes}");
    for number in 0..flushes {
        let device = MemoryDevice::new(case.before.clone()).with_fault(Fault::Flush(number));
        let result = attempt(&world, &device);
        assert_eq!(result.as_ref().unwrap_err().code, Code::DiskIo, "flush {number}");
        is_honest(&world, &result, &device, &case, 0..0);
    }
}

#[test]
fn a_disk_that_vanishes_can_be_tried_again_when_it_is_back() {
    let world = fixture::world();
    let cases = Case::both(&world);
    let mut verdicts = Vec::new();
    let seeds = for_seeds(SEEDS, |dice| {
        let case = &cases[dice.below(2) as usize];
        // reads count too: there are about as many of them
        let after = dice.below(case.operations.len() as u64 * 2);
        let device = MemoryDevice::new(case.before.clone()).with_fault(Fault::Gone { after });
        if let Err(failure) = attempt(&world, &device) {
            assert!([Code::DiskIo, Code::Personalise].contains(&failure.code), "{failure}");
            let verdict = ends_installed(&world, device.content(), case);
            assert_ne!(verdict, Verdict::Half, "gone after {after} operations");
            verdicts.push(verdict);
        }
    });
    let closed = verdicts.iter().filter(|verdict| **verdict == Verdict::Closed).count();
    assert!(seeds < SEEDS || closed > 3, "{verdicts:?}");
}

#[test]
fn a_disk_that_ends_before_its_size_fails_before_any_block_is_written() {
    let world = fixture::world();
    let before = old_system(DISK_SIZE);
    let device = MemoryDevice::new(before.clone()).with_fault(Fault::Bad(3 << 20..DISK_SIZE));
    let failure = attempt(&world, &device).unwrap_err();
    assert_eq!(failure.code, Code::DiskIo);
    assert!(failure.message.contains("at byte"), "{failure}");
    let of_the_image = |operation: &Operation| match operation {
        Operation::Write { offset, .. } => (1 << 20..fixture::SIZE - (1 << 16)).contains(offset),
        _ => false,
    };
    assert!(!device.operations().iter().any(of_the_image));
    assert_eq!(judge(&device.content(), &before, &before), Verdict::Closed);
}
