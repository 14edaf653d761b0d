//! Names and places of storage: what a partition, a volume group or a mount is called.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// A name for a part of the storage layout: of partitions it is the GPT's, of volume groups, volumes and arrays the
/// system's. Nothing that LVM, md or a path would misread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageId(String);

impl StorageId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StorageId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // a dash in a volume's name is doubled in `/dev/mapper`, which nobody expects; `snapshot…` and `pvmove…` are LVM's
        let good = text.len() <= 32
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let reserved = text.starts_with("snapshot") || text.starts_with("pvmove");
        if !good || reserved {
            return Err(ValueError::new(format!(
                "`{}` is not a name of storage (a lower-case letter, then letters, digits, `_`; at most 32; not `snapshot…`, `pvmove…`)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(StorageId, {
    "description": "A name in the layout: at most 32 lower-case letters, digits, `_`.",
    "pattern": "^[a-z][a-z0-9_]{0,31}$",
    "examples": ["root"],
});

/// Where a file system is mounted: an absolute path in its shortest form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountPath(String);

impl MountPath {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the root of the system.
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MountPath {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let name = |part: &str| {
            !part.is_empty()
                && part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let good = text == "/" || text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(name));
        if !good || text.len() > 255 {
            return Err(ValueError::new(format!(
                "`{}` is not a place to mount (like `/var/log`: letters, digits, `.`, `_`, `-`)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(MountPath, {
    "description": "Where a file system is mounted.",
    "pattern": "^/",
    "examples": ["/", "/var/log"],
});

/// One mount option, such as `noatime` or `size=2G`; never a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountOption(String);

impl MountOption {
    /// The option.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MountOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MountOption {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let good = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-=:/@+".contains(&b));
        if !good {
            return Err(ValueError::new(format!(
                "`{}` is not one mount option (like `noatime`; a list has an item for each)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(MountOption, {
    "description": "One mount option.",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._=:/@+-]*$",
    "examples": ["noatime"],
});

/// A label of a file system: XFS has room for 12 characters, ext4 for 16, so 12 fit everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FsLabel(String);

impl FsLabel {
    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FsLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FsLabel {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let good = (1..=12).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !good {
            return Err(ValueError::new(format!(
                "`{}` is not a label (1 to 12 letters, digits, `.`, `_`, `-`)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(FsLabel, {
    "description": "A file system's label: at most 12 letters, digits, `.`, `_`, `-`.",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,11}$",
    "examples": ["ROOT"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_every_tool_reads_alike() {
        for good in ["root", "vg0", "data_2"] {
            assert!(good.parse::<StorageId>().is_ok(), "{good}");
        }
        for bad in ["", "Root", "a-b", "a.b", "snapshot1", "pvmove0", "0a", "a/b", "a b"] {
            assert!(bad.parse::<StorageId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn mount_paths_are_absolute_and_short() {
        for good in ["/", "/var/log", "/srv/data-1"] {
            assert!(good.parse::<MountPath>().is_ok(), "{good}");
        }
        for bad in ["", "var", "/var/", "//", "/a/../b", "/.", "/a b", "/a,b", "/ä"] {
            assert!(bad.parse::<MountPath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn options_and_labels_are_single_words() {
        assert!("size=2G".parse::<MountOption>().is_ok());
        for bad in ["", "a,b", "a b", "-a", "a;b"] {
            assert!(bad.parse::<MountOption>().is_err(), "{bad}");
        }
        assert!("ROOT".parse::<FsLabel>().is_ok() && "a-label-of-13".parse::<FsLabel>().is_err());
    }
}
