//! A device that has the faults of the [model](super::faults), around any other device.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::Mutex;

use super::faults::{Access, Beyond, Dice, Fault, OneIn, PAGE, Rates, STALL, Survival};
use super::{BlockDevice, check};

/// The faulty twin of any block device. Without rates and faults it is that device.
#[derive(Debug)]
pub struct FaultyDevice<D> {
    device: D,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rates: Rates,
    faults: Vec<Fault>,
    dice: Dice,
    calm: bool,
    operations: u64,
    flushes: u64,
    /// Pages that can't be read until they are written.
    worn: BTreeSet<u64>,
    /// Pages as they would be without what was written since the last flush; kept while something could ask for it.
    durable: BTreeMap<u64, Vec<u8>>,
    struck: Vec<String>,
}

impl<D: BlockDevice> FaultyDevice<D> {
    /// A good device.
    pub fn new(device: D) -> Self {
        let state = State {
            rates: Rates::NONE,
            faults: Vec::new(),
            dice: Dice::new(0),
            calm: false,
            operations: 0,
            flushes: 0,
            worn: BTreeSet::new(),
            durable: BTreeMap::new(),
            struck: Vec::new(),
        };
        Self { device, state: Mutex::new(state) }
    }

    /// What is behind it, without any faults.
    pub fn inner(&self) -> &D {
        &self.device
    }

    /// From now on it has this fault too.
    pub fn add(&self, fault: Fault) {
        self.locked().faults.push(fault);
    }

    /// From now on faults come by chance, at these rates.
    pub fn set_rates(&self, rates: Rates, dice: Dice) {
        let mut state = self.locked();
        (state.rates, state.dice) = (rates, dice);
    }

    /// Whether nothing new goes wrong for a while. What is worn or lost stays so.
    pub fn calm(&self, calm: bool) {
        self.locked().calm = calm;
    }

    /// What has gone wrong so far, in words.
    pub fn struck(&self) -> Vec<String> {
        self.locked().struck.clone()
    }

    /// The power fails and comes back: what wasn't flushed is lost, or a part of it. Needs rates or a fault of
    /// flushes or of being gone, without which nobody keeps what was there before.
    pub fn cut_power(&self) {
        self.lose(&mut self.locked());
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts back a part of what was there before the last flush.
    fn lose(&self, state: &mut State) {
        let survival = Survival::any(u64::from(self.device.logical_block()), &mut state.dice);
        for (page, before) in std::mem::take(&mut state.durable) {
            let start = page * PAGE;
            for piece in survival.pieces(start..start + before.len() as u64, &mut state.dice) {
                let lost = &before[(piece.start - start) as usize..(piece.end - start) as usize];
                let _ = self.store(state, piece.start, lost);
            }
        }
    }

    /// Begins an operation on this range: the size, and whether the disk is there at all.
    fn begin(&self, range: &Range<u64>, what: &str) -> io::Result<std::sync::MutexGuard<'_, State>> {
        if self.stalls() {
            std::thread::sleep(STALL);
        }
        let mut state = self.locked();
        check(self.device.size(), range.start, range.end - range.start)?;
        state.operations += 1;
        let gone = state.faults.iter().find_map(|fault| match fault {
            Fault::Gone { after } => Some(*after),
            _ => None,
        });
        if let Some(after) = gone.filter(|after| state.operations > *after) {
            if state.operations == after + 1 {
                state.strike(format!("gone before {what} {range:?}"));
                self.lose(&mut state);
            }
            return Err(io::Error::other("no such device or address"));
        }
        Ok(state)
    }

    fn stalls(&self) -> bool {
        self.locked().hits(|rates| rates.stalls)
    }

    /// Keeps what these pages hold, as far as something could want it back.
    fn remember(&self, state: &mut State, range: &Range<u64>) -> io::Result<()> {
        let may_lose = state.rates != Rates::NONE
            || state.faults.iter().any(|fault| matches!(fault, Fault::Gone { .. } | Fault::Flush(_)));
        let end = state.end();
        for page in pages(range).filter(|_| may_lose) {
            if let Entry::Vacant(place) = state.durable.entry(page) {
                let length = PAGE.min(self.device.size() - page * PAGE);
                let before = place.insert(vec![0; length as usize]);
                load(&self.device, end, page * PAGE, before)?;
            }
        }
        Ok(())
    }

