//! Events in words: on the console of the machine while it happens, and in the record that somebody reads later.
//!
//! Both stand side by side, so that a new event gets both. On a console they are markers, which tests and operators look for;
//! in a record they are sentences. What a sender wrote is in them as it came: a reader takes out what steers a terminal.

use serde_json::Value;

use super::{Reused, Step, What};
use crate::value::HostName;

impl What {
    /// Lines for a console, of this host; `None` for an event that isn't shown, since whoever waits says it in words of its own.
    pub fn on_console(&self, host: Option<&HostName>) -> Option<String> {
        self.words(host).console
    }

    /// One line for a record.
    pub fn in_record(&self) -> String {
        self.words(None).record
    }

    fn words(&self, host: Option<&HostName>) -> Words {
        let host = || host.map(ToString::to_string).unwrap_or_default();
        match self {
            Self::Started { agent, trust } => {
                Words::each(format!("trust {trust}"), format!("started: agent {agent}; {trust}"))
            }
            Self::Ordered { image, generation } => Words::each(
                format!("ordered host={} image={image} generation={generation}", host()),
                format!("ordered: {image}, generation {generation}"),
            ),
            Self::Planned { disk, bytes, .. } => Words::each(
                format!("planned disk={disk} bytes={bytes}"),
                format!("planned: {bytes} bytes on {disk}"),
            ),
            Self::Claimed { disk, attempt } => Words::each(
                format!("claimed attempt={attempt} disk={disk}"),
                format!("claimed: {disk}, run {attempt} of this order"),
            ),
            Self::Progress { step, done, total } => {
                let step = match step {
                    Step::Write => "write",
                    Step::ReadBack => "read-back",
                };
                let percent = u128::from(*done) * 100 / u128::from(*total).max(1);
                Words::each(format!("progress {step} {percent}%"), self.fields())
            }
            Self::Committed { ssh_host_key, peak_rss_kib, reused, .. } => {
                let key = ssh_host_key.as_deref().unwrap_or("none");
                let reused = reused.map_or(String::new(), |Reused { in_place, moved, fetched }| {
                    format!(" in-place={in_place} moved={moved} fetched={fetched}")
                });
                Words::each(
                    format!("committed ssh-host-key={key} peak-rss-kib={peak_rss_kib}{reused}"),
                    self.fields(),
                )
            }
            Self::Rebooting { boot_next } => {
                Words::each(format!("rebooting boot-next={boot_next}"), self.fields())
            }
            Self::AlreadyDone => Words::both("already done, nothing was touched".to_owned()),
            Self::TablesMade => {
                Words::both("installed already; the partition tables were made anew".to_owned())
            }
            Self::Refused { code, message } => Words::both(format!("refused {code}: {message}"))
                .with_console(&format!("advice {}", code.advice())),
            Self::Failed { code, message } => Words::both(format!("failed {code}: {message}"))
                .with_console(&format!("advice {}", code.advice())),
            Self::HandoffFailed { by, message } => {
                Words::in_record(format!("hand-off to {by} failed: {message}"))
            }
            Self::Converged { by } => Words::in_record(format!("converged by {by}")),
            Self::Next { .. } => Words::in_record(self.fields()),
            Self::Unknown => Words::in_record("an event of another version".to_owned()),
        }
    }

    /// An event as its name and fields.
    fn fields(&self) -> String {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else { return String::new() };
        let name =
            fields.remove("event").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        let rest: Vec<_> = fields
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) => format!("{} {text}", key.replace('_', " ")),
                _ => format!("{} {value}", key.replace('_', " ")),
            })
            .collect();
        if rest.is_empty() { name } else { format!("{name}: {}", rest.join(", ")) }
    }
}

/// How one event reads.
struct Words {
    console: Option<String>,
    record: String,
}

impl Words {
    fn each(console: String, record: String) -> Self {
        Self { console: Some(console), record }
    }

    fn both(text: String) -> Self {
        Self::each(text.clone(), text)
    }

    fn in_record(record: String) -> Self {
        Self { console: None, record }
    }

    /// One more line for whoever stands before the machine.
    fn with_console(self, line: &str) -> Self {
        Self { console: self.console.map(|console| format!("{console}\n{line}")), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Code;

    #[test]
    fn markers_read_as_tests_and_operators_expect_them() {
        let host: HostName = "web01".parse().unwrap();
        let image = "debian-12@1".parse().unwrap();
        let ordered = What::Ordered { image, generation: 2 }.on_console(Some(&host)).unwrap();
        assert!(ordered.starts_with("ordered host=web01 image=debian-12@1"), "{ordered}");
        let progress = What::Progress { step: Step::ReadBack, done: 40, total: 100 };
        assert_eq!(progress.on_console(None).unwrap(), "progress read-back 40%");
        let reused = Some(Reused { in_place: 7, moved: 0, fetched: 2 });
        let committed = What::Committed { ssh_host_key: None, peak_rss_kib: 1, outcomes: None, reused };
        assert_eq!(
            committed.on_console(None).unwrap(),
            "committed ssh-host-key=none peak-rss-kib=1 in-place=7 moved=0 fetched=2"
        );
        let refused = What::Refused { code: Code::ForeignData, message: "sda holds GPT".to_owned() };
        assert!(refused.on_console(None).unwrap().starts_with("refused IS-203: sda holds GPT\nadvice "));
    }

    #[test]
    fn a_record_tells_in_sentences_and_names_what_it_has_no_sentence_for() {
        let refused = What::Refused { code: Code::ForeignData, message: "sda holds GPT".to_owned() };
        assert_eq!(refused.in_record(), "refused IS-203: sda holds GPT");
        assert_eq!(What::Rebooting { boot_next: true }.in_record(), "rebooting: boot next true");
        assert_eq!(What::Unknown.in_record(), "an event of another version");
        assert_eq!(Some(What::AlreadyDone.in_record()), What::AlreadyDone.on_console(None));
    }

    #[test]
    fn what_is_told_by_whoever_waits_is_not_on_the_console_twice() {
        let by = "script".to_owned();
        assert_eq!(What::Converged { by }.on_console(None), None);
        assert_eq!(What::Unknown.on_console(None), None);
    }
}
