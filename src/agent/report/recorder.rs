//! The boot medium's recorder partition, found by its type: the story of every machine that started from it.
//!
//! Nothing read here is trusted, and a medium that can't be written records nothing: an install doesn't need it to.

use std::path::Path;

use crate::spec::event::{Event, What};
use crate::spec::recorder;
use crate::sys::block::BlockDevice;
use crate::sys::gpt;
use crate::sys::linux::disk;
use crate::value::Timestamp;

/// The recorder partition of a medium, from the first free byte on.
pub struct Recorder {
    device: Box<dyn BlockDevice>,
    start: u64,
    position: u64,
    end: u64,
    believed: Option<Timestamp>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Recorder {
    /// The recorder on the disk with this kernel name; `None` when it has none or can't be written.
    pub fn open(name: &str) -> Option<Self> {
        let device = disk::open_shared(&Path::new("/dev").join(name)).ok()?;
        Self::on(Box::new(device))
    }

    /// The recorder of this disk, after the records that are there.
    pub fn on(device: Box<dyn BlockDevice>) -> Option<Self> {
        let (start, length) = gpt::find_partition(&*device, recorder::PARTITION_TYPE)?;
        let mut bytes = vec![0; length.min(recorder::SIZE) as usize];
        device.read_at(start, &mut bytes).ok()?;
        let used: usize = records(&bytes).map(|(_, padded)| padded).sum();
        let believed = records(&bytes).filter_map(|(json, _)| believed_in(json)).max();
        let position = start + used as u64;
        Some(Self { device, start, position, end: start + bytes.len() as u64, believed })
    }

    /// What is recorded, of this run too: at most 4 MiB, by whoever wrote on the medium. Records of another version are passed
    /// over; a recorder that can't be read any more knows nothing.
    pub fn events(&self) -> Vec<Event> {
        // never above what `on` read
        let mut bytes = vec![0; (self.position - self.start) as usize];
        if self.device.read_at(self.start, &mut bytes).is_err() {
            return Vec::new();
        }
        records(&bytes).filter_map(|(json, _)| serde_json::from_slice(json).ok()).collect()
    }

    /// The newest time that an install from this medium believed, as recorded before it was opened. What the clocks of its
    /// machines said is another matter.
    pub fn believed(&self) -> Option<Timestamp> {
        self.believed
    }

    /// Appends one event. A full or failing recorder stays silent; its last part is for what a later run has to know.
    pub fn append(&mut self, event: &Event) {
        let record = serde_json::to_vec(event).ok().and_then(|json| recorder::encode(&json));
        let Some(record) = record else { return };
        let end =
            if matters_later(&event.what) { self.end } else { self.end - reserved(self.end - self.start) };
        if self.position + record.len() as u64 <= end && self.device.write_at(self.position, &record).is_ok()
        {
            self.position += record.len() as u64;
            let _ = self.device.flush();
        }
    }
}

/// Room at the end of a recorder of this length, in bytes, that refusals and progress don't fill: on our media, hundreds of installs.
fn reserved(length: u64) -> u64 {
    const LEAST: u64 = 1 << 20;
    if length < LEAST { 0 } else { length / 16 }
}

/// Whether an event says on which disk an order was used, or what time it was.
fn matters_later(what: &What) -> bool {
    matches!(
        what,
        What::Planned { .. }
            | What::Claimed { .. }
            | What::Committed { .. }
            | What::TablesMade
            | What::Failed { .. }
    )
}

/// The JSON of each record and the room that it takes.
fn records(bytes: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut used = 0;
    std::iter::from_fn(move || {
        let record = recorder::decode(bytes.get(used..)?)?;
        used += record.1;
        Some(record)
    })
}

/// The time that a record says was believed.
fn believed_in(json: &[u8]) -> Option<Timestamp> {
    match serde_json::from_slice(json).ok()? {
        Event { what: What::Planned { believed, .. }, .. } => believed,
        _ => None,
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
#[cfg(test)]
pub use tests::Medium;
