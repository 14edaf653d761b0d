//! `site.yaml` → [`Site`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::rules;
use crate::host::{InstallerFiles, Site};
use crate::profile::diag::Diagnostic;
use crate::profile::load::Shared;
use crate::profile::raw::{RawDebianInstaller, RawInstallerFiles, RawSite};
use crate::profile::source::Span;
use crate::profile::spanned::Spanned;
use crate::spec::installer::DebianRelease;
use crate::value::HttpUrl;

const DEFAULT_VALIDITY: u64 = 7 * 86_400;
const LONGEST_VALIDITY: u64 = 366 * 86_400;

/// Checks and completes the site's values.
pub fn resolve(shared: &Shared, diagnostics: &mut Vec<Diagnostic>) -> Site {
    let raw = &shared.site;
    let name = match &raw.name {
        Some(name) => {
            if name.value.trim().is_empty() || name.value.chars().any(char::is_control) {
                diagnostics.push(Diagnostic::new(name.span, "the site's name must be one line of text"));
            }
            name.value.clone()
        }
        None => {
            if !shared.site_damaged {
                let diagnostic = Diagnostic::new(Span::file(shared.site_source), "the site has no name");
                diagnostics.push(diagnostic.help("add `name: NAME`"));
            }
            String::new()
        }
    };
    let validity = raw.order_validity.as_ref().map(|text| (text, duration(&text.value)));
    let order_validity = match validity {
        None => DEFAULT_VALIDITY,
        Some((_, Some(seconds))) if (3600..=LONGEST_VALIDITY).contains(&seconds) => seconds,
        Some((text, _)) => {
            let shown = text.value.escape_debug();
            let message = format!("`{shown}` is not a time that an order can be valid");
            diagnostics.push(Diagnostic::new(text.span, message).help("1h to 366d, like `36h` or `7d`"));
            DEFAULT_VALIDITY
        }
    };
    rules::variables(&raw.vars, diagnostics);
    let url = |raw: &Option<Spanned<HttpUrl>>| raw.as_ref().map(|url| url.value.clone());
    let debian_installer = debian_installers(raw, diagnostics);
    Site { name, server: url(&raw.server), exports: url(&raw.exports), debian_installer, order_validity }
}

fn debian_installers(
    raw: &RawSite,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<DebianRelease, InstallerFiles> {
    let RawDebianInstaller { debian_12, debian_13 } = &raw.debian_installer.value;
    let mut found = BTreeMap::new();
    for (release, files) in [(DebianRelease::Debian12, debian_12), (DebianRelease::Debian13, debian_13)] {
        let Some(span) = files.span else { continue };
        let mut path = |key: &str, path: &Option<Spanned<String>>| match path {
            Some(path) if !path.value.trim().is_empty() => Some(PathBuf::from(&path.value)),
            path => {
                let place = path.as_ref().map_or(span, |path| path.span);
                let message = format!("{release}'s installer has no `{key}`");
                let help = "add `kernel` and `initrd` of its netboot images, and `udebs`, a directory with the module \
                            packages of that kernel";
                diagnostics.push(Diagnostic::new(place, message).help(help));
                None
            }
        };
        let RawInstallerFiles { kernel, initrd, udebs } = &files.value;
        let paths = (path("kernel", kernel), path("initrd", initrd), path("udebs", udebs));
        if let (Some(kernel), Some(initrd), Some(udebs)) = paths {
            found.insert(release, InstallerFiles { kernel, initrd, udebs });
        }
    }
    found
}

pub(super) fn duration(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    number.parse::<u64>().ok()?.checked_mul(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validity_has_a_unit() {
        assert_eq!(duration("7d"), Some(604_800));
        assert_eq!(duration("36h"), Some(129_600));
        for text in ["", "d", "7", "-1d", "+1d", "7 d", "7ä", "99999999999999999999d", "9999999999999999999d"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
