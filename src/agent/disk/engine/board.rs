//! The board: what waits to be done, what is under way, what is durable, and so what may be done next.
//!
//! Jobs come in ascending order of their place on the disk and are done in any order. What was done before the first job that
//! is under way is known to be written; what was known to be so when a flush began is durable when it returns; and only that
//! is given out to be read back.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::extents::Piece;
use crate::agent::Failure;
use crate::spec::Code;
use crate::spec::image::IndexEntry;

/// Frames that wait: enough to go on while the source takes breath.
pub const MOST_FRAMES: usize = 8;
/// Jobs that wait and hold no memory.
const MOST_JOBS: usize = 64;
/// A disk that waits for the source is flushed when so much was written to it, zeroes by command not counted: often enough for
/// reading back to begin early, and seldom enough for a disk that flushes slowly.
const EARLY: u64 = 64 << 20;

/// Something to write.
#[derive(Debug)]
pub enum Job {
    /// A data extent and its frame, not yet decompressed.
    Data { entry: IndexEntry, frame: Vec<u8> },
    /// Zeroes by command.
    Zero(Range<u64>),
    /// Zeroes that are written, at most `MAX_CHUNK` of them.
    Fill(Range<u64>),
}

impl Job {
    fn range(&self) -> Range<u64> {
        match self {
            Self::Data { entry, .. } => entry.offset..entry.offset + entry.length,
            Self::Zero(range) | Self::Fill(range) => range.clone(),
        }
    }
}

/// What a hand does next.
#[derive(Debug)]
pub enum Task {
    Write(Job),
    /// Flush; then everything before this byte is durable.
    Flush(u64),
    /// Read this piece back.
    Check(Piece),
}

/// How many bytes are done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub written: u64,
    pub checked: u64,
}

/// See the module. Whoever holds it open waits for its turn at three doors, so that news for one doesn't wake all.
pub struct Board<'a> {
    state: Mutex<State<'a>>,
    /// Hands wait for tasks.
    tasks: Condvar,
    /// The feed waits for room.
    room: Condvar,
    /// Whoever tells waits for the end.
    end: Condvar,
}

struct State<'a> {
    waiting: VecDeque<Job>,
    /// First bytes of the jobs that wait or are being done.
    under_way: BTreeSet<u64>,
    /// Every job that begins before this byte was handed in.
    handed_in: u64,
    all_handed_in: bool,
    /// What was written before the first job ends here.
    before: u64,
    /// Everything before this byte is durable.
    flushed: u64,
    flushing: bool,
    since: Since,
    next: Option<Piece>,
    rest: Box<dyn Iterator<Item = Piece> + Send + 'a>,
    checking: usize,
    counts: Counts,
    /// Where the last piece begins that had to be written once more.
    mended: Option<u64>,
    /// Frames that were decoded: memory for the next ones.
    spare: Vec<Vec<u8>>,
    failure: Option<Failure>,
}

