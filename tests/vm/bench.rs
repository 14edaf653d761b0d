//! `make bench`: figures, printed and not asserted, because they depend on the machine. Each stands beside what it is
//! compared with, measured in the same run.

#[path = "../support/mod.rs"]
mod support;

#[path = "bench/phases.rs"]
mod phases;
#[path = "bench/serve.rs"]
mod serve;
#[path = "bench/write.rs"]
mod write;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use support::mini::{self, Sizes};
use support::site::Site;
use support::{binary, ironstrap, output, say, scratch, text};

const HOST: &str = "bench01";
const MAC: &str = "52:54:00:be:00:01";

type Bench = fn() -> Result<()>;
const BENCHES: [(&str, Bench); 5] = [
    ("check", check),
    ("stick", stick),
    ("write", write::write),
    ("serve", serve::serve),
    ("phases", phases::phases),
];
/// Those that are run only where they are named.
const BY_HAND: [(&str, Bench); 1] = [("fai", phases::beside_fai)];

fn main() -> ExitCode {
    support::image_fixture::take_whole();
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    let is_named = |name: &str| wanted.iter().any(|word| word == name);
    let usual = BENCHES.into_iter().filter(|(name, _)| wanted.is_empty() || is_named(name));
    for (name, bench) in usual.chain(BY_HAND.into_iter().filter(|(name, _)| is_named(name))) {
        if let Err(error) = bench() {
            say(&format!("bench {name} failed: {error:#}"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Runs a command under GNU time: seconds and the largest resident set in MiB.
fn measured(command: &mut Command) -> Result<(f64, u64)> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-q", "-f", "%e %M"]).arg(command.get_program()).args(command.get_args());
    let result = output(&mut timed)?;
    let said = String::from_utf8_lossy(&result.stderr);
    anyhow::ensure!(result.status.success(), "{said}");
    let last = said.lines().last().context("reading time's figures")?;
    let (seconds, kib) = last.split_once(' ').context("reading time's figures")?;
    Ok((seconds.parse()?, kib.parse::<u64>()? / 1024))
}

fn check() -> Result<()> {
    let dir = scratch("bench-check")?;
    for (what, name, count, more) in [
        ("10,000 hosts", "native", "10000", None),
        ("10,000 hosts, 7,500 of them with answer files", "answers", "10000", Some("--answers")),
        ("ten times as many", "many", "100000", Some("--answers")),
    ] {
        let site = dir.join(name);
        let mut args = vec!["dev", "generate-site", "--hosts", count];
        args.extend(more);
        let path = site.to_string_lossy();
        args.push(&path);
        ironstrap(&dir, &args)?;
        let (seconds, mib) = measured(Command::new(binary()?).arg("--site").arg(&site).arg("check"))?;
        say(&format!("check of {what}: {seconds:.2} s, {mib} MiB at most (goal for 10,000: 2 s, 1024 MiB)"));
    }
    std::fs::remove_dir_all(&dir).context("removing the bench's files")
}

/// A stick with more than 4 GiB that don't compress, against the plainest way to move as many bytes.
fn stick() -> Result<()> {
    let dir = scratch("bench-stick")?;
    let noise = dir.join("noise");
    let mut out = File::create(&noise).context("creating noise")?;
    let random = File::open("/dev/urandom").context("opening /dev/urandom")?;
    std::io::copy(&mut random.take(4200 << 20), &mut out).context("writing noise")?;
    let image = mini::make(&dir, Sizes { esp: 34, root: 4600 }, &[&noise])?;
    let site = Site::new(&dir, None, &[(HOST, profile("large@1"))])?;
    site.own_store()?;
    let started = Instant::now();
    site.run(&["image", "import", &image.to_string_lossy(), "large@1"])?;
    say(&format!("import of an image with 4.1 GiB of noise: {:.1} s", started.elapsed().as_secs_f64()));
    std::fs::remove_file(&image).context("removing the image")?;
    site.arm(&[HOST])?;
    site.stick("usb.img")?;

    let usb = dir.join("usb.img");
    std::fs::remove_file(&usb).context("removing the first stick")?;
    text(&mut Command::new("sync"))?;
    let mut bundle = Command::new(binary()?);
    bundle.arg("--site").arg(site.root()).args(["bundle", "--usb"]).arg(&usb);
    let (ours, mib) = measured(&mut bundle)?;
    let plain = plain_copy(&usb, &dir.join("copy.img"))?.as_secs_f64();
    let size = std::fs::metadata(&usb).context("sizing the stick")?.len() as f64 / f64::from(1 << 30);
    say(&format!(
        "stick of {size:.2} GiB, initramfs cached: {ours:.1} s, {mib} MiB at most; cp + sync + sha256sum of it: \
         {plain:.1} s; ratio {:.2} (goal: 1.3)",
        ours / plain
    ));
    std::fs::remove_dir_all(&dir).context("removing the bench's files")
}

fn plain_copy(from: &Path, to: &Path) -> Result<Duration> {
    let started = Instant::now();
    text(Command::new("cp").arg(from).arg(to))?;
    text(&mut Command::new("sync"))?;
    text(Command::new("sha256sum").arg(to))?;
    Ok(started.elapsed())
}

fn profile(image: &str) -> String {
    format!(
        "name: {HOST}\nmatch: {{ mac: [\"{MAC}\"] }}\nimage: {image}\n\
         storage: {{ target: {{ serial: BENCH1 }}, confirm: 0 }}\nhandoff: none\n"
    )
}
