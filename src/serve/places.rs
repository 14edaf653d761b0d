//! Who may be connected when not all can: places, and who has to give one up.
//!
//! Promises: a newcomer always gets a place. When all are taken, the holder of most of them (an address; a /64 in IPv6) loses
//! the one with the least progress, the oldest among equals. So many connections that say nothing, or little, cost their
//! sender its own places. A connection that takes an answer more slowly than the floor for a whole window is ended
//! also when there is room; what goes on faster than that may take as long as it likes.
//!
//! No clock and no sockets here: [`Places::tick`] is called once a second, and a [`Flow`] is told what moved.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// What an answer must go on by, in a window.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// Seconds.
    pub window: u32,
    /// Bytes in a window.
    pub bytes: u64,
}

/// Bytes that wait in the kernel for the other side.
type Unconfirmed = Box<dyn Fn() -> u64 + Send + Sync>;

/// What one connection moved, and the word that ends it.
pub struct Flow {
    moved: AtomicU64,
    sending: AtomicBool,
    unconfirmed: Unconfirmed,
    end: Notify,
}

impl Flow {
    /// Nothing moved yet.
    pub fn new(unconfirmed: Unconfirmed) -> Arc<Self> {
        let (moved, sending) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { moved, sending, unconfirmed, end: Notify::new() })
    }

    /// So many bytes came or were handed to the kernel.
    pub fn moved(&self, count: usize) {
        self.moved.fetch_add(count as u64, Relaxed);
    }

    /// Whether an answer is on its way that didn't fit into the kernel: the floor is for these.
    pub fn sending(&self, now: bool) {
        self.sending.store(now, Relaxed);
    }

    /// Returns when the connection has lost its place.
    pub async fn ended(&self) {
        self.end.notified().await;
    }

    /// What the other side is known to have sent or taken.
    fn confirmed(&self) -> u64 {
        self.moved.load(Relaxed).saturating_sub((self.unconfirmed)())
    }
}

struct Seat {
    number: u64,
    flow: Arc<Flow>,
    confirmed: u64,
    /// Bytes a second, older seconds counting less.
    pace: u64,
    window: u32,
    in_window: u64,
}

#[derive(Default)]
struct Inner {
    /// The oldest of each first.
    holders: HashMap<IpAddr, Vec<Seat>>,
    count: usize,
    next: u64,
}

/// All places.
pub struct Places {
    inner: Mutex<Inner>,
    most: usize,
}

/// One taken place, until it is dropped.
pub struct Place {
    places: Arc<Places>,
    holder: IpAddr,
    number: u64,
}

/// Who counts as one: a machine, or the smallest network that IPv6 gives away.
pub fn holder(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).into(),
        address => address,
    }
}

impl Places {
    /// So many, at least one.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), most: most.max(1) })
    }

    /// A place for a newcomer; another connection may have to go.
    pub fn take(self: &Arc<Self>, peer: IpAddr, flow: &Arc<Flow>) -> Place {
        let holder = holder(peer);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.count >= self.most {
            inner.make_room(holder);
        }
        inner.count += 1;
        inner.next += 1;
        let number = inner.next;
        let flow = Arc::clone(flow);
        let seat = Seat { number, flow, confirmed: 0, pace: 0, window: 0, in_window: 0 };
        inner.holders.entry(holder).or_default().push(seat);
        Place { places: Arc::clone(self), holder, number }
    }

    /// A second has passed. Ends what is below the floor.
    pub fn tick(&self, floor: Option<Floor>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for seat in inner.holders.values_mut().flatten() {
            if seat.second(floor) {
                seat.flow.end.notify_one();
            }
        }
    }

    /// How many are taken.
    #[cfg(test)]
    pub fn taken(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).count
    }
}

impl Seat {
    /// Counts what moved in a second; whether that is too little by now.
    fn second(&mut self, floor: Option<Floor>) -> bool {
        let confirmed = self.flow.confirmed();
        let moved = confirmed.saturating_sub(self.confirmed);
        self.confirmed = self.confirmed.max(confirmed);
        self.pace = self.pace - self.pace / 4 + moved / 4;
        if !self.flow.sending.load(Relaxed) {
            (self.window, self.in_window) = (0, 0);
            return false;
        }
        self.window += 1;
        self.in_window += moved;
        let Some(floor) = floor.filter(|floor| self.window >= floor.window) else { return false };
        let slow = self.in_window < floor.bytes;
        (self.window, self.in_window) = (0, 0);
        slow
    }
}

