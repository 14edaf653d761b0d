//! Everything but network, storage and user-data.

use super::Given;
use crate::grammar::autoinstall::yaml::Node;
use crate::import::line_report::Id;
use crate::import::{Reading, shell};
use crate::value::{AccountName, FullName, HostName, PasswordHash};

/// Reads it.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    for (path, key) in [
        ("locale", "locale.lang"),
        ("keyboard.layout", "locale.keyboard"),
        ("timezone", "locale.timezone"),
        ("proxy", "proxy"),
    ] {
        if let Some((id, value)) = given.text(path).filter(|(_, value)| *value != "geoip" && *value != "null")
        {
            reading.put(key, value, id);
        }
    }
    if let Some((id, _)) = given.text("keyboard.variant") {
        reading.report.lose(id, "a profile has no variant of a layout");
    }
    let user = identity(given, reading);
    keys(user, given, reading);
    packages(given, reading);
    mirror(given, reading);
    commands("early-commands", "pre", given, reading);
    commands("late-commands", "post_outside", given, reading);
    commands("error-commands", "on_error", given, reading);
    if let Some((id, "poweroff")) = given.text("shutdown") {
        reading.put("finish", "poweroff", id);
    }
}

fn identity<'d>(given: &Given<'d>, reading: &mut Reading<'_>) -> Option<&'d str> {
    if let Some((id, name)) = given.text("identity.hostname") {
        match name.parse::<HostName>() {
            Ok(name) => {
                reading.name = Some((name, id));
                reading.report.taken(id);
            }
            Err(error) => reading.report.refuse_part(id, error.to_string()),
        }
    }
    let (id, name) = given.text("identity.username")?;
    if let Err(error) = name.parse::<AccountName>() {
        reading.report.refuse(id, error.to_string());
        return None;
    }
    reading.draft.put(&format!("users[{name}].name"), name, id);
    // subiquity's first user may do everything, with its password
    reading.put(&format!("users[{name}].sudo"), "password", id);
    match given.get("identity.realname").and_then(Node::text) {
        Some("") => reading.report.moot(given.id("identity.realname"), "an empty name is none"),
        Some(text) => {
            let id = given.id("identity.realname");
            reading.take::<FullName>(&format!("users[{name}].full_name"), text, id);
        }
        None => {}
    }
    if let Some((id, hash)) = given.text("identity.password") {
        reading.take::<PasswordHash>(&format!("users[{name}].password"), hash, id);
    }
    Some(name)
}

fn keys(user: Option<&str>, given: &Given<'_>, reading: &mut Reading<'_>) {
    if let Some(node) = given.get("ssh.install-server").filter(|node| node.is_true()) {
        let id = given.id("ssh.install-server");
        reading.push("packages", "openssh-server", id);
        reading.report.note(id, format!("line {}: the package openssh-server", node.line));
    }
    let Some(keys) = given.get("ssh.authorized-keys") else { return };
    for (number, key) in keys.items().iter().enumerate() {
        let id = given.id(&format!("ssh.authorized-keys[{number}]"));
        let (Some(key), Some(user)) = (key.text(), user) else {
            reading.report.refuse(id, "nobody's: `identity` makes no user");
            continue;
        };
        reading.push(&format!("users[{user}].ssh_keys"), key.trim(), id);
    }
}

fn packages(given: &Given<'_>, reading: &mut Reading<'_>) {
    let Some(packages) = given.get("packages") else { return };
    for (number, package) in packages.items().iter().enumerate() {
        let id = given.id(&format!("packages[{number}]"));
        if let Some(package) = package.text() {
            reading.push("packages", package, id);
        }
    }
}

fn mirror(given: &Given<'_>, reading: &mut Reading<'_>) {
    for path in ["apt.mirror-selection.primary", "apt.primary"] {
        let Some(primary) = given.get(path) else { continue };
        let first = primary
            .items()
            .iter()
            .enumerate()
            .find_map(|(number, item)| Some((number, item.get("uri")?.text()?)));
        if let Some((number, uri)) = first {
            let id = given.id(&format!("{path}[{number}]"));
            reading.put("mirror", uri.trim_end_matches('/'), id);
            return;
        }
    }
}

/// A list of commands as one script; subiquity stops at the first that fails.
fn commands(section: &str, kind: &str, given: &Given<'_>, reading: &mut Reading<'_>) {
    let Some(list) = given.get(section) else { return };
    let mut text = format!("#!/bin/sh\n# {section} of the original\nset -e\n");
    let mut ids: Vec<Id> = Vec::new();
    let items: Vec<_> = match list.text() {
        Some(_) => vec![(given.id(section), list)],
        None => {
            let id = |(number, item)| (given.id(&format!("{section}[{number}]")), item);
            list.items().iter().enumerate().map(id).collect()
        }
    };
    for (id, item) in items {
        let Some(command) = command(item) else {
            reading.report.refuse(id, "not a command");
            continue;
        };
        if matches!(kind, "pre" | "on_error")
            && let Some(tool) = shell::disk_tool(&command)
        {
            reading.keep_aside(kind, format!("{command}\n"), id, shell::why_aside(tool));
            continue;
        }
        // in a shell of its own, as there: it may change directory or end
        text.push_str(&format!("sh -c {}\n", shell::quoted(&command)));
        ids.push(id);
    }
    let Some(first) = ids.first() else { return };
    let file = reading.script(kind, text, *first);
    for id in ids {
        reading.report.file(id, &file);
        reading.report.opaque(id);
    }
}

fn command(item: &Node) -> Option<String> {
    match item.text() {
        Some(text) => Some(text.trim_end().to_owned()),
        None if item.items().is_empty() => None,
        None => {
            let words: Option<Vec<_>> =
                item.items().iter().map(|word| word.text().map(shell::quoted)).collect();
            words.map(|words| words.join(" "))
        }
    }
}
