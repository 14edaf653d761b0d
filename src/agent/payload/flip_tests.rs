//! One flipped bit anywhere in what arrives: manifest, index and packs of a small image on a medium, and a large image at random.
//!
//! Each bit of the small image is tried through the code that fetches and verifies, always flipped and flipped once; whole installs
//! with every so manieth one of them, of which there are more where `IRONSTRAP_SOAK` is set. Judged by the bytes that went in.

use std::io;
use std::sync::{Arc, Mutex};

use super::fetch::Fetcher;
use super::stick::StickSource;
use super::stick::tests::{PAYLOAD, medium_of};
use super::*;
use crate::agent::disk::firmware_judge::{Verdict, judge, old_system};
use crate::agent::fixture::{self, World};
use crate::image::read::{decode_frame, index_bytes};
use crate::spec::image::{Extent, IndexEntry};
use crate::spec::payload::PayloadBlob;
use crate::sys::block::faults::{Dice, one_in, rounds};
use crate::sys::block::{BlockDevice, MemoryDevice};
use crate::value::Digest;

const DISK: u64 = (2 << 20) + (32 << 10);

/// What is read changed: a bit of the medium, and whether only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flip {
    bit: u64,
    once: bool,
}

/// A medium whose bits are flipped from outside.
struct Medium {
    bytes: Vec<u8>,
    flip: Arc<Mutex<Option<Flip>>>,
}

impl BlockDevice for Medium {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.bytes[offset as usize..offset as usize + buffer.len()]);
        let mut flip = self.flip.lock().unwrap();
        if let Some(Flip { bit, once }) = *flip
            && let Some(byte) = (bit / 8).checked_sub(offset).and_then(|at| buffer.get_mut(at as usize))
        {
            *byte ^= 1 << (bit % 8);
            flip.take_if(|_| once);
        }
        Ok(())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        panic!("the medium is written to")
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A small image on a medium.
struct Stick {
    world: World,
    payload: Payload,
    blobs: Vec<PayloadBlob>,
    flip: Arc<Mutex<Option<Flip>>>,
}

impl Stick {
    fn new() -> Self {
        let world = fixture::small_world();
        let (bytes, blobs) = medium_of(&world.blobs());
        let flip = Arc::<Mutex<_>>::default();
        let medium = Medium { bytes, flip: Arc::clone(&flip) };
        let stick = StickSource::on("sdb".to_owned(), Box::new(medium)).unwrap();
        Self { world, payload: Payload::Stick(stick), blobs, flip }
    }

    /// The bits of a blob, as the medium has them: 0 is the manifest, 1 the index, then the packs.
    fn bits(&self, blob: usize) -> std::ops::Range<u64> {
        let PayloadBlob { blob, offset } = self.blobs[blob];
        (PAYLOAD + offset) * 8..(PAYLOAD + offset + blob.size) * 8
    }

    /// Does something while this bit is flipped; whether it really was.
    fn flipped<T>(&self, flip: Flip, act: impl FnOnce() -> T) -> T {
        *self.flip.lock().unwrap() = Some(flip);
        let done = act();
        let left = self.flip.lock().unwrap().take();
        assert_eq!(left.is_none(), flip.once, "bit {} was never read", flip.bit);
        done
    }

    /// That a document is refused while a bit of it is always flipped, and arrives when it was flipped once.
    fn try_each_bit<T>(
        &self,
        blob: usize,
        fetch: impl Fn() -> Result<T, Failure>,
        is_right: impl Fn(&T) -> bool,
    ) {
        for bit in self.bits(blob) {
            match self.flipped(Flip { bit, once: false }, &fetch) {
                Err(failure) => assert_eq!(failure.code, Code::PayloadDamaged, "{failure}"),
                Ok(_) => panic!("bit {bit} isn't looked at"),
            }
            let healed = self.flipped(Flip { bit, once: true }, &fetch);
            assert!(healed.as_ref().is_ok_and(&is_right), "bit {bit}");
        }
    }
}

