//! `ironstrap render`: one host's answer file, and the joint of answers and hand-off.

use anyhow::{Context, Result};

use super::context::SiteContext;
use super::output;
use super::paths::SitePaths;
use crate::answers::{self, Answers, Format, Seed, Templates};
use crate::handoff;
use crate::host::{Host, Site};
use crate::sys::files;
use crate::value::HostName;

/// Longest template of a site.
const MAX_TEMPLATE: u64 = 1 << 20;

/// Print the answer file that a distribution's installer reads for a host. It holds password hashes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The host.
    host: HostName,
    /// kickstart (Enterprise Linux 9) or preseed (Debian 12); the one of the host's installer where absent.
    #[arg(long)]
    format: Option<Format>,
    /// Print the arguments for the installer's kernel instead; put the address of the answer file for URL.
    #[arg(long)]
    kernel_args: bool,
}

/// Prints the file.
///
/// # Errors
/// A site with mistakes, a host that the format can't say, a template that fails.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let context = SiteContext::load(paths)?;
    let host = context.host(&args.host)?;
    let format = args.format.or(Format::of(host.installer)).with_context(|| {
        let known: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
        format!(
            "{} is installed by ironstrap's own agent, which needs no answer file; ask for one with --format {}",
            host.name,
            known.join(" or ")
        )
    })?;
    let answers = answers_of(format, &context.site, host, &templates(paths)?)?;
    let text = if args.kernel_args { answers.kernel_args.join(" ") + "\n" } else { answers.text };
    Ok(output::print(&text)?)
}

/// Renders every host that a distribution's installer installs, and returns what is wrong, a text a host.
///
/// # Errors
/// Templates of the site that can't be read.
pub fn check(paths: &SitePaths, context: &SiteContext) -> Result<Vec<String>> {
    let templates = templates(paths)?;
    let answered = context.hosts.iter().filter_map(|host| Some((host, Format::of(host.installer)?)));
    let errors = answered
        .filter_map(|(host, format)| answers_of(format, &context.site, host, &templates).err())
        .map(|error| format!("{error:#}"));
    Ok(errors.collect())
}

/// The templates in use: the site's where it has them.
///
/// # Errors
/// One that can't be read.
pub fn templates(paths: &SitePaths) -> Result<Templates> {
    Templates::new(|name| {
        let path = paths.templates().join(name);
        if path.exists() { files::read_text(&path, MAX_TEMPLATE).map(Some) } else { Ok(None) }
    })
}

fn answers_of(format: Format, site: &Site, host: &Host, templates: &Templates) -> Result<Answers> {
    let (files, units) = handoff::seed(host, site)?;
    answers::render(format, site, host, &Seed { files, units }, templates)
}
