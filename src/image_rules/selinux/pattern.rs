//! A pattern of a policy: PCRE as policies write it, in the words of the crate that matches it.
//!
//! Promises: what matches here matches in PCRE2 with `PCRE2_DOTALL` behind `^` and before `$`, as libselinux asks. What the crate can't
//! say (look-around, back references, classes of Unicode) is an error; Debian's policy and Fedora's have nothing of that.

use regex_lite::{Regex, RegexBuilder};

/// libselinux takes none of more.
const LONGEST: usize = 4095;
/// What a compiled pattern may take.
const LARGEST: usize = 1 << 20;
/// What makes text a pattern (`spec_hasMetaChars`).
const META: [char; 10] = ['.', '^', '$', '?', '*', '+', '|', '[', '(', '{'];

/// The path that a pattern without any meta character stands for; `None` for one with.
pub(super) fn exact(pattern: &str) -> Option<String> {
    let (text, is_whole) = literal(pattern);
    is_whole.then_some(text)
}

/// What a path must begin with so that libselinux asks this pattern at all, and as much more of it as any match has. What a choice at the
/// top leads to may begin otherwise; there only libselinux's own rule holds, that the first name and its slash are the path's.
pub(super) fn prefix(pattern: &str) -> String {
    let (text, _) = literal(pattern);
    let Some(stem) = text.get(1..).and_then(|rest| rest.find('/')).map(|at| at + 2) else {
        return String::new();
    };
    let names = text.rfind('/').unwrap_or_default();
    let end = if pattern.contains('|') { stem } else { stem.max(names) };
    text[..end].to_owned()
}

/// The text before the first meta character, unescaped, and whether that is all.
fn literal(pattern: &str) -> (String, bool) {
    let mut text = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => text.push(escaped),
                _ => return (text, false),
            },
            c if META.contains(&c) => return (text, false),
            c => text.push(c),
        }
    }
    (text, true)
}

/// Compiles a pattern.
///
/// # Errors
/// Not a pattern, or not one that can be matched here; says why.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > LONGEST {
        return Err(format!("it has {} bytes, the limit is {LONGEST}", pattern.len()));
    }
    let mut builder = RegexBuilder::new(&format!("^{}$", translated(pattern)));
    builder.dot_matches_new_line(true).size_limit(LARGEST);
    builder.build().map_err(|error| error.to_string())
}

/// The same pattern where the crate would read something else: PCRE takes a brace that counts nothing, a bracket in a class, and an
/// escaped angle bracket for themselves.
fn translated(pattern: &str) -> String {
    let mut text = String::new();
    let mut in_class = false;
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        let behind = rest.as_str();
        match c {
            '\\' => match rest.next() {
                Some(angle @ ('<' | '>')) => text.push(angle),
                escaped => text.extend(std::iter::once('\\').chain(escaped)),
            },
            '[' if !in_class => {
                in_class = true;
                text.push('[');
                // right behind it, these don't end the class
                let first = behind.strip_prefix('^').map_or("", |_| "^");
                let first = if behind[first.len()..].starts_with(']') {
                    format!("{first}]")
                } else {
                    first.to_owned()
                };
                rest = behind[first.len()..].chars();
                text.push_str(&first);
            }
            '[' if behind.starts_with(':') => {
                let end = behind.find(":]").map_or(behind.len(), |end| end + 2);
                text.push('[');
                text.push_str(&behind[..end]);
                rest = behind[end..].chars();
            }
            ']' if in_class => {
                in_class = false;
                text.push(']');
            }
            '[' | '&' | '~' if in_class => text.extend(['\\', c]),
            '{' if !in_class && !counts(behind) => text.push_str("\\{"),
            c => text.push(c),
        }
    }
    text
}

/// Whether what stands behind a brace makes it one that counts: `3}`, `3,}`, `3,5}`.
fn counts(behind: &str) -> bool {
    let Some((inside, _)) = behind.split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_meta_characters_is_exact() {
        for (pattern, path) in [
            ("/etc/passwd", Some("/etc/passwd")),
            (r"/etc/resolv\.conf", Some("/etc/resolv.conf")),
            (r"/usr/bin/g\+\+", Some("/usr/bin/g++")),
            ("/etc/resolv.conf", None),
            (r"/etc/x\d", None),
            ("/etc(/.*)?", None),
        ] {
            assert_eq!(exact(pattern).as_deref(), path, "{pattern}");
        }
    }

    #[test]
    fn a_prefix_is_never_longer_than_what_all_matches_share() {
        for (pattern, expected) in [
            ("/etc(/.*)?", ""),
            ("/.*", ""),
            ("/etc/ssh/ssh_host.*", "/etc/ssh"),
            ("/etc/.*", "/etc/"),
            ("/var/lib/x?", "/var/lib"),
            ("/var/lib/?", "/var/lib"),
            ("/var/?", "/var/"),
            (r"/etc/rc\.d/init\.d/.*", "/etc/rc.d/init.d"),
            ("/usr/bin/(a|b)", "/usr/"),
            ("/usr/a|/etc/b", "/usr/"),
            ("/a|/b", ""),
            ("HOME", ""),
            ("ä", ""),
        ] {
            assert_eq!(prefix(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn pcre_is_read_as_pcre_does() {
        for (pattern, matching, other) in [
            ("/run/user/%{USERID}/bus", "/run/user/%{USERID}/bus", "/run/user/1/bus"),
            ("/a{2}b{1,}c{0,1}", "/aabbc", "/ab"),
            ("/x[[]y", "/x[y", "/xy"),
            ("/x[]a]y", "/x]y", "/xby"),
            ("/x[^]a]y", "/xby", "/x]y"),
            ("/x[[:digit:]&&~]y", "/x&y", "/xay"),
            (r"/a\<b\>", "/a<b>", "/ab"),
            (r"/a\_b\-c\,d\:e\@f", "/a_b-c,d:e@f", "/a"),
            ("/a.*b", "/a\n/b", "/a"),
            ("/usr/(.*/)?bin(/.*)?", "/usr/x/y/bin", "/usr/xbin"),
            // neither end binds the other side of a choice
            ("/a|b/c", "/anything", "x"),
        ] {
            let regex = compile(pattern).unwrap();
            assert!(regex.is_match(matching), "{pattern} {matching}");
            assert!(!regex.is_match(other), "{pattern} {other}");
        }
    }

    #[test]
    fn what_can_not_be_matched_is_an_error() {
        let long = "/x".repeat(3000);
        for pattern in ["/a(?=b)", r"/(a)\1", "/a(", "/[a", r"/\p{L}", "/a{1000}{1000}", &long] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
