//! By which names the partitions of an image can be found: what fstab and GRUB may ask for.
//!
//! An install keeps UUIDs and labels of file systems, and renames partitions wherever they are named; so what has no name in the
//! image has none on a target. Pure but for the device that it reads. What isn't known may have any name: see
//! [`Names::may_be`].

use anyhow::{Context, Result};
use uuid::Uuid;

use crate::spec::image::ImagePartition;
use crate::spec::ondisk::filesystems::{btrfs, swap, xfs};
use crate::spec::ondisk::{Mark, ext4, fat};
use crate::sys::block::BlockDevice;
use crate::sys::gpt;

/// As much of a partition as names stand in.
const HEAD: u64 = 68 << 10;

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file system's UUID, or the number of a FAT volume.
    Uuid,
    /// A file system's label.
    Label,
    /// A partition's GUID.
    PartUuid,
    /// Its name in the table.
    PartLabel,
}

impl Kind {
    /// The kinds as fstab(5) and `root=` spell them, and udev's directories of links.
    const SPELLED: [(Self, &'static str, &'static str); 4] = [
        (Self::Uuid, "UUID=", "/dev/disk/by-uuid/"),
        (Self::Label, "LABEL=", "/dev/disk/by-label/"),
        (Self::PartUuid, "PARTUUID=", "/dev/disk/by-partuuid/"),
        (Self::PartLabel, "PARTLABEL=", "/dev/disk/by-partlabel/"),
    ];

    /// Kind and name in a word of fstab or of a kernel's command line; `None` where it names no such thing.
    pub fn read(word: &str) -> Option<(Self, String)> {
        let (kind, name, is_link) = Self::SPELLED.iter().find_map(|(kind, tag, link)| {
            let tagged = word.strip_prefix(tag).map(|name| (*kind, name, false));
            tagged.or_else(|| Some((*kind, word.strip_prefix(link)?, true)))
        })?;
        let name = name.trim_matches(['"', '\'']);
        Some(match kind {
            // what stands behind it is counted from there (`/PARTNROFF=1`)
            Self::PartUuid => (kind, name.split('/').next().unwrap_or(name).to_owned()),
            _ if is_link => (kind, unescaped(name)),
            _ => (kind, name.to_owned()),
        })
    }

    /// UUIDs are numbers, labels are texts.
    fn is_same(self, one: &str, other: &str) -> bool {
        match self {
            Self::Uuid | Self::PartUuid => one.eq_ignore_ascii_case(other),
            Self::Label | Self::PartLabel => one == other,
        }
    }
}

