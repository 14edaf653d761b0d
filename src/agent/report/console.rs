//! The consoles of the target: every line goes to all of them, a key counts on any of them.
//!
//! Lines begin with `ironstrap: `; tests and operators look for that. A console that is gone or stuck is skipped: no
//! install fails because nobody listens.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sys::linux::tty::Terminal;

/// All consoles that the kernel writes to.
#[derive(Debug)]
pub struct Consoles {
    terminals: Vec<Terminal>,
    in_sight: Mutex<Option<InSight>>,
}

/// Rows and columns of a console where nobody says otherwise.
const SCREEN: (usize, usize) = (25, 80);

/// What must not scroll away.
#[derive(Debug)]
struct InSight {
    picture: String,
    /// Rows that stand below it.
    below: usize,
}

impl InSight {
    /// What has to be drawn before this text: the picture again, where its first rows would leave the screen.
    fn before(&mut self, text: &str) -> Option<&str> {
        let (rows, columns) = SCREEN;
        let needs: usize = text.lines().map(|line| line.chars().count().div_ceil(columns).max(1)).sum();
        // the cursor stands on a row of its own
        let room = rows.saturating_sub(self.picture.lines().count() + 1);
        let is_out = self.below + needs > room;
        self.below = if is_out { needs } else { self.below + needs };
        is_out.then_some(&*self.picture)
    }
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
        Self { terminals, in_sight: Mutex::default() }
    }

    /// No console at all: for tests, and for machines whose consoles are gone.
    pub fn none() -> Self {
        Self { terminals: Vec::new(), in_sight: Mutex::default() }
    }

    /// One line of the story; a line break inside the text begins another one.
    pub fn line(&self, text: &str) {
        let text: String = text.lines().map(|line| format!("ironstrap: {line}\n")).collect();
        let mut in_sight = self.in_sight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(picture) = in_sight.as_mut().and_then(|kept| kept.before(&text)) {
            self.raw(picture);
        }
        self.raw(&text);
    }

    /// A screenful that stays in sight from here on: lines that follow would push it out, so that it is drawn again before they do.
    pub fn keep_in_sight(&self, picture: &str) {
        self.raw(picture);
        let kept = InSight { picture: picture.to_owned(), below: 0 };
        *self.in_sight.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_stays_in_sight_however_many_lines_follow() {
        let picture: String = (0..20).map(|row| format!("picture {row}\n")).collect();
        let mut kept = InSight { picture: picture.clone(), below: 0 };
        let mut rows: Vec<String> = picture.lines().map(str::to_owned).collect();
        for number in 0..40 {
            let text = format!("ironstrap: {}\n", "x".repeat(if number % 3 == 0 { 100 } else { 40 }));
            rows.extend(kept.before(&text).into_iter().flat_map(str::lines).map(str::to_owned));
            let line: Vec<char> = text.trim_end().chars().collect();
            rows.extend(line.chunks(80).map(|part| part.iter().collect::<String>()));
            // the last row is the cursor's
            let seen = &rows[rows.len().saturating_sub(24)..];
            let whole = (0..20).all(|row| seen.contains(&format!("picture {row}")));
            assert!(whole, "after line {number}: {seen:#?}");
        }
        assert!(rows.len() < 40 * 20, "drawn for each line");
    }
}
