//! Media in memory.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::agent::payload::source;
use crate::spec::FormatVersion;
use crate::sys::block::MemoryDevice;
use crate::value::Timestamp;

const PAYLOAD: u64 = 1 << 20;
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

fn medium(content: &[u8]) -> (Vec<u8>, Blob) {
    let mut disk = vec![0; 4 << 20];
    let mut table = gpt::Table::new(Uuid::from_u128(1));
    let entry = |kind, at, length| gpt::Entry::new(kind, Uuid::from_u128(u128::from(at)), at, length, "x");
    table.entries.insert(2, entry(payload::PARTITION_TYPE, PAYLOAD, 1 << 20));
    table.entries.insert(3, entry(recorder::PARTITION_TYPE, RECORDER, 2048));
    let built = table.build(disk.len() as u64).unwrap();
    disk[..built.primary.len()].copy_from_slice(&built.primary);
    disk[built.backup_offset as usize..].copy_from_slice(&built.backup);
    let blob = Blob { digest: Digest::of(content), size: content.len() as u64 };
    let blobs = vec![PayloadBlob { blob, offset: 8192 }];
    let json = serde_json::to_vec(&PayloadDirectory { version: FormatVersion, blobs }).unwrap();
    let at = PAYLOAD as usize;
    disk[at..at + 16].copy_from_slice(payload::MAGIC);
    disk[at + 16..at + 24].copy_from_slice(&(json.len() as u64).to_le_bytes());
    disk[at + 4096..at + 4096 + json.len()].copy_from_slice(&json);
    disk[at + 8192..at + 8192 + content.len()].copy_from_slice(content);
    (disk, blob)
}

/// A medium whose recorder can be opened again and again.
pub(crate) struct Medium(Arc<MemoryDevice>);

impl Medium {
    pub(crate) fn new() -> Self {
        Self(Arc::new(MemoryDevice::new(medium(b"x").0)))
    }

    /// After the records that are there.
    pub(crate) fn recorder(&self) -> Recorder {
        Recorder::on(Box::new(Shared(self.0.clone()))).unwrap()
    }

    /// What was recorded.
    pub(crate) fn events(&self) -> Vec<Event> {
        let (content, mut at, mut seen) = (self.0.content(), RECORDER as usize, Vec::new());
        while let Some((json, length)) = recorder::decode(&content[at..RECORDER as usize + 2048]) {
            seen.push(serde_json::from_slice(json).unwrap());
            at += length;
        }
        seen
    }
}

#[test]
fn blobs_are_read_and_verified_from_the_partition() {
    let content = b"golden".repeat(1000);
    let (disk, blob) = medium(&content);
    let stick = StickSource::on("sda".to_owned(), Box::new(MemoryDevice::new(disk.clone()))).unwrap();
    assert!(stick.has(&blob.digest));
    assert_eq!(*source::fetch(&stick, &blob, 1 << 20).unwrap(), content);
    let missing = Blob { digest: Digest::of(b"other"), size: 5 };
    assert_eq!(source::fetch(&stick, &missing, 1 << 20).unwrap_err().code, Code::PayloadUnreachable);
    let longer = Blob { size: blob.size + 1, ..blob };
    assert_eq!(source::fetch(&stick, &longer, 1 << 20).unwrap_err().code, Code::PayloadDamaged);
    let mut damaged = disk;
    damaged[PAYLOAD as usize + 8192 + 100] ^= 1;
    let stick = StickSource::on("sda".to_owned(), Box::new(MemoryDevice::new(damaged))).unwrap();
    assert_eq!(source::fetch(&stick, &blob, 1 << 20).unwrap_err().code, Code::PayloadDamaged);
}

#[test]
fn of_two_sticks_the_one_with_the_image_is_taken() {
    let ((one, first), (two, second)) = (medium(b"one"), medium(b"two"));
    let sticks = || {
        [("sda", &one), ("sdb", &two)].into_iter().map(|(name, disk)| {
            StickSource::on(name.to_owned(), Box::new(MemoryDevice::new(disk.clone()))).unwrap()
        })
    };
    let chosen = |wanted: Option<Digest>| StickSource::choose(sticks(), wanted.as_ref()).unwrap().name;
    assert_eq!([chosen(Some(first.digest)), chosen(Some(second.digest))], ["sda", "sdb"]);
    assert_eq!([chosen(Some(Digest::of(b"three"))), chosen(None)], ["sda", "sda"]);
    assert!(StickSource::choose(std::iter::empty(), Some(&first.digest)).is_none());
}

#[test]
fn a_disk_without_our_partitions_is_no_medium() {
    let disk = || Box::new(MemoryDevice::new(vec![0; 1 << 20]));
    assert!(StickSource::on("sda".to_owned(), disk()).is_none());
    assert!(Recorder::on(disk()).is_none());
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
