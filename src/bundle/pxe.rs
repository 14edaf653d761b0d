//! The tree for TFTP and HTTP: built beside its place and moved there in one step.
//!
//! All of it is readable by everybody, because TFTP and web servers run as users of their own and TFTP knows no passwords.
//! `orders/*.cpio` holds password hashes, hand-off scripts and user-data: whoever can ask these servers can read them. So
//! the tree belongs on an install network, and long-lived secrets don't belong into a profile.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::contents::Contents;
use super::copy::{Watch, copy_verified};
use super::host::ContentFile;
use super::manifest;
use crate::spec::image::Blob;
use crate::sys::files;
use crate::value::Digest;

/// Refuses a place that [`write`] would refuse, before the work: what there is told in its errors.
///
/// # Errors
/// A mount point, a link that leads nowhere, a directory that holds something else.
pub fn require_place(path: &Path) -> Result<()> {
    require_ours(&files::exchangeable(path)?)
}

/// Writes a tree under its final name, whole or not at all. A tree that was there before is replaced; through a link, where
/// the link leads.
///
/// # Errors
/// A mount point, a link that leads nowhere, a directory that holds something else, a damaged blob, no space, or an
/// interruption.
pub fn write(
    path: &Path,
    contents: &Contents,
    blob_path: &dyn Fn(&Digest) -> PathBuf,
    watch: Watch<'_>,
) -> Result<()> {
    let path = &files::exchangeable(path)?;
    require_ours(path)?;
    let made: u64 = contents.files.iter().map(|file| file.content.len() as u64).sum();
    files::require_space(path, made)?;
    let building = files::begin_directory(path)?;
    let root = building.path();
    for file in &contents.files {
        write_file(root, file)?;
    }
    let blobs = make_directory(root, "blobs")?;
    for blob in &contents.blobs {
        put_blob(&blobs.join(blob.digest.to_string()), &blob_path(&blob.digest), blob, watch)?;
    }
    files::finish_directory(building, path)
}

/// Only an empty place or an older tree of ours is replaced.
fn require_ours(path: &Path) -> Result<()> {
    let empty = match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("looking into {}", path.display())),
    };
    let ours = [manifest::NAME, manifest::SIGNATURE_NAME].iter().all(|name| path.join(name).is_file());
    ensure!(
        empty || ours,
        "{} holds something that isn't a PXE tree of ironstrap; name another directory or empty it",
        path.display()
    );
    Ok(())
}

fn make_directory(root: &Path, name: &str) -> Result<PathBuf> {
    let path = root.join(name);
    fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
    // the umask of the operator must not show
    let mut place = root.to_owned();
    for part in Path::new(name) {
        place.push(part);
        fs::set_permissions(&place, Permissions::from_mode(0o755))
            .with_context(|| format!("making {}", place.display()))?;
    }
    Ok(path)
}

fn write_file(root: &Path, file: &ContentFile) -> Result<()> {
    if let Some((parent, _)) = file.path.rsplit_once('/') {
        make_directory(root, parent)?;
    }
    let path = root.join(&file.path);
    let write = || -> std::io::Result<()> {
        let mut out = File::create_new(&path)?;
        out.write_all(&file.content)?;
        out.set_permissions(Permissions::from_mode(0o644))
    };
    write().with_context(|| format!("writing {}", file.path))
}

/// Links a blob from the store where that is possible and everybody may read it, else copies it; verified in both cases.
fn put_blob(target: &Path, source: &Path, blob: &Blob, watch: Watch<'_>) -> Result<()> {
    let readable = fs::metadata(source).is_ok_and(|metadata| metadata.permissions().mode() & 0o777 == 0o644);
    if readable && fs::hard_link(source, target).is_ok() {
        return copy_verified(target, blob, &mut |_| Ok(()), watch)
            .with_context(|| format!("checking {}", source.display()));
    }
    let mut out = File::create_new(target).with_context(|| format!("writing {}", target.display()))?;
    copy_verified(source, blob, &mut |bytes| Ok(out.write_all(bytes)?), watch)?;
    out.set_permissions(Permissions::from_mode(0o644))
        .with_context(|| format!("writing {}", target.display()))
}

#[cfg(test)]
mod tests;
