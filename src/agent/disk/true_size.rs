//! Whether a disk is as large as it says.
//!
//! Forged flash takes writes behind its true end and forgets them, or begins anew at byte 0, because it ignores an address line:
//! what is written behind the image then falls into the image, after that was read back. So marks are written behind the
//! image, where a disk that begins anew at a power of two would have the claim record. Marks and record are read back, and the
//! marks are zeroed.
//!
//! Not to be called before the image is placed: until then the disk's other data is as it was. Durable with the next flush.
//! A disk that begins anew elsewhere than at a power of two isn't found here.

use super::engine::write::{Place, erase, flush};
use crate::agent::Failure;
use crate::spec::Code;
use crate::spec::claim;
use crate::sys::block::BlockDevice;

/// The length of a mark.
const MARK: usize = claim::SIZE;
/// What a disk ignores first: before the end of the first MiB stands the claim record.
const SMALLEST: u32 = 20;

/// Writes marks behind the image, reads them back, and zeroes them.
///
/// # Errors
/// [`Code::ReadBack`] with the place that doesn't hold what was written, or that is another one too; [`Code::DiskIo`].
pub fn check(device: &dyn BlockDevice, image_size: u64) -> Result<(), Failure> {
    let places: Vec<_> = places(image_size, device.size()).collect();
    let record = read(device, claim::OFFSET)?;
    for place in &places {
        write(device, *place)?;
    }
    flush(device)?;
    let found = read(device, claim::OFFSET)?;
    if found != record {
        let from = places.iter().find(|place| mark(**place) == found);
        let from = from.map_or("elsewhere".to_owned(), |from| format!("at {}", Place::new(*from, device)));
        let message = format!(
            "what was written {from} stands at {}: the disk isn't as large as it says ({} bytes)",
            Place::new(claim::OFFSET, device),
            device.size()
        );
        return Err(Failure::new(Code::ReadBack, message));
    }
    for place in &places {
        require(device, *place)?;
        erase(device, *place..*place + MARK as u64)?;
    }
    Ok(())
}

/// Where marks go: to the claim record's place, but for one address line.
fn places(image_size: u64, disk_size: u64) -> impl Iterator<Item = u64> {
    let lines = (SMALLEST..u64::BITS - 1).map(|line| claim::OFFSET + (1 << line));
    lines.filter(move |place| *place >= image_size && place + MARK as u64 <= disk_size)
}

/// What is written there; no two places have the same.
fn mark(place: u64) -> Vec<u8> {
    let text = format!("ironstrap looks whether this disk is as large as it says: byte {place}\n");
    text.bytes().cycle().take(MARK).collect()
}

/// That a mark is there; like any block, it is written once more where it isn't.
fn require(device: &dyn BlockDevice, place: u64) -> Result<(), Failure> {
    let expected = mark(place);
    if read(device, place).is_ok_and(|found| found == expected) {
        return Ok(());
    }
    write(device, place)?;
    flush(device)?;
    if read(device, place)? == expected {
        return Ok(());
    }
    let message = format!(
        "{} was written twice and reads back as another: the disk may not be as large as it says ({} bytes)",
        Place::new(place, device),
        device.size()
    );
    Err(Failure::new(Code::ReadBack, message))
}

fn write(device: &dyn BlockDevice, place: u64) -> Result<(), Failure> {
    let failed =
        |error| Failure::disk(format_args!("writing a mark at {}", Place::new(place, device)), &error);
    device.write_at(place, &mark(place)).map_err(failed)
}

fn read(device: &dyn BlockDevice, place: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; MARK];
    device.read_at(place, &mut bytes).map_err(|error| {
        Failure::disk(format_args!("reading back {MARK} bytes at {}", Place::new(place, device)), &error)
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::block::MemoryDevice;
    use crate::sys::block::faults::{Beyond, Fault};

    const MIB: u64 = 1 << 20;
    const DISK: u64 = 40 * MIB;

    fn disk() -> MemoryDevice {
        MemoryDevice::new(vec![0xee; DISK as usize])
    }

    #[test]
    fn an_honest_disk_is_as_before_but_for_zeroes_behind_the_image() {
        let disk = disk();
        check(&disk, 3 * MIB).unwrap();
        let mut expected = vec![0xee; DISK as usize];
        for at in [5, 9, 17, 33].map(|at| (at * MIB) as usize - MARK) {
            expected[at..at + MARK].fill(0);
        }
        assert!(disk.content() == expected);
    }

    #[test]
    fn a_disk_that_begins_anew_or_forgets_is_found_whatever_power_of_two_it_has() {
        for at in [4 * MIB, 8 * MIB, 16 * MIB, 32 * MIB] {
            for (beyond, said) in
                [(Beyond::Wraps, "isn't as large"), (Beyond::Forgets, "may not be as large")]
            {
                let disk = disk().with_fault(Fault::Ends { at, beyond });
                let before = disk.content();
                let failure = check(&disk, 3 * MIB).unwrap_err();
                assert_eq!(failure.code, Code::ReadBack);
                assert!(failure.message.contains(said) && failure.message.contains("(LBA "), "{failure}");
                let image = ..(claim::OFFSET as usize);
                assert!(disk.content()[image] == before[image], "the image was touched");
            }
        }
    }

    #[test]
    fn a_mark_that_is_stored_wrong_once_is_written_once_more() {
        let disk = disk().with_weak_byte(5 * MIB - 9, 1);
        check(&disk, 3 * MIB).unwrap();
        let failure = check(&self::disk().with_weak_byte(5 * MIB - 9, 2), 3 * MIB).unwrap_err();
        assert_eq!(failure.code, Code::ReadBack);
    }

    #[test]
    fn no_mark_touches_the_image_or_lies_behind_the_end() {
        for (image, disk) in
            [(2 * MIB, 2 * MIB), (2 * MIB, 3 * MIB - 1), (3 * MIB, 4 * MIB), (0, u64::MAX / 2)]
        {
            let all: Vec<_> = places(image, disk).collect();
            assert!(all.iter().all(|place| *place >= image && place + MARK as u64 <= disk), "{all:?}");
        }
        assert_eq!(places(2 * MIB, 3 * MIB).collect::<Vec<_>>(), [3 * MIB - MARK as u64]);
    }
}
