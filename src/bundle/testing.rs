//! A small bundle without an image, for the tests of both media.

use std::path::PathBuf;

use super::bootfiles::{BootFiles, Loaders, Started};
use super::contents::{self, Contents};
use super::host::BundledHost;
use crate::boot::grub::BootHost;
use crate::host::{Host, LockedHost, testing};
use crate::order::{self, fixtures};
use crate::spec::image::Blob;
use crate::spec::installer::AgentStart;
use crate::spec::order::Permit;
use crate::trust::SiteKey;
use crate::value::{Digest, ImageSource};

pub(crate) fn key() -> SiteKey {
    SiteKey::from_random([6; 40])
}

pub(crate) fn hosts() -> Vec<BundledHost> {
    let host = |name: &str, seed: u8| {
        let (mut permit, mut parts) = (fixtures::permit(), fixtures::parts());
        permit.host = name.parse().unwrap();
        permit.id = crate::value::OrderId::from_random([seed; 16]);
        parts.host = permit.host.clone();
        parts.matching.macs = vec![format!("52:54:00:00:00:{seed:02x}").parse().unwrap()];
        permit.matching = parts.matching.clone();
        parts.payload = Some("http://10.0.0.1:8080".parse().unwrap());
        let order = order::build(&permit, parts, &key(), fixtures::now()).unwrap();
        let boot = BootHost {
            host: order.host.clone(),
            order: order.id.clone(),
            matching: order.matching.clone(),
            interfaces: Vec::new(),
            start: AgentStart::Kernel,
            kernel_args: Vec::new(),
        };
        BundledHost { signed: order::sign(&order, &key()).unwrap(), order, boot, former_events: Vec::new() }
    };
    vec![host("db01", 1), host("web01", 2)]
}

/// A host as its profile and lock have it, and the permit that fits it.
pub(crate) fn locked(name: &str) -> (LockedHost, Permit) {
    let parts = fixtures::parts();
    let host = Host {
        name: name.parse().unwrap(),
        matching: parts.matching,
        image: Some(ImageSource::Store(parts.image.image.clone())),
        target: parts.target,
        wipe: parts.wipe,
        confirm_seconds: parts.confirm_seconds,
        refusal_pause_seconds: parts.refusal_pause_seconds,
        allow_dead_clock: parts.allow_dead_clock,
        root: parts.system.root,
        ..testing::host()
    };
    let permit = Permit { host: host.name.clone(), ..fixtures::permit() };
    (LockedHost { host, image: parts.image }, permit)
}

pub(crate) fn boot() -> BootFiles {
    let loaders = Loaders {
        shim: vec![2; 900_000],
        grub: vec![3; 2_000_001],
        vendors: vec!["debian".to_owned()],
        grub_net: Some(vec![4; 1_500_000]),
    };
    let kernel = Started { kernel: vec![1; 3_000_000], initrds: vec![vec![5; 20_000_000]] };
    BootFiles { loaders, starts: [(AgentStart::Kernel, kernel)].into() }
}

/// A store of three blobs, one of them no multiple of anything.
pub(crate) struct Blobs {
    dir: tempfile::TempDir,
    pub(crate) blobs: Vec<Blob>,
}

impl Blobs {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let content =
            |seed: u8, length: usize| (0..length).map(|i| (i % 251) as u8 ^ seed).collect::<Vec<_>>();
        let put = |content: Vec<u8>| {
            let digest = Digest::of(&content);
            std::fs::write(dir.path().join(digest.to_string()), &content).unwrap();
            Blob { digest, size: content.len() as u64 }
        };
        let blobs = [(1, 700), (2, 5_000_001), (3, 4096)].map(|(seed, length)| put(content(seed, length)));
        Self { dir, blobs: blobs.to_vec() }
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.path().join(digest.to_string())
    }

    /// Changes one bit of the second blob.
    pub(crate) fn damage(&self) -> String {
        let path = self.path(&self.blobs[1].digest);
        let mut content = std::fs::read(&path).unwrap();
        content[4_999_999] ^= 1;
        std::fs::write(&path, content).unwrap();
        self.blobs[1].digest.to_string()
    }
}

pub(crate) fn usb(blobs: &Blobs) -> Contents {
    contents::usb(&hosts(), &boot(), blobs.blobs.clone(), &key()).unwrap()
}

pub(crate) fn pxe(blobs: &Blobs) -> Contents {
    contents::pxe(&hosts(), &boot(), blobs.blobs.clone(), &Default::default(), &key()).unwrap()
}

/// Runs a judge; false, said aloud, where it isn't installed.
pub(crate) fn judge(program: &str, package: &str, args: &[&str]) -> bool {
    match std::process::Command::new(program).args(args).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {args:?}: {text}");
            true
        }
        Err(_) => {
            crate::expect::missing_program(program, package);
            false
        }
    }
}
