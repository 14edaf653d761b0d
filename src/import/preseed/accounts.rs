//! Root and the first user.

use super::Given;
use crate::import::Reading;
use crate::import::line_report::Id;
use crate::value::{AccountName, FullName, PasswordHash};

/// Reads what `user-setup` is told.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    let says = |key: &str, wanted: &str| given.get(key).is_some_and(|(_, value)| value == wanted);
    let no_root = says("passwd/root-login", "false");
    if let Some((id, hash)) = given.get("passwd/root-password-crypted") {
        match hash.parse::<PasswordHash>() {
            _ if no_root => {
                reading.report.refuse(id, "passwd/root-login is false: d-i locks root's password");
            }
            // root is locked unless a profile says otherwise
            _ if matches!(hash, "!" | "*") => reading.report.taken(id),
            Ok(_) => {
                reading.draft.put("root.password", hash, id);
                reading.report.taken(id);
            }
            Err(error) => reading.report.refuse(id, error.to_string()),
        }
    }
    let clear = [
        "passwd/root-password",
        "passwd/root-password-again",
        "passwd/user-password",
        "passwd/user-password-again",
    ];
    let why =
        "a clear password isn't taken over: make a hash with `ironstrap passwd`, and set it in the profile";
    given.refuse(&clear, why, reading);
    if let Some((id, _)) = given.get("passwd/root-login").filter(|_| no_root) {
        reading.report.taken(id);
        reading.report.note(id, "root's password is locked");
    }
    if says("passwd/make-user", "false") {
        for (id, answer) in given.all.values().filter(|(_, answer)| answer.key.starts_with("passwd/user")) {
            if !answer.value.is_empty() {
                reading.report.refuse(*id, "passwd/make-user is false: d-i makes no user");
            }
        }
        return;
    }
    let Some((id, name)) = given.get("passwd/username") else { return };
    if let Err(error) = name.parse::<AccountName>() {
        return reading.report.refuse(id, error.to_string());
    }
    let place = format!("users[{name}]");
    let put = |key: &str, value: serde_json::Value, id: Id, reading: &mut Reading<'_>| {
        reading.draft.put(&format!("{place}.{key}"), value, id);
        reading.report.taken(id);
    };
    put("name", name.into(), id, reading);
    if let Some((id, text)) = given.get("passwd/user-fullname") {
        reading.take::<FullName>(&format!("{place}.full_name"), text, id);
    }
    if let Some((id, text)) = given.get("passwd/user-uid") {
        match text.parse::<u32>() {
            Ok(uid) => put("uid", uid.into(), id, reading),
            Err(_) => reading.report.refuse(id, "not a number"),
        }
    }
    if let Some((id, hash)) = given.get("passwd/user-password-crypted") {
        reading.take::<PasswordHash>(&format!("{place}.password"), hash, id);
    }
    if let Some((id, groups)) = given.get("passwd/user-default-groups") {
        let groups: Vec<_> = groups.split_whitespace().collect();
        put("groups", groups.into(), id, reading);
    }
    if let Some((id, _)) = given.get("passwd/make-user").filter(|(_, value)| *value == "true") {
        reading.report.taken(id);
        reading.report.note(id, "a script makes the users");
    }
    // without a root that may log in, d-i lets the first user become root
    if let Some((id, _)) = given.get("passwd/root-login").filter(|_| no_root) {
        put("sudo", "password".into(), id, reading);
        reading.report.note(id, "the user may use sudo");
    }
}
