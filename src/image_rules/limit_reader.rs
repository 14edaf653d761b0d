//! A reader that ends with an error where [`std::io::Take`] would end in silence: what is cut short looks like damage, and nobody
//! finds the limit that did it.
//!
//! For what foreign archives unpack to. It bounds and judges nothing.

use std::io::{self, Read};

/// A reader of at most so many bytes.
pub struct LimitReader<R> {
    inner: R,
    left: u64,
    told: &'static str,
}

impl<R: Read> LimitReader<R> {
    /// Reads `bytes` at most; the byte after them is the error that is told.
    pub fn new(inner: R, bytes: u64, told: &'static str) -> Self {
        Self { inner, left: bytes, told }
    }

    /// How many bytes may still be read.
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl<R: Read> Read for LimitReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other(self.told))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_limit_is_an_error_and_no_end() {
        let read = |limit| {
            let mut content = Vec::new();
            let mut capped = LimitReader::new(&b"12345678"[..], limit, "it is too long");
            capped.read_to_end(&mut content).map(|_| (content, capped.left()))
        };
        assert_eq!(read(8).unwrap(), (b"12345678".to_vec(), 0));
        assert_eq!(read(9).unwrap().1, 1);
        assert_eq!(read(7).unwrap_err().to_string(), "it is too long");
    }
}
