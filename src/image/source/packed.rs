//! Compressed files: unpacked as a stream into a file without a name, of which zeroes stay holes.
//!
//! Promises: all of the file is unpacked, member after member, or it is an error; what isn't a member is one too. It ends: there is
//! a limit to what comes out, beside the room there is. Memory is bounded by what each decoder may have.

use std::io::{BufReader, ErrorKind, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use anyhow::{Context, Result, bail};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use super::has;
use crate::image::import::{Progress, Step};
use crate::sys::block::{BlockDevice, FileDevice, Window, write_sparse_at};

/// What comes out of a small file at most.
const ANYWAY: u64 = 4 << 30;
/// And how often its own length beside that.
const RATIO: u64 = 64;
/// Memory for the dictionary of a zstd or xz file: twice what `zstd --ultra` and `xz -9` ask for.
const DICTIONARY_LOG: u32 = 27;
/// `ZSTD_error_frameParameter_windowTooLarge` of zstd_errors.h, as functions return it.
const ZSTD_WINDOW_TOO_LARGE: usize = 0_usize.wrapping_sub(16);
const PIECE: usize = 1 << 20;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Zstd,
    Xz,
    Gzip,
    Bzip2,
}

impl Packing {
    const ALL: [(Self, &'static [u8]); 4] = [
        (Self::Zstd, b"\x28\xb5\x2f\xfd"),
        (Self::Xz, b"\xfd7zXZ\0"),
        (Self::Gzip, b"\x1f\x8b"),
        (Self::Bzip2, b"BZh"),
    ];

    /// By its first bytes; `None` if it isn't.
    pub(super) fn of(file: &dyn BlockDevice) -> Result<Option<Self>> {
        for (packing, magic) in Self::ALL {
            if has(file, 0, magic)? {
                return Ok(Some(packing));
            }
        }
        Ok(None)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
        }
    }

    /// What unpacks it by hand.
    pub(super) fn way(self) -> String {
        format!("{} -d", self.name())
    }

    /// Why no more can be read behind so many bytes that came out.
    fn unreadable(self, error: io::Error, done: u64) -> anyhow::Error {
        let name = self.name();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let wants_memory = match self {
            Self::Zstd => error.to_string() == zstd::zstd_safe::get_error_name(ZSTD_WINDOW_TOO_LARGE),
            Self::Xz => matches!(inner, Some(liblzma::stream::Error::MemLimit)),
            Self::Gzip | Self::Bzip2 => false,
        };
        let why = match wants_memory {
            true => format!(
                "it wants a dictionary of more than {} MiB; unpack it (`{}`), and import what comes out",
                (1 << DICTIONARY_LOG) >> 20,
                if self == Self::Zstd { "zstd -d --long=31".to_owned() } else { self.way() }
            ),
            false => format!(
                "after {done} bytes it is damaged, cut short, or followed by something else; fetch it anew"
            ),
        };
        anyhow::Error::new(error).context(format!("unpacking the {name} file: {why}"))
    }

    fn reader<'a>(self, packed: impl io::BufRead + 'a) -> Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(packed).context("starting zstd")?;
                decoder.window_log_max(DICTIONARY_LOG).context("starting zstd")?;
                Box::new(decoder)
            }
            Self::Xz => {
                let stream =
                    Stream::new_stream_decoder(1 << DICTIONARY_LOG, CONCATENATED).context("starting xz")?;
                Box::new(XzDecoder::new_stream(packed, stream))
            }
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
        })
    }
}

/// Unpacks a file into one without a name in this directory.
///
/// # Errors
/// Damaged, cut short, followed by something else, too much of it, no room; what `progress` says.
pub(super) fn unpack(
    file: Arc<dyn BlockDevice>,
    packing: Packing,
    room: &Path,
    progress: Progress<'_>,
) -> Result<Arc<dyn BlockDevice>> {
    let (name, size) = (packing.name(), file.size());
    let making = || format!("making a file in {}", room.display());
    std::fs::create_dir_all(room).with_context(making)?;
    let target = tempfile::tempfile_in(room).with_context(making)?;
    // writing ends where a file may end; what it is read as is known afterwards
    let device = FileDevice::new(target.try_clone().with_context(making)?, u64::MAX, 512);
    let most = ANYWAY.saturating_add(size.saturating_mul(RATIO));
    let consumed = std::cell::Cell::new(0);
    let counted = Counted { window: Window::new(&*file, 0, size), consumed: &consumed };
    let mut reader = packing.reader(BufReader::with_capacity(PIECE, counted))?;
    let (mut piece, mut done) = (vec![0; PIECE], 0_u64);
    loop {
        let count = fill(&mut reader, &mut piece).map_err(|error| packing.unreadable(error, done))?;
        if count == 0 {
            break;
        }
        if done + count as u64 > most {
            bail!(
                "the {name} file unpacks to more than {most} bytes, {RATIO} times itself and 4 GiB; if that is meant, unpack it (`{}`), and import what comes out",
                packing.way()
            );
        }
        write_sparse_at(&device, done, &piece[..count]).map_err(|error| no_room(error, room))?;
        done += count as u64;
        progress(Step::Unpack, consumed.get(), size)?;
    }
    drop(reader);
    target.set_len(done).map_err(|error| no_room(error, room))?;
    Ok(Arc::new(Unpacked { source: file, disk: FileDevice::new(target, done, 512) }))
}

fn no_room(error: io::Error, room: &Path) -> anyhow::Error {
    let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let way = if is_full { "; a compressed image needs room for what it unpacks to" } else { "" };
    anyhow::Error::new(error).context(format!("unpacking into {}{way}", room.display()))
}

/// As much as fits, so that writes are whole pieces; less is the end.
fn fill(reader: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match reader.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Tells how far it is.
struct Counted<'a> {
    window: Window<'a>,
    consumed: &'a std::cell::Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.window.read(buffer)?;
        self.consumed.set(self.consumed.get() + count as u64);
        Ok(count)
    }
}

/// What came out; whether it changed is asked of what it came from.
struct Unpacked {
    source: Arc<dyn BlockDevice>,
    disk: FileDevice,
}

impl fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacked").field("disk", &self.disk).finish_non_exhaustive()
    }
}

impl BlockDevice for Unpacked {
    fn size(&self) -> u64 {
        self.disk.size()
    }

    fn logical_block(&self) -> u32 {
        self.disk.logical_block()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, buffer)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn next_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        self.disk.next_data(from)
    }

    fn changed(&self) -> io::Result<Option<&'static str>> {
        self.source.changed()
    }
}
