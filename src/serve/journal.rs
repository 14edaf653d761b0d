//! The file of received events: one JSON a line, synced before the sender is told that it was stored.
//!
//! What a sender wasn't told about it sends again, so a torn last line (power cut in the middle of an append) is cut off
//! at the next start and nothing is lost. Lines are kept as they came, with fields this version doesn't know.
//!
//! Events are not authenticated, so a full file must not refuse them: it is put aside as `….old`, in place of the one
//! before it, and a new one begins with a line for each expected order that is done. Two files bound the disk's use.

use std::collections::{BTreeSet, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::forgotten::Forgotten;
use super::state::{Received, Story, says_done};
use crate::failure::{Blame, BlameExt};
use crate::spec::event::Event;
use crate::value::{OrderId, Timestamp};

/// Largest event that is accepted, as JSON.
pub const MAX_EVENT: usize = 64 << 10;
/// Length at which a file is put aside: nobody may fill the disk with events.
const MAX_JOURNAL: u64 = 256 << 20;

/// One line.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    received: Timestamp,
    client: IpAddr,
    event: std::borrow::Cow<'a, serde_json::value::RawValue>,
}

/// The file, open for appending and locked against a second server.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    longest: u64,
    expected: BTreeSet<OrderId>,
}

impl Journal {
    /// Opens or makes the file and adds what it and the one before it hold to the story, which says what is
    /// expected.
    ///
    /// # Errors
    /// When it can't be read or written, or another server has it.
    pub fn open(path: &Path, story: &mut Story) -> Result<Self> {
        Self::open_up_to(path, story, MAX_JOURNAL)
    }