impl<'a> Board<'a> {
    /// Nothing is written yet; these are the pieces to read back.
    pub fn new(mut pieces: impl Iterator<Item = Piece> + Send + 'a) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            under_way: BTreeSet::new(),
            handed_in: 0,
            all_handed_in: false,
            before: 0,
            flushed: 0,
            flushing: false,
            since: Since::default(),
            next: pieces.next(),
            rest: Box::new(pieces),
            checking: 0,
            counts: Counts::default(),
            mended: None,
            spare: Vec::new(),
            failure: None,
        };
        let (tasks, room, end) = (Condvar::new(), Condvar::new(), Condvar::new());
        Self { state: Mutex::new(state), tasks, room, end }
    }

    /// Before the first job: so many bytes are as they should be, and were written, perhaps, and not flushed, up to this byte.
    pub fn go_on_from(&self, counts: Counts, before: u64) {
        let mut state = self.locked();
        (state.counts, state.before) = (counts, before);
    }

    /// Now that all is written, durable and read back: these pieces are to be read back once more, and nothing of them was mended
    /// yet.
    pub fn read_back_again(&self, mut pieces: impl Iterator<Item = Piece> + Send + 'a) {
        let mut state = self.locked();
        (state.mended, state.counts.checked) = (None, 0);
        state.next = pieces.next();
        state.rest = Box::new(pieces);
    }

    /// The first byte of the last piece that had to be written once more.
    pub fn mended(&self) -> Option<u64> {
        self.locked().mended
    }

    /// A piece that begins here read back wrong, was written once more, and is right now.
    pub fn has_mended(&self, start: u64) {
        self.locked().mended = Some(start);
    }

    fn locked(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands in a job that lies behind all others, once there is room; `false` when nobody will do it.
    pub fn hand_in(&self, job: Job) -> bool {
        let full = |state: &mut State<'_>| state.is_full() && state.failure.is_none();
        let mut state = self.room.wait_while(self.locked(), full).unwrap_or_else(PoisonError::into_inner);
        if state.failure.is_some() {
            return false;
        }
        let Range { start, end } = job.range();
        state.since.jobs += 1;
        state.since.awaited += usize::from(state.under_way.is_empty());
        state.under_way.insert(start);
        state.handed_in = end;
        state.waiting.push_back(job);
        self.tasks.notify_one();
        true
    }

    /// There will be no more jobs.
    pub fn all_handed_in(&self) {
        let mut state = self.locked();
        state.all_handed_in = true;
        state.handed_in = state.handed_in.max(state.before);
        drop(state);
        self.tasks.notify_all();
    }

    /// Memory for a frame.
    pub fn frame(&self) -> Vec<u8> {
        self.locked().spare.pop().unwrap_or_default()
    }

    /// Takes the memory of a frame back.
    pub fn give_back(&self, frame: Vec<u8>) {
        self.locked().spare.push(frame);
    }

    /// The next task, once there is one; `None` when all is done, or nothing must be done any more.
    pub fn next(&self) -> Option<Task> {
        let mut state = self.locked();
        loop {
            if state.has_ended() {
                return None;
            }
            if let Some(task) = state.choose() {
                if matches!(task, Task::Write(_)) {
                    self.room.notify_one();
                }
                return Some(task);
            }
            state = self.tasks.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The job that begins at this byte is done: so many bytes are as they should be, and so many of them were written.
    pub fn done(&self, start: u64, bytes: u64, written: u64) {
        let mut state = self.locked();
        state.under_way.remove(&start);
        state.counts.written += bytes;
        state.since.written += written;
        if state.is_all_written() {
            self.tasks.notify_all();
        }
    }

    /// The job that begins at this byte is to be done as these ones, which begin there too.
    pub fn instead(&self, start: u64, jobs: Vec<Job>) {
        let mut state = self.locked();
        state.under_way.remove(&start);
        for job in jobs.into_iter().rev() {
            state.under_way.insert(job.range().start);
            state.waiting.push_front(job);
        }
        self.tasks.notify_all();
    }

    /// Everything before this byte, which came with the task, is durable.
    pub fn flushed(&self, end: u64) {
        let mut state = self.locked();
        (state.flushed, state.flushing) = (end, false);
        self.tasks.notify_all();
    }

    /// So many bytes were read back and are right.
    pub fn checked(&self, bytes: u64) {
        let mut state = self.locked();
        state.checking -= 1;
        state.counts.checked += bytes;
        if state.has_ended() {
            self.tell_end();
        }
    }

    /// Nothing more is to be done. The first failure is the one that counts.
    pub fn fail(&self, failure: &Failure) {
        self.locked().failure.get_or_insert_with(|| failure.clone());
        self.tell_end();
        self.room.notify_all();
    }

    fn tell_end(&self) {
        self.tasks.notify_all();
        self.end.notify_all();
    }

    /// Does what a thread is for: whatever its end is, the others hear of it.
    pub fn guard(&self, work: impl FnOnce() -> Result<(), Failure>) {
        struct Guard<'b, 'a>(&'b Board<'a>);
        impl Drop for Guard<'_, '_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.fail(&Failure::new(Code::Internal, "a thread of the engine panicked"));
                }
            }
        }
        let guard = Guard(self);
        if let Err(failure) = work() {
            guard.0.fail(&failure);
        }
    }

    /// How far it is, at the end or after this long; and how it ended, if it did.
    pub fn wait(&self, long: Duration) -> (Counts, Option<Result<(), Failure>>) {
        let going_on = |state: &mut State<'_>| !state.has_ended();
        let waited = self.end.wait_timeout_while(self.locked(), long, going_on);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let end = state.has_ended().then(|| state.failure.clone().map_or(Ok(()), Err));
        (state.counts, end)
    }
}

/// What happened since the last flush began.
#[derive(Debug, Default)]
struct Since {
    /// Bytes that were written, not zeroed by command.
    written: u64,
    /// Jobs that came in.
    jobs: usize,
    /// Those of them that came when there was nothing else to do.
    awaited: usize,
}

impl Since {
    /// The disk waits for the source. Where the source only pauses for a moment, a flush would hold up what comes next.
    fn is_worth_a_flush(&self) -> bool {
        self.written >= EARLY && 2 * self.awaited >= self.jobs
    }
}

impl State<'_> {
    fn has_ended(&self) -> bool {
        self.failure.is_some() || (self.next.is_none() && self.checking == 0)
    }

    fn is_all_written(&self) -> bool {
        self.all_handed_in && self.under_way.is_empty()
    }

    fn is_full(&self) -> bool {
        let frames = self.waiting.iter().filter(|job| matches!(job, Job::Data { .. })).count();
        frames >= MOST_FRAMES || self.waiting.len() >= MOST_JOBS
    }

    /// Writing comes first: the source is what can't wait.
    fn choose(&mut self) -> Option<Task> {
        if let Some(job) = self.waiting.pop_front() {
            return Some(Task::Write(job));
        }
        let all_written = self.is_all_written();
        let idle = self.under_way.is_empty() && !self.flushing;
        // the last flush doesn't wait until what an early one made durable is read back
        let is_last = idle && all_written && self.handed_in > self.flushed;
        let flushed = self.flushed;
        if !is_last
            && (all_written || self.checking == 0)
            && let Some(piece) = self.next.take_if(|piece| piece.range.end <= flushed)
        {
            self.next = self.rest.next();
            self.checking += 1;
            return Some(Task::Check(piece));
        }
        if is_last || idle && self.since.is_worth_a_flush() {
            (self.flushing, self.since) = (true, Since::default());
            return Some(Task::Flush(self.handed_in));
        }
        None
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
pub mod tests;
