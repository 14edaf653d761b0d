//! Files on the operator's machine: whole or not at all.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Writes a file so that its name holds the old content or all of the new one, whatever happens. Parents are made.
///
/// # Errors
/// When the directory can't be made or written, or has no space; the old content is then still there.
pub fn write_whole(path: &Path, mode: u32, content: &[u8]) -> Result<()> {
    write_whole_with(path, mode, |file| Ok(file.write_all(content)?))
}

/// Like [`write_whole`], for content that is produced piece by piece.
///
/// # Errors
/// As there, or what `fill` returned.
pub fn write_whole_with(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let parent = parent(path);
    std::fs::create_dir_all(&parent).with_context(|| format!("making directory {}", parent.display()))?;
    let mut temporary = tempfile::Builder::new()
        .prefix(".ironstrap-")
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(&parent)
        .with_context(|| format!("making a file in {}", parent.display()))?;
    fill(temporary.as_file_mut()).with_context(|| format!("writing {}", path.display()))?;
    let file = temporary.as_file();
    // the umask of the operator must not show in what is built
    file.set_permissions(std::fs::Permissions::from_mode(mode))
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", path.display()))?;
    temporary.persist(path).with_context(|| format!("naming {}", path.display()))?;
    File::open(&parent)
        .and_then(|dir| dir.sync_all())
        .with_context(|| format!("syncing {}", parent.display()))
}

/// Reads a text file, refusing one that is larger than anybody writes by hand.
///
/// # Errors
/// Missing, unreadable, over `limit` bytes, or not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    anyhow::ensure!(size <= limit, "reading {}: {size} bytes, the limit is {limit}", path.display());
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// Reads a file of at most `limit` bytes; `None` where it is larger. Anything but a regular file is refused, so that a pipe
/// can't make us wait.
///
/// # Errors
/// Missing, unreadable, or not a file.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// Its name; entries whose name isn't UTF-8 have it with replacement characters.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// What is in a directory, sorted by name; nothing where there is no such directory.
///
/// # Errors
/// When it can't be read.
pub fn list_dir(path: &Path) -> io::Result<Vec<DirEntry>> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let entry = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok(DirEntry { name, is_dir: entry.file_type()?.is_dir() })
    };
    let mut entries = entries.map(entry).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/file");
        write_whole(&path, 0o640, b"old").unwrap();
        let failed = write_whole_with(&path, 0o640, |file| {
            file.write_all(b"new")?;
            anyhow::bail!("the source ended early")
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path().join("sub")).unwrap().count(), 1);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
