//! Images that were made to do harm, damaged ones and odd sources: an end, a sentence, and a store as it was before.

use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::Result;

use super::export::Export;
use super::import::{self, Imported, Step};
use super::store::Store;
use super::stored::StoredImage;
use super::testing::{KERNEL, anaconda_files, esp_files, image_with, key, root_device};
use super::{assemble, layout};
use crate::sys::block::{BlockDevice, FileDevice};
use crate::sys::budget::Budget;
use crate::sys::fat::FatFile;

/// No step of these takes longer, on a machine that has much else to do.
const END: Duration = Duration::from_secs(60);

struct Made {
    dir: tempfile::TempDir,
    store: Store,
    file: PathBuf,
}

/// An image in a file with holes, whose root was changed by these commands of debugfs, checksums and all.
fn made(options: &[&str], debugfs: &str) -> Option<Made> {
    // a store waits for its disk at each blob; thousands of imports would wait for nothing else
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let dir = dir.unwrap();
    let root = root_device(anaconda_files, options)?;
    let (partition, file) = (dir.path().join("root"), dir.path().join("image"));
    assemble::write_sparse(&root, &mut fs::File::create(&partition).unwrap()).unwrap();
    let commands = dir.path().join("commands");
    fs::write(&commands, debugfs).unwrap();
    let done = Command::new("debugfs").args(["-w", "-f"]).arg(&commands).arg(&partition).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success() && said.lines().count() == 1, "{said}");
    let root = FileDevice::new(fs::File::open(&partition).unwrap(), root.size(), 512);
    let mut esp = esp_files();
    esp.push(FatFile::new("EFI/redhat/shimx64.efi", &b"MZ"[..]));
    let image = image_with(&root, esp);
    assemble::write_sparse(&image, &mut fs::File::create(&file).unwrap()).unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    Some(Made { store, file, dir })
}

impl Made {
    fn import(&self) -> Result<Imported> {
        take(&self.store, &import::open_raw(&self.file)?, &mut |_, _, _| Ok(()))
    }

    /// Its error; nothing may be left.
    fn refusal(&self) -> String {
        let begin = Instant::now();
        let error = format!("{:#}", self.import().unwrap_err());
        assert!(begin.elapsed() < END, "{:?}: {error}", begin.elapsed());
        assert_eq!(files_in(&self.store), 0, "{error}");
        error
    }

    fn export(&self, imported: &Imported) -> Result<u64> {
        export(&self.store, imported)
    }
}

fn take(
    store: &Store,
    device: &Arc<dyn BlockDevice>,
    progress: &mut dyn FnMut(Step, u64, u64) -> Result<()>,
) -> Result<Imported> {
    import::import(store, device, &"test@1".parse().unwrap(), &key(), true, progress)
}

/// Counts a tar, then makes it of an image.
fn export(store: &Store, imported: &Imported) -> Result<u64> {
    let manifest = store.manifest(&imported.manifest.image, &imported.digest, &key().alone())?;
    let export = Export::open(&StoredImage::open(store, &manifest)?)?;
    let length = export.length()?;
    export.write(io::sink(), |_| Ok(()))?;
    Ok(length)
}

fn files_in(store: &Store) -> usize {
    let blobs = store.blob_path(&crate::value::Digest::of(b"")).parent().unwrap().to_owned();
    fs::read_dir(blobs).map_or(0, Iterator::count)
}

#[test]
fn what_an_inode_says_of_its_length_is_not_believed() {
    let kernel = format!("/boot/vmlinuz-{KERNEL}");
    for (path, length, says) in [
        ("/etc/os-release", 8_u64 << 40, "a link of 8796093022208 bytes is impossible"),
        ("/usr/lib/os-release", 1 << 30, "has 1073741824 bytes, the limit is 65536"),
        ("/usr/lib", 8 << 40, "a directory of 8796093022208 bytes"),
        ("/lib", 3 << 30, "a directory of 3221225472 bytes"),
    ] {
        let Some(made) = made(&[], &format!("set_inode_field {path} size {length}\n")) else { return };
        let error = made.refusal();
        assert!(error.contains(says), "{path}: {error}");
    }
    // only its beginning is read
    let made = made(&[], &format!("set_inode_field {kernel} size {}\n", 100_u64 << 30)).unwrap();
    let imported = made.import().unwrap();
    let error = format!("{:#}", made.export(&imported).unwrap_err());
    assert!(error.contains(&format!(".{kernel}")) && error.contains("the tar would be longer"), "{error}");
}

#[test]
fn a_file_of_holes_makes_no_tar_without_end() {
    let Some(made) = made(&[], "set_inode_field /etc/hostname size 1152921504606846976\n") else { return };
    // no file of ext4 has more than 2^32 blocks, but what it says is no reason to allocate or to go on
    let imported = made.import().unwrap();
    let begin = Instant::now();
    let error = format!("{:#}", made.export(&imported).unwrap_err());
    assert!(error.contains("exporting ./etc/hostname") && error.contains("all holes"), "{error}");
    assert!(begin.elapsed() < END);
}

