//! Recorders in memory.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::spec::FormatVersion;
use crate::sys::block::MemoryDevice;

const RECORDER: u64 = 2 << 20;

/// A handle on a disk that a test looks at afterwards.
struct Shared(Arc<MemoryDevice>);

impl BlockDevice for Shared {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn logical_block(&self) -> u32 {
        512
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn flush(&self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn medium() -> Vec<u8> {
    let mut disk = vec![0; 4 << 20];
    let mut table = gpt::Table::new(Uuid::from_u128(1));
    let entry = gpt::Entry::new(recorder::PARTITION_TYPE, Uuid::from_u128(2), RECORDER, 2048, "x");
    table.entries.insert(3, entry);
    let built = table.build(disk.len() as u64).unwrap();
    disk[..built.primary.len()].copy_from_slice(&built.primary);
    disk[built.backup_offset as usize..].copy_from_slice(&built.backup);
    disk
}

/// A medium whose recorder can be opened again and again.
pub struct Medium(Arc<MemoryDevice>);

impl Medium {
    pub fn new() -> Self {
        Self(Arc::new(MemoryDevice::new(medium())))
    }

    /// After the records that are there.
    pub fn recorder(&self) -> Recorder {
        Recorder::on(Box::new(Shared(self.0.clone()))).unwrap()
    }

    /// What was recorded.
    pub fn events(&self) -> Vec<Event> {
        let (content, mut at, mut seen) = (self.0.content(), RECORDER as usize, Vec::new());
        while let Some((json, length)) = recorder::decode(&content[at..RECORDER as usize + 2048]) {
            seen.push(serde_json::from_slice(json).unwrap());
            at += length;
        }
        seen
    }
}

#[test]
fn a_disk_without_our_partition_has_no_recorder() {
    assert!(Recorder::on(Box::new(MemoryDevice::new(vec![0; 1 << 20]))).is_none());
}

fn event(seq: u64) -> Event {
    let (version, time) = (FormatVersion, Timestamp::from_unix(1));
    Event {
        version,
        run: "r".to_owned(),
        seq,
        time,
        host: None,
        order: None,
        what: What::AlreadyDone,
        token: None,
    }
}

#[test]
fn a_recorder_appends_after_what_is_there_and_stops_when_it_is_full() {
    let disk = Medium::new();
    for seq in 0..6 {
        // opened anew each time, as after a restart
        disk.recorder().append(&event(seq));
    }
    let seen: Vec<_> = disk.events().iter().map(|event| event.seq).collect();
    assert_eq!(seen, [0, 1, 2, 3]);
    assert_eq!(disk.recorder().events(), disk.events());
    assert!(disk.0.content()[RECORDER as usize + 2048..3 << 20].iter().all(|byte| *byte == 0));
}

#[test]
fn a_recorder_remembers_up_to_its_first_damage_and_passes_over_what_it_does_not_know() {
    let disk = Medium::new();
    assert_eq!(disk.recorder().events(), []);
    let mut recorder = disk.recorder();
    recorder.append(&event(0));
    let stranger = recorder::encode(b"{\"version\":9}").unwrap();
    disk.0.write_at(RECORDER + 512, &stranger).unwrap();
    let mut recorder = disk.recorder();
    recorder.append(&event(2));
    let seen = |recorder: &Recorder| recorder.events().iter().map(|event| event.seq).collect::<Vec<_>>();
    assert_eq!(seen(&recorder), [0, 2]);
    disk.0.write_at(RECORDER + 512 + 20, b"!").unwrap();
    assert_eq!(seen(&disk.recorder()), [0]);
}

#[test]
fn a_recorder_tells_the_newest_time_that_was_believed_and_no_clock() {
    let disk = Medium::new();
    let record = |clock: i64, what| {
        disk.recorder().append(&Event {
            version: FormatVersion,
            run: "r".to_owned(),
            seq: 0,
            time: Timestamp::from_unix(clock),
            host: None,
            order: None,
            what,
            token: None,
        });
    };
    let planned = |believed: Option<i64>| What::Planned {
        disk: "sda".to_owned(),
        bytes: 1,
        believed: believed.map(Timestamp::from_unix),
    };
    assert_eq!(disk.recorder().believed(), None);
    record(9_000, What::AlreadyDone);
    record(9_000, planned(None));
    assert_eq!(disk.recorder().believed(), None, "a clock in the future isn't taken for the time");
    record(9_000, planned(Some(2_000)));
    record(9_000, planned(Some(1_000)));
    assert_eq!(disk.recorder().believed(), Some(Timestamp::from_unix(2_000)));
}

#[test]
fn refusals_leave_room_for_what_a_later_run_has_to_know() {
    assert_eq!(reserved(recorder::SIZE), 256 << 10);
    assert_eq!(reserved(4096), 0);
    let refused = What::Refused { code: crate::spec::Code::NoDisk, message: "none".to_owned() };
    assert!(!matters_later(&refused) && !matters_later(&What::AlreadyDone));
    assert!(matters_later(&What::Claimed { disk: "serial:S1".to_owned(), attempt: 1 }));
    assert!(matters_later(&What::Planned { disk: "sda".to_owned(), bytes: 1, believed: None }));
}
