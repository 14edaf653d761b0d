//! Hostile strings: the same ones each time, none of them twice in a row, each for a reason.
//!
//! A string is one of the whole words that some reader takes for something else, or a heap of pieces that end quotes, begin
//! expansions, open sections or look like nothing. Half of the strings of a field are such pieces put into a value that the
//! field likes, since most types refuse the rest at a glance.

use std::sync::OnceLock;

/// How many strings each field gets.
pub const COUNT: usize = 10_000;

/// Set by the program `hostile`: of so many strings one is tried.
pub static STEP: OnceLock<usize> = OnceLock::new();

/// As a program (`cargo run --release --example hostile`) every string is tried, or one of as many as its argument says (`make soak`
/// and `make test`); as a test, which isn't optimised and would take most of an hour, every fiftieth.
pub fn step() -> usize {
    STEP.get().copied().unwrap_or(50)
}

/// Texts that YAML 1.1, Kickstart, debconf, shells or GRUB read as something else than a text.
const WORDS: &[&str] = &[
    "",
    " ",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "Yes",
    "TRUE",
    "null",
    "~",
    "0o17",
    "017",
    "0x1F",
    "1e3",
    "1_000",
    "+1",
    ".5",
    ".inf",
    ".nan",
    "12:30",
    "190:20:30",
    "2001-01-01",
    "2001-12-14t21:59:43.10-05:00",
    "=",
    "<<",
    "!!int 3",
    "!!python/object/apply:os.system [reboot]",
    "!x",
    "&a b",
    "*a",
    "- a",
    "? a",
    ": a",
    "a: b",
    "a:",
    "a #b",
    "#a",
    "[a]",
    "{a: b}",
    "|",
    ">-",
    "%YAML 1.1",
    "@a",
    "`a`",
    "---",
    "--",
    "...",
    "%end",
    "%post",
    "%include /etc/passwd",
    "%ksappend http://x/",
    "EOF",
    "IRONSTRAP",
    "GRUB",
    "FI",
    "done",
    "fi",
    "esac",
    "}",
    "{",
    ")",
    "(",
    "$(touch hit)",
    "`touch hit`",
    "${IFS}",
    "$HOME",
    "$1",
    "$$",
    "\\",
    "\\\\",
    "\\n",
    "a\\",
    "a \\",
    "'",
    "''",
    "\"",
    "\"\"",
    "'\"'\"'",
    "'; touch hit; '",
    "\"; touch hit; \"",
    "; touch hit",
    "&& touch hit",
    "| touch hit",
    "> hit",
    "< hit",
    "&",
    "a\nb",
    "\n",
    "\r",
    "a\r\nb",
    "\t",
    "a\tb",
    "\0",
    "a\0b",
    "\u{7}",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "a\u{85}b",
    "\u{a0}",
    "\u{2028}",
    "a\u{2028}b",
    "\u{2029}",
    "\u{feff}",
    "\u{fffe}",
    "\u{202e}evil",
    "\u{200b}",
    "\u{10ffff}",
    "\u{1f4a9}",
    "дом",
    "家",
    "بيت",
    "שלום",
    "é",
    "e\u{301}",
    "{{ host }}",
    "{{ 7*7 }}",
    "{% raw %}",
    "{%- x -%}",
    "{# x",
    "}}",
    "%}",
    "-",
    "-a",
    "--help",
    "-rf",
    "--onboot=no",
    "~root",
    "*",
    "?",
    "[a-z]*",
    "!x",
    "!!",
    "^a^b",
    "=a",
    "a=b",
    "a,b",
    "a;b",
    "/",
    "//",
    "..",
    "../../etc/passwd",
    "/dev/sda",
    "file:///etc/passwd",
    "d-i a/b string c",
    "seen true",
    "a b",
    "a  b",
    " a",
    "a ",
    "--- quiet",
    "ds=nocloud;s=http://x/",
    "init=/bin/sh",
    "@URL@",
    "@PLAYBOOK@",
    "@CHECKOUT@",
    "@RUN@",
    "@STATUS@",
    "@@",
    "%s",
    "%n%n",
    "%(x)s",
    "<x>",
    "&amp;",
    "]]>",
    "http://[",
    "http://h/$(x)",
    "http://h/%0a",
    "http://h/;x",
    "http://h/'x'",
    "http://h/a b",
    "http://u:p@h/",
    "\\u000a",
    "\\x0a",
    "a'b\"c`d$e\\f",
    "menuentry x {",
    "if true; then",
];

