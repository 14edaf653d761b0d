//! The profile model as this test sees it: which texts it has, by its schema; where the profiles of this test have them; what the
//! value types make of a string; and hosts in which every text is a hostile one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use ironstrap::profile::schema::{Document, schema};
use ironstrap::value;
use serde_json::Value;

use super::choice::Choice;
use super::strings;

/// What texts of the profiles contain that are replaced; nothing else in any output does.
pub const TAME: &str = "tame";

/// Every place of a schema where a text may stand, but for those that list their words: path, and the name of its type.
pub fn texts_of(kind: Document) -> BTreeMap<String, String> {
    fn walk(root: &Value, node: &Value, path: &str, name: &str, found: &mut BTreeMap<String, String>) {
        if let Some(reference) = node["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            return walk(root, &root["$defs"][name], path, name, found);
        }
        for list in ["anyOf", "oneOf", "allOf"] {
            for variant in node[list].as_array().into_iter().flatten() {
                walk(root, variant, path, name, found);
            }
        }
        for (key, property) in node["properties"].as_object().into_iter().flatten() {
            walk(root, property, &format!("{path}.{key}"), name, found);
        }
        match &node["additionalProperties"] {
            Value::Null | Value::Bool(false) => {}
            _ => {
                _ = found
                    .insert(format!("{path}.*").trim_start_matches('.').to_owned(), "anything".to_owned())
            }
        }
        if node["items"].is_object() {
            walk(root, &node["items"], &format!("{path}[]"), name, found);
        }
        let is_text = match &node["type"] {
            Value::Array(types) => types.iter().any(|kind| kind == "string"),
            kind => kind == "string",
        };
        if is_text && node["enum"].is_null() && node["const"].is_null() {
            let kind = node["format"].as_str().unwrap_or(name);
            found.insert(path.trim_start_matches('.').to_owned(), kind.to_owned());
        }
    }
    let root = schema(kind);
    let mut found = BTreeMap::new();
    walk(&root, &root, "", "", &mut found);
    found
}

/// What a type makes of a string: how it prints it afterwards, or that it refuses it.
pub type Judge = fn(&str) -> Option<String>;

/// The value type of this name; `None` for a plain text, which `resolve` judges by its place.
pub fn judge(kind: &str) -> Option<Judge> {
    macro_rules! printed {
        ($type:ty) => {
            |text| match text.parse::<$type>() {
                Ok(value) => Some(value.to_string()),
                Err(error) => {
                    let message = error.to_string();
                    assert!(!message.chars().any(char::is_control), "{message:?} would reach a terminal");
                    None
                }
            }
        };
    }
    Some(match kind {
        "AccountName" => printed!(value::AccountName),
        "ByteSize" => printed!(value::ByteSize),
        "FsLabel" => printed!(value::FsLabel),
        "FullName" => printed!(value::FullName),
        "GrubHash" => |text| text.parse::<value::GrubHash>().ok().map(|value| value.expose().to_owned()),
        "HostName" => printed!(value::HostName),
        "HttpUrl" => printed!(value::HttpUrl),
        "ImageRef" => printed!(value::ImageRef),
        "ImageSource" => printed!(value::ImageSource),
        "KernelArg" => printed!(value::KernelArg),
        "LinkName" => printed!(value::LinkName),
        "Mac" => printed!(value::Mac),
        "MountOption" => printed!(value::MountOption),
        "MountPath" => printed!(value::MountPath),
        "Mtu" => printed!(value::Mtu),
        "PackageName" => printed!(value::PackageName),
        "PasswordHash" => {
            |text| text.parse::<value::PasswordHash>().ok().map(|value| value.expose().to_owned())
        }
        "Pattern" => printed!(value::Pattern),
        "SerialNumber" => printed!(value::SerialNumber),
        "SshPublicKey" => printed!(value::SshPublicKey),
        "StorageId" => printed!(value::StorageId),
        "SystemUuid" => printed!(value::SystemUuid),
        "VlanId" => printed!(value::VlanId),
        "ip" => printed!(std::net::IpAddr),
        "ipv4" => printed!(std::net::Ipv4Addr),
        "ipv6" => printed!(std::net::Ipv6Addr),
        // fields of a map, texts themselves
        "" | "anything" => return None,
        kind if kind.starts_with("Raw") => return None,
        kind => panic!("`{kind}` is new: say here what makes a value of it"),
    })
}

/// One text of a profile that is replaced, wherever it stands there.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its first place in the model; contents of files have `texts[NAME]`.
    pub path: String,
    /// As the profile has it.
    pub tame: String,
    /// Its strings: as they are written, and as the type prints them.
    pub strings: Vec<(String, String)>,
    /// How many of its place's strings the type refused.
    pub refused: usize,
}

