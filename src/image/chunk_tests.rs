//! Properties of the cutter, over images of random blocks and zeroes.

use proptest::prelude::*;

use super::*;
use crate::sys::block::MemoryDevice;
use crate::value::Digest;

/// Blocks: 0 is zeroes, another number is a block of pseudo-random bytes by that seed.
fn image(blocks: &[u16]) -> Vec<u8> {
    let block = |seed: u16| {
        let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..BLOCK / 8).flat_map(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(seed != 0));
            state.to_le_bytes()
        })
    };
    blocks.iter().flat_map(|seed| block(*seed)).collect()
}

type Owned = (u64, u64, Option<Vec<u8>>);

fn pieces(bytes: &[u8], cuts: &[u64]) -> Vec<Owned> {
    pieces_of(&MemoryDevice::new(bytes.to_vec()), cuts)
}

fn pieces_of(device: &dyn BlockDevice, cuts: &[u64]) -> Vec<Owned> {
    let mut found = Vec::new();
    cut::<io::Error>(device, cuts, &mut |_| Ok(()), |piece, _| {
        found.push((piece.offset, piece.length, piece.data.map(<[u8]>::to_vec)));
        Ok(())
    })
    .unwrap();
    found
}

fn chunks(bytes: &[u8]) -> Vec<Digest> {
    let found = pieces(bytes, &[bytes.len() as u64]);
    found.iter().filter_map(|(_, _, data)| data.as_ref().map(|data| Digest::of(data))).collect()
}

/// Mostly data, with runs of zeroes.
fn blocks(most: usize) -> impl Strategy<Value = Vec<u16>> {
    let run = prop_oneof![
        3 => prop::collection::vec(1..u16::MAX, 1..200),
        1 => (1..20_usize).prop_map(|count| vec![0; count]),
    ];
    prop::collection::vec(run, 1..most).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn pieces_make_up_the_image_and_keep_the_forced_cuts(blocks in blocks(6), places in prop::collection::vec(0..1200_u64, 0..5)) {
        let bytes = image(&blocks);
        let size = bytes.len() as u64;
        // forced cuts may lie on any 512-byte block
        let mut cuts: Vec<_> = places.iter().map(|place| place * 3 * 512).filter(|cut| (1..size).contains(cut)).collect();
        cuts.push(size);
        cuts.sort_unstable();
        cuts.dedup();
        let found = pieces(&bytes, &cuts);
        let mut reached = 0;
        let mut whole = Vec::new();
        for (offset, length, data) in &found {
            prop_assert_eq!(*offset, reached);
            prop_assert!(*length > 0);
            reached += length;
            match data {
                Some(data) => {
                    prop_assert_eq!(data.len() as u64, *length);
                    prop_assert!(*length <= MAX_CHUNK);
                    whole.extend_from_slice(data);
                }
                None => whole.resize(whole.len() + *length as usize, 0),
            }
            prop_assert!(cuts.iter().all(|cut| *cut <= *offset || *cut >= reached), "a piece runs over a cut");
        }
        prop_assert!(whole == bytes);
    }

    #[test]
    fn an_insertion_changes_the_chunks_near_it_only(blocks in prop::collection::vec(1..u16::MAX, 1000..1500), inserted in prop::collection::vec(1..u16::MAX, 1..4), place in 0..1000_usize) {
        let mut longer = blocks.clone();
        longer.splice(place..place, inserted);
        let before: std::collections::BTreeSet<_> = chunks(&image(&blocks)).into_iter().collect();
        let after = chunks(&image(&longer));
        let fresh = after.iter().filter(|digest| !before.contains(digest)).count();
        prop_assert!(fresh <= 10, "{fresh} of {} chunks are new", after.len());
    }
}

/// A device that knows where its zeroes are, by its own units.
struct Holey(MemoryDevice, u64);

impl BlockDevice for Holey {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn next_data(&self, from: u64) -> io::Result<Option<std::ops::Range<u64>>> {
        let content = self.0.content();
        let unit = self.1 as usize;
        let is_data =
            |at: &usize| content[*at..(*at + unit).min(content.len())].iter().any(|byte| *byte != 0);
        let mut units = (from as usize / unit * unit..content.len()).step_by(unit);
        let Some(start) = units.by_ref().find(|at| is_data(at)) else { return Ok(None) };
        let end = units.find(|at| !is_data(at)).unwrap_or(content.len());
        Ok(Some((start as u64).max(from)..end as u64))
    }
}

#[test]
fn pieces_are_the_same_where_zeroes_are_holes() {
    let mut blocks = vec![0, 0, 0, 1, 2, 0, 3];
    blocks.extend([0; 300]);
    blocks.extend(1..200_u16);
    blocks.extend([0; 9]);
    let bytes = image(&blocks);
    let size = bytes.len() as u64;
    for cuts in [vec![size], vec![512, 8192 + 1536, 4096 * 40 + 512, size - 33 * 512, size]] {
        let read = pieces(&bytes, &cuts);
        for unit in [512, 4096, 12_288, 65_536] {
            assert_eq!(pieces_of(&Holey(MemoryDevice::new(bytes.clone()), unit), &cuts), read, "{unit}");
        }
    }
}

#[test]
fn zero_runs_are_extents_and_chunks_have_the_size_that_was_asked_for() {
    let mut blocks = vec![0; 100];
    blocks.extend(1..5_000_u16);
    blocks.extend([0; 50]);
    let bytes = image(&blocks);
    let found = pieces(&bytes, &[bytes.len() as u64]);
    assert_eq!((found[0].1, &found[0].2), (100 * 4096, &None));
    assert_eq!(found.last().map(|last| (last.1, &last.2)), Some((50 * 4096, &None)));
    let average = 5_000 * 4096 / (found.len() as u64 - 2);
    assert!((180 << 10..340 << 10).contains(&average), "average chunk is {average} bytes");
}

#[test]
fn single_zero_blocks_do_not_tear_a_chunk() {
    let bytes = image(&[1, 0, 2, 0, 0, 0, 3]);
    assert_eq!(pieces(&bytes, &[bytes.len() as u64]).len(), 1);
    let torn = image(&[1, 0, 0, 0, 0, 3]);
    assert_eq!(pieces(&torn, &[torn.len() as u64]).len(), 3);
}

#[test]
fn the_places_an_install_treats_apart_are_cut() {
    let size = 8 << 20;
    let partition = ImagePartition {
        number: 1,
        kind: uuid::Uuid::nil(),
        guid: uuid::Uuid::nil(),
        offset: 3 << 20,
        length: 1 << 20,
        name: String::new(),
    };
    let cuts = forced_cuts(size, &[partition]);
    assert_eq!(cuts, [4096, 20480, (1 << 20) - 4096, 1 << 20, 3 << 20, size - 33 * 512, size]);
}
