//! File systems of many forms on a second disk, which a system of ours mounts and grows as the agent does, by the image's own kernel:
//! what import takes works, and what it refuses for the kernel's sake doesn't.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::hosts::USER;
use crate::support::disk::{Table, blank, copy_out, move_into};
use crate::support::qemu::{Bus, Machine};
use crate::support::ssh::Key;
use crate::support::{binary, say, text};

const MIB: u64 = 1 << 20;
const SERIAL: &str = "FORMS1";
/// The partition that carries ironstrap.
const CARRIER: u64 = 64;
/// MiB that a file system grows by.
const GROWTH: u64 = 16;

/// One form, as the table explains it.
#[derive(Debug, Clone, Deserialize)]
struct Form {
    name: String,
    #[serde(default)]
    make: Vec<String>,
    #[serde(default)]
    then: Vec<String>,
    refused: Option<String>,
    kernel: Option<Fails>,
}

/// Where the kernel gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Fails {
    Mount,
    Grow,
    Write,
    Never,
}

/// All forms of the table.
#[derive(Debug, Clone, Deserialize)]
struct Forms {
    ext4: Vec<Form>,
    xfs: Vec<Form>,
}

/// A disk with a partition for each form.
#[derive(Debug)]
pub struct FormsDisk {
    file: PathBuf,
    forms: Vec<(&'static str, Form)>,
}

impl FormsDisk {
    /// Makes all of them.
    pub fn make(dir: &Path) -> Result<Self> {
        let forms: Forms = serde_yaml::from_str(include_str!("../support/filesystems.yaml"))
            .context("reading the table of file systems")?;
        let forms: Vec<_> = (forms.ext4.into_iter().map(|form| ("ext4", form)))
            .chain(forms.xfs.into_iter().map(|form| ("xfs", form)))
            .collect();
        let lengths: Vec<u64> = forms.iter().map(|(kind, _)| length(kind) + GROWTH).collect();
        let file = blank(dir, "forms.raw", (CARRIER + lengths.iter().sum::<u64>() + 2) * MIB)?;
        let mut table = Command::new("sgdisk");
        table.arg(format!("-n1:0:+{CARRIER}M"));
        for (number, length) in lengths.iter().enumerate() {
            table.arg(format!("-n{}:0:+{length}M", number + 2));
        }
        text(table.arg(&file))?;
        let partitions = Table::read(&file)?.partitions;
        move_into(&carrier(dir)?, &file, partitions[0].start)?;
        for ((kind, form), partition) in forms.iter().zip(&partitions[1..]) {
            let made = make(dir, kind, form).with_context(|| format!("making {kind}, {}", form.name))?;
            move_into(&made, &file, partition.start)?;
        }
        Ok(Self { file, forms })
    }

    /// The machine with this disk as well.
    pub fn beside(&self, machine: Machine) -> Machine {
        machine.disk(Bus::Virtio, &self.file, SERIAL, None)
    }

