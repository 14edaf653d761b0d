//! The serial console of a machine: a log file that QEMU writes, and what is read from it.
//!
//! A reader has a cursor: a marker counts only after the one that was found before it, so that the same words can be
//! awaited again after a reboot. `absent` looks at everything.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often the log is looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// Lines that end every hope, whatever is awaited.
const FATAL: [&str; 4] =
    ["Kernel panic", "ironstrap: failed", "ironstrap: refused", "ironstrap: handoff failed"];

/// One machine's console.
#[derive(Debug)]
pub struct Serial {
    log: PathBuf,
    cursor: usize,
}

impl Serial {
    /// Reads what is being written to `log`.
    pub fn new(log: &Path) -> Self {
        Self { log: log.to_owned(), cursor: 0 }
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.log
    }

    /// Everything so far, without terminal sequences.
    pub fn text(&self) -> String {
        plain(&std::fs::read(&self.log).unwrap_or_default())
    }

    /// Everything after the last marker that was found.
    pub fn rest(&self) -> String {
        self.text().get(self.cursor..).unwrap_or_default().to_owned()
    }

    /// Waits for a line that contains `marker` and returns the line. `alive` says whether the machine still runs.
    ///
    /// # Errors
    /// When the time is up, when the machine ends, and when a line says that the machine has given up.
    pub fn wait_for(
        &mut self,
        marker: &str,
        within: Duration,
        alive: &mut dyn FnMut() -> bool,
    ) -> Result<String> {
        let started = Instant::now();
        loop {
            let running = alive();
            let text = self.text();
            let rest = text.get(self.cursor..).unwrap_or_default();
            if let Some((at, line)) = find_line(rest, marker) {
                let line = line.to_owned();
                self.cursor += at;
                return Ok(line);
            }
            if let Some(fatal) = FATAL.iter().find_map(|fatal| find_line(rest, fatal)) {
                bail!("awaiting `{marker}`, but the machine said `{}`; {}", fatal.1, self.tail());
            }
            if !running {
                bail!("awaiting `{marker}`, but the machine ended; {}", self.tail());
            }
            if started.elapsed() > within {
                bail!("no `{marker}` within {} s; {}", within.as_secs(), self.tail());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// How many lines so far contain `marker`.
    pub fn count(&self, marker: &str) -> usize {
        self.text().lines().filter(|line| line.contains(marker)).count()
    }

    /// Says that no line so far contains `marker`.
    ///
    /// # Errors
    /// When one does.
    pub fn absent(&self, marker: &str) -> Result<()> {
        match self.text().lines().find(|line| line.contains(marker)) {
            Some(line) => bail!("`{marker}` must not be seen, but: `{line}`; {}", self.tail()),
            None => Ok(()),
        }
    }

    /// The end of the log, for an error's reader.
    pub fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.iter().rev().take(25).rev().map(|line| format!("    {line}\n")).collect::<String>();
        format!("the log {} ends with\n{last}", self.log.display())
    }

    /// Keeps what was written so far and begins anew: for the next start of the same machine.
    ///
    /// # Errors
    /// When the log can't be renamed.
    pub fn rotate(&mut self, number: usize) -> Result<()> {
        if self.log.exists() {
            let kept = self.log.with_extension(format!("{number}.log"));
            std::fs::rename(&self.log, &kept).with_context(|| format!("keeping {}", kept.display()))?;
        }
        self.cursor = 0;
        Ok(())
    }
}

/// The line with the marker and the position after the line; only whole lines, or a marker would be found in half a line.
fn find_line<'a>(text: &'a str, marker: &str) -> Option<(usize, &'a str)> {
    let at = text.find(marker)?;
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = at + text[at..].find('\n')?;
    Some((end, text[start..end].trim_end_matches('\r')))
}

/// Text without the sequences that firmware and GRUB send to a terminal.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                while chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
            }
            '\u{1b}' | '\r' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_once_and_in_whole_lines_only() {
        let dir = tempfile::tempdir().unwrap();
        let mut serial = Serial::new(&dir.path().join("serial.log"));
        let mut dead = || false;
        std::fs::write(serial.path(), "\u{1b}[2Jironstrap: started\r\nironstrap: comm").unwrap();
        assert_eq!(serial.wait_for("started", Duration::ZERO, &mut dead).unwrap(), "ironstrap: started");
        assert!(serial.wait_for("started", Duration::ZERO, &mut dead).is_err());
        assert!(serial.wait_for("comm", Duration::ZERO, &mut dead).is_err());
        serial.absent("committed").unwrap();
        serial.absent("started").unwrap_err();
    }

    #[test]
    fn a_machine_that_gives_up_ends_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let mut serial = Serial::new(&dir.path().join("serial.log"));
        std::fs::write(serial.path(), "ironstrap: refused IS-203: foreign\n").unwrap();
        let error = serial.wait_for("converged", Duration::from_secs(60), &mut || true).unwrap_err();
        assert!(error.to_string().contains("IS-203"), "{error}");
        serial.wait_for("refused IS-203", Duration::ZERO, &mut || true).unwrap();
    }
}
