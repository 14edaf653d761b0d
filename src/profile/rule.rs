//! The rules of `check`, which look beyond one value or file; and all that `waive:` in `site.yaml` can name, which is these and what
//! `lint` and `image lint` find.

use std::borrow::Cow;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use crate::value::nearest;
use crate::value::rule::rules;
pub use crate::value::rule::{Rule, Severity};
use crate::{grammar, image_lint};

rules! {
    SAME_MACHINE = "same-machine" error fixed,
        "One machine could be two hosts.",
        "Make the `match` rules of the two exclude each other.";
    SAME_MAC = "same-mac" error fixed,
        "Two hosts have one MAC address, in `match` or in `network`, so one boot file would be for both.",
        "Correct one of them.";
    SAME_ADDRESS = "same-address" error,
        "Two hosts have one fixed IPv4 or IPv6 address, on cards, bonds, VLANs or bridges.",
        "Correct one of them; waive it where both are meant to announce it.";
    SAME_DISK = "same-disk" warning,
        "Two hosts name one disk, by serial number or world-wide name.",
        "Correct one of them.";
    NO_LOGIN = "no-login" warning,
        "Nobody can log into a host: there is no user and no root with a password or a key, and no hand-off or script that would bring one.",
        "Add a user; waive it where the image brings one.";
    NOT_LOCKED = "not-locked" warning,
        "`ironstrap.lock` doesn't pin a host's image.",
        "Run `ironstrap lock`.";
    IMAGE_TOO_OLD = "image-too-old" error,
        "A host's golden image was imported or built longer ago than `policy.max_age` allows.",
        "Build or import a new version, name it in the profile, and run `ironstrap lock`; waive it where the old one is meant.";
    SERVER_ELSEWHERE = "server-elsewhere" warning,
        "The site's `server` is an address in none of the hosts' networks, or no gateway and no route leads there from a host.",
        "Correct `server`, or add a route.";
    USER_DATA = "user-data" warning,
        "User-data says what means less on an installed host than it seems to, is deprecated, or reads otherwise in YAML 1.1. The finding has the id of `lint`; a waiver with this one takes all such findings.",
        "Do as the finding says.";
    USER_DATA_VERSION = "user-data-version" warning,
        "One version of cloud-init reads what another one doesn't, and the host's isn't known: its image isn't in the store. The finding has the id of `lint`; a waiver with this one takes all such findings.",
        "Get the image into the store, or write what both versions read.";
    MACHINE_REFUSED = "machine-refused" error,
        "On the machine whose facts the site has, the agent would refuse the host whatever its disks hold: no disk is meant, or two are, or it is too small.",
        "Correct `storage.target` or the image; record the facts anew where the machine was rebuilt.";
    MACHINE_CONTENT = "machine-content" warning,
        "On the machine whose facts the site has, the agent would refuse the host for what its disks hold or how they are today.",
        "Do what the code's advice says; record the facts anew after that.";
    UNUSED_WAIVER = "unused-waiver" warning fixed,
        "A waiver finds nothing to waive: it is old, or meant something else.",
        "Take it out.";
}

/// All rules that there are, those of `check` first.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    let of_lint = grammar::rules::all().chain(image_lint::rules::ALL.iter().copied());
    ALL.iter().copied().chain(of_lint)
}

/// The rule with an id.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id() == id)
}

/// A rule as a site names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(&'static Rule);

impl RuleId {
    /// The rule.
    pub fn rule(self) -> &'static Rule {
        self.0
    }
}

static IDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| all().map(Rule::id).collect());
/// What is listed where nothing near is known: all of them would be pages.
static OF_CHECK: LazyLock<Vec<&'static str>> = LazyLock::new(|| ALL.iter().map(|rule| rule.id()).collect());

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        find(&id).map(Self).ok_or_else(|| {
            let near = nearest(&id, IDS.iter().copied());
            serde::de::Error::unknown_variant(&id, if near.is_some() { &IDS } else { &OF_CHECK })
        })
    }
}

impl Serialize for RuleId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for RuleId {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let rule = |rule: &Rule| json!({ "const": rule.id(), "description": rule.means() });
        let rules: Vec<_> = all().map(rule).collect();
        json_schema!({ "description": "A rule across hosts, or of `ironstrap lint`.", "oneOf": rules })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_by_its_id_and_no_two_have_one() {
        let mut seen = std::collections::BTreeSet::new();
        for rule in all() {
            assert!(seen.insert(rule.id()), "{rule} twice");
            assert!(
                rule.id().bytes().all(|byte| byte.is_ascii_lowercase() || b"-0123456789".contains(&byte)),
                "{rule}"
            );
            let read: RuleId = serde_json::from_value(serde_json::json!(rule.id())).unwrap();
            assert_eq!(read.rule(), rule);
        }
        assert!(serde_json::from_str::<RuleId>("\"same-machin\"").is_err());
    }
}