    /// Writes to where the disk has these bytes.
    fn store(&self, state: &State, offset: u64, bytes: &[u8]) -> io::Result<()> {
        for (place, within) in places(state.end(), offset..offset + bytes.len() as u64) {
            if let Some(place) = place {
                self.device.write_at(place, &bytes[within])?;
            }
        }
        Ok(())
    }

    /// Writes some pieces and fails.
    fn tear(
        &self,
        state: &mut State,
        range: &Range<u64>,
        byte: impl Fn(Range<usize>) -> Vec<u8>,
    ) -> io::Error {
        let survival = Survival::any(PAGE, &mut state.dice);
        for piece in survival.pieces(range.clone(), &mut state.dice) {
            let within = (piece.start - range.start) as usize..(piece.end - range.start) as usize;
            let _ = self.store(state, piece.start, &byte(within));
        }
        bad_place(range.start)
    }
}

/// The pieces of a range as a disk with this end has them: where each stands, `None` for nowhere, and its place in the range.
fn places(end: Option<(u64, Beyond)>, range: Range<u64>) -> Vec<(Option<u64>, Range<usize>)> {
    let Some((end, beyond)) = end else {
        return vec![(Some(range.start), 0..(range.end - range.start) as usize)];
    };
    let (mut at, mut pieces) = (range.start, Vec::new());
    while at < range.end {
        let upto = range.end.min((at / end + 1) * end);
        let place = (at < end || beyond == Beyond::Wraps).then_some(at % end);
        pieces.push((place, (at - range.start) as usize..(upto - range.start) as usize));
        at = upto;
    }
    pieces
}

/// Reads from a disk with this end.
fn load(
    device: &impl BlockDevice,
    end: Option<(u64, Beyond)>,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    for (place, within) in places(end, offset..offset + buffer.len() as u64) {
        match place {
            Some(place) => device.read_at(place, &mut buffer[within])?,
            None => buffer[within].fill(0),
        }
    }
    Ok(())
}

fn bad_place(at: u64) -> io::Error {
    io::Error::other(format!("input/output error at byte {at}"))
}

fn pages(range: &Range<u64>) -> Range<u64> {
    range.start / PAGE..range.end.div_ceil(PAGE)
}

impl State {
    /// Whether something that comes by chance happens now.
    fn hits(&mut self, rate: fn(&Rates) -> OneIn) -> bool {
        !self.calm && self.dice.hits(rate(&self.rates))
    }

    /// The first byte of a range that a bad place refuses to read or to write.
    fn refuses(&mut self, access: Access, range: &Range<u64>) -> Option<u64> {
        let at = self.faults.iter_mut().find_map(|fault| fault.refuses(access, range))?;
        self.strike(format!("byte {at} can't be accessed: {access:?}"));
        Some(at)
    }

    /// Where the disk really ends, if not where it says.
    fn end(&self) -> Option<(u64, Beyond)> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Ends { at, beyond } => Some((*at, *beyond)),
            _ => None,
        })
    }

    fn strike(&mut self, what: String) {
        self.struck.push(what);
    }

    /// The bytes as they are stored, with whatever bits change on the way.
    fn stored(&mut self, offset: u64, bytes: &[u8]) -> Vec<u8> {
        let mut stored = bytes.to_vec();
        for fault in &mut self.faults {
            if let Fault::Weak { at, times } = fault
                && *times > 0
                && let Some(byte) = at.checked_sub(offset).and_then(|at| stored.get_mut(at as usize))
            {
                *byte ^= 0x01;
                *times -= 1;
            }
        }
        if self.hits(|rates| rates.bits_flip) && !stored.is_empty() {
            let at = self.dice.below(stored.len() as u64);
            stored[at as usize] ^= 1 << self.dice.below(8);
            self.strike(format!("a bit of byte {} is stored changed", offset + at));
        }
        stored
    }

    /// What becomes of the readability of pages that are written.
    fn wear(&mut self, range: &Range<u64>) {
        for page in pages(range) {
            self.worn.remove(&page);
            if self.hits(|rates| rates.pages_wear) {
                self.worn.insert(page);
                self.strike(format!("page {page} can't be read any more"));
            }
        }
    }
}

