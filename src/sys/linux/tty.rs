//! Terminals: the consoles of a target.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::termios::{ControlModes, LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// One terminal, open for reading and writing without becoming ours.
#[derive(Debug)]
pub struct Terminal {
    file: File,
}

impl Terminal {
    /// Opens a terminal and makes single keys readable without echo. A serial line without a modem is used as it is.
    ///
    /// # Errors
    /// No such device behind the node.
    pub fn open(node: &Path) -> io::Result<Self> {
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(node)?;
        if let Ok(mut modes) = tcgetattr(&file) {
            modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            modes.control_modes.insert(ControlModes::CLOCAL);
            tcsetattr(&file, OptionalActions::Now, &modes)?;
        }
        Ok(Self { file })
    }

    /// Writes all of the text, giving up on a line that takes nothing for a while.
    ///
    /// # Errors
    /// The device's, or it is stuck.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let mut rest = text.as_bytes();
        let mut tries = 0;
        while !rest.is_empty() {
            match (&self.file).write(rest) {
                Ok(count) => (rest, tries) = (&rest[count..], 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < 20 => {
                    tries += 1;
                    let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
                    rustix::event::poll(&mut fds, Some(&timespec(Duration::from_millis(100))))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what was typed, up to the buffer's size; nothing is waited for.
    ///
    /// # Errors
    /// The device's; nothing typed is an empty answer.
    pub fn typed(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match (&self.file).read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}