impl Token {
    /// What may be written of a value, in an order that is the same for every value of this place.
    pub fn forms(&self, value: &str) -> Vec<String> {
        let mut forms = vec![value.to_owned()];
        let path = self.path.as_str();
        if path == "name" {
            let (short, domain) = value.split_once('.').unwrap_or((value, ""));
            forms.extend([short.to_owned(), domain.to_owned()]);
        } else if path.starts_with("scripts.") {
            let name = value.rsplit('/').next().unwrap_or_default();
            forms.push(
                name.chars().take(40).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect(),
            );
        } else if path.ends_with(".serial") && path != "match.serial" {
            forms = vec![value.trim().to_ascii_lowercase()];
        } else if path.ends_with(".wwn") {
            let wwn = value.trim().to_ascii_lowercase();
            let wwn = wwn.strip_prefix("wwn-").unwrap_or(&wwn);
            let bare = ["0x", "naa.", "eui."].iter().find_map(|prefix| wwn.strip_prefix(prefix));
            forms = vec![bare.unwrap_or(wwn).to_owned()];
        } else if path == "match.serial" {
            forms.push(grub_pattern(value));
        } else if path == "locale.lang" {
            let country = value
                .split_once('_')
                .map_or("", |(_, rest)| rest)
                .split(['.', '@'])
                .next()
                .unwrap_or_default();
            let is_code = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
            forms.push(if is_code { country.to_owned() } else { "US".to_owned() });
        } else if let Some((_, rest)) = value.split_once("://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            forms.extend([authority.to_owned(), format!("/{path}")]);
        }
        forms
    }
}

/// A serial number in any case, as GRUB's regular expressions have it.
fn grub_pattern(serial: &str) -> String {
    let one = |c: char| match c {
        c if c.is_ascii_alphabetic() => format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()),
        c if c.is_ascii_digit() => c.to_string(),
        c => format!("[{c}]"),
    };
    format!("^ *{} *$", serial.chars().map(one).collect::<String>())
}

/// One of this test's profiles: a host, its site, and the files that it names.
#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    pub site: Value,
    pub host: Value,
    pub texts: BTreeMap<String, String>,
    /// Releases that take it.
    pub releases: Vec<String>,
    pub tokens: Vec<Token>,
}

/// The profiles of this test whose names begin so.
pub fn profiles(family: &str) -> Vec<Profile> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/profiles");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with(family)));
    files.sort();
    files.iter().map(|path| Profile::read(path)).collect()
}

/// Does the same with every number below `count`, on all processors; each has a result of its own.
pub fn in_parallel<R: Default + Send>(count: usize, work: impl Fn(usize, &mut R) + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut result = R::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return result;
            }
            work(number, &mut result);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Every place in a document where a text stands, with that text.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((path.trim_start_matches('.').to_owned(), text.clone())),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, &format!("{path}[]"), found)),
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| leaves(value, &format!("{path}.{key}"), found))
        }
        _ => {}
    }
}

impl Profile {
    fn read(path: &std::path::Path) -> Self {
        let document: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let part = |key: &str| document[key].clone();
        let texts = serde_json::from_value(part("texts")).unwrap_or_default();
        let releases = serde_json::from_value(part("releases")).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut profile =
            Self { name, site: part("site"), host: part("host"), texts, releases, tokens: Vec::new() };
        profile.find_tokens();
        if document["narrow"] == true {
            profile.sift();
        }
        profile
    }

    /// Drops the strings that `resolve` refuses, where it refuses most: a host of few sections is resolved quickly.
    fn sift(&mut self) {
        let kinds = texts_of(Document::Host);
        let is_plain = |token: &Token| kinds.get(&token.path).is_some_and(|kind| judge(kind).is_none());
        let plain: Vec<_> = (0..self.tokens.len()).filter(|token| is_plain(&self.tokens[*token])).collect();
        let mut small = self.clone();
        let sections: Vec<_> =
            plain.iter().map(|token| self.tokens[*token].path.split(['.', '[']).next().unwrap()).collect();
        for (key, section) in small.host.as_object_mut().unwrap() {
            match key.as_str() {
                "name" | "image" | "installer" | "os" | "match" => {}
                "storage" => *section = serde_json::json!({ "target": { "serial": "S1" } }),
                key if sections.contains(&key) => {}
                _ => *section = Value::Null,
            }
        }
        let most = plain.iter().map(|token| self.tokens[*token].strings.len()).max().unwrap_or(0);
        let refused = in_parallel(most, |number, refused: &mut Vec<(usize, usize)>| {
            let mut choice = small.tame();
            for token in &plain {
                choice.strings[*token] =
                    Some(number).filter(|number| *number < self.tokens[*token].strings.len());
            }
            let tried = choice.strings.clone();
            let (_, _, tokens) = choice.resolve();
            refused.extend(tokens.into_iter().filter_map(|token| Some((token, tried[token]?))));
        });
        let refused: BTreeSet<_> = refused.into_iter().flatten().collect();
        for token in plain {
            let before = std::mem::take(&mut self.tokens[token].strings);
            let kept =
                before.into_iter().enumerate().filter(|(number, _)| !refused.contains(&(token, *number)));
            self.tokens[token].strings = kept.map(|(_, string)| string).collect();
        }
        for (token, _) in refused {
            self.tokens[token].refused += 1;
        }
    }

