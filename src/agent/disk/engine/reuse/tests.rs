//! Images over images, on disks in memory: what isn't fetched, and that the disk always ends with every byte of the new one.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::extents::total;
use super::super::place_with;
use super::*;
use crate::agent::disk::progress::Progress;
use crate::agent::payload::memory_source::MemorySource;
use crate::image::read::{BACKUP_LENGTH, PRIMARY_END, index_bytes};
use crate::spec::Code;
use crate::spec::claim;
use crate::spec::image::IndexEntry;
use crate::sys::block::{BlockDevice, MemoryDevice, Operation};

mod images;

use images::{Image, image, knows, noise, root};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 12 * MIB;
const DISK: usize = 20 << 20;
const ROOT: u64 = MIB + (256 << 10);
const HANDS: usize = 3;

fn place(
    held: &Held<'_>,
    new: &Image,
    source: &MemorySource,
    device: &dyn BlockDevice,
) -> Result<Option<Reused>, Failure> {
    let blocks = Blocks { device, manifest: &new.manifest, index: &new.index, source };
    place_with(HANDS, held, &blocks, &mut |_| Ok(()))
}

const SAME: Held<'_> = Held { same: true, others: &[] };

/// Every byte is the image's, but for what is withheld.
fn require_placed(new: &Image, disk: &[u8]) {
    let (claimed, backup) = (claim::OFFSET as usize, new.bytes.len() - BACKUP_LENGTH as usize);
    for range in [PRIMARY_END as usize..claimed, claimed + claim::SIZE..backup] {
        let differs = disk[range.clone()].iter().zip(&new.bytes[range.clone()]).position(|(a, b)| a != b);
        assert_eq!(differs, None, "in {range:?}");
    }
}

fn over(held: &Held<'_>, new: &Image, source: &MemorySource, disk: Vec<u8>) -> Reused {
    let device = MemoryDevice::new(disk);
    let reused = place(held, new, source, &device).unwrap().unwrap();
    require_placed(new, &device.content());
    assert_eq!(reused.in_place + reused.moved + reused.fetched, new.data(), "{reused:?}");
    reused
}

#[test]
fn the_same_image_again_is_neither_fetched_nor_written() {
    let image = image(&root(2), SIZE);
    for device in [MemoryDevice::new(image.placed()), MemoryDevice::new(image.placed()).with_cheap_zeroes()] {
        let reused = place(&SAME, &image, &image.only(|_| false), &device).unwrap().unwrap();
        assert_eq!(reused, Reused { in_place: image.data(), moved: 0, fetched: 0 });
        assert_eq!(device.operations(), [Operation::Flush], "what was read may be in the disk's cache only");
    }
}

#[test]
fn of_a_changed_block_one_chunk_is_fetched_and_of_dirty_zeroes_nothing() {
    let image = image(&root(2), SIZE);
    let at = ROOT + 3 * MIB;
    let [changed] = image.chunks(at..at + 1)[..] else { panic!() };
    let mut disk = image.placed();
    disk[at as usize] ^= 1;
    // in the free space of the image
    disk[(SIZE - MIB) as usize] = 7;
    let reused = over(&SAME, &image, &image.only(|entry| *entry == changed), disk);
    assert_eq!(reused.fetched, changed.length);
}

#[test]
fn after_an_interruption_the_rest_is_fetched() {
    let image = image(&root(2), SIZE);
    let mut disk = image.placed();
    let (from, to) = (ROOT + 5 * MIB / 2, SIZE);
    disk[from as usize..to as usize].fill(0xee);
    let reused = over(&SAME, &image, &image.only(|entry| entry.offset + entry.length > from), disk);
    assert!(reused.in_place > 2 * MIB && reused.fetched > 2 * MIB, "{reused:?}");
}

/// Whole blocks are put in and taken out: all behind them has moved.
fn versions() -> Vec<(&'static str, Image, Image)> {
    let before = root(2);
    let put_in = [&before[..MIB as usize], &noise(9, 12 << 10), &before[MIB as usize..]].concat();
    let taken_out = [&before[..MIB as usize], &before[MIB as usize + (40 << 10)..]].concat();
    let (first, second) = before.split_at(3 << 20);
    let exchanged = [second, first].concat();
    let twice = [&before[..], &before[..3 << 20]].concat();
    [("put in", put_in), ("taken out", taken_out), ("exchanged", exchanged), ("twice", twice)]
        .map(|(name, after)| (name, image(&before, SIZE), image(&after, SIZE)))
        .into()
}

