//! A site with a small PXE tree, and what its host says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ironstrap::order;
use ironstrap::spec::FormatVersion;
use ironstrap::spec::image::{Blob, ImageManifest};
use ironstrap::spec::manifest::{BundleFile, BundleHost, BundleManifest};
use ironstrap::spec::order::Grant;
use ironstrap::sys::files;
use ironstrap::trust::{PROOF_HEADER, Purpose, SiteKey, Voucher, event_public_key, run_name};
use ironstrap::value::{Digest, EventPublicKey, EventSecret, OrderId, RunSecret, Timestamp};

pub const HOST: &str = "web01";
pub const ORDER: &str = "0123456789abcdef0123456789abcdef";
/// The end of its order.
const UNTIL: &str = "2036-11-30T07:00:00Z";
pub const BLOB: usize = 1_000_000;

/// How long anything may take here.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Site {
    dir: tempfile::TempDir,
    /// The end of its host's order.
    until: String,
    pub blob: Vec<u8>,
}

impl Site {
    /// One host; the tree lists kernel, loader configuration and order, the image's blobs are in the store only.
    pub fn new() -> Self {
        Self::until(UNTIL)
    }

    /// The same, with another end of the order.
    pub fn until(until: &str) -> Self {
        let blob: Vec<u8> = (0..BLOB).map(|i| (i * 7 % 251) as u8).collect();
        let site = Self { dir: tempfile::tempdir().unwrap(), until: until.to_owned(), blob };
        let key = SiteKey::from_random([7; 40]);
        site.write("ironstrap.pub", key.public().to_text().as_bytes());
        site.write(&format!(".ironstrap/store/blobs/{}", Digest::of(&site.blob)), &site.blob);
        let image = site.image();
        site.write(&format!(".ironstrap/store/blobs/{}", Digest::of(&image)), &image);
        site.make_tree(&site.tree(), b"a kernel");
        site
    }

    /// Replaces the tree as `bundle --pxe` does.
    pub fn bundle(&self, kernel: &[u8]) {
        let building = files::begin_directory(&self.tree()).unwrap();
        self.make_tree(building.path(), kernel);
        files::finish_directory(building, &self.tree()).unwrap();
    }

    /// The key that signs: the one that the site has the secret half of, or the one of all these sites.
    fn key(&self) -> SiteKey {
        let secret = std::fs::read_to_string(self.state("site.key"));
        secret.map_or(SiteKey::from_random([7; 40]), |text| SiteKey::from_text(&text).unwrap())
    }

    /// Makes it a site whose keys can be changed.
    pub fn with_secret_key(self) -> Self {
        self.write("site.yaml", b"name: test\n");
        files::write_whole(&self.state("site.key"), 0o600, self.key().to_text().as_bytes()).unwrap();
        self
    }

    fn make_tree(&self, tree: &Path, kernel: &[u8]) {
        let key = self.key();
        let order = order(&Digest::of(&self.image()), &key, &self.until);
        let signature = key.sign(Purpose::Order, order.as_bytes());
        let path = format!("etc/ironstrap/orders/{HOST}.json");
        let archive = archive(&[(&path, &order), (&format!("{path}.minisig"), &signature)]);
        let files = [
            ("hosts/52-54-00-12-34-56.cfg", b"linux /kernel".to_vec()),
            ("kernel", kernel.to_vec()),
            ("orders/web01.cpio", archive),
        ];
        let write = |path: &str, content: &[u8]| {
            let path = tree.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        let listed = files.iter().map(|(path, content)| {
            write(path, content);
            BundleFile { path: (*path).to_owned(), size: content.len() as u64, digest: Digest::of(content) }
        });
        let manifest = BundleManifest {
            version: FormatVersion,
            generator: "test".to_owned(),
            time: Timestamp::from_unix(0),
            files: listed.collect(),
            hosts: vec![BundleHost {
                host: HOST.parse().unwrap(),
                order: ORDER.parse().unwrap(),
                generation: 1,
                former_events: self.former_events(),
            }],
        };
        let manifest = serde_json::to_vec(&manifest).unwrap();
        write("manifest.json", &manifest);
        write("manifest.json.minisig", key.sign(Purpose::Bundle, &manifest).as_bytes());
    }

    /// The event keys of the host's order that the site's former keys gave it.
    fn former_events(&self) -> Vec<EventPublicKey> {
        let Ok(former) = std::fs::read_dir(self.state("former")) else { return Vec::new() };
        let key = |path: PathBuf| SiteKey::from_text(&std::fs::read_to_string(path).unwrap()).unwrap();
        former.map(|entry| event_public_key(&key(entry.unwrap().path()).event_secret(&id()))).collect()
    }

    fn image(&self) -> Vec<u8> {
        let blob = Blob { digest: Digest::of(&self.blob), size: BLOB as u64 };
        let manifest: ImageManifest = serde_json::from_value(serde_json::json!({
            "version": 1, "image": "debian@1", "size": "4096", "logical_block": 512, "raw": blob.digest,
            "index": blob, "packs": [blob], "data": "4096", "partitions": [], "esp": 1,
            "root": { "partition": 2, "uuid": "8b3f12ac-7d01-4a7e-9f44-0c5b1f0a2d33", "kind": "ext4" },
            "system": { "os": "debian", "os_version": "12", "kernel": "6.1", "network": "networkd",
                        "selinux_enforcing": false, "tools": [] },
        }))
        .unwrap();
        serde_json::to_vec(&manifest).unwrap()
    }

    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn tree(&self) -> PathBuf {
        self.dir.path().join("pxe")
    }

    pub fn blob_path(&self) -> String {
        format!("/blobs/{}", Digest::of(&self.blob))
    }

    pub fn events_path(&self) -> PathBuf {
        self.dir.path().join(".ironstrap/events.jsonl")
    }

    /// A file of the site's state.
    pub fn state(&self, name: &str) -> PathBuf {
        self.dir.path().join(".ironstrap").join(name)
    }

    /// Arms the host with the tree's order.
    pub fn write_permit(&self, until: &str) {
        let image = Digest::of(&self.image());
        let permit = serde_json::from_value(serde_json::json!({
            "version": 2, "id": ORDER, "host": HOST, "generation": 1, "not_before": "2026-11-23T07:00:00Z",
            "not_after": until, "image": "debian@1", "manifest": image, "target": { "serial": "S1" },
            "matching": {}, "wipe": "ours",
        }));
        let sealed = order::SealedPermit::new(permit.unwrap(), &self.key()).unwrap();
        self.write(&format!(".ironstrap/orders/{HOST}.json"), sealed.to_text().unwrap().as_bytes());
    }

    pub fn events(&self) -> String {
        std::fs::read_to_string(self.events_path()).unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("access.log")).unwrap_or_default()
    }

