//! Letting exactly one other user into a directory.
//!
//! For tools that work as a user of their own in a user namespace: opening a directory to all would let every local user
//! change what they make.

use std::path::Path;

use anyhow::{Context, Result};

const NAME: &str = "system.posix_acl_access";
/// `ACL_UNDEFINED_ID`: an entry whose tag names no user.
const NOBODY: u32 = u32::MAX;

/// Lets the owner and this user into a directory, and nobody else; the other user can't write to the directory itself.
///
/// # Errors
/// When its file system keeps no access lists.
pub fn admit_user(directory: &Path, uid: u32) -> Result<()> {
    // acl(5); linux/posix_acl_xattr.h: version 2, then (tag, permissions, id) in this order
    const ENTRIES: [(u16, u16); 5] = [(0x01, 7), (0x02, 5), (0x04, 0), (0x10, 5), (0x20, 0)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions) in ENTRIES {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(if tag == 0x02 { uid } else { NOBODY }.to_le_bytes());
    }
    rustix::fs::setxattr(directory, NAME, &list, rustix::fs::XattrFlags::empty()).with_context(|| {
        format!(
            "letting user {uid} into {}, on whose file system that needs access lists",
            directory.display()
        )
    })
}

/// The user that is root in the user namespaces of this user: first of the range that `/etc/subuid` gives it.
///
/// # Errors
/// No range, which the message says how to get.
pub fn namespace_root() -> Result<u32> {
    let uid = rustix::process::getuid().as_raw();
    let read = |path: &str| std::fs::read_to_string(path).with_context(|| format!("reading {path}"));
    let (users, ranges) = (read("/etc/passwd")?, read("/etc/subuid")?);
    first_of_range(&users, &ranges, uid).with_context(|| {
        format!("user {uid} has no range in /etc/subuid; `usermod --add-subuids 100000-165535 --add-subgids 100000-165535` gives one")
    })
}

fn first_of_range(users: &str, ranges: &str, uid: u32) -> Option<u32> {
    let user = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then_some(name)
    })?;
    ranges.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == user).then(|| fields.next()?.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_range_is_the_users_own() {
        let users = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        let ranges = "bob:100000:65536\nann:165536:65536\n";
        assert_eq!(first_of_range(users, ranges, 1000), Some(165_536));
        assert_eq!(first_of_range(users, ranges, 1001), None);
        assert_eq!(first_of_range(users, "bob:100000:65536\n", 1000), None);
    }

    #[test]
    fn only_the_admitted_user_gets_in() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        if let Err(error) = admit_user(dir.path(), 54_321) {
            return crate::expect::unavailable(&format!("{error:#}"));
        }
        // the group's bits show the list's mask; the rest of the world has none
        let mode = std::fs::metadata(dir.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o707, 0o700, "{mode:o}");
        if !rustix::process::geteuid().is_root() {
            return;
        }
        use std::os::unix::process::CommandExt as _;
        let may = |uid: u32, what: &str| {
            let mut shell = std::process::Command::new("/bin/sh");
            shell.args(["-c", what, "sh"]).arg(&file).uid(uid).gid(uid);
            shell.stderr(std::process::Stdio::null()).status().unwrap().success()
        };
        assert!(may(54_321, "cat \"$1\" >/dev/null && echo y > \"$1\""));
        assert!(!may(54_321, "rm -f \"$1\""));
        assert!(!may(54_322, "cat \"$1\" >/dev/null"));
    }
}
