//! Accounts, keys and passwords. No message here shows a password, nor a word that could be one.

use std::collections::{BTreeMap, BTreeSet};

use super::rules;
use super::{Read, Reading, quoted};
use crate::grammar::Finding;

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    for read in reading.working() {
        match read.name {
            "rootpw" | "sshpw" => password(read, read.arguments.first(), found),
            "user" => password(read, read.arguments.text("--password"), found),
            "bootloader" => boot_password(read, found),
            "part" | "logvol" | "raid" | "autopart" => passphrase(read, found),
            "vnc" | "rdp" | "iscsi" => {
                for option in ["--password", "--reverse-password"] {
                    if read.arguments.text(option).is_some() {
                        found.push(clear(read, option));
                    }
                }
            }
            _ => {}
        }
    }
    users(reading, found);
}

fn clear(read: &Read, what: &str) -> Finding {
    Finding::warning(
        &rules::CLEAR_TEXT,
        read.line,
        format!("{}: {what} is clear text: whoever reads this file can read it", read.name),
    )
}

/// What a password is written as.
fn is_hash(text: &str) -> bool {
    let known = ["$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$gy$", "$7$"];
    known.iter().any(|start| text.starts_with(start))
}

fn password(read: &Read, value: Option<&str>, found: &mut Vec<Finding>) {
    let (name, line) = (read.name, read.line);
    let Some(value) = value else { return };
    // the last of the two counts; both at once are asking for trouble
    let crypted = read.arguments.has("--iscrypted");
    if crypted && read.arguments.has("--plaintext") {
        let what = format!("{name}: only one of --iscrypted, --plaintext counts: the last one");
        found.push(Finding::warning(&rules::PASSWORD_FLAGS, line, what));
        return;
    }
    let locked = value.starts_with(['!', '*']);
    if !crypted && is_hash(value) {
        let what = format!(
            "{name}: the password looks like a hash, but without --iscrypted the hash itself is the password"
        );
        found.push(Finding::error(&rules::HASH_AS_PASSWORD, line, what).help("add --iscrypted"));
    } else if !crypted {
        found.push(clear(read, "the password").help("write a hash with --iscrypted"));
    } else if !is_hash(value) && !locked {
        let what = format!("{name}: --iscrypted, but the password is no hash that this system's login knows");
        found.push(Finding::warning(&rules::NO_HASH, line, what));
    } else if value.starts_with("$1$") {
        found.push(Finding::warning(
            &rules::WEAK_HASH,
            line,
            format!("{name}: the hash is MD5, which is quickly guessed"),
        ));
    }
}

fn boot_password(read: &Read, found: &mut Vec<Finding>) {
    let given = &read.arguments;
    if given.text("--md5pass").is_some() {
        found.push(
            Finding::warning(&rules::WEAK_HASH, read.line, "bootloader: --md5pass is quickly guessed")
                .help("grub2-mkpasswd-pbkdf2"),
        );
    }
    let Some(value) = given.text("--password") else { return };
    let hash = value.starts_with("grub.pbkdf2.");
    if !given.has("--iscrypted") && hash {
        let what = "bootloader: the password looks like a hash, but without --iscrypted the hash itself is the password";
        found.push(Finding::error(&rules::HASH_AS_PASSWORD, read.line, what).help("add --iscrypted"));
    } else if !given.has("--iscrypted") {
        found
            .push(clear(read, "the password").help("write a hash of grub2-mkpasswd-pbkdf2 with --iscrypted"));
    }
}

fn passphrase(read: &Read, found: &mut Vec<Finding>) {
    let given = &read.arguments;
    for option in ["--passphrase", "--hw-passphrase"] {
        if given.text(option).is_some() {
            found.push(clear(read, option).help("change it after the install, or unlock by TPM or Tang"));
        }
    }
    let with = ["--passphrase", "--cipher", "--luks-version", "--escrowcert", "--pbkdf"];
    let with = with.into_iter().find(|option| given.text(option).is_some());
    if let Some(option) = with.filter(|_| !given.has("--encrypted")) {
        let what = format!("{}: {option} without --encrypted: nothing is encrypted", read.name);
        found.push(Finding::warning(&rules::PASSPHRASE_UNUSED, read.line, what).help("add --encrypted"));
    }
}

fn users(reading: &Reading, found: &mut Vec<Finding>) {
    let (mut names, mut ids) = (BTreeMap::new(), BTreeMap::new());
    let keyed: BTreeSet<_> =
        reading.all("sshkey").filter_map(|read| read.arguments.text("--username")).collect();
    for read in reading.all("user") {
        let given = &read.arguments;
        let Some(name) = given.text("--name") else { continue };
        if let Some(line) = names.insert(name, read.line) {
            found.push(Finding::warning(
                &rules::DUPLICATE_USER,
                read.line,
                format!("user: this name is in line {line} already"),
            ));
        }
        if let Some(line) = given.number("--uid").and_then(|uid| ids.insert(uid, read.line)) {
            found.push(Finding::warning(
                &rules::DUPLICATE_USER,
                read.line,
                format!("user: this --uid is in line {line} already"),
            ));
        }
        let silent = given.text("--password").is_none() && !given.has("--lock");
        if silent && reading.complete && !keyed.contains(name) {
            let what = "user: no password and no sshkey: nobody can log in";
            found.push(Finding::warning(&rules::NO_LOGIN, read.line, what));
        }
    }
    let mut first = BTreeMap::new();
    for read in reading.all("sshkey") {
        let Some(user) = read.arguments.text("--username") else { continue };
        if user != "root" && reading.complete && !names.contains_key(user) {
            let what = format!("sshkey: no line makes the user {}", quoted(user));
            found.push(
                Finding::warning(&rules::SSHKEY_USER, read.line, what).help("add a line `user`, before it"),
            );
        }
        if let Some(line) = first.insert(user, read.line) {
            found.push(Finding::warning(
                &rules::SSHKEY_REPEATED,
                read.line,
                format!("sshkey: line {line} has a key for this user already"),
            ));
        }
    }
}