impl Inner {
    fn make_room(&mut self, newcomer: IpAddr) {
        // the newcomer counts as if it were in: whoever has as many as all others doesn't displace them
        let held = |holder: &IpAddr, seats: &Vec<Seat>| seats.len() + usize::from(*holder == newcomer);
        let largest = self.holders.iter().max_by_key(|(holder, seats)| {
            let slowest = seats.iter().map(|seat| seat.pace).min().unwrap_or(0);
            (held(holder, seats), std::cmp::Reverse(slowest))
        });
        let Some(holder) = largest.map(|(holder, _)| *holder) else { return };
        let Some(seats) = self.holders.get_mut(&holder) else { return };
        // `min_by_key` takes the first of equals, which is the oldest
        let least = seats.iter().enumerate().min_by_key(|(_, seat)| seat.pace).map(|(at, _)| at);
        if let Some(at) = least {
            seats.remove(at).flow.end.notify_one();
            self.count -= 1;
        }
        if seats.is_empty() {
            self.holders.remove(&holder);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.places.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seats) = inner.holders.get_mut(&self.holder) else { return };
        // not there when it was given to another
        let Some(at) = seats.iter().position(|seat| seat.number == self.number) else { return };
        seats.remove(at);
        let empty = seats.is_empty();
        inner.count -= 1;
        if empty {
            inner.holders.remove(&self.holder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Arc<Flow> {
        Flow::new(Box::new(|| 0))
    }

    /// Whether a connection was told to end, once.
    fn told(flow: &Flow) -> bool {
        let mut ended = std::pin::pin!(flow.end.notified());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        ended.as_mut().poll(&mut context).is_ready()
    }

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn the_largest_holder_gives_up_the_connection_with_the_least_progress() {
        let places = Places::new(4);
        let flows: Vec<_> = (0..5).map(|_| flow()).collect();
        let _held: Vec<_> = flows[..3].iter().map(|flow| places.take(peer(1), flow)).collect();
        let other = places.take(peer(2), &flows[3]);
        flows[0].moved(1 << 20);
        flows[2].moved(100);
        places.tick(None);
        let newcomer = places.take(peer(3), &flows[4]);
        let ended: Vec<_> = flows.iter().map(|flow| told(flow)).collect();
        assert_eq!(ended, [false, true, false, false, false]);
        assert_eq!(places.taken(), 4);
        drop((other, newcomer));
        assert_eq!(places.taken(), 2);
    }

    #[test]
    fn who_takes_all_places_displaces_itself_and_the_oldest_first() {
        let places = Places::new(3);
        let quiet = flow();
        let _quiet = places.take(peer(9), &quiet);
        let flows: Vec<_> = (0..100).map(|_| flow()).collect();
        let held: Vec<_> = flows.iter().map(|flow| places.take(peer(1), flow)).collect();
        assert!(!told(&quiet));
        assert_eq!(flows.iter().map(|flow| told(flow)).filter(|told| *told).count(), 98);
        assert!(!told(&flows[98]) && !told(&flows[99]));
        drop(held);
        assert_eq!(places.taken(), 1);
    }

    #[test]
    fn only_answers_that_move_less_than_the_floor_are_ended() {
        let places = Places::new(9);
        let floor = Some(Floor { window: 3, bytes: 30 });
        let waiting = Arc::new(AtomicU64::new(0));
        let kernel = Arc::clone(&waiting);
        let flows = [flow(), flow(), flow(), Flow::new(Box::new(move || kernel.load(Relaxed)))];
        let _held: Vec<_> = flows.iter().map(|flow| places.take(peer(1), flow)).collect();
        // idle; slow; as slow as allowed; all of it still in the kernel
        flows[1..].iter().for_each(|flow| flow.sending(true));
        for _ in 0..3 {
            flows[1].moved(9);
            flows[2].moved(10);
            flows[3].moved(1000);
            waiting.fetch_add(1000, Relaxed);
            places.tick(floor);
        }
        assert_eq!(flows.each_ref().map(|flow| told(flow)), [false, true, false, true]);
        places.tick(None);
    }

    #[test]
    fn a_network_of_one_customer_is_one_holder() {
        let of = |text: &str| holder(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), peer(1));
    }
}
