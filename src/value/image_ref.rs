//! Names of golden images.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

fn is_word(text: &str, extra: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        && !text.contains("..")
}

/// The name of an image without its version: letters, digits, `-`, `_`, `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName(String);

/// The version of an image: letters, digits, `-`, `_`, `.`, `+`, `~`. Versions are names; they are not ordered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageVersion(String);

/// An image by name and version. Text form: `debian-12-base@1.3.0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    name: ImageName,
    version: ImageVersion,
}

impl ImageRef {
    /// Joins a name and a version.
    pub fn new(name: ImageName, version: ImageVersion) -> Self {
        Self { name, version }
    }

    /// The name.
    pub fn name(&self) -> &ImageName {
        &self.name
    }

    /// The version.
    pub fn version(&self) -> &ImageVersion {
        &self.version
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ImageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl FromStr for ImageName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if !is_word(text, "-_.") {
            return Err(ValueError::new(format!(
                "`{}` is not an image name (letters, digits, `-`, `_`, `.`)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for ImageVersion {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if !is_word(text, "-_.+~") {
            return Err(ValueError::new(format!(
                "`{}` is not an image version (letters, digits, `-_.+~`)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for ImageRef {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (name, version) = text.split_once('@').ok_or_else(|| {
            ValueError::new(format!(
                "`{}` names no version; write NAME@VERSION, like debian-12-base@1.3.0",
                text.escape_debug()
            ))
        })?;
        Ok(Self { name: name.parse()?, version: version.parse()? })
    }
}

serde_through_text!(ImageName);
serde_through_text!(ImageVersion);
serde_through_text!(ImageRef, {
    "description": "A golden image: NAME@VERSION.",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9._+~-]*$",
    "examples": ["debian-12-base@1.3.0"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_a_name_and_a_version() {
        let image: ImageRef = "debian-12-base@1.3.0".parse().unwrap();
        assert_eq!(image.to_string(), "debian-12-base@1.3.0");
        for text in ["debian", "a@", "@1", "a/b@1", "../a@1", "a@1@2", "a@.."] {
            assert!(text.parse::<ImageRef>().is_err(), "{text}");
        }
    }
}
