//! GRUB scripts: their syntax, as GRUB 2.06 and 2.12 read it, and what is valid and still not meant.
//!
//! [`parse`] follows `grub-core/script/yylex.l` and `parser.y`; a test holds it against `grub-script-check`, which has GRUB's
//! own parser: what that refuses is refused here. [`lint`] adds what it lets pass: commands that GRUB doesn't have, functions that
//! are called before they are defined, a `;` that cuts a kernel's command line, an initrd without a kernel. Modest on purpose:
//! variables aren't followed.

mod lexer;
mod parser;
pub(crate) mod rules;

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use super::{Finding, MAX_FINDINGS, cmdline, shown};
use crate::value::nearest;

pub use lexer::Word;
pub use parser::{Command, End, Statement, parse};

/// GRUB's commands, `tests/generate/grub_commands.sh`.
const COMMANDS: &str = include_str!("grub/commands.txt");

fn is_command(name: &str) -> bool {
    static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| names().collect());
    KNOWN.contains(name)
}

fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.lines().filter(|line| !line.starts_with('#'))
}

/// Commands that load a kernel and give it a command line.
const LOADERS: [&str; 3] = ["linux", "linux16", "linuxefi"];
const INITRDS: [&str; 3] = ["initrd", "initrd16", "initrdefi"];

/// What GRUB refuses, or does otherwise than the script seems to say.
pub fn lint(text: &str) -> Vec<Finding> {
    let script = match parse(text) {
        Ok(script) => script,
        Err(finding) => return vec![finding],
    };
    let mut found = Vec::new();
    let mut functions = BTreeSet::new();
    collect_functions(&script, &mut functions);
    walk(&script, &functions, &mut found);
    early_calls(&script, functions, &mut found);
    found.sort();
    found
}

fn collect_functions<'s>(statements: &'s [Statement], functions: &mut BTreeSet<&'s str>) {
    for statement in statements {
        if let Statement::Function { name, .. } = statement {
            functions.insert(name);
        }
    }
}

/// GRUB runs a script statement by statement: a function that is defined further down isn't there yet. What stands in a menu
/// entry or a function runs later.
fn early_calls<'s>(script: &'s [Statement], mut missing: BTreeSet<&'s str>, found: &mut Vec<Finding>) {
    missing.retain(|name| !is_command(name));
    let mut pending: Vec<&Statement> = script.iter().rev().collect();
    while let Some(statement) = pending.pop() {
        match statement {
            Statement::Function { name, .. } => drop(missing.remove(name.as_str())),
            Statement::Compound(bodies) => {
                pending.extend(bodies.iter().rev().flat_map(|body| body.iter().rev()))
            }
            Statement::Command(command) if missing.contains(command.name()) && found.len() < MAX_FINDINGS => {
                let message = format!("`{}` is called before it is defined", shown(command.name()));
                found.push(
                    Finding::error(&rules::CALLED_EARLY, command.line, message).help("define it further up"),
                );
            }
            Statement::Command(_) => {}
        }
    }
}

fn walk(statements: &[Statement], functions: &BTreeSet<&str>, found: &mut Vec<Finding>) {
    let mut kernel = false;
    for (at, statement) in statements.iter().enumerate() {
        if found.len() >= MAX_FINDINGS {
            return;
        }
        match statement {
            Statement::Command(command) => {
                let follows = statements.get(at + 1);
                judge(command, follows, &mut kernel, functions, found);
                walk(&command.block, functions, found);
            }
            Statement::Function { body, .. } => walk(body, functions, found),
            Statement::Compound(bodies) => {
                // a kernel that is loaded in one branch may be there after it
                kernel |= bodies.iter().flatten().any(loads_kernel);
                bodies.iter().for_each(|body| walk_branch(body, kernel, functions, found));
            }
        }
    }
}

/// A branch sees what was loaded before it.
fn walk_branch(body: &[Statement], kernel: bool, functions: &BTreeSet<&str>, found: &mut Vec<Finding>) {
    let before = found.len();
    walk(body, functions, found);
    if kernel {
        let mut at = 0;
        found.retain(|finding| {
            at += 1;
            at <= before || finding.message != NO_KERNEL
        });
    }
}

const NO_KERNEL: &str = "an initrd before any kernel: GRUB refuses it";

fn loads_kernel(statement: &Statement) -> bool {
    match statement {
        Statement::Command(command) => LOADERS.contains(&command.name()),
        Statement::Compound(bodies) => bodies.iter().flatten().any(loads_kernel),
        Statement::Function { .. } => false,
    }
}

fn judge(
    command: &Command,
    follows: Option<&Statement>,
    kernel: &mut bool,
    functions: &BTreeSet<&str>,
    found: &mut Vec<Finding>,
) {
    let name = command.name();
    if LOADERS.contains(&name) {
        *kernel = true;
        cut(command, follows, found);
        kernel_line(command, found);
    } else if INITRDS.contains(&name) && !*kernel {
        found.push(
            Finding::error(&rules::NO_KERNEL, command.line, NO_KERNEL)
                .help("load the kernel with `linux` first"),
        );
    }
    let known = command.words.first().is_none_or(|word| word.variable || is_assignment(&word.text));
    if !known
        && !functions.contains(name)
        && !is_command(name)
        && !name.is_empty()
        && !name.starts_with(['(', '/'])
    {
        let finding = Finding::error(
            &rules::UNKNOWN_COMMAND,
            command.line,
            format!("GRUB has no command `{}`", shown(name)),
        );
        let near = nearest(name, names()).or_else(|| nearest(name, functions.iter().copied()));
        found.push(match near {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding,
        });
    }
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| lexer::is_name(name))
}

/// `linux /k ds=nocloud;s=http://…`: the rest of the line is another statement, and its words never reach the kernel.
fn cut(command: &Command, follows: Option<&Statement>, found: &mut Vec<Finding>) {
    let End::Semicolon { glued } = command.end else { return };
    let assigns = matches!(follows, Some(Statement::Command(next))
        if next.line == command.last_line && next.words.first().is_some_and(|word| is_assignment(&word.text)));
    if glued && follows.is_some_and(|next| next.line() == command.last_line) || assigns {
        // its value may be a secret
        let last = command.words.last().map_or("", |word| word.text.split('=').next().unwrap_or_default());
        let message = format!(
            "the `;` in the argument `{}` ends the command: what follows never reaches the kernel",
            shown(last)
        );
        found.push(
            Finding::error(&rules::SEMICOLON, command.last_line, message)
                .help("quote the argument: \"ds=nocloud;s=…\""),
        );
    }
}

/// The kernel's command line, as GRUB hands it over.
fn kernel_line(command: &Command, found: &mut Vec<Finding>) {
    let quoted = |word: &Word| {
        if word.text.contains([' ', '\t']) { format!("\"{}\"", word.text) } else { word.text.clone() }
    };
    let line = command
        .words
        .iter()
        .skip(2)
        .filter(|word| !word.text.is_empty())
        .map(quoted)
        .collect::<Vec<_>>()
        .join(" ");
    let release = super::preseed::Release::default();
    let judged = cmdline::lint(&line, cmdline::Reader::of(&line, release));
    // GRUB has read the `;` by now
    let judged = judged.into_iter().filter(|finding| finding.rule != &cmdline::rules::SEMICOLON);
    found.extend(judged.map(|finding| Finding { line: command.line, ..finding }));
    if command.words.len() < 2 {
        found.push(Finding::error(
            &rules::NO_KERNEL,
            command.line,
            format!("`{}` without a kernel", command.name()),
        ));
    }
}

#[cfg(test)]
mod tests;
