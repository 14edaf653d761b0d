//! The write path beside the writers of others: one image, one loop device with direct I/O, cold caches, in turn, five times; the
//! median of each. Needs root; says what it leaves out where a peer isn't installed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ironstrap::image::read::{BACKUP_LENGTH, FIRST_PARTITION};

use crate::support::image_fixture::{Golden, IMAGE};
use crate::support::mini::{self, Sizes};
use crate::support::site::Site;
use crate::support::{binary, output, say, scratch, text};

const ROUNDS: usize = 5;
const MIB: u64 = 1 << 20;
/// The image that is written, and its size in MiB.
const LARGE: &str = "large@1";
const SIZE: u64 = 4096;
const AGAIN: &str = "ironstrap, the same image again";

/// What writers are given.
struct Ground {
    dir: PathBuf,
    site: PathBuf,
    /// The image, as peers like it: raw, compressed, and what of it isn't zeroes.
    raw: PathBuf,
    zst: PathBuf,
    bmap: PathBuf,
    used: PathBuf,
    /// The loop device and the file below it.
    device: String,
    below: PathBuf,
    size: u64,
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = output(Command::new("losetup").arg("-d").arg(&self.device));
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A way to write the image.
struct Writer {
    name: &'static str,
    /// What is run; none of a peer that isn't here.
    command: Option<Command>,
    /// What the row is held against: a factor and another row's name.
    goals: &'static [(f64, &'static str)],
    seconds: Vec<f64>,
    most_mib: u64,
}

/// Both tables.
pub fn write() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        say("skipped: the bench of the write path needs root, for a loop device and cold caches");
        return Ok(());
    }
    let ground = lay_out()?;
    let mut table = first_table(&ground)?;
    say(&format!(
        "write of an image of {} MiB, {} of them used, medians of {ROUNDS}:",
        ground.size / MIB,
        used(&ground)?
    ));
    run(&ground, &mut table)?;
    tell(&table);
    let mut table = second_table(&ground)?;
    say("the same where the device can't zero by command:");
    run(&ground, &mut table)?;
    tell(&table);
    Ok(())
}

fn used(ground: &Ground) -> Result<u64> {
    Ok(std::fs::metadata(&ground.used)?.len() / MIB)
}

fn lay_out() -> Result<Ground> {
    let dir = scratch("bench-write")?;
    let raw = grown(&dir)?;
    let site = Site::new(&dir, None, &[])?;
    site.own_store()?;
    site.run(&["image", "import", &raw.to_string_lossy(), LARGE])?;
    let size = std::fs::metadata(&raw)?.len();
    let [zst, bmap, used, below] = ["raw.zst", "raw.bmap", "used", "target"].map(|name| dir.join(name));
    put_used(&raw, &used)?;
    text(Command::new("zstd").args(["-q", "-T0", "-9"]).arg(&raw).arg("-o").arg(&zst))?;
    if is_here("bmaptool") {
        text(Command::new("bmaptool").args(["-q", "create"]).arg(&raw).arg("-o").arg(&bmap))?;
    }
    let file = File::create(&below).context("making the target")?;
    file.set_len(size + 64 * MIB)?;
    let said = text(Command::new("losetup").args(["--show", "-f", "-P", "--direct-io=on"]).arg(&below))?;
    let device = said.trim().to_owned();
    let site = site.root().to_owned();
    Ok(Ground { dir, site, raw, zst, bmap, used, device, below, size })
}

/// The golden image as a raw disk of [`SIZE`] MiB, its root grown: what a disk image of a vendor looks like.
fn grown(dir: &Path) -> Result<PathBuf> {
    let golden = mini::open_golden()?;
    let manifest = golden.manifest();
    let whole = dir.join("golden.raw");
    File::create(&whole)
        .and_then(|file| file.set_len(manifest.size.as_bytes()))
        .context("making golden.raw")?;
    let mut fill = Command::new(binary()?);
    fill.arg("--site")
        .arg(Golden::get()?.site())
        .args(["dev", "write-image", "--overwrite", IMAGE])
        .arg(&whole);
    text(&mut fill)?;
    let part = |number: u32, name: &str| -> Result<(PathBuf, u64)> {
        let partition = manifest.partition(number).context("finding a partition")?;
        let to = dir.join(name);
        let mut copy = Command::new("dd");
        copy.arg(format!("if={}", whole.display())).arg(format!("of={}", to.display()));
        copy.args(["bs=1M", "iflag=skip_bytes,count_bytes", "conv=sparse", "status=none"]);
        text(copy.arg(format!("skip={}", partition.offset)).arg(format!("count={}", partition.length)))?;
        File::options().write(true).open(&to)?.set_len(partition.length)?;
        Ok((to, partition.length))
    };
    let (esp, length) = part(manifest.esp, "golden.esp")?;
    let (root, _) = part(manifest.root.partition, "golden.root")?;
    std::fs::remove_file(&whole)?;
    let esp_mib = length.div_ceil(MIB);
    let sizes = Sizes { esp: esp_mib, root: SIZE - 2 - esp_mib };
    File::options().write(true).open(&root)?.set_len(sizes.root * MIB)?;
    text(Command::new("e2fsck").args(["-f", "-p"]).arg(&root))?;
    text(Command::new("resize2fs").arg(&root))?;
    mini::assemble(dir, sizes, &esp, &root)
}

