//! The features that an ext4 file system can have, and what each means for an install.
//!
//! What is asked is whether the agent's kernel mounts such a file system for writing and grows it while it is mounted, with the
//! modules that the agent brings: `fs/ext4/super.c` (`ext4_feature_set_ok`, `ext4_enable_quotas`) and `fs/ext4/resize.c`
//! (`ext4_resize_begin`, `ext4_resize_fs`) of Linux 6.1. Names are e2fsprogs' (`lib/e2p/feature.c`), in whose tools they are turned
//! on and off. A list of what may be there: what isn't on it is refused.

use super::inode::u32_at;
use crate::spec::ondisk::ext4;

/// What a feature means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it works.
    Fine,
    /// It doesn't work, for this reason; `tune2fs -O ^NAME` takes it off.
    Off(&'static str),
    /// It doesn't work, for this reason; only another file system is without it.
    Anew(&'static str),
}

/// One feature.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// Which of the superblock's words it is in.
    pub word: usize,
    /// Its bit there.
    pub bit: u32,
    /// What e2fsprogs calls it.
    pub name: &'static str,
    /// What it means.
    pub verdict: Verdict,
}

/// Reasons that several features share.
const UNPROVEN: &str = "nobody has tried to grow such a file system while it is mounted";
const UNREAD: &str = "ironstrap can't read what is in it";
const UNUSED: &str = "no kernel of Linux knows it";
const QUOTA: &str = "to mount it the kernel needs its module quota_v2, which the installer doesn't load";

const fn compat(bit: u32, name: &'static str, verdict: Verdict) -> Feature {
    Feature { word: ext4::S_FEATURE_COMPAT, bit, name, verdict }
}

const fn incompat(bit: u32, name: &'static str, verdict: Verdict) -> Feature {
    Feature { word: ext4::S_FEATURE_INCOMPAT, bit, name, verdict }
}

const fn ro_compat(bit: u32, name: &'static str, verdict: Verdict) -> Feature {
    Feature { word: ext4::S_FEATURE_RO_COMPAT, bit, name, verdict }
}

use Verdict::{Anew, Fine, Off};

/// All that have a name.
pub const ALL: &[Feature] = &[
    compat(0x1, "dir_prealloc", Fine),
    compat(0x2, "imagic_inodes", Anew(UNPROVEN)),
    compat(ext4::COMPAT_HAS_JOURNAL, "has_journal", Fine),
    compat(0x8, "ext_attr", Fine),
    compat(ext4::COMPAT_RESIZE_INODE, "resize_inode", Fine),
    compat(0x20, "dir_index", Fine),
    compat(0x40, "lazy_bg", Anew(UNUSED)),
    compat(0x100, "snapshot_bitmap", Anew(UNUSED)),
    compat(0x200, "sparse_super2", Anew("the kernel doesn't grow such a file system while it is mounted")),
    compat(0x400, "fast_commit", Fine),
    compat(0x800, "stable_inodes", Fine),
    compat(0x1000, "orphan_file", Fine),
    incompat(0x1, "compression", Anew("no kernel mounts such a file system")),
    incompat(ext4::INCOMPAT_FILETYPE, "filetype", Fine),
    // judged by what has to be done about it
    incompat(ext4::INCOMPAT_RECOVER, "needs_recovery", Fine),
    incompat(
        0x8,
        "journal_dev",
        Anew("it is no file system, but another one's journal, which must be inside of that one"),
    ),
    incompat(0x10, "meta_bg", Anew(UNREAD)),
    incompat(ext4::INCOMPAT_EXTENTS, "extent", Fine),
    incompat(ext4::INCOMPAT_64BIT, "64bit", Fine),
    incompat(
        0x100,
        "mmp",
        Off("the kernel waits at each mount whether another machine uses it, and GRUB may not read it"),
    ),
    incompat(ext4::INCOMPAT_FLEX_BG, "flex_bg", Fine),
    incompat(0x400, "ea_inode", Anew(UNREAD)),
    incompat(0x1000, "dirdata", Anew("no kernel mounts such a file system")),
    incompat(ext4::INCOMPAT_CSUM_SEED, "metadata_csum_seed", Fine),
    incompat(ext4::INCOMPAT_LARGEDIR, "large_dir", Fine),
    incompat(0x8000, "inline_data", Anew(UNREAD)),
    // only the feature: an encrypted file is refused where it is read
    incompat(ext4::INCOMPAT_ENCRYPT, "encrypt", Fine),
    incompat(0x2_0000, "casefold", Off(UNREAD)),
    ro_compat(0x1, "sparse_super", Fine),
    ro_compat(0x2, "large_file", Fine),
    ro_compat(0x8, "huge_file", Fine),
    ro_compat(0x10, "uninit_bg", Fine),
    ro_compat(0x20, "dir_nlink", Fine),
    ro_compat(0x40, "extra_isize", Fine),
    ro_compat(0x100, "quota", Off(QUOTA)),
    ro_compat(0x200, "bigalloc", Anew(UNPROVEN)),
    ro_compat(ext4::RO_COMPAT_METADATA_CSUM, "metadata_csum", Fine),
    ro_compat(0x800, "replica", Anew(UNUSED)),
    ro_compat(0x1000, "read-only", Off("the kernel doesn't write to it")),
    ro_compat(0x2000, "project", Off(QUOTA)),
    ro_compat(0x4000, "shared_blocks", Anew("the kernel doesn't write to it")),
    ro_compat(
        0x8000,
        "verity",
        Anew("files under it can't be changed, and kernels before 5.4 don't write to it"),
    ),
    // judged by what has to be done about it
    ro_compat(ext4::RO_COMPAT_ORPHAN_PRESENT, "orphan_present", Fine),
];

