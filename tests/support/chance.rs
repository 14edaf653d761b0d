//! Chance for machines that are killed and disks that fail: the same in every run of one seed.

pub use super::dice::Dice;

/// Chance from this seed on; `IRONSTRAP_SEED` makes it another one.
pub fn from_seed(seed: u64) -> Dice {
    let shift = std::env::var("IRONSTRAP_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    Dice::new(seed ^ (shift << 32))
}

impl Dice {
    /// A number of this range, which isn't empty.
    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }
}
