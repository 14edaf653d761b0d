//! Lines without what could be a password: for reports, comments and notes.
//!
//! Errs on the side of hiding: whatever follows a word that sounds like a secret, misspelt too, and all of a line that hands one
//! to a program. Hashes are hidden as well; where they are taken over, they stand in the profile. A line that ends up in a script
//! isn't touched: it is the operator's.

use crate::value::slips;

/// What stands for a secret.
const MASK: &str = "****";
/// Longest line that a report shows, in characters.
const LONGEST: usize = 300;
/// What names of secrets hold, without dashes.
const SOUNDS: [&str; 18] = [
    "password",
    "rootpw",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "wpakey",
    "wepkey",
    "wirelesswpa",
    "wirelesswep",
    "activationkey",
    "privatekey",
    "apikey",
    "bindpw",
    "authkey",
    "psk",
    "wpapsk",
];
/// Names of secrets where they stand alone: `key: …`, but not `authorized-keys: …` or `apt-setup/local0/key`.
const ALONE: [&str; 5] = ["key", "pass", "pw", "pwd", "private"];
/// Commands whose words without a name are secrets.
const COMMANDS: [&str; 2] = ["rootpw", "sshpw"];

/// A line as a report may show it: one line, not endless, and without secrets.
pub fn shown(text: &str) -> String {
    shown_or_cut(text).0
}

/// The same, and whether it was cut because the line was endless.
pub fn shown_or_cut(text: &str) -> (String, bool) {
    let masked = masked(text);
    let mut chars = masked.chars();
    let line: String = chars.by_ref().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.next().is_some() { (line + "…", true) } else { (line, false) }
}

/// A text without secrets; its lines stay lines.
pub fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut hide = Hide::Nothing;
    for line in logical_lines(text) {
        if let Some(program) = handed_over(line) {
            let (said, end) = line.strip_suffix('\n').map_or((line, ""), |said| (said, "\n"));
            let parts = said.split('\n').map(|part| match part.contains(program) {
                true => format!("{MASK} {program} {MASK}"),
                false => MASK.to_owned(),
            });
            out.push_str(&(parts.collect::<Vec<_>>().join("\n") + end));
            hide = Hide::Nothing;
            continue;
        }
        hide = mask_line(line, hide, &mut out);
        if hide == Hide::Rest {
            hide = Hide::Nothing;
        }
    }
    out
}

fn mask_line(line: &str, hide: Hide, out: &mut String) -> Hide {
    let mut masker = Masker { out, hide, asked: false };
    for (gap, word) in pieces(line) {
        masker.out.push_str(gap);
        if !word.is_empty() {
            masker.word(word);
        }
    }
    masker.hide
}

/// Goes through the words of a line.
struct Masker<'o> {
    out: &'o mut String,
    /// What the words so far hide.
    hide: Hide,
    /// The word before is a question of debconf, whose type stands between it and its answer.
    asked: bool,
}

impl Masker<'_> {
    fn word(&mut self, word: &str) {
        let bare = word.trim_start_matches(BEFORE);
        let lower = bare.to_ascii_lowercase();
        if self.asked && is_type(&lower) {
            return self.out.push_str(word);
        }
        self.asked = false;
        if self.hides(word) {
            return;
        }
        if let Some(value) = named_value(word) {
            self.out.push_str(&word[..value]);
            return self.mask(word, None, self.hide);
        }
        if is_hash(bare) {
            return self.out.push_str(MASK);
        }
        self.out.push_str(&without_userinfo(word));
        match announced(word, &lower) {
            Some(Announced::Value) => self.hide = Hide::Next,
            Some(Announced::Words) => self.hide = Hide::Rest,
            Some(Announced::Answer) => (self.hide, self.asked) = (Hide::Rest, true),
            None => {}
        }
    }

    /// Writes a word that those before it have a say in; whether they have.
    fn hides(&mut self, word: &str) -> bool {
        match self.hide {
            // the text begins on the next line
            Hide::Next if matches!(word.trim_end_matches(['-', '+']), "|" | ">") => {
                self.out.push_str(word);
                self.hide = Hide::All;
            }
            Hide::Next if matches!(word, "=" | ":") => self.out.push_str(word),
            Hide::Next if word != "\\" => self.mask(word, None, Hide::Nothing),
            Hide::Rest if !word.starts_with("--") && word != "\\" => self.mask(word, None, Hide::Rest),
            Hide::Quote(quote) => self.mask(word, Some(quote), Hide::Nothing),
            Hide::All => self.out.push_str(MASK),
            _ => return false,
        }
        true
    }

    /// Hides a word, and with it the rest of what it begins.
    fn mask(&mut self, word: &str, quote: Option<char>, otherwise: Hide) {
        self.out.push_str(MASK);
        self.hide = after(word, quote, otherwise);
    }
}

