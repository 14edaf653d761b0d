//! The initramfs format: newc cpio archives, made without root and without the builder's clock or users.
//!
//! Promises: the same entries give the same bytes in whatever order they were added; every parent directory is there
//! before what is in it; all belongs to root and has time 0.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result, ensure};
use cpio::newc::{Builder, ModeFileType, trailer};

use crate::value::stays_inside;

/// The entries of an archive, by path without a leading `/`.
#[derive(Debug, Default)]
pub struct Archive {
    entries: BTreeMap<String, Node>,
}

#[derive(Debug)]
enum Node {
    Directory,
    File { mode: u32, content: Vec<u8> },
    Link { target: String },
    Device { mode: u32, major: u32, minor: u32 },
}

impl Archive {
    /// A regular file.
    pub fn file(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        self.add(path, Node::File { mode, content });
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: String) {
        self.add(path, Node::Link { target });
    }

    /// An empty directory.
    pub fn directory(&mut self, path: &str) {
        self.add(path, Node::Directory);
    }

    /// A character device.
    pub fn device(&mut self, path: &str, mode: u32, major: u32, minor: u32) {
        self.add(path, Node::Device { mode, major, minor });
    }

    fn add(&mut self, path: &str, node: Node) {
        for (at, _) in path.match_indices('/') {
            self.entries.entry(path[..at].to_owned()).or_insert(Node::Directory);
        }
        self.entries.insert(path.to_owned(), node);
    }

    /// Paths and sizes of the files, largest first.
    pub fn largest(&self) -> Vec<(&str, usize)> {
        let sizes = self.entries.iter().filter_map(|(path, node)| match node {
            Node::File { content, .. } => Some((path.as_str(), content.len())),
            _ => None,
        });
        let mut sizes: Vec<_> = sizes.collect();
        sizes.sort_by_key(|(path, size)| (std::cmp::Reverse(*size), *path));
        sizes
    }

    /// The archive, not compressed, a multiple of 4 bytes long.
    ///
    /// # Errors
    /// A file of 4 GiB or more.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for (number, (path, node)) in (1..).zip(&self.entries) {
            // names never leave the archive's root
            ensure!(stays_inside(path), "`{path}` is no path in an archive");
            write_entry(&mut out, path, number, node).with_context(|| format!("archiving {path}"))?;
        }
        trailer(&mut out).context("ending the archive")?;
        out.resize(out.len().next_multiple_of(4), 0);
        Ok(out)
    }
}

fn write_entry(out: &mut Vec<u8>, path: &str, number: u32, node: &Node) -> Result<()> {
    let entry = Builder::new(path).ino(number);
    let (entry, content): (_, &[u8]) = match node {
        Node::Directory => (entry.mode(0o755).nlink(2).set_mode_file_type(ModeFileType::Directory), b""),
        Node::File { mode, content } => {
            (entry.mode(*mode).set_mode_file_type(ModeFileType::Regular), content)
        }
        Node::Link { target } => {
            (entry.mode(0o777).set_mode_file_type(ModeFileType::Symlink), target.as_bytes())
        }
        Node::Device { mode, major, minor } => {
            let entry = entry.rdev_major(*major).rdev_minor(*minor);
            (entry.mode(*mode).set_mode_file_type(ModeFileType::Char), b"")
        }
    };
    let length = u32::try_from(content.len()).context("it has 4 GiB or more")?;
    let mut writer = entry.write(out, length);
    writer.write_all(content)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    /// Content by path of a newc archive.
    pub(crate) fn files_in(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut rest = archive;
        loop {
            let mut reader = cpio::newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                return files;
            }
            let name = reader.entry().name().to_owned();
            let mut content = Vec::new();
            reader.read_to_end(&mut content).unwrap();
            files.insert(name, content);
            rest = reader.finish().unwrap();
        }
    }

    fn sample(reversed: bool) -> Archive {
        let mut archive = Archive::default();
        let mut paths = vec![("init", 0o755), ("etc/ironstrap/site.pub", 0o644), ("lib/a-b", 0o644)];
        if reversed {
            paths.reverse();
        }
        for (path, mode) in paths {
            archive.file(path, mode, path.as_bytes().to_vec());
        }
        archive.device("dev/console", 0o600, 5, 1);
        archive.directory("proc");
        archive.link("lib/c", "a-b".to_owned());
        archive
    }

    #[test]
    fn the_order_of_adding_does_not_show() {
        assert_eq!(sample(false).to_bytes().unwrap(), sample(true).to_bytes().unwrap());
    }

    #[test]
    fn parents_come_first_and_cpio_reads_it() {
        let bytes = sample(false).to_bytes().unwrap();
        assert_eq!(files_in(&bytes)["etc/ironstrap/site.pub"], b"etc/ironstrap/site.pub");
        let child = Command::new("cpio")
            .arg("-tv")
            .arg("--numeric-uid-gid")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            crate::expect::missing_program("cpio", "cpio");
            return;
        };
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        let list = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{list}");
        let names: Vec<_> =
            list.lines().map(|line| line.split_whitespace().nth(8).unwrap_or_default()).collect();
        let place = |name: &str| {
            list.lines().position(|line| line.contains(name)).unwrap_or_else(|| panic!("{name} in {names:?}"))
        };
        assert!(place("etc") < place("etc/ironstrap/site.pub"));
        assert!(list.contains("crw-------   1 0        0          5,   1"), "{list}");
        assert!(list.contains("lib/c -> a-b"), "{list}");
    }

    #[test]
    fn a_path_that_leaves_the_archive_is_refused() {
        for path in ["../x", "a//b", "/x", "a/../b"] {
            let mut archive = Archive::default();
            archive.file(path, 0o644, Vec::new());
            assert!(archive.to_bytes().is_err(), "{path}");
        }
    }
}
