//! The answer for people: one line a value, columns aligned.

use std::fmt::Write;

use super::answer::{Answer, Key, Place, Row, State};

/// Wider values push what follows them to the right.
const WIDEST: usize = 40;

/// All of it.
pub fn render(answer: &Answer<'_>) -> String {
    let mut out = String::new();
    // writing to a text can't fail
    let told = if answer.diagnostics.is_empty() {
        ""
    } else {
        "; it has mistakes, and what they are in is left out"
    };
    _ = writeln!(out, "{}: {}{told}", answer.host, answer.file);
    classes(&mut out, answer);
    rows(&mut out, "values", &answer.values);
    let machine = format!("match: a machine is {} if all of this is true", answer.host);
    keys(&mut out, &machine, "match: nothing tells which machine this is", &answer.matching);
    let disk = "disk: exactly one may be there of which all of this is true";
    keys(&mut out, disk, "disk: nothing tells which one it is", &answer.disk);
    installer(&mut out, answer);
    rows(&mut out, "site", &answer.site);
    out
}

fn classes(out: &mut String, answer: &Answer<'_>) {
    if answer.classes.is_empty() {
        out.push_str("\nclasses: none\n");
        return;
    }
    out.push_str("\nclasses: each wins over those above it, the host over all\n");
    let name = widest(answer.classes.iter().map(|class| class.name));
    let file = widest(answer.classes.iter().map(|class| class.file));
    for class in &answer.classes {
        let named: Vec<_> =
            class.named_by.iter().map(|place| format!("{} ({})", place.layer, at(place))).collect();
        _ = writeln!(
            out,
            "  {:name$}  {:file$}  named by {}",
            class.name,
            class.file,
            named.join(", also by ")
        );
    }
}

fn at(place: &Place) -> String {
    format!("{}:{}", place.file, place.line)
}

fn widest<'t>(texts: impl Iterator<Item = &'t str>) -> usize {
    texts.map(|text| text.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0)
}

fn rows(out: &mut String, title: &str, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    _ = writeln!(out, "\n{title}");
    let value = |row: &Row| row.value.clone().unwrap_or_else(|| "!replace".to_owned());
    let place = |row: &Row| row.place.as_ref().map_or_else(|| "default".to_owned(), at);
    let keys = widest(rows.iter().map(|row| row.key.as_str()));
    let values: Vec<_> = rows.iter().map(value).collect();
    let places: Vec<_> = rows.iter().map(place).collect();
    let (wide, far) = (widest(values.iter().map(String::as_str)), widest(places.iter().map(String::as_str)));
    for ((row, value), place) in rows.iter().zip(&values).zip(&places) {
        let layer = row.place.as_ref().map_or("", |place| place.layer.as_str());
        let fate = match (row.state, &row.by) {
            (State::Overridden, Some(by)) => format!(", overridden at {}", at(by)),
            (State::Overridden, None) => ", overridden".to_owned(),
            (State::Set | State::Replace | State::Default, _) => String::new(),
        };
        let line = format!("  {:keys$}  {value:wide$}  {place:far$}  {layer}{fate}", row.key);
        _ = writeln!(out, "{}", line.trim_end());
    }
}

fn keys(out: &mut String, title: &str, without: &str, keys: &[Key]) {
    if keys.is_empty() {
        _ = writeln!(out, "\n{without}");
        return;
    }
    _ = writeln!(out, "\n{title}");
    let width = widest(keys.iter().map(|key| key.key.as_str()));
    for Key { key, any_of } in keys {
        let one_of = if any_of.len() > 1 { "one of " } else { "" };
        _ = writeln!(out, "  {key:width$}  {one_of}{}", any_of.join(", "));
    }
}

fn installer(out: &mut String, answer: &Answer<'_>) {
    let installs = &answer.installer;
    match (installs.format, installs.agent) {
        (Some(format), _) => {
            _ = writeln!(
                out,
                "\ninstaller: {}, told by a {format} file that these templates write",
                installs.name
            );
            installs.templates.iter().for_each(|name| _ = writeln!(out, "  {name}"));
        }
        (None, Some(start)) => {
            _ = writeln!(
                out,
                "\ninstaller: {}; ironstrap's own agent installs, started by {start}; it needs no answer file",
                installs.name
            );
        }
        (None, None) => _ = writeln!(out, "\ninstaller: {}; no answer file is written for it", installs.name),
    }
}
