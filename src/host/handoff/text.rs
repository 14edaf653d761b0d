//! What texts of hand-offs have in common: how they are looked at, and what of them may be shown.

/// Takes a text without NUL.
///
/// # Errors
/// `why` it can't be taken.
pub(super) fn no_nul(text: &str, why: &str) -> Result<(), String> {
    match text.contains('\0') {
        true => Err(format!("it holds a NUL character; {why}")),
        false => Ok(()),
    }
}

/// The first word of a line that says what a text is, and nothing of any other: it may be a secret.
pub(super) fn shown(line: &str) -> String {
    let word = line.split_ascii_whitespace().next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "#!/_-".contains(c);
    match word.starts_with('#') && word.len() <= 40 && word.chars().all(plain) {
        true => word.to_owned(),
        false => "…".to_owned(),
    }
}