#[test]
fn each_bit_of_manifest_and_index_counts() {
    let stick = Stick::new();
    let Stick { world, payload, .. } = &stick;
    stick.try_each_bit(0, || payload.manifest(&world.order), |found| **found == *world.manifest);
    stick.try_each_bit(
        1,
        || payload.index(&world.manifest),
        |found| found.entries().eq(world.index.entries()),
    );
    eprintln!("{} bits of the manifest, {} of the index", stick.bits(0).count(), stick.bits(1).count());
}

#[test]
fn each_bit_of_the_packs_counts_or_changes_nothing() {
    let stick = Stick::new();
    let Stick { world, payload, .. } = &stick;
    let (mut tried, mut harmless) = (0, 0);
    for entry in world.index.entries() {
        let Extent::Data { pack, frame_offset, frame_length, .. } = entry.content else { continue };
        let expected = &world.image[entry.offset as usize..(entry.offset + entry.length) as usize];
        let fetch = || Fetcher::new(&world.manifest, payload.source()).chunk(&entry);
        let start = stick.bits(2 + pack as usize).start + frame_offset * 8;
        for bit in start..start + u64::from(frame_length) * 8 {
            tried += 1;
            match stick.flipped(Flip { bit, once: false }, fetch) {
                Err(failure) => assert_eq!(failure.code, Code::PayloadDamaged, "{failure}"),
                // a bit of the frame's own head that means nothing to this decoder: the chunk is the right one
                Ok(chunk) => {
                    assert!(*chunk == expected, "bit {bit} made another chunk");
                    harmless += 1;
                }
            }
            let healed = stick.flipped(Flip { bit, once: true }, fetch).unwrap();
            assert!(*healed == expected);
        }
    }
    let all: u64 = world.manifest.packs.iter().map(|pack| pack.size * 8).sum();
    assert_eq!(tried, all, "a part of the packs belongs to no frame");
    eprintln!("{tried} bits of the packs, {harmless} of them change nothing");
    assert!(harmless * 50 < tried, "{harmless}");
}

/// From the medium to the disk.
#[test]
fn an_install_with_a_flipped_bit_is_complete_or_boots_nothing() {
    const EVERY: usize = 613;
    let stick = Stick::new();
    let Stick { world, payload, .. } = &stick;
    let before = old_system(DISK);
    let clean = MemoryDevice::new(before.clone());
    world.deliver(payload, &clean).unwrap();
    let wanted = clean.content();
    let esp = world.manifest.partitions[1].offset as usize;
    assert!(wanted[esp..esp + 4096] == world.image[esp..esp + 4096]);
    let install = |flip| {
        let device = MemoryDevice::new(before.clone());
        let result = stick.flipped(flip, || world.deliver(payload, &device));
        (result, device)
    };
    let (mut refused, mut broke_off) = (0, 0);
    for blob in 0..stick.blobs.len() {
        for bit in stick.bits(blob).step_by(one_in(EVERY)) {
            let (result, device) = install(Flip { bit, once: false });
            let disk = device.content();
            match (result, judge(&disk, &before, &wanted)) {
                (Ok(_), verdict) => {
                    assert!(verdict == Verdict::Complete && disk == wanted && blob > 1, "bit {bit}")
                }
                (Err(failure), verdict) => {
                    assert_eq!(failure.code, Code::PayloadDamaged, "{failure}");
                    let is_untouched = device.operations().is_empty();
                    // what is needed to decide anything is looked at before the claim
                    assert!(is_untouched || blob > 1, "bit {bit}");
                    let wanted = if is_untouched { Verdict::Before } else { Verdict::Closed };
                    assert_eq!(verdict, wanted, "bit {bit}");
                    *(if is_untouched { &mut refused } else { &mut broke_off }) += 1;
                }
            }
            let (result, device) = install(Flip { bit, once: true });
            assert!(result.is_ok() && device.content() == wanted, "bit {bit}");
        }
    }
    eprintln!("{refused} installs were refused before the claim, {broke_off} broke off after it");
    assert!(refused > 15 && broke_off > 5, "{refused} {broke_off}");
}