/// The secret that a word announces.
enum Announced {
    /// The next word.
    Value,
    /// The words of a command.
    Words,
    /// The answer to debconf's question.
    Answer,
}

/// What a word announces, which is `lower` without what stands before its name.
fn announced(word: &str, lower: &str) -> Option<Announced> {
    if COMMANDS.iter().any(|command| is_slip(lower, command)) {
        return Some(Announced::Words);
    }
    // of a question its last part counts: `passwd/username` is no secret
    let written = lower.rsplit('/').next().unwrap_or_default().trim_end_matches([':', '=', '"', '\'']);
    let last = plain(written);
    let question = lower.contains('/');
    let ends_name = word.ends_with([':', '=']);
    let option = word.trim_start_matches('#').starts_with('-') || question || ends_name;
    let alone = (ALONE.contains(&last.as_str()) || ends_name && is_key(&last))
        && !question
        && (ends_name || word.starts_with('-') && lower.len() + 2 >= word.len() && word.len() > 3);
    let secret = alone || SOUNDS.contains(&last.as_str()) || option && sounds(&last, written);
    secret.then_some(if question { Announced::Answer } else { Announced::Value })
}

/// What may stand before a name.
const BEFORE: [char; 9] = ['#', '-', '"', '\'', '{', '[', '(', ',', '`'];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hide {
    Nothing,
    /// The next word.
    Next,
    /// All words of the line without a name of their own.
    Rest,
    /// All up to the end of a quotation.
    Quote(char),
    /// All that follows.
    All,
}

/// What is hidden after a hidden word: the rest of its quotation, and the word that it is joined with by `\ `.
fn after(word: &str, mut quote: Option<char>, otherwise: Hide) -> Hide {
    let mut escaped = false;
    for c in word.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    match (quote, escaped) {
        (Some(quote), _) => Hide::Quote(quote),
        (None, true) if otherwise == Hide::Nothing => Hide::Next,
        _ => otherwise,
    }
}

/// A name in one spelling.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_ascii_lowercase()
}

/// Where a value begins whose name sounds like a secret's: `--password=x`.
fn named_value(word: &str) -> Option<usize> {
    // nobody's secret is named further behind, and a word can be as long as the file
    let ends = word.match_indices(['=', ':']).take(20).map(|(at, _)| at + 1);
    let mut ends = ends.filter(|end| *end < word.len() && !word[*end..].starts_with("//"));
    ends.find(|end| {
        let name = &word[..end - 1];
        let own =
            name.rsplit(['=', ':', ',', ';', '&', '?', '{', '[', '(', '"', '\'']).find(|own| !own.is_empty());
        let own = plain(own.unwrap_or_default());
        ALONE.contains(&own.as_str()) || is_key(&own) || sounds(&plain(name), name)
    })
}

/// Whether a name, in one spelling, sounds like a secret's, or one of the words that it is written with nearly does.
fn sounds(plain: &str, written: &str) -> bool {
    let has = SOUNDS.iter().any(|sound| plain.contains(sound));
    has || written
        .split(|c: char| !c.is_ascii_alphanumeric())
        .chain([plain])
        .any(|word| SOUNDS.iter().any(|sound| is_slip(&word.to_ascii_lowercase(), sound)))
}

