//! `ansible-pull`: the host fetches a Git repository and runs one of its playbooks on itself.
//!
//! `ansible-pull` pastes its arguments into shell commands of its own, so that quoting here isn't enough: what isn't a
//! plain name is refused. A run that ends well and ran nothing on this host is no success (`outcomes`). Over static HTTP, Git speaks its dumb protocol, which has no shallow clones: `--full`.

use anyhow::{Result, ensure};

use super::shell::quote;
use super::{Takeover, file, outcomes, reporter};
use crate::host::handoff::is_plain;
use crate::value::{HostName, HttpUrl};

/// Where the repository is checked out.
const CHECKOUT: &str = "/var/lib/ironstrap/ansible";
const BY: &str = "ansible-pull";

pub(super) fn takeover(
    host: &HostName,
    url: &HttpUrl,
    playbook: &str,
    revision: Option<&str>,
) -> Result<Takeover> {
    let misfits: Vec<_> = [
        (!is_plain(playbook))
            .then(|| misfit("playbook", playbook, "the path of a playbook in the repository")),
        revision
            .filter(|revision| !is_plain(revision))
            .map(|revision| misfit("revision", revision, "a branch, tag or commit")),
    ]
    .into_iter()
    .flatten()
    .collect();
    ensure!(misfits.is_empty(), "{}", misfits.join("\n  "));
    let revision = revision.map(|revision| format!(" --checkout {}", quote(revision))).unwrap_or_default();
    let text = include_str!("ansible.sh")
        .replace("@HOST@", &quote(host.as_str()))
        .replace("@JUDGE@", &outcomes::judge(BY))
        .replace("@DIRECTORY@", CHECKOUT)
        .replace(" @CHECKOUT@", &revision)
        .replace("@PLAYBOOK@", &quote(playbook))
        // last: of the values, only this one could hold an `@`
        .replace("@URL@", &quote(&url.to_string()));
    let files = vec![file(reporter::COMMAND, 0o700, text)];
    Ok(Takeover { by: BY, command: Some(reporter::COMMAND.to_owned()), files, units: Vec::new() })
}

fn misfit(key: &str, found: &str, expected: &str) -> String {
    format!(
        "handoff.ansible.pull.{key}: `{}` is not {expected} (letters, digits and `._/+-`)",
        found.escape_debug()
    )
}
