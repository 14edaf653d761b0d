//! Which label an image's own SELinux policy gives a path: what `restorecon` would set there, said without running it.
//!
//! The agent writes into a tree whose policy isn't loaded, so no kernel labels what it makes, and an enforcing system can't read what
//! has no label. Import reads the policy by the same functions, so that one that can't be used is found before any disk is wiped.
//!
//! Promises: the label is that of `selabel_lookup` of libselinux on the same text files; no answer where that has none. Don't "correct" a policy
//! here: what its own tools would make of it is right.
//!
//! Sources, all of libselinux (read at 3.4, which Debian 12 has, and at 3.11): `src/selinux_config.c` for `/etc/selinux/config`;
//! `src/label_file.c`, `init`, for the files and their order; `selabel_sub_key` there for the substitutions; `src/label_file.h`,
//! `process_line` and `sort_specs`, for a line and for exact paths; `lookup_all` for who wins; `src/regex.c` for PCRE's flags.

mod contexts;
mod pattern;

pub use self::contexts::{Contexts, Kind};
use super::{Incompatible, Judged, RootView};

/// What says whether SELinux is in use, and by which policy.
pub const CONFIG: &str = "/etc/selinux/config";
/// The policy of a system that doesn't say (`SELINUXDEFAULT`).
const DEFAULT_POLICY: &str = "targeted";

/// What `SELINUX=` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What the policy forbids is refused.
    Enforcing,
    /// What it forbids is only noted.
    Permissive,
    /// No policy is loaded, or nothing says that one is.
    Disabled,
}

impl Mode {
    /// Reads `/etc/selinux/config`: the first line that says something known counts, in any case, and what stands behind the word doesn't.
    pub fn of_config(text: &str) -> Self {
        let known = |line: &str| {
            let word = line.strip_prefix("SELINUX=")?.trim_start().to_ascii_lowercase();
            let modes = [
                ("enforcing", Self::Enforcing),
                ("permissive", Self::Permissive),
                ("disabled", Self::Disabled),
            ];
            modes.into_iter().find(|(name, _)| word.starts_with(name)).map(|(_, mode)| mode)
        };
        text.lines().find_map(known).unwrap_or(Self::Disabled)
    }
}

/// The contexts of the tree's policy; `None` where no policy is in use.
///
/// # Errors
/// When the tree can't be read. A policy that is in use and can't be read is [`Incompatible`].
pub fn contexts(tree: &dyn RootView) -> Judged<Option<Contexts>> {
    let config = tree.text(CONFIG)?.unwrap_or_default();
    let mode = Mode::of_config(&config);
    if mode == Mode::Disabled {
        return Ok(Ok(None));
    }
    let name = policy_name(&config);
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        let message =
            format!("`SELINUXTYPE={}` of {CONFIG} is not the name of a policy", name.escape_debug());
        return Ok(Err(Incompatible::one(message)));
    }
    let main = format!("/etc/selinux/{name}/contexts/files/file_contexts");
    let Some(text) = tree.text(&main)? else {
        // one that only takes notes starts without a policy too
        return Ok(match mode {
            Mode::Permissive | Mode::Disabled => Ok(None),
            Mode::Enforcing => Err(Incompatible::one(format!(
                "{CONFIG} enforces SELinux and there is no {main}, so files that are written at the install would have no label; install the policy in the image (package selinux-policy-{name}), or write SELINUX=disabled"
            ))),
        });
    };
    let mut found = Contexts::default();
    if let Err(wrong) = found.add(&main, &text) {
        return Ok(Err(wrong));
    }
    for more in ["homedirs", "local"] {
        let path = format!("{main}.{more}");
        if let Some(text) = tree.text(&path)?
            && let Err(wrong) = found.add(&path, &text)
        {
            return Ok(Err(wrong));
        }
    }
    let substitutions =
        |more: &str| Ok::<_, anyhow::Error>(tree.text(&format!("{main}.{more}"))?.unwrap_or_default());
    found.substitute(&substitutions("subs")?, &substitutions("subs_dist")?);
    Ok(Ok(Some(found)))
}

/// Judges a policy whole, with each pattern that a lookup may meet: for import, since it takes a tenth of a second.
///
/// # Errors
/// When the tree can't be read.
pub fn judge(tree: &dyn RootView) -> Judged<()> {
    Ok(match contexts(tree)? {
        Ok(Some(contexts)) => contexts.judge(),
        Ok(None) => Ok(()),
        Err(wrong) => Err(wrong),
    })
}

/// The last `SELINUXTYPE=` counts.
fn policy_name(config: &str) -> String {
    const KEY: &str = "SELINUXTYPE=";
    let value = |line: &str| {
        let line = line.trim_start();
        let key = line.get(..KEY.len())?;
        key.eq_ignore_ascii_case(KEY).then(|| line[KEY.len()..].trim().to_owned())
    };
    config.lines().filter_map(value).next_back().unwrap_or_else(|| DEFAULT_POLICY.to_owned())
}

#[cfg(test)]
pub(crate) mod matchpathcon_tests;
#[cfg(test)]
mod tests;
