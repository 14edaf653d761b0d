//! What was made to do harm: no panic, no end that doesn't come.

use std::io::Read as _;
use std::time::{Duration, Instant};

use super::super::{Hardware, Shelf, initrd, on_hardware};
use super::{Archive, Case, initrd_of, presets};

/// Seeded, the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.throw(4) {
            if bytes.is_empty() {
                return;
            }
            let at = self.throw(bytes.len());
            match self.throw(4) {
                0 => bytes.truncate(at),
                1 => bytes[at] = 0xff,
                2 => bytes[at] ^= 1 << self.throw(8),
                _ => bytes[at] = b"*?[]0f"[self.throw(6)],
            }
        }
    }
}

#[test]
fn mutated_initrds_and_tables_are_errors_or_findings_and_never_panics() {
    let whole = initrd_of(&["usr/lib/modules/1/kernel/drivers/ata/ahci.ko", "etc/x"]);
    let mut dice = Dice(7);
    let mut refused = 0;
    for _ in 0..2_000 {
        let mut packed = whole.clone();
        dice.mutate(&mut packed);
        refused += usize::from(initrd::modules(&packed).is_err());
    }
    assert!(refused > 500, "{refused}");
    let mut clean = Case::read("clean");
    let modules = format!("/lib/modules/{}", clean.system.kernel);
    clean.hardware = presets::ALL.iter().collect();
    for _ in 0..300 {
        let mut case = Case::read("clean");
        for name in ["modules.alias", "modules.dep", "modules.builtin.modinfo", "kernel/drivers/net/igb.ko"] {
            let mut content = case.root.files.get(&format!("{modules}/{name}")).cloned().unwrap_or_default();
            dice.mutate(&mut content);
            case.put(&format!("{modules}/{name}"), content);
        }
        case.hardware = clean.hardware.clone();
        // an error is right, too: what is read as a list of paths may not lead out
        case.found();
    }
}

#[test]
fn a_name_without_end_and_a_bomb_are_refused_in_no_time() {
    let begun = Instant::now();
    let mut endless = initrd_of(&[]);
    endless[94..102].copy_from_slice(b"7fffffff");
    assert!(initrd::modules(&endless).unwrap_err().to_string().contains("longer than a path"));
    let zeroes = zstd::encode_all(std::io::repeat(0).take(64 << 20), 1).unwrap();
    assert!(initrd::modules(&zeroes).unwrap_err().to_string().contains("more zeroes than"));
    // a file that says it has two gigabytes, and has them
    let mut head = Archive::default();
    head.file("x", 0o644, Vec::new());
    let mut head = head.to_bytes().unwrap();
    head[54..62].copy_from_slice(b"7fffffff");
    let bomb = zstd::encode_all(head[..112].chain(std::io::repeat(0).take(1 << 30)), 1).unwrap();
    let error = format!("{:#}", initrd::modules(&bomb).unwrap_err());
    assert!(error.contains("more than 512 MiB"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn a_longer_initrd_than_is_read_is_not_judged_and_stops_nobody() {
    let mut case = Case::read("clean");
    let path = format!("/boot/initrd.img-{}", case.system.kernel);
    assert!(initrd::of_image(&case.subject()).unwrap().is_some(), "the clean image has one there");
    case.put(&path, vec![0; (128 << 20) + 1]);
    assert!(initrd::of_image(&case.subject()).unwrap().is_none());
}

/// Patterns whose matching would go back and forth for ever if each star tried each place.
#[test]
fn patterns_of_stars_end() {
    let mut case = Case::read("clean");
    let modules = format!("/lib/modules/{}/modules.alias", case.system.kernel);
    let pattern = format!("pci:{}x", "*0".repeat(30));
    case.put(&modules, format!("alias {pattern} evil\n").repeat(20_000).into_bytes());
    let modalias = format!("pci:v0000{}d00000000sv00000000sd00000000bc01sc06i01", "0".repeat(400));
    let begun = Instant::now();
    let hardware = Hardware { modaliases: vec![modalias] };
    on_hardware(&case.subject(), &Shelf::default(), &hardware).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
