//! The file of received events: one JSON a line, synced before the sender is told that it was stored.
//!
//! What a sender wasn't told about it sends again, so a torn last line (power cut in the middle of an append) is cut off
//! at the next start and nothing is lost. Lines are kept as they came, with fields this version doesn't know.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::state::{Received, Story};
use crate::failure::{Blame, BlameExt};
use crate::spec::event::Event;
use crate::value::Timestamp;

/// Largest event that is accepted, as JSON.
pub const MAX_EVENT: usize = 64 << 10;
/// Largest file that is kept: events are not authenticated, and nobody may fill the disk with them.
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
}

impl Journal {
    /// Opens or makes the file and adds up what it holds.
    ///
    /// # Errors
    /// When it can't be read or written, or another server has it.
    pub fn open(path: &Path) -> Result<(Self, Story)> {
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
        let (story, length) = add_up(&mut file).with_context(|| format!("reading {}", path.display()))?;
        file.set_len(length).with_context(|| format!("cutting the torn end of {}", path.display()))?;
        Ok((Self { path: path.to_owned(), file, length }, story))
    }

    /// Stores an event and syncs it. `json` is the event as it came and was parsed.
    ///
    /// # Errors
    /// When the file is full or can't be written; it then holds what it held before.
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
        if self.length + text.len() as u64 > MAX_JOURNAL {
            bail!("{} holds {MAX_JOURNAL} bytes of events; move it away", self.path.display());
        }
        if let Err(error) = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data()) {
            let _ = self.file.set_len(self.length);
            return Err(error).with_context(|| format!("writing {}", self.path.display()));
        }
        self.length += text.len() as u64;
        Ok(())
    }
}

/// Reads events without touching the file; none when there is no file yet.
///
/// # Errors
/// When it is there and can't be read.
pub fn read(path: &Path) -> Result<Story> {
    match File::open(path) {
        Ok(mut file) => Ok(add_up(&mut file).with_context(|| format!("reading {}", path.display()))?.0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Story::default()),
        Err(error) => Err(error).with_context(|| format!("opening {}", path.display())),
    }
}

/// The story and the length of the whole lines. Lines that aren't events (edited by hand, of an unknown version) are
/// passed over: they must not keep a datacenter from booting.
fn add_up(file: &mut File) -> std::io::Result<(Story, u64)> {
    file.rewind()?;
    let mut reader = BufReader::new(file);
    let (mut story, mut length, mut line) = (Story::default(), 0, Vec::new());
    loop {
        line.clear();
        let count = reader.read_until(b'\n', &mut line)?;
        if count == 0 || line.last() != Some(&b'\n') {
            return Ok((story, length));
        }
        length += count as u64;
        if let Some(received) = parse_line(&line) {
            story.add(&received);
        }
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
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(at.0, at.1, &event(0)).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        assert_eq!(whole.matches('\n').count(), 1, "{whole}");
        assert!(whole.contains("\"new\":\"kept\""));
        drop(journal);
        std::fs::write(&path, format!("{whole}not json\n{}", &whole[..whole.len() / 2])).unwrap();
        assert_eq!(read(&path).unwrap().report([]).hosts.len(), 1);
        let (mut journal, story) = Journal::open(&path).unwrap();
        assert!(story.knows(&serde_json::from_str(event(0).get()).unwrap()));
        journal.append(at.0, at.1, &event(1)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| parse_line(line.as_bytes()).is_some()).count(), 2, "{text}");
    }

    #[test]
    fn two_servers_do_not_share_a_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let _first = Journal::open(&path).unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("another `ironstrap serve`"), "{error}");
    }
}
