//! Which events of which runs were counted.

use std::collections::{HashMap, HashSet, VecDeque};

/// Most runs whose events are told from new ones: those of the machines that install at one time.
pub(super) const MAX_RUNS: usize = 4096;
/// The same under one order, whose host starts again now and then.
pub(super) const MAX_RUNS_OF_ORDER: usize = 64;
/// Most events of a run that count; an install has a few hundred.
pub(super) const MAX_EVENTS_OF_RUN: usize = 4096;

/// Some runs; the oldest is forgotten where there are too many.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    most: usize,
    of: HashMap<String, Run>,
    /// Their names, the oldest first.
    ages: VecDeque<String>,
}

#[derive(Debug, Clone, Default)]
struct Run {
    seen: HashSet<u64>,
    highest: u64,
}

impl Default for Runs {
    /// Those of everybody.
    fn default() -> Self {
        Self { most: MAX_RUNS, of: HashMap::new(), ages: VecDeque::new() }
    }
}

impl Runs {
    /// Those under one order.
    pub(super) fn of_an_order() -> Self {
        Self { most: MAX_RUNS_OF_ORDER, ..Self::default() }
    }

    /// Whether this event was counted, or the run has told enough.
    pub(super) fn know(&self, run: &str, seq: u64) -> bool {
        let full = |run: &Run| run.seen.len() >= MAX_EVENTS_OF_RUN;
        self.of.get(run).is_some_and(|run| run.seen.contains(&seq) || full(run))
    }

    /// Whether something was heard in this run.
    pub(super) fn have(&self, run: &str) -> bool {
        self.of.contains_key(run)
    }

    /// Counts an event; whether a later one of its run was counted before.
    pub(super) fn add(&mut self, name: &str, seq: u64) -> bool {
        if !self.of.contains_key(name) {
            self.ages.push_back(name.to_owned());
            if self.ages.len() > self.most
                && let Some(oldest) = self.ages.pop_front()
            {
                self.of.remove(&oldest);
            }
        }
        let run = self.of.entry(name.to_owned()).or_default();
        run.seen.insert(seq);
        let late = seq < run.highest;
        run.highest = run.highest.max(seq);
        late
    }

    /// How many are known, and how many events of one.
    #[cfg(test)]
    pub(super) fn counts(&self, run: &str) -> (usize, usize) {
        assert_eq!(self.of.len(), self.ages.len());
        (self.of.len(), self.of.get(run).map_or(0, |run| run.seen.len()))
    }
}