#[test]
fn a_source_that_is_no_file_is_refused_unopened() {
    let dir = tempfile::tempdir().unwrap();
    let (pipe, socket) = (dir.path().join("pipe"), dir.path().join("socket"));
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let kinds = [
        (pipe.as_path(), "a pipe"),
        (&socket, "a socket"),
        (dir.path(), "a directory"),
        (Path::new("/dev/zero"), "a device"),
    ];
    for (path, what) in kinds {
        let error = format!("{:#}", import::open_raw(path).err().unwrap());
        assert!(error.contains(&path.display().to_string()) && error.contains(what), "{error}");
    }
    let error = import::open_raw(&dir.path().join("nothing")).err().unwrap();
    assert_eq!(crate::failure::exit_code(&error), std::process::ExitCode::from(1), "{error:#}");
}

#[test]
fn a_file_that_changes_while_it_is_imported_is_refused() {
    let Some(made) = made(&[], "") else { return };
    let file = fs::File::options().write(true).open(&made.file).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let length = file.metadata().unwrap().len();
    for during in [Step::Pack, Step::Verify] {
        for (change, says) in
            [(0, "the time of its last change"), (1, "the time of its last change"), (2, "its size")]
        {
            let device = import::open_raw(&made.file).unwrap();
            let mut changed = false;
            let mut change_once = |step, _, _| {
                if step == during && !std::mem::replace(&mut changed, true) {
                    match change {
                        2 => file.set_len(length + 4096).unwrap(),
                        _ => file.write_all_at(&[change], 70 << 20).unwrap(),
                    }
                    if change == 1 {
                        file.set_modified(modified).unwrap();
                    }
                }
                Ok(())
            };
            let error = format!("{:#}", take(&made.store, &device, &mut change_once).unwrap_err());
            assert!(error.contains(says) && error.contains("import a copy"), "{error}");
            assert_eq!(files_in(&made.store), 0, "{during:?}");
            file.set_len(length).unwrap();
        }
    }
}

/// Part of a file, or a file with some bytes changed.
struct Spoilt {
    file: Arc<FileDevice>,
    size: u64,
    changes: Vec<(u64, u8)>,
}

impl BlockDevice for Spoilt {
    fn size(&self) -> u64 {
        self.size
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.read_at(offset, buffer)?;
        for (at, byte) in &self.changes {
            if let Some(at) = at.checked_sub(offset).filter(|at| *at < buffer.len() as u64) {
                buffer[at as usize] = *byte;
            }
        }
        Ok(())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn next_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        self.file.next_data(from)
    }
}

#[test]
fn an_image_that_is_cut_anywhere_is_refused() {
    let Some(made) = made(&[], "") else { return };
    let file = Arc::new(FileDevice::watch(&made.file).unwrap());
    let whole = file.size();
    let refused = |size| {
        let file = Arc::clone(&file);
        let device: Arc<dyn BlockDevice> = Arc::new(Spoilt { file, size, changes: Vec::new() });
        layout::read_layout(&device, &Budget::of(size)).map(drop)
    };
    refused(whole).unwrap();
    for size in (0..whole).step_by(4096) {
        assert!(refused(size).is_err(), "{size} bytes of {whole} were taken");
    }
    fs::File::options().write(true).open(&made.file).unwrap().set_len(whole - 4096).unwrap();
    assert!(made.refusal().contains("cut off"));
}

/// Numbers that are the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most.max(1)
    }
}

/// One to four bytes, most of them where structures are: the beginnings of what holds data.
fn changes(random: &mut Random, data: &[Range<u64>]) -> Vec<(u64, u8)> {
    let change = |random: &mut Random| {
        let range = &data[random.below(data.len() as u64) as usize];
        let length = range.end - range.start;
        let within = if random.below(2) == 0 { length.min(4096) } else { length };
        let byte = match random.below(4) {
            0 => 0xff,
            1 => 0,
            _ => random.below(256) as u8,
        };
        (range.start + random.below(within), byte)
    };
    (0..=random.below(4)).map(|_| change(random)).collect()
}

/// `IRONSTRAP_ROUNDS` times as many, and each of them imported and exported, for `make soak`.
#[test]
fn hostile_mutations_of_an_image_come_to_an_end() {
    let times: u64 = std::env::var("IRONSTRAP_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let (mut taken, mut refused) = (0, 0);
    for options in [&[][..], &["-O", "^metadata_csum"]] {
        let Some(made) = made(options, "") else { return };
        let file = Arc::new(FileDevice::watch(&made.file).unwrap());
        let size = file.size();
        let (mut data, mut place) = (Vec::new(), 0);
        while let Some(range) = file.next_data(place).unwrap() {
            place = range.end;
            data.push(range);
        }
        for seed in 0..50 * times {
            let mut random = Random(seed);
            let changes = changes(&mut random, &data);
            let said = format!("{options:?} {seed}: {changes:x?}");
            let file = Arc::clone(&file);
            let device: Arc<dyn BlockDevice> = Arc::new(Spoilt { file, size, changes });
            let begin = Instant::now();
            let looked = layout::read_layout(&device, &Budget::of(size));
            if looked.is_ok() && (times > 1 || seed % 10 == 0) {
                match take(&made.store, &device, &mut |_, _, _| Ok(())) {
                    Ok(imported) => {
                        taken += 1;
                        let _ = export(&made.store, &imported);
                    }
                    Err(_) => refused += 1,
                }
            } else if looked.is_err() {
                refused += 1;
            }
            assert!(begin.elapsed() < END, "{said}: {:?}", begin.elapsed());
        }
        drop(made.dir);
    }
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}
