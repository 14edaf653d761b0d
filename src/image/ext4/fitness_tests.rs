//! Variants of ext4 as mke2fs, tune2fs and debugfs make them, each with what an import says of it; what it advises is run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::image::tree::Ext4Tree;
use crate::sys::block::FileDevice;

/// A file system's maker: options of mke2fs, then what is done to it with another tool (`{}` is the file).
struct Variant {
    name: &'static str,
    options: &'static [&'static str],
    then: &'static [&'static str],
}

const fn made(name: &'static str, options: &'static [&'static str]) -> Variant {
    Variant { name, options, then: &[] }
}

const fn set(name: &'static str, then: &'static [&'static str]) -> Variant {
    Variant { name, options: &[], then }
}

/// What passes.
const FIT: &[Variant] = &[
    made("mke2fs's defaults", &[]),
    made("blocks of 1 KiB", &["-b", "1024"]),
    made("without a journal", &["-O", "^has_journal"]),
    made("with a seed of checksums", &["-O", "metadata_csum_seed"]),
    made("with an orphan file", &["-O", "orphan_file"]),
    made("without checksums", &["-O", "^metadata_csum,uninit_bg"]),
    made("fast_commit", &["-O", "fast_commit"]),
    made("stable_inodes", &["-O", "stable_inodes"]),
    made("large_dir", &["-O", "large_dir"]),
    made("encrypt", &["-O", "encrypt"]),
    made("small inodes", &["-I", "128"]),
    set("panics on errors", &["tune2fs", "-e", "panic", "{}"]),
];

/// What doesn't, and which part of the sentence tells of it.
const UNFIT: &[(Variant, &str)] = &[
    (
        made("quota", &["-O", "quota"]),
        "the feature `quota` (to mount it the kernel needs its module quota_v2",
    ),
    (made("project", &["-O", "project,^quota"]), "`project`"),
    (made("quotas of projects", &["-O", "quota,project"]), "the features `quota` and `project` (to mount it"),
    (made("sparse_super2", &["-O", "sparse_super2"]), "`sparse_super2` (the kernel doesn't grow"),
    (made("casefold", &["-O", "casefold"]), "`casefold`"),
    (made("verity", &["-O", "verity"]), "`verity`"),
    (made("bigalloc", &["-O", "bigalloc"]), "`bigalloc`"),
    (made("inline_data", &["-O", "inline_data"]), "`inline_data`"),
    (made("ea_inode", &["-O", "ea_inode"]), "`ea_inode`"),
    (made("mmp", &["-O", "mmp"]), "`mmp`"),
    (
        made("meta_bg", &["-O", "meta_bg,^resize_inode"]),
        "make the file system anew with `mke2fs -O ^meta_bg`",
    ),
    (made("several", &["-O", "mmp,inline_data"]), "anew with `mke2fs -O ^mmp,^inline_data`"),
    (made("no resize_inode", &["-O", "^resize_inode"]), "lacks the feature `resize_inode`"),
    (made("no 64bit", &["-O", "^64bit"]), "lacks the feature `64bit`"),
    (made("ext3", &["-O", "^extent,^64bit,^metadata_csum"]), "it is ext2 or ext3"),
    (made("no types", &["-O", "^filetype"]), "lacks the feature `filetype`"),
    (made("large blocks", &["-b", "65536"]), "blocks of 65536 bytes"),
    (set("read-only", &["tune2fs", "-O", "read-only", "{}"]), "`read-only`"),
    (set("errors", &["debugfs", "-w", "-R", "ssv state 2", "{}"]), "marked as having errors"),
    (set("not clean", &["debugfs", "-w", "-R", "ssv state 0", "{}"]), "not unmounted cleanly;"),
    (
        set("in need of recovery", &["debugfs", "-w", "-R", "feature needs_recovery", "{}"]),
        "its journal holds",
    ),
    (set("orphans", &["debugfs", "-w", "-R", "ssv last_orphan 12", "{}"]), "deleted while they were open"),
    (
        Variant {
            name: "orphans in their file",
            options: &["-O", "orphan_file"],
            then: &["debugfs", "-w", "-R", "feature orphan_present", "{}"],
        },
        "deleted while they were open",
    ),
    (
        Variant {
            name: "a journal elsewhere",
            options: &["-O", "^has_journal"],
            then: &["debugfs", "-w", "-R", "feature has_journal", "{}"],
        },
        "keeps its journal on another device",
    ),
    (
        set("unknown", &["debugfs", "-w", "-R", "feature FEATURE_R30", "{}"]),
        "`FEATURE_R30` (ironstrap doesn't know",
    ),
    (set("full", &["debugfs", "-w", "-R", "ssv free_blocks_count 3", "{}"]), "1036288 bytes are missing"),
    (made("without inodes", &["-N", "16"]), "free inodes are missing"),
];

/// Makes one; `None`, said aloud, where e2fsprogs is missing.
fn make(dir: &Path, variant: &Variant) -> Option<PathBuf> {
    let files = dir.join("files/etc");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("os-release"), "ID=debian\n").unwrap();
    let image = dir.join("image.ext4");
    let mut mke2fs = Command::new("mke2fs");
    mke2fs.args(["-q", "-F", "-t", "ext4", "-b", "4096", "-O", "^metadata_csum_seed,^orphan_file"]);
    mke2fs.args(variant.options).arg("-d").arg(dir.join("files")).arg(&image).arg("16M");
    let Ok(output) = mke2fs.output() else {
        crate::expect::missing_program("mke2fs", "e2fsprogs");
        return None;
    };
    assert!(output.status.success(), "{}: {}", variant.name, String::from_utf8_lossy(&output.stderr));
    if let [program, arguments @ ..] = variant.then {
        let arguments = arguments.iter().map(|word| word.replace("{}", &image.to_string_lossy()));
        let output = Command::new(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}: {}", variant.name, String::from_utf8_lossy(&output.stderr));
    }
    Some(image)
}

/// What is said of it, as an import does: whether it can be read comes second.
fn said(image: &Path) -> Option<String> {
    let file = std::fs::File::open(image).unwrap();
    let size = file.metadata().unwrap().len();
    let bytes = std::fs::read(image).unwrap();
    let superblock = &bytes[1024..2048];
    if let Err(unfitness) = judge(superblock, true) {
        return Some(unfitness.at(0).to_string());
    }
    let tree = Ext4Tree::open(Arc::new(FileDevice::new(file, size, 512)), 0, size);
    tree.err().map(|error| format!("{error:#}"))
}

/// Runs the commands that a refusal advises, but those that make another file system.
fn follow(said: &str, image: &Path) -> bool {
    let commands: Vec<_> =
        said.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("IMAGE?")).collect();
    for command in &commands {
        let place = format!("{}?", image.display());
        let command = command.replace("IMAGE?", &place).replace('\'', "");
        let mut words = command.split(' ');
        let program = words.next().unwrap();
        let output = Command::new(program).args(words).output().unwrap();
        // e2fsck's 1: it mended something
        let ok = output.status.success() || program == "e2fsck" && output.status.code() == Some(1);
        let text = [output.stdout, output.stderr].concat();
        assert!(ok, "`{command}` fails: {}", String::from_utf8_lossy(&text));
    }
    !commands.is_empty()
}

