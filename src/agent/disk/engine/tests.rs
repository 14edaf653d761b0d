//! The engine on disks in memory that do what they should, and on their faulty twins.

use std::sync::Condvar;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::*;
use crate::agent::fixture::{self, World};
use crate::agent::payload::source::BlobStream;
use crate::image::read::{BACKUP_LENGTH, PRIMARY_END};
use crate::spec::claim;
use crate::spec::image::Blob;
use crate::sys::block::{MemoryDevice, Operation};

mod pressure;
mod rigged;

use rigged::{Kind, Rigged, Stroke};

const DISK_SIZE: usize = (2 << 20) + 512;
const HANDS: usize = 4;

fn used_disk() -> MemoryDevice {
    MemoryDevice::new(vec![0xee; DISK_SIZE])
}

fn placed(world: &World, device: &dyn BlockDevice) -> Result<(), Failure> {
    placed_from(world, &world.source, device, &mut |_| Ok(()))
}

fn placed_from(
    world: &World,
    source: &dyn BlobSource,
    device: &dyn BlockDevice,
    progress: &mut Told<'_>,
) -> Result<(), Failure> {
    let begin = Instant::now();
    let blocks = Blocks { device, manifest: &world.manifest, index: &world.index, source };
    let result = place_with(HANDS, &Held::default(), &blocks, progress).map(drop);
    assert!(begin.elapsed() < Duration::from_secs(20), "it ended late");
    result
}

/// The disk's content when all is well: the image, but for what is withheld, and what was there behind it.
fn expected(world: &World) -> Vec<u8> {
    let mut disk = vec![0xee; DISK_SIZE];
    let (claimed, backup) = (claim::OFFSET as usize, (fixture::SIZE - BACKUP_LENGTH) as usize);
    for range in [PRIMARY_END as usize..claimed, claimed + claim::SIZE..backup] {
        disk[range.clone()].copy_from_slice(&world.image[range]);
    }
    disk
}

fn require_placed(world: &World, disk: &MemoryDevice) {
    let (content, expected) = (disk.content(), expected(world));
    let differs = content.iter().zip(&expected).position(|(found, expected)| found != expected);
    assert_eq!(differs, None);
}

#[test]
fn every_block_but_the_withheld_ones_is_placed_however_the_device_zeroes() {
    let world = fixture::world();
    for (disk, by_command) in [
        (used_disk(), false),
        (used_disk().with_cheap_zeroes(), true),
        (used_disk().with_refused_zeroes(), false),
    ] {
        placed(&world, &disk).unwrap();
        require_placed(&world, &disk);
        let zeroed = disk.operations().iter().any(|operation| matches!(operation, Operation::Zero { .. }));
        assert_eq!(zeroed, by_command);
        assert_eq!(disk.operations().last(), Some(&Operation::Flush));
    }
}

/// One error somewhere: of a write or a flush it ends the install by name; a read is tried again after another write, and a
/// command that zeroes is not needed.
#[test]
fn one_error_of_any_operation_is_told_or_made_good() {
    let world = fixture::world();
    for kind in [Kind::Read, Kind::Write, Kind::Zero, Kind::Flush] {
        let clean = Rigged::new(used_disk().with_cheap_zeroes());
        placed(&world, &clean).unwrap();
        let count = clean.count(kind);
        assert!(count > 0, "{kind:?}");
        for number in 0..count {
            let device = Rigged::new(used_disk().with_cheap_zeroes()).strike(kind, number, Stroke::Error);
            match (kind, placed(&world, &device)) {
                (Kind::Read | Kind::Zero, result) => {
                    result.unwrap();
                    require_placed(&world, &device.disk);
                }
                (Kind::Write, Err(failure)) => {
                    assert_eq!(failure.code, Code::DiskIo);
                    assert!(failure.message.contains("(LBA "), "{failure}");
                }
                (Kind::Flush, Err(failure)) => {
                    assert_eq!(failure, Failure::disk("flushing the disk's cache", &rigged::error()));
                }
                (_, Ok(())) => panic!("{kind:?} number {number} failed, and nobody said so"),
            }
        }
    }
}