/// The blocks that aren't zeroes in a row, padded for direct I/O.
fn put_used(raw: &Path, used: &Path) -> Result<()> {
    let mut file = File::open(raw).context("reading the raw image")?;
    let mut row = std::io::BufWriter::new(File::create(used).context("making the file of used blocks")?);
    let (mut piece, mut length) = (vec![0; MIB as usize], 0);
    for _ in 0..file.metadata()?.len() / MIB {
        file.read_exact(&mut piece)?;
        for block in piece.chunks(4096).filter(|block| block.iter().any(|byte| *byte != 0)) {
            row.write_all(block)?;
            length += block.len() as u64;
        }
    }
    row.flush()?;
    Ok(row.get_ref().set_len(length.next_multiple_of(4 * MIB))?)
}

fn is_here(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn writer(name: &'static str, command: Option<Command>, goals: &'static [(f64, &'static str)]) -> Writer {
    Writer { name, command, goals, seconds: Vec::new(), most_mib: 0 }
}

/// A peer's command, where the peer is installed.
fn peer(program: &str, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Option<Command> {
    if !is_here(program) {
        say(&format!("left out: {program} isn't installed"));
        return None;
    }
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| argument.as_ref()));
    Some(command)
}

fn ours(ground: &Ground, more: &[&str]) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.arg("--site").arg(&ground.site).args(["dev", "write-image", "--overwrite"]);
    command.args(more).arg(LARGE).arg(&ground.device);
    Ok(command)
}

fn dd(from: &Path, to: &Path) -> Command {
    let mut command = Command::new("dd");
    command.arg(format!("if={}", from.display())).arg(format!("of={}", to.display()));
    command.args(["bs=4M", "iflag=direct", "status=none"]);
    if to != Path::new("/dev/null") {
        command.args(["oflag=direct", "conv=fsync"]);
    }
    command
}

fn first_table(ground: &Ground) -> Result<Vec<Writer>> {
    let Ground { raw, zst, bmap, used, device, .. } = ground;
    let piped = format!(
        "zstd -dc '{}' | dd of={device} bs=4M oflag=direct iflag=fullblock conv=fsync status=none",
        zst.display()
    );
    let to = Path::new(device);
    Ok(vec![
        writer(
            "ironstrap",
            Some(ours(ground, &[])?),
            &[(0.5, "bmaptool, zst"), (0.5, "coreos-installer, zst")],
        ),
        // what the row before left is there
        writer(AGAIN, Some(ours(ground, &["--over", LARGE])?), &[(0.5, "ironstrap")]),
        // the same runs as the first row: see `run`
        writer("ironstrap until written", None, &[(2.0, "dd of what is used")]),
        writer("bmaptool, zst", peer("bmaptool", &[&"-q", &"copy", &"--bmap", bmap, zst, device]), &[]),
        writer("bmaptool, raw", peer("bmaptool", &[&"-q", &"copy", &"--bmap", bmap, raw, device]), &[]),
        writer(
            "coreos-installer, zst",
            peer("coreos-installer", &[&"install", &"--insecure", &"--image-file", zst, device]),
            &[],
        ),
        writer("zstd | dd", peer("bash", &[&"-c", &piped]), &[]),
        writer(
            "qemu-img convert, raw",
            peer(
                "qemu-img",
                &[&"convert", &"-n", &"-t", &"none", &"-T", &"none", &"-O", &"raw", raw, device],
            ),
            &[],
        ),
        writer("dd of all", Some(dd(raw, to)), &[]),
        writer("dd of what is used", Some(dd(used, to)), &[]),
    ])
}

fn second_table(ground: &Ground) -> Result<Vec<Writer>> {
    let to = Path::new(&ground.device);
    Ok(vec![
        writer(
            "ironstrap",
            Some(ours(ground, &["--refuse-zeroing"])?),
            &[(1.1, "dd of all, and of the device once")],
        ),
        writer("ironstrap until written", None, &[]),
        writer("dd of all", Some(dd(&ground.raw, to)), &[]),
        writer("dd of the device", Some(dd(to, Path::new("/dev/null"))), &[]),
        writer("dd of all, and of the device once", None, &[]),
    ])
}

/// All of them in turn, so that what the machine does beside meets each.
fn run(ground: &Ground, table: &mut [Writer]) -> Result<()> {
    for round in 0..ROUNDS {
        let mut written = None;
        for at in 0..table.len() {
            let row = &mut table[at];
            let seconds = match (&mut row.command, row.name) {
                (Some(command), name) => {
                    let (seconds, mib, said) = cold(ground, command, name)?;
                    row.most_mib = row.most_mib.max(mib);
                    if name == "ironstrap" {
                        written = Some(seconds - read_back(&said)?);
                    }
                    if round == 0 && ["ironstrap", AGAIN].contains(&name) {
                        require_same(ground)?;
                    }
                    Some(seconds)
                }
                (None, "ironstrap until written") => written,
                (None, "dd of all, and of the device once") => {
                    Some(table[at - 2..at].iter().filter_map(|row| row.seconds.last()).sum())
                }
                (None, _) => None,
            };
            table[at].seconds.extend(seconds);
        }
    }
    Ok(())
}

/// Seconds, largest resident set in MiB, and what was printed, of a command that begins with cold caches and a target that has
/// all its blocks.
fn cold(ground: &Ground, command: &Command, name: &str) -> Result<(f64, u64, String)> {
    let all = (ground.size + 64 * MIB).to_string();
    text(Command::new("fallocate").args(["-l", &all]).arg(&ground.below))?;
    text(&mut Command::new("sync"))?;
    std::fs::write("/proc/sys/vm/drop_caches", "3").context("dropping caches")?;
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-q", "-f", "%M"]).arg(command.get_program()).args(command.get_args());
    let begin = Instant::now();
    let result = output(&mut timed)?;
    let seconds = begin.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&result.stderr);
    // where there is no udev, coreos-installer ends with an error after its copy
    ensure!(result.status.success() || said.contains("udevd socket missing"), "{name}: {said}");
    let kib = said.lines().last().and_then(|line| line.trim().parse::<u64>().ok());
    let mib = kib.with_context(|| format!("{name}: reading time's figure in {said}"))? / 1024;
    Ok((seconds, mib, String::from_utf8_lossy(&result.stdout).into_owned()))
}

