//! What the texts of a hand-off must be like, so that they mean what they say on the machine.
//!
//! The one owner of these rules: `resolve` shows them at their place in the profile, and the hand-off asks again where a
//! text becomes a file or a command.

/// What user-data may begin with (cloud-init's `INCLUSION_TYPES_MAP`); MIME and scripts beside it.
const HEADERS: [&str; 8] = [
    "#cloud-config",
    "#cloud-config-archive",
    "#cloud-config-jsonp",
    "#cloud-boothook",
    "#include",
    "#include-once",
    "#part-handler",
    "## template: jinja",
];

/// cloud-init ignores user-data whose first line it doesn't know, and calls that success.
///
/// # Errors
/// What was found.
pub fn user_data(text: &str) -> Result<(), String> {
    let first = text.lines().next().unwrap_or_default();
    let lower = first.to_ascii_lowercase();
    let known = first.starts_with("#!")
        || HEADERS.iter().any(|header| first.trim_end() == *header)
        || ["mime-version:", "content-type:"].iter().any(|header| lower.starts_with(header));
    if !known {
        return Err(format!(
            "the first line is `{}`, which cloud-init ignores; expected `#cloud-config`, `#!` with an interpreter, or another of its formats",
            shown(first)
        ));
    }
    no_nul(text, "cloud-init takes text only")
}

/// The kernel must find an interpreter.
///
/// # Errors
/// What was found.
pub fn script(text: &str) -> Result<(), String> {
    let first = text.split('\n').next().unwrap_or_default();
    if !first.strip_prefix("#!").is_some_and(|program| program.trim_start().starts_with('/')) {
        return Err(format!(
            "the first line is `{}`, expected `#!` and the path of an interpreter (like `#!/bin/sh`)",
            shown(first)
        ));
    }
    if first.ends_with('\r') {
        return Err(
            "lines end as on Windows (CR LF); the kernel would look for an interpreter named with a CR"
                .to_owned(),
        );
    }
    no_nul(text, "binaries can't be handed off")
}

/// A relative path, or the name of a branch, tag or commit, that no shell, no Git and no option parser reads as anything
/// else.
pub fn is_plain(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/+-".contains(c))
        && text.split('/').all(|part| !part.is_empty() && part != ".." && !part.starts_with('-'))
}

fn no_nul(text: &str, why: &str) -> Result<(), String> {
    match text.contains('\0') {
        true => Err(format!("it holds a NUL character; {why}")),
        false => Ok(()),
    }
}

/// The first word of a line that says what a text is, and nothing of any other: it may be a secret.
fn shown(line: &str) -> String {
    let word = line.split_ascii_whitespace().next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "#!/_-".contains(c);
    match word.starts_with('#') && word.len() <= 40 && word.chars().all(plain) {
        true => word.to_owned(),
        false => "…".to_owned(),
    }
}
