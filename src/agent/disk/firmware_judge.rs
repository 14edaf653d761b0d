//! What a firmware makes of a disk: the judge of tests that cut the power or break the disk. It shares no code with the agent, and
//! is the same that looks at disks of emulated machines.

#[path = "../../../tests/support/boots.rs"]
mod boots;

pub use boots::{Verdict, boots, judge};
use uuid::Uuid;

use crate::sys::gpt::{Entry, LINUX_DATA, Table};

/// A disk as it was before, with another system on it that boots, and that has data where the claim record goes.
pub fn old_system(size: u64) -> Vec<u8> {
    let mut disk = vec![0x5a; size as usize];
    let mut table = Table::new(Uuid::from_u128(0x01d));
    let start = 34 * 512;
    let whole = (start, size / 4096 * 4096 - 65536 - start);
    let entry = Entry::new(LINUX_DATA, Uuid::from_u128(0x01d1), whole.0, whole.1, "old");
    table.entries.insert(1, entry);
    let bytes = table.build(size).unwrap();
    disk[..bytes.primary.len()].copy_from_slice(&bytes.primary);
    disk[bytes.backup_offset as usize..].copy_from_slice(&bytes.backup);
    disk
}
