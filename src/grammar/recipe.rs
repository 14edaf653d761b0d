//! Recipes of partman-auto, decoded as debian-installer decodes them, and what it changes on the way without a word.
//!
//! [`decode`] follows the shell function `decode_recipe` in `/lib/partman/lib/recipes.sh` of the udeb `partman-auto`, mistakes
//! included: `8G` becomes 2,200,000,000 MB, an unknown file system becomes ext2, and what follows the last ` . ` is dropped.
//! A test holds the two side by side. [`judge`] says what was lost or changed, and what the functions that use the result
//! (`setup_partition`, `auto_lvm_prepare`) can't do. Sizes are in MB, 10^6 bytes.

mod judge;
pub(crate) mod rules;

pub use judge::judge;

/// How partman-auto uses a recipe: the answer to `partman-auto/method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Partitions.
    Regular,
    /// What is marked `$lvmok{ }` becomes logical volumes.
    Lvm,
    /// The same, under one encrypted partition.
    Crypto,
}

/// What the decoder takes from the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Memory in MB, of which sizes in percent are taken; capped by `partman-auto/cap-ram`, which is 1024 by default.
    pub memory: i64,
    /// The disk label, for `$iflabel{ }`; `None` decodes the partitions of every label.
    pub label: Option<&'static str>,
    /// The answer to `partman/default_filesystem`.
    pub filesystem: &'static str,
}

impl Default for Machine {
    fn default() -> Self {
        Self { memory: 1024, label: None, filesystem: "ext4" }
    }
}

/// What the decoder takes for a size that is none: larger than any disk, so that no disk is large enough.
pub const ABSURD: i64 = 2_200_000_000;

/// File systems that the decoder lets pass.
const FILESYSTEMS: [&str; 10] =
    ["ext2", "ext3", "ext4", "xfs", "jfs", "linux-swap", "fat16", "fat32", "hfs", "ufs"];

/// A word and the line that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// From 1.
    pub line: usize,
    /// Without blanks.
    pub text: String,
}

/// One partition, as decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Where it begins.
    pub line: usize,
    /// Smallest size.
    pub min: i64,
    /// Priority: the more it is above `min`, the larger the share of what is left.
    pub priority: i64,
    /// Largest size; -1 for no limit.
    pub max: i64,
    /// The file system that parted is told.
    pub filesystem: String,
    /// The four words that these were made of; fewer where some are missing.
    pub written: Vec<Word>,
    /// `$primary{ }`, `method{ format }` and so on.
    pub rest: Vec<Word>,
}

impl Partition {
    /// What stands between `name{` and `}`, words joined by blanks.
    pub fn field(&self, name: &str) -> Option<String> {
        let is = |word: &&Word| word.text.strip_suffix('{') == Some(name);
        let mut words = self.rest.iter().skip_while(|word| !is(word));
        words.next()?;
        let inside: Vec<_> =
            words.take_while(|word| word.text != "}").map(|word| word.text.as_str()).collect();
        Some(inside.join(" "))
    }

    /// Whether it is swap space.
    pub fn is_swap(&self) -> bool {
        self.field("method").is_some_and(|method| method == "swap")
    }

    fn text(&self) -> String {
        self.rest.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// As the decoder prints it.
impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { min, priority, max, filesystem, .. } = self;
        write!(f, "{min} {priority} {max} {filesystem} {}", self.text())
    }
}

/// A decoded recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The partitions that d-i makes.
    pub partitions: Vec<Partition>,
    /// Words that ended up nowhere.
    pub dropped: Vec<Dropped>,
}

/// Words that ended up nowhere, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The words.
    pub words: Vec<Word>,
    /// Why.
    pub reason: Reason,
}

/// Why words are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No ` . ` after them.
    NoDot,
    /// A name that a later one replaced, or partitions before a name.
    Renamed,
}

/// Words of a recipe that stands in a file of its own, each with its line.
pub fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(text.split('\n'))
        .flat_map(|(number, line)| line.split_ascii_whitespace().map(move |word| (number, word)))
}

/// Decodes a recipe.
pub fn decode<'w>(words: impl IntoIterator<Item = (usize, &'w str)>, machine: &Machine) -> Decoded {
    let mut decoded = Decoded::default();
    let mut gathered: Vec<Word> = Vec::new();
    for (line, text) in words {
        match text {
            ":" | "::" => {
                let words = std::mem::take(&mut gathered);
                let name = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                let first = decoded.name.is_none() && decoded.partitions.is_empty();
                // a name is one word; more are partitions that no dot ended
                if !first || words.len() > 1 {
                    decoded.dropped.push(Dropped { words, reason: Reason::Renamed });
                }
                decoded.name = Some(name);
            }
            "." => {
                let words = std::mem::take(&mut gathered);
                decoded.partitions.extend(partition(words, line, machine));
            }
            _ => gathered.push(Word { line, text: text.to_owned() }),
        }
    }
    if !gathered.is_empty() {
        decoded.dropped.push(Dropped { words: gathered, reason: Reason::NoDot });
    }
    decoded
}

/// One partition; `None` if it is for another disk label.
fn partition(mut words: Vec<Word>, dot: usize, machine: &Machine) -> Option<Partition> {
    let rest = words.split_off(words.len().min(4));
    let line = words.first().map_or(dot, |word| word.line);
    let word = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    let min = size(word(0), machine).unwrap_or(ABSURD);
    let priority = size(word(1), machine).unwrap_or(min).max(min);
    let max = match word(2) {
        "-1" => -1,
        text => size(text, machine).unwrap_or(min).max(min),
    };
    let filesystem = match word(3) {
        "$default_filesystem" => machine.filesystem,
        name if FILESYSTEMS.contains(&name) => name,
        _ => "ext2",
    };
    let filesystem = filesystem.to_owned();
    let partition = Partition { line, min, priority, max, filesystem, written: words, rest };
    let label = label(&partition);
    let fits = label.is_none() || machine.label.is_none() || label.as_deref() == machine.label;
    fits.then_some(partition)
}

/// The last `$iflabel{ NAME }`, if it is written so that the decoder finds it.
fn label(partition: &Partition) -> Option<String> {
    let at = partition.rest.iter().rposition(|word| word.text == "$iflabel{")?;
    let after = &partition.rest[at + 1..];
    let end = after.iter().position(|word| word.text.contains('}'))?;
    let inside: Vec<_> = after[..end].iter().map(|word| word.text.as_str()).collect();
    (after[end].text == "}" && !inside.is_empty()).then(|| inside.join(" "))
}

/// `500`, `100%` of the memory, or `500+100%`.
fn size(text: &str, machine: &Machine) -> Option<i64> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i64>().unwrap_or(i64::MAX))
    };
    let percent = |text: &str| Some(machine.memory.saturating_mul(number(text)?) / 100);
    match text.strip_suffix('%') {
        None => number(text),
        Some(text) => match text.split_once('+') {
            None => percent(text),
            Some((base, share)) => Some(number(base)?.saturating_add(percent(share)?)),
        },
    }
}

#[cfg(test)]
mod tests;