/// An image of some 65 MiB in frames of up to 256 KiB, one of four of them incompressible.
fn large() -> (ImageManifest, Vec<u8>, Vec<u8>, Vec<IndexEntry>) {
    const CHUNKS: u64 = 512;
    let (mut pack, mut image, mut entries, mut dice) = (Vec::new(), Vec::new(), Vec::new(), Dice::new(5));
    for number in 0..CHUNKS {
        let offset = image.len() as u64;
        // a chunk of 4 KiB in front, where there must be cuts
        let length = if number < 5 { 4096 } else { (1 + dice.below(64)) * 4096 };
        let noise = if number % 4 == 0 { length } else { length / 16 };
        let mut bytes = vec![number as u8; length as usize];
        bytes[..noise as usize]
            .chunks_mut(8)
            .for_each(|word| word.copy_from_slice(&dice.next().to_le_bytes()));
        let frame = zstd::bulk::compress(&bytes, 1).unwrap();
        let content = Extent::Data {
            digest: Digest::of(&bytes),
            pack: 0,
            frame_offset: pack.len() as u64,
            frame_length: frame.len() as u32,
        };
        entries.push(IndexEntry { offset, length, content });
        pack.extend_from_slice(&frame);
        image.extend_from_slice(&bytes);
    }
    let mut manifest = fixture::manifest();
    manifest.size = crate::value::ByteSize::bytes(image.len() as u64);
    manifest.raw = Some(Digest::of(&image));
    manifest.packs = vec![Blob { digest: Digest::of(&pack), size: pack.len() as u64 }];
    let index = index_bytes(entries.iter().copied());
    manifest.index = Blob { digest: Digest::of(&index), size: index.len() as u64 };
    (manifest, image, pack, entries)
}

#[test]
fn no_bit_of_a_large_image_is_flipped_unseen() {
    let (manifest, image, pack, entries) = large();
    let documents = [serde_json::to_vec(&manifest).unwrap(), index_bytes(entries.iter().copied())];
    let digests = documents.each_ref().map(|bytes| Digest::of(bytes));
    let mut dice = Dice::new(6);
    let (flips, mut harmless) = (rounds(10_000), 0);
    for _ in 0..flips {
        let which = dice.below(100);
        if let Some(document) = documents.get(which as usize) {
            let mut bytes = document.clone();
            let bit = dice.below(bytes.len() as u64 * 8);
            bytes[bit as usize / 8] ^= 1 << (bit % 8);
            assert!(Verified::by_digest(bytes, &digests[which as usize]).is_err(), "bit {bit}");
            continue;
        }
        let bit = dice.below(pack.len() as u64 * 8);
        let begins = |entry: &IndexEntry| match entry.content {
            Extent::Data { frame_offset, .. } => frame_offset <= bit / 8,
            Extent::Zero => false,
        };
        let entry = &entries[entries.partition_point(begins) - 1];
        let Extent::Data { frame_offset, frame_length, .. } = entry.content else { unreachable!() };
        let mut frame = pack[frame_offset as usize..][..frame_length as usize].to_vec();
        frame[(bit / 8 - frame_offset) as usize] ^= 1 << (bit % 8);
        if let Ok(chunk) = decode_frame(entry, &frame) {
            let expected = &image[entry.offset as usize..(entry.offset + entry.length) as usize];
            assert!(*chunk == expected, "bit {bit} made another chunk");
            harmless += 1;
        }
    }
    eprintln!(
        "{flips} flips in {} MiB of {} MiB: none was taken, {harmless} changed nothing",
        pack.len() >> 20,
        image.len() >> 20
    );
    assert!(harmless * 100 <= flips, "{harmless} of {flips}");
}
