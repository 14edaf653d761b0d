//! Sources as QEMU and the compressors make them, cut, damaged and not taken.

use std::io::Read as _;
use std::process::Command;

use super::*;
use crate::image::import::{Imported, Step, import};
use crate::image::store::Store;
use crate::image::testing::{image, key};
use crate::sys::block::MemoryDevice;

mod hostile;
mod real_tests;

fn quiet(_: Step, _: u64, _: u64) -> Result<()> {
    Ok(())
}

fn opened(path: &Path) -> Result<Arc<dyn BlockDevice>> {
    open(path, path.parent().unwrap(), &mut quiet)
}

/// Runs a program; `None`, said aloud, where it is missing.
fn run(program: &str, package: &str, arguments: &[&str], path: &Path) -> Option<()> {
    let Ok(output) = Command::new(program).args(arguments).current_dir(path).output() else {
        crate::expect::missing_program(program, package);
        return None;
    };
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

fn qemu_img(arguments: &[&str], path: &Path) -> Option<()> {
    run("qemu-img", "qemu-utils", arguments, path)
}

fn content(device: &dyn BlockDevice) -> Result<Vec<u8>> {
    let mut bytes = vec![0; device.size() as usize];
    device.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// As an import reads it: what isn't data is zero.
fn data(device: &dyn BlockDevice) -> Result<Vec<u8>> {
    let (mut bytes, mut offset) = (vec![0; device.size() as usize], 0);
    while let Some(range) = device.next_data(offset)? {
        assert!(range.start >= offset && range.end > range.start, "{range:?} from {offset}");
        device.read_at(range.start, &mut bytes[range.start as usize..range.end as usize])?;
        offset = range.end;
    }
    Ok(bytes)
}

/// Bytes that don't repeat, with zeroes between them.
fn some_bytes(length: usize, mut state: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for (number, chunk) in bytes.chunks_mut(8).enumerate() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if (number / 8192).is_multiple_of(2) {
            chunk.copy_from_slice(&(state ^ state >> 29).to_le_bytes()[..chunk.len()]);
        }
    }
    bytes
}

fn refusal(path: &Path) -> String {
    format!("{:#}", opened(path).map(drop).unwrap_err())
}

#[test]
fn every_source_and_compression_imports_to_the_same_image() {
    let Some(device) = image() else { return };
    let dir = tempfile::tempdir().unwrap();
    let raw = content(&*device).unwrap();
    let path = |name: &str| dir.path().join(name);
    crate::image::assemble::write_sparse(&*device, &mut std::fs::File::create(path("raw")).unwrap()).unwrap();
    let store = Store::open(&path("store")).unwrap();
    let put = |device: &Arc<dyn BlockDevice>, name: &str| -> Imported {
        import(&store, device, &name.parse().unwrap(), &key(), false, &mut quiet).unwrap()
    };
    let first = put(&opened(&path("raw")).unwrap(), "raw@1").manifest;
    let convert = |options: &[&str], name| {
        qemu_img(&[&["convert", "-O", "qcow2"], options, &["raw", name]].concat(), dir.path())
    };
    let all = [
        convert(&[], "plain"),
        convert(&["-c"], "zlib"),
        convert(&["-c", "-o", "compression_type=zstd"], "zstd"),
        convert(&["-o", "compat=0.10"], "old"),
        run("zstd", "zstd", &["-q", "-1", "raw", "plain"], dir.path()),
        run("xz", "xz-utils", &["-k", "-0", "raw", "plain"], dir.path()),
        run("gzip", "gzip", &["-k", "-1", "raw", "plain"], dir.path()),
        run("bzip2", "bzip2", &["-k", "-1", "raw", "plain"], dir.path()),
    ];
    if all.contains(&None) {
        return;
    }
    let qcow2 = ["plain", "zlib", "zstd", "old"].map(str::to_owned);
    let packed = ["zst", "xz", "gz", "bz2"].map(|end| [format!("raw.{end}"), format!("plain.{end}")]);
    for name in qcow2.into_iter().chain(packed.into_iter().flatten()) {
        let device = opened(&path(&name)).unwrap();
        assert!(data(&*device).unwrap() == raw, "{name}");
    }
    // a name for a file is no name of its content
    std::fs::rename(path("plain.xz"), path("image.raw")).unwrap();
    let again = put(&opened(&path("image.raw")).unwrap(), "plain@1").manifest;
    assert_eq!((again.raw, again.index, again.packs), (first.raw, first.index, first.packs));
    let left: Vec<_> = std::fs::read_dir(path("store")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_source_that_is_cut_or_followed_by_something_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("raw"), some_bytes(200 << 10, 7)).unwrap();
    let made = [
        qemu_img(&["convert", "-O", "qcow2", "raw", "plain"], dir.path()),
        qemu_img(&["convert", "-c", "-O", "qcow2", "raw", "zlib"], dir.path()),
        qemu_img(&["convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", "raw", "zstd"], dir.path()),
        run("zstd", "zstd", &["-q", "raw"], dir.path()),
        run("xz", "xz-utils", &["-k", "raw"], dir.path()),
        run("gzip", "gzip", &["-k", "raw"], dir.path()),
        run("bzip2", "bzip2", &["-k", "raw"], dir.path()),
    ];
    if made.contains(&None) {
        return;
    }
    let whole = dir.path().join("case");
    for name in ["plain", "zlib", "zstd", "raw.zst", "raw.xz", "raw.gz", "raw.bz2"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap();
        std::fs::write(&whole, &bytes).unwrap();
        assert!(content(&*opened(&whole).unwrap()).unwrap() == some_bytes(200 << 10, 7), "{name}");
        // what is behind the last cluster of a qcow2 is nobody's
        let end = if name.starts_with("raw") { bytes.len() } else { bytes.len() - 4096 };
        for length in
            (0..end).step_by(4096).chain([bytes.len() - 1].into_iter().filter(|_| end == bytes.len()))
        {
            std::fs::write(&whole, &bytes[..length]).unwrap();
            let read = opened(&whole).and_then(|device| content(&*device));
            assert!(read.is_err(), "{name} cut at {length} of {}", bytes.len());
        }
        if name.starts_with("raw") {
            std::fs::write(&whole, [&bytes[..], &b"what is this"[..]].concat()).unwrap();
            assert!(refusal(&whole).contains("followed by something else"), "{name}: {}", refusal(&whole));
            std::fs::write(&whole, [&bytes[..], &bytes[..]].concat()).unwrap();
            assert_eq!(opened(&whole).unwrap().size(), 400 << 10, "{name}: a second member counts");
        }
    }
    let nested = zstd::encode_all(&std::fs::read(dir.path().join("raw.gz")).unwrap()[..], 1).unwrap();
    std::fs::write(&whole, nested).unwrap();
    assert!(refusal(&whole).contains("there is a gzip file in the zstd file"), "{}", refusal(&whole));
}

#[test]
fn what_unpacks_without_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bomb");
    // each frame is small, all of them are too much
    let frame = zstd::encode_all(std::io::repeat(0).take(64 << 20), 1).unwrap();
    std::fs::write(&path, frame.repeat(72)).unwrap();
    assert!(refusal(&path).contains("and 4 GiB; if that is meant"), "{}", refusal(&path));
}

