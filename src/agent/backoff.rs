//! How long to wait between two tries: each pause is twice as long as the one before, up to a longest.
//!
//! Only the pauses. Whether to go on trying is for whoever tries.

use std::time::Duration;

/// Pauses that grow.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// The first pause: a server that restarts a process isn't kept waiting.
    pub const FIRST: Duration = Duration::from_millis(500);

    /// Pauses that grow up to this long.
    pub fn up_to(longest: Duration) -> Self {
        Self { next: Self::FIRST.min(longest), longest }
    }

    /// How long to wait before the next try.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// A try gave something: the next pause is the first one again.
    pub fn reset(&mut self) {
        self.next = Self::FIRST.min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::up_to(Duration::from_secs(3));
        let mut pauses = |count| (0..count).map(|_| backoff.pause().as_millis()).collect::<Vec<_>>();
        assert_eq!(pauses(5), [500, 1000, 2000, 3000, 3000]);
        backoff.reset();
        assert_eq!(backoff.pause(), Backoff::FIRST);
    }

    #[test]
    fn a_longest_pause_is_kept_from_the_first_on() {
        let longest = Duration::from_millis(10);
        let mut backoff = Backoff::up_to(longest);
        assert_eq!([backoff.pause(), backoff.pause()], [longest; 2]);
        backoff.reset();
        assert_eq!(backoff.pause(), longest);
    }
}
