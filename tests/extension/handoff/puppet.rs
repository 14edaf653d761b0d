//! Puppet: its agent runs once against a server, and says by its exit status whether something changed or failed.

use ironstrap::host::Unsupported;
use ironstrap::host::handoff::shell::quote;
use ironstrap::host::handoff::{Manager, Outcome, Program, Takeover, Verdict, judge};
use ironstrap::value::{HostName, OrderId};

/// `puppet agent --detailed-exitcodes`: 2 is a run that changed something, 4 and 6 are runs with failures.
pub const OUTCOMES: &[Outcome] = &[
    Outcome::new("0", "*", Verdict::Converged, "puppet found nothing to change"),
    Outcome::new("2", "*", Verdict::Converged, "puppet changed what it had to"),
    Outcome::new("*", "*", Verdict::Failed, "puppet failed, or some of its resources did"),
];

/// The agent's values for one host.
#[derive(Debug, PartialEq, Eq)]
pub struct Puppet {
    /// Where its catalogue comes from.
    pub server: String,
}

impl Manager for Puppet {
    fn name(&self) -> &'static str {
        "puppet"
    }

    fn key(&self) -> &'static str {
        "puppet"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["puppet"]
    }

    fn takeover(&self, host: &HostName, _: Option<&OrderId>) -> Result<Takeover, Vec<Unsupported>> {
        if self.server.parse::<HostName>().is_err() {
            let reason = format!("`{}` is not the name of a server", self.server.escape_debug());
            return Err(vec![Unsupported { key: "handoff.puppet.server".to_owned(), reason }]);
        }
        let text = include_str!("puppet.sh")
            .replace("@JUDGE@", &judge(OUTCOMES))
            .replace("@SERVER@", &quote(&self.server))
            .replace("@HOST@", &quote(host.as_str()));
        Ok(Takeover { program: Program { mode: 0o700, text }, files: Vec::new(), units: Vec::new() })
    }
}
