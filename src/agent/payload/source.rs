//! Where the bytes of an image come from: the stick or a server. Nothing here is trusted; callers verify.
//!
//! A source gives streams: a blob from some byte on, read forward. [`FrameReader`] turns the frames that the install asks
//! for into as few streams as possible: as long as frames follow each other (packs are in disk order) one request serves
//! them all, and a small gap is read over rather than asked around. A frame elsewhere (images hold the same content more
//! than once) is asked for by itself, and the long stream waits: dropping it would waste all that is on its way.
//!
//! Patience belongs to the sources: a stream that returns an error has given up for good. They don't interpret bytes.

use crate::agent::Failure;
use crate::spec::Code;
use crate::spec::image::Blob;
use crate::trust::Verified;
use crate::value::Digest;

/// A place that has blobs. Shared between threads.
pub trait BlobSource: Send + Sync {
    /// Begins to read a blob at this byte. May be lazy: a source that can't be reached may say so at the first read.
    ///
    /// # Errors
    /// [`Code::PayloadUnreachable`] when the place can't be reached or has no such blob, [`Code::PayloadDamaged`] when what
    /// it has can't be the blob (another size, say). The message names the blob.
    fn open<'a>(&'a self, blob: &Blob, offset: u64) -> Result<Box<dyn BlobStream + 'a>, Failure>;

    /// Begins to read this many bytes and no more: a source that sends ahead needn't send what nobody will read.
    ///
    /// # Errors
    /// As for [`BlobSource::open`].
    fn open_part<'a>(
        &'a self,
        blob: &Blob,
        offset: u64,
        _length: u64,
    ) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        self.open(blob, offset)
    }

    /// A document of which nobody has promised anything, for whoever can do without it: asked for once, without patience. `None`
    /// where it isn't there, is longer than this, or takes long. Its bytes are nobody's word.
    fn hint(&self, _digest: &Digest, _limit: u64) -> Option<Vec<u8>> {
        None
    }

    /// Nobody needs it any more, for good: whoever waits for a place that is away stops waiting.
    fn give_up(&self) {}
}

/// One blob being read forward.
pub trait BlobStream: Send {
    /// Fills the buffer with the next bytes. Sources that can resume do so in here, at the byte they had reached.
    ///
    /// # Errors
    /// As for [`BlobSource::open`]; the stream must not be used again.
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure>;
}

/// Longest gap between two frames that is read and thrown away instead of asking again.
const GAP: u64 = 256 << 10;

/// Reads ranges of blobs, mostly ascending, over one open stream.
pub struct FrameReader<'a> {
    source: &'a dyn BlobSource,
    open: Option<Open<'a>>,
    /// Frames that were asked for one by one and follow each other: a long run becomes the long stream.
    aside: Option<Aside>,
}

/// Bytes that follow each other before a run counts as the place where the image goes on.
const RUN: u64 = 2 << 20;

struct Aside {
    blob: Digest,
    end: u64,
    run: u64,
}

struct Open<'a> {
    blob: Digest,
    size: u64,
    position: u64,
    stream: Box<dyn BlobStream + 'a>,
}

impl std::fmt::Debug for FrameReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let open = self.open.as_ref().map(|open| (open.blob, open.position));
        f.debug_struct("FrameReader").field("open", &open).finish_non_exhaustive()
    }
}

impl<'a> FrameReader<'a> {
    /// Nothing is opened before the first read.
    pub fn new(source: &'a dyn BlobSource) -> Self {
        Self { source, open: None, aside: None }
    }

    /// Fills the buffer from this place of the blob.
    ///
    /// # Errors
    /// The source's. The next read opens a new stream.
    pub fn read(&mut self, blob: &Blob, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let mut open = match self.open.take() {
            Some(open) if open.reaches(blob, offset) => open,
            Some(open) if !open.is_finished() && self.run_before(blob, offset) < RUN => {
                self.open = Some(open);
                return self.read_aside(blob, offset, buffer);
            }
            _ => {
                let stream = self.source.open(blob, offset)?;
                Open { blob: blob.digest, size: blob.size, position: offset, stream }
            }
        };
        let mut waste = [0; 4096];
        while open.position < offset {
            let step = (offset - open.position).min(waste.len() as u64);
            open.read(&mut waste[..step as usize])?;
        }
        open.read(buffer)?;
        self.open = Some(open);
        Ok(())
    }

    fn read_aside(&mut self, blob: &Blob, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let length = buffer.len() as u64;
        self.read_alone(blob, offset, buffer)?;
        let run = self.run_before(blob, offset) + length;
        self.aside = Some(Aside { blob: blob.digest, end: offset + length, run });
        Ok(())
    }

    fn run_before(&self, blob: &Blob, offset: u64) -> u64 {
        let follows = |aside: &&Aside| aside.blob == blob.digest && aside.end == offset;
        self.aside.as_ref().filter(follows).map_or(0, |aside| aside.run)
    }

    /// Fills the buffer by a request of its own, beside the open stream.
    ///
    /// # Errors
    /// The source's.
    pub fn read_alone(&self, blob: &Blob, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        self.source.open_part(blob, offset, buffer.len() as u64)?.read(buffer)
    }
}

