//! Variants of ext4 as mke2fs, tune2fs and debugfs make them, each with what an import says of it; what it advises is run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::image::tree::Ext4Tree;
use crate::sys::block::FileDevice;

/// The variants, which a machine of the tests mounts and grows, too.
fn variants() -> Vec<Variant> {
    let table = include_str!("../../../tests/support/filesystems.yaml");
    let mut kinds: HashMap<String, Vec<Variant>> = serde_yaml::from_str(table).unwrap();
    kinds.remove("ext4").unwrap()
}

/// One of them, as the table explains it.
#[derive(Debug, serde::Deserialize)]
struct Variant {
    name: String,
    #[serde(default)]
    make: Vec<String>,
    #[serde(default)]
    then: Vec<String>,
    refused: Option<String>,
}

/// Makes one; `None`, said aloud, where e2fsprogs is missing.
fn make(dir: &Path, variant: &Variant) -> Option<PathBuf> {
    let files = dir.join("files/etc");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("os-release"), "ID=debian\n").unwrap();
    let image = dir.join("image.ext4");
    let mut mke2fs = Command::new("mke2fs");
    mke2fs.args(["-q", "-F", "-t", "ext4", "-b", "4096", "-O", "^metadata_csum_seed,^orphan_file"]);
    mke2fs.args(&variant.make).arg("-d").arg(dir.join("files")).arg(&image).arg("16M");
    let Ok(output) = mke2fs.output() else {
        crate::expect::missing_program("mke2fs", "e2fsprogs");
        return None;
    };
    assert!(output.status.success(), "{}: {}", variant.name, String::from_utf8_lossy(&output.stderr));
    if let [program, arguments @ ..] = &variant.then[..] {
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
    let fit: Vec<_> = variants().into_iter().filter(|variant| variant.refused.is_none()).collect();
    assert!(fit.len() >= 12);
    for variant in fit {
        let dir = tempfile::tempdir().unwrap();
        let Some(image) = make(dir.path(), &variant) else { return };
        assert_eq!(said(&image), None, "{}", variant.name);
    }
}

#[test]
fn what_it_can_t_is_refused_with_the_reason_and_the_advised_command_mends_it() {
    let mut mended = 0;
    for variant in variants() {
        let Some(expected) = &variant.refused else { continue };
        let dir = tempfile::tempdir().unwrap();
        let Some(image) = make(dir.path(), &variant) else { return };
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
