//! Which disk subiquity takes: a layout's or an action's `match`, which may fit several.

use super::Release;
use super::rules;
use super::yaml::{Data, Node, YamlType};
use crate::grammar::{Finding, shown};
use crate::value::nearest;
use Release::Ubuntu2204;

const LAYOUTS: [&str; 5] = ["direct", "lvm", "zfs", "hybrid", "dd"];
const MATCHES: [&str; 9] =
    ["model", "vendor", "path", "id_path", "devpath", "serial", "ssd", "size", "install-media"];

/// A layout that subiquity makes itself.
pub fn layout(layout: &Node, release: Release, found: &mut Vec<Finding>) {
    let Some(name) = layout.get("name") else {
        found.push(Finding::error(&rules::MISSING_KEY, layout.line, "`name` is missing in `storage/layout`"));
        return;
    };
    let text = name.text().unwrap_or_default();
    let too_new = release == Ubuntu2204 && matches!(text, "zfs" | "hybrid" | "dd");
    if !LAYOUTS.contains(&text) || too_new {
        let message = format!("{release} has no layout `{}`", shown(text));
        let finding = Finding::error(&rules::LAYOUT, name.line, message);
        found.push(match nearest(text, LAYOUTS).filter(|_| !too_new) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help("subiquity may take it for `direct`"),
        });
    }
    if let Some(mode) =
        layout.get("mode").filter(|mode| !matches!(mode.text(), Some("reformat_disk" | "use_gap")))
    {
        found.push(Finding::error(&rules::VALUE, mode.line, "`mode` must be reformat_disk or use_gap"));
    }
    if let Some(password) = layout.get("password") {
        found.push(Finding::warning(
            &rules::CLEAR_TEXT,
            password.line,
            "storage/layout/password is a passphrase in clear text",
        ));
    }
    let uses_gap = layout.get("mode").and_then(Node::text) == Some("use_gap");
    match layout.get("match") {
        Some(matched) => self::matched(matched, found),
        None if uses_gap => {}
        None => {
            let message = "no `match`: the largest disk is taken, whichever that is";
            found.push(Finding::warning(&rules::ANY_DISK, layout.line, message).help("match: {serial: …}"));
        }
    }
}

/// A disk that isn't told from others is an arbitrary one.
pub fn matched(node: &Node, found: &mut Vec<Finding>) {
    let specs = match &node.data {
        Data::Map(_) => std::slice::from_ref(node),
        Data::List(items) => items,
        Data::Scalar { .. } => {
            found.push(Finding::error(
                &rules::TYPE,
                node.line,
                format!("`match` must be a map, found {}", node.kind()),
            ));
            return;
        }
    };
    if specs.iter().any(|spec| spec.entries().next().is_none()) || specs.is_empty() {
        found.push(arbitrary(node.line, "an empty `match`"));
    } else if !specs.iter().all(|spec| spec.entries().any(|(key, value)| is_certain(&key.text, value))) {
        // a list is tried in order, and the last resort is as arbitrary
        let message = "several disks can fit this `match`: subiquity takes an arbitrary one of them";
        found.push(
            Finding::warning(&rules::ANY_DISK, node.line, message)
                .help("name a serial or a path, without wildcards"),
        );
    }
    for (key, value) in specs.iter().flat_map(Node::entries) {
        let name = key.text.as_str();
        if !MATCHES.contains(&name) {
            let message = format!(
                "`{}` is no key of `match`: subiquity ignores it and may take another disk",
                shown(name)
            );
            let finding = Finding::error(&rules::MATCH_KEY, key.line, message);
            found.push(match nearest(name, MATCHES) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!("one of {}", MATCHES.join(", "))),
            });
        }
        let wrong = match name {
            "ssd" | "install-media" => (value.kind() != YamlType::Boolean).then_some("true or false"),
            "size" => {
                (!matches!(value.text(), Some("largest" | "smallest"))).then_some("largest or smallest")
            }
            _ => (value.kind() != YamlType::Text).then_some("a text; quote it"),
        };
        if let Some(wanted) = wrong {
            found.push(Finding::error(
                &rules::TYPE,
                value.line,
                format!("`match/{}` must be {wanted}", shown(name)),
            ));
        }
    }
}

/// Nobody can tell which disk is overwritten.
pub fn arbitrary(line: usize, what: &str) -> Finding {
    Finding::warning(&rules::ANY_DISK, line, format!("{what} takes an arbitrary disk"))
        .help("name its serial, its path, or a match")
}

/// What is written on one disk only, or where one disk only is plugged in.
fn is_certain(key: &str, value: &Node) -> bool {
    let names_one = matches!(key, "serial" | "path" | "id_path" | "devpath");
    names_one && value.text().is_some_and(|text| !text.contains(['*', '?', '[']))
}
