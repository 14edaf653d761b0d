//! `ironstrap lint`: what an installer would stumble over in an answer file, also in one that ironstrap didn't write.
//!
//! Reads a bounded file and prints findings. What is wrong with a grammar is known in [`crate::grammar`] only.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};

use super::{output, text_file};
use crate::grammar::detect::{self, Grammar};
use crate::grammar::{self, Finding, rules};
use crate::profile::rule::{self, Rule};
use crate::value::nearest;

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
    kind: Option<Grammar>,
    /// The installer's release, such as el-9, debian-12 or 24.04; the newest known where absent.
    #[arg(long, visible_alias = "os", value_name = "RELEASE")]
    release: Option<String>,
    /// Findings of this rule are counted, and are neither told nor errors; can be given several times.
    #[arg(long, value_name = "RULE", value_parser = allowed)]
    allow: Vec<&'static Rule>,
}

/// A rule that `lint` has.
fn allowed(id: &str) -> Result<&'static Rule, String> {
    if let Some(rule) = rules::find(id) {
        return Ok(rule);
    }
    if rule::find(id).is_some() {
        return Err("this is a rule of `check`: `waive:` in site.yaml takes its findings".to_owned());
    }
    Err(match nearest(id, rules::all().map(Rule::id)) {
        Some(near) => format!("there is no such rule; did you mean `{near}`?"),
        None => "there is no such rule; `ironstrap explain --rules` shows all".to_owned(),
    })
}

/// Prints the findings.
///
/// # Errors
/// A file that can't be read as text, one whose kind can't be told, and any finding that is an error.
pub fn run(args: &Args, json: bool) -> Result<()> {
    let name = args.file.display().to_string();
    let text = text_file::read(&args.file)?;
    let grammar = args.kind.or_else(|| Grammar::of(&name, &text)).with_context(|| {
        let names: Vec<_> = Grammar::ALL.iter().map(|grammar| grammar.name()).collect();
        format!(
            "reading {name}: this is no kind of file that is known here; name it with --as {}",
            names.join("|")
        )
    })?;
    let found = detect::lint(grammar, &text, args.release.as_deref())
        .map_err(|message| anyhow!("{message}"))
        .with_context(|| format!("reading {name}"))?;
    let (allowed, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|finding| args.allow.contains(&finding.rule));
    if json {
        print_json(&name, grammar, &found, &allowed)?;
    } else {
        let without = match allowed.len() {
            0 => String::new(),
            1 => "; 1 finding allowed".to_owned(),
            count => format!("; {count} findings allowed"),
        };
        let told: String = found.iter().map(|finding| line(&name, finding)).collect();
        match found.is_empty() {
            true => output::print(&format!("{name}: {}, nothing to say{without}\n", grammar.name()))?,
            false => output::print(&told)?,
        }
    }
    let errors = grammar::errors(&found).count();
    ensure!(errors == 0, "{errors} error{} in {name}", if errors == 1 { "" } else { "s" });
    Ok(())
}

fn line(name: &str, finding: &Finding) -> String {
    let Finding { line, severity, message, help, only: _, rule } = finding;
    let help = help.as_ref().map(|help| format!("  help: {help}\n")).unwrap_or_default();
    format!("{name}:{line}: {}[{rule}]: {message}\n{help}", severity.name())
}

fn print_json(name: &str, grammar: Grammar, found: &[Finding], allowed: &[Finding]) -> Result<()> {
    let entry = |finding: &Finding| {
        serde_json::json!({
            "line": finding.line, "severity": finding.severity, "rule": finding.rule,
            "message": finding.message, "help": finding.help,
        })
    };
    let entries = |findings: &[Finding]| findings.iter().map(entry).collect::<Vec<_>>();
    let answer = serde_json::json!({
        "version": 1, "file": name, "kind": grammar.name(), "findings": entries(found), "allowed": entries(allowed),
    });
    Ok(output::print(&output::json(&answer)?)?)
}