#[test]
fn another_version_fetches_what_differs_with_the_old_index_and_without_it() {
    for (name, old, new) in versions() {
        let others = [old.digest()];
        let held = Held { same: false, others: &others };
        let with = over(&held, &new, &knows(new.all(), &old), old.placed());
        let without = over(&held, &new, &new.all(), old.placed());
        for reused in [with, without] {
            assert!(reused.fetched < 2 * MIB, "{name}: {reused:?}");
            assert!(reused.moved > 2 * MIB && reused.in_place > 0, "{name}: {reused:?}");
        }
        // what the cutter finds is what the index says, but for what came to stand at the edges
        assert!(with.fetched.abs_diff(without.fetched) < MIB, "{name}: {with:?} {without:?}");
        // and back
        let others = [new.digest()];
        let held = Held { same: false, others: &others };
        let reused = over(&held, &old, &knows(old.all(), &new), new.placed());
        assert!(reused.fetched < 2 * MIB, "{name}: {reused:?}");
    }
}

/// The first run died somewhere: both images are there in part.
#[test]
fn after_an_interrupted_change_of_version_both_are_used() {
    for (name, old, new) in versions() {
        for broken_off in [ROOT + MIB, ROOT + 4 * MIB] {
            let mut disk = old.placed();
            disk[..broken_off as usize].copy_from_slice(&new.bytes[..broken_off as usize]);
            let others = [old.digest()];
            let held = Held { same: true, others: &others };
            for source in [knows(new.all(), &old), new.all()] {
                let reused = over(&held, &new, &source, disk.clone());
                assert!(reused.in_place + reused.moved > MIB, "{name} {broken_off}: {reused:?}");
            }
        }
    }
}

#[test]
fn images_of_other_sizes_take_over_from_each_other() {
    let long = [root(2), root(3)].concat();
    let (small, large) = (image(&root(3), SIZE), image(&long, 16 * MIB));
    let others = [large.digest()];
    let held = Held { same: false, others: &others };
    let reused = over(&held, &small, &knows(small.all(), &large), large.placed());
    assert!(reused.moved > 4 * MIB, "what it needs stands partly behind its own end: {reused:?}");
    let others = [small.digest()];
    let held = Held { same: false, others: &others };
    for source in [knows(large.all(), &small), large.all()] {
        let reused = over(&held, &large, &source, small.placed());
        assert!(reused.moved > 4 * MIB && reused.fetched >= 5 * MIB, "{reused:?}");
    }
}

#[test]
fn what_was_damaged_since_is_fetched_wherever_it_is_wanted() {
    for (name, old, new) in versions() {
        let others = [old.digest()];
        let held = Held { same: false, others: &others };
        let good = over(&held, &new, &knows(new.all(), &old), old.placed());
        let mut disk = old.placed();
        for at in (ROOT..ROOT + 6 * MIB).step_by(MIB as usize) {
            disk[at as usize + 9000] ^= 0x80;
        }
        let reused = over(&held, &new, &knows(new.all(), &old), disk);
        assert!(reused.fetched > good.fetched, "{name}: {reused:?} {good:?}");
    }
}

/// Nobody vouches for a former index, nor for the name of it.
#[test]
fn an_index_that_lies_costs_reads_and_nothing_else() {
    let (old, new) = (image(&root(2), SIZE), image(&root(5), SIZE));
    let others = [old.digest()];
    let held = Held { same: false, others: &others };
    let entries: Vec<_> = new.index.entries().collect();
    let shifted = |by: u64| {
        entries.iter().map(move |entry| IndexEntry { offset: entry.offset.wrapping_add(by), ..*entry })
    };
    let lies: [Vec<u8>; 7] = [
        // that all of the new image is there, in its place; or elsewhere; or nowhere
        index_bytes(entries.iter().copied()),
        index_bytes(shifted(4096)),
        index_bytes(shifted(u64::MAX - MIB)),
        index_bytes(entries.iter().map(|entry| IndexEntry { length: u64::MAX, ..*entry })),
        index_bytes(entries.iter().map(|entry| IndexEntry { offset: ROOT, ..*entry })),
        b"no index".to_vec(),
        index_bytes([])[..9].to_vec(),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let source = new.all().with_other(old.digest(), old.manifest_bytes());
        let source = source.with_other(old.manifest.index.digest, lie);
        let reused = over(&held, &new, &source, old.placed());
        // the ESP is the same
        assert!(reused.in_place <= 256 << 10 && reused.moved == 0, "{number}: {reused:?}");
    }
    let source = new.all().with_other(old.digest(), b"{}".to_vec());
    over(&held, &new, &source, old.placed());
}

/// Fails reads until it is written.
struct Blind {
    disk: MemoryDevice,
    reads: AtomicUsize,
}