#[test]
fn a_write_that_stores_a_part_is_told() {
    let world = fixture::world();
    let device = Rigged::new(used_disk()).strike(Kind::Write, 7, Stroke::Short);
    let failure = placed(&world, &device).unwrap_err();
    assert_eq!(failure.code, Code::DiskIo);
    assert!(failure.message.starts_with("writing "), "{failure}");
}

/// In data, in zeroes that are written, in zeroes by command, and in a chunk that is withheld in part.
#[test]
fn what_reads_back_wrong_is_written_once_more_and_then_named_by_its_lba() {
    let world = fixture::world();
    let esp = world.manifest.partitions[1].offset;
    let lie = |disk: MemoryDevice, at, times| Rigged::new(disk).changes(at, times);
    for at in [esp + 5 * 4096 + 7, esp + 3, PRIMARY_END + 5, fixture::SIZE - 20480 - 1] {
        for disk in [used_disk, || used_disk().with_cheap_zeroes()] {
            let device = lie(disk(), at, 1);
            placed(&world, &device).unwrap();
            require_placed(&world, &device.disk);
            assert_eq!(device.left(), 0, "the byte {at} was never changed");
            for block in [512, 4096] {
                let device = lie(disk(), at, 2).with_block(block);
                let failure = placed(&world, &device).unwrap_err();
                assert_eq!(failure.code, Code::ReadBack);
                let place =
                    format!("byte {at} of the disk (LBA {}) was written twice", at / u64::from(block));
                assert!(failure.message.contains(&place), "{failure}");
            }
        }
    }
}

#[test]
fn a_block_that_cannot_be_read_is_named_by_its_lba() {
    let world = fixture::world();
    let at = world.manifest.partitions[1].offset + 9000;
    let device = Rigged::new(used_disk()).unreadable(at);
    let failure = placed(&world, &device).unwrap_err();
    assert_eq!(failure.code, Code::DiskIo);
    assert!(failure.message.contains("written twice") && failure.message.contains("LBA "), "{failure}");
}

#[test]
fn a_block_is_read_only_after_a_flush_that_began_when_it_was_written() {
    let world = fixture::world();
    for disk in [used_disk(), used_disk().with_cheap_zeroes()] {
        let device = Rigged::new(disk);
        placed(&world, &device).unwrap();
        device.require_flushed_reads();
    }
}

#[test]
fn no_more_is_at_the_device_than_it_takes() {
    let world = fixture::world();
    for depth in [1, 2] {
        let device = Rigged::new(used_disk().with_cheap_zeroes()).slow(depth);
        placed(&world, &device).unwrap();
        assert_eq!(device.most_at_once(), depth);
    }
}

#[test]
fn a_disk_that_stands_still_lets_no_more_frames_come_than_there_is_room_for() {
    let world = fixture::world();
    let source = Counting { inner: &world.source, read: AtomicUsize::new(0) };
    let device = Rigged::new(used_disk()).stands_still();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| placed_from(&world, &source, &device, &mut |_| Ok(())));
        let mut before = usize::MAX;
        while source.read.load(Ordering::Relaxed) != before || before == 0 {
            before = source.read.load(Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(100));
        }
        // one a hand, those that wait, and the one for which there is no room yet
        assert!(before <= HANDS + board::MOST_FRAMES + 1, "{before}");
        device.go_on();
        run.join().unwrap().unwrap();
    });
    assert!(source.read.load(Ordering::Relaxed) > 2 * (HANDS + board::MOST_FRAMES));
    require_placed(&world, &device.disk);
}

/// Counts frames.
struct Counting<'a> {
    inner: &'a dyn BlobSource,
    read: AtomicUsize,
}

struct CountingStream<'a>(Box<dyn BlobStream + 'a>, &'a AtomicUsize);

impl BlobSource for Counting<'_> {
    fn open<'a>(&'a self, blob: &Blob, offset: u64) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        Ok(Box::new(CountingStream(self.inner.open(blob, offset)?, &self.read)))
    }
}

impl BlobStream for CountingStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read(buffer)
    }
}

