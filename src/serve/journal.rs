//! The files of received events: one JSON a line, synced before the sender is told that it was stored.
//!
//! What a sender wasn't told about it sends again, so a torn last line (power cut in the middle of an append) is cut off
//! at the next start and nothing is lost. Lines are kept as they came, with fields this version doesn't know.
//!
//! What isn't proven has a small file of its own, `unproven.jsonl`, and isn't synced: anybody can send it, and it must neither push
//! out what is proven nor wear the disk. A full file must not refuse events: it is put aside as `….old`, in place of the one before
//! it, and a new one begins with the words of each expected order that is done. Two files of each bound the disk's use.

use std::collections::{BTreeSet, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::forgotten::Forgotten;
use super::report::says_done;
use super::state::{FleetState, Received, Trust};
use crate::failure::{Blame, BlameExt};
use crate::spec::event::Event;
use crate::sys::files;
use crate::value::{OrderId, Timestamp};

/// Largest event that is accepted, as JSON.
pub const MAX_EVENT: usize = 64 << 10;
/// Length at which a file is put aside: nobody may fill the disk with events.
const MAX_JOURNAL: u64 = 256 << 20;
/// The same for what isn't proven.
const MAX_UNPROVEN: u64 = 8 << 20;
/// Its name, beside the other's.
const UNPROVEN: &str = "unproven.jsonl";

/// One line.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    received: Timestamp,
    client: IpAddr,
    #[serde(default, skip_serializing_if = "Trust::is_proven")]
    trust: Trust,
    event: std::borrow::Cow<'a, serde_json::value::RawValue>,
}

/// The files, open for appending and locked against a second server.
#[derive(Debug)]
pub struct Journal {
    proven: Lines,
    unproven: Lines,
}

impl Journal {
    /// Opens or makes the files and adds what they and those before them hold to the fleet, which says what is expected.
    ///
    /// # Errors
    /// When one can't be read or written, or another server has it.
    pub fn open(path: &Path, fleet: &mut FleetState) -> Result<Self> {
        Self::open_up_to(path, fleet, MAX_JOURNAL)
    }

    fn open_up_to(path: &Path, fleet: &mut FleetState, longest: u64) -> Result<Self> {
        let proven = Lines::open(path, fleet, longest)?;
        Ok(Self { proven, unproven: Lines::open(&unproven(path), fleet, MAX_UNPROVEN)? })
    }

    /// From now on the orders that the fleet expects are kept when the file is put aside.
    pub fn expect(&mut self, fleet: &FleetState) {
        self.proven.expected = fleet.expected_orders().clone();
    }

    /// Tries whether events can be stored.
    ///
    /// # Errors
    /// When a file is gone, or nothing can be written there.
    pub fn writable(&self) -> Result<()> {
        self.proven.writable()?;
        self.unproven.writable()
    }

    /// Stores an event; one that is proven is synced. `json` is the event as it came and was parsed.
    ///
    /// # Errors
    /// When the file can't be written or put aside; it then holds what it held before.
    pub fn append(&mut self, received: &Received, json: &serde_json::value::RawValue) -> Result<()> {
        let Received { time, client, trust, .. } = received;
        let line =
            Line { received: *time, client: *client, trust: *trust, event: std::borrow::Cow::Borrowed(json) };
        let lines = if trust.is_proven() { &mut self.proven } else { &mut self.unproven };
        lines.append(&line, trust.is_proven())
    }
}

/// One file.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: File,
    length: u64,
    longest: u64,
    expected: BTreeSet<OrderId>,
}

