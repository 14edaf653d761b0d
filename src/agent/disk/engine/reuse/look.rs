//! A look at what a disk holds where the image wants it: all hands read and compare.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use super::super::extents::{Piece, pieces};
use super::{Found, Ground, MOST_UNREAD, Say};
use crate::agent::Failure;
use crate::sys::block::buffer::Buffer;

/// Looks at the pieces that may be in place, and takes those that are into what was found. Zeroes are looked at, too: what is written
/// though it was right would hide a write that went astray.
///
/// # Errors
/// What whoever is told says. A disk that can't be read is looked at no further.
pub fn look(
    ground: &Ground<'_, '_>,
    may_be: impl Fn(usize) -> bool + Send,
    found: &mut Found,
    say: &mut Say<'_>,
) -> Result<(), Failure> {
    let all = pieces(ground.blocks.index, ground.withheld).enumerate();
    let likely = all.filter(move |(number, piece)| piece.is_zero() || piece.is_whole() && may_be(*number));
    let (next, stop, unread) = (Mutex::new(likely), AtomicBool::new(false), AtomicUsize::new(0));
    let (tell, heard) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..ground.hands {
            let (tell, next, stop, unread) = (tell.clone(), &next, &stop, &unread);
            scope.spawn(move || {
                let mut buffer = Buffer::default();
                let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
                let goes_on =
                    || !stop.load(Ordering::Relaxed) && unread.load(Ordering::Relaxed) < MOST_UNREAD;
                while let Some((number, piece)) = take().filter(|_| goes_on()) {
                    let is_right = is_right(ground, &piece, &mut buffer).unwrap_or_else(|_| {
                        unread.fetch_add(1, Ordering::Relaxed);
                        false
                    });
                    if tell.send((number, piece.len(), piece.is_zero(), is_right)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(tell);
        for (number, length, is_zero, is_right) in heard {
            if is_right {
                found.is_in_place(number, length, is_zero);
            }
            say(found.written).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    })
}

fn is_right(ground: &Ground<'_, '_>, piece: &Piece, buffer: &mut Buffer) -> io::Result<bool> {
    buffer.resize(piece.len());
    let slot = ground.slots.take();
    ground.blocks.device.read_at(piece.range.start, buffer.as_mut())?;
    drop(slot);
    Ok(piece.is(buffer.as_ref()) == Some(true))
}
