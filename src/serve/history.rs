//! What was heard of some hosts, whatever their orders were: for whoever arms them again.
//!
//! [`FleetState`](super::state::FleetState) knows the present order of every host; here, a host's last disk outlives its order. Pure, as the
//! that is, and bounded by the hosts asked for.

use std::collections::BTreeMap;

use super::report::says_done;
use super::state::Received;
use crate::order::{Past, PastDisk};
use crate::spec::event::What;
use crate::value::HostName;

/// Longest words of a sender that are remembered.
const LONGEST_WORDS: usize = 1000;

/// The pasts of some hosts.
#[derive(Debug, Default)]
pub struct History {
    hosts: BTreeMap<HostName, Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    past: Past,
    /// The run that the disk is of.
    run: String,
}

impl History {
    /// Of these hosts, of which nothing was heard yet.
    pub fn of<'a>(hosts: impl IntoIterator<Item = &'a HostName>) -> Self {
        Self { hosts: hosts.into_iter().map(|host| (host.clone(), Heard::default())).collect() }
    }

    /// The past of a host.
    pub fn past(&self, host: &HostName) -> Option<&Past> {
        self.hosts.get(host).map(|heard| &heard.past)
    }

    /// Adds an event; they come in the order in which they were received.
    pub fn add(&mut self, received: &Received) {
        let (event, heard) = (&received.event, received.time);
        let Some(host) = event.host.as_ref().and_then(|host| self.hosts.get_mut(host)) else { return };
        let words = |text: &str| text.chars().take(LONGEST_WORDS).collect();
        match &event.what {
            What::Planned { disk, .. } => {
                host.run.clone_from(&event.run);
                host.past.disk = Some(PastDisk { words: words(disk), heard, claimed: false });
            }
            // its plan said more about the disk than the claim does
            What::Claimed { disk, .. } => match &mut host.past.disk {
                Some(chosen) if host.run == event.run => (chosen.claimed, chosen.heard) = (true, heard),
                _ => {
                    host.run.clone_from(&event.run);
                    host.past.disk = Some(PastDisk { words: words(disk), heard, claimed: true });
                }
            },
            what if says_done(what) => host.past.installed = Some(heard),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::state::Trust;
    use crate::spec::FormatVersion;
    use crate::spec::event::Event;
    use crate::value::Timestamp;

    fn received(seq: u64, run: &str, host: Option<&str>, what: What) -> Received {
        let time = Timestamp::from_unix(seq as i64);
        let host = host.map(|host| host.parse().unwrap());
        let run = run.to_owned();
        let event = Event { version: FormatVersion, run, seq, time, host, order: None, what, token: None };
        Received { time, client: "10.0.0.1".parse().unwrap(), trust: Trust::Proven, event }
    }

    fn planned(disk: &str) -> What {
        What::Planned { disk: disk.to_owned(), bytes: 1, believed: None }
    }

    fn claimed(disk: &str) -> What {
        What::Claimed { disk: disk.to_owned(), attempt: 1 }
    }

    #[test]
    fn the_last_disk_outlives_its_order_and_a_refused_run() {
        let host: HostName = "web01".parse().unwrap();
        let mut history = History::of([&host]);
        assert_eq!(history.past(&host), Some(&Past::default()));
        let mut tell = |seq, run, name: Option<&str>, what| {
            history.add(&received(seq, run, name, what));
            history.past(&host).cloned().unwrap()
        };
        let disk = |words: &str, heard, claimed| {
            Some(PastDisk { words: words.to_owned(), heard: Timestamp::from_unix(heard), claimed })
        };
        assert_eq!(tell(1, "a", Some("web01"), planned("sda: one")).disk, disk("sda: one", 1, false));
        assert_eq!(tell(2, "a", Some("web01"), claimed("serial:1")).disk, disk("sda: one", 2, true));
        assert_eq!(tell(3, "b", Some("web02"), planned("sdx")).disk, disk("sda: one", 2, true));
        assert_eq!(tell(4, "b", None, planned("sdx")).disk, disk("sda: one", 2, true));
        assert_eq!(tell(5, "a", Some("web01"), What::TablesMade).installed, Some(Timestamp::from_unix(5)));
        let refused = What::Refused { code: crate::spec::Code::NoDisk, message: String::new() };
        let past = tell(6, "c", Some("web01"), refused);
        assert_eq!(past, Past { disk: disk("sda: one", 2, true), installed: Some(Timestamp::from_unix(5)) });
        // its plan was lost on the way
        assert_eq!(tell(7, "d", Some("web01"), claimed("serial:2")).disk, disk("serial:2", 7, true));
        let long = tell(8, "e", Some("web01"), planned(&"x".repeat(1 << 16))).disk.unwrap();
        assert_eq!(long.words.len(), LONGEST_WORDS);
    }
}