/// A feature that a file system has and may not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What e2fsprogs calls it, also where it knows no name.
    pub name: String,
    /// Why.
    pub why: &'static str,
    /// Whether tune2fs takes it off.
    pub can_go: bool,
}

/// Those that a superblock has and that don't work.
pub fn unfit(superblock: &[u8]) -> Vec<Unfit> {
    let mut found = Vec::new();
    let words =
        [(ext4::S_FEATURE_COMPAT, 'C'), (ext4::S_FEATURE_INCOMPAT, 'I'), (ext4::S_FEATURE_RO_COMPAT, 'R')];
    for (word, letter) in words {
        let bits = u32_at(superblock, word).unwrap_or_default();
        for number in (0..32).filter(|number| bits & 1 << number != 0) {
            let known = ALL.iter().find(|known| known.word == word && known.bit == 1 << number);
            let (name, why, can_go) = match known.map(|known| (known.name, known.verdict)) {
                Some((_, Fine)) => continue,
                Some((name, Off(why))) => (name.to_owned(), why, true),
                Some((name, Anew(why))) => (name.to_owned(), why, false),
                // as e2fsprogs spells what it doesn't know
                None => (format!("FEATURE_{letter}{number}"), "ironstrap doesn't know it", false),
            };
            found.push(Unfit { name, why, can_go });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All bits of the three words, as debugfs calls them, in their order; `None`, said aloud, where it is missing.
    fn named_by_debugfs() -> Option<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image.ext4");
        let made = std::process::Command::new("mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-O", "none"])
            .arg(&image)
            .arg("4M")
            .output();
        let Ok(made) = made else {
            crate::expect::missing_program("mke2fs", "e2fsprogs");
            return None;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let all: Vec<_> = ['C', 'I', 'R']
            .iter()
            .flat_map(|word| (0..32).map(move |bit| format!("FEATURE_{word}{bit}")))
            .collect();
        let ask = format!("feature {}", all.join(" "));
        let output =
            std::process::Command::new("debugfs").args(["-w", "-R", &ask]).arg(&image).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let names = told.split_once("features:").unwrap_or_else(|| panic!("debugfs says {told}")).1;
        Some(names.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn features_are_called_what_e2fsprogs_calls_them_and_those_without_a_name_by_number() {
        let Some(theirs) = named_by_debugfs() else { return };
        assert_eq!(theirs.len(), 96, "{theirs:?}");
        let words = [ext4::S_FEATURE_COMPAT, ext4::S_FEATURE_INCOMPAT, ext4::S_FEATURE_RO_COMPAT];
        for (at, name) in theirs.iter().enumerate() {
            let (word, bit) = (words[at / 32], 1u32 << (at % 32));
            let ours = ALL.iter().find(|known| known.word == word && known.bit == bit);
            // an older e2fsprogs has fewer names
            if !name.starts_with("FEATURE_") {
                assert_eq!(ours.map(|known| known.name), Some(name.as_str()));
            }
            let mut superblock = vec![0; 1024];
            superblock[word..word + 4].copy_from_slice(&bit.to_le_bytes());
            match (unfit(&superblock).as_slice(), ours) {
                ([], Some(known)) => assert_eq!(known.verdict, Fine, "{name}"),
                ([only], Some(known)) => assert_eq!(only.name, known.name),
                ([only], None) => assert_eq!(&only.name, name),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}
