//! The engine under pressure: a disk that stalls, and one that is slower than its source through all of a large image.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::*;
use crate::image::read::{COMMIT_END, Index, index_bytes};
use crate::spec::image::{Extent, IndexEntry};
use crate::sys::block::attended::Attended;
use crate::sys::block::faults::Dice;
use crate::trust::Verified;
use crate::value::ByteSize;

const MIB: u64 = 1 << 20;

/// Waits until there are so many of them.
fn until(said: &Mutex<Vec<String>>, count: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = said.lock().unwrap().clone();
        if now.len() >= count {
            return now;
        }
        assert!(Instant::now() < deadline, "nothing more was said than {now:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_disk_that_stalls_is_waited_for_and_told_of() {
    let world = fixture::world();
    let device = Rigged::new(used_disk()).stands_still();
    let said = Arc::<Mutex<Vec<_>>>::default();
    let hears = Arc::clone(&said);
    let say = move |text: &str| hears.lock().unwrap().push(text.to_owned());
    let attended = Attended::with_silence(Duration::from_millis(150), &device, say);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| placed(&world, &attended));
        let told = until(&said, 1);
        assert!(told[0].contains("hasn't answered") && told[0].contains("writing "), "{told:?}");
        device.go_on();
        run.join().unwrap().unwrap();
    });
    require_placed(&world, &device.disk);
    assert!(until(&said, 2)[1].contains("answers again"));
}

/// A pack of the same frame over and over.
struct Endless<'a> {
    frame: &'a [u8],
    slow: &'a SlowDisk,
}

impl BlobSource for Endless<'_> {
    fn open<'a>(&'a self, _: &Blob, offset: u64) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        Ok(Box::new(EndlessStream(self, offset as usize)))
    }
}

struct EndlessStream<'a>(&'a Endless<'a>, usize);

impl BlobStream for EndlessStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        let Endless { frame, slow } = self.0;
        let at = self.1 % frame.len();
        buffer.copy_from_slice(&frame[at..at + buffer.len()]);
        self.1 += buffer.len();
        slow.fetched.fetch_add(1, Ordering::SeqCst);
        let written = slow.written.load(Ordering::SeqCst);
        slow.most.fetch_max(slow.fetched.load(Ordering::SeqCst).saturating_sub(written), Ordering::SeqCst);
        Ok(())
    }
}

/// A disk that takes its time for each chunk, and is what it should be when it is read back.
struct SlowDisk {
    chunk: Vec<u8>,
    start: u64,
    end: u64,
    fetched: AtomicU64,
    written: AtomicU64,
    /// Chunks that were fetched and not yet written.
    most: AtomicU64,
}

impl BlockDevice for SlowDisk {
    fn size(&self) -> u64 {
        self.end + MIB
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        match (self.start..self.end).contains(&offset) {
            true => buffer.copy_from_slice(&self.chunk[..buffer.len()]),
            false => buffer.fill(0),
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, _: &[u8]) -> std::io::Result<()> {
        if (self.start..self.end).contains(&offset) {
            std::thread::sleep(Duration::from_millis(2));
            self.written.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn flush(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// However large the image: what is in memory is bounded by hands and frames that wait.
#[test]
fn a_slow_disk_keeps_no_more_of_a_large_image_in_memory_than_of_a_small_one() {
    const CHUNKS: u64 = 96;
    let (mut chunk, mut dice) = (vec![0; MIB as usize], Dice::new(8));
    chunk.chunks_mut(8).for_each(|word| word.copy_from_slice(&dice.next().to_le_bytes()));
    let frame = zstd::bulk::compress(&chunk, 1).unwrap();
    let mut manifest = fixture::manifest();
    let start = manifest.partitions[0].offset;
    let (end, size) = (start + CHUNKS * MIB, start + CHUNKS * MIB + MIB);
    let zero = |from, to| IndexEntry { offset: from, length: to - from, content: Extent::Zero };
    let esp = manifest.partitions[1].offset;
    let cuts = [0, COMMIT_END, PRIMARY_END, esp, start];
    let mut entries: Vec<_> = cuts.windows(2).map(|pair| zero(pair[0], pair[1])).collect();
    entries.extend((0..CHUNKS).map(|number| {
        let (digest, frame_length) = (Digest::of(&chunk), frame.len() as u32);
        let content =
            Extent::Data { digest, pack: 0, frame_offset: number * frame.len() as u64, frame_length };
        IndexEntry { offset: start + number * MIB, length: MIB, content }
    }));
    entries.push(zero(end, size));
    let bytes = index_bytes(entries);
    manifest.size = ByteSize::bytes(size);
    manifest.partitions[0].length = size - 20480 - start;
    manifest.packs = vec![Blob { digest: Digest::of(b"pack"), size: CHUNKS * frame.len() as u64 }];
    manifest.index = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
    let bytes = Verified::by_digest(bytes, &manifest.index.digest).unwrap();
    let index = &Index::parse(bytes, &manifest).unwrap();

    let [fetched, written, most] = [const { AtomicU64::new(0) }; 3];
    let device = SlowDisk { chunk, start, end, fetched, written, most };
    let source = Endless { frame: &frame, slow: &device };
    let blocks = Blocks { device: &device, manifest: &manifest, index, source: &source };
    place_with(HANDS, &blocks, &mut |_| Ok(())).unwrap();
    let (most, bound) = (device.most.load(Ordering::SeqCst), (HANDS + board::MOST_FRAMES + 1) as u64);
    assert_eq!(device.fetched.load(Ordering::SeqCst), CHUNKS);
    assert!(most <= bound && most > 4, "{most} chunks were in memory, at most {bound} may be");
}
