//! A network of its own: a namespace with one tap, on which a test may have what the loopback can't give it: port 80, and
//! a DHCP server that isn't QEMU's. Needs root; nothing of it reaches the machine's other networks.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{say, text};

/// The host's address on the wire.
pub const HOST: &str = "10.80.0.1";
/// The tap's name inside the namespace.
pub const TAP: &str = "wire";

/// A namespace with its tap, and the DHCP and TFTP server that runs in it. Dropping it takes everything down.
#[derive(Debug)]
pub struct Wire {
    namespace: String,
    dnsmasq: Option<Child>,
}

impl Wire {
    /// Makes one, or says why not.
    ///
    /// # Errors
    /// When `ip` (package iproute2) can't make what it is told to.
    pub fn new(test: &str) -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            say(&format!("skipped: {test} makes a network namespace, which needs root"));
            return Ok(None);
        }
        let namespace = format!("ironstrap-{}", std::process::id());
        ip(&["netns", "add", &namespace])?;
        let wire = Self { namespace, dnsmasq: None };
        for args in [
            &["link", "set", "lo", "up"][..],
            &["tuntap", "add", TAP, "mode", "tap"],
            &["address", "add", &format!("{HOST}/24"), "dev", TAP],
            &["link", "set", TAP, "up"],
        ] {
            ip(&[&["-n", &wire.namespace], args].concat())?;
        }
        Ok(Some(wire))
    }

    /// What stands before a command that shall run on the wire.
    pub fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace].map(str::to_owned).into()
    }

    /// A command that runs on the wire.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(&self.prefix()[1..]).arg(program);
        command
    }

    /// Starts dnsmasq with the tree's own configuration, as the wire's only DHCP server.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn dhcp(&mut self, tree: &Path) -> Result<()> {
        let log = tree.with_file_name("dnsmasq.log");
        let errors = std::fs::File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let mut command = self.command(Path::new("dnsmasq"));
        command.args([
            "--no-daemon",
            "--user=root",
            "--log-dhcp",
            "--leasefile-ro",
            &format!("--interface={TAP}"),
        ]);
        command.arg(format!("--conf-file={}", tree.join("dnsmasq-dhcp.conf").display()));
        command.arg(format!("--tftp-root={}", tree.display()));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .context("starting dnsmasq")?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        let ended = child.try_wait().context("asking for dnsmasq's state")?;
        self.dnsmasq = Some(child);
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        ensure!(ended.is_none(), "dnsmasq ended: {}", said());
        Ok(())
    }
}

fn ip(args: &[&str]) -> Result<()> {
    text(Command::new("ip").args(args)).map(drop)
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(mut child) = self.dnsmasq.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = ip(&["netns", "delete", &self.namespace]);
    }
}
