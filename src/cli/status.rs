//! `ironstrap status`: who is where.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::output;
use super::paths::SitePaths;
use super::permits;
use crate::failure::{Blame, BlameExt};
use crate::serve::journal;
use crate::serve::state::{HostStatus, Phase, Report, Stranger};
use crate::spec::event;
use crate::value::{HostName, HttpUrl};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Show how far each host is, from the events that `serve` received.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this host.
    host: Option<HostName>,
    /// Ask a running `serve` instead of reading the site's events.
    #[arg(long, value_name = "URL")]
    server: Option<HttpUrl>,
}

/// Prints a table, or JSON.
///
/// # Errors
/// Events that can't be read, a server that doesn't answer, a host that nothing is known of.
pub fn run(args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    let mut report = match &args.server {
        Some(server) => ask(server).blame(Blame::Environment)?,
        None => {
            let armed = permits::all(paths)?;
            let expected = armed.iter().map(|permit| (&permit.host, &permit.id));
            journal::read(&paths.events())?.report(expected)
        }
    };
    if let Some(host) = &args.host {
        report.hosts.retain(|status| status.host == *host);
        report.strangers.clear();
        ensure!(!report.hosts.is_empty(), "nothing was heard of {host} yet");
    }
    let text = if json {
        serde_json::to_string_pretty(&report).context("encoding the status").blame(Blame::Bug)? + "\n"
    } else {
        table(&report)
    };
    Ok(output::print(&text)?)
}

fn ask(server: &HttpUrl) -> Result<Report> {
    let url = server.join("v1/status");
    let client = reqwest::blocking::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .build()
        .context("preparing the request")?;
    let answer = client.get(url.to_string()).send().with_context(|| format!("asking {url}"))?;
    let status = answer.status();
    ensure!(status.is_success(), "{url} answered {status}; is that an `ironstrap serve`?");
    answer.json().with_context(|| format!("reading the answer of {url}"))
}

fn phase(phase: &Phase) -> String {
    let plain = |text: &str| event::plain(text, usize::MAX);
    match phase {
        Phase::Waiting => "waiting".to_owned(),
        Phase::Started => "started".to_owned(),
        Phase::Claimed => "claimed".to_owned(),
        Phase::Writing { percent } => format!("writing {percent} %"),
        Phase::ReadingBack { percent } => format!("reading back {percent} %"),
        Phase::Committed => "committed".to_owned(),
        Phase::Rebooting => "rebooting".to_owned(),
        Phase::Converged { by } => format!("converged by {}", plain(by)),
        Phase::HandoffFailed { message } => format!("hand-off failed: {}", plain(message)),
        Phase::Refused { code, message } => format!("refused {}: {}", code.name(), plain(message)),
        Phase::Failed { code, message } => format!("failed {}: {}", code.name(), plain(message)),
    }
}

fn table(report: &Report) -> String {
    let mut rows = vec![["HOST", "HEARD", "CLAIMS", "STATE"].map(str::to_owned)];
    for HostStatus { host, phase: at, claims, heard, .. } in &report.hosts {
        let heard = heard.map_or("-".to_owned(), |time| time.to_string());
        rows.push([host.to_string(), heard, claims.to_string(), phase(at)]);
    }
    for Stranger { client, heard, phase: at } in &report.strangers {
        rows.push([format!("({client})"), heard.to_string(), "-".to_owned(), phase(at)]);
    }
    if rows.len() == 1 {
        return "no host is armed and no events have come yet\n".to_owned();
    }
    let widths: [usize; 3] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for [host, heard, claims, state] in &rows {
        let [a, b, c] = widths;
        text.push_str(&format!("{host:a$}  {heard:b$}  {claims:>c$}  {state}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_and_shows_no_control_characters() {
        let mut host = HostStatus::waiting("web01.example.com".parse().unwrap(), None);
        let quiet = HostStatus::waiting("b".parse().unwrap(), None);
        host.phase = Phase::HandoffFailed { message: "rc 2\u{1b}[31m\nnext".to_owned() };
        let report =
            Report { version: crate::spec::FormatVersion, hosts: vec![host, quiet], strangers: Vec::new() };
        assert_eq!(
            table(&report),
            "HOST               HEARD  CLAIMS  STATE\n\
             web01.example.com  -           0  hand-off failed: rc 2?[31m?next\n\
             b                  -           0  waiting\n"
        );
    }
}
