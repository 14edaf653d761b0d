//! Hosts in which texts are hostile: as YAML, and resolved, with who is to blame where that fails.

use std::collections::BTreeMap;

use ironstrap::host::{Host, Site, resolve};
use ironstrap::profile::decode::decode;
use ironstrap::profile::load::{Layer, Shared, Tree};
use ironstrap::profile::source::Sources;
use ironstrap::profile::yaml;
use serde_json::Value;

use super::model::{Profile, TAME};
use super::readers::Replaced;
use super::strings;

/// A host with some of its texts replaced.
#[derive(Debug, Clone)]
pub struct Choice<'p> {
    pub profile: &'p Profile,
    /// For each token of the profile the number of its string; `None` leaves it as it is.
    pub strings: Vec<Option<usize>>,
}

/// A document as YAML, and where each token stands in it.
#[derive(Default)]
struct Written {
    text: String,
    places: Vec<(std::ops::Range<usize>, usize)>,
}

impl Choice<'_> {
    /// The string of a token as it is written.
    pub fn written(&self, token: usize) -> Option<&str> {
        self.strings[token].map(|number| self.profile.tokens[token].strings[number].0.as_str())
    }

    fn printed(&self, token: usize) -> Option<&str> {
        self.strings[token].map(|number| self.profile.tokens[token].strings[number].1.as_str())
    }

    fn token_of(&self, text: &str) -> Option<usize> {
        if !text.contains(TAME) {
            return None;
        }
        self.profile.tokens.iter().position(|token| token.tame == text)
    }

    fn write(&self, value: &Value, out: &mut Written) {
        match value {
            Value::String(text) => {
                let token = self.token_of(text);
                let text = token.and_then(|token| self.written(token)).unwrap_or(text);
                let start = out.text.len();
                out.text.push_str(&strings::yaml(text));
                out.places.extend(token.map(|token| (start..out.text.len(), token)));
            }
            Value::Array(items) => {
                out.text.push('[');
                for item in items {
                    self.write(item, out);
                    out.text.push_str(", ");
                }
                out.text.push(']');
            }
            Value::Object(map) => {
                out.text.push('{');
                for (key, value) in map {
                    out.text.push_str(&format!("\"{key}\": "));
                    self.write(value, out);
                    out.text.push_str(", ");
                }
                out.text.push('}');
            }
            plain => out.text.push_str(&plain.to_string()),
        }
    }

    /// The host, and which tokens were refused on the way: those are tame in it.
    pub fn resolve(&mut self) -> (Host, Site, Vec<usize>) {
        let mut refused = Vec::new();
        loop {
            match self.try_resolve() {
                Ok((host, site)) => return (host, site, refused),
                Err(found) => {
                    found.iter().for_each(|token| self.strings[*token] = None);
                    refused.extend(found);
                }
            }
        }
    }

    fn try_resolve(&self) -> Result<(Host, Site), Vec<usize>> {
        let (mut site, mut host) = (Written::default(), Written::default());
        self.write(&self.profile.site, &mut site);
        self.write(&self.profile.host, &mut host);
        let (mut sources, mut diagnostics) = (Sources::default(), Vec::new());
        let mut texts = BTreeMap::new();
        let mut contents = Vec::new();
        for (path, text) in &self.profile.texts {
            let token = self.token_of(text);
            let name = self.token_of(path).and_then(|token| self.written(token)).unwrap_or(path);
            let text = token.and_then(|token| self.written(token)).unwrap_or(text);
            let source = sources.add(name, text);
            contents.extend(token.map(|token| (source, token)));
            texts.insert(name.to_owned(), source);
        }
        let (site_source, host_source) =
            (sources.add("site.yaml", &*site.text), sources.add("hosts/x.yaml", &*host.text));
        let site_node = yaml::parse(site_source, &site.text, &mut diagnostics);
        let host_node = yaml::parse(host_source, &host.text, &mut diagnostics);
        let raw_site = site_node.map(|node| decode(node, &mut diagnostics)).unwrap_or_default();
        let raw = host_node.map(|node| decode(node, &mut diagnostics)).unwrap_or_default();
        let name = self.token_of(self.profile.host["name"].as_str().unwrap_or_default());
        let name = name
            .and_then(|token| self.printed(token))
            .unwrap_or_else(|| self.profile.host["name"].as_str().unwrap());
        let damaged = !diagnostics.is_empty();
        let layer = Layer { name: name.to_owned(), source: host_source, raw, damaged };
        let tree = Tree {
            sources,
            shared: Shared { site: raw_site, site_source, site_damaged: damaged, classes: BTreeMap::new() },
            hosts: vec![layer],
            texts,
            diagnostics,
        };
        let mut resolved = resolve(&tree);
        if resolved.diagnostics.is_empty() {
            // a text of one line names a file, and whether that is there is told by whoever reads files
            let Some(host) = resolved.hosts.pop() else {
                let named =
                    |(token, _): &(usize, &str)| self.profile.tokens[*token].path.starts_with("handoff.");
                let found: Vec<_> =
                    self.hostile().into_iter().filter(named).map(|(token, _)| token).collect();
                assert!(!found.is_empty(), "{}: no host, and no reason", self.profile.name);
                return Err(found);
            };
            return Ok((host, resolved.site));
        }
        let mut found = Vec::new();
        for diagnostic in &resolved.diagnostics {
            assert!(
                !diagnostic.message.chars().any(char::is_control),
                "{:?} would reach a terminal",
                diagnostic.message
            );
            let (source, at) = (diagnostic.span.source, diagnostic.span.start as usize);
            let places = if source == host_source { &host.places } else { &site.places };
            let token = match contents.iter().find(|(content, _)| *content == source) {
                Some((_, token)) => Some(*token),
                None => places.iter().find(|(range, _)| range.contains(&at)).map(|(_, token)| *token),
            };
            found.extend(token.filter(|token| self.strings[*token].is_some()));
        }
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            // a place that isn't a text's own: whoever is refused alone
            let hostile: Vec<_> = self.hostile().into_iter().map(|(token, _)| token).collect();
            let alone = |token: &usize| {
                let mut alone = self.profile.tame();
                alone.strings[*token] = self.strings[*token];
                hostile.len() == 1 || alone.try_resolve().is_err()
            };
            found = hostile.iter().copied().filter(alone).collect();
        }
        let name = &self.profile.name;
        assert!(!found.is_empty(), "{name}: nobody's mistake: {:?}", resolved.diagnostics);
        Err(found)
    }

    /// What was replaced, in every form in which it may be written.
    pub fn replaced(&self) -> Replaced {
        let mut replaced = Replaced::default();
        for (number, token) in self.profile.tokens.iter().enumerate() {
            let printed = self.printed(number).unwrap_or(&token.tame);
            for (tame, hostile) in token.forms(&token.tame).iter().zip(token.forms(printed)) {
                if !tame.is_empty() {
                    replaced.add(tame, &hostile);
                }
            }
        }
        replaced
    }

    /// Which tokens are hostile, with their texts.
    pub fn hostile(&self) -> Vec<(usize, &str)> {
        (0..self.strings.len()).filter_map(|token| Some((token, self.written(token)?))).collect()
    }
}
