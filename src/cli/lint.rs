//! `ironstrap lint`: what an installer would stumble over in an answer file, also in one that ironstrap didn't write.
//!
//! Reads a bounded file and prints findings. What is wrong with a grammar is known in [`crate::grammar`] only.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};

use super::{output, text_file};
use crate::failure::{Blame, BlameExt};
use crate::grammar::any::{self, Kind};
use crate::grammar::{self, Finding, Severity};

/// Find what an installer or boot loader would stumble over in a file.
///
/// Reads Kickstart, preseed, autoinstall, cloud-init's user-data, GRUB scripts, kernel command lines and partman-auto recipes. Exit code 1 if
/// there are errors; warnings are printed only.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file; `-` reads standard input.
    file: PathBuf,
    /// What it is: kickstart, preseed, autoinstall, cloud-config, grub, cmdline or recipe; told from name and content where absent.
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<Kind>,
    /// The installer's release, such as el-9, debian-12 or 24.04; the newest known where absent.
    #[arg(long, visible_alias = "os", value_name = "RELEASE")]
    release: Option<String>,
}

/// Prints the findings.
///
/// # Errors
/// A file that can't be read as text, one whose kind can't be told, and any finding that is an error.
pub fn run(args: &Args, json: bool) -> Result<()> {
    let name = args.file.display().to_string();
    let text = text_file::read(&args.file)?;
    let kind = args.kind.or_else(|| Kind::of(&name, &text)).with_context(|| {
        let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        format!(
            "reading {name}: this is no kind of file that is known here; name it with --as {}",
            names.join("|")
        )
    })?;
    let found = any::lint(kind, &text, args.release.as_deref())
        .map_err(|message| anyhow!("{message}"))
        .with_context(|| format!("reading {name}"))?;
    if json {
        print_json(&name, kind, &found)?;
    } else if found.is_empty() {
        output::print(&format!("{name}: {}, nothing to say\n", kind.name()))?;
    } else {
        output::print(&found.iter().map(|finding| line(&name, finding)).collect::<String>())?;
    }
    let errors = grammar::errors(&found).count();
    ensure!(errors == 0, "{errors} error{} in {name}", if errors == 1 { "" } else { "s" });
    Ok(())
}

fn line(name: &str, finding: &Finding) -> String {
    let Finding { line, severity, message, help, only: _ } = finding;
    let help = help.as_ref().map(|help| format!("  help: {help}\n")).unwrap_or_default();
    format!("{name}:{line}: {}: {message}\n{help}", severity_name(*severity))
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn print_json(name: &str, kind: Kind, found: &[Finding]) -> Result<()> {
    let findings = found.iter().map(|finding| {
        serde_json::json!({
            "line": finding.line, "severity": severity_name(finding.severity),
            "message": finding.message, "help": finding.help,
        })
    });
    let answer =
        serde_json::json!({ "file": name, "kind": kind.name(), "findings": findings.collect::<Vec<_>>() });
    let text = serde_json::to_string_pretty(&answer).context("encoding the answer").blame(Blame::Bug)?;
    Ok(output::print(&format!("{text}\n"))?)
}
