//! What the schema leaves open outside of storage: who can log in, where the system comes from, what asks.

use super::rules;
use super::yaml::{Node, YamlType};
use crate::grammar::{Finding, shown};

pub fn check(config: &Node, found: &mut Vec<Finding>) {
    identity(config, found);
    user_data(config, found);
    source(config, found);
    if let Some(node) = config.get("interactive-sections").filter(|node| !node.items().is_empty()) {
        found.push(Finding::warning(
            &rules::INTERACTIVE,
            node.line,
            "interactive-sections: the installer waits for somebody",
        ));
    }
    if let Some(node) = config.get("ubuntu-advantage") {
        found.push(Finding::warning(
            &rules::OLD_NAME,
            node.line,
            "`ubuntu-advantage` is the old name of `ubuntu-pro`",
        ));
    }
    for key in
        config.get("ssh").and_then(|ssh| ssh.get("authorized-keys")).map(Node::items).unwrap_or_default()
    {
        let known = ["ssh-", "ecdsa-", "sk-"];
        if key.text().is_some_and(|text| !known.iter().any(|start| text.starts_with(start))) {
            found.push(Finding::warning(
                &rules::SSH_KEY,
                key.line,
                "this doesn't look like a public key: no `ssh-…` at its start",
            ));
        }
    }
}

/// The rules of subiquity's identity controller.
fn identity(config: &Node, found: &mut Vec<Finding>) {
    let Some(identity) = config.get("identity") else {
        missing(config, found);
        return;
    };
    let text = |name: &str| {
        identity
            .get(name)
            .filter(|node| node.kind() == YamlType::Text)
            .and_then(|node| Some((node.line, node.text()?)))
    };
    if let Some((line, name)) = text("username") {
        let good = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
            });
        if !good || name.len() > 32 || name == "root" {
            let message = format!("subiquity refuses the user name `{}`", shown(name));
            found.push(
                Finding::error(&rules::USERNAME, line, message)
                    .help("small letters, digits, `-` and `_`, at most 32, and not root"),
            );
        }
    }
    if let Some((line, name)) = text("hostname") {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if name.is_empty() || name.len() > 253 || !name.bytes().all(good) {
            found.push(Finding::error(&rules::HOSTNAME, line, format!("`{}` is no host name", shown(name))));
        }
    }
    if let Some((line, _)) = text("password").filter(|(_, password)| !is_crypted(password)) {
        let message = "identity/password holds no password hash: nobody could log in with it";
        found.push(Finding::error(&rules::NO_HASH, line, message).help("it begins with `$6$` or `$y$`"));
    }
}

fn missing(config: &Node, found: &mut Vec<Finding>) {
    let interactive = config.get("interactive-sections").map(Node::items).unwrap_or_default();
    let asked = interactive.iter().any(|item| matches!(item.text(), Some("identity" | "*")));
    let reset_only = config
        .get("storage")
        .and_then(|storage| storage.get("layout")?.get("reset-partition-only"))
        .is_some_and(Node::is_true);
    if config.get("user-data").is_some() || asked || reset_only {
        return;
    }
    let message = "`identity` is missing, and there is no `user-data`";
    // other sources than those of Ubuntu Server need none
    match config.get("source").and_then(|source| source.get("id")?.text()) {
        Some(id) if !id.starts_with("ubuntu-server") => {
            if !id.starts_with("ubuntu-core") && !id.starts_with("ubuntu-desktop") {
                found.push(Finding::warning(&rules::NO_IDENTITY, config.line, message));
            }
        }
        _ => found.push(Finding::error(&rules::NO_IDENTITY, config.line, message)),
    }
}

fn user_data(config: &Node, found: &mut Vec<Finding>) {
    let Some(data) = config.get("user-data") else { return };
    if config.get("identity").is_none() && data.get("users").is_none() {
        let message = "neither `identity` nor users in `user-data`: nobody can log in with a password";
        found.push(Finding::warning(&rules::NO_LOGIN, data.line, message));
    }
    if let Some(node) = data.get("password") {
        found.push(Finding::warning(
            &rules::CLEAR_TEXT,
            node.line,
            "user-data/password may be a password in clear text",
        ));
    }
    for user in data.get("users").map(Node::items).unwrap_or_default() {
        if let Some(node) = user.get("plain_text_passwd") {
            let finding = Finding::warning(
                &rules::CLEAR_TEXT,
                node.line,
                "plain_text_passwd is a password in clear text",
            );
            found.push(finding.help("use passwd with a hash"));
        }
        for name in ["passwd", "hashed_passwd"] {
            let Some(node) = user.get(name) else { continue };
            if node.text().is_some_and(|password| !is_crypted(password)) {
                found.push(Finding::error(
                    &rules::NO_HASH,
                    node.line,
                    format!("{name} holds no password hash"),
                ));
            }
        }
    }
}

fn is_crypted(password: &str) -> bool {
    let hash = password.trim_start_matches('!');
    matches!(hash, "" | "*") && !password.is_empty()
        || hash.starts_with('$') && hash.matches('$').count() >= 3
}

/// `source` names an entry of the medium's catalogue, never an address.
fn source(config: &Node, found: &mut Vec<Finding>) {
    let Some(source) = config.get("source") else { return };
    for (key, value) in source.entries() {
        let is_address = value.text().is_some_and(|text| text.contains("://"));
        if is_address || matches!(key.text.as_str(), "url" | "uri" | "image") {
            let message = format!(
                "source/{} can't be an address: ids are those of the medium's install-sources.yaml",
                shown(&key.text)
            );
            found.push(
                Finding::error(&rules::SOURCE_ADDRESS, key.line, message)
                    .help("make a medium with the image, or install it with the native installer"),
            );
        }
    }
}
