//! The engine under pressure: a disk that stalls, one that is slower than its source through all of a large image, and one that is
//! faster.

use std::sync::Arc;

use super::*;
use crate::image::read::{COMMIT_END, Index, index_bytes};
use crate::spec::image::{Extent, IndexEntry};
use crate::sys::block::attended::Attended;
use crate::sys::block::faults::Dice;
use crate::trust::Verified;
use crate::value::ByteSize;

const MIB: u64 = 1 << 20;
const CHUNKS: usize = 96;

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

/// A large image of two chunks, over and over, that is on its way: where it comes from and where it goes.
struct Large {
    chunks: [Vec<u8>; 2],
    frames: [Vec<u8>; 2],
    /// First byte of the chunks on the disk.
    start: u64,
    /// Which of both the disk holds in each place, or neither.
    places: Mutex<Vec<Option<usize>>>,
    /// How long a write takes.
    pause: Duration,
    /// The source has no chunk before this many are written and read back early, given its number.
    waits: fn(usize) -> Option<(usize, usize)>,
    /// The next write of this chunk goes to another place.
    strays: Mutex<Option<(usize, usize)>>,
    fetched: AtomicUsize,
    written: AtomicUsize,
    read: AtomicUsize,
    /// Chunks that were fetched and not yet written.
    most: AtomicUsize,
}

impl Large {
    fn new() -> Self {
        let mut dice = Dice::new(8);
        let chunks = [(); 2].map(|()| {
            let mut chunk = vec![0; MIB as usize];
            chunk.chunks_mut(8).for_each(|word| word.copy_from_slice(&dice.next().to_le_bytes()));
            chunk
        });
        let frames = chunks.each_ref().map(|chunk| zstd::bulk::compress(chunk, 1).unwrap());
        let start = fixture::manifest().partitions[0].offset;
        let places = Mutex::new(vec![None; CHUNKS]);
        let [fetched, written, read, most] = [const { AtomicUsize::new(0) }; 4];
        let (pause, waits, strays) = (Duration::ZERO, (|_| None) as fn(usize) -> _, Mutex::new(None));
        Self { chunks, frames, start, places, pause, waits, strays, fetched, written, read, most }
    }

    /// Where the frame of a chunk stands in the pack.
    fn frame_offset(&self, number: usize) -> usize {
        let [first, second] = self.frames.each_ref().map(Vec::len);
        number / 2 * (first + second) + number % 2 * first
    }

    /// The chunk that stands here on the disk.
    fn number(&self, offset: u64) -> Option<usize> {
        let number = (offset.checked_sub(self.start)? / MIB) as usize;
        (number < CHUNKS).then_some(number)
    }

    fn size(&self) -> u64 {
        self.start + (CHUNKS as u64 + 1) * MIB
    }

    fn placed(&self) -> Result<(), Failure> {
        let mut manifest = fixture::manifest();
        let zero = |from, to| IndexEntry { offset: from, length: to - from, content: Extent::Zero };
        let cuts = [0, COMMIT_END, PRIMARY_END, manifest.partitions[1].offset, self.start];
        let mut entries: Vec<_> = cuts.windows(2).map(|pair| zero(pair[0], pair[1])).collect();
        entries.extend((0..CHUNKS).map(|number| {
            let content = Extent::Data {
                digest: Digest::of(&self.chunks[number % 2]),
                pack: 0,
                frame_offset: self.frame_offset(number) as u64,
                frame_length: self.frames[number % 2].len() as u32,
            };
            IndexEntry { offset: self.start + number as u64 * MIB, length: MIB, content }
        }));
        entries.push(zero(self.size() - MIB, self.size()));
        let bytes = index_bytes(entries);
        manifest.size = ByteSize::bytes(self.size());
        manifest.partitions[0].length = self.size() - 20480 - self.start;
        manifest.packs = vec![Blob { digest: Digest::of(b"pack"), size: self.frame_offset(CHUNKS) as u64 }];
        manifest.index = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        let bytes = Verified::by_digest(bytes, &manifest.index.digest).unwrap();
        let index = &Index::parse(bytes, &manifest).unwrap();
        let blocks = Blocks { device: self, manifest: &manifest, index, source: self };
        place_with(HANDS, &Held::default(), &blocks, &mut |_| Ok(())).map(drop)
    }

    fn require_placed(&self) {
        let wrong = |(number, place): (usize, &Option<usize>)| *place != Some(number % 2);
        assert_eq!(self.places.lock().unwrap().iter().enumerate().position(wrong), None);
    }
}

impl BlobSource for Large {
    fn open<'a>(&'a self, _: &Blob, offset: u64) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        let number = (0..CHUNKS).find(|number| self.frame_offset(*number) as u64 == offset).unwrap();
        Ok(Box::new(LargeStream(self, number)))
    }
}

struct LargeStream<'a>(&'a Large, usize);

impl BlobStream for LargeStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        let Self(large, number) = *self;
        let (written, read) = (large.waits)(number).unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(20);
        while large.written.load(Ordering::SeqCst) < written || large.read.load(Ordering::SeqCst) < read {
            if Instant::now() > deadline {
                return Err(Failure::new(
                    Code::PayloadUnreachable,
                    format!("chunk {number} isn't called for"),
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        buffer.copy_from_slice(&large.frames[number % 2]);
        self.1 += 1;
        let fetched = large.fetched.fetch_add(1, Ordering::SeqCst) + 1;
        large.most.fetch_max(fetched.saturating_sub(large.written.load(Ordering::SeqCst)), Ordering::SeqCst);
        Ok(())
    }
}

impl BlockDevice for Large {
    fn size(&self) -> u64 {
        self.size()
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.fill(0);
        if let Some(number) = self.number(offset) {
            if let Some(held) = self.places.lock().unwrap()[number] {
                buffer.copy_from_slice(&self.chunks[held]);
            }
            self.read.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        let Some(number) = self.number(offset) else { return Ok(()) };
        std::thread::sleep(self.pause);
        let stray = self.strays.lock().unwrap().take_if(|(from, _)| *from == number);
        let place = stray.map_or(number, |(_, to)| to);
        self.places.lock().unwrap()[place] = self.chunks.iter().position(|chunk| chunk == bytes);
        self.written.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn flush(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// However large the image: what is in memory is bounded by hands and frames that wait.
#[test]
fn a_slow_disk_keeps_no_more_of_a_large_image_in_memory_than_of_a_small_one() {
    let large = Large { pause: Duration::from_millis(2), ..Large::new() };
    large.placed().unwrap();
    large.require_placed();
    let (most, bound) = (large.most.into_inner(), HANDS + board::MOST_FRAMES + 1);
    assert_eq!(large.fetched.into_inner(), CHUNKS);
    assert!(most <= bound && most > 4, "{most} chunks were in memory, at most {bound} may be");
}

/// It is missing where it belongs, and so all is read back again.
#[test]
fn a_write_that_strays_over_a_block_that_was_read_back_early_is_found() {
    // each chunk comes when the one before is written, so that the disk is what waits; and the 66th when some were read back
    let waits = |number: usize| Some((number.min(65), if number == 65 { 3 } else { 0 }));
    let large = Large { waits, strays: Mutex::new(Some((65, 0))), ..Large::new() };
    large.placed().unwrap();
    large.require_placed();
    assert_eq!(*large.strays.lock().unwrap(), None, "no write went astray");
    assert_eq!(large.written.into_inner(), CHUNKS + 2, "both places are written once more, and nothing else");
}
