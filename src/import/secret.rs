//! Lines without what could be a password: for reports, comments and notes.
//!
//! Errs on the side of hiding: whatever follows a word that sounds like a secret. Hashes are hidden as well; where they are
//! taken over, they stand in the profile. A line that ends up in a script isn't touched: it is the operator's.

/// What stands for a secret.
const MASK: &str = "****";
/// Longest line that is shown, in characters.
const LONGEST: usize = 300;
/// Words that announce a secret.
const SOUNDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "wpakey",
    "wepkey",
    "activationkey",
    "bindpw",
    "authkey",
    "psk",
];
/// Commands whose words without a name are secrets.
const COMMANDS: [&str; 2] = ["rootpw", "sshpw"];

/// A line as it may be shown: one line, not endless, and without secrets.
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    let mut hide = Hide::Nothing;
    for (gap, word) in pieces(text) {
        out.push_str(gap);
        let bare = word.trim_start_matches(['#', '-', '"', '\'']);
        let lower = bare.to_ascii_lowercase();
        if hide != Hide::Nothing && is_type(&lower) {
            out.push_str(word);
            continue;
        }
        if hide == Hide::Next || hide == Hide::Rest && !word.starts_with("--") {
            out.push_str(MASK);
            hide = if hide == Hide::Next && !opens_quote(word) { Hide::Nothing } else { Hide::Rest };
            continue;
        }
        // of a question its last part counts: `passwd/username` is no secret
        let last = lower.rsplit('/').next().unwrap_or_default().trim_end_matches([':', '=']);
        let option = word.trim_start_matches('#').starts_with('-')
            || lower.contains('/')
            || word.ends_with([':', '=']);
        let sounds = SOUNDS.iter().any(|sound| last == *sound || option && last.contains(sound));
        match word.split_once(['=', ':']).filter(|(name, value)| sounds_secret(name) && !value.is_empty()) {
            Some((name, value)) => {
                out.push_str(&word[..=name.len()]);
                out.push_str(MASK);
                if opens_quote(value) {
                    hide = Hide::Rest;
                }
            }
            None if bare.starts_with('$') && bare.matches('$').count() >= 3 => out.push_str(MASK),
            None => {
                out.push_str(word);
                if COMMANDS.contains(&lower.as_str()) {
                    hide = Hide::Rest;
                } else if sounds {
                    hide = if lower.contains('/') { Hide::Rest } else { Hide::Next };
                }
            }
        }
    }
    let line: String = out.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if out.chars().count() > LONGEST { line + "…" } else { line }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hide {
    Nothing,
    /// The next word.
    Next,
    /// All words without a name of their own.
    Rest,
}

fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SOUNDS.iter().any(|sound| name.contains(sound))
}

fn opens_quote(word: &str) -> bool {
    ['"', '\''].iter().any(|quote| word.starts_with(*quote) && !(word.len() > 1 && word.ends_with(*quote)))
}

/// debconf's types stand between a question and its answer.
fn is_type(word: &str) -> bool {
    matches!(
        word,
        "string" | "password" | "boolean" | "select" | "multiselect" | "note" | "text" | "seen" | "is"
    )
}

/// The words of a text, each with what stands before it.
fn pieces(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let start = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let (gap, after) = rest.split_at(start);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (word, left) = after.split_at(end);
        rest = left;
        Some((gap, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_password_is_hidden() {
        for (line, wanted) in [
            ("rootpw --plaintext hunter2", "rootpw --plaintext ****"),
            ("rootpw hunter2", "rootpw ****"),
            ("#rootpw hunter2", "#rootpw ****"),
            ("user --name=a --password=hunter2 --uid=5", "user --name=a --password=**** --uid=5"),
            ("user --name=a --password hunter2 --uid=5", "user --name=a --password **** --uid=5"),
            ("user --password \"two words\" --lock", "user --password **** **** --lock"),
            ("part / --passphrase='a b' --encrypted", "part / --passphrase=**** **** --encrypted"),
            ("d-i passwd/user-password password hunter2 x", "d-i passwd/user-password password **** ****"),
            ("d-i passwd/username string ops", "d-i passwd/username string ops"),
            ("# weak passwords will be refused", "# weak passwords will be refused"),
            ("# the password hunter2", "# the password ****"),
            ("bootloader --password=grub.pbkdf2.x", "bootloader --password=****"),
            ("    password: hunter2", "    password: ****"),
            ("hash $6$abc$def", "hash ****"),
            ("lang en_US.UTF-8", "lang en_US.UTF-8"),
        ] {
            assert_eq!(shown(line), wanted);
        }
    }

    #[test]
    fn a_line_is_one_line_and_not_endless() {
        assert_eq!(shown("a\tb\u{1b}[2J"), "a b [2J");
        assert_eq!(shown(&"x".repeat(10_000)).chars().count(), LONGEST + 1);
    }
}
