//! Files that people left behind, where they leave them: homes and `/etc`, not the whole tree.
//!
//! Promises: no link is followed, nothing deeper than [`DEEPEST`], no more than [`MOST_FILES`], so that an image can't make it long.

use anyhow::Result;

use super::Subject;
use crate::image_rules::Name;

/// Folders below the one that is searched.
const DEEPEST: usize = 3;
/// Files that are looked at; `/etc` of a desktop has a fifth of it.
const MOST_FILES: usize = 20_000;

/// Homes: root's, and all in `/home`.
pub(super) fn homes(subject: &Subject<'_>) -> Result<Vec<String>> {
    let mut homes = vec!["/root".to_owned()];
    for name in subject.root.list("/home")? {
        let home = format!("/home/{name}");
        if subject.root.name(&home)?.is_none() {
            homes.push(home);
        }
    }
    Ok(homes)
}

/// Paths of regular files below these directories, in order.
pub(super) fn files(subject: &Subject<'_>, directories: &[String]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut open: Vec<(String, usize)> = directories.iter().rev().map(|path| (path.clone(), 0)).collect();
    let mut seen = 0_usize;
    while let Some((directory, depth)) = open.pop() {
        for name in subject.root.list(&directory)? {
            seen += 1;
            if seen > MOST_FILES {
                return Ok(files);
            }
            let path = format!("{directory}/{name}");
            match subject.root.name(&path)? {
                Some(Name::File) => files.push(path),
                Some(Name::Link(_)) => {}
                None if depth < DEEPEST => open.push((path, depth + 1)),
                None => {}
            }
        }
    }
    Ok(files)
}
