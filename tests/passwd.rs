//! `ironstrap passwd` at a terminal, in a pipe, and when it is interrupted.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

const SECRET: &str = "correct horse Grüße";

fn piped(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironstrap"))
        .arg("passwd")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // a command that refuses its arguments doesn't read
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_pipe_gives_one_hash_and_each_run_another_salt() {
    for (args, start) in [(&[][..], "$y$j9T$"), (&["--method", "sha512"], "$6$rounds=100000$")] {
        let run = || piped(args, format!("{SECRET}\n").as_bytes());
        let (first, second) = (run(), run());
        assert!(first.status.success(), "{}", text(&first.stderr));
        assert!(text(&first.stdout).starts_with(start) && first.stdout.ends_with(b"\n"));
        assert_ne!(first.stdout, second.stdout);
        assert_eq!(text(&first.stderr), "");
    }
    let short = piped(&[], b"short");
    assert!(short.status.success());
    assert_eq!(text(&short.stderr), "note: the password has less than 12 characters\n");
}

#[test]
fn what_nobody_could_log_in_with_is_refused_and_not_shown() {
    for input in
        ["", "\n", "two words\r\n", "two words\ntwo words\n", "two words\0", &"two words".repeat(1000)]
    {
        let output = piped(&[], input.as_bytes());
        let message = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{message}");
        assert!(message.starts_with("error: ") && !message.contains("two words"), "{message}");
    }
    // as an argument it would be seen by every user of the machine
    assert_eq!(piped(&["two words"], b"").status.code(), Some(2));
    assert_eq!(piped(&["--method", "md5"], b"x").status.code(), Some(2));
}

/// `passwd` at a terminal of its own.
struct Session {
    keyboard: File,
    terminal: OwnedFd,
    child: Child,
    stderr: std::process::ChildStderr,
}

impl Session {
    fn start() -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ironstrap"))
            .arg("passwd")
            .stdin(open())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        Self { keyboard: keyboard.into(), terminal: open().into(), child, stderr }
    }

    /// Waits for a question; by then the echo is off.
    fn expect(&mut self, question: &str) {
        let mut seen = vec![0; question.len()];
        self.stderr.read_exact(&mut seen).unwrap();
        assert_eq!(text(&seen), question);
        assert!(!self.echoes());
    }

    fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        let normal = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        assert!(modes.contains(normal) || !modes.intersects(normal), "half restored: {modes:?}");
        modes.contains(LocalModes::ECHO)
    }

    fn types(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Types, and waits until `passwd` has read it all. The kernel hands keys to the terminal in its own time: those that it still
    /// has when the echo is on again are echoed, whoever turned it on.
    fn types_and_is_heard(&mut self, keys: &[u8]) {
        let before = self.bytes_read();
        self.types(keys);
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.bytes_read() < before + keys.len() {
            assert!(Instant::now() < deadline, "passwd doesn't read what is typed");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many bytes the kernel says that `passwd` has read.
    fn bytes_read(&self) -> usize {
        let told = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        told.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
    }

    /// How it ended, what it printed and complained of, and what the terminal showed.
    fn end(mut self) -> (ExitStatus, String, String, Vec<u8>) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "passwd doesn't end");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(self.echoes(), "the terminal wasn't restored");
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.stderr.read_to_string(&mut err).unwrap();
        rustix::fs::fcntl_setfl(&self.keyboard, rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut shown = Vec::new();
        // ends with "nothing there yet"
        let _ = self.keyboard.read_to_end(&mut shown);
        (self.child.wait().unwrap(), out, err, shown)
    }
}

#[test]
fn a_person_is_asked_twice_and_nothing_is_echoed() {
    let mut session = Session::start();
    session.expect("Password: ");
    session.types(format!("{SECRET}x\u{7f}\r").as_bytes());
    session.expect("\nThe same again: ");
    session.types(format!("{SECRET}\n").as_bytes());
    let (status, out, err, shown) = session.end();
    assert!(status.success() && out.starts_with("$y$j9T$"), "{status} {err}");
    assert_eq!((err.as_str(), shown.as_slice()), ("\n", &b""[..]));
}

#[test]
fn two_different_answers_make_no_hash() {
    let mut session = Session::start();
    session.expect("Password: ");
    session.types(b"correct horse\n");
    session.expect("\nThe same again: ");
    session.types(b"correct hose\n");
    let (status, out, err, _) = session.end();
    assert_eq!((status.code(), out.as_str()), (Some(1), ""));
    assert_eq!(err, "\nerror: the two passwords differ; nothing was hashed\n");
}

#[test]
fn whatever_interrupts_it_the_terminal_is_restored() {
    for by in ["Ctrl-C", "SIGTERM", "SIGINT", "Ctrl-D"] {
        let mut session = Session::start();
        session.expect("Password: ");
        session.types_and_is_heard(if by == "Ctrl-D" { b"" } else { b"half a pass" });
        match by {
            "Ctrl-C" => session.types(b"\x03"),
            "Ctrl-D" => session.types(b"\x04"),
            signal => {
                let pid = session.child.id().to_string();
                assert!(Command::new("kill").args(["-s", &signal[3..], &pid]).status().unwrap().success());
            }
        }
        let (status, out, err, shown) = session.end();
        assert!(!status.success() && out.is_empty(), "{by}: {status}");
        assert!(err.contains("interrupted") && !err.contains("half"), "{by}: {err}");
        assert_eq!(shown, b"", "{by}");
    }
}