impl BlockDevice for Blind {
    fn size(&self) -> u64 {
        self.disk.size()
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.disk.operations().iter().any(|operation| matches!(operation, Operation::Write { .. })) {
            return self.disk.read_at(offset, buffer);
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        Err(io::Error::other("no"))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.write_at(offset, bytes)
    }

    fn flush(&self) -> io::Result<()> {
        self.disk.flush()
    }
}

#[test]
fn a_disk_that_cannot_be_read_is_not_asked_for_long() {
    let (old, new) = (image(&root(2), SIZE), image(&root(2)[MIB as usize..], SIZE));
    let others = [old.digest()];
    for (held, source) in [
        (SAME, new.all()),
        (Held { same: false, others: &others }, knows(new.all(), &old)),
        (Held { same: false, others: &others }, new.all()),
    ] {
        let device = Blind { disk: MemoryDevice::new(old.placed()), reads: AtomicUsize::new(0) };
        let reused = place(&held, &new, &source, &device).unwrap().unwrap();
        require_placed(&new, &device.disk.content());
        assert_eq!((reused.in_place, reused.moved), (0, 0));
        let reads = device.reads.load(Ordering::Relaxed);
        assert!(reads <= 2 * MOST_UNREAD + HANDS, "{reads}");
    }
}

#[test]
fn whoever_hears_of_it_can_stop_it_in_each_part() {
    let (_, old, new) = versions().swap_remove(2);
    let others = [old.digest()];
    for (held, source) in [
        (SAME, new.all()),
        (Held { same: false, others: &others }, knows(new.all(), &old)),
        (Held { same: false, others: &others }, new.all()),
    ] {
        for patience in [1, 2, 10] {
            let device = MemoryDevice::new(old.placed());
            let blocks =
                Blocks { device: &device, manifest: &new.manifest, index: &new.index, source: &source };
            let revoked = Failure::new(Code::OrderRevoked, "revoked");
            let mut heard = 0;
            let result = place_with(HANDS, &held, &blocks, &mut |_| {
                heard += 1;
                if heard > patience { Err(revoked.clone()) } else { Ok(()) }
            });
            assert_eq!((result.unwrap_err(), heard), (revoked, patience + 1));
        }
    }
}

#[test]
fn progress_only_grows_and_ends_at_the_total() {
    let (_, old, new) = versions().swap_remove(0);
    let (device, others) = (MemoryDevice::new(old.placed()), [old.digest()]);
    let source = knows(new.all(), &old);
    let blocks = Blocks { device: &device, manifest: &new.manifest, index: &new.index, source: &source };
    let mut told = Vec::new();
    let held = Held { same: false, others: &others };
    place_with(HANDS, &held, &blocks, &mut |progress| {
        told.extend(match progress {
            Progress::Bytes { step, done, total } => Some((step as u8, done, total)),
            _ => None,
        });
        Ok(())
    })
    .unwrap();
    assert!(told.is_sorted(), "{told:?}");
    let all = total(SIZE);
    assert_eq!((told[0], told[told.len() - 1]), ((0, 0, all), (1, all, all)));
}

/// A write that went astray may have hit what was looked at before.
#[test]
fn where_anything_was_mended_what_was_in_place_is_read_back_again() {
    let (image, at) = (image(&root(2), SIZE), ROOT + 3 * MIB);
    let source = image.all();
    let mut disk = image.placed();
    disk[at as usize] ^= 1;
    // the chunk that differs is stored wrong once
    let device = MemoryDevice::new(disk).with_weak_byte(at, 1);
    let counting = Counting { device: &device, read: AtomicUsize::new(0) };
    place(&SAME, &image, &source, &counting).unwrap();
    require_placed(&image, &device.content());
    assert!(counting.read.load(Ordering::Relaxed) as u64 > 2 * total(SIZE));
}

/// Counts bytes that are read.
struct Counting<'a> {
    device: &'a MemoryDevice,
    read: AtomicUsize,
}

impl BlockDevice for Counting<'_> {
    fn size(&self) -> u64 {
        self.device.size()
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read.fetch_add(buffer.len(), Ordering::Relaxed);
        self.device.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.device.write_at(offset, bytes)
    }

    fn flush(&self) -> io::Result<()> {
        self.device.flush()
    }
}

#[test]
fn a_disk_that_holds_nothing_of_ours_is_neither_read_nor_is_anything_asked_for() {
    let image = image(&root(2), SIZE);
    let device = MemoryDevice::new(vec![0xee; DISK]);
    let counting = Counting { device: &device, read: AtomicUsize::new(0) };
    let reused = place(&Held::default(), &image, &image.all(), &counting).unwrap();
    assert_eq!(reused, None);
    require_placed(&image, &device.content());
    // what was written, once
    assert_eq!(counting.read.load(Ordering::Relaxed) as u64, total(SIZE));
}
