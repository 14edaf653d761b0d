//! The consoles of the target: every line goes to all of them, a key counts on any of them.
//!
//! Lines begin with `ironstrap: `; tests and operators look for that. A console that is gone or stuck is skipped: no
//! install fails because nobody listens.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::sys::linux::tty::Terminal;

/// All consoles that the kernel writes to.
#[derive(Debug)]
pub struct Consoles {
    terminals: Vec<Terminal>,
}

impl Consoles {
    /// Opens the consoles that `/sys/class/tty/console/active` names; `/dev/console` where it names none.
    pub fn open() -> Self {
        let active = std::fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
        let open = |name: &str| Terminal::open(&Path::new("/dev").join(name)).ok();
        let mut terminals: Vec<_> = active.split_whitespace().filter_map(open).collect();
        if terminals.is_empty() {
            terminals.extend(open("console"));
        }
        Self { terminals }
    }

    /// No console at all: for tests, and for machines whose consoles are gone.
    pub fn none() -> Self {
        Self { terminals: Vec::new() }
    }

    /// One line of the story; a line break inside the text begins another one.
    pub fn line(&self, text: &str) {
        let text: String = text.lines().map(|line| format!("ironstrap: {line}\n")).collect();
        self.raw(&text);
    }

    /// Lines that aren't of the story: a picture.
    pub fn picture(&self, text: &str) {
        self.raw(text);
    }

    fn raw(&self, text: &str) {
        for terminal in &self.terminals {
            let _ = terminal.write(text);
        }
    }

    /// Whether somebody typed something for which `counts` holds within this time.
    pub fn typed_within(&self, patience: Option<Duration>, counts: impl Fn(u8) -> bool) -> bool {
        let begin = Instant::now();
        loop {
            let mut buffer = [0; 64];
            for terminal in &self.terminals {
                let count = terminal.typed(&mut buffer).unwrap_or(0);
                if buffer[..count].iter().any(|key| counts(*key)) {
                    return true;
                }
            }
            if patience.is_some_and(|patience| begin.elapsed() >= patience) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Forgets what was typed so far.
    pub fn discard_typed(&self) {
        let mut buffer = [0; 64];
        for terminal in &self.terminals {
            while terminal.typed(&mut buffer).is_ok_and(|count| count > 0) {}
        }
    }

    /// Counts down, a line a second for the last five and for every tenth; `false` as soon as any key is pressed.
    pub fn countdown(&self, seconds: u32) -> bool {
        self.discard_typed();
        for left in (1..=seconds).rev() {
            if left <= 5 || left % 10 == 0 {
                self.line(&format!("wiping in {left} s, any key stops it"));
            }
            if self.typed_within(Some(Duration::from_secs(1)), |_| true) {
                return false;
            }
        }
        true
    }

    /// Waits for Enter, at the longest for this time.
    pub fn wait_for_enter(&self, patience: Duration) -> bool {
        self.discard_typed();
        self.line("press Enter to restart");
        self.typed_within(Some(patience), |key| matches!(key, b'\r' | b'\n'))
    }
}
