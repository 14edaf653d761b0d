//! The preseed of a host with a golden image: debian-installer reads it in its initrd, and hands the machine over to our agent.

use anyhow::{Context, Result, ensure};
use minijinja::context;

use super::super::template::{Escape, Template};
use super::super::{AnswerFormat, Answers, CommandLine, Dialect, RenderError};
use crate::boot::cmdline;
use crate::grammar;
use crate::host::{Host, Os};
use crate::spec::boot::StartedFrom;
use crate::spec::installer::{AGENT, AgentStart, TAKE_OVER};

/// The preseed, which is the same for every host (its order stands beside it), and the words of a boot over the network.
///
/// # Errors
/// Kernel arguments that the installer or the kernel can't take; a mistake in the template.
pub fn take_over(os: Os, host: &Host) -> Result<Answers, RenderError> {
    let dialect = Dialect::of(os);
    let text = text(dialect.writer())?;
    let debian = os.debian_release().with_context(|| format!("{os} has no debian-installer"))?;
    let start = AgentStart::Installer(debian);
    cmdline::check(&host.name, start, &host.kernel_args)?;
    let kernel_args = cmdline::agent(StartedFrom::Network, start, &[&host.kernel_args]);
    CommandLine::check(host, &kernel_args, dialect.writer().command_line())?;
    Ok(Answers { text, kernel_args, companions: Vec::new(), waived: Vec::new() })
}

fn text(reader: &dyn AnswerFormat) -> Result<String> {
    let name = "netboot/take-over.cfg (built in)".to_owned();
    let template =
        Template::new(name, include_str!("../../../netboot/take-over.cfg").to_owned(), Escape::RestOfLine);
    let text = template.render(context! { agent => format!("/{AGENT}"), route => TAKE_OVER })?;
    let found = reader.lint(&text);
    let errors: Vec<_> = grammar::errors(&found).map(ToString::to_string).collect();
    ensure!(errors.is_empty(), "debian-installer couldn't read what hands it over: {}", errors.join("; "));
    Ok(text)
}