    /// The model's places that have a text to replace here: of hosts as they are, of the site with `site.` before them.
    pub fn places(&self) -> Vec<(String, String)> {
        let (mut found, mut site) = (Vec::new(), Vec::new());
        leaves(&self.host, "", &mut found);
        leaves(&self.site, "", &mut site);
        found.extend(site.into_iter().map(|(path, text)| (format!("site.{path}"), text)));
        found.extend(self.texts.iter().map(|(path, text)| (format!("texts[{path}]"), text.clone())));
        found.retain(|(_, text)| text.contains(TAME));
        for (path, _) in &mut found {
            if let Some((before, _)) = path.split_once("vars.") {
                *path = format!("{before}vars.*");
            }
        }
        found
    }

    fn find_tokens(&mut self) {
        let mut kinds = texts_of(Document::Host);
        let site = texts_of(Document::Site).into_iter();
        kinds.extend(site.map(|(path, kind)| (format!("site.{path}"), kind)));
        let mut tokens: Vec<Token> = Vec::new();
        for (path, tame) in self.places() {
            if !tokens.iter().any(|token| token.tame == tame) {
                tokens.push(Token { path, tame, strings: Vec::new(), refused: 0 });
            }
        }
        let paths: Vec<_> = tokens.iter().map(|token| token.path.clone()).collect();
        for (number, token) in tokens.iter_mut().enumerate() {
            let same: Vec<_> = (0..paths.len()).filter(|other| paths[*other] == token.path).collect();
            let turn = same.iter().position(|other| *other == number).unwrap();
            let judge = kinds.get(&token.path).and_then(|kind| judge(kind));
            let head = head(&token.path, &token.tame);
            for string in (turn * strings::step()..strings::COUNT).step_by(same.len() * strings::step()) {
                let text = strings::of_field(&token.path, head, &token.tame, string);
                let is_template = TEMPLATES.contains(&token.path.as_str());
                if is_template && ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening)) {
                    token.refused += 1;
                    continue;
                }
                match judge.map_or(Some(text.clone()), |judge| judge(&text)) {
                    Some(printed) => token.strings.push((text, printed)),
                    None => token.refused += 1,
                }
            }
            // of those that are the same to the model, one is enough
            token.strings.sort_by(|(_, a), (_, b)| a.cmp(b));
            token.strings.dedup_by(|(_, a), (_, b)| a == b);
        }
        self.tokens = tokens;
    }

    /// How many hosts it takes until every string was in one.
    pub fn hosts(&self) -> usize {
        self.tokens.iter().map(|token| token.strings.len()).max().unwrap_or(0)
    }

    /// Host `number`: for each token the string that it holds.
    pub fn choice(&self, number: usize) -> Choice<'_> {
        // files of one name would be one file
        let of = |(at, token): (usize, &Token)| match token.strings.len() {
            0 => None,
            count if is_file(token) => Some((number + at) % count),
            count => Some(number % count),
        };
        let mut strings: Vec<_> = self.tokens.iter().enumerate().map(of).collect();
        // a list may hold the same text once only, and a name stands for one file
        let mut seen = BTreeSet::new();
        for (token, string) in self.tokens.iter().zip(&mut strings) {
            let place = if is_file(token) { "" } else { &token.path };
            if string.is_some_and(|number| !seen.insert((place, &token.strings[number].1))) {
                *string = None;
            }
        }
        Choice { profile: self, strings }
    }

    /// The host as it stands in the file.
    pub fn tame(&self) -> Choice<'_> {
        Choice { profile: self, strings: vec![None; self.tokens.len()] }
    }
}

/// Templates by design: what they make is a value, what they say isn't. `tests/golden` holds how they are filled.
const TEMPLATES: [&str; 3] =
    ["handoff.ansible.pull.playbook", "handoff.ansible.pull.revision", "handoff.cloud_init.user_data"];

/// Whether a text names a file of the site.
fn is_file(token: &Token) -> bool {
    token.tame.starts_with("scripts/") || token.tame.starts_with("files/")
}

/// What of a text stays whatever else is put in: without it the text would not be of its kind.
fn head<'t>(path: &str, tame: &'t str) -> &'t str {
    let length = if path.starts_with("texts[") {
        tame.find('\n').map_or(0, |end| end + 1)
    } else if path.ends_with(".ssh_keys[]") {
        tame.rfind(' ').map_or(0, |blank| blank + 1)
    } else {
        let heads = ["scripts/", "files/", "http://", "$6$"];
        heads.iter().find(|head| tame.starts_with(**head)).map_or(0, |head| head.len())
    };
    &tame[..length]
}
