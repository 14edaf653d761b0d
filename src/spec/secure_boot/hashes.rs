//! Many hashes in few bytes.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::value::{Digest, serde_through_text, unhex};

/// What is kept of each: a `dbx` has 400 and more, and a refusal prints facts on a serial console. Whoever makes two hashes agree in
/// so much of them gains a refusal that names the program.
const SHORT: usize = 8;

/// The beginnings of SHA-256 digests, sorted, each once. Text form: sixteen hexadecimal digits each, with spaces between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hashes(Vec<[u8; SHORT]>);

impl Hashes {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this is one of them.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.0.binary_search(&short(digest)).is_ok()
    }
}

impl FromIterator<Digest> for Hashes {
    fn from_iter<T: IntoIterator<Item = Digest>>(digests: T) -> Self {
        sorted(digests.into_iter().map(|digest| short(&digest)).collect())
    }
}

fn short(digest: &Digest) -> [u8; SHORT] {
    let bytes = digest.as_bytes();
    std::array::from_fn(|i| bytes[i])
}

fn sorted(mut hashes: Vec<[u8; SHORT]>) -> Hashes {
    hashes.sort_unstable();
    hashes.dedup();
    Hashes(hashes)
}

impl fmt::Display for Hashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, hash) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_char(' ')?;
            }
            hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        Ok(())
    }
}

impl FromStr for Hashes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hash = |word: &str| {
            unhex(word).ok_or_else(|| format!("`{}` is not the beginning of a hash", word.escape_debug()))
        };
        text.split_whitespace().map(hash).collect::<Result<_, _>>().map(sorted)
    }
}

serde_through_text!(Hashes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_found_and_read_back_and_nothing_else_is_read() {
        let digests = [Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"a")];
        let hashes: Hashes = digests.into_iter().collect();
        assert_eq!(hashes.len(), 2);
        assert!(hashes.contains(&digests[1]) && !hashes.contains(&Digest::of(b"c")));
        let json = serde_json::to_string(&hashes).unwrap();
        assert_eq!(json.len(), 2 + 16 + 1 + 16);
        assert_eq!(serde_json::from_str::<Hashes>(&json).unwrap(), hashes);
        assert_eq!("".parse(), Ok(Hashes::default()));
        for wrong in ["00", "zz00000000000000", "00000000000000000000"] {
            assert!(wrong.parse::<Hashes>().is_err(), "{wrong}");
        }
    }
}
