//! What the root grows into: the disk behind the image's end, which no block of the image overwrites.
//!
//! Whoever looks for a file system looks for signatures at the end of a partition too: labels of ZFS in its last 512 KiB,
//! superblocks of md in its last 128 KiB, backups of NILFS and bcachefs. Those of a former life must not be found there. The
//! ends of the growth and all behind it are written with zeroes, whatever the device says that it can. What lies between is
//! zeroed where the device does it by command, for a minute at most: free space of the new file system, it is read by
//! nobody, but may hold somebody's data.
//!
//! Nothing here may be called before the image was read back: until then the disk's other data is as it was.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::engine::write::erase;
use super::table::DiskLayout;
use crate::agent::Failure;
use crate::sys::block::BlockDevice;

/// Zeroes that are written at each end; a few times what any known signature needs.
const END: u64 = 4 << 20;
/// What is zeroed by one command.
const COMMAND: u64 = 1 << 30;
/// A disk that needs longer says that it zeroes cheaply, and writes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clears the disk from the image's end to its own. Durable only after the next flush.
///
/// # Errors
/// The device's, where zeroes must be written.
pub fn clear(device: &dyn BlockDevice, layout: &DiskLayout, image_size: u64) -> Result<(), Failure> {
    let [front, middle, back] = regions(image_size, layout.root.offset + layout.root.length, device.size());
    erase(device, front)?;
    erase(device, back)?;
    let begin = Instant::now();
    zero_while(device, middle, &mut || begin.elapsed() < PATIENCE);
    Ok(())
}

/// The disk behind the image: what must be zeroed in front, what may be, and what must be at the back. The back begins
/// before the root's end, and reaches to the disk's.
fn regions(image_size: u64, root_end: u64, disk_size: u64) -> [Range<u64>; 3] {
    let image_size = image_size.min(disk_size);
    let front = image_size..image_size.saturating_add(END).min(disk_size);
    let back = root_end.saturating_sub(END).clamp(front.end, disk_size)..disk_size;
    [front.clone(), front.end..back.start, back]
}

/// Zeroes by command, as long as the device does it and patience lasts.
fn zero_while(device: &dyn BlockDevice, mut range: Range<u64>, patient: &mut dyn FnMut() -> bool) {
    while device.zeroes_cheaply() && range.start < range.end && patient() {
        let end = range.end.min(range.start.saturating_add(COMMAND));
        // nothing depends on it: a disk that fails here shows it where it must be written
        if device.zero(range.start..end).is_err() {
            return;
        }
        range.start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::block::{MemoryDevice, Operation};

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_ends_and_the_rest_of_the_disk_are_regions_without_gap_or_overlap() {
        for (image, root_end, disk) in [
            (64 * MIB, 64 * MIB - 20480, 64 * MIB),
            (64 * MIB, 64 * MIB - 20480, 64 * MIB + 512),
            (64 * MIB, 65 * MIB, 66 * MIB - 512),
            (64 * MIB, 71 * MIB, 71 * MIB + 33 * 512),
            (64 * MIB, 999 * MIB, 1000 * MIB),
            (64 * MIB, 999 * MIB, 1000 * MIB + 4096 + 512),
        ] {
            let [front, middle, back] = regions(image, root_end, disk);
            assert_eq!((front.start, front.end, middle.end), (image, middle.start, back.start));
            assert_eq!(back.end, disk);
            assert!(front.end == disk || front.end - front.start == END);
            assert!(middle.is_empty() || back.start == root_end - END, "{back:?}");
        }
    }

    /// A layout with this root; the rest of it says nothing here.
    fn layout(root: Range<u64>) -> DiskLayout {
        let partition = |number, range: &Range<u64>| crate::spec::image::ImagePartition {
            number,
            kind: uuid::Uuid::nil(),
            guid: uuid::Uuid::nil(),
            offset: range.start,
            length: range.end - range.start,
            name: String::new(),
        };
        let esp = partition(1, &(MIB..2 * MIB));
        let root = partition(2, &root);
        DiskLayout {
            disk: uuid::Uuid::nil(),
            partitions: vec![esp.clone(), root.clone()],
            esp,
            root,
            boot: None,
        }
    }

    fn cleared(device: MemoryDevice) -> MemoryDevice {
        clear(&device, &layout(2 * MIB..31 * MIB), 8 * MIB).unwrap();
        assert!(device.content()[..8 << 20].iter().all(|byte| *byte == 0xee), "the image was touched");
        device
    }

    fn used() -> MemoryDevice {
        MemoryDevice::new(vec![0xee; 32 << 20])
    }

    fn is(device: &MemoryDevice, range: Range<u64>, value: u8) -> bool {
        device.content()[(range.start * MIB) as usize..(range.end * MIB) as usize].iter().all(|b| *b == value)
    }

    #[test]
    fn a_disk_that_zeroes_by_command_keeps_nothing_behind_the_image() {
        let device = cleared(used().with_cheap_zeroes());
        assert!(is(&device, 8..32, 0));
        let written: u64 = device
            .operations()
            .iter()
            .map(|operation| match operation {
                Operation::Write { bytes, .. } => bytes.len() as u64,
                _ => 0,
            })
            .sum();
        assert_eq!(written, 9 * MIB);
    }

    #[test]
    fn another_disk_is_written_with_zeroes_at_the_ends_even_if_it_promised_to_zero() {
        for device in [used(), used().with_refused_zeroes()] {
            let device = cleared(device);
            assert!(is(&device, 8..12, 0) && is(&device, 27..32, 0));
            assert!(is(&device, 12..27, 0xee));
            assert!(device.operations().iter().all(|operation| matches!(operation, Operation::Write { .. })));
        }
    }

    #[test]
    fn patience_ends() {
        let device = used().with_cheap_zeroes();
        let mut asked = 0;
        zero_while(&device, 8 * MIB..9 * MIB, &mut || {
            asked += 1;
            false
        });
        assert_eq!((asked, device.operations()), (1, vec![]));
    }

    #[test]
    fn a_bad_place_where_zeroes_must_be_is_named_and_elsewhere_it_is_not_touched() {
        let bad = |at: u64| used().with_cheap_zeroes().with_bad_range(at * MIB..at * MIB + 1);
        let failure = clear(&bad(29), &layout(2 * MIB..31 * MIB), 8 * MIB).unwrap_err();
        assert!(failure.message.contains(&format!("byte {}", 29 * MIB)), "{failure}");
        clear(&bad(20), &layout(2 * MIB..31 * MIB), 8 * MIB).unwrap();
    }
}
