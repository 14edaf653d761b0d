//! The files of distributions' installers that start the agent: read where the site says, for `lock` and `bundle` alike.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::Unverified;
use crate::host::{InstallerFiles, Site};
use crate::site::paths::SitePaths;
use crate::spec::installer::DebianRelease;
use crate::sys::files;

/// Largest file that is read: ten times Debian's.
const LARGEST: u64 = 512 << 20;
/// More packages of modules than a kernel has.
const MOST: usize = 500;

/// Where the installer of a release is.
///
/// # Errors
/// A site that doesn't say it.
pub fn place(site: &Site, release: DebianRelease) -> Result<&InstallerFiles> {
    site.debian_installer.get(&release).with_context(|| {
        format!(
            "site.yaml doesn't say where the installer of {release} is; add `debian_installer: {{ {release}: {{ kernel: …/linux, \
             initrd: …/initrd.gz, udebs: DIRECTORY }} }}`"
        )
    })
}

/// Whether a release's installer, or some of it, is on this machine: whoever checks a site needn't have it.
pub fn is_here(site: &Site, paths: &SitePaths, release: DebianRelease) -> bool {
    place(site, release).is_ok_and(|InstallerFiles { kernel, initrd, udebs }| {
        [kernel, initrd, udebs].into_iter().any(|path| paths.root().join(path).exists())
    })
}

/// Reads the installer of a release.
///
/// # Errors
/// A site that doesn't say where it is, or files that can't be read.
pub fn read(site: &Site, paths: &SitePaths, release: DebianRelease) -> Result<Unverified> {
    let InstallerFiles { kernel, initrd, udebs } = place(site, release)?;
    let read_named = |path: &Path| read_file(&paths.root().join(path));
    let udebs = packages(&paths.root().join(udebs))?;
    Ok(Unverified { release, kernel: read_named(kernel)?, initrd: read_named(initrd)?, udebs })
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    match files::read_bounded(path, LARGEST).with_context(|| format!("reading {}", path.display()))? {
        Some(content) => Ok(content),
        None => bail!("{} has more than {LARGEST} bytes; that is no file of an installer", path.display()),
    }
}

/// The packages in a directory, by file name.
fn packages(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let entries = files::list_dir(directory).with_context(|| format!("listing {}", directory.display()))?;
    for name in entries.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(".udeb")) {
        ensure!(found.len() < MOST, "{} has more than {MOST} packages", directory.display());
        let content = read_file(&directory.join(&name))?;
        found.insert(name, content);
    }
    ensure!(
        !found.is_empty(),
        "{} has no *.udeb: put the module packages of the installer's kernel there",
        directory.display()
    );
    Ok(found)
}
