//! A person with an SSH key who logs in to an installed machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::running::PATIENCE;
use super::{output, text};

/// A key pair of a test.
#[derive(Debug, Clone)]
pub struct Key {
    secret: PathBuf,
}

impl Key {
    /// Makes one below `dir`.
    ///
    /// # Errors
    /// When `ssh-keygen` fails.
    pub fn make(dir: &Path) -> Result<Self> {
        let secret = dir.join("operator.key");
        text(
            Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f"])
                .arg(&secret),
        )?;
        Ok(Self { secret })
    }

    /// The public half, as profiles want it.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn public(&self) -> Result<String> {
        let path = self.secret.with_extension("key.pub");
        Ok(std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?
            .trim()
            .to_owned())
    }

    /// Runs a command on the machine behind this port of the loopback, as soon as it lets us in, and returns its output.
    ///
    /// # Errors
    /// When nobody lets us in, and when the command fails.
    pub fn run(&self, user: &str, port: u16, command: &str) -> Result<String> {
        let started = Instant::now();
        loop {
            let result = self.attempt(user, port, command)?;
            let said = String::from_utf8_lossy(&result.stderr);
            match result.status.code() {
                Some(0) => return Ok(String::from_utf8_lossy(&result.stdout).into_owned()),
                // 255 is ssh's own: nobody there yet, or the connection ended under a reboot.
                Some(255) if started.elapsed() < PATIENCE => std::thread::sleep(Duration::from_secs(2)),
                _ => bail!("`{command}` by SSH ended with {}: {said}", result.status),
            }
        }
    }

    /// Runs a command that ends the connection, such as a restart.
    ///
    /// # Errors
    /// When `ssh` can't be started.
    pub fn tell(&self, user: &str, port: u16, command: &str) -> Result<()> {
        self.attempt(user, port, command).map(drop)
    }

    /// The host key that the machine shows, as `ssh-keyscan` prints it without the address.
    ///
    /// # Errors
    /// When it shows none.
    pub fn host_key(port: u16) -> Result<String> {
        let said = text(Command::new("ssh-keyscan").args([
            "-T",
            "60",
            "-t",
            "ed25519",
            "-p",
            &port.to_string(),
            "127.0.0.1",
        ]))?;
        let line =
            said.lines().find(|line| line.contains("ssh-ed25519")).context("scanning the SSH host key")?;
        Ok(line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
    }

    fn attempt(&self, user: &str, port: u16, command: &str) -> Result<Output> {
        output(
            Command::new("ssh")
                .args([
                    "-o",
                    "BatchMode=yes",
                    "-o",
                    "StrictHostKeyChecking=no",
                    "-o",
                    "UserKnownHostsFile=/dev/null",
                ])
                // QEMU's network keeps a connection whose guest has restarted: only asking finds out
                .args(["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=6"])
                .args(["-o", "ConnectTimeout=30", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-i"])
                .arg(&self.secret)
                .args(["-p", &port.to_string(), &format!("{user}@127.0.0.1"), command]),
        )
    }
}
