//! `ironstrap check`: everything that can be found wrong without a machine, all at once; nothing is written.

use anyhow::{Context, Result, bail};

use super::context::SiteContext;
use super::output;
use super::paths::SitePaths;
use super::render;
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
        let refused = render::check(paths, &context)?;
        if !refused.is_empty() {
            output::note(&refused.iter().map(|text| format!("error: {text}\n")).collect::<String>());
            bail!("{} of {} hosts have no answers", refused.len(), context.hosts.len());
        }
        let count = context.hosts.len();
        let plural = if count == 1 { "" } else { "s" };
        return Ok(output::print(&format!("{count} host{plural}, all good\n"))?);
    }
    let (context, report) = SiteContext::examine(paths)?;
    let refused = render::check(paths, &context)?;
    let answer = serde_json::json!({
        "hosts": context.hosts.len(), "diagnostics": report.entries(), "answers": refused,
    });
    let text = serde_json::to_string_pretty(&answer).context("encoding the answer").blame(Blame::Bug)?;
    output::print(&format!("{text}\n"))?;
    if !report.diagnostics().is_empty() {
        bail!("{}", report.summary());
    }
    if !refused.is_empty() {
        bail!("{} of {} hosts have no answers", refused.len(), context.hosts.len());
    }
    Ok(())
}
