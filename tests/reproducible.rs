//! Same input, same bytes: media built twice, the second time with everything changed that must not matter.
//!
//! Runs with the virtual machines' tests (`IRONSTRAP_VM=1`), because it needs their golden image.

#[path = "support/mod.rs"]
mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use support::disk::file_digest;
use support::image_fixture::IMAGE;
use support::site::Site;
use support::{binary, judges, text, with_machines};

const HOST: &str = "\
name: web01
match: { mac: [\"52:54:00:50:00:01\"] }
image: IMAGE
network: { interfaces: [{ match: { mac: \"52:54:00:50:00:01\" }, ipv4: dhcp }] }
storage: { target: { serial: WEB1 } }
";

#[test]
fn two_builds_from_one_site_are_the_same_bytes() -> Result<()> {
    with_machines("reproducible", |dir| {
        let first = dir.join("first");
        let hosts = [("web01", HOST.replace("IMAGE", IMAGE))];
        let site = Site::new(&first, Some("http://10.0.2.2:8080"), &hosts)?;
        site.arm(&["web01"])?;
        let second = dir.join("another place").join("second");
        std::fs::create_dir_all(&second).context("making another place")?;
        text(Command::new("cp").arg("-a").arg(site.root()).arg(second.join("site")))?;

        let binary = dynamic()?;
        let one = build(Command::new(&binary), &first)?;
        let cache = second.join("site/.ironstrap/cache");
        ensure!(!cache.exists(), "the copy was made before the first build and has a cache");
        let other = build(changed(&binary), &second)?;
        ensure!(one == other, "two builds differ:\n{}", difference(&one, &other));

        judges::table_and_esp(&first.join("usb.img"))?;
        stock_minisign_accepts(&first)
    })
}

/// The ironstrap that is linked dynamically: faketime can't reach into a static one, and the test would prove nothing.
fn dynamic() -> Result<PathBuf> {
    let path = std::env::var_os("IRONSTRAP_DYNAMIC")
        .context("IRONSTRAP_DYNAMIC names no ironstrap (see Makefile)")?;
    text(Command::new("/lib64/ld-linux-x86-64.so.2").arg("--verify").arg(&path))
        .context("faketime needs it")?;
    Ok(path.into())
}

/// ironstrap in another time zone, umask, locale and time.
fn changed(binary: &Path) -> Command {
    let mut command = Command::new("faketime");
    command
        .args(["-f", "+3d", "sh", "-c", "umask 077; exec \"$@\"", "sh"])
        .arg(binary)
        .env("TZ", "Pacific/Kiritimati")
        .env("LC_ALL", "C");
    command
}

/// A file or directory: its path, the digest of a file, its mode.
type Made = (PathBuf, Option<String>, u32);

/// Builds both media; returns all that was made.
fn build(mut command: Command, dir: &Path) -> Result<Vec<Made>> {
    text(
        command
            .arg("--site")
            .arg(dir.join("site"))
            .arg("bundle")
            // the one that runs here can't run on a target
            .arg("--agent")
            .arg(binary()?)
            .arg("--usb")
            .arg(dir.join("usb.img"))
            .arg("--pxe")
            .arg(dir.join("pxe")),
    )?;
    let mut files = Vec::new();
    for output in ["usb.img", "pxe"] {
        look(dir, &dir.join(output), &mut files)?;
    }
    files.sort();
    ensure!(files.len() > 5, "the tree has only {} files", files.len());
    Ok(files)
}

fn look(root: &Path, path: &Path, into: &mut Vec<Made>) -> Result<()> {
    let metadata = path.symlink_metadata().with_context(|| format!("looking at {}", path.display()))?;
    let digest = metadata.is_file().then(|| file_digest(path)).transpose()?;
    let name = path.strip_prefix(root).context("naming a file")?.to_owned();
    into.push((name, digest, metadata.permissions().mode() & 0o7777));
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("listing {}", path.display()))? {
            look(root, &entry.context("listing the tree")?.path(), into)?;
        }
    }
    Ok(())
}

fn difference(one: &[Made], other: &[Made]) -> String {
    let only = |these: &[Made], those: &[Made], side: &str| {
        let differing = these.iter().filter(|file| !those.contains(file));
        let line = |(path, digest, mode): &Made| format!("{side}: {} {digest:?} {mode:o}\n", path.display());
        differing.map(line).collect::<String>()
    };
    only(one, other, "first") + &only(other, one, "second")
}

/// The signature of the tree's manifest and of the stick's.
fn stock_minisign_accepts(dir: &Path) -> Result<()> {
    let key = dir.join("site/ironstrap.pub");
    let esp = judges::esp(&dir.join("usb.img"))?;
    let copy = dir.join("from-stick");
    std::fs::create_dir_all(&copy).context("making a directory for the stick's manifest")?;
    for name in ["manifest.json", "manifest.json.minisig"] {
        text(Command::new("mcopy").arg("-n").arg("-i").arg(&esp).arg(format!("::{name}")).arg(&copy))?;
    }
    for place in [copy, dir.join("pxe")] {
        text(
            Command::new("minisign").arg("-V").arg("-p").arg(&key).arg("-m").arg(place.join("manifest.json")),
        )?;
    }
    Ok(())
}
