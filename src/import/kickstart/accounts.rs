//! Root, users and their keys.

use super::Given;
use crate::import::Reading;
use crate::value::{AccountName, FullName, PasswordHash};

const CLEAR: &str = "a clear password isn't taken over: make a hash with `ironstrap passwd`";

/// `rootpw`
pub fn root(given: &Given<'_>, reading: &mut Reading<'_>) {
    let arguments = &given.arguments;
    if arguments.has("--lock") {
        // the profile's default; the last command counts
        if reading.draft.has("root.password") {
            for id in reading.draft.behind("root.password") {
                reading.draft.remove(id);
                reading.report.refuse(id, "a later line locks root's password, and counts");
            }
        }
        if arguments.first().is_some() {
            reading.report.note(given.id, "root is locked: the password beside `--lock` opens nothing");
        }
        return given.rest(&["--lock", "--iscrypted", "--plaintext"], reading);
    }
    match arguments.first() {
        Some(hash) if arguments.has("--iscrypted") => {
            if hash.parse::<PasswordHash>().is_err() {
                let why =
                    "no hash that opens anything or is strong enough: root's password is locked instead";
                return reading.report.lose(given.id, why);
            }
            reading.draft.put("root.password", hash, given.id);
            given.rest(&["--iscrypted"], reading);
        }
        _ => reading.report.refuse(given.id, format!("{CLEAR}, and set `root: {{ password: … }}`")),
    }
}

/// `user`
pub fn user(given: &Given<'_>, reading: &mut Reading<'_>) {
    let arguments = &given.arguments;
    let Some(name) = arguments.text("--name") else {
        return reading.report.refuse(given.id, "it has no name");
    };
    if let Err(error) = name.parse::<AccountName>() {
        return reading.report.refuse(given.id, error.to_string());
    }
    let mut put = |key: &str, value: serde_json::Value| {
        reading.draft.put(&format!("users[{name}].{key}"), value, given.id);
    };
    put("name", name.into());
    let full_name = arguments.text("--gecos").filter(|text| !text.is_empty()).map(str::parse::<FullName>);
    if let Some(Ok(full_name)) = &full_name {
        put("full_name", full_name.as_str().into());
    }
    if let Some(uid) = arguments.number("--uid") {
        put("uid", uid.into());
    }
    let given_groups = arguments.list("--groups");
    let groups: Vec<_> = given_groups.iter().filter_map(|group| group.split('(').next()).collect();
    if !groups.is_empty() {
        put("groups", groups.into());
    }
    if given_groups.iter().any(|group| group.contains('(')) {
        reading.report.lose(given.id, "a profile has no number for a group: the system gives one");
    }
    if let Some(shell) = arguments.text("--shell") {
        put("shell", shell.into());
    }
    if let Some(Err(error)) = full_name {
        reading.report.lose(given.id, format!("--gecos: {error}"));
    }
    match arguments.text("--password").filter(|_| !arguments.has("--lock")) {
        Some(hash) if arguments.has("--iscrypted") && hash.parse::<PasswordHash>().is_ok() => {
            put("password", hash.into());
        }
        Some(_) if arguments.has("--iscrypted") => {
            reading.report.lose(given.id, "no hash that is strong enough: the password is locked instead");
        }
        Some(_) => reading.report.lose(given.id, format!("{CLEAR}, and set `users[{name}].password`")),
        None => {}
    }
    let known = [
        "--name",
        "--gecos",
        "--uid",
        "--groups",
        "--shell",
        "--password",
        "--iscrypted",
        "--plaintext",
        "--lock",
    ];
    given.rest(&known, reading);
}

/// `sshkey`
pub fn ssh_key(given: &Given<'_>, reading: &mut Reading<'_>) {
    let key = given.arguments.words().collect::<Vec<_>>().join(" ");
    let user = given.arguments.text("--username").unwrap_or("root");
    let place = match user {
        "root" => "root.ssh_keys".to_owned(),
        user if reading.draft.has(&format!("users[{user}]")) => format!("users[{user}].ssh_keys"),
        user => {
            let why = format!("no `user` command before it makes `{}`", user.escape_debug());
            return reading.report.refuse(given.id, why);
        }
    };
    reading.draft.push(&place, key, given.id);
    given.rest(&["--username"], reading);
}
