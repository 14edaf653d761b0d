//! Sectors of a small disk that can't be read or written, one by one, once and for good; and the disk that is gone after each of its
//! operations. Over a thousand of them where `IRONSTRAP_SOAK` is set.

use super::*;
use crate::sys::block::faults::{Access, one_in};

const SMALL: u64 = (2 << 20) + (32 << 10);
const SECTOR: u64 = 512;
const FOR_GOOD: u32 = u32::MAX;

struct Tally {
    succeeded: usize,
    failed: usize,
}

/// Installs on a disk with one bad sector, and judges what comes of it.
fn with_bad_sector(world: &World, case: &Case, access: Access, sector: u64, times: u32) -> bool {
    let range = sector * SECTOR..(sector + 1) * SECTOR;
    let device = MemoryDevice::new(case.before.clone()).with_cheap_zeroes();
    let plan = &fixture::plan_for(world, &case.before).unwrap();
    let device = device.with_fault(Fault::Fails { access, range, times });
    let result = run(world, &device, plan, &mut Marker::of(&device, plan), &mut |_| ());
    if let Err(failure) = &result {
        let by_name = failure.message.contains("LBA ") || failure.message.contains("byte ");
        assert!(by_name, "sector {sector}, {access:?}: {failure}");
    }
    // a write that failed in the end is never passed over in silence
    if access == Access::Write && result.is_ok() && !device.faults().struck().is_empty() {
        let zeroed = device.operations().iter().any(|op| matches!(op, Operation::Zero { .. }));
        assert!(zeroed || times == 1, "sector {sector}: {:?}", device.faults().struck());
    }
    is_honest(world, &result, &device, case, 0..0)
}

#[test]
fn a_sector_that_fails_is_made_good_or_named() {
    const EVERY: usize = 263;
    let world = fixture::small_world();
    let case = Case::of(&world, old_system(SMALL));
    for (access, times) in
        [(Access::Read, 1), (Access::Read, FOR_GOOD), (Access::Write, 1), (Access::Write, FOR_GOOD)]
    {
        let mut tally = Tally { succeeded: 0, failed: 0 };
        for sector in (0..SMALL / SECTOR).step_by(one_in(EVERY)) {
            match with_bad_sector(&world, &case, access, sector, times) {
                true => tally.succeeded += 1,
                false => tally.failed += 1,
            }
        }
        let Tally { succeeded, failed } = tally;
        eprintln!("{access:?}, {times} times: {succeeded} installs complete, {failed} failed by name");
        assert!(failed > 3 || times == 1 && access == Access::Read, "{access:?} {times}: {failed}");
        // what can't be read once is written once more, and is well then
        assert!(succeeded > 3 || (access, times) != (Access::Read, 1), "{succeeded}");
    }
}

#[test]
fn a_disk_that_is_gone_after_any_operation_can_be_tried_again() {
    const EVERY: usize = 5;
    let world = fixture::small_world();
    let case = Case::of(&world, old_system(SMALL));
    let (mut after, mut gone, mut closed_before) = (0, 0, 0);
    loop {
        let device = MemoryDevice::new(case.before.clone()).with_fault(Fault::Gone { after });
        let plan = &fixture::plan_for(&world, &case.before).unwrap();
        let result = run(&world, &device, plan, &mut Marker::of(&device, plan), &mut |_| ());
        let Err(failure) = result else {
            assert!(
                case.judge(&device.content()) == Verdict::Complete && device.faults().struck().is_empty()
            );
            break;
        };
        assert!([Code::DiskIo, Code::Personalise].contains(&failure.code), "{failure}");
        if failure.message.contains("which was zeroed before") {
            assert!(
                device.content()[..SECTOR as usize].iter().all(|byte| *byte == 0),
                "after {after} operations: {failure}"
            );
            assert!(!failure.message.contains("may boot"), "{failure}");
            closed_before += 1;
        }
        assert_ne!(
            ends_installed(&world, device.content(), &case),
            Verdict::Half,
            "after {after} operations"
        );
        (after, gone) = (after + one_in(EVERY) as u64, gone + 1);
    }
    eprintln!("gone after each of {after} operations, {gone} of them tried");
    assert!(after > 60 && closed_before > 3, "{after}, {closed_before}");
}
