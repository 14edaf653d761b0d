//! The digest of a whole image, as other tools take it of the raw file.
//!
//! A terabyte of zeroes takes ten minutes to hash. So an image that is mostly zeroes has no such digest: whether it has one
//! depends on its content alone, not on whether the file that it came from had holes. Nobody trusts bytes by it; chunks have their own.

use anyhow::Result;

use crate::value::{Digest, DigestWriter};

/// An image with more zeroes in its zero extents and around them has no digest of the whole.
const MOST_ZEROES: u64 = 16 << 30;
const STEP: usize = 1 << 20;
static ZEROES: [u8; STEP] = [0; STEP];

/// Takes the bytes of an image in their order.
#[derive(Debug)]
pub struct WholeDigest {
    hasher: Option<DigestWriter<std::io::Sink>>,
    zeroes: u64,
    most: u64,
}

impl Default for WholeDigest {
    fn default() -> Self {
        Self { hasher: Some(DigestWriter::new(std::io::sink())), zeroes: 0, most: MOST_ZEROES }
    }
}

impl WholeDigest {
    /// For comparison with this one: of all zeroes if there is one, else of nothing.
    pub fn to_compare(expected: Option<&Digest>) -> Self {
        let hasher = expected.map(|_| DigestWriter::new(std::io::sink()));
        Self { hasher, zeroes: 0, most: u64::MAX }
    }

    /// Bytes that aren't zeroes, or not many.
    pub fn data(&mut self, bytes: &[u8]) {
        use std::io::Write as _;
        if let Some(hasher) = &mut self.hasher {
            // a sink takes everything
            let _ = hasher.write_all(bytes);
        }
    }

    /// A run of zeroes that is an extent of its own; `progress` hears how much of it is done.
    ///
    /// # Errors
    /// What `progress` returned.
    pub fn zeroes(&mut self, count: u64, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        self.zeroes = self.zeroes.saturating_add(count);
        if self.zeroes > self.most {
            self.hasher = None;
        }
        let mut done = 0;
        while self.hasher.is_some() && done < count {
            let step = usize::try_from(count - done).map_or(STEP, |rest| rest.min(STEP));
            self.data(&ZEROES[..step]);
            done += step as u64;
            progress(done)?;
        }
        progress(count)
    }

    /// The digest of all that came, if it has one.
    pub fn finish(self) -> Option<Digest> {
        self.hasher.map(|hasher| hasher.finish().1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroes_count_as_bytes_and_too_many_have_no_digest() {
        let mut whole = WholeDigest::default();
        whole.data(b"a");
        let mut told = 0;
        whole
            .zeroes((3 << 20) + 1, &mut |done| {
                told = done;
                Ok(())
            })
            .unwrap();
        assert_eq!(told, (3 << 20) + 1);
        let bytes = [&b"a"[..], &vec![0; (3 << 20) + 1]].concat();
        assert_eq!(whole.finish(), Some(Digest::of(&bytes)));
        let mut whole = WholeDigest::default();
        whole.zeroes(MOST_ZEROES + 1, &mut |_| Ok(())).unwrap();
        whole.data(b"a");
        assert_eq!(whole.finish(), None);
        assert!(WholeDigest::default().zeroes(5 << 20, &mut |_| anyhow::bail!("interrupted")).is_err());
    }
}
