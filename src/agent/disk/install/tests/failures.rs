//! How often an order is tried: failures are counted on the disk, by whoever is left to count them.

use super::*;
use crate::agent::disk::commit::count_failure_of;
use crate::spec::order::WipePolicy;
use crate::value::OrderId;

fn failures(device: &MemoryDevice) -> Option<u32> {
    Claim::from_record(&device.content()[claim::OFFSET as usize..]).map(|claim| claim.failures)
}

/// A source that breaks off in the middle of the image.
fn broken(world: &World) -> MemorySource {
    let pack = &world.manifest.packs[1];
    fixture::world().source.with_fault(Fault::Cut { blob: pack.digest, at: pack.size / 2 })
}

#[test]
fn the_third_failure_ends_an_order() {
    let (world, device) = (fixture::world(), used_disk());
    for count in 1..=claim::MOST_FAILURES {
        attempt(&world, &broken(&world), &device).unwrap_err();
        assert_eq!(failures(&device), Some(count));
    }
    let before = device.operations().len();
    let refusal = fixture::plan_for(&world, &device.content()).unwrap_err();
    assert_eq!(refusal.code, Code::OrderFailed, "{refusal}");
    assert_eq!(device.operations().len(), before);
    // armed again, it goes on, as far as the new order gives up what the old one did
    let (ours, foreign) =
        (fixture::world().armed_again(), fixture::world().armed_again_with(WipePolicy::Foreign));
    assert_eq!(fixture::plan_for(&ours, &device.content()).unwrap_err().code, Code::ForeignData);
    assert_eq!(fixture::plan_for(&foreign, &device.content()).unwrap().failures, 0);
}

#[test]
fn a_crash_is_counted_by_somebody_else_and_only_under_its_own_order() {
    let (world, device) = (fixture::world(), used_disk());
    let order = &world.order.id;
    let nothing = count_failure_of(&device, order).unwrap_err();
    assert!(nothing.message.contains("no claim of order"), "{nothing}");
    assert_eq!(device.operations(), [], "a disk without that claim is left alone");

    attempt(&world, &broken(&world), &device).unwrap_err();
    assert_eq!(count_failure_of(&device, order), Ok(2));
    assert_eq!(failures(&device), Some(2));
    let stranger = OrderId::from_random([9; 16]);
    assert!(count_failure_of(&device, &stranger).is_err());
    assert_eq!(failures(&device), Some(2));
    assert_eq!(count_failure_of(&device, order), Ok(3));
    assert_eq!(fixture::plan_for(&world, &device.content()).unwrap_err().code, Code::OrderFailed);
}