/// A place that is away: nothing comes until nobody waits any more.
#[derive(Default)]
struct Away {
    given_up: Mutex<bool>,
    heard: Condvar,
}

impl BlobSource for Away {
    fn open<'a>(&'a self, _: &Blob, _: u64) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        Ok(Box::new(AwayStream(self)))
    }

    fn give_up(&self) {
        *self.given_up.lock().unwrap() = true;
        self.heard.notify_all();
    }
}

struct AwayStream<'a>(&'a Away);

impl BlobStream for AwayStream<'_> {
    fn read(&mut self, _: &mut [u8]) -> Result<(), Failure> {
        let Away { given_up, heard } = self.0;
        drop(heard.wait_while(given_up.lock().unwrap(), |given_up| !*given_up).unwrap());
        Err(Failure::new(Code::PayloadUnreachable, "given up"))
    }
}

#[test]
fn a_broken_disk_ends_the_waiting_for_a_source_that_is_away() {
    let world = fixture::world();
    // zeroes come before the first frame, and fail
    let device = Rigged::new(used_disk()).strike(Kind::Write, 0, Stroke::Error);
    let failure = placed_from(&world, &Away::default(), &device, &mut |_| Ok(())).unwrap_err();
    assert_eq!(failure.code, Code::DiskIo, "the first cause is told, not what came of it: {failure}");
}

#[test]
fn whoever_hears_of_progress_can_stop_it() {
    let world = fixture::world();
    for wanted in [Step::Write, Step::ReadBack] {
        let revoked = Failure::new(Code::OrderRevoked, "revoked");
        let mut told = 0;
        let result = placed_from(&world, &world.source, &used_disk(), &mut |progress| match progress {
            Progress::Bytes { step, .. } if step == wanted => {
                told += 1;
                Err(revoked.clone())
            }
            _ => Ok(()),
        });
        assert_eq!((result.unwrap_err(), told), (revoked, 1));
    }
}

#[test]
#[should_panic(expected = "a scoped thread panicked")]
fn a_panic_of_one_thread_hangs_none_of_the_others() {
    let world = fixture::world();
    let device = Rigged::new(used_disk()).strike(Kind::Write, 3, Stroke::Panic);
    let _ = placed(&world, &device);
}

#[test]
fn one_hand_is_enough() {
    let (world, disk) = (fixture::world(), used_disk().with_cheap_zeroes());
    let blocks =
        Blocks { device: &disk, manifest: &world.manifest, index: &world.index, source: &world.source };
    place_with(1, &Held::default(), &blocks, &mut |_| Ok(())).unwrap();
    require_placed(&world, &disk);
}

#[test]
fn what_is_read_back_beside_the_writing_is_told_when_all_is_written() {
    use board::{Job, Task};
    const MIB: u64 = 1 << 20;
    let board = Board::new(board::tests::pieces(2));
    let write = |start: u64| {
        assert!(board.hand_in(Job::Fill(start..start + MIB)));
        assert!(matches!(board.next(), Some(Task::Write(_))));
        // so much that an early flush is worth it
        board.done(start, MIB, 64 * MIB);
    };
    let read_back = || {
        let Some(Task::Flush(end)) = board.next() else { panic!("it isn't flushed") };
        board.flushed(end);
        assert!(matches!(board.next(), Some(Task::Check(_))));
        board.checked(MIB);
    };
    let mut told = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            write(0);
            read_back();
            std::thread::sleep(GLANCE * 3);
            write(MIB);
            board.all_handed_in();
            read_back();
        });
        tell(&board, 2 * MIB, &mut |progress| {
            told.extend(match progress {
                Progress::Bytes { step, done, .. } => Some((step, done)),
                _ => None,
            });
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(told[0], (Step::Write, MIB));
    let phases: Vec<_> = told.iter().map(|(step, _)| *step).collect();
    let read_back = phases.iter().position(|step| *step == Step::ReadBack).unwrap();
    assert!(read_back > 1 && phases[read_back..].iter().all(|step| *step == Step::ReadBack), "{told:?}");
    assert_eq!(told[read_back - 1..].first(), Some(&(Step::Write, 2 * MIB)));
}
