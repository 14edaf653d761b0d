//! `ironstrap check`: everything that can be found wrong without a machine, all at once; nothing is written.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;

use anyhow::{Result, bail};

use super::{clocks, output};
use crate::check::{Checked, check};
use crate::host::Waived;
use crate::site::paths::SitePaths;

/// Check every host of the site.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints one line, or all mistakes.
///
/// # Errors
/// Any mistake, or a site that can't be read.
pub fn run(args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    let Args {} = args;
    let checked = check(paths)?;
    if json {
        output::print(&in_json(&checked)?)?;
    } else {
        tell(&checked);
    }
    let Checked { context, report, waived, answers, installs, unread, .. } = &checked;
    let refused = answers.len() + installs.len();
    if !unread.is_empty() && !report.has_errors() && refused == 0 {
        bail!("not every file of the site could be read");
    }
    let hosts = context.hosts.len();
    let cannot = || format!("{refused} of {hosts} hosts can't be installed");
    match (report.has_errors(), refused > 0) {
        (true, true) => bail!("{}; of those without, {}", report.summary(), cannot()),
        (true, false) => bail!("{}", report.summary()),
        (false, true) => bail!("{}", cannot()),
        (false, false) if json => Ok(()),
        (false, false) => {
            let allowing = context.by_agent().filter(|host| host.allow_dead_clock).map(|host| &host.name);
            output::note(&clocks::cost_of_allowing(allowing));
            Ok(output::print(&verdict(hosts, report.warnings(), waived.len()))?)
        }
    }
}

fn in_json(checked: &Checked) -> Result<String> {
    let Checked { context, report, waived, answers, installs, unread, elsewhere, astray, facts } = checked;
    let waived = waived.iter().map(|Waived { finding, reason }| {
        let mut entry = serde_json::to_value(report.entry(finding)).unwrap_or_default();
        entry["reason"] = reason.as_str().into();
        entry
    });
    let answer = serde_json::json!({
        "version": 1, "hosts": context.hosts.len(), "diagnostics": report.entries(), "answers": answers, "installs": installs,
        "waived": waived.collect::<Vec<_>>(), "images_elsewhere": elsewhere, "unread": unread,
        "dhcp": astray, "facts": { "files": facts.0, "of_no_host": facts.1 },
    });
    output::json(&answer)
}

/// All that there is to say, on standard error.
fn tell(checked: &Checked) {
    let Checked { report, answers, installs, unread, elsewhere, astray, facts, .. } = checked;
    output::note(&report.render(std::io::stderr().is_terminal()));
    let refused = unread.iter().chain(answers).chain(installs);
    output::note(&refused.map(|text| format!("error: {text}\n")).collect::<String>());
    output::note(&not_here(elsewhere));
    output::note(&strangers(*facts));
    output::note(&astray.iter().map(|text| format!("note: {text}\n")).collect::<String>());
}

/// What wasn't looked into.
fn not_here(images: &BTreeSet<String>) -> String {
    if images.is_empty() {
        return String::new();
    }
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    format!(
        "note: locked, but not in this machine's store, so that hosts weren't held against what is in it: {}\n",
        images.join(", ")
    )
}

/// Machines that no host is for.
fn strangers((files, of_no_host): (usize, usize)) -> String {
    match of_no_host {
        0 => String::new(),
        1 => format!("note: of {files} files in facts/, one is of a machine that no host recognises\n"),
        _ => format!(
            "note: of {files} files in facts/, {of_no_host} are of machines that no host recognises\n"
        ),
    }
}

/// The last line: nothing with a warning is all good.
fn verdict(hosts: usize, warnings: usize, waived: usize) -> String {
    let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let hosts = many(hosts, "host");
    match (warnings, waived) {
        (0, 0) => format!("{hosts}, all good\n"),
        (0, _) => format!("{hosts}, all good; {} waived in site.yaml\n", many(waived, "finding")),
        _ => format!("{hosts}, {}\n", many(warnings, "warning")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_with_a_warning_is_all_good() {
        assert_eq!(verdict(1, 0, 0), "1 host, all good\n");
        assert_eq!(verdict(2, 0, 1), "2 hosts, all good; 1 finding waived in site.yaml\n");
        assert_eq!(verdict(2, 2, 1), "2 hosts, 2 warnings\n");
    }
}
