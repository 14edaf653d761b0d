//! JSON Schemas of a site's files, for editors: completion, descriptions, and mistakes as they are typed.
//!
//! Made from the types in `raw`, so they can't fall behind. A schema accepts all that ironstrap reads; what it can't say
//! (references, sums, other files) is left to `ironstrap check`.

mod defaults;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::raw::{RawProfile, RawSite};

pub use defaults::defaults;

/// The keyword under which the types give what holds where nothing is written.
const DEFAULT: &str = "x-default";

/// A kind of file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Document {
    /// `site.yaml`.
    Site,
    /// A class: `profiles/*.yaml`.
    Profile,
    /// `hosts/*.yaml`.
    #[default]
    Host,
}

impl Document {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Site, Self::Profile, Self::Host];

    /// Its name: on the command line, and of its schema's file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Profile => "profile",
            Self::Host => "host",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Site => "ironstrap: site.yaml",
            Self::Profile => "ironstrap: a class (profiles/*.yaml)",
            Self::Host => "ironstrap: a host (hosts/*.yaml)",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Site => "What holds for the whole site.",
            Self::Profile => {
                "What hosts share. Later classes and the host add to it: single values win, lists are appended, maps are \
                 joined key by key. The YAML tag `!replace` at a list or map (`packages: !replace [sudo]`) drops what earlier \
                 classes gave."
            }
            Self::Host => {
                "One machine, on top of its classes: single values win, lists are appended, maps are joined key by key. The \
                 YAML tag `!replace` at a list or map (`packages: !replace [sudo]`) drops what the classes gave. \
                 `ironstrap explain HOST` shows the result."
            }
        }
    }
}

impl std::fmt::Display for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Document {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().find(|kind| kind.name() == text);
        found.copied().ok_or_else(|| format!("`{text}` has no schema; known are {}", known()))
    }
}

/// The schema of a kind of file, JSON Schema 2020-12.
pub fn schema(kind: Document) -> Value {
    let mut schema = match kind {
        Document::Site => of::<RawSite>(),
        Document::Profile | Document::Host => of::<RawProfile>(),
    };
    schema.insert("title".to_owned(), kind.title().into());
    schema.insert("description".to_owned(), kind.description().into());
    match kind {
        // its file's name is its name
        Document::Profile => {
            schema.get_mut("properties").and_then(Value::as_object_mut).and_then(|keys| keys.remove("name"));
        }
        Document::Site | Document::Host => {
            schema.insert("required".to_owned(), json!(["name"]));
        }
    }
    schema.to_value()
}

fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(as_written))
        .into_generator()
        .into_root_schema_for::<T>()
}

/// From what the types derive to what is true of the files.
fn as_written(schema: &mut Schema) {
    // what is derived is the types' emptiness; what holds instead is told by the types on purpose
    schema.remove("default");
    if let Some(default) = schema.remove(DEFAULT) {
        schema.insert("default".to_owned(), default);
    }
    // a section without anything below it is an empty one
    if schema.get("type").is_some_and(|kind| kind == "object") && schema.get("required").is_none() {
        schema.insert("type".to_owned(), json!(["object", "null"]));
    }
    // `serial: 0123` and `wwn: 0x5000c500a1b2c3d4` are read as they were written, but are numbers to an editor
    let fixed = ["enum", "const", "format"].iter().any(|keyword| schema.get(*keyword).is_some());
    if fixed {
        return;
    }
    if let Some(kind) = schema.get_mut("type") {
        match kind {
            Value::String(text) if text == "string" => *kind = json!(["string", "number"]),
            Value::Array(kinds) if kinds.iter().any(|kind| kind == "string") => kinds.push("number".into()),
            _ => {}
        }
    }
}
