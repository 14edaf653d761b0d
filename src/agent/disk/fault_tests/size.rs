//! Disks that lie about their size: whatever they do behind their true end, no install on them succeeds.

use super::*;
use crate::sys::block::BlockDevice;
use crate::sys::block::faults::Beyond;

const MIB: u64 = 1 << 20;
const SAID: u64 = 8 * MIB + 512;

/// What a firmware reads.
fn as_read(device: &MemoryDevice) -> Vec<u8> {
    let mut disk = vec![0; device.size() as usize];
    device.read_at(0, &mut disk).unwrap();
    disk
}

fn installed_on(world: &World, at: u64, beyond: Beyond, cheap: bool) -> (Failure, MemoryDevice) {
    let before = vec![0x5a; SAID as usize];
    let plan = &fixture::plan_for(world, &before).unwrap();
    let device = MemoryDevice::new(before).with_fault(Fault::Ends { at, beyond });
    let device = if cheap { device.with_cheap_zeroes() } else { device };
    let result = run(world, &device, plan, &mut Marker::of(&device, plan), &mut |_| ());
    match result {
        Err(failure) => (failure, device),
        Ok(_) => panic!("an install on a disk that ends at {at} succeeded ({beyond:?})"),
    }
}

#[test]
fn no_install_succeeds_on_a_disk_that_is_smaller_than_it_says() {
    let world = fixture::small_world();
    for cheap in [false, true] {
        for at in [MIB, 2 * MIB, 4 * MIB] {
            for beyond in [Beyond::Fails, Beyond::Forgets, Beyond::Wraps] {
                let (failure, device) = installed_on(&world, at, beyond, cheap);
                let codes: &[_] = match beyond {
                    Beyond::Fails => &[Code::DiskIo, Code::Personalise],
                    _ => &[Code::ReadBack],
                };
                assert!(codes.contains(&failure.code), "{at} {beyond:?}: {failure}");
                assert!(failure.message.contains("LBA "), "{at} {beyond:?}: {failure}");
                if beyond != Beyond::Fails {
                    let disk = as_read(&device);
                    assert_eq!(judge(&disk, &disk, &[0; 1024]), Verdict::Closed, "{at} {beyond:?}");
                }
            }
        }
    }
}

/// Behind the image, and wherever it ends: what fails or is forgotten there is found.
#[test]
fn wherever_a_disk_ends_that_forgets_or_fails_behind_it_is_found() {
    let world = fixture::small_world();
    let seeds = for_seeds(24, |dice| {
        let at = (1 + dice.below(SAID / 512 - 1)) * 512;
        let beyond = if dice.coin() { Beyond::Fails } else { Beyond::Forgets };
        let (failure, _) = installed_on(&world, at, beyond, dice.coin());
        let known = [Code::DiskIo, Code::ReadBack, Code::Personalise];
        assert!(known.contains(&failure.code), "{at} {beyond:?}: {failure}");
    });
    assert!(seeds > 0);
}
