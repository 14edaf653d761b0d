//! Every line of the file, once, and what became of it.

use serde::Serialize;

use super::secret;

/// What became of some lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is in the profile, and the rendered file says the same in the same canonical form.
    Kept,
    /// It is in the profile, or holds anyway; the rendered file says it in other words. The notes say how.
    Changed,
    /// Some of it is in the profile; the notes say what isn't.
    Partly,
    /// A script that nobody here understands: it is in a file, and runs at the same point.
    Script,
    /// It is not in the profile; the notes say why and what to do.
    Refused,
    /// It says nothing to the installer.
    Comment,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Kept, Self::Changed, Self::Partly, Self::Script, Self::Refused, Self::Comment];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Changed => "changed",
            Self::Partly => "partly",
            Self::Script => "script",
            Self::Refused => "refused",
            Self::Comment => "comment",
        }
    }
}

/// Some lines that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The first, from 1.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// The first line as it stands there, without what could be a secret.
    pub text: String,
    /// Whether that line goes on where the text ends.
    #[serde(skip)]
    pub cut: bool,
    /// What became of it.
    pub verdict: Verdict,
    /// Keys of the profile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The file that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// A comment behind what it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// How, why, and what to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What became of a file: its lines in order, each in one entry; blank ones are in none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The lines.
    pub entries: Vec<Entry>,
    /// What the profile lacks before it can be used, or why it couldn't be rendered.
    pub open: Vec<String>,
}

impl Report {
    /// How many lines met this end.
    pub fn lines(&self, verdict: Verdict) -> usize {
        let of = self.entries.iter().filter(|entry| entry.verdict == verdict);
        of.map(|entry| 1 + entry.last - entry.first).sum()
    }
}

/// The number of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub usize);

impl Id {
    /// What no line of the file says.
    pub const NOBODY: Self = Self(usize::MAX);
}

/// An entry that is being read.
#[derive(Debug, Clone)]
pub struct LineState {
    pub first: usize,
    pub last: usize,
    /// Without secrets.
    pub text: String,
    /// There is more of it than the text says.
    pub cut: bool,
    pub state: EntryState,
    pub notes: Vec<String>,
    /// How many notes were too many.
    pub more: usize,
    /// What it says in its grammar's canonical form; each must come out again if it is to be kept.
    pub claims: Vec<String>,
    pub file: Option<String>,
    pub remark: Option<String>,
    /// It says several things on one line, of which some may be taken over.
    pub several: bool,
    /// Without a key and not said by the rendered file either, it is no loss: this is why.
    pub moot: Option<&'static str>,
}

/// How far reading an entry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryState {
    /// It says nothing.
    Comment,
    /// All of it was taken over, or holds anyway.
    Taken,
    /// No key of a profile is for it: it is kept if the rendered file says it anyway.
    Keyless,
    /// Some of it was.
    Partly,
    Script,
    Refused,
}

/// Most notes of an entry that are written down; nobody reads more, and a line can have 100,000 words.
const MOST_NOTES: usize = 20;

fn one_line(text: String) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// All entries.
#[derive(Debug, Default)]
pub struct LineReport {
    pub entries: Vec<LineState>,
}

impl LineReport {
    /// Begins an entry, taken until something else is said of it.
    pub fn enter(&mut self, first: usize, last: usize, text: &str) -> Id {
        let (text, cut) = secret::shown_or_cut(text);
        let state = EntryState::Taken;
        self.entries.push(LineState {
            first,
            last,
            text,
            cut,
            state,
            notes: Vec::new(),
            more: 0,
            claims: Vec::new(),
            file: None,
            remark: None,
            several: false,
            moot: None,
        });
        Id(self.entries.len() - 1)
    }

    /// A line that says nothing.
    pub fn comment(&mut self, line: usize, text: &str) {
        let id = self.enter(line, line, text);
        self.with(id, |entry| entry.state = EntryState::Comment);
    }

    /// Says more about an entry; words of the file in it must have been masked.
    pub fn note(&mut self, id: Id, note: impl Into<String>) {
        let note = one_line(note.into());
        self.add(id, note, MOST_NOTES);
    }

    fn add(&mut self, id: Id, note: String, most: usize) {
        self.with(id, |entry| {
            if entry.notes.contains(&note) {
                return;
            }
            match entry.notes.len() < most {
                true => entry.notes.push(note),
                false => entry.more += 1,
            }
        });
    }

