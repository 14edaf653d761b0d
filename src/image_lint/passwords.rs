//! `image-clear-password`: passwords and tokens that anybody can read who has the image. Their values are never told.

use anyhow::Result;

use super::rules::CLEAR_PASSWORD;
use super::{Finding, Subject, search};

/// Whether a text has one, and what it is then.
type Test = fn(&str) -> Option<&'static str>;

/// Files of a home by name.
const OF_HOMES: &[(&str, Test)] = &[
    (".netrc", netrc),
    (".pgpass", |text| {
        of_lines(text, |line| line.split(':').count() >= 5).then_some("a password for PostgreSQL")
    }),
    (".my.cnf", |text| setting(text, &["password"], '=').then_some("a password for MySQL")),
    (".aws/credentials", |text| setting(text, &["aws_secret_access_key"], '=').then_some("a key for AWS")),
    (".git-credentials", |text| {
        of_lines(text, |line| line.contains("://") && line.contains('@')).then_some("a password for Git")
    }),
    (".docker/config.json", |text| text.contains("\"auth\": \"").then_some("a password for a registry")),
];

/// Names of variables that hold tokens, in what all sessions get.
const TOKENS: [&str; 6] = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GITHUB_TOKEN",
    "GITLAB_TOKEN",
    "VAULT_TOKEN",
    "AZURE_CLIENT_SECRET",
];

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    let mut told = |path: String, what: Option<&str>| {
        found.extend(
            what.map(|what| Finding::new(&CLEAR_PASSWORD, format!("it has {what} as clear text")).at(path)),
        );
    };
    for home in search::homes(subject)? {
        for (name, test) in OF_HOMES {
            let path = format!("{home}/{name}");
            let what = subject.text(&path)?.and_then(|text| test(&text));
            told(path, what);
        }
    }
    let mut clouds = subject.texts("/etc/cloud/cloud.cfg.d", ".cfg")?;
    clouds
        .extend(subject.text("/etc/cloud/cloud.cfg")?.map(|text| ("/etc/cloud/cloud.cfg".to_owned(), text)));
    for (path, text) in clouds {
        told(path, setting(&text, &["plain_text_passwd"], ':').then_some("the password of an account"));
    }
    for (path, text) in subject.texts("/etc/wpa_supplicant", ".conf")? {
        told(path, setting(&text, &["psk", "password"], '=').then_some("a password of a wireless network"));
    }
    let mut variables = subject.texts("/etc/profile.d", ".sh")?;
    for path in ["/etc/environment", "/etc/profile", "/root/.bashrc", "/root/.profile"] {
        variables.extend(subject.text(path)?.map(|text| (path.to_owned(), text)));
    }
    for (path, text) in variables {
        told(path, setting(&text, &TOKENS, '=').then_some("a token"));
    }
    Ok(found)
}

fn of_lines(text: &str, holds: impl Fn(&str) -> bool) -> bool {
    text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#') && holds(line))
}

/// Whether one of these names has a value, behind `export`, a dash or nothing.
fn setting(text: &str, names: &[&str], mark: char) -> bool {
    of_lines(text, |line| {
        let line = line.trim_start_matches("export ").trim_start_matches("- ").trim_start_matches(['{', ' ']);
        let value = names.iter().find_map(|name| line.strip_prefix(name)?.trim_start().strip_prefix(mark));
        let value = value.map(|value| value.trim().trim_matches(['"', '\'']));
        // what stands for another variable is no value
        value.is_some_and(|value| !value.is_empty() && !value.starts_with('$') && !value.starts_with('!'))
    })
}

fn netrc(text: &str) -> Option<&'static str> {
    let words: Vec<_> = text.split_whitespace().collect();
    words.windows(2).any(|pair| pair[0] == "password").then_some("a password")
}
