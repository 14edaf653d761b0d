//! `ironstrap serve` as a process that can be killed, and its access log.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::binary;
use super::site::Site;
use super::wire::Wire;

/// A running server on the loopback.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
}

/// One line of the access log.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path that was asked for.
    pub path: String,
    /// The `Range` header, `-` where there was none.
    pub range: String,
    /// HTTP status.
    pub status: u16,
    /// Bytes sent.
    pub sent: u64,
}

impl Server {
    /// Serves a tree; waits until it answers. The log goes on where an earlier server of this site ended.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn start(site: &Site, tree: &Path, port: u16) -> Result<Self> {
        let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        Self::run(Command::new(binary()?), site, tree, &format!("127.0.0.1:{port}"), &answers)
    }

    /// Like [`Server::start`], on a wire of its own.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn start_on(wire: &Wire, site: &Site, tree: &Path, address: &str, port: u16) -> Result<Self> {
        let probe = format!("exec 3<>/dev/tcp/{address}/{port}");
        let answers = || {
            let mut command = wire.command(Path::new("bash"));
            command.args(["-c", &probe]).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        Self::run(wire.command(&binary()?), site, tree, &format!("{address}:{port}"), &answers)
    }

    fn run(
        mut command: Command,
        site: &Site,
        tree: &Path,
        listen: &str,
        answers: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let log = site.root().with_file_name("access.log");
        let errors = std::fs::File::options()
            .create(true)
            .append(true)
            .open(site.root().with_file_name("serve.log"))
            .context("opening the server's log")?;
        let mut child = command
            .arg("--site")
            .arg(site.root())
            .args(["serve", "--listen", listen, "--pxe"])
            .arg(tree)
            .arg("--log")
            .arg(&log)
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .context("starting ironstrap serve")?;
        let started = Instant::now();
        while !answers() {
            if let Some(status) = child.try_wait().context("asking for the server's state")? {
                bail!("ironstrap serve ended with {status}; see serve.log beside {}", site.root().display());
            }
            if started.elapsed() > Duration::from_secs(60) {
                let _ = child.kill();
                bail!("ironstrap serve doesn't listen on {listen}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { child, log })
    }

    /// The requests so far that have ended.
    ///
    /// # Errors
    /// When the log has a line of another form.
    pub fn requests(&self) -> Result<Vec<Request>> {
        requests(&self.log)
    }

    /// Stops it as an operator would; transfers are cut. Returns the requests of all its life.
    ///
    /// # Errors
    /// When it can't be stopped.
    pub fn stop(mut self) -> Result<Vec<Request>> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("stopping the server")?;
        let started = Instant::now();
        while self.child.try_wait().context("awaiting the server's end")?.is_none() {
            if started.elapsed() > Duration::from_secs(10) {
                bail!("ironstrap serve doesn't stop");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        requests(&self.log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes of blobs that these requests sent.
pub fn blob_bytes(requests: &[Request]) -> u64 {
    requests.iter().filter(|request| request.path.starts_with("/blobs/")).map(|request| request.sent).sum()
}

fn requests(log: &Path) -> Result<Vec<Request>> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    // the others tell of trees that were taken over
    text.lines()
        .filter(|line| line.contains(" status="))
        .map(|line| parse(line).with_context(|| format!("reading `{line}` of the access log")))
        .collect()
}

/// `TIME CLIENT METHOD PATH range=R status=N sent=A/B END`
fn parse(line: &str) -> Option<Request> {
    let mut words = line.split(' ').skip(3);
    Some(Request {
        path: words.next()?.to_owned(),
        range: words.next()?.strip_prefix("range=")?.to_owned(),
        status: words.next()?.strip_prefix("status=")?.parse().ok()?,
        sent: words.next()?.strip_prefix("sent=")?.split('/').next()?.parse().ok()?,
    })
}
