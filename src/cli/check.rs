//! `ironstrap check`: everything that can be found wrong without a machine, all at once; nothing is written.

use anyhow::{Context, Result, bail};

use super::context::SiteContext;
use super::output;
use super::paths::SitePaths;
use crate::failure::{Blame, BlameExt};

/// Check every host of the site.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints one line, or all mistakes.
///
/// # Errors
/// Any mistake, or a site that can't be read.
pub fn run(_args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    if !json {
        let context = SiteContext::load(paths)?;
        let count = context.hosts.len();
        let plural = if count == 1 { "" } else { "s" };
        return Ok(output::print(&format!("{count} host{plural}, all good\n"))?);
    }
    let (context, report) = SiteContext::examine(paths)?;
    let answer = serde_json::json!({ "hosts": context.hosts.len(), "diagnostics": report.entries() });
    let text = serde_json::to_string_pretty(&answer).context("encoding the answer").blame(Blame::Bug)?;
    output::print(&format!("{text}\n"))?;
    if !report.diagnostics().is_empty() {
        bail!("{}", report.summary());
    }
    Ok(())
}
