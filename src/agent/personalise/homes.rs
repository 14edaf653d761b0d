//! Home directories, authorised keys and sudo rules of the accounts.
//!
//! The order says all of who may log in: keys that the image brought for these accounts are replaced, and removed where
//! the order has none.

use anyhow::{Context, Result};

use crate::image_rules::accounts::{self, AccountFiles, Home};
use crate::spec::system::{Sudo, SystemSpec, User};
use crate::sys::rooted::{Attributes, EntryKind, RootedDir};
use crate::value::SshPublicKey;

/// Deepest `/etc/skel` that is copied.
const MAX_DEPTH: usize = 16;

pub(super) fn apply(root: &RootedDir, system: &SystemSpec) -> Result<()> {
    let homes = write_account_files(root, system)?;
    let keys = std::iter::once(&system.root.ssh_keys).chain(system.users.iter().map(|user| &user.ssh_keys));
    for (home, keys) in homes.iter().zip(keys) {
        make_home(root, home).with_context(|| format!("home of `{}`", home.name))?;
        write_keys(root, home, keys).with_context(|| format!("keys of `{}`", home.name))?;
    }
    system.users.iter().try_for_each(|user| write_sudo(root, user))
}

fn write_account_files(root: &RootedDir, system: &SystemSpec) -> Result<Vec<Home>> {
    let before = AccountFiles::read(root)??;
    let (after, homes) = accounts::edit(&before, &system.root, &system.users)?;
    // nobody runs in this tree: a lock in it is a leftover of a process in the image's past, and would stop useradd later
    for name in ["passwd", "shadow", "group", "gshadow"] {
        root.remove(&format!("/etc/{name}.lock"))?;
    }
    // ids before the names that use them
    root.rewrite("/etc/group", Attributes::root(0o644), after.group.as_bytes())?;
    if let Some(gshadow) = &after.gshadow {
        root.rewrite("/etc/gshadow", Attributes::root(0o600), gshadow.as_bytes())?;
    }
    root.rewrite("/etc/shadow", Attributes::root(0o600), after.shadow.as_bytes())?;
    root.rewrite("/etc/passwd", Attributes::root(0o644), after.passwd.as_bytes())?;
    Ok(homes)
}

fn make_home(root: &RootedDir, home: &Home) -> Result<()> {
    if root.exists(&home.path) {
        return Ok(());
    }
    if let Some((parent, _)) = home.path.trim_end_matches('/').rsplit_once('/') {
        root.make_dirs(parent, Attributes::root(0o755))?;
    }
    copy_skeleton(root, "/etc/skel", home, &home.path, 0o700, 0)
}

fn copy_skeleton(root: &RootedDir, from: &str, home: &Home, to: &str, mode: u32, depth: usize) -> Result<()> {
    anyhow::ensure!(depth < MAX_DEPTH, "{from} is nested too deeply");
    let (uid, gid) = (home.uid, home.gid);
    root.make_dirs(to, Attributes { mode, uid, gid })?;
    for (name, kind) in root.list(from)? {
        let (source, target) = (format!("{from}/{name}"), format!("{to}/{name}"));
        let mode = root.attributes(&source)?.map_or(0o644, |found| found.mode & 0o777);
        match kind {
            EntryKind::Directory => copy_skeleton(root, &source, home, &target, mode, depth + 1)?,
            EntryKind::Link => {
                let link = root.read_link(&source)?.unwrap_or_default();
                root.symlink(&link, &target, uid, gid)?;
            }
            EntryKind::File => {
                let content = root.read(&source)?.unwrap_or_default();
                root.write(&target, Attributes { mode, uid, gid }, &content)?;
            }
            EntryKind::Other => {}
        }
    }
    Ok(())
}

fn write_keys(root: &RootedDir, home: &Home, keys: &[SshPublicKey]) -> Result<()> {
    let directory = format!("{}/.ssh", home.path.trim_end_matches('/'));
    let file = format!("{directory}/authorized_keys");
    // sshd reads it too, unless it was told otherwise (sshd_config(5), AuthorizedKeysFile)
    root.remove(&format!("{file}2"))?;
    if keys.is_empty() {
        root.remove(&file)?;
        return Ok(());
    }
    let (uid, gid) = (home.uid, home.gid);
    root.make_dirs(&directory, Attributes { mode: 0o700, uid, gid })?;
    root.set_attributes(&directory, Attributes { mode: 0o700, uid, gid })?;
    let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
    root.write(&file, Attributes { mode: 0o600, uid, gid }, lines.as_bytes())
}

fn write_sudo(root: &RootedDir, user: &User) -> Result<()> {
    let path = format!("/etc/sudoers.d/90-ironstrap-{}", user.name);
    let rule = match user.sudo {
        Sudo::No => {
            root.remove(&path)?;
            return Ok(());
        }
        Sudo::Password => "ALL=(ALL:ALL) ALL",
        Sudo::Nopasswd => "ALL=(ALL:ALL) NOPASSWD: ALL",
    };
    root.make_dirs("/etc/sudoers.d", Attributes::root(0o750))?;
    root.write(&path, Attributes::root(0o440), format!("{} {rule}\n", user.name).as_bytes())
}