impl Lines {
    fn open(path: &Path, fleet: &mut FleetState, longest: u64) -> Result<Self> {
        files::make_private_place(path)?;
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("opening {}", path.display()))?;
        if file.try_lock().is_err() {
            bail!("{} is in use by another `ironstrap serve`; stop that one first", path.display());
        }
        let mut add = |received: &Received| fleet.add(received);
        each_of_file(&former(path), &mut add)?;
        let length = add_up(&mut file, &mut add).with_context(|| format!("reading {}", path.display()))?;
        file.set_len(length).with_context(|| format!("cutting the torn end of {}", path.display()))?;
        let expected = fleet.expected_orders().clone();
        Ok(Self { path: path.to_owned(), file, length, longest, expected })
    }

    /// Whether the file is at its place, and there is room beside it.
    fn writable(&self) -> Result<()> {
        use std::os::unix::fs::MetadataExt;
        let shown = self.path.display();
        let there = std::fs::metadata(&self.path).with_context(|| format!("looking for {shown}"))?;
        let ours = self.file.metadata().with_context(|| format!("looking at {shown}"))?;
        anyhow::ensure!(
            (there.dev(), there.ino()) == (ours.dev(), ours.ino()),
            "{shown} is another file than this server writes; start the server again"
        );
        let trial = || -> std::io::Result<()> {
            let directory = self.path.parent().unwrap_or(Path::new("."));
            OpenOptions::new().append(true).open(&self.path)?;
            tempfile::tempfile_in(directory)?.write_all(&[0; 4096])
        };
        trial().with_context(|| format!("trying to write beside {shown}"))
    }

    fn append(&mut self, line: &Line<'_>, sync: bool) -> Result<()> {
        let mut text = serde_json::to_string(line).context("encoding an event").blame(Blame::Bug)?;
        // JSON allows line breaks between tokens; inside strings they are escaped
        text.retain(|c| c != '\n' && c != '\r');
        text.push('\n');
        if self.length + text.len() as u64 > self.longest {
            self.put_aside().with_context(|| format!("putting {} aside", self.path.display()))?;
        }
        if let Err(error) = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| if sync { self.file.sync_data() } else { Ok(()) })
        {
            let _ = self.file.set_len(self.length);
            return Err(error).with_context(|| format!("writing {}", self.path.display()));
        }
        self.length += text.len() as u64;
        Ok(())
    }

    /// Begins a new file. If that breaks off, the old one is in place, or what it held is read from beside it.
    fn put_aside(&mut self) -> Result<()> {
        let directory = self.path.parent().context("the file has a directory")?;
        // readable by its owner only, as tempfile makes it
        let next = tempfile::Builder::new().prefix(".ironstrap-").append(true).tempfile_in(directory)?;
        next.as_file().lock().context("locking the new file")?;
        let mut out = BufWriter::new(next.as_file());
        let length = carry_over(&mut self.file, &self.expected, self.longest / 2, &mut out)?;
        out.flush().context("writing the new file")?;
        drop(out);
        next.as_file().sync_all().context("writing the new file")?;
        std::fs::rename(&self.path, former(&self.path))?;
        self.file = next.persist(&self.path)?;
        self.length = length;
        Ok(())
    }
}

/// Where what isn't proven is kept.
fn unproven(path: &Path) -> PathBuf {
    path.with_file_name(UNPROVEN)
}

/// Where the file is put when it is full.
fn former(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    name.into()
}

/// Copies what says of an expected order that it is done, one line of each kind, up to so many bytes; returns how many they were.
/// Without them, a server that starts again would take these orders for waiting ones, and believe no hand-off.
fn carry_over(file: &mut File, expected: &BTreeSet<OrderId>, most: u64, out: &mut impl Write) -> Result<u64> {
    let (mut carried, mut length) = (HashSet::new(), 0);
    each_line(file, |line| {
        let Some(Received { event, .. }) = parse_line(line) else { return Ok(()) };
        let Some(order) = event.order.filter(|order| says_done(&event.what) && expected.contains(order))
        else {
            return Ok(());
        };
        let kind = std::mem::discriminant(&event.what);
        if length + line.len() as u64 <= most && carried.insert((order, kind)) {
            out.write_all(line)?;
            length += line.len() as u64;
        }
        Ok(())
    })?;
    Ok(length)
}

/// Reads events without touching the files; none when there are none yet.
///
/// # Errors
/// When one is there and can't be read.
pub fn read(path: &Path, forgotten: &Forgotten) -> Result<FleetState> {
    let mut fleet = FleetState::default();
    fleet.forget(forgotten);
    each(path, |received| fleet.add(received))?;
    each_unproven(path, |received| fleet.add(received))?;
    Ok(fleet)
}

/// Calls for each event that is proven, in the order in which they were received, without touching the files.
///
/// # Errors
/// When one is there and can't be read.
pub fn each(path: &Path, mut call: impl FnMut(&Received)) -> Result<()> {
    each_of_file(&former(path), &mut call)?;
    each_of_file(path, &mut call)
}

/// The same of the events that nothing proves.
///
/// # Errors
/// When they are there and can't be read.
pub fn each_unproven(path: &Path, mut call: impl FnMut(&Received)) -> Result<()> {
    each(&unproven(path), &mut call)
}

fn each_of_file(path: &Path, call: &mut impl FnMut(&Received)) -> Result<()> {
    match File::open(path) {
        Ok(mut file) => {
            add_up(&mut file, call).with_context(|| format!("reading {}", path.display()))?;
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("opening {}", path.display())),
    }
}

/// Calls for each event of a file; returns the length of its whole lines. Lines that aren't events (edited by hand, of an unknown
/// version) are passed over: they must not keep a datacenter from booting.
fn add_up(file: &mut File, call: &mut impl FnMut(&Received)) -> std::io::Result<u64> {
    each_line(file, |line| {
        if let Some(received) = parse_line(line) {
            call(&received);
        }
        Ok(())
    })
}

/// Calls for each whole line, its end included; returns their length.
fn each_line(file: &mut File, mut call: impl FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<u64> {
    file.rewind()?;
    let mut reader = BufReader::new(file);
    let (mut length, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let count = reader.read_until(b'\n', &mut line)?;
        if count == 0 || line.last() != Some(&b'\n') {
            return Ok(length);
        }
        length += count as u64;
        call(&line)?;
    }
}

fn parse_line(line: &[u8]) -> Option<Received> {
    let Line { received, client, trust, event } = serde_json::from_slice(line).ok()?;
    let event: Event = serde_json::from_str(event.get()).ok()?;
    Some(Received { time: received, client, trust, event })
}

#[cfg(test)]
mod tests;
