//! `image build` by a user who isn't root: with the real mmdebstrap, in its user namespace.
//!
//! Runs with the virtual machines' tests (`IRONSTRAP_VM=1`), because it takes minutes and needs the network.

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use support::{binary, judges, machines_wanted, text};

/// As small as an image gets, with a file where only the image's root may look.
const RECIPE: &str = "\
version: 1
image: unprivileged@1
suite: bookworm
size: 1152MiB
files: [{ path: /root/note, content: seen }]
";

/// A user that every Debian has, and that has no subordinate ids of its own.
const USER: &str = "nobody";

#[test]
fn a_user_without_rights_builds_an_image_and_can_stop_it() -> Result<()> {
    if !machines_wanted("unprivileged") {
        return Ok(());
    }
    // not below target/: a checkout in root's home is closed to others; not in /tmp: it may be in memory
    let dir = tempfile::Builder::new().prefix("ironstrap-test-").tempdir_in("/var/tmp")?;
    let home = dir.path();
    let work = home.join("work");
    std::fs::create_dir(&work)?;
    std::fs::copy(binary()?, home.join("ironstrap")).context("copying ironstrap")?;
    std::fs::write(home.join("recipe.yaml"), RECIPE)?;
    if rustix::process::geteuid().is_root() {
        std::fs::write(home.join("ranges"), format!("{USER}:100000:65536\n"))?;
        text(Command::new("chown").args(["-R", USER]).arg(home))?;
    }
    let site = home.join("site");
    text(as_user(home).arg("init").arg(&site))?;

    stops_when_asked(home, &work)?;

    let raw = home.join("image.raw");
    let recipe = home.join("recipe.yaml");
    text(
        as_user(home).arg("-C").arg(&site).args(["image", "build"]).arg(recipe).arg("--keep-raw").arg(&raw),
    )?;
    ensure!(text(as_user(home).arg("-C").arg(&site).args(["image", "list"]))?.contains("unprivileged@1"));
    judges::installed_disk(&raw)?;
    ensure!(judges::file(&raw, "/root/note")? == "seen", "the recipe's file isn't there");
    for (path, expected) in
        [("/etc/shadow", ["0640", "0", "42"]), ("/root", ["0700", "0", "0"]), ("/tmp", ["01777", "0", "0"])]
    {
        let said = judges::stat(&raw, path)?;
        let words: Vec<_> = said.split_whitespace().collect();
        for (name, value) in ["Mode:", "User:", "Group:"].iter().zip(expected) {
            let found = words.iter().skip_while(|word| *word != name).nth(1);
            ensure!(found == Some(&value), "{path} has {name} {found:?}, not {value}: {said}");
        }
    }
    nothing_left(&work)
}

/// ironstrap as a normal user: this one, or, if this one is root, one who gets subordinate ids in a mount namespace, so
/// that the machine's own files stay as they are.
fn as_user(home: &Path) -> Command {
    let binary = home.join("ironstrap");
    let mut command = if rustix::process::geteuid().is_root() {
        let script =
            "mount --bind \"$1\" /etc/subuid && mount --bind \"$1\" /etc/subgid && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
        command.arg(home.join("ranges"));
        command.args(["setpriv", "--reuid", USER, "--regid", "nogroup", "--clear-groups"]).arg(binary);
        command
    } else {
        Command::new(binary)
    };
    command.env("TMPDIR", home.join("work")).env("HOME", home).current_dir(home);
    command
}

/// SIGTERM while packages are being installed: all of mmdebstrap ends, within seconds, and cleans up.
fn stops_when_asked(home: &Path, work: &Path) -> Result<()> {
    let mut build = as_user(home);
    build.arg("-C").arg(home.join("site")).args(["image", "build"]).arg(home.join("recipe.yaml"));
    let mut build = build.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !names(work)?.iter().any(|name| name.starts_with("mmdebstrap")) {
        if build.try_wait()?.is_some() || Instant::now() > deadline {
            let _ = build.kill();
            let said = build.wait_with_output()?.stderr;
            bail!("the build didn't come to the packages: {}", String::from_utf8_lossy(&said));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // it has begun; let it get to the archive
    std::thread::sleep(Duration::from_secs(3));
    let asked = Instant::now();
    text(Command::new("kill").arg("-TERM").arg(build.id().to_string()))?;
    let output = build.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("nothing unfinished was left behind"), "{said}");
    let took = asked.elapsed();
    ensure!(took < Duration::from_secs(25), "it took {} s", took.as_secs());
    nothing_left(work)
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn nothing_left(work: &Path) -> Result<()> {
    let left = names(work)?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}
