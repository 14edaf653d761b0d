//! In which order chunks are copied on a disk, so that none is overwritten before it was read.
//!
//! Where the target of one move overlaps the source of another, the other one comes first. Where moves wait for each other in a circle,
//! as in a swap, one of them is lifted: read early, kept in memory, put down when its place is free. When too much is in memory, one of
//! the circle isn't done at all. Pure, and in time and memory about proportional to the number of moves and of overlaps.

/// A chunk that is wanted in one place and stands in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// First byte where it stands.
    pub from: u64,
    /// First byte where it is wanted.
    pub to: u64,
    /// Its length.
    pub length: u64,
    /// Nothing is written where it stands.
    pub lasting: bool,
}

impl Move {
    /// Whether what it writes is read by the other one.
    fn spoils(&self, other: &Self) -> bool {
        !other.lasting && self.to < other.from + other.length && other.from < self.to + self.length
    }
}

/// What is done with a move, by its place in the slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is read and written.
    Copy(usize),
    /// It is read, and kept.
    Lift(usize),
    /// What was kept is written.
    Put(usize),
}

/// What is done, in this order; moves that are missing aren't done. They come in ascending order of their targets, which don't
/// overlap; sources may. No more than `room` bytes are kept at once.
pub fn order(moves: &[Move], room: u64) -> Vec<Step> {
    let mut plan = Planner::of(moves, room);
    // done in ascending order as far as that is free
    plan.ready = (0..moves.len()).rev().filter(|at| plan.waits[*at] == 0).collect();
    plan.run();
    // each stands here because the one before it waits for it
    let mut path: Vec<usize> = Vec::new();
    let mut on_path = vec![false; moves.len()];
    for start in 0..moves.len() {
        path.push(start);
        while let Some(last) = path.last().copied() {
            on_path[last] = plan.is_unread(last);
            match plan.first_that_must_precede(last).filter(|_| on_path[last]) {
                Some(before) if !on_path[before] => path.push(before),
                Some(_) => plan.break_circle(last),
                None => {
                    on_path[last] = false;
                    path.pop();
                }
            }
        }
    }
    plan.steps
}

struct Planner<'a> {
    moves: &'a [Move],
    /// Numbers of the moves whose sources don't last, in ascending order of these.
    by_source: Vec<usize>,
    longest: u64,
    /// How many others must come before each.
    waits: Vec<u32>,
    states: Vec<State>,
    ready: Vec<usize>,
    steps: Vec<Step>,
    /// How many more bytes may be kept.
    room: u64,
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unread,
    Kept,
    /// Done, or given up.
    Gone,
}

impl<'a> Planner<'a> {
    fn of(moves: &'a [Move], room: u64) -> Self {
        let mut by_source: Vec<usize> = (0..moves.len()).filter(|at| !moves[*at].lasting).collect();
        by_source.sort_by_key(|at| moves[*at].from);
        let longest = moves.iter().map(|one| one.length).max().unwrap_or(0);
        let (states, waits) = (vec![State::Unread; moves.len()], Vec::new());
        let (ready, steps) = (Vec::new(), Vec::new());
        let mut plan = Self { moves, by_source, longest, waits, states, ready, steps, room };
        let count = |at| u32::try_from(plan.that_must_precede(at).count()).unwrap_or(u32::MAX);
        plan.waits = (0..moves.len()).map(count).collect();
        plan
    }

    fn is_unread(&self, at: usize) -> bool {
        self.states[at] == State::Unread
    }

    /// Moves that read what this one overwrites.
    fn that_must_precede(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let own = self.moves[at];
        let first = self.by_source.partition_point(|at| self.moves[*at].from + self.longest <= own.to);
        let near = self.by_source[first..].iter().copied();
        let near = near.take_while(move |other| self.moves[*other].from < own.to + own.length);
        near.filter(move |other| *other != at && own.spoils(&self.moves[*other]))
    }

    fn first_that_must_precede(&self, at: usize) -> Option<usize> {
        self.that_must_precede(at).find(|other| self.is_unread(*other))
    }

