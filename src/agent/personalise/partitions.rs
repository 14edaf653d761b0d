//! Names of partitions: an installed disk has GUIDs of its own, so whoever names the image's partitions in the image must
//! name the disk's.
//!
//! Promises: in the files that loaders, early boot and mounts read, each GUID of an image's partition becomes that of the
//! same partition on this disk; no other byte changes, nor the length of a file (GRUB takes an environment block of exactly
//! 1024 bytes). UUIDs of file systems aren't GUIDs of partitions and stay. What no edit of a file reaches (an initramfs, a
//! unified kernel image) is not looked into.

use anyhow::{Context, Result};
use uuid::Uuid;

use crate::spec::image::ImagePartition;
use crate::sys::rooted::{Attributes, EntryKind, RootedDir};

/// Files of the root, by directory and by what their names end with; an empty ending means any. One level deep.
const IN_ROOT: &[(&str, &[&str])] = &[
    ("/etc", &["fstab", "crypttab"]),
    ("/etc/default", &["grub"]),
    ("/etc/default/grub.d", &[".cfg"]),
    ("/etc/dracut.conf.d", &[".conf"]),
    ("/etc/grub.d", &[""]),
    ("/etc/initramfs-tools/conf.d", &[""]),
    ("/etc/kernel", &["cmdline"]),
    ("/etc/kernel/cmdline.d", &[".conf"]),
    ("/etc/systemd/system", &[".mount", ".swap", ".automount"]),
    ("/boot", &["refind_linux.conf"]),
    ("/boot/extlinux", &[".conf"]),
    ("/boot/grub", &[".cfg", "grubenv"]),
    ("/boot/grub2", &[".cfg", "grubenv"]),
    ("/boot/loader/entries", &[".conf"]),
];
/// Files of the ESP. Each folder of a loader in `/EFI` is looked into too, for [`OF_LOADERS`].
const IN_ESP: &[(&str, &[&str])] = &[
    ("/", &["refind_linux.conf"]),
    ("/boot/grub", &[".cfg", "grubenv"]),
    ("/grub", &[".cfg", "grubenv"]),
    ("/grub2", &[".cfg", "grubenv"]),
    ("/loader/entries", &[".conf"]),
];
const OF_LOADERS: &[&str] = &[".cfg", ".conf", "grubenv"];

/// One partition's GUID in the image and on the disk, in lower case.
struct Renaming {
    old: String,
    new: String,
    /// The root file system has the same UUID: only where the text says that it is a partition's.
    shared: bool,
}

/// Renames the image's partitions to the disk's, matched by number.
pub(super) fn apply(
    root: &RootedDir,
    esp: &RootedDir,
    image: &[ImagePartition],
    disk: &[ImagePartition],
    filesystem: Uuid,
) -> Result<()> {
    let renamings: Vec<_> = image
        .iter()
        .filter_map(|old| {
            let new = disk.iter().find(|new| new.number == old.number && new.guid != old.guid)?;
            let (shared, old, new) = (old.guid == filesystem, old.guid.to_string(), new.guid.to_string());
            Some(Renaming { old, new, shared })
        })
        .collect();
    for (directory, endings) in IN_ROOT {
        rename_in(root, directory, endings, &renamings)?;
    }
    for (directory, endings) in IN_ESP {
        rename_in(esp, directory, endings, &renamings).context("in the ESP")?;
    }
    for (name, kind) in esp.list("/EFI")? {
        if kind == EntryKind::Directory {
            rename_in(esp, &format!("/EFI/{name}"), OF_LOADERS, &renamings).context("in the ESP")?;
        }
    }
    Ok(())
}

fn rename_in(tree: &RootedDir, directory: &str, endings: &[&str], renamings: &[Renaming]) -> Result<()> {
    for (name, kind) in tree.list(directory)? {
        // a FAT file system keeps the case that somebody typed
        let lower = name.to_ascii_lowercase();
        let wanted = endings.iter().any(|ending| lower.ends_with(ending));
        let path = format!("{}/{name}", directory.trim_end_matches('/'));
        if !wanted || !matches!(kind, EntryKind::File | EntryKind::Link) {
            continue;
        }
        let before = match tree.read(&path) {
            Ok(Some(before)) => before,
            // a link to something that is no file, or to nothing in this tree, names no partition
            Ok(None) => continue,
            Err(_) if kind == EntryKind::Link => continue,
            Err(error) => return Err(error),
        };
        let after = renamed(&before, renamings);
        if after != before {
            tree.rewrite(&path, Attributes::root(0o644), &after)?;
        }
    }
    Ok(())
}

