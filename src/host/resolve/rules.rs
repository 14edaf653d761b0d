//! Rules of single values that have no type of their own.

use super::Context;
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{RawProfile, RawTarget, Vars};
use crate::profile::source::Span;
use crate::profile::spanned::{Section, Spanned};
use crate::spec::order::WipePolicy;
use crate::value::DiskSelector;

/// Judges a text.
pub type TextRule = fn(&str) -> Result<(), String>;

const DEFAULT_REFUSAL_PAUSE: u32 = 600;
/// Long enough to read what went wrong, short enough that somebody waits for it.
const REFUSAL_PAUSES: std::ops::RangeInclusive<u32> = 10..=86_400;
const DEFAULT_CONFIRM: u32 = 10;
const LONGEST_CONFIRM: u32 = 3600;

fn words(text: &str, separator: char, allowed: &str) -> bool {
    text.len() <= 64
        && text.split(separator).all(|word| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || allowed.contains(c))
        })
}

/// `Area/City` or a single word; whether the target knows it, the target's checks tell.
pub fn timezone(text: &str) -> Result<(), String> {
    match words(text, '/', "_+-") {
        true => Ok(()),
        false => Err(format!("`{}` is not a time zone like `Europe/Berlin` or `UTC`", text.escape_debug())),
    }
}

/// `de_DE.UTF-8`, `C.UTF-8`, `sr_RS.UTF-8@latin`.
pub fn lang(text: &str) -> Result<(), String> {
    let (language, modifier) = text.split_once('@').unwrap_or((text, "x"));
    let (language, codeset) = language.split_once('.').unwrap_or((language, "x"));
    match words(language, '_', "") && words(codeset, '-', "") && words(modifier, '-', "") {
        true => Ok(()),
        false => Err(format!("`{}` is not a locale like `de_DE.UTF-8`", text.escape_debug())),
    }
}

/// `us`, `de`, `de-latin1`.
pub fn keyboard(text: &str) -> Result<(), String> {
    match words(text, '-', "_") {
        true => Ok(()),
        false => Err(format!("`{}` is not a keyboard layout like `us` or `de`", text.escape_debug())),
    }
}

/// What follows `console=`: a device, and for serial ones its speed (kernel documentation, serial-console).
pub fn console(text: &str) -> Result<(), String> {
    let (device, options) = text.split_once(',').unwrap_or((text, "0"));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    match plain(device)
        && plain(options)
        && device.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 32
    {
        true => Ok(()),
        false => Err(format!("`{}` is not a console like `tty0` or `ttyS0,115200n8`", text.escape_debug())),
    }
}

/// An absolute path that can stand in `/etc/passwd`.
pub fn shell(text: &str) -> Result<(), String> {
    let good = text.strip_prefix('/').is_some_and(|rest| words(rest, '/', "._+-"));
    match good && !text.contains("..") {
        true => Ok(()),
        false => Err(format!("`{}` is not the path of a shell like `/bin/bash`", text.escape_debug())),
    }
}

/// A name that templates can use.
fn variable(name: &str) -> Result<(), String> {
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let shown = name.escape_debug();
    match name {
        "host" | "site" => Err(format!("the variable `{shown}` is there already")),
        _ if good => Ok(()),
        _ => Err(format!("`{shown}` is not a variable's name (letters, digits, `_`)")),
    }
}

/// Names of all variables of a layer.
pub fn variables(vars: &Vars, diagnostics: &mut Vec<Diagnostic>) {
    for (name, value) in vars {
        if let Err(message) = variable(name) {
            diagnostics.push(Diagnostic::new(value.span.begin(), message));
        }
    }
}

/// Seconds of the countdown.
pub fn confirm(raw: Option<Spanned<u32>>, diagnostics: &mut Vec<Diagnostic>) -> u32 {
    let Some(Spanned { value, span }) = raw else { return DEFAULT_CONFIRM };
    if value > LONGEST_CONFIRM {
        let message = format!("a countdown of {value} seconds; at most {LONGEST_CONFIRM} are possible");
        diagnostics.push(Diagnostic::new(span, message));
    }
    value
}

/// Seconds that a machine waits after a refusal.
pub fn refusal_pause(raw: Option<&Spanned<u32>>, diagnostics: &mut Vec<Diagnostic>) -> u32 {
    let Some(&Spanned { value, span }) = raw else { return DEFAULT_REFUSAL_PAUSE };
    if !REFUSAL_PAUSES.contains(&value) {
        let (least, most) = (REFUSAL_PAUSES.start(), REFUSAL_PAUSES.end());
        let message = format!("a pause of {value} seconds; {least} to {most} are possible");
        diagnostics.push(Diagnostic::new(span, message));
    }
    value
}

