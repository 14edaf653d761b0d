//! Rules: kinds of mistakes, each under a name that programs, waivers and people use for years.
//!
//! The one shape of id, severity and explanation for `lint`, `check` and whatever finds something next. A room makes its rules
//! with [`rules!`], which lists each of them, so none can be used that the handbook doesn't have. An id is kebab-case, begins
//! with its reader's name where it is about a reader's file, and never gets another meaning; the words beside it may get better.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It isn't done as it is written: nothing is made of it, or its reader stops, asks, or does something else.
    Error,
    /// It works, but is deprecated, has no effect, or is seldom meant.
    Warning,
}

impl Severity {
    /// For messages and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A kind of mistake. Two are the same if their ids are.
#[derive(Clone, Copy)]
pub struct Rule {
    pub(crate) id: &'static str,
    pub(crate) is: &'static [Severity],
    pub(crate) can_be_waived: bool,
    pub(crate) means: &'static str,
    pub(crate) advice: &'static str,
    pub(crate) example: Option<Example>,
}

/// A short text that breaks a rule, and no other that a text of its kind needn't break.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The text.
    pub text: &'static str,
    /// The release whose reader is meant, where that isn't the newest.
    pub release: Option<&'static str>,
}

impl Rule {
    /// Its name.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// How bad it can be: one, or both where that depends on the case.
    pub fn severities(&self) -> &'static [Severity] {
        self.is
    }

    /// Whether a site can have a good reason to break it.
    pub fn can_be_waived(&self) -> bool {
        self.can_be_waived
    }

    /// What breaking it means: a sentence.
    pub fn means(&self) -> &'static str {
        self.means
    }

    /// What to do: a sentence.
    pub fn advice(&self) -> &'static str {
        self.advice
    }

    /// What breaks it; none where that takes more than one text.
    pub fn example(&self) -> Option<Example> {
        self.example
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

impl std::hash::Hash for Rule {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl PartialOrd for Rule {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rule {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.id.cmp(other.id)
    }
}

/// For programs: its id.
impl Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

/// Makes rules, and `ALL` of them: `NAME = "id" SEVERITY, MEANING, ADVICE, EXAMPLE;`, each a literal.
///
/// The severity is `error`, `warning` or `either`; `fixed` behind it makes a rule that no site can waive. `@ "RELEASE"` says for which
/// reader the example is.
macro_rules! rules {
    (@is error) => { &[$crate::value::rule::Severity::Error] };
    (@is warning) => { &[$crate::value::rule::Severity::Warning] };
    (@is either) => { &[$crate::value::rule::Severity::Error, $crate::value::rule::Severity::Warning] };
    (@waived) => { true };
    (@waived fixed) => { false };
    (@option) => { None };
    (@option $some:expr) => { Some($some) };
    ($($name:ident = $id:literal $is:ident $($fixed:ident)?, $means:literal, $advice:literal $(, $example:literal $(@ $release:literal)?)?;)+) => {
        $(
            #[doc = $means]
            pub static $name: $crate::value::rule::Rule = $crate::value::rule::Rule {
                id: $id,
                is: $crate::value::rule::rules!(@is $is),
                can_be_waived: $crate::value::rule::rules!(@waived $($fixed)?),
                means: $means,
                advice: $advice,
                example: $crate::value::rule::rules!(@option $($crate::value::rule::Example {
                    text: $example,
                    release: $crate::value::rule::rules!(@option $($release)?),
                })?),
            };
        )+

        /// All of them, in the order of the handbook.
        pub static ALL: &[&$crate::value::rule::Rule] = &[$(&$name),+];
    };
}
pub(crate) use rules;
