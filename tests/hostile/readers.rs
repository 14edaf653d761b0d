//! Every output as a tree that its target's grammar makes of it, and the comparison of two such trees.
//!
//! A tree of hostile values must be the tree of tame values with the texts replaced, and nothing else: then no value changed the
//! structure, and each came back as it went in, wherever it stands. Base64 is opened on both sides.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ironstrap::answers::{Answers, Format};
use ironstrap::grammar::grub::{self, Statement};
use ironstrap::grammar::{cmdline, preseed};
use serde_json::{Value, json};

use super::shell::{self, Evidence, kickstart_words};

/// Reads an answer file with all that belongs to it.
pub fn answers(format: Format, answers: &Answers, evidence: &mut Evidence) -> Result<Value, String> {
    let file = match format {
        Format::Kickstart => kickstart(&answers.text, evidence)?,
        Format::Preseed => preseed(&answers.text, evidence)?,
        Format::Autoinstall => autoinstall(&answers.text, evidence)?,
    };
    let companions = answers.companions.iter().map(|companion| yaml(&companion.text));
    let line = answers.kernel_args.join(" ");
    let words: Vec<_> = cmdline::split(&line).iter().map(|parameter| parameter.text).collect();
    if words != answers.kernel_args.iter().map(String::as_str).collect::<Vec<_>>() {
        return Err(format!("the kernel reads `{line}` otherwise"));
    }
    Ok(json!({
        "file": file,
        "companions": companions.collect::<Result<Vec<_>, _>>()?,
        "kernel_args": answers.kernel_args,
    }))
}

fn kickstart(text: &str, evidence: &mut Evidence) -> Result<Value, String> {
    let mut parts = Vec::new();
    let mut lines = text.split('\n');
    while let Some(line) = lines.next() {
        if line.starts_with('#') || !line.starts_with('%') || line.starts_with("%include ") {
            parts.push(match line.starts_with('#') {
                true => json!(line),
                false => kickstart_words(line, evidence)?,
            });
            continue;
        }
        let head = kickstart_words(line, evidence)?;
        let body: Vec<_> = lines.by_ref().take_while(|line| *line != "%end").collect();
        let body = match line {
            "%packages" => {
                body.iter().map(|line| kickstart_words(line, evidence)).collect::<Result<Vec<_>, _>>()?.into()
            }
            _ => shell::read(&body.join("\n"), evidence)?,
        };
        parts.push(json!({ "head": head, "body": body }));
    }
    Ok(parts.into())
}

fn preseed(text: &str, evidence: &mut Evidence) -> Result<Value, String> {
    let mut parts = Vec::new();
    for piece in preseed::parse(text).pieces {
        parts.push(match piece.content {
            preseed::Content::Nothing => json!(piece.raw),
            preseed::Content::Bad(lacks) => return Err(format!("line {} lacks {lacks:?}", piece.line)),
            preseed::Content::Answer(answer) => {
                let value = match answer.key.ends_with("_command") {
                    true => shell::read(&answer.value, evidence)?,
                    false => json!(answer.value),
                };
                json!([answer.owner, answer.key, answer.kind, value])
            }
        });
    }
    Ok(parts.into())
}

fn yaml(text: &str) -> Result<Value, String> {
    serde_yaml::from_str(text).map_err(|error| error.to_string())
}

fn autoinstall(text: &str, evidence: &mut Evidence) -> Result<Value, String> {
    let mut document = yaml(text)?;
    for commands in ["early-commands", "late-commands", "error-commands"] {
        for command in document["autoinstall"][commands].as_array_mut().into_iter().flatten() {
            let text = command.as_str().ok_or("a command that isn't text")?;
            *command = shell::read(text, evidence)?;
        }
    }
    // the order of mounts follows their paths, which are replaced
    let mut mounts = serde_json::Map::new();
    if let Some(actions) = document["autoinstall"]["storage"]["config"].as_array_mut() {
        for mount in actions.extract_if(.., |action| action["type"] == "mount") {
            let device = mount["device"].as_str().ok_or("a mount without a device")?.to_owned();
            mounts.insert(device, mount);
        }
    }
    let comments: Vec<_> = text.lines().take_while(|line| line.starts_with('#')).collect();
    Ok(json!({ "comments": comments, "document": document, "mounts": mounts }))
}

/// A GRUB script.
pub fn grub(text: &str) -> Result<Value, String> {
    fn statement(statement: &Statement) -> Value {
        match statement {
            Statement::Command(command) => json!({
                "words": command.words.iter().map(|word| json!([word.text, word.variable])).collect::<Vec<_>>(),
                "block": command.block.iter().map(statement_of).collect::<Vec<_>>(),
            }),
            Statement::Function { name, body } => {
                json!({ "name": name, "body": body.iter().map(statement_of).collect::<Vec<_>>() })
            }
            Statement::Compound(bodies) => bodies
                .iter()
                .map(|body| body.iter().map(statement_of).collect::<Vec<_>>())
                .collect::<Vec<_>>()
                .into(),
        }
    }
    fn statement_of(it: &Statement) -> Value {
        statement(it)
    }
    let statements = grub::parse(text).map_err(|finding| finding.to_string())?;
    Ok(statements.iter().map(statement).collect::<Vec<_>>().into())
}

/// dnsmasq's configuration: options, and their fields.
pub fn dnsmasq(text: &str) -> Value {
    let line = |line: &str| match line.split_once('=') {
        Some((option, fields)) if !line.starts_with('#') => {
            json!([option, fields.split(',').collect::<Vec<_>>()])
        }
        _ => json!(line),
    };
    text.lines().map(line).collect::<Vec<_>>().into()
}

