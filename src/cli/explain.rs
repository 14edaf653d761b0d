//! `ironstrap explain`: where each value of a host comes from, and what follows from it; what a code of the agent or the rule of a
//! finding means.

mod answer;
mod code;
mod rule;
mod text;

use anyhow::{Result, bail};

use super::output;
use crate::answers::Format;
use crate::host;
use crate::profile::diag::{Diagnostic, Report};
use crate::profile::load::{self, Tree};
use crate::site::paths::SitePaths;
use crate::value::{HostName, nearest_of_all};

/// Show where each value of a host comes from (file, line, class), what was overridden, and what is a default; then what
/// recognises the machine and which templates are used. Password hashes are not shown. Of a code as IS-203: what it means,
/// why it comes and what to do; of a rule as ks-vg-empty: what it means, an example, and what to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The host, a code that a machine showed, or the rule of a finding of `lint` or `check`.
    #[arg(value_name = "HOST|IS-CODE|RULE", required_unless_present_any = ["codes", "rules"])]
    subject: Option<Subject>,
    /// All codes, as Markdown.
    #[arg(long, conflicts_with = "subject")]
    codes: bool,
    /// All rules of `lint`, as Markdown.
    #[arg(long, conflicts_with_all = ["subject", "codes"])]
    rules: bool,
}

/// What is to be explained. An unknown code is told later, with the known ones.
#[derive(Debug, Clone)]
enum Subject {
    Host(HostName),
    Code(String),
}

impl std::str::FromStr for Subject {
    type Err = <HostName as std::str::FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if code::is_meant(text) { Ok(Self::Code(text.to_owned())) } else { text.parse().map(Self::Host) }
    }
}

/// Prints what was asked for; codes and rules are explained anywhere, hosts in their site. A host that is called as a rule is meant.
///
/// # Errors
/// No such host or code, or mistakes in what a host is made of.
pub fn run(args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    let text = match &args.subject {
        Some(Subject::Host(name)) => match rule::of(name, paths) {
            None => return host(name, json, paths),
            Some(found) if json => rule::as_json(&[found])?,
            Some(found) => rule::as_text(found),
        },
        Some(Subject::Code(name)) if json => code::as_json(&[code::find(name)?])?,
        Some(Subject::Code(name)) => code::as_text(code::find(name)?),
        None if args.rules && json => rule::as_json(&rule::all())?,
        None if args.rules => rule::handbook(),
        None if json => code::as_json(crate::spec::Code::ALL)?,
        None => code::handbook(),
    };
    Ok(output::print(&text)?)
}

/// For a host with mistakes as far as it could be read, and then the mistakes.
fn host(name: &HostName, json: bool, paths: &SitePaths) -> Result<()> {
    let tree = load::load(paths.root())?;
    let Some(explanation) = host::explain(&tree, name.as_str()) else {
        return Err(unknown(&tree, name));
    };
    let templates = crate::check::templates(paths)?;
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
        output::print(&output::json(&answer)?)?;
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
    match nearest_of_all(name.as_str(), tree.hosts.iter().map(|layer| layer.name.as_str())) {
        Some(near) => anyhow::anyhow!("there is no host `{name}`; did you mean `{near}`?"),
        None => anyhow::anyhow!("there is no host `{name}`; a host is a file: hosts/{name}.yaml"),
    }
}