impl Open<'_> {
    fn is_finished(&self) -> bool {
        self.position >= self.size
    }

    fn reaches(&self, blob: &Blob, offset: u64) -> bool {
        self.blob == blob.digest && self.position <= offset && offset - self.position <= GAP
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        self.stream.read(buffer)?;
        self.position += buffer.len() as u64;
        Ok(())
    }
}

/// Reads a whole blob into memory and verifies it; once more where it isn't the right one, for it may have been damaged on the way.
/// For documents; packs are read frame by frame.
///
/// # Errors
/// The source's; [`Code::PayloadDamaged`] when the bytes have another digest, or the blob is longer than `limit`.
pub fn fetch(source: &dyn BlobSource, blob: &Blob, limit: u64) -> Result<Verified<Vec<u8>>, Failure> {
    let damaged = |why: String| Failure::new(Code::PayloadDamaged, format!("blob {}: {why}", blob.digest));
    if blob.size > limit {
        return Err(damaged(format!("{} bytes are more than the {limit} that it may have", blob.size)));
    }
    let read = || {
        let mut bytes = vec![0; blob.size as usize];
        source.open(blob, 0)?.read(&mut bytes)?;
        Verified::by_digest(bytes, &blob.digest).map_err(|error| damaged(error.to_string()))
    };
    match read() {
        Err(failure) if failure.code == Code::PayloadDamaged => read(),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::super::faults::Fault;
    use super::super::memory_source::MemorySource;
    use super::*;

    fn source() -> (MemorySource, Blob) {
        let mut source = MemorySource::new();
        let blob = source.add((0..2 << 20).map(|i: u32| (i / 7) as u8).collect());
        (source, blob)
    }

    #[test]
    fn frames_that_follow_each_other_are_one_request() {
        let (source, blob) = source();
        let mut reader = FrameReader::new(&source);
        let mut frame = [0; 5000];
        for at in [100, 5100, 10_100, 10_100 + 5000 + GAP] {
            reader.read(&blob, at, &mut frame).unwrap();
            assert_eq!(frame[0], (at / 7) as u8);
        }
        assert_eq!(source.opened(), [(blob.digest, 100)]);
        reader.read(&blob, 0, &mut frame).unwrap();
        reader.read(&blob, 1 << 20, &mut frame).unwrap();
        assert_eq!(source.opened()[1..], [(blob.digest, 0), (blob.digest, 1 << 20)]);
    }

    #[test]
    fn a_frame_elsewhere_does_not_end_the_long_stream() {
        let (source, blob) = source();
        let mut reader = FrameReader::new(&source);
        let mut frame = [0; 5000];
        for at in [1 << 20, 0, (1 << 20) + 5000, 0, (1 << 20) + 10_000] {
            reader.read(&blob, at, &mut frame).unwrap();
            assert_eq!(frame[0], (at / 7) as u8);
        }
        assert_eq!(source.opened(), [(blob.digest, 1 << 20), (blob.digest, 0), (blob.digest, 0)]);
    }

    #[test]
    fn a_long_run_elsewhere_becomes_the_long_stream() {
        let mut source = MemorySource::new();
        let blob = source.add(vec![7; 8 << 20]);
        let mut reader = FrameReader::new(&source);
        let mut frame = vec![0; 1 << 20];
        reader.read(&blob, 7 << 20, &mut frame[..10]).unwrap();
        for at in 0..6 {
            reader.read(&blob, at << 20, &mut frame).unwrap();
        }
        let opened: Vec<_> = source.opened().iter().map(|(_, at)| at >> 20).collect();
        assert_eq!(opened, [7, 0, 1, 2]);
    }

    #[test]
    fn a_failed_stream_is_opened_again() {
        let (source, blob) = source();
        let source = source.with_fault(Fault::Stall { blob: blob.digest, at: 300 });
        let mut reader = FrameReader::new(&source);
        assert_eq!(reader.read(&blob, 250, &mut [0; 100]).unwrap_err().code, Code::PayloadUnreachable);
        reader.read(&blob, 250, &mut [0; 50]).unwrap();
        assert_eq!(source.opened().len(), 2);
    }

    #[test]
    fn a_whole_blob_is_verified() {
        let (source, blob) = source();
        assert_eq!(fetch(&source, &blob, 4 << 20).unwrap().len(), 2 << 20);
        assert_eq!(fetch(&source, &blob, 1 << 20).unwrap_err().code, Code::PayloadDamaged);
        for (fault, code) in [
            (Fault::Flip { blob: blob.digest, at: 99, once: false }, Code::PayloadDamaged),
            (Fault::Cut { blob: blob.digest, at: 99 }, Code::PayloadUnreachable),
        ] {
            assert_eq!(fetch(&self::source().0.with_fault(fault), &blob, 4 << 20).unwrap_err().code, code);
        }
        let once = Fault::Flip { blob: blob.digest, at: 99, once: true };
        assert!(fetch(&self::source().0.with_fault(once), &blob, 4 << 20).is_ok());
        let absent = Blob { digest: Digest::of(b"no"), size: 2 };
        assert_eq!(fetch(&source, &absent, 10).unwrap_err().code, Code::PayloadUnreachable);
    }
}
