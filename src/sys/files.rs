//! Files on the operator's machine: whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt};
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
/// As there, or what `fill` returned. A path that is there and isn't a file is refused: the new file would take its name.
pub fn write_whole_with(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    require_replaceable(path)?;
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

/// Gives a file another name, for good when it returns. One that had that name is gone.
///
/// # Errors
/// When the file system refuses.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let naming = || format!("naming {} {}", from.display(), to.display());
    std::fs::rename(from, to).with_context(naming)?;
    for place in [parent(to), parent(from)] {
        File::open(&place).and_then(|dir| dir.sync_all()).with_context(naming)?;
    }
    Ok(())
}

/// Makes the directories that a file is to be in, for its owner alone where they aren't there.
///
/// # Errors
/// When they can't be made.
pub fn make_private_place(path: &Path) -> Result<()> {
    let place = parent(path);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&place);
    made.with_context(|| format!("making directory {}", place.display()))
}

/// Keeps others who hold the same file waiting as long as the handle lives. The file is made, 0600, and its directories, 0700.
///
/// # Errors
/// When they can't be made.
pub fn hold(path: &Path) -> Result<File> {
    let opening = || format!("opening {}", path.display());
    make_private_place(path)?;
    let held = OpenOptions::new().create(true).append(true).mode(0o600).open(path).with_context(opening)?;
    held.lock().with_context(opening)?;
    Ok(held)
}

/// Refuses a path that is there and isn't a regular file, before anything is written.
///
/// # Errors
/// A device (the message says how to write a stick), a directory, a pipe, a link to one of these.
pub fn require_replaceable(path: &Path) -> Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    let shown = path.display();
    let kind = metadata.file_type();
    if kind.is_block_device() || kind.is_char_device() {
        anyhow::bail!(
            "{shown} is a device, not a file; write to a file (`usb.img`), then `dd if=usb.img of={shown} bs=4M oflag=direct status=progress`"
        );
    }
    anyhow::ensure!(metadata.is_file(), "{shown} is there and is not a file; name another path");
    Ok(())
}

/// Refuses what is no regular file before it is opened: opening a pipe waits for who writes to it, for ever.
///
/// # Errors
/// Missing, or of another kind, which the message names.
pub fn require_regular(path: &Path) -> Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = std::fs::metadata(path).with_context(|| format!("opening {}", path.display()))?.file_type();
    let (what, way) = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => ("a directory", "name the file"),
        kind if kind.is_fifo() => ("a pipe", "write what comes out of it to a file first"),
        kind if kind.is_socket() => ("a socket", "name a file"),
        kind if kind.is_block_device() => {
            ("a disk", "copy it to a file first, while nothing of it is mounted")
        }
        _ => ("a device", "name a file"),
    };
    anyhow::bail!("{} is not a file, but {what}; {way}", path.display())
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

/// The same of a file that need not be there; `None` where it isn't.
///
/// # Errors
/// As [`read_text`], but for missing.
pub fn read_text_if_there(path: &Path, limit: u64) -> Result<Option<String>> {
    if path.exists() { read_text(path, limit).map(Some) } else { Ok(None) }
}

/// Reads a file of at most `limit` bytes; `None` where it is larger. Anything but a regular file is refused, so that a pipe
/// can't make us wait.
///
/// # Errors
/// Missing, unreadable, or not a file.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
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

/// Refuses an output that its file system has no space for, before anything is written.
///
/// # Errors
/// Too little space for this user; the message says how much there is.
pub fn require_space(path: &Path, bytes: u64) -> Result<()> {
    let parent = parent(path);
    let mut place = parent.as_path();
    while let (false, Some(above)) = (place.exists(), place.parent()) {
        place = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    }
    let stat = rustix::fs::statvfs(place).with_context(|| format!("measuring {}", place.display()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < bytes {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        return Err(full).with_context(|| {
            format!(
                "writing {}: it needs {} MiB, {} MiB are free",
                path.display(),
                bytes.div_ceil(1 << 20),
                free >> 20
            )
        });
    }
    Ok(())
}

/// The place where a new directory can take this name: where a link leads, so that whoever reads through the link finds it.
///
/// # Errors
/// A link that leads nowhere, or a mount point: no other directory can take its place.
pub fn exchangeable(path: &Path) -> Result<PathBuf> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let shown = path.display();
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path.to_owned()),
        Err(error) => return Err(error).with_context(|| format!("looking at {shown}")),
        Ok(_) => {}
    }
    let place =
        std::fs::canonicalize(path).with_context(|| format!("following {shown} to where it leads"))?;
    let state = statx(CWD, &place, AtFlags::empty(), StatxFlags::BASIC_STATS)
        .with_context(|| format!("looking at {}", place.display()))?;
    anyhow::ensure!(
        !state.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        "{shown} is a mount point, and no new directory can take its place; name a directory in it"
    );
    Ok(place)
}

