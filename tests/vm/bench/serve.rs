//! `serve` beside nginx: the same files, the same client (wrk), one after the other, three times; the median of each.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use ironstrap::spec::FormatVersion;
use ironstrap::spec::manifest::{BundleFile, BundleManifest};
use ironstrap::trust::{Purpose, SiteKey};
use ironstrap::value::{Digest, Timestamp};

use crate::support::{binary, say, scratch, text};

const NGINX: &str = "127.0.0.1:18081";
const SMALL: &str = "hosts/small.cfg";

/// A server; ends with the bench.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// 64 clients that fetch 64 MiB blobs, then small files.
pub fn serve() -> Result<()> {
    let dir = scratch("bench-serve")?;
    let large = tree(&dir)?;
    let (_ours, address) = ours(&dir)?;
    let _theirs = nginx(&dir)?;
    for (what, path, goal) in [("64 MiB blobs", large.as_str(), 0.9), ("files of 2 KiB", SMALL, 0.7)] {
        let (mut own, mut nginx) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            own.push(rate(&format!("http://{address}/{path}"))?);
            nginx.push(rate(&format!("http://{NGINX}/{path}"))?);
        }
        let [own, nginx] = [own, nginx].map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[1]
        });
        say(&format!(
            "serve of {what} to 64 clients: {:.0} MiB/s; nginx: {:.0} MiB/s; ratio {:.2} (goal: {goal})",
            own / 1_048_576.0,
            nginx / 1_048_576.0,
            own / nginx
        ));
    }
    std::fs::remove_dir_all(&dir).context("removing the bench's files")
}

/// A signed tree of two files; the path of the large one.
fn tree(dir: &Path) -> Result<String> {
    let key = SiteKey::from_random([7; 40]);
    let blob: Vec<u8> = (0..64 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let large = format!("blobs/{}", Digest::of(&blob));
    let root = dir.join("pxe");
    let mut files = Vec::new();
    for (path, content) in [(large.as_str(), blob), (SMALL, vec![b'#'; 2048])] {
        let place = root.join(path);
        std::fs::create_dir_all(place.parent().context("a file has a directory")?)?;
        std::fs::write(&place, &content).with_context(|| format!("writing {}", place.display()))?;
        files.push(BundleFile {
            path: path.to_owned(),
            size: content.len() as u64,
            digest: Digest::of(&content),
        });
    }
    let (version, generator, time) = (FormatVersion, "bench".to_owned(), Timestamp::from_unix(0));
    let manifest = BundleManifest { version, generator, time, files, hosts: Vec::new() };
    let manifest = serde_json::to_vec(&manifest).context("encoding the manifest")?;
    std::fs::write(root.join("manifest.json"), &manifest)?;
    std::fs::write(root.join("manifest.json.minisig"), key.sign(Purpose::Bundle, &manifest))?;
    std::fs::write(dir.join("ironstrap.pub"), key.public().to_text())?;
    Ok(large)
}

fn ours(dir: &Path) -> Result<(Ends, String)> {
    let mut serve = Command::new(binary()?);
    serve.arg("-C").arg(dir).args(["serve", "--listen", "127.0.0.1:0", "--pxe"]).arg(dir.join("pxe"));
    serve.arg("--log").arg(dir.join("access.log")).stderr(Stdio::piped());
    let mut child = Ends(serve.spawn().context("starting serve")?);
    let mut line = String::new();
    let said = child.0.stderr.take().context("reading what serve says")?;
    BufReader::new(said).read_line(&mut line)?;
    let address = line.split("http://").nth(1).and_then(|rest| rest.split(';').next());
    let address = address.with_context(|| format!("serve said {line}"))?.to_owned();
    Ok((child, address))
}

/// With what a careful operator sets: sendfile, a process a core, a log.
fn nginx(dir: &Path) -> Result<Ends> {
    let place = dir.display();
    let config = format!(
        "daemon off;\nworker_processes auto;\npid {place}/nginx.pid;\nerror_log {place}/nginx-error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log {place}/nginx.log; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n\
         client_body_temp_path {place}/n1; proxy_temp_path {place}/n2; fastcgi_temp_path {place}/n3;\n\
         uwsgi_temp_path {place}/n4; scgi_temp_path {place}/n5;\n\
         server {{ listen {NGINX}; root {place}/pxe; }} }}\n"
    );
    let path = dir.join("nginx.conf");
    std::fs::write(&path, config)?;
    // its workers run as another user, who may not look into the scratch directory
    let user = format!("user {};", text(Command::new("id").arg("-un"))?.trim());
    let mut nginx = Command::new("nginx");
    nginx.arg("-c").arg(&path).arg("-g").arg(user).stderr(Stdio::null());
    let child = Ends(nginx.spawn().context("starting nginx")?);
    let started = std::time::Instant::now();
    while std::net::TcpStream::connect(NGINX).is_err() {
        ensure!(started.elapsed().as_secs() < 10, "nginx doesn't listen on {NGINX}; see nginx-error.log");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Ok(child)
}

/// Bytes a second, by wrk.
fn rate(url: &str) -> Result<f64> {
    let said = text(Command::new("wrk").args(["-c64", "-t2", "-d5s", "--timeout", "60s", url]))?;
    ensure!(!said.contains("Non-2xx"), "{said}");
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Transfer/sec:"));
    let figure = line.with_context(|| format!("wrk said {said}"))?.trim();
    let (number, unit) = figure.split_at(figure.find(char::is_alphabetic).unwrap_or(figure.len()));
    let unit = match unit {
        "GB" => f64::from(1 << 30),
        "MB" => f64::from(1 << 20),
        "KB" => 1024.0,
        _ => 1.0,
    };
    Ok(number.parse::<f64>().with_context(|| format!("wrk said {figure}"))? * unit)
}
