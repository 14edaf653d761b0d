//! Root and the first user.

use super::Given;
use crate::import::Reading;
use crate::value::{AccountName, FullName, PasswordHash};

const CLEAR: &str =
    "a clear password isn't taken over: make a hash with `ironstrap passwd`, and set it in the profile";

/// Reads what `user-setup` is told.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    let root_is_locked = says(given, "passwd/root-login", "false");
    root(root_is_locked, given, reading);
    let clear = [
        "passwd/root-password",
        "passwd/root-password-again",
        "passwd/user-password",
        "passwd/user-password-again",
    ];
    given.refuse(&clear, CLEAR, reading);
    match says(given, "passwd/make-user", "false") {
        true => no_user(given, reading),
        false => user(root_is_locked, given, reading),
    }
}

fn says(given: &Given<'_>, key: &str, wanted: &str) -> bool {
    given.get(key).is_some_and(|(_, value)| value == wanted)
}

fn root(is_locked: bool, given: &Given<'_>, reading: &mut Reading<'_>) {
    if let Some((id, hash)) = given.get("passwd/root-password-crypted") {
        match hash {
            _ if is_locked => {
                reading.report.refuse(id, "passwd/root-login is false: d-i locks root's password");
            }
            // root is locked unless a profile says otherwise
            "!" | "*" => reading.report.taken(id),
            hash => reading.take::<PasswordHash>("root.password", hash, id),
        }
    }
    if let Some((id, _)) = given.get("passwd/root-login").filter(|_| is_locked) {
        reading.report.taken(id);
        reading.report.note(id, "root's password is locked");
    }
}

/// What is said of a user that nobody makes.
fn no_user(given: &Given<'_>, reading: &mut Reading<'_>) {
    for (id, answer) in given.all.values().filter(|(_, answer)| answer.key.starts_with("passwd/user")) {
        if !answer.value.is_empty() {
            reading.report.refuse(*id, "passwd/make-user is false: d-i makes no user");
        }
    }
}

fn user(root_is_locked: bool, given: &Given<'_>, reading: &mut Reading<'_>) {
    let Some((id, name)) = given.get("passwd/username") else { return };
    if let Err(error) = name.parse::<AccountName>() {
        return reading.report.refuse(id, error.to_string());
    }
    let key = |key: &str| format!("users[{name}].{key}");
    reading.put(&key("name"), name, id);
    if let Some((id, text)) = given.get("passwd/user-fullname") {
        reading.take::<FullName>(&key("full_name"), text, id);
    }
    if let Some((id, text)) = given.get("passwd/user-uid") {
        match text.parse::<u32>() {
            Ok(uid) => reading.put(&key("uid"), uid, id),
            Err(_) => reading.report.refuse(id, "not a number"),
        }
    }
    if let Some((id, hash)) = given.get("passwd/user-password-crypted") {
        reading.take::<PasswordHash>(&key("password"), hash, id);
    }
    if let Some((id, groups)) = given.get("passwd/user-default-groups") {
        reading.put(&key("groups"), groups.split_whitespace().collect::<Vec<_>>(), id);
    }
    if let Some((id, _)) = given.get("passwd/make-user").filter(|(_, value)| *value == "true") {
        reading.report.taken(id);
        reading.report.note(id, "a script makes the users");
    }
    // without a root that may log in, d-i lets the first user become root
    if let Some((id, _)) = given.get("passwd/root-login").filter(|_| root_is_locked) {
        reading.put(&key("sudo"), "password", id);
        reading.report.note(id, "the user may use sudo");
    }
}
