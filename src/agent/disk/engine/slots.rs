//! How many requests are at the device at once.

use std::sync::{Condvar, Mutex, PoisonError};

/// A number of places; whoever finds none waits.
pub struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

/// One place, taken until it is dropped.
pub struct Slot<'a>(&'a Slots);

impl Slots {
    /// At least one.
    pub fn new(count: usize) -> Self {
        Self { free: Mutex::new(count.max(1)), freed: Condvar::new() }
    }

    /// A place, once there is one.
    pub fn take(&self) -> Slot<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