    /// Waits for a line of the access log: it is written when the server is through with a transfer.
    pub fn log_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let log = self.log();
            if let Some(line) = log.lines().find(|line| wanted(line)) {
                return line.to_owned();
            }
            assert!(start.elapsed() < PATIENCE, "no such line in:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.arg("-C").arg(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub fn serve(&self) -> Command {
        let mut command = self.command();
        command.arg("serve").arg("--pxe").arg(self.tree());
        command.arg("--log").arg(self.dir.path().join("access.log"));
        command
    }

    /// What a command that succeeds prints.
    pub fn ironstrap(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command says that refuses.
    pub fn refuses(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }

    /// What `serve` says when it doesn't start.
    pub fn fails(&self, args: &[&str], code: i32) -> String {
        let output = self.serve().args(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    }
}

/// The tested binary; long runs have one that is optimised.
pub fn binary() -> std::ffi::OsString {
    let soak = std::env::var_os("IRONSTRAP_SOAK").and_then(|_| std::env::var_os("IRONSTRAP_BIN"));
    soak.unwrap_or_else(|| env!("CARGO_BIN_EXE_ironstrap").into())
}

fn order(image: &Digest, key: &SiteKey, until: &str) -> String {
    let from = "2026-11-23T07:00:00Z";
    let grant = Grant {
        host: HOST.parse().unwrap(),
        order: ORDER.parse().unwrap(),
        generation: 1,
        not_before: from.parse().unwrap(),
        not_after: until.parse().unwrap(),
    };
    serde_json::json!({
        "version": 3, "id": ORDER, "host": HOST, "generation": 1, "events": key.event_secret(&id()),
        "not_before": from, "not_after": until, "seal": order::seal(&grant, key),
        "refusal_pause_seconds": 600, "allow_dead_clock": false,
        "matching": { "macs": ["52:54:00:12:34:56"] },
        "image": { "image": "debian@1", "manifest": image },
        "target": { "serial": "S1" }, "wipe": "ours", "confirm_seconds": 0, "network": {},
        "payload": null, "server": null,
        "system": { "hostname": HOST, "timezone": null, "root": { "password": null, "ssh_keys": [] },
                    "users": [], "files": [], "units": [] },
    })
    .to_string()
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let entries = files.iter().map(|(path, content)| {
        let entry = cpio::newc::Builder::new(path).mode(0o100_600);
        (entry, std::io::Cursor::new(content.as_bytes().to_vec()))
    });
    cpio::write_cpio(entries, Vec::new()).unwrap()
}

/// What vouches for the runs of the site's host.
pub fn events() -> EventSecret {
    SiteKey::from_random([7; 40]).event_secret(&id())
}

/// The name of the host's order.
pub fn id() -> OrderId {
    ORDER.parse().unwrap()
}

/// The secret of the run that a test calls so.
pub fn run(label: &str) -> RunSecret {
    RunSecret::from_bytes(*Digest::of(label.as_bytes()).as_bytes())
}

/// An event of the site's host as its agent sends it, and the header field that proves it.
pub fn told(label: &str, seq: u64, what: &str) -> (String, String) {
    let run = run(label);
    let body = event(&run_name(&run), seq, what);
    let proof = Voucher::new(&events(), &id(), &run).prove(&run, body.as_bytes());
    (body, format!("{PROOF_HEADER}: {proof}"))
}

/// An event of the site's host as JSON, which proves nothing.
pub fn event(run: &str, seq: u64, what: &str) -> String {
    format!(
        r#"{{"version":1,"run":"{run}","seq":{seq},"time":"2026-11-23T07:00:00Z","host":"{HOST}","order":"{ORDER}","what":{what}}}"#
    )
}