/// Pieces of longer strings.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "`",
    "\\",
    "$",
    "$(touch hit)",
    "`touch hit`",
    "${x}",
    "{{ host }}",
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    ";",
    "&",
    "|",
    "<",
    ">",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "#",
    " #",
    "!",
    "*",
    "?",
    "~",
    "=",
    ":",
    ": ",
    ",",
    "-",
    " - ",
    "@",
    "%",
    "%end",
    "^",
    "+",
    ".",
    "/",
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\0",
    "\u{b}",
    "\u{1b}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "ж",
    "漢",
    "ا",
    "ש",
    "\u{301}",
    "\u{1f4a9}",
    "EOF",
    "\nEOF\n",
    "\nIRONSTRAP\n",
    "IRONSTRAP",
    "\n%end\n",
    "---",
    " --- ",
    "yes",
    "0x10",
    "1e3",
    "\\n",
    "\\\n",
    "a",
    "b",
    "X",
    "0",
    "_",
    "d-i x/y string z",
    "\nd-i x/y string z\n",
    "'\"'\"'",
    "'\\''",
    "$'\\n'",
    "&a ",
    "*a",
    "!!str ",
];

/// A generator whose numbers look random (Knuth's MMIX).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same seed gives the same numbers.
    pub fn new(seed: &str, number: usize) -> Self {
        let mut dice = Self(number as u64);
        for byte in seed.bytes() {
            dice.0 ^= u64::from(byte);
            dice.below(2);
        }
        dice.below(2);
        dice
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

fn pieces(dice: &mut Dice, most: usize) -> String {
    let count = 1 + dice.below(most);
    let mut text = String::new();
    for _ in 0..count {
        match dice.below(24) {
            0 => text.extend(char::from_u32(dice.below(0xd800) as u32)),
            1 => text.extend(char::from_u32(dice.below(0x80) as u32)),
            _ => text.push_str(PIECES[dice.below(PIECES.len())]),
        }
    }
    if dice.below(400) == 0 {
        text = text.repeat(1 + 3000 / text.len().max(1));
    }
    text
}

/// One of the strings that owe nothing to their field.
pub fn pure(number: usize) -> String {
    match WORDS.get(number) {
        Some(word) => (*word).to_owned(),
        None => pieces(&mut Dice::new("pure", number), 6),
    }
}

/// String `number` of a field that likes `tame`: by turns a pure one and one with hostile pieces put in, at the beginning or
/// behind `head`, which stays.
pub fn of_field(field: &str, head: &str, tame: &str, number: usize) -> String {
    let rest = tame.strip_prefix(head).unwrap_or(tame);
    if number.is_multiple_of(2) {
        return format!("{head}{}", pure(number / 2));
    }
    let mut dice = Dice::new(field, number);
    let piece = pieces(&mut dice, 3);
    let mut at = dice.below(rest.len() + 1);
    while !rest.is_char_boundary(at) {
        at -= 1;
    }
    // what belongs to the field's own value isn't to be taken for another field's
    let (before, after) = rest.split_at(at);
    format!("{head}{before}{piece}{after}").replace("tame", "tam")
}

/// A text as YAML reads it, whatever it holds: double quotes, everything beyond printable ASCII escaped.
pub fn yaml(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c => match u32::from(c) {
                code @ ..=0xff => out.push_str(&format!("\\x{code:02x}")),
                code @ ..=0xffff => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
        }
    }
    out.push('"');
    out
}
