//! Passwords from a person or a pipe, and a person's consent.
//!
//! A password that is typed is never echoed. The terminal gets back the modes it had however the question ends: an answer, Ctrl-C,
//! SIGTERM or an error. What was read wipes itself from memory. No policy: what makes a good password is decided by the
//! callers.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::termios::{LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};
use zeroize::{Zeroize, Zeroizing};

use super::interrupt;

/// Longest answer in bytes; memory is taken once, so that no copy is left behind by growing.
const LONGEST: usize = 4096;

/// How often a person's signals are looked at while nothing is typed.
const LOOK: Duration = Duration::from_millis(100);

/// What somebody typed or piped in.
pub type Secret = Zeroizing<Vec<u8>>;

/// Whether a person can be asked.
pub fn is_person() -> bool {
    io::stdin().is_terminal()
}

/// The one line that standard input holds, without its end.
///
/// # Errors
/// Nothing there, more than one line, or far too much.
pub fn piped_line() -> Result<Secret> {
    one_line(io::stdin().lock()).context("reading standard input")
}

fn one_line(input: impl Read) -> Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    input.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST {
        bail!("more than {LONGEST} bytes; one line is wanted");
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.contains(&b'\n') {
        bail!("more than one line; which one is meant?");
    }
    Ok(bytes)
}

/// Asks the person at the terminal of standard input; the question goes to standard error.
///
/// # Errors
/// The terminal went away, its input ended, or somebody wants this process to end.
pub fn ask(question: &str) -> Result<Secret> {
    let stdin = io::stdin();
    interrupt::watch()?;
    let quiet = Quiet::new(&stdin).context("turning off the terminal's echo")?;
    let answer = say(question).and_then(|()| typed_line(&stdin));
    drop(quiet);
    // the Enter that wasn't echoed
    say("\n")?;
    answer
}

/// Whether a person can be asked who sees what is asked about: that goes to standard error.
pub fn is_reader() -> bool {
    is_person() && io::stderr().is_terminal()
}

/// Asks the person at the terminal to agree: only the word `yes`, typed after the question was shown, does.
///
/// # Errors
/// The terminal can't be used.
pub fn consents(question: &str) -> Result<bool> {
    let stdin = io::stdin();
    // what was typed or pasted earlier is no answer
    tcflush(&stdin, QueueSelector::IFlush).map_err(io::Error::from).context("using the terminal")?;
    say(&format!("{question} Type `yes` to agree: "))?;
    let answer = first_line(stdin.lock()).context("reading the terminal")?;
    Ok(answer.trim_ascii() == b"yes")
}

/// A line without its end, or as much of it as there is.
fn first_line(input: impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    input.take(LONGEST as u64).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn say(text: &str) -> Result<()> {
    io::stderr().lock().write_all(text.as_bytes()).context("writing to the terminal")
}

/// A terminal that echoes nothing and hands over every key; it is as before when this is dropped.
struct Quiet<'t, T: AsFd> {
    terminal: &'t T,
    before: Termios,
}

impl<'t, T: AsFd> Quiet<'t, T> {
    fn new(terminal: &'t T) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut modes = before.clone();
        // without ISIG, no key can stop or kill this process while the echo is off
        modes
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        tcsetattr(terminal, OptionalActions::Flush, &modes)?;
        Ok(Self { terminal, before })
    }
}

impl<T: AsFd> Drop for Quiet<'_, T> {
    fn drop(&mut self) {
        // nothing can be done if the terminal is gone
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn typed_line(terminal: &impl AsFd) -> Result<Secret> {
    let patience = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    loop {
        interrupt::check()?;
        let mut fds = [PollFd::new(terminal, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&patience)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(io::Error::from(error)).context("waiting for the terminal"),
        }
        let mut byte = [0];
        let count =
            rustix::io::read(terminal, &mut byte).map_err(io::Error::from).context("reading the terminal")?;
        if count == 0 {
            bail!("the terminal's input ended");
        }
        let step = press(&mut line, byte[0]);
        byte.zeroize();
        match step {
            Step::More => {}
            Step::Done => return Ok(line),
            Step::Stop => bail!("interrupted; nothing was changed"),
        }
    }
}

/// What a key does to the line.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    More,
    Done,
    Stop,
}

/// Does what a terminal's line editing would have done.
fn press(line: &mut Vec<u8>, key: u8) -> Step {
    const CTRL_C: u8 = 0x03;
    const CTRL_D: u8 = 0x04;
    const CTRL_U: u8 = 0x15;
    const BACKSPACE: u8 = 0x08;
    const DELETE: u8 = 0x7f;
    match key {
        b'\n' | b'\r' => return Step::Done,
        CTRL_C => return Step::Stop,
        CTRL_D if line.is_empty() => return Step::Stop,
        CTRL_D => return Step::Done,
        CTRL_U => line.zeroize(),
        BACKSPACE | DELETE => {
            // a whole character: its continuation bytes, then its first one
            while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
        }
        _ if line.len() < LONGEST => line.push(key),
        _ => {}
    }
    Step::More
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> (Vec<u8>, Step) {
        let mut line = Vec::new();
        for key in keys {
            match press(&mut line, *key) {
                Step::More => {}
                end => return (line, end),
            }
        }
        (line, Step::More)
    }

    #[test]
    fn keys_do_what_they_do_at_a_terminal() {
        assert_eq!(typed(b"abc\n"), (b"abc".to_vec(), Step::Done));
        assert_eq!(typed("aü\u{7f}b\r".as_bytes()), (b"ab".to_vec(), Step::Done));
        assert_eq!(typed(b"\x08abc\x15x\x04"), (b"x".to_vec(), Step::Done));
        assert_eq!(typed(b"\x04").1, Step::Stop);
        assert_eq!(typed(b"abc\x03").1, Step::Stop);
        assert_eq!(typed(&[b'x'; 5000]).0.len(), LONGEST);
    }

    #[test]
    fn a_pipe_holds_one_line() {
        let line = |text: &str| one_line(text.as_bytes()).map(|line| line.to_vec());
        assert_eq!(line("secret\n").unwrap(), b"secret");
        assert_eq!(line("secret").unwrap(), b"secret");
        assert_eq!(line("").unwrap(), b"");
        for text in ["secret\nsecret2\n", "secret\n\n", &"secret".repeat(1000)] {
            let error = format!("{:#}", line(text).unwrap_err());
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
