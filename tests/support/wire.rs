//! A network of its own: a namespace with one tap, on which a test may have what the loopback can't give it: port 80, and
//! DHCP servers that aren't QEMU's, the second one on a machine of its own. Needs root; nothing of it reaches the machine's
//! other networks.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{expect, text};

/// The host's address on the wire.
pub const HOST: &str = "10.80.0.1";
/// The neighbour's address on the wire.
pub const NEIGHBOUR: &str = "10.80.0.3";
/// The tap's name inside the namespace.
pub const TAP: &str = "wire";
/// The neighbour's card, inside its namespace.
const CARD: &str = "eth0";

/// A namespace with its tap, and the servers that run in it or beside it. Dropping it takes everything down.
#[derive(Debug)]
pub struct Wire {
    namespace: String,
    /// The host's card.
    card: &'static str,
    /// A second machine on the wire: its namespace.
    neighbour: Option<String>,
    servers: Vec<Child>,
}

impl Wire {
    /// Makes one, or says why not.
    ///
    /// # Errors
    /// When `ip` (package iproute2) can't make what it is told to.
    pub fn new(test: &str) -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            expect::unavailable(&format!("{test} makes a network namespace, which needs root"));
            return Ok(None);
        }
        let namespace = format!("ironstrap-{}-{test}", std::process::id());
        ip(&["netns", "add", &namespace])?;
        let wire = Self { namespace, card: TAP, neighbour: None, servers: Vec::new() };
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

    /// The same with a second machine on the wire, at [`NEIGHBOUR`]: two DHCP servers can't share one.
    ///
    /// # Errors
    /// See [`Wire::new`].
    pub fn with_neighbour(test: &str) -> Result<Option<Self>> {
        let Some(mut wire) = Self::new(test)? else { return Ok(None) };
        let (own, other) = (wire.namespace.clone(), format!("{}-n", wire.namespace));
        ip(&["netns", "add", &other])?;
        wire.neighbour = Some(other.clone());
        wire.card = "lan";
        for line in [
            format!("-n {own} address flush dev {TAP}"),
            format!("-n {own} link add lan type bridge"),
            format!("-n {own} link add peer type veth peer name {CARD} netns {other}"),
            format!("-n {own} link set {TAP} master lan"),
            format!("-n {own} link set peer master lan"),
            format!("-n {own} address add {HOST}/24 dev lan"),
            format!("-n {own} link set peer up"),
            format!("-n {own} link set lan up"),
            format!("-n {other} link set lo up"),
            format!("-n {other} address add {NEIGHBOUR}/24 dev {CARD}"),
            format!("-n {other} link set {CARD} up"),
        ] {
            ip(&line.split(' ').collect::<Vec<_>>())?;
        }
        Ok(Some(wire))
    }

    /// Starts dnsmasq with the tree's own configuration, as the wire's only DHCP server.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn dhcp(&mut self, tree: &Path) -> Result<()> {
        self.dnsmasq(tree, "dnsmasq-dhcp.conf").map(drop)
    }

    /// Starts dnsmasq with a file of the tree, and returns the path of its log.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn dnsmasq(&mut self, tree: &Path, file: &str) -> Result<PathBuf> {
        let log = tree.with_file_name("dnsmasq.log");
        let mut command = self.command(Path::new("dnsmasq"));
        command.args(["--no-daemon", "--user=root", "--log-dhcp", "--leasefile-ro"]);
        command.arg(format!("--interface={}", self.card));
        command.arg(format!("--conf-file={}", tree.join(file).display()));
        command.arg(format!("--tftp-root={}", tree.display()));
        self.serve(command, "dnsmasq", &log)?;
        Ok(log)
    }

    /// Starts the neighbour's server; what it says goes to `log`.
    ///
    /// # Errors
    /// When there is no neighbour, or it doesn't start.
    pub fn neighbour_serves(&mut self, program: &str, args: &[&str], log: &Path) -> Result<()> {
        let namespace = self.neighbour.as_ref().context("the wire has no neighbour")?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, program]).args(args);
        // Kea's, which has no option for these
        let dir = log.parent().context("naming a directory")?;
        command.envs(["KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR"].map(|name| (name, dir)));
        self.serve(command, program, log)
    }

    fn serve(&mut self, mut command: Command, program: &str, log: &Path) -> Result<()> {
        let said = std::fs::File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let both = said.try_clone().context("sharing a log")?;
        command.stdin(Stdio::null()).stdout(both).stderr(said);
        let mut child = command.spawn().with_context(|| format!("starting {program}"))?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        let ended = child.try_wait().with_context(|| format!("asking for {program}'s state"))?;
        self.servers.push(child);
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        ensure!(ended.is_none(), "{program} ended: {}", said());
        Ok(())
    }
}

fn ip(args: &[&str]) -> Result<()> {
    text(Command::new("ip").args(args)).map(drop)
}

impl Drop for Wire {
    fn drop(&mut self) {
        for child in &mut self.servers {
            let _ = child.kill();
            let _ = child.wait();
        }
        for namespace in [Some(&self.namespace), self.neighbour.as_ref()].into_iter().flatten() {
            let _ = ip(&["netns", "delete", namespace]);
        }
    }
}
