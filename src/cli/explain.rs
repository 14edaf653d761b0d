//! `ironstrap explain`: where each value of a host comes from, and what follows from it.

mod answer;
mod text;

use anyhow::{Context, Result, bail};

use super::paths::SitePaths;
use super::{output, render};
use crate::answers::Format;
use crate::failure::{Blame, BlameExt};
use crate::host;
use crate::profile::diag::{Diagnostic, Report, nearest};
use crate::profile::load::{self, Tree};
use crate::value::HostName;

/// Show where each value of a host comes from (file, line, class), what was overridden, and what is a default; then what
/// recognises the machine and which templates are used. Password hashes are not shown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The host.
    host: HostName,
}

/// Prints it; for a host with mistakes as far as it could be read, and then the mistakes.
///
/// # Errors
/// No such host, or mistakes in what it is made of.
pub fn run(args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    let tree = load::load(paths.root())?;
    let Some(explanation) = host::explain(&tree, args.host.as_str()) else {
        return Err(unknown(&tree, &args.host));
    };
    let templates = render::templates(paths)?;
    let format = Format::of(explanation.installer).filter(|_| explanation.agent.is_none());
    let templates = format.map(|format| templates.of(format)).transpose()?.unwrap_or_default();
    let names = templates.into_iter().map(|template| template.name().to_owned()).collect();

    let all = host::resolve(&tree).diagnostics;
    let total = all.len();
    let concerns = |diagnostic: &Diagnostic| {
        let related = diagnostic.related.as_ref().map(|(span, _)| span.source);
        [Some(diagnostic.span.source), related]
            .into_iter()
            .flatten()
            .any(|id| explanation.sources.contains(&id))
    };
    let own: Vec<_> = all.into_iter().filter(concerns).collect();
    let elsewhere = total - own.len();
    let report = Report::new(tree.sources.clone(), own);

    let answer = answer::Answer::new(&explanation, &tree.sources, format, names, &report);
    if json {
        let text = serde_json::to_string_pretty(&answer).context("encoding the answer").blame(Blame::Bug)?;
        output::print(&format!("{text}\n"))?;
    } else {
        output::print(&text::render(&answer))?;
        output::note(&report.render(std::io::IsTerminal::is_terminal(&std::io::stderr())));
        if elsewhere > 0 {
            output::note(
                "note: there are mistakes in other files of the site; `ironstrap check` shows them\n",
            );
        }
    }
    if !report.diagnostics().is_empty() {
        bail!("{}", report.summary());
    }
    Ok(())
}

fn unknown(tree: &Tree, name: &HostName) -> anyhow::Error {
    match nearest(name.as_str(), tree.hosts.iter().map(|layer| layer.name.as_str())) {
        Some(near) => anyhow::anyhow!("there is no host `{name}`; did you mean `{near}`?"),
        None => anyhow::anyhow!("there is no host `{name}`; a host is a file: hosts/{name}.yaml"),
    }
}
