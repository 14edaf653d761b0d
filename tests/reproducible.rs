//! Same input, same bytes: media built twice, the second time with everything changed that must not matter.
//!
//! Runs with the virtual machines' tests (`IRONSTRAP_VM=1`), because it needs their golden image.

#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use support::disk::file_digest;
use support::golden::IMAGE;
use support::site::Site;
use support::{binary, judges, machines_wanted, scratch, text};

const HOST: &str = "\
name: web01
match: { mac: [\"52:54:00:50:00:01\"] }
image: IMAGE
network: { interfaces: [{ match: { mac: \"52:54:00:50:00:01\" }, ipv4: dhcp }] }
storage: { target: { serial: WEB1 } }
";

#[test]
fn two_builds_from_one_site_are_the_same_bytes() -> Result<()> {
    if !machines_wanted("reproducible") {
        return Ok(());
    }
    let dir = scratch("reproducible")?;
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

/// Builds both media; returns every file's path and digest.
fn build(mut command: Command, dir: &Path) -> Result<Vec<(PathBuf, String)>> {
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
    let mut files = vec![(PathBuf::from("usb.img"), file_digest(&dir.join("usb.img"))?)];
    digests(dir, &dir.join("pxe"), &mut files)?;
    files.sort();
    ensure!(files.len() > 5, "the tree has only {} files", files.len());
    Ok(files)
}

fn digests(root: &Path, dir: &Path, into: &mut Vec<(PathBuf, String)>) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))? {
        let path = entry.context("listing the tree")?.path();
        if path.is_dir() {
            digests(root, &path, into)?;
        } else {
            let name = path.strip_prefix(root).context("naming a file")?.to_owned();
            into.push((name, file_digest(&path)?));
        }
    }
    Ok(())
}

fn difference(one: &[(PathBuf, String)], other: &[(PathBuf, String)]) -> String {
    let only = |these: &[(PathBuf, String)], those: &[(PathBuf, String)], side: &str| {
        let differing = these.iter().filter(|file| !those.contains(file));
        differing.map(|(path, digest)| format!("{side}: {} {digest}\n", path.display())).collect::<String>()
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
