//! Memory that a disk is written from and read into without a copy: direct I/O wants it to begin on a page.

/// What memory, offsets and lengths of direct I/O are multiples of, whatever the disk; every disk's block size divides it.
pub const ALIGN: usize = 4096;

/// Bytes that begin on a multiple of [`ALIGN`]. The default one is empty and has no memory.
#[derive(Debug, Default)]
pub struct Buffer {
    room: Vec<u8>,
    start: usize,
    length: usize,
}

impl Buffer {
    /// So many bytes, whatever they are: those of an earlier use, or zeroes. New memory is asked for only where the old one is
    /// too short.
    pub fn resize(&mut self, length: usize) {
        if self.room.len().saturating_sub(self.start) < length {
            self.room = vec![0; length.next_multiple_of(ALIGN) + ALIGN];
            // for plain bytes an offset is always found
            self.start = self.room.as_ptr().align_offset(ALIGN).min(ALIGN);
        }
        self.length = length;
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.room[self.start..self.start + self.length]
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.room[self.start..self.start + self.length]
    }
}

/// The longest piece of [`zeroes`].
pub const MOST_ZEROES: usize = 1 << 20;

#[repr(align(4096))]
struct Zeroes([u8; MOST_ZEROES]);

static ZEROES: Zeroes = Zeroes([0; MOST_ZEROES]);

/// So many zeroes to write, [`MOST_ZEROES`] at most.
pub fn zeroes(length: usize) -> &'static [u8] {
    &ZEROES.0[..length.min(MOST_ZEROES)]
}

/// Whether all bytes are zeroes, at the speed of memory: a loop that stops early isn't made into wide instructions.
pub fn is_zero(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<512>();
    let is_zero = |bytes: &[u8]| bytes.iter().fold(0, |seen, byte| seen | byte) == 0;
    blocks.iter().all(|block| is_zero(block)) && is_zero(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_begins_on_a_page_however_often_it_grows() {
        let mut buffer = Buffer::default();
        assert!(buffer.as_ref().is_empty());
        for length in [1, 4096, 4097, 100, 1 << 20, 0] {
            buffer.resize(length);
            assert_eq!(buffer.as_mut().len(), length);
            assert_eq!(buffer.as_ref().as_ptr().align_offset(ALIGN), 0);
        }
        assert_eq!(zeroes(MOST_ZEROES).as_ptr().align_offset(ALIGN), 0);
    }

    #[test]
    fn one_byte_that_is_not_zero_is_seen_wherever_it_stands() {
        for length in [0, 1, 511, 512, 513, 4096] {
            let mut bytes = vec![0; length];
            assert!(is_zero(&bytes), "{length}");
            for at in 0..length {
                bytes[at] = 1;
                assert!(!is_zero(&bytes), "{at} of {length}");
                bytes[at] = 0;
            }
        }
    }
}
