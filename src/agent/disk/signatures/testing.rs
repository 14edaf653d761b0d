//! What is left of former lives, as others wrote it, for tests of this and other modules.

use crate::spec::ondisk::volumes::{firmware_raid, md};
use crate::sys::block::BlockDevice;

/// One thing that a partition was.
#[derive(Debug, Clone)]
pub(crate) struct Former {
    /// libblkid's name of it.
    pub(crate) name: &'static str,
    /// What of it is left: places in the partition, and bytes.
    pub(crate) writes: Vec<(u64, Vec<u8>)>,
}

impl Former {
    /// Puts it into a partition that begins at this byte.
    pub(crate) fn put(&self, device: &dyn BlockDevice, start: u64) {
        for (at, bytes) in &self.writes {
            device.write_at(start + at, bytes).unwrap();
        }
    }

    /// Takes it away again, from a partition that held zeroes.
    pub(crate) fn erase(&self, device: &dyn BlockDevice, start: u64) {
        for (at, bytes) in &self.writes {
            device.write_at(start + at, &vec![0; bytes.len()]).unwrap();
        }
    }
}

fn uberblocks() -> Vec<u8> {
    let mut array = vec![0; 128 << 10];
    for block in array.chunks_mut(1024).take(9) {
        block[..8].copy_from_slice(&0x00ba_b10c_u64.to_le_bytes());
        block[8] = 28;
    }
    array
}

fn names() -> Vec<u8> {
    [&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0, 0, 0, 36, 0, 0, 0, 32], b"\0\0\0\x04guid"].concat()
}

fn nilfs(device_size: u64) -> Vec<u8> {
    let mut block = vec![0; 1024];
    block[..8].copy_from_slice(&[2, 0, 0, 0, 0, 0, 0x34, 0x34]);
    block[8..10].copy_from_slice(&280_u16.to_le_bytes());
    block[12..16].copy_from_slice(&0xfeed_u32.to_le_bytes());
    block[32..40].copy_from_slice(&device_size.to_le_bytes());
    // CRC-32 bit by bit, from the seed, without inversions
    let crc = block[..280].iter().fold(0xfeed_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    block[16..20].copy_from_slice(&crc.to_le_bytes());
    block
}

pub(crate) fn md_0_90() -> Vec<u8> {
    let words = [0xa92b_4efc_u32, 0, 90, 0, 0, 7, 0, 1, 1024, 2, 2];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Version 1 with its place and its checksum.
fn md_1(at: u64) -> Vec<u8> {
    let mut block = vec![0; 256];
    block[..4].copy_from_slice(&md::MAGIC);
    block[4] = 1;
    block[16..32].fill(7);
    block[144..152].copy_from_slice(&(at / 512).to_le_bytes());
    let sum: u64 = block.chunks(4).map(|word| u64::from(u32::from_le_bytes(word.try_into().unwrap()))).sum();
    block[216..220].copy_from_slice(&((sum >> 32) as u32).wrapping_add(sum as u32).to_le_bytes());
    block
}

/// Those that stand at the end of a partition of this size, and that libblkid recognises in a file.
pub(crate) fn at_the_end(size: u64) -> Vec<Former> {
    const LABEL: u64 = 256 << 10;
    let drbd = [&b"\x83\x74\x02\x6b"[..], &[0; 16], &4096_u32.to_be_bytes()].concat();
    let label = size / LABEL * LABEL - LABEL;
    let (old_md, new_md) = ((size & !0xffff) - 0x1_0000, (size & !0xfff) - 0x2000);
    let end = size / 512 * 512;
    [
        ("zfs_member", vec![(label + LABEL / 2, uberblocks()), (label + (16 << 10), names())]),
        ("zfs_member", vec![(label - LABEL / 2, uberblocks())]),
        ("linux_raid_member", vec![(old_md, md_0_90())]),
        ("linux_raid_member", vec![(new_md, md_1(new_md))]),
        ("nilfs2", vec![(end - 4096, nilfs(size))]),
        ("drbd", vec![(size - 4096 + 60, drbd)]),
        ("isw_raid_member", vec![(end - 1024, b"Intel Raid ISM Cfg Sig. 1.3.00".to_vec())]),
        ("lsi_mega_raid_member", vec![(end - 512, b"$XIDE$".to_vec())]),
        ("promise_fasttrack_raid_member", vec![(end - 63 * 512, firmware_raid::PROMISE.to_vec())]),
        ("hpt45x_raid_member", vec![(end - 11 * 512, b"\xf3\x16\x78\x5a".to_vec())]),
    ]
    .map(|(name, writes)| Former { name, writes })
    .to_vec()
}

/// Those that stand at the start of a partition, and that libblkid recognises in a file.
pub(crate) fn at_the_start() -> Vec<Former> {
    [
        ("linux_raid_member", vec![(4096, md_1(4096))]),
        ("VMFS_volume_member", vec![(1 << 20, b"\x0d\xd0\x01\xc0".to_vec())]),
        ("swap", vec![(4096 - 10, b"SWAPSPACE2".to_vec()), (1024, vec![1, 0, 0, 0, 255])]),
        ("ceph_bluestore", vec![(0, b"bluestore block device".to_vec())]),
        ("ufs", vec![(8192 + 1372, 0x0001_1954_u32.to_le_bytes().to_vec())]),
    ]
    .map(|(name, writes)| Former { name, writes })
    .to_vec()
}
