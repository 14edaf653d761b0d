//! `ironstrap render`: one host's answer file.

use anyhow::{Context, Result, bail};

use super::output;
use crate::answers::{Answers, Format};
use crate::check::{self, answers_of, templates};
use crate::host::{Host, Installer, Os};
use crate::site::context::SiteContext;
use crate::site::paths::SitePaths;
use crate::value::HostName;

/// Print the answer file that a distribution's installer reads for a host. It holds password hashes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The host.
    host: HostName,
    /// kickstart, preseed or autoinstall; the one of the host's `os` where absent.
    #[arg(long)]
    format: Option<Format>,
    /// A release like el-9 or debian-12; the host's `os` where absent.
    #[arg(long)]
    os: Option<Os>,
    /// Print the arguments for the installer's kernel instead; put the address of the answer file for URL.
    #[arg(long)]
    kernel_args: bool,
    /// Print a file that must lie beside the answer file instead, such as autoinstall's meta-data.
    #[arg(long, value_name = "NAME", conflicts_with = "kernel_args")]
    companion: Option<String>,
}

/// Prints the file.
///
/// # Errors
/// A site with mistakes, a host that the format can't say, a template that fails.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let context = SiteContext::load(paths)?;
    let host = context.host(&args.host)?;
    let os = release(args, host)?;
    let answers =
        answers_of(os, &context, host, &templates(paths)?).map_err(|error| check::explain(error, paths))?;
    for finding in &answers.waived {
        output::note(&format!("note: waived in site.yaml: {finding} [{}]\n", finding.rule));
    }
    let text = match &args.companion {
        Some(name) => companion(&answers, name)?,
        None if args.kernel_args => answers.kernel_args.join(" ") + "\n",
        None => answers.text,
    };
    Ok(output::print(&text)?)
}

fn companion(answers: &Answers, name: &str) -> Result<String> {
    let found = answers.companions.iter().find(|companion| companion.name == name);
    let known = || answers.companions.iter().map(|companion| companion.name).collect::<Vec<_>>().join(", ");
    let text = found.map(|companion| companion.text.clone());
    text.with_context(|| match answers.companions.is_empty() {
        true => format!("no file `{name}` lies beside this answer file; it stands alone"),
        false => format!("no file `{name}` lies beside this answer file; there are {}", known()),
    })
}

/// The release to render for: what was asked for, or the host's own.
fn release(args: &Args, host: &Host) -> Result<Os> {
    let os = args.os.or(host.os);
    let fits = |os: &Os| args.format.is_none_or(|format| Format::of_release(*os) == format);
    let asked = args.format.is_some() || args.os.is_some() || host.installer != Installer::Native;
    match os.filter(fits) {
        Some(os) if asked => Ok(os),
        Some(os) => bail!(
            "{} is installed by ironstrap's own agent, which needs no answer file; ask for one with --os {os}",
            host.name
        ),
        None => {
            let releases: Vec<_> = Os::ALL.iter().filter(|os| fits(os)).map(|os| os.name()).collect();
            bail!("{}: which release isn't said; ask for one with --os: {}", host.name, releases.join(", "))
        }
    }
}