    /// Part of an entry is not taken over.
    pub fn lose(&mut self, id: Id, note: impl Into<String>) {
        self.note(id, note);
        self.with(id, |entry| {
            if matches!(entry.state, EntryState::Taken | EntryState::Keyless) {
                entry.state = EntryState::Partly;
            }
        });
    }

    /// Nothing of an entry is taken over.
    pub fn refuse(&mut self, id: Id, why: impl Into<String>) {
        // it counts more than what was noted before
        self.add(id, one_line(why.into()), 2 * MOST_NOTES);
        self.with(id, |entry| entry.state = EntryState::Refused);
    }

    /// One of the things that an entry says is not taken over, which is all of it unless it says several.
    pub fn refuse_part(&mut self, id: Id, why: impl Into<String>) {
        match self.entries.get(id.0).is_some_and(|entry| entry.several) {
            true => self.lose(id, why),
            false => self.refuse(id, why),
        }
    }

    /// An entry says several things.
    pub fn several(&mut self, id: Id) {
        self.with(id, |entry| entry.several = true);
    }

    /// An entry that seemed to have no key has one.
    pub fn taken(&mut self, id: Id) {
        self.with(id, |entry| {
            if entry.state == EntryState::Keyless {
                entry.state = EntryState::Taken;
            }
        });
    }

    /// The entry that a line is in.
    pub fn of_line(&self, line: usize) -> Option<Id> {
        let holds = |entry: &LineState| (entry.first..=entry.last).contains(&line);
        self.entries.iter().position(holds).map(Id)
    }

    /// Whether anything of an entry was taken over.
    pub fn is_taken(&self, id: Id) -> bool {
        let entry = self.entries.get(id.0);
        entry.is_some_and(|entry| {
            matches!(entry.state, EntryState::Taken | EntryState::Partly | EntryState::Script)
        })
    }

    /// Whether nothing of an entry is taken over.
    pub fn is_refused(&self, id: Id) -> bool {
        self.entries.get(id.0).is_some_and(|entry| entry.state == EntryState::Refused)
    }

    /// No key of a profile is for an entry.
    pub fn keyless(&mut self, id: Id) {
        self.with(id, |entry| entry.state = EntryState::Keyless);
    }

    /// An entry that has no key needs none.
    pub fn moot(&mut self, id: Id, why: &'static str) {
        self.with(id, |entry| entry.moot = Some(why));
    }

    /// An entry is a script that goes on to run.
    pub fn opaque(&mut self, id: Id) {
        self.with(id, |entry| entry.state = EntryState::Script);
    }

    /// The file that holds an entry.
    pub fn file(&mut self, id: Id, path: &str) {
        self.with(id, |entry| entry.file = Some(path.to_owned()));
    }

    /// Nothing could be compared: what would have to come out again can't count as kept.
    pub fn give_up(&mut self) {
        for entry in &mut self.entries {
            match entry.state {
                EntryState::Taken => entry.notes.push("not compared".to_owned()),
                EntryState::Keyless => {
                    entry.notes.push("a profile has no key for it".to_owned());
                    entry.state = EntryState::Refused;
                }
                _ => {}
            }
        }
    }

    /// A comment that stands behind an entry.
    pub fn remark(&mut self, id: Id, comment: &str) {
        let comment = one_line(secret::masked(comment));
        self.with(id, |entry| entry.remark = Some(comment));
    }

    /// What an entry says, in the canonical form of its grammar.
    pub fn claim(&mut self, id: Id, canonical: String) {
        self.with(id, |entry| entry.claims.push(canonical));
    }

    fn with(&mut self, id: Id, change: impl FnOnce(&mut LineState)) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            change(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_notes_are_counted_and_a_refusal_is_still_heard() {
        let mut report = LineReport::default();
        let id = report.enter(1, 1, "x");
        (0..200_000).for_each(|number| report.lose(id, format!("option {number}")));
        report.refuse(id, "no");
        let entry = &report.entries[0];
        assert_eq!((entry.notes.len(), entry.more), (MOST_NOTES + 1, 200_000 - MOST_NOTES));
        assert_eq!((entry.state, entry.notes.last().map(String::as_str)), (EntryState::Refused, Some("no")));
    }
}
