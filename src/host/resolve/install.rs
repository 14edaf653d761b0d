//! What is installed and done beside disks and network: release, software, boot, scripts.

use super::{Context, handoff, rules};
use crate::grammar::cloud_config::Version;
use crate::host::handoff::check_script;
use crate::host::model::{Boot, Finish, Installer, Os, Repository, Script, Scripted, Scripts};
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{
    RawBoot, RawFinish, RawInstaller, RawOs, RawPolicy, RawProfile, RawRepository, RawScripts,
};
use crate::profile::source::Span;
use crate::profile::spanned::{List, Section, Spanned};
use crate::value::StorageId;

/// Who installs.
pub fn installer(raw: &RawProfile) -> Installer {
    match raw.installer.as_ref().map(|installer| installer.value) {
        None | Some(RawInstaller::Native) => Installer::Native,
        Some(RawInstaller::Anaconda) => Installer::Anaconda,
        Some(RawInstaller::DebianInstaller) => Installer::DebianInstaller,
        Some(RawInstaller::Subiquity) => Installer::Subiquity,
    }
}

/// A release as the model knows it.
pub fn release(os: RawOs) -> Os {
    match os {
        RawOs::El8 => Os::El8,
        RawOs::El9 => Os::El9,
        RawOs::El10 => Os::El10,
        RawOs::Fedora43 => Os::Fedora43,
        RawOs::Fedora44 => Os::Fedora44,
        RawOs::Fedora45 => Os::Fedora45,
        RawOs::Debian12 => Os::Debian12,
        RawOs::Debian13 => Os::Debian13,
        RawOs::Ubuntu2204 => Os::Ubuntu2204,
        RawOs::Ubuntu2404 => Os::Ubuntu2404,
    }
}

/// The cloud-init of what a distribution's installer installs; that of a golden image shows in the image.
pub fn cloud_init(os: Option<Os>, image: bool) -> Option<Version> {
    match os.filter(|_| !image)? {
        Os::Debian12 => Some(Version::V22_4),
        // 24.04's takes what 25.1 takes
        Os::Debian13 | Os::Ubuntu2404 => Some(Version::V25_1),
        Os::El8 | Os::El9 | Os::El10 | Os::Fedora43 | Os::Fedora44 | Os::Fedora45 | Os::Ubuntu2204 => None,
    }
}

/// What is installed; it must be said where a distribution's installer does it, and be that distribution's.
pub fn os(
    context: &Context<'_>,
    raw: &RawProfile,
    installer: Installer,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Os> {
    let Some(os) = &raw.os else {
        if installer != Installer::Native {
            let span = raw.installer.as_ref().map(|installer| installer.span);
            let releases: Vec<_> =
                Os::ALL.iter().filter(|os| os.installer() == installer).map(|os| format!("`{os}`")).collect();
            let help = format!("add `os:` with one of {}", releases.join(", "));
            context.missing(diagnostics, span, "which release is installed isn't said", help);
        }
        return None;
    };
    let release = release(os.value);
    if let Some(by) =
        raw.installer.as_ref().filter(|_| installer != Installer::Native && release.installer() != installer)
    {
        let message = format!("{release} isn't what this installer installs");
        diagnostics.push(Diagnostic::new(os.span, message).related(by.span, "the installer"));
    }
    Some(release)
}

/// Where more packages are.
pub fn repositories(
    context: &Context<'_>,
    raw: List<RawRepository>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Repository> {
    let mut seen: Vec<(StorageId, Span)> = Vec::new();
    let mut repositories = Vec::new();
    for Spanned { value: RawRepository { id, url, suite, components, key }, span } in raw.items {
        let (Some(id), Some(url)) = (id, url) else {
            let help = "add `id: NAME` and `url: http://…`";
            context.missing(diagnostics, Some(span), "a repository needs its name and its address", help);
            continue;
        };
        match seen.iter().find(|(known, _)| *known == id.value) {
            Some((_, first)) => {
                let message = format!("the repository `{}` stands here a second time", id.value);
                diagnostics.push(Diagnostic::new(id.span, message).related(*first, "the first time"));
            }
            None => seen.push((id.value.clone(), id.span)),
        }
        for text in suite.iter().chain(&components.items) {
            let good = text.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b));
            if text.value.is_empty() || !good || text.value.starts_with('-') {
                let message = format!("`{}` is no suite or component", text.value.escape_debug());
                diagnostics.push(Diagnostic::new(text.span, message));
            }
        }
        let flat = suite.as_ref().filter(|suite| suite.value.ends_with('/'));
        if let (Some(flat), false) = (flat, components.items.is_empty()) {
            let message = "a suite that ends in `/` is a directory, which has no components";
            diagnostics
                .push(Diagnostic::new(flat.span, message).help("leave `components` out, or name a suite"));
        }
        repositories.push(Repository {
            id: id.value,
            url: url.value,
            suite: suite.map(|suite| suite.value),
            components: components.items.into_iter().map(|component| component.value).collect(),
            key: key.map(|key| key.value),
        });
    }
    repositories
}

/// Consoles and the boot loader.
pub fn boot(raw: Section<RawBoot>, diagnostics: &mut Vec<Diagnostic>) -> Boot {
    let RawBoot { consoles, password } = raw.value;
    let consoles = consoles.items.into_iter().map(|console| {
        if let Err(message) = rules::console(&console.value) {
            diagnostics.push(Diagnostic::new(console.span, message));
        }
        console.value
    });
    Boot { consoles: consoles.collect(), password: password.map(|password| password.value) }
}

/// The site's scripts.
pub fn scripts(
    context: &Context<'_>,
    raw: &RawProfile,
    templates: &handoff::Templates<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Scripts {
    let RawScripts { pre, post, post_outside, first_boot, on_error } = &raw.scripts.value;
    let mut read = |paths: &List<String>| {
        let mut scripts = Vec::new();
        for path in &paths.items {
            let Some((content, place)) = templates.text(context, raw, path, diagnostics) else { continue };
            if let Err(message) = check_script(&content) {
                diagnostics.push(Diagnostic::new(place, message));
            }
            scripts.push(Script { name: path.value.clone(), content });
        }
        scripts
    };
    Scripts {
        pre: read(pre),
        post: read(post),
        post_outside: read(post_outside),
        first_boot: read(first_boot),
        on_error: read(on_error),
    }
}

/// How it ends.
pub fn finish(raw: &Option<Spanned<RawFinish>>) -> Finish {
    match raw.as_ref().map(|finish| finish.value) {
        None | Some(RawFinish::Reboot) => Finish::Reboot,
        Some(RawFinish::Poweroff) => Finish::Poweroff,
    }
}

/// What is allowed.
pub fn scripted(raw: &RawPolicy) -> Scripted {
    match &raw.allow_scripted {
        Some(Spanned { value: true, .. }) => Scripted::Allowed,
        Some(Spanned { value: false, .. }) | None => Scripted::Refused,
    }
}
