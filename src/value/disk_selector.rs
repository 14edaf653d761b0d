//! Which disk an install may write: stable properties only.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ByteSize, Pattern, ValueError};

/// Properties that the target disk must have, all of them. At least one is given. Kernel names such as `/dev/sda` are not
/// among them, because they change between boots; "the first disk" is undefined and therefore not to be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct DiskSelector(Fields);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wwn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<Pattern>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_size: Option<ByteSize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_size: Option<ByteSize>,
}

/// What a disk says of itself, as far as a selector asks. Borrowed from `spec::facts`.
#[derive(Debug, Clone, Copy)]
pub struct DiskIdentity<'a> {
    /// Serial number as reported, if any.
    pub serial: Option<&'a str>,
    /// World-wide name or NVMe EUI/NGUID as the kernel prints it, if any.
    pub wwn: Option<&'a str>,
    /// Model string as reported, if any.
    pub model: Option<&'a str>,
    /// Size in bytes.
    pub size: ByteSize,
}

/// What was asked of a disk that doesn't have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingProperty {
    /// The selector's key.
    pub key: &'static str,
    /// Its value there.
    pub wanted: String,
}

impl DiskSelector {
    /// Joins what was asked for.
    ///
    /// # Errors
    /// Nothing asked for, or what no disk can have.
    pub fn new(
        serial: Option<String>,
        wwn: Option<String>,
        model: Option<Pattern>,
        min_size: Option<ByteSize>,
        max_size: Option<ByteSize>,
    ) -> Result<Self, ValueError> {
        Fields { serial, wwn, model, min_size, max_size }.try_into()
    }

    /// Whether the disk has every property that was asked for. A property that the disk doesn't report doesn't match.
    pub fn matches(&self, disk: DiskIdentity<'_>) -> bool {
        self.first_missing(disk).is_none()
    }

    /// The first property that was asked for and that the disk doesn't have.
    pub fn first_missing(&self, disk: DiskIdentity<'_>) -> Option<MissingProperty> {
        let Fields { serial, wwn, model, min_size, max_size } = &self.0;
        let is_serial =
            |want: &String| disk.serial.is_some_and(|have| have.trim().eq_ignore_ascii_case(want));
        let is_wwn =
            |want: &String| disk.wwn.is_some_and(|have| Self::plain_wwn(have) == Self::plain_wwn(want));
        let is_model = |want: &Pattern| disk.model.is_some_and(|have| want.matches(have));
        let too_small = |want: &ByteSize| disk.size < *want;
        let too_large = |want: &ByteSize| disk.size > *want;
        let (key, wanted): (_, &dyn fmt::Display) = None
            .or_else(|| Some(("serial", serial.as_ref().filter(|want| !is_serial(want))? as _)))
            .or_else(|| Some(("wwn", wwn.as_ref().filter(|want| !is_wwn(want))? as _)))
            .or_else(|| Some(("model", model.as_ref().filter(|want| !is_model(want))? as _)))
            .or_else(|| Some(("min_size", min_size.as_ref().filter(|want| too_small(want))? as _)))
            .or_else(|| Some(("max_size", max_size.as_ref().filter(|want| too_large(want))? as _)))?;
        Some(MissingProperty { key, wanted: wanted.to_string() })
    }

    /// A world-wide name without the prefixes that tools give it, in lower case.
    pub fn plain_wwn(text: &str) -> String {
        let text = text.trim().to_ascii_lowercase();
        ["0x", "naa.", "eui.", "wwn-0x"]
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .unwrap_or(&text)
            .to_owned()
    }

    /// Whether it names a disk, by serial number or world-wide name, and doesn't only describe it: a disk that replaces it
    /// doesn't match.
    pub fn names_one(&self) -> bool {
        self.0.serial.is_some() || self.0.wwn.is_some()
    }

    /// The serial number asked for.
    pub fn serial(&self) -> Option<&str> {
        self.0.serial.as_deref()
    }

    /// The world-wide name asked for.
    pub fn wwn(&self) -> Option<&str> {
        self.0.wwn.as_deref()
    }

    /// The model pattern asked for.
    pub fn model(&self) -> Option<&Pattern> {
        self.0.model.as_ref()
    }

    /// Smallest size allowed.
    pub fn min_size(&self) -> Option<ByteSize> {
        self.0.min_size
    }

    /// Largest size allowed.
    pub fn max_size(&self) -> Option<ByteSize> {
        self.0.max_size
    }
}

impl TryFrom<Fields> for DiskSelector {
    type Error = ValueError;

    fn try_from(mut fields: Fields) -> Result<Self, ValueError> {
        for (name, text) in [("serial", &mut fields.serial), ("wwn", &mut fields.wwn)] {
            if let Some(text) = text {
                *text = text.trim().to_owned();
                if text.is_empty() || text.chars().any(|c| c.is_control() || c == '/') {
                    return Err(ValueError::new(format!("`{}` is not a disk's {name}", text.escape_debug())));
                }
            }
        }
        if fields == Fields::default() {
            return Err(ValueError::new(
                "a disk selector needs at least one of serial, wwn, model, min_size, max_size",
            ));
        }
        if let (Some(min), Some(max)) = (fields.min_size, fields.max_size)
            && min > max
        {
            return Err(ValueError::new(format!(
                "min_size {min} is larger than max_size {max}: no disk can match"
            )));
        }
        Ok(Self(fields))
    }
}

impl From<DiskSelector> for Fields {
    fn from(selector: DiskSelector) -> Self {
        selector.0
    }
}

impl fmt::Display for DiskSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fields { serial, wwn, model, min_size, max_size } = &self.0;
        let mut parts = Vec::new();
        parts.extend(serial.as_ref().map(|v| format!("serial {v}")));
        parts.extend(wwn.as_ref().map(|v| format!("wwn {v}")));
        parts.extend(model.as_ref().map(|v| format!("model {v}")));
        parts.extend(min_size.map(|v| format!("at least {v}")));
        parts.extend(max_size.map(|v| format!("at most {v}")));
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(json: &str) -> Result<DiskSelector, serde_json::Error> {
        serde_json::from_str(json)
    }

    const DISK: DiskIdentity<'_> = DiskIdentity {
        serial: Some("S1 "),
        wwn: Some("naa.5000c500a1b2c3d4"),
        model: Some("Samsung SSD 980"),
        size: ByteSize::bytes(8 << 30),
    };

    #[test]
    fn every_property_given_must_hold() {
        assert!(
            selector(r#"{"serial":"s1","wwn":"0x5000C500A1B2C3D4","min_size":"8G"}"#).unwrap().matches(DISK)
        );
        assert!(!selector(r#"{"serial":"S1","model":"WDC*"}"#).unwrap().matches(DISK));
        assert!(!selector(r#"{"serial":"S1"}"#).unwrap().matches(DiskIdentity { serial: None, ..DISK }));
    }

    #[test]
    fn an_empty_or_impossible_selector_does_not_exist() {
        for json in
            ["{}", r#"{"serial":" "}"#, r#"{"serial":"/dev/sda"}"#, r#"{"min_size":"2G","max_size":"1G"}"#]
        {
            assert!(selector(json).is_err(), "{json}");
        }
    }
}
