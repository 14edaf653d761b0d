//! qcow2 that need something else, or were made to do harm.

use super::*;
use crate::image::source::qcow2::Qcow2;

#[test]
fn a_qcow2_that_does_not_stand_alone_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let create =
        |options: &[&str]| qemu_img(&[&["create", "-q", "-f", "qcow2"], options].concat(), dir.path());
    let made = [
        create(&["plain", "4M"]),
        create(&["-b", "plain", "-F", "qcow2", "backed"]),
        create(&["-o", "data_file=data", "external", "4M"]),
        create(&["snapshot", "4M"]),
        qemu_img(&["snapshot", "-c", "one", "snapshot"], dir.path()),
        create(&[
            "--object",
            "secret,id=s,data=x",
            "-o",
            "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
            "locked",
            "4M",
        ]),
    ];
    if made.contains(&None) {
        return;
    }
    let bytes = std::fs::read(dir.path().join("plain")).unwrap();
    for (name, bit) in [("dirty", 0), ("corrupt", 1), ("unknown", 5)] {
        let mut bytes = bytes.clone();
        bytes[79] |= 1 << bit;
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    for (name, expected) in [
        ("backed", "a backing file: `qemu-img convert"),
        ("external", "in another file: `qemu-img convert"),
        ("snapshot", "1 internal snapshots"),
        ("locked", "is encrypted"),
        ("dirty", "was not closed"),
        ("corrupt", "marked the qcow2 image as corrupt"),
        ("unknown", "(incompatible bits 0x20)"),
    ] {
        let said = refusal(&dir.path().join(name));
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn a_mutated_qcow2_ends_with_bytes_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("raw"), some_bytes(200 << 10, 3)).unwrap();
    let mut refused = 0;
    for options in
        ["cluster_size=512", "cluster_size=16k,extended_l2=on", "cluster_size=4k,compression_type=zstd"]
    {
        let compressed = if options.contains("zstd") { "-c" } else { "-q" };
        let convert = ["convert", compressed, "-O", "qcow2", "-o", options, "raw", "image"];
        let Some(()) = qemu_img(&convert, dir.path()) else { return };
        let bytes = std::fs::read(dir.path().join("image")).unwrap();
        // header, tables, and whatever else is not zero
        let places: Vec<_> = (0..bytes.len()).filter(|at| *at < 112 || bytes[*at] != 0).collect();
        let tables: Vec<_> = places.iter().copied().filter(|at| *at < 32 << 10).collect();
        let mut state = 11_u64;
        for _ in 0..400 {
            let mut bytes = bytes.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let of = if state >> 40 & 1 == 0 { &tables } else { &places };
                bytes[of[(state >> 41) as usize % of.len()]] = (state >> 32) as u8;
            }
            let read = Qcow2::open(Arc::new(MemoryDevice::new(bytes)))
                .and_then(|image| if image.size() <= 1 << 20 { data(&image) } else { Ok(Vec::new()) });
            refused += usize::from(read.is_err());
        }
    }
    assert!((100..1200).contains(&refused), "{refused}");
}