/// A file of the hand-off, by what reads it.
pub fn handoff_file(path: &str, content: &str, evidence: &mut Evidence) -> Result<Value, String> {
    let is_ours = content.contains("# Written by ironstrap") || path.ends_with("/handoff.conf");
    match path.rsplit_once('.').map_or("", |(_, kind)| kind) {
        "json" => serde_json::from_str(content).map_err(|error| error.to_string()),
        _ if path.ends_with("/meta-data") => yaml(content),
        _ if is_ours && path.starts_with("/usr/lib/ironstrap/") => shell::read(content, evidence),
        _ => Ok(json!(content)),
    }
}

/// Texts and what they were replaced by.
#[derive(Debug, Clone, Default)]
pub struct Replaced {
    tame: Vec<String>,
    hostile: Vec<String>,
}

/// What is known of the texts of a tame tree, which is compared ten thousand times.
#[derive(Debug, Default)]
pub struct Known {
    pieces: HashMap<String, Vec<Piece>>,
    opened: HashMap<String, Option<Opened>>,
}

/// A part of a text.
#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    /// The form of this number.
    Form(usize),
}

/// What was in base64.
#[derive(Debug)]
struct Opened {
    text: String,
    /// What it says, if it is a script of ours.
    script: Option<Value>,
}

impl Replaced {
    /// `tame` is new, or is replaced by the same text as before.
    pub fn add(&mut self, tame: &str, hostile: &str) {
        if !self.tame.iter().any(|have| have == tame) {
            self.tame.push(tame.to_owned());
            self.hostile.push(hostile.to_owned());
        }
    }

    /// Longest first at each place, from left to right; what was put in is not looked at again.
    fn split(&self, text: &str) -> Vec<Piece> {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(c) = rest.chars().next() {
            let forms = self.tame.iter().enumerate().filter(|(_, tame)| rest.starts_with(tame.as_str()));
            match forms.max_by_key(|(_, tame)| tame.len()) {
                Some((number, tame)) => {
                    pieces.extend([Piece::Text(std::mem::take(&mut plain)), Piece::Form(number)]);
                    rest = &rest[tame.len()..];
                }
                None => {
                    plain.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        pieces.push(Piece::Text(plain));
        pieces
    }

    /// The text of the tame tree, with everything replaced.
    fn apply(&self, text: &str, known: &mut Known) -> String {
        let pieces = match known.pieces.get(text) {
            Some(pieces) => pieces,
            None => known.pieces.entry(text.to_owned()).or_insert(self.split(text)),
        };
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Form(number) => self.hostile[*number].clone(),
        };
        pieces.iter().map(piece).collect()
    }
}

/// Whether the second tree is the first one with the texts replaced.
///
/// # Errors
/// Where it isn't, and how.
pub fn agree(
    tame: &Value,
    got: &Value,
    replaced: &Replaced,
    known: &mut Known,
    evidence: &mut Evidence,
) -> Result<(), String> {
    match (tame, got) {
        (Value::String(tame), Value::String(got)) => text(tame, got, replaced, known, evidence),
        (Value::Array(tame), Value::Array(got)) => {
            for (number, (tame, got)) in tame.iter().zip(got).enumerate() {
                let same = agree(tame, got, replaced, known, evidence);
                same.map_err(|why| format!("[{number}]{why}"))?;
            }
            match tame.len() == got.len() {
                true => Ok(()),
                false => {
                    Err(format!(": {} things, not {}: {}", got.len(), tame.len(), shown(&got.clone().into())))
                }
            }
        }
        (Value::Object(tame), Value::Object(got)) => {
            if tame.len() != got.len() {
                return Err(format!(": {} keys, not {}", got.len(), tame.len()));
            }
            for (key, value) in tame {
                let key = replaced.apply(key, known);
                let Some(got) = got.get(&key) else { return Err(format!(": no key {key:?}")) };
                agree(value, got, replaced, known, evidence).map_err(|why| format!(".{key}{why}"))?;
            }
            Ok(())
        }
        (tame, got) if tame == got => Ok(()),
        (tame, got) => Err(format!(": {}, not {}", shown(got), shown(tame))),
    }
}

/// What a text or a word holds in base64, if it does.
fn opened(text: &str) -> Option<String> {
    let text: String = text.strip_prefix("w:").unwrap_or(text).split('\n').collect();
    BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

fn open(text: &str, evidence: &mut Evidence) -> Option<Opened> {
    let text = opened(text).filter(|text| text.len() > 8)?;
    let script = text.starts_with("set -eu\n").then(|| shell::read(&text, evidence).unwrap());
    Some(Opened { text, script })
}

fn text(
    tame: &str,
    got: &str,
    replaced: &Replaced,
    known: &mut Known,
    evidence: &mut Evidence,
) -> Result<(), String> {
    let wanted = replaced.apply(tame, known);
    if wanted == got {
        return Ok(());
    }
    if !known.opened.contains_key(tame) {
        known.opened.insert(tame.to_owned(), open(tame, evidence));
    }
    // taken out, so that what is in it can be compared with the same knowledge
    let inside = known.opened.insert(tame.to_owned(), None).flatten();
    let verdict = match (&inside, opened(got)) {
        (Some(Opened { script: Some(tame), .. }), Some(got)) => {
            let got = shell::read(&got, evidence)?;
            agree(tame, &got, replaced, known, evidence).map_err(|why| format!(" base64{why}"))
        }
        (Some(Opened { text, .. }), Some(got)) => {
            let wanted = replaced.apply(text, known);
            if wanted == got { Ok(()) } else { Err(format!(" base64: {got:?}, not {wanted:?}")) }
        }
        _ => Err(format!(": {got:?}, not {wanted:?}")),
    };
    known.opened.insert(tame.to_owned(), inside);
    verdict
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}
