//! An action of curtin's, as any of them is read.

use crate::grammar::autoinstall::yaml::Node;

/// An action: a map of `storage.config`.
#[derive(Clone, Copy)]
pub struct Action<'d>(pub &'d Node);

impl<'d> Action<'d> {
    /// What it says under a key.
    pub fn get(self, key: &str) -> Option<&'d Node> {
        self.0.get(key)
    }

    /// The text of a key.
    pub fn text(self, key: &str) -> Option<&'d str> {
        self.get(key)?.text()
    }

    /// The text of a key without which it means nothing.
    ///
    /// # Errors
    /// It has none.
    pub fn need(self, key: &str) -> Result<&'d str, String> {
        self.text(key).ok_or_else(|| format!("it has no {key}"))
    }

    /// Whether a key has a text.
    pub fn says(self, key: &str, text: &str) -> bool {
        self.text(key) == Some(text)
    }

    /// Whether a key is true.
    pub fn is(self, key: &str) -> bool {
        self.get(key).is_some_and(Node::is_true)
    }

    /// The items of a key's list.
    pub fn items(self, key: &str) -> &'d [Node] {
        self.get(key).map(Node::items).unwrap_or_default()
    }

    /// Those items that are texts.
    pub fn list(self, key: &str) -> impl Iterator<Item = &'d str> {
        self.items(key).iter().filter_map(Node::text)
    }
}
