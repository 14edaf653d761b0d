//! How a format's files are read: the one thing that a new format implements here, for each of its releases.

use std::collections::{BTreeMap, HashSet};

use super::layout::Part;
use super::reading::Reading;
use crate::answers::{Answers, Dialect};
use crate::host::Os;

/// What a rendered file says, in a form that lines of the original can be held against: each canonical form, with the line that
/// says it. Sorted, so that what begins alike stands together.
pub type RenderedLines = BTreeMap<String, String>;

/// A format's files, as one release's installer reads them.
pub trait Reader {
    /// Why no line of a file can be taken over, where that is so: the installer could read nothing of it either.
    ///
    /// # Errors
    /// The reason.
    fn readable(&self, _: &str) -> Result<(), String> {
        // whatever a line holds, the next one may hold more
        Ok(())
    }

    /// The release that a file was written for, as far as it says so; of all of the format.
    fn release(&self, text: &str) -> Option<Os>;

    /// Reads a file.
    fn read(&self, text: &str, reading: &mut Reading<'_>);

    /// What rendered answers say.
    fn rendered_lines(&self, answers: &Answers) -> RenderedLines;

    /// What rendered answers lay out on disks; nothing where ironstrap's own agent does it.
    fn laid_out(&self, answers: &Answers) -> Option<Vec<Part>>;

    /// Whether a rendered line says what a claim does, as far as both speak of it.
    fn agrees(&self, claim: &str, line: &str) -> bool;

    /// What a canonical form is about, where it names a thing: a form about another one says nothing of this one.
    fn subject<'l>(&self, _: &'l str) -> Option<&'l str> {
        None
    }

    /// Whether it is no loss if a claim doesn't come out again, since it says as much as none.
    fn says_nothing(&self, _: &str) -> bool {
        false
    }
}

/// Whether all words of a claim behind its key stand in a rendered line, whatever separates them there.
pub fn has_words_of(claim: &str, line: &str) -> bool {
    let bare = |word: &str| word.trim_matches([',', '"']).trim_end_matches('/').to_owned();
    let theirs: HashSet<_> = line.split_whitespace().map(bare).collect();
    claim.split_whitespace().skip(1).all(|word| theirs.contains(&bare(word)))
}

/// The registry.
pub fn of(dialect: &Dialect) -> &dyn Reader {
    match dialect {
        Dialect::Kickstart(release) => release,
        Dialect::Preseed(release) => release,
        Dialect::Autoinstall(release) => release,
    }
}
