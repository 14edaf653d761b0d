//! A machine that is on. Dropping it switches it off, so that a failed test leaves no QEMU behind.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use super::firmware;
use super::monitor::Monitor;
use super::serial::Serial;

/// Longest wait for anything, unless a test says otherwise. Emulated machines on a busy host are slow; a test that hangs
/// ends all the same.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// How often the power button is pressed in [`PATIENCE`]: soon after a login prompt came nobody may listen to it yet.
const PRESSES: u32 = 10;

/// Names of the sockets on which QEMU is told what to do, by a test and by who watches its firmware.
pub(super) const MONITOR: &str = "qmp.sock";
pub(super) const WATCH: &str = "watch.sock";

/// A QEMU process with its console and monitor.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    sockets: TempDir,
    serial: Serial,
    monitor: Monitor,
    started: Instant,
}

impl Running {
    pub(super) fn start(command: &mut Command, name: &str, dir: &Path, sockets: TempDir) -> Result<Self> {
        let mut serial = Serial::new(&dir.join("serial.log"));
        let number = (1..).find(|n| !dir.join(format!("serial.{n}.log")).exists()).unwrap_or(1);
        serial.rotate(number)?;
        let mut child = command.spawn().context("starting qemu-system-x86_64")?;
        let connect = |socket: &str| Monitor::connect(&sockets.path().join(socket));
        let monitor = match connect(MONITOR).and_then(|monitor| Ok((monitor, connect(WATCH)?))) {
            Ok((monitor, watching)) => {
                firmware::watch(name, watching, serial.path());
                monitor
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                let said = std::fs::read_to_string(dir.join("qemu.log")).unwrap_or_default();
                return Err(error.context(format!("{name}: QEMU said: {said}")));
            }
        };
        Ok(Self { name: name.to_owned(), child, sockets, serial, monitor, started: Instant::now() })
    }

    /// Waits for a line with `marker`, as long as [`PATIENCE`].
    ///
    /// # Errors
    /// See [`Serial::wait_for`].
    pub fn wait_for(&mut self, marker: &str) -> Result<String> {
        self.wait_within(marker, PATIENCE)
    }

    /// Waits for a line with `marker`.
    ///
    /// # Errors
    /// See [`Serial::wait_for`].
    pub fn wait_within(&mut self, marker: &str, within: Duration) -> Result<String> {
        let child = &mut self.child;
        let mut alive = || matches!(child.try_wait(), Ok(None));
        let seen = self.serial.wait_for(marker, within, &mut alive);
        seen.with_context(|| self.state())
    }

    /// The machine's name and what QEMU says of it, for an error's reader.
    pub fn state(&mut self) -> String {
        format!("machine {}, which QEMU calls {}", self.name, self.monitor.state())
    }

