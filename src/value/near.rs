//! Which known word was meant by one that nobody knows: what every "did you mean" asks.
//!
//! A suggestion is a hint for whoever mistyped. Nothing may be read as if the suggested word had been written.

/// Longer words are nobody's slip, and comparing takes time as the square of their length.
const LONGEST: usize = 100;
/// Words that are compared: a table of all questions of debian-installer has fewer, and a hostile file names more.
const MOST: usize = 2000;
/// A word may have one slip for each so many letters of the longer one of the two, and one in any case.
const LETTERS_PER_SLIP: usize = 5;
/// Unless both are shorter than this: of `zfs`, `xfs`, `jfs` and `hfs` none is a slip of another.
const SHORTEST: usize = 4;

/// Letters that were inserted, left out, taken for another, or swapped with their neighbour between two words.
pub fn slips(word: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(word, other)
}

/// The known word that was probably meant, whatever its case; `None` where none is near.
///
/// Near is one slip in five letters, and one in any case from four letters on: `rot` is near `root`, `netcfg/get_hostnam` near
/// `netcfg/get_hostname`, and `kernal_agrs` near `kernel_args`; `hndof` isn't near `handoff`, nor `pw` near `pv`. A weaker rule
/// finds a neighbour for every short word. Of equally near ones the first of the alphabet, so that the order of the known words
/// doesn't matter; but only the first 2000 are compared, since a file that somebody handed over may name any number.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    nearest_of_all(word, known.into_iter().take(MOST))
}

/// The same where the known words are the operator's own, however many: the hosts of a site.
pub fn nearest_of_all<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let letters = word.chars().count();
    let candidates = known.into_iter().filter_map(|known| {
        let others = known.chars().count();
        let longest = letters.max(others);
        let most = (longest / LETTERS_PER_SLIP).max(1);
        if longest < SHORTEST || letters.abs_diff(others) > most {
            return None;
        }
        let slips = slips(&word, &known.to_lowercase());
        (slips <= most).then_some((slips, known))
    });
    candidates.min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_five_letters_is_near_and_one_from_four_letters_on() {
        for (word, meant) in [
            ("rot", "root"),
            ("gptx", "gpt"),
            ("netwrok", "network"),
            ("kernal_agrs", "kernel_args"),
            ("netcfg/get_hostnam", "netcfg/get_hostname"),
            ("--excludeWeakdeps", "--exclude-weakdeps"),
            ("ROOT", "root"),
        ] {
            assert_eq!(nearest(word, ["zzzzz", meant]), Some(meant), "{word}");
        }
        for (word, known) in
            [("pw", "pv"), ("zfs", "xfs"), ("", ""), ("hndof", "handoff"), ("foo/bar", "network")]
        {
            assert_eq!(nearest(word, [known]), None, "{word}");
        }
    }

    #[test]
    fn the_nearest_is_meant_and_of_equals_always_the_same() {
        assert_eq!(nearest("debian-11", ["debian-13", "debian-12"]), Some("debian-12"));
        assert_eq!(nearest("partitoin", ["partitions", "partition"]), Some("partition"));
    }

    #[test]
    fn endless_words_are_not_compared() {
        let word = "a".repeat(LONGEST + 1);
        assert_eq!(nearest(&word, [word.as_str()]), None);
    }
}