    /// Tries all of them on the machine behind this port.
    pub fn try_all(&self, key: &Key, port: u16) -> Result<()> {
        let mut command = format!("sudo mount -o ro {} /mnt", node(1));
        for kind in ["ext4", "xfs"] {
            let nodes: Vec<_> = (self.forms.iter().zip(2..))
                .filter(|((own, _), _)| *own == kind)
                .map(|(_, number)| node(number))
                .collect();
            command +=
                &format!(" && sudo /mnt/ironstrap dev try-filesystem --overwrite {kind} {}", nodes.join(" "));
        }
        let said = key.run(USER, port, &(command + " && sudo umount /mnt"))?;
        let mut wrong = Vec::new();
        for ((kind, form), number) in self.forms.iter().zip(2..) {
            let line = said.lines().find_map(|line| line.strip_prefix(&format!("{} ", node(number))));
            let line = line.with_context(|| format!("{kind}, {}: nothing was said", form.name))?;
            say(&format!("{kind}, {}: {line}", form.name));
            let fails = match line {
                "works" => Fails::Never,
                _ if line.starts_with("growing") => Fails::Grow,
                _ if line.starts_with("writing") => Fails::Write,
                _ => Fails::Mount,
            };
            let expected = form.kernel.unwrap_or(Fails::Never);
            if fails != expected {
                wrong.push(format!("{kind}, {}: {expected:?} was expected: {line}", form.name));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok(())
    }

    /// What import takes is whole afterwards, and as large as its partition.
    pub fn judge(&self, dir: &Path) -> Result<()> {
        let partitions = Table::read(&self.file)?.partitions;
        for ((kind, form), partition) in self.forms.iter().zip(&partitions[1..]) {
            if form.refused.is_some() {
                continue;
            }
            let copy = dir.join("form");
            copy_out(&self.file, partition, &copy)?;
            let judged = match *kind {
                "ext4" => text(Command::new("e2fsck").args(["-f", "-n"]).arg(&copy))
                    .and_then(|_| text(Command::new("dumpe2fs").arg("-h").arg(&copy))),
                _ => text(Command::new("xfs_repair").args(["-n", "-f"]).arg(&copy)).and_then(|_| {
                    text(Command::new("xfs_db").args(["-r", "-f", "-c", "sb 0", "-c", "p"]).arg(&copy))
                }),
            };
            let judged = judged.with_context(|| format!("judging {kind}, {}", form.name))?;
            let number = |names: [&str; 2]| -> Result<u64> {
                let line = judged.lines().find_map(|line| {
                    names
                        .iter()
                        .find_map(|name| Some(line.strip_prefix(name)?.trim_start_matches([' ', '=', ':'])))
                });
                Ok(line.with_context(|| format!("finding {names:?} in {judged}"))?.trim().parse()?)
            };
            let size = number(["Block count:", "dblocks"])? * number(["Block size:", "blocksize"])?;
            ensure!(
                size.abs_diff(partition.length) < 64 << 10,
                "{kind}, {}: {size} bytes of {} are used",
                form.name,
                partition.length
            );
            fs::remove_file(&copy).context("removing a copy")?;
        }
        Ok(())
    }
}

fn node(number: usize) -> String {
    format!("/dev/disk/by-id/virtio-{SERIAL}-part{number}")
}

/// MiB of a file system as it is made.
fn length(kind: &str) -> u64 {
    if kind == "ext4" { 16 } else { 64 }
}

/// A file system with nothing but ironstrap.
fn carrier(dir: &Path) -> Result<PathBuf> {
    let (tree, image) = (dir.join("carried"), blank(dir, "carrier.ext4", CARRIER * MIB)?);
    fs::create_dir_all(&tree).context("making a directory")?;
    fs::copy(binary()?, tree.join("ironstrap")).context("copying ironstrap")?;
    text(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).arg(&tree).arg(&image))?;
    Ok(image)
}

fn make(dir: &Path, kind: &str, form: &Form) -> Result<PathBuf> {
    let image = blank(dir, "form.img", length(kind) * MIB)?;
    let mut maker = Command::new(if kind == "ext4" { "mke2fs" } else { "mkfs.xfs" });
    match kind {
        "ext4" => {
            maker.args(["-q", "-F", "-t", "ext4", "-b", "4096", "-O", "^metadata_csum_seed,^orphan_file"])
        }
        // in the tests of XFS itself, file systems may be smaller than 300 MiB
        _ => maker.envs([("TEST_DIR", "/"), ("TEST_DEV", "/"), ("QA_CHECK_FS", "/")]).arg("-q"),
    };
    text(maker.args(&form.make).arg(&image))?;
    if let [program, arguments @ ..] = &form.then[..] {
        let arguments = arguments.iter().map(|word| word.replace("{}", &image.to_string_lossy()));
        text(Command::new(program).args(arguments))?;
    }
    Ok(image)
}