    /// Waits until something has happened outside of the console.
    ///
    /// # Errors
    /// When the time is up, the machine has ended, or asking fails.
    pub fn wait_until(&mut self, what: &str, happened: &mut dyn FnMut() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        while !happened()? {
            if started.elapsed() > PATIENCE || !matches!(self.child.try_wait(), Ok(None)) {
                bail!("awaiting {what}: {}; {}", self.state(), self.serial.tail());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Tells every line with `ironstrap:` and its time, until one contains `last`.
    ///
    /// # Errors
    /// See [`Serial::wait_for`].
    pub fn story(&mut self, last: &str, tell: &mut dyn FnMut(Duration, &str)) -> Result<()> {
        loop {
            let line = self.wait_for("ironstrap: ")?;
            tell(self.uptime(), line.trim());
            if line.contains(last) {
                return Ok(());
            }
        }
    }

    /// Waits until a step of the install has reached this percentage.
    ///
    /// # Errors
    /// See [`Serial::wait_for`].
    pub fn wait_for_progress(&mut self, step: &str, percent: u32) -> Result<()> {
        let marker = format!("ironstrap: progress {step} ");
        loop {
            let line = self.wait_for(&marker)?;
            let figure = line.split(&marker).nth(1).and_then(|rest| rest.split('%').next());
            let figure: u32 =
                figure.context("finding a percentage")?.parse().context("reading a percentage")?;
            if figure >= percent {
                return Ok(());
            }
        }
    }

    /// The console.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Time since it was switched on.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Processor time that it has cost so far: what others do on this computer doesn't count.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn computed(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        // proc(5): behind the name, which may hold anything, fields 14 and 15 are the 12th and 13th
        let (_, rest) = stat.rsplit_once(')').with_context(|| format!("reading {path}"))?;
        let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<Result<_, _>>().with_context(|| format!("reading {path}"))?;
        // USER_HZ, which is 100 on x86-64
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Waits until the guest has written this many bytes to the drive.
    ///
    /// # Errors
    /// When the time is up or QEMU is gone.
    pub fn wait_until_written(&mut self, drive: &str, bytes: u64) -> Result<u64> {
        let started = Instant::now();
        loop {
            let written = self.monitor.written(drive)?;
            if written >= bytes {
                return Ok(written);
            }
            if started.elapsed() > PATIENCE {
                bail!("machine {}: {written} of {bytes} bytes written; {}", self.name, self.serial.tail());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the machine has switched itself off.
    ///
    /// # Errors
    /// When it doesn't.
    pub fn wait_for_end(mut self) -> Result<()> {
        if !self.ends_within(PATIENCE)? {
            bail!("machine {} is still on; {}", self.name, self.serial.tail());
        }
        Ok(())
    }

    /// Presses the power button; the system inside shuts down cleanly, as it must before its file systems are judged.
    ///
    /// # Errors
    /// When it doesn't.
    pub fn shut_down(mut self) -> Result<()> {
        for _ in 0..PRESSES {
            // where the machine has gone meanwhile nobody answers, and it is found to have ended
            let _ = self.monitor.command("system_powerdown", json!({}));
            if self.ends_within(PATIENCE / PRESSES)? {
                return Ok(());
            }
        }
        bail!("machine {} ignores its power button; {}", self.name, self.serial.tail());
    }

    fn ends_within(&mut self, patience: Duration) -> Result<bool> {
        let started = Instant::now();
        while self.child.try_wait().context("asking for QEMU's state")?.is_none() {
            if started.elapsed() > patience {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(true)
    }

    /// Presses a key on the serial console.
    ///
    /// # Errors
    /// When the console can't be reached.
    pub fn type_on_serial(&self, text: &str) -> Result<()> {
        use std::io::Write;
        let socket = self.sockets.path().join("serial.sock");
        let mut stream =
            std::os::unix::net::UnixStream::connect(&socket).context("opening the serial console")?;
        stream.write_all(text.as_bytes()).context("typing on the serial console")
    }

    /// The reset button: memory is lost, writes in flight may be.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn reset(&mut self) -> Result<()> {
        self.monitor.command("system_reset", json!({})).map(drop)
    }

    /// Kills QEMU without a warning.
    ///
    /// # Errors
    /// When it can't be killed.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().context("killing QEMU")?;
        self.child.wait().context("awaiting QEMU's end").map(drop)
    }

    /// Stops the machine, keeps its memory in a file and ends it. Its disks are as they are, and must be so again when it thaws,
    /// as far as it has looked at them.
    ///
    /// # Errors
    /// When QEMU can't.
    pub fn freeze(mut self, memory: &Path) -> Result<()> {
        self.monitor.command("stop", json!({}))?;
        let uri = format!("exec:cat >'{}'", memory.display());
        self.monitor.command("migrate", json!({ "uri": uri }))?;
        let started = Instant::now();
        loop {
            let said = self.monitor.command("query-migrate", json!({}))?;
            match said["status"].as_str() {
                Some("completed") => return self.power_off(),
                Some("failed" | "cancelled") => bail!("machine {} can't be frozen: {said}", self.name),
                _ if started.elapsed() > PATIENCE => bail!("machine {} isn't frozen yet: {said}", self.name),
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Waits until a machine that was frozen has its memory again, and lets it go on.
    pub(super) fn go_on(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            match self.monitor.state().as_str() {
                "paused" => return self.monitor.command("cont", json!({})).map(drop),
                "inmigrate" if started.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                other => bail!("machine {} doesn't thaw, QEMU calls it {other}", self.name),
            }
        }
    }

    /// Whether QEMU has ended by itself.
    ///
    /// # Errors
    /// When nobody can say.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("asking for QEMU's state")?.is_some())
    }

    /// Switches the machine off; everything that QEMU holds goes to its files.
    ///
    /// # Errors
    /// When QEMU doesn't end.
    pub fn power_off(mut self) -> Result<()> {
        self.monitor.command("quit", json!({}))?;
        self.wait_for_end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