/// The same bytes with the partitions' new names.
fn renamed(before: &[u8], renamings: &[Renaming]) -> Vec<u8> {
    let mut after = before.to_vec();
    for Renaming { old, new, shared } in renamings {
        let mut from = 0;
        while let Some(at) = find(&after[from..], old.as_bytes()).map(|at| from + at) {
            let (start, rest) = after.split_at_mut(at);
            let (word, rest) = rest.split_at_mut(old.len());
            from = at + old.len();
            if is_word(start, rest) && names_partition(start, *shared) {
                let upper = word.iter().any(u8::is_ascii_uppercase);
                word.copy_from_slice(new.as_bytes());
                if upper {
                    word.make_ascii_uppercase();
                }
            }
        }
    }
    after
}

/// The first place of this text in any case.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window.eq_ignore_ascii_case(text))
}

fn is_word(before: &[u8], after: &[u8]) -> bool {
    let inside = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    !inside(before.last()) && !inside(after.first())
}

/// Whether what stands before a GUID calls it a partition's; text that doesn't say counts too, unless `shared`.
fn names_partition(before: &[u8], shared: bool) -> bool {
    let before = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'")).unwrap_or(before);
    let ends = |text: &str| {
        let start = before.len().checked_sub(text.len());
        start.is_some_and(|start| before[start..].eq_ignore_ascii_case(text.as_bytes()))
    };
    let partition = ends("partuuid=") || ends("by-partuuid/");
    let filesystem = ends("uuid=") || ends("by-uuid/") || ends("fs-uuid ") || ends("fs_uuid ");
    partition || !filesystem && !shared
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0fc63daf-8483-4772-8e79-3d69d8477dea";
    const NEW: &str = "1c401662-d1ba-8e0c-a224-a7b185bea482";

    fn one(shared: bool) -> [Renaming; 1] {
        [Renaming { old: OLD.to_owned(), new: NEW.to_owned(), shared }]
    }

    fn text(before: &str, shared: bool) -> String {
        String::from_utf8(renamed(before.as_bytes(), &one(shared))).unwrap()
    }

    #[test]
    fn a_guid_is_renamed_wherever_it_is_a_word_and_keeps_its_case() {
        for before in [
            "PARTUUID={} / ext4 defaults 0 1\n",
            "PARTUUID=\"{}\" /boot ext4\n{}",
            "root=PARTUUID={}/PARTNROFF=1 ro",
            "/dev/disk/by-partuuid/{} none swap sw",
            "linux /vmlinuz root=partuuid={} # and {}\n",
            "{}",
        ] {
            let (old, new) = (before.replace("{}", OLD), before.replace("{}", NEW));
            assert_eq!(text(&old, false), new);
            assert_eq!(text(&new, false), new, "twice is once");
        }
        let upper = format!("PARTUUID={}\n", OLD.to_uppercase());
        assert_eq!(text(&upper, false), format!("PARTUUID={}\n", NEW.to_uppercase()));
        let bytes = [b"\xff\xfe ", OLD.as_bytes(), b"\xff"].concat();
        assert_eq!(renamed(&bytes, &one(false)), [b"\xff\xfe ", NEW.as_bytes(), b"\xff"].concat());
    }

    #[test]
    fn what_is_no_partitions_guid_stays() {
        for other in [
            format!("a{OLD}"),
            format!("{OLD}0"),
            format!("luks-{OLD}"),
            format!("{OLD}-1"),
            OLD[..35].to_owned(),
            format!("UUID={OLD}"),
            format!("UUID=\"{OLD}\""),
            format!("/dev/disk/by-uuid/{OLD}"),
            format!("search --no-floppy --fs-uuid {OLD}"),
            format!("search.fs_uuid {OLD} root hd0,gpt2"),
        ] {
            assert_eq!(text(&other, false), other);
        }
    }

    #[test]
    fn a_guid_that_is_the_root_file_systems_uuid_too_is_renamed_only_where_it_is_said_to_be_a_partitions() {
        let before = format!("search --fs-uuid --set=root {OLD}\nroot=UUID={OLD} PARTUUID={OLD}\n");
        let after = format!("search --fs-uuid --set=root {OLD}\nroot=UUID={OLD} PARTUUID={NEW}\n");
        assert_eq!(text(&before, true), after);
    }
}