    fn open_up_to(path: &Path, story: &mut Story, longest: u64) -> Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)
                .with_context(|| format!("making directory {}", parent.display()))?;
        }
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
        let mut add = |received: &Received| story.add(received);
        each_of_file(&former(path), &mut add)?;
        let length = add_up(&mut file, &mut add).with_context(|| format!("reading {}", path.display()))?;
        file.set_len(length).with_context(|| format!("cutting the torn end of {}", path.display()))?;
        let expected = story.expected_orders().clone();
        Ok(Self { path: path.to_owned(), file, length, longest, expected })
    }

    /// From now on the orders that the story expects are kept when the file is put aside.
    pub fn expect(&mut self, story: &Story) {
        self.expected = story.expected_orders().clone();
    }

    /// Tries whether events can be stored: the file is at its place, and there is room beside it.
    ///
    /// # Errors
    /// When it is gone, or nothing can be written there.
    pub fn writable(&self) -> Result<()> {
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

    /// Stores an event and syncs it. `json` is the event as it came and was parsed.
    ///
    /// # Errors
    /// When the file can't be written or put aside; it then holds what it held before.
    pub fn append(
        &mut self,
        time: Timestamp,
        client: IpAddr,
        json: &serde_json::value::RawValue,
    ) -> Result<()> {
        let line = Line { received: time, client, event: std::borrow::Cow::Borrowed(json) };
        let mut text = serde_json::to_string(&line).context("encoding an event").blame(Blame::Bug)?;
        // JSON allows line breaks between tokens; inside strings they are escaped
        text.retain(|c| c != '\n' && c != '\r');
        text.push('\n');
        if self.length + text.len() as u64 > self.longest {
            self.put_aside().with_context(|| format!("putting {} aside", self.path.display()))?;
        }
        if let Err(error) = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data()) {
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

/// Where the file is put when it is full.
fn former(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    name.into()
}

/// Copies a line for each expected order that is done, up to so many bytes; returns how many they were. Without them, a
/// server that starts again would take these orders for waiting ones.
fn carry_over(file: &mut File, expected: &BTreeSet<OrderId>, most: u64, out: &mut impl Write) -> Result<u64> {
    let (mut carried, mut length) = (HashSet::<OrderId>::new(), 0);
    each_line(file, |line| {
        let Some(Received { event, .. }) = parse_line(line) else { return Ok(()) };
        let Some(order) = event.order.filter(|order| says_done(&event.what) && expected.contains(order))
        else {
            return Ok(());
        };
        if length + line.len() as u64 <= most && carried.insert(order) {
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
pub fn read(path: &Path, forgotten: &Forgotten) -> Result<Story> {
    let mut story = Story::default();
    story.forget(forgotten);
    each(path, |received| story.add(received))?;
    Ok(story)
}

/// Calls for each event, in the order in which they were received, without touching the files.
///
/// # Errors
/// When one is there and can't be read.
pub fn each(path: &Path, mut call: impl FnMut(&Received)) -> Result<()> {
    each_of_file(&former(path), &mut call)?;
    each_of_file(path, &mut call)
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
    let Line { received, client, event } = serde_json::from_slice(line).ok()?;
    let event: Event = serde_json::from_str(event.get()).ok()?;
    Some(Received { time: received, client, event })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64) -> Box<serde_json::value::RawValue> {
        let text = format!(
            "{{\"version\":1,\"run\":\"r\",\"seq\":{seq},\n\"time\":\"2026-11-23T07:00:00Z\",\"host\":\"web01\",\"order\":null,\"what\":{{\"event\":\"already-done\"}},\"new\":\"kept\"}}"
        );
        serde_json::value::RawValue::from_string(text).unwrap()
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_rest_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/events.jsonl");
        let at = (Timestamp::from_unix(5), "10.0.0.1".parse().unwrap());
        let mut journal = Journal::open(&path, &mut Story::default()).unwrap();
        journal.append(at.0, at.1, &event(0)).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        assert_eq!(whole.matches('\n').count(), 1, "{whole}");
        assert!(whole.contains("\"new\":\"kept\""));
        drop(journal);
        std::fs::write(&path, format!("{whole}not json\n{}", &whole[..whole.len() / 2])).unwrap();
        assert_eq!(read(&path, &Forgotten::default()).unwrap().report([]).hosts.len(), 1);
        let mut story = Story::default();
        let mut journal = Journal::open(&path, &mut story).unwrap();
        assert!(story.knows(&serde_json::from_str(event(0).get()).unwrap()));
        journal.append(at.0, at.1, &event(1)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| parse_line(line.as_bytes()).is_some()).count(), 2, "{text}");
    }

    #[test]
    fn two_servers_do_not_share_a_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let (mut story, mut other) = (Story::default(), Story::default());
        let mut first = Journal::open_up_to(&path, &mut story, 1000).unwrap();
        let error = Journal::open(&path, &mut other).unwrap_err().to_string();
        assert!(error.contains("another `ironstrap serve`"), "{error}");
        // nor when it was put aside
        let at = (Timestamp::from_unix(5), "10.0.0.1".parse().unwrap());
        (0..20).for_each(|seq| first.append(at.0, at.1, &event(seq)).unwrap());
        let error = Journal::open(&path, &mut other).unwrap_err().to_string();
        assert!(error.contains("another `ironstrap serve`"), "{error}");
    }

    #[test]
    fn a_flood_neither_silences_a_host_nor_makes_its_done_order_wait_again() {
        const LONGEST: u64 = 4000;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let order: OrderId = "00000000000000000000000000000001".parse().unwrap();
        let host = "web01".parse().unwrap();
        let told = |run: &str, host: &str, order: &str, what: &str| {
            let text = format!(
                "{{\"version\":1,\"run\":\"{run}\",\"seq\":0,\"time\":\"2026-11-23T07:00:00Z\",\"host\":\"{host}\",\"order\":{order},\"what\":{{\"event\":\"{what}\"}}}}"
            );
            serde_json::value::RawValue::from_string(text).unwrap()
        };
        let at = (Timestamp::from_unix(5), "10.0.0.1".parse().unwrap());
        let open = || {
            let mut story = Story::expecting([(&host, &order)]);
            let journal = Journal::open_up_to(&path, &mut story, LONGEST).unwrap();
            (journal, story)
        };
        let (mut journal, _) = open();
        let done = told("real", "web01", &format!("\"{order}\""), "already-done");
        journal.append(at.0, at.1, &done).unwrap();
        for number in 0..100 {
            let forged = format!("\"{number:032}\"");
            journal.append(at.0, at.1, &told(&format!("f{number}"), "x", &forged, "already-done")).unwrap();
        }
        let bytes = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(bytes(&path) <= LONGEST && bytes(&former(&path)) <= LONGEST);
        drop(journal);
        let (mut journal, story) = open();
        assert!(story.is_done(&order), "{}", std::fs::read_to_string(&path).unwrap());
        journal.append(at.0, at.1, &told("later", "web01", "null", "already-done")).unwrap();
        assert!(
            read(&path, &Forgotten::default())
                .unwrap()
                .report([])
                .hosts
                .iter()
                .any(|status| status.host == host)
        );
    }
}