impl<D: BlockDevice> BlockDevice for FaultyDevice<D> {
    fn size(&self) -> u64 {
        self.device.size()
    }

    fn logical_block(&self) -> u32 {
        self.device.logical_block()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let range = offset..offset.saturating_add(buffer.len() as u64);
        let mut state = self.begin(&range, "reading")?;
        if let Some(at) = state.refuses(Access::Read, &range) {
            return Err(bad_place(at));
        }
        let worn = pages(&range).find(|page| state.worn.contains(page));
        if worn.is_some() || state.hits(|rates| rates.reads_fail) {
            state.strike(format!("reading {range:?} fails"));
            let at = worn.map_or(offset, |page| offset.max(page * PAGE));
            return Err(bad_place(at));
        }
        load(&self.device, state.end(), offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut range = offset..offset.saturating_add(bytes.len() as u64);
        let mut state = self.begin(&range, "writing")?;
        if let Some(at) = state.refuses(Access::Write, &range) {
            let block = u64::from(self.device.logical_block());
            let before = range.start..(at / block * block).max(range.start);
            self.remember(&mut state, &before)?;
            if !before.is_empty() {
                self.store(&state, offset, &bytes[..(before.end - offset) as usize])?;
            }
            return Err(bad_place(at));
        }
        if state.hits(|rates| rates.writes_vanish) {
            state.strike(format!("writing {range:?} doesn't happen"));
            return Ok(());
        }
        if state.hits(|rates| rates.writes_stray) {
            let places = self.device.size().saturating_sub(bytes.len() as u64) / PAGE + 1;
            let start = state.dice.below(places) * PAGE + offset % PAGE;
            if start + bytes.len() as u64 <= self.device.size() {
                state.strike(format!("writing {range:?} happens at byte {start}"));
                range = start..start + bytes.len() as u64;
            }
        }
        self.remember(&mut state, &range)?;
        if state.hits(|rates| rates.writes_fail) {
            state.strike(format!("writing {range:?} fails"));
            return Err(self.tear(&mut state, &range, |within| bytes[within].to_vec()));
        }
        let stored = state.stored(range.start, bytes);
        state.wear(&range);
        self.store(&state, range.start, &stored)
    }

    fn flush(&self) -> io::Result<()> {
        let mut state = self.begin(&(0..0), "flushing")?;
        state.flushes += 1;
        let number = state.flushes - 1;
        let told = state.faults.contains(&Fault::Flush(number));
        if told || state.hits(|rates| rates.flushes_fail) {
            state.strike("flushing fails".to_owned());
            self.lose(&mut state);
            return Err(io::Error::other("input/output error"));
        }
        state.durable.clear();
        self.device.flush()
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        // a device without the command has no faults of it
        if !self.device.zeroes_cheaply() {
            return self.device.zero(range);
        }
        let mut state = self.begin(&range, "zeroing")?;
        if let Some(at) = state.refuses(Access::Write, &range) {
            return Err(bad_place(at));
        }
        self.remember(&mut state, &range)?;
        if state.hits(|rates| rates.zeroes_fail) {
            state.strike(format!("zeroing {range:?} fails"));
            return Err(self.tear(&mut state, &range, |within| vec![0; within.len()]));
        }
        match state.end() {
            None => self.device.zero(range.clone())?,
            Some(_) => self.store(&state, range.start, &vec![0; (range.end - range.start) as usize])?,
        }
        state.wear(&range);
        Ok(())
    }

    fn zeroes_cheaply(&self) -> bool {
        self.device.zeroes_cheaply()
    }
}

#[cfg(test)]
mod tests;