/// Seconds that an image may be old.
pub fn max_age(raw: Option<&Spanned<String>>, diagnostics: &mut Vec<Diagnostic>) -> Option<u64> {
    let Spanned { value, span } = raw?;
    let age = super::site::duration(value).filter(|seconds| *seconds > 0);
    if age.is_none() {
        let message = format!("`{}` is not an age of an image", value.escape_debug());
        diagnostics.push(Diagnostic::new(*span, message).help("like `90d` or `36h`"));
    }
    age
}

/// The disk that the system is installed on.
pub fn target(
    context: &Context<'_>,
    raw: &RawProfile,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<DiskSelector> {
    selector(context, &raw.storage.value.target, raw.storage.span, "which disk is installed on", diagnostics)
}

/// A disk that only its model or size describe is another one as soon as the one that was meant is gone, so that what isn't
/// ours may be overwritten only on a disk that is named, or where the profile gives every disk that fits away.
pub fn wiped(
    context: &Context<'_>,
    raw: &RawProfile,
    target: Option<&DiskSelector>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let storage = &raw.storage.value;
    let Some(wipe) = storage.wipe.as_ref().filter(|wipe| wipe.value == WipePolicy::Foreign) else { return };
    let Some(target) = target.filter(|target| !target.names_one()) else { return };
    if context.damaged {
        return;
    }
    let message = format!(
        "`wipe: foreign` needs a disk that is named by serial number or WWN; `{target}` only describes one"
    );
    let help = "add the disk's `serial` or `wwn`; or say `wipe: any-match`: any disk that fits may be wiped, also another \
                one when the one that was meant is gone";
    let diagnostic = match storage.target.span {
        Some(place) => Diagnostic::new(place, message).related(wipe.span, "whatever it holds"),
        None => Diagnostic::new(wipe.span, message),
    };
    diagnostics.push(diagnostic.help(help));
}

/// What a disk must be.
pub fn selector(
    context: &Context<'_>,
    section: &Section<RawTarget>,
    around: Option<Span>,
    what: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<DiskSelector> {
    let RawTarget { serial, wwn, model, min_size, max_size } = section.value.clone();
    let span = section.span.or(around);
    if serial.is_none() && wwn.is_none() && model.is_none() && min_size.is_none() && max_size.is_none() {
        let help = "add `storage: { target: { serial: … } }`, or `wwn`, `model`, `min_size`, `max_size`";
        context.missing(diagnostics, span, &format!("nothing tells {what}"), help);
        return None;
    }
    // a serial number that is good alone isn't what is wrong
    let is_good = |serial: &&Spanned<String>| {
        DiskSelector::new(Some(serial.value.clone()), None, None, None, None).is_ok()
    };
    let wrong = serial.as_ref().filter(|serial| wwn.is_none() || !is_good(serial));
    let texts = wrong.or(wwn.as_ref()).map(|text| text.span);
    let place = texts.or(span).unwrap_or(Span::file(context.layer.source));
    let value = |text: Option<Spanned<String>>| text.map(|text| text.value);
    let selector = DiskSelector::new(
        value(serial),
        value(wwn),
        model.map(|model| model.value),
        min_size.map(|size| size.value),
        max_size.map(|size| size.value),
    );
    selector.map_err(|error| diagnostics.push(Diagnostic::new(place, error.to_string()))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_would_break_a_configuration_file_are_refused() {
        for (rule, good, bad) in [
            (timezone as TextRule, ["UTC", "Etc/GMT+1"], ["", "Europe/", "../etc/passwd", "a b"]),
            (lang, ["C.UTF-8", "sr_RS.UTF-8@latin"], ["", "de_DE UTF-8", "de;", "$LANG"]),
            (keyboard, ["us", "de-latin1"], ["", "us;", "u s", "-"]),
            (console, ["tty0", "ttyS0,115200n8"], ["", "console=tty0", "tty0 x", "ttyS0,"]),
            (shell, ["/bin/bash", "/usr/bin/zsh-5.9"], ["bash", "/bin/a:b", "/bin/../x", "/"]),
            (variable, ["a", "_B2"], ["2", "a-b", "host", ""]),
        ] {
            good.iter().for_each(|text| assert_eq!(rule(text), Ok(()), "{text}"));
            bad.iter().for_each(|text| assert!(rule(text).is_err(), "{text}"));
        }
    }
}
