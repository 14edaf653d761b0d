//! `ansible-pull`: the host fetches a Git repository and runs one of its playbooks on itself.
//!
//! `ansible-pull` pastes its arguments into shell commands of its own, so that quoting here isn't enough: what isn't a
//! plain name is refused. A run that ends well and ran nothing on this host is no success ([`OUTCOMES`]). Over static HTTP, Git
//! speaks its dumb protocol, which has no shallow clones: `--full`.

use super::shell::quote;
use super::{Manager, Outcome, Program, Takeover, Verdict, judge};
use crate::host::Unsupported;
use crate::host::resolve::handoff::Work;
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{RawAnsible, RawPull};
use crate::value::{HostName, HttpUrl, OrderId};

/// Where the repository is checked out.
const CHECKOUT: &str = "/var/lib/ironstrap/ansible";
pub(super) const BY: &str = "ansible-pull";

pub(super) const OUTCOMES: &[Outcome] = &[
    Outcome::new("0", "tasks", Verdict::Converged, "tasks ran on this host and none failed"),
    Outcome::new(
        "0",
        "no-task",
        Verdict::Failed,
        "no task ran on this host: no play is for it, or its plays are empty",
    ),
    Outcome::new("0", "no-recap", Verdict::Failed, "ansible-pull ended without a recap: no playbook ran"),
    Outcome::new("0", "failures", Verdict::Failed, "the recap counts failed or unreachable"),
    Outcome::new("*", "*", Verdict::Again, "ansible-pull failed"),
];

/// `ansible-pull` runs a playbook from a Git repository on the host itself.
#[derive(Clone, PartialEq, Eq)]
pub struct AnsiblePull {
    /// The repository.
    pub url: HttpUrl,
    /// The playbook in it.
    pub playbook: String,
    /// Branch, tag or commit; the remote's HEAD where absent.
    pub revision: Option<String>,
}

impl std::fmt::Debug for AnsiblePull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnsiblePull({}, {})", self.url, self.playbook)
    }
}

impl AnsiblePull {
    /// What a profile says; `None` if something is wrong with it.
    pub(super) fn resolve(raw: &RawAnsible, work: &mut Work<'_, '_>) -> Option<Self> {
        let RawPull { url, playbook, revision } = &raw.pull.value;
        let (Some(url), Some(playbook)) = (url, playbook) else {
            let place = raw.pull.span.unwrap_or(work.span);
            let help = "add `ansible: { pull: { url: https://…, playbook: site.yml } }`";
            work.missing(place, "ansible-pull needs a URL and a playbook", help);
            return None;
        };
        let path = work.inline(playbook);
        if path.as_ref().is_some_and(|path| !is_plain(path)) {
            let message = "not the path of a playbook in the repository";
            work.tell(Diagnostic::new(playbook.span, message).help("like `playbooks/web.yml`"));
        }
        let reference = match revision {
            Some(revision) => {
                let text = work.inline(revision);
                if text.as_ref().is_some_and(|text| !is_plain(text)) {
                    let message = "not a branch, tag or commit";
                    work.tell(Diagnostic::new(revision.span, message).help("like `main` or `v1.2`"));
                }
                Some(text?)
            }
            None => None,
        };
        Some(Self { url: url.value.clone(), playbook: path?, revision: reference })
    }
}

impl Manager for AnsiblePull {
    fn name(&self) -> &'static str {
        BY
    }

    fn key(&self) -> &'static str {
        "ansible"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["ansible-pull", "git"]
    }

    fn packages(&self) -> &'static [&'static str] {
        &["ansible-core", "git"]
    }

    fn takeover(&self, host: &HostName, _: Option<&OrderId>) -> Result<Takeover, Vec<Unsupported>> {
        let Self { url, playbook, revision } = self;
        let wrong = |key, text: &str, expected| (!is_plain(text)).then(|| unsupported(key, text, expected));
        let playbook_is = wrong("playbook", playbook, "the path of a playbook in the repository");
        let revision_is =
            revision.as_ref().and_then(|revision| wrong("revision", revision, "a branch, tag or commit"));
        let refused: Vec<_> = playbook_is.into_iter().chain(revision_is).collect();
        if !refused.is_empty() {
            return Err(refused);
        }
        let checkout = revision.as_ref().map(|revision| format!(" --checkout {}", quote(revision)));
        let text = include_str!("ansible.sh")
            .replace("@HOST@", &quote(host.as_str()))
            .replace("@JUDGE@", &judge(OUTCOMES))
            .replace("@DIRECTORY@", CHECKOUT)
            .replace(" @CHECKOUT@", &checkout.unwrap_or_default())
            .replace("@PLAYBOOK@", &quote(playbook))
            // last: of the values, only this one could hold an `@`
            .replace("@URL@", &quote(&url.to_string()));
        Ok(Takeover { program: Program { mode: 0o700, text }, files: Vec::new(), units: Vec::new() })
    }
}

fn unsupported(key: &str, found: &str, expected: &str) -> Unsupported {
    let reason = format!("`{}` is not {expected} (letters, digits and `._/+-`)", found.escape_debug());
    Unsupported { key: format!("handoff.ansible.pull.{key}"), reason }
}

/// A relative path, or the name of a branch, tag or commit, that no shell, no Git and no option parser reads as anything
/// else.
fn is_plain(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/+-".contains(c))
        && text.split('/').all(|part| !part.is_empty() && part != ".." && !part.starts_with('-'))
}
