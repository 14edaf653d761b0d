//! `root:` and `users:`.

use super::{Context, rules};
use crate::host::{Host, Scripts};
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{RawRoot, RawUser};
use crate::profile::rule;
use crate::profile::source::{SourceId, Span};
use crate::profile::spanned::{List, Section, Spanned};
use crate::spec::system::{RootAccount, User};
use crate::value::AccountName;

/// Ids of people: below are the system's, above containers and `nobody`.
const UIDS: std::ops::RangeInclusive<u32> = 1000..=59_999;

/// The root account.
pub fn root(raw: Section<RawRoot>) -> RootAccount {
    let RawRoot { password, ssh_keys } = raw.value;
    RootAccount { password: password.map(|hash| hash.value), ssh_keys: values(ssh_keys) }
}

/// The other accounts.
pub fn users(context: &Context<'_>, raw: List<RawUser>, diagnostics: &mut Vec<Diagnostic>) -> Vec<User> {
    let mut names: Vec<(AccountName, Span)> = Vec::new();
    let mut uids: Vec<(u32, Span)> = Vec::new();
    let mut users = Vec::new();
    for Spanned { value: user, span } in raw.items {
        let RawUser { name, full_name, uid, password, groups, ssh_keys, sudo, shell } = user;
        let Some(name) = name else {
            context.missing(diagnostics, Some(span), "a user without a name", "add `name: NAME`");
            continue;
        };
        if name.value.as_str() == "root" {
            let diagnostic = Diagnostic::new(name.span, "root is not one of the users");
            diagnostics.push(diagnostic.help("it has a section of its own: `root:`"));
        }
        once("the user", &mut names, &name, diagnostics);
        if let Some(uid) = &uid {
            if !UIDS.contains(&uid.value) {
                let message =
                    format!("the user id {} is not from {} to {}", uid.value, UIDS.start(), UIDS.end());
                diagnostics.push(Diagnostic::new(uid.span, message));
            }
            once("the user id", &mut uids, uid, diagnostics);
        }
        if let Some(shell) = &shell
            && let Err(message) = rules::shell(&shell.value)
        {
            diagnostics.push(Diagnostic::new(shell.span, message));
        }
        users.push(User {
            name: name.value,
            full_name: full_name.map(|name| name.value),
            uid: uid.map(|uid| uid.value),
            password: password.map(|hash| hash.value),
            groups: values(groups),
            ssh_keys: values(ssh_keys),
            sudo: sudo.map(|sudo| sudo.value).unwrap_or_default(),
            shell: shell.map_or_else(|| "/bin/bash".to_owned(), |shell| shell.value),
        });
    }
    users
}

/// What to say of a host that nobody can log into, and that nobody takes over who could change that.
pub fn no_login(host: &Host, source: SourceId) -> Option<Diagnostic> {
    let shut = |user: &User| ["/nologin", "/false"].iter().any(|shell| user.shell.ends_with(shell));
    let open = |user: &User| !shut(user) && (user.password.is_some() || !user.ssh_keys.is_empty());
    let by_root = host.root.password.is_some() || !host.root.ssh_keys.is_empty();
    let Scripts { pre: _, post, post_outside, first_boot, on_error: _ } = &host.scripts;
    let by_script = [post, post_outside, first_boot].into_iter().any(|scripts| !scripts.is_empty());
    if host.users.iter().any(open) || by_root || by_script || host.handoff.is_some() {
        return None;
    }
    let message = "nobody can log in: no user and no root with a password or a key, and no hand-off that would bring one";
    let help = "add `users: [{ name: …, ssh_keys: […] }]`; or waive `no-login` in site.yaml where the image brings an account";
    let diagnostic = Diagnostic::new(Span::file(source), message).help(help);
    Some(diagnostic.rule(&rule::NO_LOGIN, [host.name.to_string()]))
}

fn once<T: PartialEq + Clone + std::fmt::Display>(
    what: &str,
    seen: &mut Vec<(T, Span)>,
    this: &Spanned<T>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    match seen.iter().find(|(known, _)| *known == this.value) {
        Some((_, first)) => {
            let message = format!("{what} {} stands here a second time", this.value);
            diagnostics.push(Diagnostic::new(this.span, message).related(*first, "the first time"));
        }
        None => seen.push((this.value.clone(), this.span)),
    }
}

fn values<T>(list: List<T>) -> Vec<T> {
    list.items.into_iter().map(|item| item.value).collect()
}
