//! How long a server is waited for, and what is said meanwhile.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::HttpSource;
use super::answer::Wrong;
use crate::agent::Failure;
use crate::agent::backoff::Backoff;
use crate::spec::Code;

/// How long a server may be away before the install gives up: a reboot of the server, or of a switch.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Bytes a second below which waiting for a server uses up the patience with it.
pub const FLOOR: u64 = 1024;
/// Between two looks whether anybody still waits.
const GLANCE: Duration = Duration::from_millis(100);

/// How long what is borne.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// No byte at all.
    pub patience: Duration,
    /// A connection that gives nothing, before it is made anew.
    pub silence: Duration,
    /// A connection that isn't made.
    pub connect: Duration,
    /// The longest pause between two tries.
    pub pause: Duration,
}

impl Bounds {
    /// Those of machines.
    pub const REAL: Self = Self {
        patience: PATIENCE,
        silence: Duration::from_secs(20),
        connect: Duration::from_secs(10),
        pause: Duration::from_secs(10),
    };
}

/// How far a server is behind the slowest that is borne: [`FLOOR`] bytes for each second in which they were waited for. What is
/// done between the reads, a slow disk's writes above all, is not its fault.
#[derive(Debug, Default)]
pub struct Pace {
    behind: Duration,
}

impl Pace {
    /// So many bytes came after so long a wait; how far behind the server is now.
    pub fn add(&mut self, bytes: u64, waited: Duration) -> Duration {
        let earned = Duration::from_secs(bytes) / u32::try_from(FLOOR).unwrap_or(u32::MAX);
        self.behind = (self.behind + waited).saturating_sub(earned);
        self.behind
    }
}

/// Why a request gave nothing.
pub struct Trouble {
    pub kind: Kind,
    pub code: Code,
    pub why: String,
}

/// Whether it is worth asking again.
#[derive(PartialEq)]
pub enum Kind {
    Passing,
    /// It may be somebody on the way, and pass, or the server itself: it is asked once more.
    Doubtful,
    Lasting,
}

impl Trouble {
    pub fn passing(error: impl std::error::Error) -> Self {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            why = inner.to_string();
            cause = inner.source();
        }
        Self { kind: Kind::Passing, code: Code::PayloadUnreachable, why }
    }

    pub fn lasting(why: String) -> Self {
        Self { kind: Kind::Lasting, code: Code::PayloadUnreachable, why }
    }

    pub fn wrong(wrong: Wrong) -> Self {
        let (code, why) = match wrong {
            Wrong::Answer(why) => (Code::PayloadUnreachable, why),
            Wrong::Blob(why) => (Code::PayloadDamaged, why),
        };
        Self { kind: Kind::Doubtful, code, why }
    }
}

/// How long a server has been silent, and what was said of it.
pub struct Waiting<'a> {
    source: &'a HttpSource,
    since: Option<Instant>,
    backoff: Backoff,
    doubted: bool,
}

impl<'a> Waiting<'a> {
    pub fn new(source: &'a HttpSource) -> Self {
        Self { source, since: None, backoff: Backoff::up_to(source.bounds.pause), doubted: false }
    }

    /// Pauses before another try, or gives up.
    pub fn after(&mut self, url: &str, trouble: Trouble) -> Result<(), Failure> {
        let failure = |why: String| Failure::new(trouble.code, format!("{url}: {why}"));
        // in the middle of an install, a server's tree may be on its way
        let is_doubted = trouble.kind == Kind::Doubtful && std::mem::replace(&mut self.doubted, true);
        let is_over = is_doubted && !self.source.delivered.load(Ordering::Relaxed);
        if trouble.kind == Kind::Lasting || is_over {
            return Err(failure(trouble.why));
        }
        if self.since.is_none() {
            self.source.consoles.line(&format!("waiting for {url}: {}", trouble.why));
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let patience = self.source.bounds.patience;
        if since.elapsed() >= patience {
            return Err(failure(format!("{}; waited {} s", trouble.why, patience.as_secs())));
        }
        let until = Instant::now() + self.backoff.pause();
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.source.is_given_up() {
                return Err(failure(format!("{}; nobody waits for it any more", trouble.why)));
            }
            std::thread::sleep(left.min(GLANCE));
        }
        Ok(())
    }

    pub fn over(&mut self, url: &str, position: u64) {
        if self.since.take().is_some() {
            self.source.consoles.line(&format!("resumed {url} at byte {position}"));
        }
        self.backoff.reset();
    }
}