    /// This move reads no more: those that overwrite its source wait for one less.
    fn release(&mut self, at: usize) {
        let own = self.moves[at];
        if own.lasting {
            return;
        }
        let first = self.moves.partition_point(|other| other.to + other.length <= own.from);
        for (other, wanted) in self.moves.iter().enumerate().skip(first) {
            if wanted.to >= own.from + own.length {
                break;
            }
            if other != at && wanted.spoils(&own) {
                self.waits[other] -= 1;
                if self.waits[other] == 0 && self.states[other] != State::Gone {
                    self.ready.push(other);
                }
            }
        }
    }

    /// Reads what is part of a circle early, or gives it up; what waited for it may go on.
    fn break_circle(&mut self, at: usize) {
        let length = self.moves[at].length;
        self.states[at] = match self.room.checked_sub(length) {
            Some(room) => {
                self.room = room;
                self.steps.push(Step::Lift(at));
                State::Kept
            }
            None => State::Gone,
        };
        self.release(at);
        self.run();
    }

    /// Does what waits for nothing.
    fn run(&mut self) {
        while let Some(at) = self.ready.pop() {
            let before = std::mem::replace(&mut self.states[at], State::Gone);
            if before == State::Kept {
                self.room += self.moves[at].length;
                self.steps.push(Step::Put(at));
            } else {
                self.steps.push(Step::Copy(at));
                self.release(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const BLOCK: u64 = 512;

    /// Takes these steps on a disk of numbered blocks; every move must find what stood at its source at first, and none is done
    /// twice. Returns how many are done, and how many bytes were kept at most.
    fn play(moves: &[Move], steps: &[Step]) -> (usize, u64) {
        let end = moves.iter().map(|one| one.length + one.from.max(one.to)).max().unwrap_or(0);
        let before: Vec<u64> = (0..end / BLOCK).collect();
        let mut disk = before.clone();
        let blocks = |start: u64, length: u64| (start / BLOCK) as usize..((start + length) / BLOCK) as usize;
        let (mut kept, mut done, mut most) = (BTreeMap::new(), BTreeSet::new(), 0);
        for step in steps {
            let (Step::Copy(at) | Step::Lift(at) | Step::Put(at)) = *step;
            let Move { from, to, length, lasting } = moves[at];
            if !matches!(step, Step::Put(_)) {
                let read = disk[blocks(from, length)].to_vec();
                assert!(lasting || read == before[blocks(from, length)], "move {at} comes too late");
                assert_eq!(kept.insert(at, read), None);
                most = most.max(kept.values().map(|read| read.len() as u64 * BLOCK).sum());
            }
            if !matches!(step, Step::Lift(_)) {
                disk[blocks(to, length)].copy_from_slice(&kept.remove(&at).unwrap());
                assert!(done.insert(at), "move {at} is done twice");
            }
        }
        assert!(kept.is_empty(), "something is never put down");
        (done.len(), most)
    }

    fn done(moves: &[Move], room: u64) -> usize {
        let (done, most) = play(moves, &order(moves, room * BLOCK));
        // what is copied is in memory, too
        assert!(most <= room * BLOCK + moves.iter().map(|one| one.length).max().unwrap_or(0));
        done
    }

    fn one(from: u64, to: u64, length: u64) -> Move {
        Move { from: from * BLOCK, to: to * BLOCK, length: length * BLOCK, lasting: false }
    }

    #[test]
    fn a_shift_is_done_from_its_end_in_either_direction() {
        for moves in [
            (0..1000).map(|at| one(at * 8, at * 8 + 3, 8)).collect::<Vec<_>>(),
            (0..1000).map(|at| one(at * 8 + 3, at * 8, 8)).collect(),
            // over a distance of several chunks
            (0..1000).map(|at| one(at * 8, at * 8 + 20, 8)).collect(),
        ] {
            assert_eq!(done(&moves, 0), moves.len(), "nothing is in a circle");
        }
    }

    #[test]
    fn of_each_circle_one_move_is_kept_in_memory_or_given_up() {
        let swaps: Vec<Move> = (0..100).map(|at| one((at ^ 1) * 4, at * 4, 4)).collect();
        assert_eq!((done(&swaps, 4), done(&swaps, 3)), (100, 50));
        let ring: Vec<Move> = (0..100).map(|at| one((at + 1) % 100 * 4, at * 4, 4)).collect();
        assert_eq!((done(&ring, 4), done(&ring, 3)), (100, 99));
        // a chain that leads into a ring isn't in it
        let mut led = ring;
        led.extend((100..200).map(|at| one((at - 1) * 4, at * 4, 4)));
        assert_eq!((done(&led, 4), done(&led, 3)), (200, 199));
        // two halves exchanged, with cuts that don't meet
        let mut halves: Vec<Move> = (0..100).map(|at| one(410 + at * 4, at * 4, 4)).collect();
        halves.extend((0..100).map(|at| one(at * 4, 411 + at * 4, 4)));
        assert_eq!(done(&halves, 16), 200);
        assert!(done(&halves, 3) >= 100);
    }

    #[test]
    fn a_chunk_may_overlap_itself_and_be_wanted_often() {
        let mut moves = vec![one(1, 0, 8)];
        moves.extend((2..50).map(|at| one(1, at * 8, 8)));
        let steps = order(&moves, 0);
        assert_eq!(play(&moves, &steps).0, moves.len());
        assert_eq!(steps.last(), Some(&Step::Copy(0)), "it overwrites what the others read");
    }

    /// A large image may have five times as many.
    #[test]
    fn many_moves_in_long_chains_and_circles_are_ordered_at_once() {
        let begin = std::time::Instant::now();
        let count = 50_000;
        let written = |moves: &[Move], room: u64| {
            let steps = order(moves, room * BLOCK);
            steps.iter().filter(|step| !matches!(step, Step::Lift(_))).count()
        };
        let shift: Vec<Move> = (0..count).map(|at| one(at * 8, at * 8 + 4, 8)).collect();
        assert_eq!(written(&shift, 0), shift.len());
        let chained: Vec<Move> = (0..count).map(|at| one((at ^ 1) * 8 + 1, at * 8, 8)).collect();
        assert!(written(&chained, 0) >= shift.len() / 4);
        assert!(written(&chained, 1 << 10) >= shift.len() / 2);
        assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
    }

    /// Whether some moves wait for each other, found in the simplest way.
    fn has_circle(moves: &[Move]) -> bool {
        let mut left: Vec<usize> = (0..moves.len()).collect();
        loop {
            let waits =
                |at: &usize| left.iter().any(|other| other != at && moves[*at].spoils(&moves[*other]));
            let still: Vec<usize> = left.iter().copied().filter(waits).collect();
            if still.len() == left.len() {
                return !left.is_empty();
            }
            left = still;
        }
    }

    fn any_moves() -> impl Strategy<Value = Vec<Move>> {
        let piece = (1..9_u64, any::<bool>(), 0..300_u64, proptest::bool::weighted(0.1));
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| {
            let mut next = 0;
            let mut moves = Vec::new();
            for (length, wanted, from, lasting) in pieces {
                let to = next;
                next += length;
                if wanted {
                    // behind everything that is written
                    let from = if lasting { 600 + from } else { from };
                    moves.push(Move { lasting, ..one(from, to, length) });
                }
            }
            moves
        })
    }

    proptest! {
        #[test]
        fn whatever_overlaps_no_source_is_lost_and_without_circles_all_is_done(moves in any_moves()) {
            let without = done(&moves, 0);
            prop_assert!(has_circle(&moves) || without == moves.len());
            done(&moves, 8);
            prop_assert_eq!(done(&moves, 10_000), moves.len(), "there is room for all");
        }

        #[test]
        fn of_a_permutation_all_is_done_with_room_for_one_and_half_without(seed in proptest::collection::vec(any::<u64>(), 1..80)) {
            let mut places: Vec<usize> = (0..seed.len()).collect();
            places.sort_by_key(|at| (seed[*at], *at));
            let moves: Vec<Move> = (0..seed.len())
                .filter(|at| places[*at] != *at)
                .map(|at| one(places[at] as u64 * 4, at as u64 * 4, 4))
                .collect();
            prop_assert!(done(&moves, 0) * 2 >= moves.len());
            prop_assert_eq!(done(&moves, 4), moves.len());
        }
    }
}
