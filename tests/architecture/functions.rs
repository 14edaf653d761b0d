//! How long a function may be.

use super::sources;

const LONGEST_FUNCTION: usize = 70;

/// Functions that may be longer, each with its reason.
const LONG_FUNCTIONS: &[(&str, &str)] = &[
    // tables, a row for each key
    ("spec/code/causes.rs", "cause"),
    ("grammar/kickstart/options.rs", "of_command"),
];

/// Name and lines of every function, as rustfmt lays them out: the closing brace stands as deep as the `fn`.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<_> = code.split(' ').collect();
        let is_qualifier = |word: &&&str| {
            word.starts_with("pub")
                || ["const", "async", "unsafe", "extern", "\"C\""].contains(word)
                || (word.starts_with("crate::") && word.ends_with(')'))
        };
        let before = words.iter().take_while(is_qualifier).count();
        let Some(name) = words.get(before).filter(|word| **word == "fn").and(words.get(before + 1)) else {
            continue;
        };
        let name = name.split(['(', '<']).next().unwrap().to_owned();
        let head = lines[at..].iter().position(|line| line.ends_with(['{', ';', '}'])).unwrap();
        if !lines[at + head].ends_with('{') {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let length = lines[at..].iter().position(|line| **line == end).unwrap() + 1;
        found.push((name, length));
    }
    found
}

#[test]
fn functions_stay_short() {
    let mut long = Vec::new();
    for (name, text) in sources() {
        let functions = functions(&text).into_iter().filter(|(_, lines)| *lines > LONGEST_FUNCTION);
        long.extend(functions.map(|(function, lines)| (name.clone(), function, lines)));
    }
    let is_known = |file: &str, name: &str| LONG_FUNCTIONS.contains(&(file, name));
    let wrong: Vec<_> = long.iter().filter(|(file, name, _)| !is_known(file, name)).collect();
    assert!(wrong.is_empty(), "longer than {LONGEST_FUNCTION} lines: {wrong:?}");
    let is_long =
        |known: &&(&str, &str)| long.iter().any(|(file, name, _)| (file.as_str(), name.as_str()) == **known);
    let gone: Vec<_> = LONG_FUNCTIONS.iter().filter(|known| !is_long(known)).collect();
    assert!(gone.is_empty(), "short by now, so no exceptions any more: {gone:?}");
}

#[test]
fn functions_are_measured_with_their_heads_and_without_what_follows() {
    let text = "pub(crate) const fn a(\n    b: u8,\n) -> u8 {\n    if b {\n    }\n}\ntrait T {\n    fn c();\n    async fn d() {\n    }\n    pub(in crate::agent) fn e<T>() {\n\n    }\n}\n";
    let found = functions(text);
    let found: Vec<_> = found.iter().map(|(name, lines)| (name.as_str(), *lines)).collect();
    assert_eq!(found, [("a", 6), ("d", 2), ("e", 3)]);
}
