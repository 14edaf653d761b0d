//! What stands at places spread evenly over a disk, as digests: where a disk is blank, and whether it has changed since.
//!
//! Places depend on the size of the disk alone, so two looks at one disk can be compared. They are [`Samples::stride`] apart,
//! which is never more than the [`FEWEST`]th part of the disk: every run of data of at least `size / 2048` bytes is hit, with
//! certainty. A shorter run of L bytes is missed with a chance of about `1 - (L + 128 KiB) / stride`, and what begins at a
//! place (partitions begin at whole MiB, where the places are) is always hit. Between 2048 and 4096 reads are made, fewer on
//! disks of less than 256 MiB, which are read wholly. Don't change places or lengths: claims carry digests made of them.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::value::{Digest, serde_through_text};

/// Samples that a disk has at least, if it is large enough.
pub const FEWEST: u64 = 2048;
/// Length of a sample in bytes, less only at the disk's end. It reaches beyond the superblock that btrfs has at 64 KiB.
pub const LENGTH: u64 = 128 << 10;
/// The last MiB of a disk, which our installs zero, in bytes: samples there tell nothing about what was before.
pub const LAST: u64 = 1 << 20;
const MIB: u64 = 1 << 20;
/// What a shortened digest has.
const SHORT: usize = 8;
/// What stands for a sample that is blank, whether of zeroes or of 0xFF: a disk may turn the one into the other by itself.
const BLANK: [u8; SHORT] = [0; SHORT];
/// More digests than any disk has: what a text may claim.
const MOST: usize = 2 * FEWEST as usize + 1;

/// One shortened digest a place, in order. Text form: hexadecimal digests with spaces between them, `*7` after one that
/// stands seven times in a row, so that a blank disk takes one word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples(Vec<[u8; SHORT]>);

impl Samples {
    /// Distance between places on a disk of this size: the largest whole number of MiB that isn't more than the
    /// [`FEWEST`]th part of it, or the largest such half, quarter or eighth of a MiB.
    pub fn stride(disk_size: u64) -> u64 {
        let most = disk_size / FEWEST;
        match most {
            MIB.. => most / MIB * MIB,
            LENGTH.. => 1 << most.ilog2(),
            _ => LENGTH,
        }
    }

    /// The places on a disk of this size: first byte and length of each.
    pub fn places(disk_size: u64) -> impl Iterator<Item = (u64, u64)> {
        let stride = Self::stride(disk_size);
        (0..disk_size.div_ceil(stride)).map(move |number| {
            let at = number * stride;
            (at, LENGTH.min(disk_size - at))
        })
    }

    /// Adds the next sample; `None` for one that is blank.
    pub fn push(&mut self, bytes: Option<&[u8]>) {
        let digest = bytes.map(Digest::of).map_or(BLANK, |digest| {
            let bytes = digest.as_bytes();
            std::array::from_fn(|i| bytes[i])
        });
        self.0.push(digest);
    }

    /// Digest of the samples that lie wholly behind the first `covers` bytes of a disk of this size and before its last
    /// MiB: of what an install of an image of that size neither writes nor zeroes.
    pub fn outside(&self, covers: u64, disk_size: u64) -> Digest {
        let mut bytes = Vec::new();
        for (at, digest) in self.beyond(covers, disk_size) {
            bytes.extend_from_slice(&at.to_le_bytes());
            bytes.extend_from_slice(digest);
        }
        Digest::of(&bytes)
    }

    fn beyond(&self, covers: u64, disk_size: u64) -> impl Iterator<Item = (u64, &[u8; SHORT])> {
        let end = disk_size.saturating_sub(LAST);
        let places = Self::places(disk_size).zip(&self.0);
        places
            .filter(move |((at, length), _)| *at >= covers && at + length <= end)
            .map(|((at, _), digest)| (at, digest))
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, run) in self.0.chunk_by(|a, b| a == b).enumerate() {
            if number > 0 {
                f.write_char(' ')?;
            }
            run[0].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            if run.len() > 1 {
                write!(f, "*{}", run.len())?;
            }
        }
        Ok(())
    }
}

impl FromStr for Samples {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut samples = Vec::new();
        for word in text.split_whitespace() {
            let wrong = || format!("`{}` is not a sample's digest", word.escape_debug());
            let (digits, count) = word.split_once('*').unwrap_or((word, "1"));
            let count: usize = count.parse().map_err(|_| wrong())?;
            if digits.len() != 2 * SHORT || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            let digest = u64::from_str_radix(digits, 16).map_err(|_| wrong())?.to_be_bytes();
            if count > MOST - samples.len().min(MOST) {
                return Err(format!("more than the {MOST} samples that a disk can have"));
            }
            samples.resize(samples.len() + count, digest);
        }
        Ok(Self(samples))
    }
}

serde_through_text!(Samples);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_run_of_the_2048th_part_of_a_disk_meets_a_place(
            size in prop_oneof![1_u64..1 << 32, 1_u64 << 32..20 << 40],
            at in 0_u64..1_000_000,
        ) {
            let length = (size / FEWEST).max(LENGTH).min(size);
            let start = ((u128::from(size - length) * u128::from(at)) / 1_000_000) as u64;
            let hit = Samples::places(size).any(|(place, read)| place < start + length && start < place + read);
            prop_assert!(hit, "{length} bytes at {start} of {size}");
        }

        #[test]
        fn places_are_bounded_in_number_and_lie_on_the_disk(size in 0_u64..20 << 40) {
            let places: Vec<_> = Samples::places(size).collect();
            prop_assert!(places.len() as u64 <= 2 * FEWEST + 1, "{}", places.len());
            prop_assert!(places.iter().all(|(at, length)| *length > 0 && at + length <= size));
            prop_assert!(size < FEWEST * LENGTH || places.len() as u64 >= FEWEST);
            // where partitions begin
            let stride = Samples::stride(size);
            prop_assert!(stride.is_multiple_of(MIB) || MIB.is_multiple_of(stride));
        }
    }

    fn some() -> Samples {
        let mut samples = Samples::default();
        for number in 0..32_u8 {
            samples.push((number % 16 == 3).then_some(&[number][..]));
        }
        samples
    }

    #[test]
    fn the_text_form_reads_back_and_is_short_where_a_disk_is_blank() {
        let json = serde_json::to_string(&some()).unwrap();
        assert!(json.starts_with(r#""0000000000000000*3 084fed08b978af4d 0000000000000000*15 "#), "{json}");
        assert_eq!(serde_json::from_str::<Samples>(&json).unwrap(), some());
        assert_eq!("".parse(), Ok(Samples::default()));
        for wrong in
            ["00", "0000000000000000*", "0000000000000000*99999999999", "+000000000000000", "é0000000000000"]
        {
            assert!(wrong.parse::<Samples>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_change_outside_the_image_changes_the_digest_and_others_do_not() {
        // 32 places of 128 KiB; the last 8 of them are the last MiB
        let size = 4 << 20;
        let with = |place: usize| {
            let mut samples = some();
            samples.0[place] = [7; SHORT];
            samples.outside(2 << 20, size)
        };
        let before = some().outside(2 << 20, size);
        assert_eq!([with(0), with(15), with(24), with(31)], [before; 4]);
        assert!(with(16) != before && with(23) != before && with(16) != with(17));
        // a sample that the image ends in is written in part
        assert_eq!(some().outside((2 << 20) + 1, size), some().outside((2 << 20) + (128 << 10), size));
    }
}
