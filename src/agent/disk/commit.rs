//! The gate: what makes a disk ours, takes its bootability away, and gives it back.
//!
//! The only code that writes to the withheld regions. LBA 0 is the gate: with it zeroed, firmware boots nothing, not even
//! from an intact backup table. Each function ends with a flush, so that its caller can rely on the order.

use std::cell::{Cell, RefCell};

use super::engine::write::{Place, erase, flush};
use super::table::FinalTable;
use crate::agent::Failure;
use crate::image::read::{BACKUP_LENGTH, COMMIT_END, PRIMARY_END};
use crate::probe::disk_probe::LOOK;
use crate::spec::Code;
use crate::spec::claim::{self, Claim};
use crate::sys::block::BlockDevice;
use crate::value::OrderId;

const BLOCK: usize = 512;

/// One disk, seen from its withheld regions.
pub struct Gate<'a> {
    device: &'a dyn BlockDevice,
    claimed: RefCell<Option<Claim>>,
    /// LBA 0 was zeroed, durably, and not written since.
    closed: Cell<bool>,
}

impl<'a> Gate<'a> {
    pub fn new(device: &'a dyn BlockDevice) -> Self {
        Self { device, claimed: RefCell::new(None), closed: Cell::new(false) }
    }

    /// Writes the claim record.
    pub fn claim(&self, claim: &Claim) -> Result<(), Failure> {
        let record = claim
            .to_record()
            .map_err(|error| Failure::new(Code::Internal, format!("making the claim record: {error}")))?;
        self.write("the claim record", claim::OFFSET, &record)?;
        self.flush()?;
        self.claimed.replace(Some(claim.clone()));
        Ok(())
    }

    /// Goes on under a claim that an earlier run wrote.
    pub fn resume(&self, claim: Claim) {
        self.claimed.replace(Some(claim));
    }

    /// Writes the last claim once more, with one failure more: an order that fails again and again must end.
    ///
    /// # Errors
    /// The device's; and then nobody counts.
    pub fn count_failure(&self) -> Result<(), Failure> {
        let claimed = self.claimed.borrow().clone();
        match claimed {
            Some(claim) => self.claim(&Claim { failures: claim.failures.saturating_add(1), ..claim }),
            None => Ok(()),
        }
    }

    /// Zeroes LBA 0; then the primary table, the last blocks of the image's range, and the end of the disk behind the image,
    /// where a backup table or a RAID superblock of earlier times could stand. LBA 0 is durable first: the rest may lie in
    /// partitions of an old system, which must not boot any more when they are damaged.
    pub fn close(&self, image_size: u64) -> Result<(), Failure> {
        let disk_size = self.device.size();
        self.close_again()?;
        erase(self.device, 0..PRIMARY_END)?;
        erase(self.device, image_size.saturating_sub(BACKUP_LENGTH)..image_size)?;
        erase(self.device, disk_size.saturating_sub(LOOK).max(image_size)..disk_size)?;
        self.flush()
    }

    /// Zeroes LBA 0 alone.
    ///
    /// # Errors
    /// The device's: then nobody knows whether the disk boots.
    pub fn close_again(&self) -> Result<(), Failure> {
        self.write("LBA 0", 0, &[0; BLOCK])?;
        self.flush()?;
        self.closed.set(true);
        Ok(())
    }

    /// Whether the disk is known not to boot.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Writes the backup table and all of the primary one but LBA 0. The disk doesn't boot yet.
    pub fn tables(&self, table: &FinalTable) -> Result<(), Failure> {
        self.certain(&[
            ("the backup partition table", table.backup_offset, &table.backup),
            ("the partition table", BLOCK as u64, &table.primary[BLOCK..]),
        ])
    }

    /// The last write: bytes 0..4096, so that no disk has to read a physical block in order to change a part of it. All but
    /// LBA 0 of it is on the disk already, so a tear can't be seen: LBA 0 is one sector, old or new. (With a missing primary
    /// header firmware would boot from the backup table, and Linux, which doesn't look there, would find no root.)
    pub fn open(&self, table: &FinalTable) -> Result<(), Failure> {
        self.closed.set(false);
        self.certain(&[("the commit", 0, &table.primary[..COMMIT_END as usize])])
    }

    /// Writes, and reads back what the disk has; once more where that differs or can't be read, like any other block.
    fn certain(&self, writes: &[(&str, u64, &[u8])]) -> Result<(), Failure> {
        for (what, offset, bytes) in writes {
            self.write(what, *offset, bytes)?;
        }
        self.flush()?;
        for (what, offset, bytes) in writes {
            if matches!(self.differs(what, *offset, bytes), Ok(None)) {
                continue;
            }
            self.write(what, *offset, bytes)?;
            self.flush()?;
            if let Some(at) = self.differs(what, *offset, bytes)? {
                let place = self.place(at);
                let message = format!("{place} in {what} was written twice and reads back as another");
                return Err(Failure::new(Code::ReadBack, message));
            }
        }
        Ok(())
    }

    /// The first byte of the disk that isn't what was written.
    fn differs(&self, what: &str, offset: u64, bytes: &[u8]) -> Result<Option<u64>, Failure> {
        let mut found = vec![0; bytes.len()];
        self.device.read_at(offset, &mut found).map_err(|error| {
            Failure::disk(format_args!("reading back {what} at {}", self.place(offset)), &error)
        })?;
        Ok(bytes.iter().zip(&found).position(|(a, b)| a != b).map(|at| offset + at as u64))
    }

    /// Makes what was written durable.
    pub fn flush(&self) -> Result<(), Failure> {
        flush(self.device)
    }

    fn write(&self, what: &str, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.device
            .write_at(offset, bytes)
            .map_err(|error| Failure::disk(format_args!("writing {what} at {}", self.place(offset)), &error))
    }

    fn place(&self, byte: u64) -> Place {
        Place::new(byte, self.device)
    }
}

/// Counts a failure for a run that can't any more: its process is gone. Nothing is written where the disk doesn't carry the claim
/// of that very order.
///
/// # Errors
/// There is no such claim, or the device's error.
pub fn count_failure_of(device: &dyn BlockDevice, order: &OrderId) -> Result<u32, Failure> {
    let mut record = vec![0; claim::SIZE];
    device
        .read_at(claim::OFFSET, &mut record)
        .map_err(|error| Failure::disk("reading the claim record", &error))?;
    match Claim::from_record(&record) {
        Some(claim) if claim.grant.order == *order => {
            let failures = claim.failures.saturating_add(1);
            Gate::new(device).claim(&Claim { failures, ..claim })?;
            Ok(failures)
        }
        _ => Err(Failure::new(Code::Internal, format!("the disk carries no claim of order {order}"))),
    }
}
