//! What somebody is told before a host is armed: which disk, what may be lost on it, and what was heard of that host so far.
//!
//! What was heard comes from events, which anybody can send: it is shown, shortened and as hearsay, and decides nothing.

use crate::spec::event::plain;
use crate::spec::image::ImagePin;
use crate::spec::order::WipePolicy;
use crate::value::{DiskSelector, HostName, Timestamp};

/// Longest words about a disk that are shown.
const LONGEST_WORDS: usize = 200;
/// Digits of a manifest's digest that are shown.
const SHORT_DIGEST: usize = 12;

/// What was heard of a host, whatever its orders were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// The disk that it chose last.
    pub disk: Option<PastDisk>,
    /// When it said last that it is installed.
    pub installed: Option<Timestamp>,
}

/// A disk that a host chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDisk {
    /// In the sender's words.
    pub words: String,
    /// When this was heard.
    pub heard: Timestamp,
    /// Whether it was going to be written, and not only chosen.
    pub claimed: bool,
}

/// A host that is about to be armed.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    /// Its name.
    pub host: &'a HostName,
    /// The disk that its profile means.
    pub target: &'a DiskSelector,
    /// What may be overwritten.
    pub wipe: WipePolicy,
    /// The image that is locked.
    pub image: &'a ImagePin,
    /// What was heard of it.
    pub past: &'a Past,
}

impl std::fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, target, wipe, image, past } = self;
        let short: String = image.manifest.to_string().chars().take(SHORT_DIGEST).collect();
        let means = match wipe {
            WipePolicy::Ours => "only a blank disk, or one with an install of ours",
            WipePolicy::Foreign => "that disk, WHATEVER IT HOLDS",
            WipePolicy::AnyMatch => "ANY DISK THAT FITS, WHATEVER IT HOLDS",
        };
        writeln!(f, "{host}")?;
        writeln!(f, "  disk       {target}")?;
        writeln!(f, "  wipe       {wipe}: {means}")?;
        writeln!(f, "  image      {} (manifest {short})", image.image)?;
        match &past.disk {
            None => writeln!(f, "  last disk  no disk known")?,
            Some(PastDisk { words, heard, claimed }) => {
                let how = if *claimed { "claimed" } else { "chosen, not claimed" };
                writeln!(f, "  last disk  {} ({how}, {heard})", plain(words, LONGEST_WORDS))?;
            }
        }
        if let Some(since) = past.installed {
            writeln!(f, "  INSTALLED  it said so at {since}; this order wipes that system")?;
        }
        Ok(())
    }
}

/// What must be agreed to before these hosts are armed; nothing where no data but ours can be lost.
pub fn question(hosts: &[Summary<'_>]) -> Option<String> {
    let names = |of: &mut dyn Iterator<Item = &Summary<'_>>| {
        of.map(|summary| summary.host.to_string()).collect::<Vec<_>>().join(", ")
    };
    let careless = names(&mut hosts.iter().filter(|summary| summary.wipe.allows_foreign()));
    let all = names(&mut hosts.iter());
    (!careless.is_empty()).then(|| format!("data that isn't ours may be lost on {careless}; arm {all}?"))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    fn told(target: &str, wipe: WipePolicy, past: &Past) -> String {
        let (host, image) = ("web01".parse().unwrap(), fixtures::pin());
        let target = serde_json::from_str(target).unwrap();
        Summary { host: &host, target: &target, wipe, image: &image, past }.to_string()
    }

    #[test]
    fn a_host_is_told_with_its_disk_what_may_be_lost_its_image_and_what_was_heard() {
        let text = told(r#"{"serial":"S1"}"#, WipePolicy::Ours, &Past::default());
        assert_eq!(
            text,
            "web01\n  \
             disk       serial S1\n  \
             wipe       ours: only a blank disk, or one with an install of ours\n  \
             image      debian-12@1 (manifest 05b3abf2579a)\n  \
             last disk  no disk known\n"
        );
        let heard = Timestamp::from_unix(1_795_417_200);
        let disk = |claimed| Some(PastDisk { words: "sda: \u{1b}[31mserial S1".to_owned(), heard, claimed });
        let past = Past { disk: disk(true), installed: Some(heard) };
        let text = told(r#"{"min_size":"1G"}"#, WipePolicy::AnyMatch, &past);
        assert!(text.contains("wipe       any-match: ANY DISK THAT FITS"), "{text}");
        let last = format!("last disk  sda: ?[31mserial S1 (claimed, {heard})\n");
        assert!(text.contains(&last), "{text}");
        assert!(text.contains(&format!("INSTALLED  it said so at {heard}; this order wipes")), "{text}");
        let past = Past { disk: disk(false), installed: None };
        let text = told(r#"{"min_size":"1G"}"#, WipePolicy::AnyMatch, &past);
        assert!(text.contains("chosen, not claimed") && !text.contains("INSTALLED"), "{text}");
        let words = "x".repeat(1 << 20);
        let past = Past { disk: Some(PastDisk { words, heard, claimed: true }), installed: None };
        assert!(told(r#"{"serial":"S1"}"#, WipePolicy::Foreign, &past).len() < 1000);
    }

    #[test]
    fn one_question_names_all_hosts_and_comes_where_foreign_data_may_be_lost() {
        let names: Vec<HostName> = ["a", "b", "c"].iter().map(|name| name.parse().unwrap()).collect();
        let (image, past) = (fixtures::pin(), Past::default());
        let target = serde_json::from_str(r#"{"serial":"S1"}"#).unwrap();
        let ask = |wipes: [WipePolicy; 3]| {
            let summaries: Vec<_> = names
                .iter()
                .zip(wipes)
                .map(|(host, wipe)| Summary { host, target: &target, wipe, image: &image, past: &past })
                .collect();
            question(&summaries)
        };
        use WipePolicy::{AnyMatch, Foreign, Ours};
        assert_eq!(ask([Ours; 3]), None);
        let asked = ask([Ours, AnyMatch, Foreign]).unwrap();
        assert_eq!(asked, "data that isn't ours may be lost on b, c; arm a, b, c?");
    }
}
