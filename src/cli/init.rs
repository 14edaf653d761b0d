//! `ironstrap init`: a site to start from, with a key of its own. It is built beside its place and then moved there, so
//! that an interrupted run leaves nothing that looks like a site.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::output;
use crate::site::paths::SitePaths;
use crate::site::rotation;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::files;
use crate::value::KeyId;

macro_rules! example {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../profiles/example/", $path)))),*]
    };
}

/// The example site; `site.yaml` comes last because it is what makes a directory a site.
const EXAMPLE: &[(&str, &str)] = example![
    ".gitignore",
    "files/web.yaml.j2",
    "hosts/db01.yaml",
    "hosts/deb01.yaml",
    "hosts/el01.yaml",
    "hosts/web01.yaml",
    "hosts/web02.yaml",
    "profiles/base.yaml",
    "profiles/web.yaml",
    "recipes/debian-12-base.yaml",
    "schema/host.json",
    "schema/profile.json",
    "schema/site.json",
    "scripts/first-boot.sh",
    "site.yaml",
];

/// Make a site to start from.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory to make; an existing one must be empty.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Makes the example site and its key.
///
/// # Errors
/// The directory isn't empty, or can't be written.
pub fn run(args: &Args) -> Result<()> {
    let directory = &args.directory;
    let exists = directory.is_dir();
    if exists && std::fs::read_dir(directory).with_context(|| reading(directory))?.next().is_some() {
        bail!("{} is not empty; nothing was changed", directory.display());
    }
    let beside = match directory.parent() {
        _ if exists => directory.clone(),
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    std::fs::create_dir_all(&beside).with_context(|| format!("making {}", beside.display()))?;
    let temporary = tempfile::Builder::new()
        .prefix(".ironstrap-init-")
        .tempdir_in(&beside)
        .with_context(|| format!("making a directory in {}", beside.display()))?;
    let id = build(temporary.path())?;
    settle(temporary, directory, exists).with_context(|| format!("making {}", directory.display()))?;
    output::print(&format!(
        "{} is a site with the key {id}; its secret half is .ironstrap/site.key: keep it, and keep it secret\n\
         next: edit hosts/, then run `ironstrap check` there\n",
        directory.display()
    ))?;
    Ok(())
}

fn reading(directory: &Path) -> String {
    format!("reading {}", directory.display())
}

/// Writes everything; returns the key's id.
fn build(root: &Path) -> Result<KeyId> {
    for (path, content) in EXAMPLE {
        let mode = if path.starts_with("scripts/") { 0o755 } else { 0o644 };
        files::write_whole(&root.join(path), mode, content.as_bytes())?;
    }
    let paths = SitePaths::new(root);
    Ok(rotation::first(&paths, SystemClock.now())?.current().id())
}

/// Moves what was built to its place.
fn settle(temporary: tempfile::TempDir, directory: &Path, exists: bool) -> std::io::Result<()> {
    if !exists {
        let built = temporary.keep();
        std::fs::set_permissions(&built, Permissions::from_mode(0o755))?;
        return std::fs::rename(&built, directory).inspect_err(|_| {
            // the error that matters is the first one
            let _ = std::fs::remove_dir_all(&built);
        });
    }
    // replacing a directory under a shell that stands in it would leave the shell nowhere
    let mut names: Vec<_> = files::list_dir(temporary.path())?.into_iter().map(|entry| entry.name).collect();
    names.sort_by_key(|name| name == "site.yaml");
    names.iter().try_for_each(|name| std::fs::rename(temporary.path().join(name), directory.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::context::SiteContext;

    #[test]
    fn the_example_site_has_no_mistakes_and_a_protected_key() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("new/site");
        run(&Args { directory: site.clone() }).unwrap();
        let paths = SitePaths::new(&site);
        let (context, report) = SiteContext::examine(&paths).unwrap();
        assert_eq!(report.render(false), "");
        let names: Vec<_> = context.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["db01", "deb01", "el01", "web01", "web02"]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&paths.secret_key()), mode(&paths.private())), (0o600, 0o700));
        let left: Vec<_> = std::fs::read_dir(dir.path().join("new")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn an_empty_directory_is_filled_and_another_one_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        run(&Args { directory: dir.path().to_owned() }).unwrap();
        let before = files::list_dir(dir.path()).unwrap();
        assert!(before.iter().all(|entry| !entry.name.starts_with(".ironstrap-init")));
        let error = run(&Args { directory: dir.path().to_owned() }).unwrap_err();
        assert!(error.to_string().contains("not empty"));
        assert_eq!(files::list_dir(dir.path()).unwrap(), before);
    }

    #[test]
    fn every_file_of_the_example_is_part_of_a_new_site() {
        fn walk(directory: &Path, prefix: &str, found: &mut Vec<String>) {
            for entry in files::list_dir(directory).unwrap() {
                let path = format!("{prefix}{}", entry.name);
                match entry.is_dir {
                    true => walk(&directory.join(&entry.name), &format!("{path}/"), found),
                    false => found.push(path),
                }
            }
        }
        let mut found = Vec::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/example"), "", &mut found);
        let listed: Vec<_> = EXAMPLE.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(found, listed);
    }
}
