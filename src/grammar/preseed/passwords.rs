//! Passwords in answers. Nothing here puts a value into a finding.

use super::Document;
use super::rules;
use crate::grammar::Finding;

/// Questions that take a password as people type it; each has a twin that ends in `-again`.
const CLEAR: [&str; 8] = [
    "passwd/root-password",
    "passwd/user-password",
    "grub-installer/password",
    "partman-crypto/passphrase",
    "partman-crypto/opal-admin-password",
    "network-console/password",
    "netcfg/wireless_wpa",
    "netcfg/wireless_wep",
];

/// Questions that take what crypt(3) makes of a password.
const CRYPTED: [&str; 3] =
    ["passwd/root-password-crypted", "passwd/user-password-crypted", "grub-installer/password-crypted"];

pub fn lint(document: &Document<'_>, found: &mut Vec<Finding>) {
    for key in CLEAR {
        let Some(answer) = document.last(key).filter(|answer| !answer.value.is_empty()) else { continue };
        let message = format!("{key} holds a password in clear text");
        let crypted = format!("{key}-crypted");
        found.push(match CRYPTED.contains(&crypted.as_str()) {
            true => {
                Finding::warning(&rules::CLEAR_TEXT, answer.first, message).help(format!("use {crypted}"))
            }
            false => Finding::warning(&rules::CLEAR_TEXT, answer.first, message),
        });
        let again = format!("{key}-again");
        match document.last(&again) {
            Some(second) if second.value != answer.value => {
                found.push(Finding::error(
                    &rules::PASSWORD_AGAIN,
                    second.first,
                    format!("{again} isn't the same as {key}: d-i asks both"),
                ));
            }
            None if !key.starts_with("netcfg/") => {
                found.push(Finding::error(
                    &rules::PASSWORD_AGAIN,
                    answer.first,
                    format!("{again} is missing: d-i asks for it"),
                ));
            }
            _ => {}
        }
    }
    for key in CRYPTED {
        let Some(answer) = document.last(key).filter(|answer| !answer.value.is_empty()) else { continue };
        if !is_crypted(&answer.value) {
            let message = format!("{key} holds no password hash: nobody could log in with it");
            found.push(
                Finding::error(&rules::NO_HASH, answer.first, message)
                    .help("it begins with `$6$` or `$y$`; `!` locks the account"),
            );
        }
    }
}

/// A hash of crypt(3), a locked account, or GRUB's own hash.
fn is_crypted(value: &str) -> bool {
    let fields = value.trim_start_matches('!');
    let has_fields = |value: &str| value.starts_with('$') && value.matches('$').count() >= 3;
    matches!(fields, "" | "*") || has_fields(fields) || value.starts_with("grub.pbkdf2.")
}
