//! A device whose silence is told. A disk may stall for a minute and then go on, and whoever stands before the machine wants to know
//! what it waits for.
//!
//! Nothing here ends an operation, and nobody above it does: what is under way at a disk can't be called back. The kernel gives
//! it up when the disk's driver has (after tries of two minutes, see `TargetDisk`, and resets between them), and then it fails like
//! any other.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::BlockDevice;

/// An operation that takes longer is told of. The slowest disks that are well answer within some seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// A device that is looked after while it works.
pub struct Attended<'a> {
    device: &'a dyn BlockDevice,
    pending: Arc<Mutex<Pending>>,
    /// Closed when it is dropped.
    _end: Sender<()>,
}

impl std::fmt::Debug for Attended<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attended").field("pending", &self.pending).finish_non_exhaustive()
    }
}

/// What the device was asked for and hasn't answered yet.
#[derive(Debug, Default)]
struct Pending {
    begun: u64,
    /// By its number: what, and since when. The first one is the oldest.
    open: BTreeMap<u64, (Asked, Instant)>,
    /// The one that was told of, and since when it is under way.
    told: Option<(u64, Instant)>,
}

/// What a device is asked for. Put into words only where it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Flush,
    /// What is done with these bytes, and how long the device's blocks are.
    Bytes {
        doing: &'static str,
        range: Range<u64>,
        block: u32,
    },
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flush => f.write_str("flushing its cache"),
            Self::Bytes { doing, range: Range { start, end }, block } => {
                let (length, lba) = (end.saturating_sub(*start), start / u64::from((*block).max(1)));
                write!(f, "{doing} {length} bytes at byte {start} (LBA {lba})")
            }
        }
    }
}

impl Pending {
    fn begin(&mut self, what: Asked, now: Instant) -> u64 {
        self.begun += 1;
        self.open.insert(self.begun, (what, now));
        self.begun
    }

    /// What there is to say now.
    fn look(&mut self, now: Instant, silence: Duration) -> Option<String> {
        if let Some((number, since)) = self.told {
            if self.open.contains_key(&number) {
                return None;
            }
            self.told = None;
            let long = now.saturating_duration_since(since).as_secs();
            return Some(format!("the disk answers again, after {long} s"));
        }
        let (number, (what, since)) = self.open.first_key_value()?;
        let long = now.saturating_duration_since(*since);
        if long < silence {
            return None;
        }
        let text = format!(
            "the disk hasn't answered for {} s: {what}; it goes on when the disk does",
            long.as_secs()
        );
        self.told = Some((*number, *since));
        Some(text)
    }
}

impl<'a> Attended<'a> {
    /// `say` hears when the device is silent for long, and when it answers again.
    pub fn new(device: &'a dyn BlockDevice, say: impl Fn(&str) + Send + 'static) -> Self {
        Self::with_silence(SILENCE, device, say)
    }

    /// The same where so long is long.
    pub fn with_silence(
        silence: Duration,
        device: &'a dyn BlockDevice,
        say: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let pending = Arc::<Mutex<Pending>>::default();
        let (end, ended) = channel::<()>();
        let watched = Arc::clone(&pending);
        std::thread::spawn(move || {
            while ended.recv_timeout(silence / 30) == Err(RecvTimeoutError::Timeout) {
                let text = locked(&watched).look(Instant::now(), silence);
                text.iter().for_each(|text| say(text));
            }
        });
        Self { device, pending, _end: end }
    }

    fn told<T>(&self, what: Asked, operation: impl FnOnce() -> T) -> T {
        let number = locked(&self.pending).begin(what, Instant::now());
        let done = operation();
        locked(&self.pending).open.remove(&number);
        done
    }

    fn bytes(&self, doing: &'static str, start: u64, length: usize) -> Asked {
        let range = start..start.saturating_add(length as u64);
        Asked::Bytes { doing, range, block: self.device.logical_block() }
    }
}

fn locked(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BlockDevice for Attended<'_> {
    fn size(&self) -> u64 {
        self.device.size()
    }

    fn logical_block(&self) -> u32 {
        self.device.logical_block()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.told(self.bytes("reading", offset, buffer.len()), || self.device.read_at(offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.told(self.bytes("writing", offset, bytes.len()), || self.device.write_at(offset, bytes))
    }

    fn flush(&self) -> io::Result<()> {
        self.told(Asked::Flush, || self.device.flush())
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let block = self.device.logical_block();
        self.told(Asked::Bytes { doing: "zeroing", range: range.clone(), block }, || self.device.zero(range))
    }

    fn zeroes_cheaply(&self) -> bool {
        self.device.zeroes_cheaply()
    }

    fn depth(&self) -> usize {
        self.device.depth()
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryDevice;
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_minute_of_silence_is_told_once_and_so_is_its_end() {
        let (begin, mut pending) = (Instant::now(), Pending::default());
        let look = |pending: &mut Pending, at| pending.look(begin + seconds(at), SILENCE);
        let quick = pending.begin(Asked::Flush, begin);
        let writing = Asked::Bytes { doing: "writing", range: 1024..1536, block: 512 };
        let slow = pending.begin(writing, begin + seconds(1));
        pending.open.remove(&quick);
        assert_eq!(look(&mut pending, 30), None);
        let told = look(&mut pending, 31).unwrap();
        assert!(told.contains("for 30 s: writing 512 bytes at byte 1024 (LBA 2)"), "{told}");
        assert_eq!(look(&mut pending, 60), None);
        pending.open.remove(&slow);
        assert_eq!(look(&mut pending, 62).unwrap(), "the disk answers again, after 61 s");
        assert_eq!(look(&mut pending, 200), None);
    }

    #[test]
    fn a_disk_that_is_busy_all_the_time_is_not_silent() {
        let (begin, mut pending) = (Instant::now(), Pending::default());
        let mut last = pending.begin(Asked::Flush, begin);
        for at in (20..400).step_by(20) {
            let next = pending.begin(Asked::Flush, begin + seconds(at));
            pending.open.remove(&last);
            assert_eq!(pending.look(begin + seconds(at), SILENCE), None);
            last = next;
        }
    }

    #[test]
    fn it_does_what_the_device_does() {
        let disk = MemoryDevice::new(vec![7; 8192]).with_cheap_zeroes().with_bad_range(4096..4097);
        let attended = Attended::new(&disk, |_| ());
        let mut buffer = [0; 512];
        attended.write_at(512, &[1; 512]).unwrap();
        attended.zero(1024..1536).unwrap();
        attended.flush().unwrap();
        attended.read_at(512, &mut buffer).unwrap();
        assert_eq!((buffer, attended.size(), attended.depth()), ([1; 512], 8192, disk.depth()));
        assert!(attended.read_at(4096, &mut buffer).is_err() && attended.zeroes_cheaply());
        assert!(locked(&attended.pending).open.is_empty());
    }
}
