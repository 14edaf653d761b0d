//! What a rendered file says, in a form that lines of the original can be held against.

use std::collections::BTreeMap;

/// Each canonical form, with the line that says it. Sorted, so that what begins alike stands together.
pub type Said = BTreeMap<String, String>;
