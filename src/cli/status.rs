//! `ironstrap status`: who is where.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{output, status_log};
use crate::failure::{Blame, BlameExt};
use crate::serve::forgotten::Forgotten;
use crate::serve::report::{HostStatus, Phase, Report, Stranger};
use crate::serve::standing::Standing;
use crate::serve::{journal, permit_standing};
use crate::site::paths::SitePaths;
use crate::site::permits;
use crate::spec::event;
use crate::sys::clock::{Clock, SystemClock};
use crate::value::{HostName, HttpUrl};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Show how far each host is, from the events that `serve` received.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this host.
    host: Option<HostName>,
    /// Forget what was heard of this host so far: events of a machine that is gone, or forged ones.
    ///
    /// What was heard stays in the file of events. An order of the host that was done counts as waiting again: a disk that shows
    /// that it is installed stays as it is, a blank one is installed.
    #[arg(long, value_name = "HOST", conflicts_with_all = ["host", "server"])]
    forget: Option<HostName>,
    /// Everything that was heard of this host, event by event.
    #[arg(long, requires = "host", conflicts_with_all = ["forget", "server"])]
    log: bool,
    /// Ask a running `serve` instead of reading the site's events.
    #[arg(long, value_name = "URL")]
    server: Option<HttpUrl>,
}

/// Prints a table, or JSON.
///
/// # Errors
/// Events that can't be read, a server that doesn't answer, a host that nothing is known of.
pub fn run(args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    if let Some(host) = &args.forget {
        return forget(host, paths);
    }
    if let Some(host) = args.host.as_ref().filter(|_| args.log) {
        let entries = status_log::of(host, paths)?;
        let text = if json { status_log::as_json(host, &entries)? } else { status_log::as_text(&entries) };
        return Ok(output::print(&text)?);
    }
    let mut report = match &args.server {
        Some(server) => ask(server).blame(Blame::Environment)?,
        None => {
            let armed = permits::all(paths)?;
            let expected = armed.iter().map(|sealed| (&sealed.permit().host, &sealed.permit().id));
            let forgotten = Forgotten::read(&paths.forgotten())?;
            let mut report = journal::read(&paths.events(), &forgotten)?.report(expected);
            permit_standing::add(paths, &mut report, armed, SystemClock.now())?;
            report
        }
    };
    if let Some(host) = &args.host {
        report.hosts.retain(|status| status.host == *host);
        report.strangers.clear();
        ensure!(!report.hosts.is_empty(), "nothing was heard of {host} yet");
    }
    let text = if json { output::json(&report)? } else { table(&report) };
    Ok(output::print(&text)?)
}

/// From now on, in a running `serve` too.
fn forget(host: &HostName, paths: &SitePaths) -> Result<()> {
    let mut forgotten = Forgotten::read(&paths.forgotten())?;
    let heard = journal::read(&paths.events(), &forgotten)?.report([]);
    ensure!(heard.hosts.iter().any(|status| status.host == *host), "nothing was heard of {host} yet");
    let now = SystemClock.now();
    forgotten.hosts.insert(host.clone(), now);
    forgotten.write(&paths.forgotten())?;
    Ok(output::print(&format!("{host} forgotten: what was heard of it up to {now} counts no more\n"))?)
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
    for HostStatus { host, phase: at, claims, heard, standing, proven, reused, .. } in &report.hosts {
        let heard = heard.map_or("-".to_owned(), |time| time.to_string());
        let unproven = if *proven { "" } else { " (unproven: it has no order)" };
        let reused = reused.map_or(String::new(), |reused| format!(" ({reused})"));
        let stands = standing.iter().filter(|standing| **standing != Standing::Armed);
        let stands: String = stands.map(|standing| format!(" ({standing})")).collect();
        rows.push([host.to_string(), heard, claims.to_string(), phase(at) + &reused + unproven + &stands]);
    }
    for Stranger { client, heard, phase: at, says } in &report.strangers {
        let says = says.iter().map(|host| format!(" (says it is {host}, and doesn't prove it)"));
        let state = phase(at) + &says.collect::<String>();
        rows.push([format!("({client})"), heard.to_string(), "-".to_owned(), state]);
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
    use crate::spec::event::Reused;

    #[test]
    fn the_table_lines_up_and_shows_no_control_characters() {
        let mut host = HostStatus::waiting("web01.example.com".parse().unwrap(), None);
        let quiet = HostStatus::waiting("b".parse().unwrap(), None);
        host.phase = Phase::HandoffFailed { message: "rc 2\u{1b}[31m\nnext".to_owned() };
        host.reused = Some(Reused { in_place: 690 << 20, moved: 20 << 20, fetched: 11 << 20 });
        let report =
            Report { version: crate::spec::FormatVersion, hosts: vec![host, quiet], strangers: Vec::new() };
        assert_eq!(
            table(&report),
            "HOST               HEARD  CLAIMS  STATE\n\
             web01.example.com  -           0  hand-off failed: rc 2?[31m?next (reused 710 of 721 MiB)\n\
             b                  -           0  waiting\n"
        );
    }
}
