//! `image-records`: histories of who worked on the image.
//!
//! Logs, leases and seeds aren't told: no host gets them, see `image_rules::identity`.

use anyhow::Result;

use super::rules::RECORDS;
use super::{Finding, Subject, search};
use crate::image_rules::identity::{self, TRACES};

const HISTORIES: [&str; 8] = [
    ".bash_history",
    ".zsh_history",
    ".ash_history",
    ".python_history",
    ".mysql_history",
    ".psql_history",
    ".lesshst",
    ".viminfo",
];

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut gone = Vec::new();
    for trace in TRACES {
        gone.extend(identity::of_root(trace, subject.root)?);
    }
    let mut found = Vec::new();
    for home in search::homes(subject)? {
        for name in HISTORIES {
            let path = format!("{home}/{name}");
            let has_text = subject.root.start(&path, 1)?.is_some_and(|start| !start.is_empty());
            if has_text && !gone.contains(&path) {
                found.push(Finding::new(&RECORDS, "it says what somebody did on the image").at(path));
            }
        }
    }
    Ok(found)
}