/// udev writes what may stand in no name of a file as `\x20` (udev(7), `udev_util_encode_string`).
fn unescaped(name: &str) -> String {
    let mut parts = name.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(code) => {
                bytes.push(code);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => bytes.extend([b"\\x", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The names of an image's partitions.
#[derive(Debug, Clone, Default)]
pub struct Names {
    found: Vec<(Kind, String, u32)>,
    /// Some partition holds what isn't known, as LVM, which may hold anything.
    opaque: bool,
}

impl Names {
    /// Those of these partitions.
    ///
    /// # Errors
    /// The device's.
    pub fn read(device: &dyn BlockDevice, partitions: &[ImagePartition]) -> Result<Self> {
        let mut names = Self::default();
        for partition in partitions {
            let length = usize::try_from(partition.length.min(HEAD)).context("sizing a read")?;
            let mut head = vec![0; length];
            device
                .read_at(partition.offset, &mut head)
                .with_context(|| format!("reading partition {}", partition.number))?;
            names.add(Kind::PartUuid, partition.guid.to_string(), partition.number);
            names.add(Kind::PartLabel, partition.name.clone(), partition.number);
            match file_system(&head) {
                Some((uuid, label)) => {
                    names.add(Kind::Uuid, uuid, partition.number);
                    names.add(Kind::Label, label, partition.number);
                }
                None if partition.kind == gpt::BIOS_BOOT || head.iter().all(|byte| *byte == 0) => {}
                None => names.opaque = true,
            }
        }
        Ok(names)
    }

    fn add(&mut self, kind: Kind, name: String, partition: u32) {
        if !name.is_empty() {
            self.found.push((kind, name, partition));
        }
    }

    /// The partition with this name.
    pub fn partition(&self, kind: Kind, name: &str) -> Option<u32> {
        let named = |(of, known, _): &&(Kind, String, u32)| *of == kind && kind.is_same(known, name);
        self.found.iter().find(named).map(|(.., number)| *number)
    }

    /// Whether something in the image may have this name. Partitions are all known; file systems may be inside of what isn't.
    pub fn may_be(&self, kind: Kind, name: &str) -> bool {
        self.partition(kind, name).is_some() || self.opaque && matches!(kind, Kind::Uuid | Kind::Label)
    }
}

/// UUID and label of a known file system; empty where it has none.
fn file_system(head: &[u8]) -> Option<(String, String)> {
    let has = |mark: Mark| head.get(mark.at as usize..).is_some_and(|rest| rest.starts_with(mark.bytes));
    let uuid = |at: u64| {
        let bytes = head.get(at as usize..)?.first_chunk()?;
        Some(Uuid::from_bytes(*bytes).to_string())
    };
    let label = |at: u64, length: usize| {
        let bytes = head.get(at as usize..)?.get(..length)?;
        let text = String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next()?);
        Some(text.trim_end().to_owned())
    };
    let serial = |at: u64| {
        let bytes = head.get(at as usize..)?.first_chunk()?;
        let number = u32::from_le_bytes(*bytes);
        Some(format!("{:04X}-{:04X}", number >> 16, number & 0xffff))
    };
    if has(ext4::MAGIC) {
        let at = |field: usize| ext4::SUPERBLOCK + field as u64;
        return uuid(at(ext4::S_UUID)).zip(label(at(ext4::S_VOLUME_NAME), ext4::VOLUME_NAME_LENGTH));
    }
    if has(xfs::MAGIC) {
        return uuid(xfs::SB_UUID).zip(label(xfs::SB_FNAME, xfs::FNAME_LENGTH));
    }
    if has(btrfs::MAGIC) {
        let at = |field: u64| btrfs::SUPER_INFO_OFFSET + field;
        return uuid(at(btrfs::FSID)).zip(label(at(btrfs::LABEL), btrfs::LABEL_LENGTH));
    }
    if has(swap::in_page(swap::PAGES[0])) {
        return uuid(swap::UUID).zip(label(swap::VOLUME_NAME, swap::VOLUME_NAME_LENGTH));
    }
    if has(fat::FAT32) {
        return serial(fat::FAT32_VOL_ID).zip(label(fat::FAT32_VOL_LABEL, fat::VOL_LABEL_LENGTH));
    }
    if has(fat::FAT1X) {
        return serial(fat::FAT16_VOL_ID).zip(label(fat::FAT16_VOL_LABEL, fat::VOL_LABEL_LENGTH));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::layout::read_layout;
    use crate::image::testing;
    use crate::sys::budget::Budget;

    #[test]
    fn the_names_are_those_that_mke2fs_and_the_table_gave() {
        let Some(root) = testing::root_device(testing::root_files, &["-L", "cloudimg-rootfs"]) else {
            return;
        };
        let device: std::sync::Arc<dyn BlockDevice> =
            std::sync::Arc::new(testing::image_with(&root, testing::esp_files()));
        let layout = read_layout(&device, &Budget::of(device.size())).unwrap();
        let names = Names::read(&*device, &layout.partitions).unwrap();
        let identity = testing::identity();
        for (word, partition) in [
            (format!("UUID={}", identity.root), 3),
            (format!("/dev/disk/by-uuid/{}", identity.esp_uuid()), 2),
            (format!("UUID=\"{}\"", identity.esp_uuid().to_lowercase()), 2),
            ("LABEL=cloudimg-rootfs".to_owned(), 3),
            (format!("PARTUUID={}/PARTNROFF=0", identity.partitions[2]), 3),
            ("PARTLABEL=esp".to_owned(), 2),
        ] {
            let (kind, name) = Kind::read(&word).unwrap();
            assert_eq!(names.partition(kind, &name), Some(partition), "{word}");
        }
        for other in ["LABEL=CLOUDIMG-ROOTFS", "PARTLABEL=ESP", "LABEL=cloudimg-rootfs/x"] {
            let (kind, name) = Kind::read(other).unwrap();
            assert_eq!(names.partition(kind, &name), None, "{other}");
        }
        for (word, name) in [
            ("LABEL=/", "/"),
            ("/dev/disk/by-label/my\\x20disk\\x2f1", "my disk/1"),
            ("/dev/disk/by-partlabel/\\xzz", "\\xzz"),
            ("LABEL=\\x20", "\\x20"),
        ] {
            assert_eq!(Kind::read(word).unwrap().1, name, "{word}");
        }
        assert!(!names.may_be(Kind::Uuid, "0fc63daf-8483-4772-8e79-3d69d8477dea"));
        assert_eq!(Kind::read("/dev/sda1"), None);
    }
}