/// Seconds between the last flush and the end, of `written A s, read back B s, …`.
fn read_back(said: &str) -> Result<f64> {
    let figures: Vec<f64> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
    match figures[..] {
        [written, all, ..] => Ok(all - written),
        _ => anyhow::bail!("ironstrap said {said}"),
    }
}

/// The partitions are on the device, as somebody else reads them.
fn require_same(ground: &Ground) -> Result<()> {
    let (mut image, mut target) = (File::open(&ground.raw)?, File::open(&ground.device)?);
    let mut pieces = [vec![0; MIB as usize], vec![0; MIB as usize]];
    let end = ground.size - BACKUP_LENGTH;
    for at in (FIRST_PARTITION..end).step_by(MIB as usize) {
        let length = (end - at).min(MIB) as usize;
        for (file, piece) in [&mut image, &mut target].into_iter().zip(&mut pieces) {
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut piece[..length])?;
        }
        ensure!(
            pieces[0][..length] == pieces[1][..length],
            "the device differs from the image behind byte {at}"
        );
    }
    Ok(())
}

fn median(seconds: &[f64]) -> Option<f64> {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn tell(table: &[Writer]) {
    for row in table {
        let Some(own) = median(&row.seconds) else { continue };
        let mut line = format!("  {:<34} {own:>6.2} s", row.name);
        if row.command.is_some() {
            line += &format!("  {:>4} MiB", row.most_mib);
        }
        for (factor, other) in row.goals {
            let theirs = table.iter().find(|row| row.name == *other).and_then(|row| median(&row.seconds));
            if let Some(theirs) = theirs {
                line += &format!("  {:.2} × {other} (goal: {factor})", own / theirs);
            }
        }
        say(&line);
    }
}