#[test]
fn what_the_agent_can_mount_and_grow_passes() {
    for variant in FIT {
        let dir = tempfile::tempdir().unwrap();
        let Some(image) = make(dir.path(), variant) else { return };
        assert_eq!(said(&image), None, "{}", variant.name);
    }
}

#[test]
fn what_it_can_t_is_refused_with_the_reason_and_the_advised_command_mends_it() {
    let mut mended = 0;
    for (variant, expected) in UNFIT {
        let dir = tempfile::tempdir().unwrap();
        let Some(image) = make(dir.path(), variant) else { return };
        let told = said(&image).unwrap_or_else(|| panic!("{} passes", variant.name));
        assert!(told.contains(expected), "{}: {told}", variant.name);
        // tune2fs waits eleven seconds for another machine that may use it
        if variant.name != "mmp" && follow(&told, &image) {
            mended += 1;
            // `ext3` takes two steps
            if let Some(again) = said(&image) {
                assert!(variant.name == "ext3" && follow(&again, &image), "{}: still {again}", variant.name);
                assert_eq!(said(&image), None);
            }
        }
    }
    assert!(mended >= 12, "only {mended} were mended");
}

#[test]
fn each_feature_has_one_line() {
    for (at, one) in features::ALL.iter().enumerate() {
        assert_eq!(one.bit.count_ones(), 1, "{}", one.name);
        let others = &features::ALL[at + 1..];
        assert!(
            others
                .iter()
                .all(|other| (other.word, other.bit) != (one.word, one.bit) && other.name != one.name)
        );
    }
}
