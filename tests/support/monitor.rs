//! QEMU's monitor (QMP over a Unix socket): power, statistics.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A conversation with one QEMU.
#[derive(Debug)]
pub struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Connects; QEMU makes the socket a moment after it was started.
    ///
    /// # Errors
    /// When nobody answers within ten seconds.
    pub fn connect(socket: &Path) -> Result<Self> {
        let started = Instant::now();
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if started.elapsed() > Duration::from_secs(10) => {
                    return Err(error).with_context(|| format!("connecting to {}", socket.display()));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        stream.set_read_timeout(Some(Duration::from_secs(60))).context("limiting the monitor's answers")?;
        let mut monitor = Self { stream: BufReader::new(stream) };
        monitor.read().context("reading QEMU's greeting")?;
        monitor.command("qmp_capabilities", json!({}))?;
        Ok(monitor)
    }

    /// Runs one command and returns what it returns.
    ///
    /// # Errors
    /// When QEMU refuses it or is gone.
    pub fn command(&mut self, name: &str, arguments: Value) -> Result<Value> {
        let line = format!("{}\n", json!({ "execute": name, "arguments": arguments }));
        self.stream.get_mut().write_all(line.as_bytes()).with_context(|| format!("sending `{name}`"))?;
        loop {
            let answer = self.read().with_context(|| format!("reading the answer to `{name}`"))?;
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses `{name}`: {error}");
            }
        }
    }

    /// Bytes that the guest has written to the disk with this drive id.
    ///
    /// # Errors
    /// When there is no such drive.
    pub fn written(&mut self, drive: &str) -> Result<u64> {
        let all = self.command("query-blockstats", json!({}))?;
        let devices = all.as_array().context("reading block statistics")?;
        devices
            .iter()
            .find(|device| device["device"] == drive)
            .and_then(|device| device["stats"]["wr_bytes"].as_u64())
            .with_context(|| format!("QEMU knows no drive `{drive}`"))
    }

    /// Whether the machine runs. QEMU stops one whose disk image can't grow (`io-error`): it stands still and says nothing.
    pub fn state(&mut self) -> String {
        match self.command("query-status", json!({})) {
            Ok(said) => said["status"].as_str().unwrap_or("unknown").to_owned(),
            Err(_) => "gone".to_owned(),
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("QEMU closed its monitor");
        }
        Ok(serde_json::from_str(&line)?)
    }
}
