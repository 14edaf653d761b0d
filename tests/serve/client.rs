//! A running server, and a client that sends what no library would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::site::{PATIENCE, Site, binary, told};

/// A server; killed when the test is through with it.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
}

impl Running {
    pub fn start(site: &Site, args: &[&str]) -> Self {
        let mut command = site.serve();
        command.args(args);
        Self::run(command)
    }

    /// A server that may open so many files.
    pub fn start_with_files(site: &Site, files: u32) -> Self {
        let serve = site.serve();
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={files}:{files}")).arg(serve.get_program()).args(serve.get_args());
        Self::run(command)
    }

    /// A server that is started in another directory and told nothing but the tree.
    pub fn start_in(site: &Site, directory: &Path) -> Self {
        let mut command = Command::new(binary());
        command.current_dir(directory).arg("serve").arg("--pxe").arg(site.tree()).stdin(Stdio::null());
        command.arg("--log").arg(directory.join("access.log"));
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command.args(["--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(';').next());
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            panic!("the server said {line}");
        };
        Self { child, address }
    }

    /// The most memory that it had, in KiB.
    pub fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Ends it as an operator does; it must end well and soon.
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server doesn't stop");
    }

    /// Tells an event of the host as its agent does.
    pub fn tell(&self, label: &str, seq: u64, what: &str) -> Answer {
        let (body, proof) = told(label, seq, what);
        self.post_with(&body, &proof)
    }

    /// Posts an event that proves nothing.
    pub fn post(&self, body: &str) -> Answer {
        self.post_with(body, "X-Nothing: 1")
    }

    pub fn post_with(&self, body: &str, field: &str) -> Answer {
        let length = body.len();
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{field}\r\nContent-Length: {length}"
        );
        request(self, &format!("{head}\r\n\r\n{body}"))
    }

    /// Begins a transfer and reads this much of it.
    pub fn fetch(&self, path: &str, count: usize) -> (TcpStream, Vec<u8>) {
        self.begin(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"), count)
    }

    /// Reads this much of a transfer and hangs up.
    pub fn fetch_and_go(&self, path: &str, count: usize) {
        self.begin(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-\r\n\r\n"), count);
    }

    fn begin(&self, text: &str, count: usize) -> (TcpStream, Vec<u8>) {
        let mut stream = connect(self);
        stream.write_all(text.as_bytes()).unwrap();
        let mut got = vec![0; count];
        stream.read_exact(&mut got).unwrap();
        (stream, got)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request as it stands and reads the answer to its end. A server that refuses a body may hang up before it has
/// read all of it.
pub fn request(server: &Running, text: &str) -> Answer {
    let mut stream = connect(server);
    let _ = stream.write_all(text.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

pub fn get(server: &Running, path: &str, headers: &[&str]) -> Answer {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    request(server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
}
