//! Reuse: what a disk of ours holds already needn't be fetched, and what is in its place needn't be written.
//!
//! ```text
//!  look     what may be in its place is read and hashed by all hands: this very image, or what the index of the former one says
//!  anew     nobody has that index: the disk is cut by our own cutter
//!  moves    chunks that stand elsewhere are copied, each before its place is overwritten
//!  flush    then the feed, for all the rest
//! ```
//!
//! Promises:
//!
//! - Whatever was said of the disk is a hint. A chunk counts as there when its bytes were read from the disk in this run and have the
//!   digest that the new index says; nothing else is written than such bytes. What can't be read or differs is fetched.
//! - A chunk in its place is durable after the flush at the end, and it was read back by being looked at.
//! - Nothing is zeroed, discarded or fetched before the last move.
//! - A disk that holds nothing of ours costs nothing: not one read, not one request.
//! - Memory: the new index, 40 MiB at most with former ones; then [`wanted::ROOM`], [`MOST_KEPT`], and what the engine needs later.
//!
//! A power cut in the middle leaves chunks of old and new, and some torn ones, on a disk that doesn't boot; the next run finds out
//! which by the same look.

mod anew;
mod former;
mod look;
pub mod moves;
mod wanted;

use std::collections::BTreeMap;

use super::Blocks;
use super::extents::{Marks, Piece, Withheld, pieces};
use super::slots::Slots;
use super::write::BlockWriter;
use crate::agent::Failure;
use crate::spec::event::Reused;
use crate::spec::image::Extent;
use crate::sys::block::buffer::Buffer;
use crate::trust::Verified;
use crate::value::Digest;

use self::former::Former;
use self::moves::Step;
use self::wanted::Wanted;

/// A disk on which so many pieces can't be read isn't asked for more of them: each may take it half a minute.
const MOST_UNREAD: usize = 8;

/// What is in memory at most of chunks that stand in each other's places.
const MOST_KEPT: u64 = 8 << 20;

/// Hears of so many bytes that are as they should be, and may break it off.
pub type Say<'a> = dyn FnMut(u64) -> Result<(), Failure> + 'a;

/// What a disk may hold, as its claim has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held<'a> {
    /// The image that is to be placed, wholly or in part.
    pub same: bool,
    /// Others: digests of their manifests, the one that was written last first.
    pub others: &'a [Digest],
}

/// Where it is looked for.
#[derive(Clone, Copy)]
pub struct Ground<'s, 'a> {
    pub blocks: Blocks<'a>,
    pub withheld: &'s Withheld,
    pub slots: &'s Slots,
    pub hands: usize,
}

/// What needn't be fetched.
#[derive(Debug, Default)]
pub struct Found {
    /// Pieces that are in place, and were read.
    pub in_place: Marks,
    /// These, and those that were copied, which are still to be read back.
    pub here: Marks,
    /// Bytes of the ones.
    pub checked: u64,
    /// Bytes of both.
    pub written: u64,
    /// What is told of it; `None` where nothing was looked for.
    pub reused: Option<Reused>,
}

impl Found {
    fn is_in_place(&mut self, number: usize, length: usize, is_zero: bool) {
        if self.in_place.has(number) {
            return;
        }
        self.in_place.add(number);
        self.here.add(number);
        self.checked += length as u64;
        self.written += length as u64;
        if !is_zero {
            self.reused.get_or_insert_default().in_place += length as u64;
        }
    }

    fn was_moved(&mut self, number: usize, length: u64) {
        self.here.add(number);
        self.written += length;
        self.reused.get_or_insert_default().moved += length;
    }
}

/// Finds what is there, copies what is elsewhere, flushes.
///
/// # Errors
/// The device's, where it can't be written or flushed; what whoever is told says.
pub fn find(ground: &Ground<'_, '_>, held: &Held<'_>, say: &mut Say<'_>) -> Result<Found, Failure> {
    let mut found = Found::default();
    if !held.same && held.others.is_empty() {
        return Ok(found);
    }
    found.reused = Some(Reused::default());
    let Blocks { device, index, .. } = ground.blocks;
    let mut wanted = Wanted::of(index, ground.withheld);
    let mut formers = Vec::new();
    if held.same {
        look::look(ground, |_| true, &mut found, say)?;
        wanted.found(&found.in_place);
    }
    if !held.others.is_empty() && (!held.same || wanted.is_left()) {
        formers = recall(ground, held);
        if formers.is_empty() {
            anew::cut(ground, &mut wanted, &mut found, say)?;
        } else if !held.same {
            let likely = likely(&formers, &wanted);
            look::look(ground, |number| likely.has(number), &mut found, say)?;
        }
        wanted.found(&found.in_place);
    }
    for (from, _, digest) in formers.iter().flat_map(Former::chunks) {
        wanted.offer(from, &digest);
    }
    drop(formers);
    copy(ground, wanted, &mut found, say)?;
    BlockWriter::new(device).flush()?;
    if let Some(reused) = &mut found.reused {
        let data = pieces(index, ground.withheld).filter(|piece| !piece.is_zero());
        let all: u64 = data.map(|piece| piece.len() as u64).sum();
        reused.fetched = all.saturating_sub(reused.in_place + reused.moved);
    }
    Ok(found)
}

/// The indexes of former images that somebody still has, as far as there is memory for them.
fn recall(ground: &Ground<'_, '_>, held: &Held<'_>) -> Vec<Former> {
    let mut length = ground.blocks.manifest.index.size;
    let mut formers = Vec::new();
    for image in held.others {
        if let Some(former) = Former::recall(ground.blocks.source, image, length) {
            length += former.length();
            formers.push(former);
        }
    }
    formers
}

/// What stood in the same place in a former image.
fn likely(formers: &[Former], wanted: &Wanted<'_>) -> Marks {
    let mut likely = Marks::default();
    for (offset, length, digest) in formers.iter().flat_map(Former::chunks) {
        if let Some(number) = wanted.in_place(offset, length, &digest) {
            likely.add(number);
        }
    }
    likely
}

/// Copies chunks, one after the other. One that isn't what it was said to be is left to be fetched.
fn copy(
    ground: &Ground<'_, '_>,
    wanted: Wanted<'_>,
    found: &mut Found,
    say: &mut Say<'_>,
) -> Result<(), Failure> {
    let Blocks { device, index, .. } = ground.blocks;
    let (targets, moves) = wanted.moves(device.size());
    let (writer, mut unread) = (BlockWriter::new(device), 0);
    let mut kept: BTreeMap<usize, Verified<Buffer>> = BTreeMap::new();
    let mut spare = Buffer::default();
    for step in moves::order(&moves, MOST_KEPT) {
        let (Step::Copy(at) | Step::Lift(at) | Step::Put(at)) = step;
        let Some(entry) = index.get(targets[at].extent()) else { continue };
        let Extent::Data { digest, .. } = entry.content else { continue };
        if !matches!(step, Step::Put(_)) {
            if unread >= MOST_UNREAD {
                break;
            }
            let mut room = std::mem::take(&mut spare);
            room.resize(entry.length as usize);
            match device.read_at(moves[at].from, room.as_mut()) {
                Ok(()) => kept.extend(Verified::by_digest(room, &digest).ok().map(|chunk| (at, chunk))),
                Err(_) => unread += 1,
            }
        }
        if !matches!(step, Step::Lift(_))
            && let Some(chunk) = kept.remove(&at)
        {
            writer.data(&Piece { entry, range: entry.offset..entry.offset + entry.length }, &chunk)?;
            found.was_moved(targets[at].piece(), entry.length);
            spare = chunk.into_inner();
        }
        say(found.written)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