/// `tlskey`, `consumerkey`: but a package archive's key is none, and an SSH key that may log in is public.
fn is_key(plain: &str) -> bool {
    plain.ends_with("key") && !["key", "gpgkey", "sshkey", "publickey", "hotkey"].contains(&plain)
}

/// Whether a word is another, or a slip of it: one, or two in a long word. Not [`crate::value::nearest`]'s rule: this one decides
/// what is hidden, and neither may hide every short word nor show `pasword`.
fn is_slip(word: &str, meant: &str) -> bool {
    let most = match meant.len() {
        ..5 => 0,
        5..8 => 1,
        _ => 2,
    };
    word.len().abs_diff(meant.len()) <= most && slips(word, meant) <= most
}

fn is_hash(bare: &str) -> bool {
    let crypted = bare.find('$').is_some_and(|at| bare[at..].matches('$').count() >= 3);
    crypted || bare.contains("grub.pbkdf2.")
}

/// A word without what stands before the host of an address.
fn without_userinfo(word: &str) -> String {
    let (mut out, mut rest) = (String::new(), word);
    let Some(last) = word.rfind('@') else { return word.to_owned() };
    if let (false, Some(colon)) = (word.contains("://"), word[..last].find(':')) {
        // `ops:hunter2@host`; `key: ops@host` has a blank between
        return if colon > 0 { format!("{MASK}{}", &word[last..]) } else { word.to_owned() };
    }
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let authority = after.find(['/', '?', '#']).unwrap_or(after.len());
        let port = after[..authority].rsplit(':').next().unwrap_or_default();
        let end = match after[..authority].rfind('@') {
            Some(end) => Some(end),
            // a password with a slash in it
            None if after[..authority].contains(':') && !port.chars().all(|c| c.is_ascii_digit()) => {
                last.checked_sub(word.len() - after.len())
            }
            None => None,
        };
        rest = match end {
            Some(end) => {
                out.push_str(MASK);
                &after[end..]
            }
            None => after,
        };
    }
    out + rest
}

/// The program to which a line hands a secret, in its input or among words that nothing names.
fn handed_over(line: &str) -> Option<&'static str> {
    let words = || pieces(line).map(|(_, word)| word);
    let is = |word: &str, program: &str| {
        let word =
            word.trim_matches(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.')));
        let name = word.rsplit_once("bin/").map_or(word, |(_, name)| name);
        // `a;passwd` and `$(passwd`
        name.rsplit([';', '|', '&', '(', '`', '"', '\'']).next() == Some(program)
    };
    let runs = |program: &str| words().any(|word| is(word, program));
    if let Some(program) = ["chpasswd", "passwd"].into_iter().find(|program| runs(program)) {
        // a key of that name is hidden with its value
        let is_key = words().next().is_some_and(|word| word.trim_start_matches('-') == "passwd:");
        return (!is_key).then_some(program);
    }
    // the package of that name is no secret
    let fed = || line.contains(['|', '<']) || line.contains("luks") || line.contains(" -");
    if runs("cryptsetup") && fed() {
        return Some("cryptsetup");
    }
    ["curl", "wget"].into_iter().filter(|program| runs(program)).find(|_| {
        words().any(|word| {
            let word = word.trim_start_matches(['"', '\'']);
            let short = word.starts_with('-') && !word.starts_with("--") && word.contains(['u', 'U']);
            let long = word.starts_with("--") && word.contains("user") && !word.starts_with("--user-agent");
            short || long || word.to_ascii_lowercase().contains("authorization")
        })
    })
}

/// debconf's types.
fn is_type(word: &str) -> bool {
    matches!(
        word,
        "string" | "password" | "boolean" | "select" | "multiselect" | "note" | "text" | "seen" | "is"
    )
}

/// Lines with those that a backslash joins to them.
fn logical_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let ends = |(at, _): &(usize, &str)| !rest[..*at].trim_end_matches('\r').ends_with('\\');
        let end = rest.match_indices('\n').find(ends).map_or(rest.len(), |(at, _)| at + 1);
        let (line, left) = rest.split_at(end);
        rest = left;
        Some(line)
    })
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
mod tests;