/// Begins a directory beside its place. Dropped without [`finish_directory`], it leaves nothing.
///
/// # Errors
/// When its parent can't be made or written.
pub fn begin_directory(path: &Path) -> Result<tempfile::TempDir> {
    let parent = parent(path);
    std::fs::create_dir_all(&parent).with_context(|| format!("making directory {}", parent.display()))?;
    let dir = tempfile::Builder::new()
        .prefix(".ironstrap-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir_in(&parent)
        .with_context(|| format!("making a directory in {}", parent.display()))?;
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making a directory in {}", parent.display()))?;
    Ok(dir)
}

/// Gives a directory its name when all of it is on the disk; one that was there is exchanged for it and removed.
///
/// # Errors
/// When the file system fails or can't exchange; the old directory is then still there.
pub fn finish_directory(directory: tempfile::TempDir, path: &Path) -> Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};
    let naming = || format!("naming {}", path.display());
    let handle = File::open(directory.path()).with_context(naming)?;
    syncfs(&handle).with_context(naming)?;
    if path.exists() {
        // the old one is then under the temporary name and goes with it
        renameat_with(CWD, directory.path(), CWD, path, RenameFlags::EXCHANGE).with_context(naming)?;
        let old = directory.path().to_owned();
        directory.close().with_context(|| {
            format!("{} is new; removing what was there, now {}", path.display(), old.display())
        })?;
    } else {
        std::fs::rename(directory.path(), path).with_context(naming)?;
        // nothing has the temporary name any more
        let _ = directory.keep();
    }
    File::open(parent(path)).and_then(|dir| dir.sync_all()).with_context(naming)
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
    fn a_directory_appears_whole_and_replaces_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tree");
        for content in ["old", "new"] {
            let building = begin_directory(&path).unwrap();
            std::fs::write(building.path().join(content), content).unwrap();
            finish_directory(building, &path).unwrap();
        }
        let names = |at: &Path| {
            std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
        };
        assert_eq!((names(&path), names(dir.path())), (vec!["new".into()], vec!["tree".into()]));
        drop(begin_directory(&path).unwrap());
        assert_eq!(names(dir.path()), ["tree"]);
    }

    #[test]
    fn a_directory_that_gets_no_name_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let building = begin_directory(&dir.path().join("tree")).unwrap();
        std::fs::write(building.path().join("file"), "x").unwrap();
        assert!(finish_directory(building, &dir.path().join("no/such/parent")).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn mount_points_and_links_to_nowhere_are_refused_before_the_work() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        for path in [Path::new("/proc"), &link] {
            let error = exchangeable(path).unwrap_err().to_string();
            assert!(error.contains("is a mount point"), "{error}");
        }
        let lost = dir.path().join("lost");
        std::os::unix::fs::symlink("nowhere", &lost).unwrap();
        assert!(exchangeable(&lost).is_err());
        assert_eq!(exchangeable(&dir.path().join("new")).unwrap(), dir.path().join("new"));
    }

    #[test]
    fn a_device_or_directory_is_not_replaced_by_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("stick");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for (path, says) in [
            (Path::new("/dev/null"), "dd if=usb.img of=/dev/null"),
            (&link, "dd"),
            (dir.path(), "not a file"),
        ] {
            let error = write_whole(path, 0o600, b"x").unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        use std::os::unix::fs::FileTypeExt as _;
        assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn no_space_is_found_out_before_writing_and_is_nobodys_mistake() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("not/yet/there.img");
        assert!(require_space(&path, 1).is_ok());
        let error = require_space(&path, u64::MAX).unwrap_err();
        assert_eq!(crate::failure::exit_code(&error), std::process::ExitCode::from(3), "{error:#}");
    }

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
