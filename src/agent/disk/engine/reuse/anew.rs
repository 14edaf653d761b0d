//! The disk cut anew, where nobody has the index of what it holds: by the cutter that cut the image, so that what is the same has the
//! same cuts. One thread reads and cuts, all hands hash.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use super::super::extents::pieces;
use super::wanted::Wanted;
use super::{Found, Ground, Say};
use crate::agent::Failure;
use crate::image::chunk;
use crate::value::Digest;

/// What stands on the disk.
enum Seen {
    Chunk { offset: u64, length: u64, digest: Digest },
    Zeroes(Range<u64>),
}

/// Cuts the disk as far as the image reaches: takes into what was found the pieces that are in place, and offers all else. Where the
/// disk can't be read it ends.
///
/// # Errors
/// What whoever is told says.
pub fn cut(
    ground: &Ground<'_, '_>,
    wanted: &mut Wanted<'_>,
    found: &mut Found,
    say: &mut Say<'_>,
) -> Result<(), Failure> {
    let manifest = ground.blocks.manifest;
    let cuts = chunk::forced_cuts(manifest.size.as_bytes(), &manifest.partitions);
    let stop = AtomicBool::new(false);
    let (give, take) = mpsc::sync_channel::<(u64, Vec<u8>)>(ground.hands);
    let take = Mutex::new(take);
    let (tell, heard) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..ground.hands {
            let (tell, take, stop) = (tell.clone(), &take, &stop);
            scope.spawn(move || {
                let next = || take.lock().unwrap_or_else(PoisonError::into_inner).recv();
                // what comes when nobody listens is taken, so that the cutter sees it, too
                while let Ok((offset, bytes)) = next() {
                    if !stop.load(Ordering::Relaxed) {
                        let digest = Digest::of(&bytes);
                        let _ = tell.send(Seen::Chunk { offset, length: bytes.len() as u64, digest });
                    }
                }
            });
        }
        let stop_flag = &stop;
        scope.spawn(move || {
            let _ = chunk::cut::<io::Error>(ground.blocks.device, &cuts, &mut |_| Ok(()), |piece, _| {
                let sent = match piece.data {
                    _ if stop_flag.load(Ordering::Relaxed) => false,
                    Some(bytes) => give.send((piece.offset, bytes.to_vec())).is_ok(),
                    None => tell.send(Seen::Zeroes(piece.offset..piece.offset + piece.length)).is_ok(),
                };
                if sent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
            });
        });
        let result = gather(ground, heard, wanted, found, say);
        stop.store(true, Ordering::Relaxed);
        result
    })
}

fn gather(
    ground: &Ground<'_, '_>,
    heard: mpsc::Receiver<Seen>,
    wanted: &mut Wanted<'_>,
    found: &mut Found,
    say: &mut Say<'_>,
) -> Result<(), Failure> {
    let zeroes = pieces(ground.blocks.index, ground.withheld).enumerate();
    let mut zeroes = zeroes.filter(|(_, piece)| piece.is_zero()).peekable();
    for seen in heard {
        match seen {
            Seen::Chunk { offset, length, digest } => match wanted.in_place(offset, length, &digest) {
                Some(number) => found.is_in_place(number, length as usize, false),
                None => wanted.offer(offset, &digest),
            },
            // runs come in ascending order, as the pieces do
            Seen::Zeroes(run) => {
                while let Some((number, piece)) = zeroes.next_if(|(_, piece)| piece.range.end <= run.end) {
                    if piece.range.start >= run.start {
                        found.is_in_place(number, piece.len(), true);
                    }
                }
            }
        }
        say(found.written)?;
    }
    Ok(())
}