#[test]
fn what_wants_more_memory_than_it_gets_is_not_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.long_distance_matching(true).unwrap();
    encoder.window_log(28).unwrap();
    std::io::copy(&mut std::io::repeat(7).take(300 << 20), &mut encoder).unwrap();
    std::fs::write(&path, encoder.finish().unwrap()).unwrap();
    let told = refusal(&path);
    assert!(told.contains("more than 128 MiB; unpack it (`zstd -d --long=31`)"), "{told}");
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
    options.dict_size(256 << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream =
        liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32).unwrap();
    let mut packed = Vec::new();
    liblzma::read::XzEncoder::new_stream(&[7; 5000][..], stream).read_to_end(&mut packed).unwrap();
    std::fs::write(&path, packed).unwrap();
    let told = refusal(&path);
    assert!(told.contains("more than 128 MiB; unpack it (`xz -d`)"), "{told}");
}

#[test]
fn a_hybrid_installer_is_named_and_a_disk_with_remains_is_a_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let refused = |marks: &[(usize, &[u8])]| {
        let mut bytes = vec![0; 1 << 20];
        for (offset, magic) in marks {
            bytes[*offset..offset + magic.len()].copy_from_slice(magic);
        }
        std::fs::write(&path, bytes).unwrap();
        opened(&path).map(drop).map_err(|error| format!("{error:#}"))
    };
    let told = refused(&[(512, b"EFI PART"), (0x8001, b"CD001")]).unwrap_err();
    assert!(told.contains("this is an ISO 9660 image"), "{told}");
    refused(&[(512, b"EFI PART"), (0x438, b"\x53\xef"), (0x1_0040, b"_BHRfS_M")]).unwrap();
}

#[test]
fn other_formats_are_named_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let cases: [(usize, &[u8], &str); 8] = [
        (0, b"KDMV", "this is a VMDK image, which isn't taken: `qemu-img convert"),
        (0, b"vhdxfile", "a VHDX image"),
        (0x8001, b"CD001", "an ISO 9660 image"),
        (257, b"ustar\0", "a tar or OVA archive"),
        (0, b"XFSB", "an XFS file system without"),
        (0x438, b"\x53\xef", "an ext4 file system without"),
        (0, b"LUKS\xba\xbe", "an encrypted LUKS volume"),
        ((1 << 20) - 512, b"conectix", "a VHD image"),
    ];
    for (offset, magic, expected) in cases {
        let mut bytes = vec![0; 1 << 20];
        bytes[offset..offset + magic.len()].copy_from_slice(magic);
        std::fs::write(&path, bytes).unwrap();
        assert!(refusal(&path).contains(expected), "{}", refusal(&path));
    }
}
