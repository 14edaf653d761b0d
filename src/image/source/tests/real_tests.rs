//! qcow2 of every kind that QEMU makes, against what QEMU reads in them.

use std::fmt::Write as _;

use super::*;

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Options of `qemu-img create`, the length of the disk, and the logarithm of a cluster.
fn kind(dice: &mut Dice) -> (String, u64, u64) {
    let is_old = dice.below(4) == 0;
    let bits = 9 + dice.below(13);
    let mut options = format!("compat={},cluster_size={}", if is_old { "0.10" } else { "1.1" }, 1 << bits);
    let is_extended = !is_old && bits >= 14 && dice.below(2) == 0;
    if is_extended {
        options += ",extended_l2=on";
    } else {
        let how = ["off", "off", "metadata", "falloc", "full"][dice.below(5) as usize];
        write!(options, ",preallocation={how}").unwrap();
    }
    if !is_old && dice.below(2) == 0 {
        options += ",compression_type=zstd";
    }
    if !is_old && dice.below(2) == 0 {
        options += ",lazy_refcounts=on";
    }
    (options, 512 * (1 + dice.below(4096)), bits)
}

/// Writes by qemu-io, one a line.
fn writes(dice: &mut Dice, size: u64, bits: u64) -> Vec<String> {
    let cluster = 1 << bits;
    let one = |_| {
        let start = dice.below(size / 512) * 512;
        let length = (512 * (1 + dice.below(256))).min(size - start);
        let pattern = 1 + dice.below(255);
        match dice.below(6) {
            0 if start / cluster * cluster + cluster <= size => {
                format!("write -c -P {pattern} {} {cluster}", start / cluster * cluster)
            }
            1 => format!("write -z {start} {length}"),
            2 => format!("discard {start} {length}"),
            _ => format!("write -P {pattern} {start} {length}"),
        }
    };
    (0..12).map(one).collect()
}

fn compare(seed: u64, dir: &Path) -> Option<bool> {
    let mut dice = Dice(seed);
    let (options, size, bits) = kind(&mut dice);
    let (image, raw) = (format!("{seed}.qcow2"), format!("{seed}.raw"));
    qemu_img(&["create", "-q", "-f", "qcow2", "-o", &options, &image, &size.to_string()], dir)?;
    let commands = writes(&mut dice, size, bits);
    let arguments = commands.iter().flat_map(|command| ["-c", command]);
    let mut qemu_io = Command::new("qemu-io");
    // what one write can't do, as to compress what is allocated, the others do
    let done = qemu_io.args(["-f", "qcow2"]).args(arguments).arg(&image).current_dir(dir).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("wrote ") || said.contains("discard "), "{options}: {said}");
    // some compressed writes QEMU itself trips over
    if String::from_utf8_lossy(&done.stderr).contains("Marking image as corrupt") {
        assert!(refusal(&dir.join(&image)).contains("has marked"), "{seed} {options}");
        return Some(false);
    }
    qemu_img(&["convert", "-O", "raw", &image, &raw], dir)?;
    let expected = std::fs::read(dir.join(&raw)).unwrap();
    let device = opened(&dir.join(&image)).unwrap_or_else(|error| panic!("{seed} {options}: {error:#}"));
    assert!(data(&*device).unwrap() == expected, "{seed} {options} {commands:?}: by data");
    assert!(content(&*device).unwrap() == expected, "{seed} {options} {commands:?}");
    for name in [image, raw] {
        std::fs::remove_file(dir.join(name)).unwrap();
    }
    Some(expected.iter().any(|byte| *byte != 0))
}

#[test]
fn two_hundred_qcow2_are_read_as_qemu_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let half = |first| (first..first + 100).map(|seed| compare(seed, dir.path())).collect::<Option<Vec<_>>>();
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(100));
        (half(0), other.join().unwrap())
    });
    let (Some(one), Some(other)) = (one, other) else { return };
    let with_data = one.iter().chain(&other).filter(|has_data| **has_data).count();
    assert!(with_data > 180, "{with_data}");
}
