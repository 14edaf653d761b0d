//! The story of an install, one event a line.

mod words;

use serde::{Deserialize, Serialize};

use super::{Code, FormatVersion};
use crate::value::{Digest, HostName, ImageRef, OrderId, Timestamp, Token};

/// One thing that happened. Posted as JSON to `<server>/v1/events`, appended to the recorder, printed on the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// One run of the agent or of the hand-off: random, so that a resent event can be told from a new one.
    pub run: String,
    /// Counts the events of this run, from 0; a sender repeats an event with the same number.
    pub seq: u64,
    /// The target's clock; the server adds its own.
    pub time: Timestamp,
    /// The host, once it is known.
    pub host: Option<HostName>,
    /// The order, once it is known.
    pub order: Option<OrderId>,
    /// What happened.
    pub what: What,
    /// Proves an outcome of the hand-off; see [`Outcomes`]. Agents sign instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
}

/// What the hand-off will show for each of its outcomes, as digests: a signed event names them before the installed system, which
/// can't sign, runs for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Of the token that comes with [`What::Converged`].
    pub converged: Digest,
    /// Of the token that comes with [`What::HandoffFailed`].
    pub failed: Digest,
}

impl Outcomes {
    /// Whether this token proves this outcome.
    pub fn prove(&self, what: &What, token: &Token) -> bool {
        match what {
            What::Converged { .. } => token.digest() == self.converged,
            What::HandoffFailed { .. } => token.digest() == self.failed,
            _ => false,
        }
    }
}

/// Where the data of an image came from, in bytes. Zeroes aren't counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reused {
    /// Were on the disk, in their place.
    pub in_place: u64,
    /// Were on the disk elsewhere, and were copied.
    pub moved: u64,
    /// Were fetched.
    pub fetched: u64,
}

impl std::fmt::Display for Reused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        let Self { in_place, moved, fetched } = *self;
        let had = in_place.saturating_add(moved);
        write!(f, "reused {} of {} MiB", mib(had), mib(had.saturating_add(fetched)))
    }
}

/// What happened. Writers use the named variants; readers meet `Unknown` for those of newer writers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// The agent runs.
    Started {
        /// ironstrap's version.
        agent: String,
        /// What this run can promise, in words.
        trust: String,
    },
    /// The order for this machine was found and verified.
    Ordered {
        /// What will be installed.
        image: ImageRef,
        /// Generation of the order.
        generation: u64,
    },
    /// A disk was chosen and nothing speaks against it.
    Planned {
        /// Kernel name, model, serial, size, in words.
        disk: String,
        /// Bytes that will be written.
        bytes: u64,
        /// What was believed to be the time, if anything vouched for it; the recorder of a medium tells it to the next machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        believed: Option<Timestamp>,
    },
    /// The disk is being claimed, the first write of all; told before that write. From here on the old content may be lost.
    Claimed {
        /// `Disk::stable_name`.
        disk: String,
        /// Runs that have begun under this order, from 1.
        attempt: u32,
    },
    /// Work goes on.
    Progress {
        /// Which part.
        step: Step,
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Everything is written, read back, personalised, and the disk has its partition table: it boots.
    Committed {
        /// SHA-256 fingerprint of the SSH host key, as `ssh-keygen -l` prints it.
        ssh_host_key: Option<String>,
        /// Largest resident set of the agent, in KiB.
        peak_rss_kib: u64,
        /// What will prove how the hand-off ends; none where there is none that could.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcomes: Option<Outcomes>,
        /// What of the image was on the disk already; none where nothing was looked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reused: Option<Reused>,
    },
    /// The agent restarts the machine.
    Rebooting {
        /// Whether the firmware was told to boot the disk next (`BootNext`).
        boot_next: bool,
    },
    /// The machine is installed under this order already; nothing was touched.
    AlreadyDone,
    /// The machine was installed under this order already, but its disk had lost its partition tables: they were made anew, and
    /// nothing else was written.
    TablesMade,
    /// Nothing was touched, and this is why.
    Refused {
        /// Stable code.
        code: Code,
        /// A sentence.
        message: String,
    },
    /// The install broke off in the claim or after it; the order can be used again. The disk isn't bootable, unless writing
    /// the claim itself failed: then it is as it was, but for the claim record.
    Failed {
        /// Stable code.
        code: Code,
        /// A sentence.
        message: String,
    },
    /// What the machine does next by itself, after a run that ended in another way than installed.
    Next {
        /// The step.
        step: NextStep,
        /// In how many seconds; of [`NextStep::Rest`], how often it says so.
        seconds: u64,
        /// Why, in words.
        why: String,
    },
    /// Configuration management reported success: the host is done.
    Converged {
        /// What ran.
        by: String,
    },
    /// Configuration management reported failure.
    HandoffFailed {
        /// What ran.
        by: String,
        /// Why, as far as it said.
        message: String,
    },
    /// An event of a newer writer.
    #[serde(other)]
    Unknown,
}

impl What {
    /// The code of a refusal or a failure.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } | Self::Failed { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Where a machine goes from the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NextStep {
    /// It boots a disk of its own.
    BootDisk,
    /// It restarts from the same medium.
    Restart,
    /// It stays as it is until somebody presses Enter.
    Rest,
}

/// Long parts of an install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Blocks are fetched, verified and written.
    Write,
    /// Blocks are read back and compared.
    ReadBack,
}

/// What a sender wrote, for a terminal: at most so many characters, and none that moves the cursor or the reading direction.
/// Anybody can send events.
pub fn plain(text: &str, longest: usize) -> String {
    // Unicode's Bidi_Control characters and the line separators, UAX #9 and #14
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown: String = text.chars().take(longest).map(|c| if steers(c) { '?' } else { c }).collect();
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_agents_committed_says_nothing_of_reuse_and_figures_are_told_in_mib() {
        let earlier = r#"{"event":"committed","ssh_host_key":null,"peak_rss_kib":1}"#;
        let committed =
            |reused| What::Committed { ssh_host_key: None, peak_rss_kib: 1, outcomes: None, reused };
        assert_eq!(serde_json::from_str::<What>(earlier).unwrap(), committed(None));
        assert_eq!(serde_json::to_string(&committed(None)).unwrap(), earlier);
        let reused = Reused { in_place: 700 << 20, moved: 9 << 20, fetched: 12 << 20 };
        assert_eq!(reused.to_string(), "reused 709 of 721 MiB");
        let json = serde_json::to_string(&committed(Some(reused))).unwrap();
        assert_eq!(serde_json::from_str::<What>(&json).unwrap(), committed(Some(reused)));
        let forged = Reused { in_place: u64::MAX, moved: u64::MAX, fetched: u64::MAX };
        assert!(forged.to_string().starts_with("reused 1759"));
    }

    #[test]
    fn what_a_sender_wrote_steers_no_terminal() {
        assert_eq!(plain("sda: Größe\u{1b}[2J\r\n\u{202e}evil\u{9b}", 100), "sda: Größe?[2J???evil?");
        assert_eq!((plain("äöü", 3), plain("äöü", 2)), ("äöü".to_owned(), "äö…".to_owned()));
    }
}
