//! Shell-style patterns for vendor and model strings.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// A pattern with `*`, `?` and `[…]`, compared without regard to case. A text without them matches itself only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(glob::Pattern);

impl Pattern {
    /// Whether the whole of `text` (surrounding space ignored) matches.
    pub fn matches(&self, text: &str) -> bool {
        let options = glob::MatchOptions { case_sensitive: false, ..glob::MatchOptions::new() };
        self.0.matches_with(text.trim(), options)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromStr for Pattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.trim().is_empty() {
            return Err(ValueError::new("an empty pattern matches nothing that a machine reports"));
        }
        let shown = text.escape_debug();
        glob::Pattern::new(text.trim())
            .map(Self)
            .map_err(|error| ValueError::new(format!("`{shown}` is not a pattern: {}", error.msg)))
    }
}

serde_through_text!(Pattern, {
    "description": "A text with `*`, `?` and `[…]`, compared without regard to case.",
    "examples": ["PowerEdge R6*"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whole_text_without_case() {
        let pattern: Pattern = "PowerEdge R6*".parse().unwrap();
        assert!(pattern.matches("poweredge r650 "));
        assert!(!pattern.matches("Dell PowerEdge R650"));
        assert!("[".parse::<Pattern>().is_err());
    }
}
