//! The golden files against the table of capabilities: every field in every release, said or refused.

use std::collections::BTreeSet;
use std::path::Path;

use ironstrap::answers::table::{Cell, Target, by_agent, rows};
use ironstrap::host::{self, Host, Os};
use ironstrap::profile::load;

use super::{golden, parts};

/// The hosts of a site.
fn hosts(site: &Path) -> Vec<Host> {
    let resolved = host::resolve(&load::load(site).unwrap());
    assert!(resolved.diagnostics.is_empty(), "{}: {:?}", site.display(), resolved.diagnostics);
    resolved.hosts
}

/// Keys of rows that a release says in some golden file, and those that one refuses.
fn covered(os: Os) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut said, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for (site, path) in golden() {
        let (name, release, _, fails) = parts(&path);
        if release != os.name() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let hosts = hosts(&site);
        let host = hosts.iter().find(|host| host.name.as_str() == name).unwrap();
        for row in rows() {
            let (title, used) = (row.title(), row.used(host));
            // with an image the agent installs, and this column says nothing but that
            let other = by_agent(host, Target::Os(os)) && title != "image";
            if used.is_empty() || other {
                continue;
            }
            let told = |key: &String| text.contains(&format!("{name}: {key}: {release} "));
            match row.cell(Target::Os(os)) {
                Cell::Native | Cell::Scripted(_) if !fails => _ = said.insert(title),
                Cell::Refused(_) if fails && used.iter().all(told) => _ = refused.insert(title),
                _ => {}
            }
        }
    }
    (said, refused)
}

#[test]
fn every_field_is_said_or_refused_by_a_golden_file_of_every_release() {
    let mut missing = Vec::new();
    for os in Os::ALL {
        let (said, refused) = covered(os);
        for row in rows() {
            let (have, what) = match row.cell(Target::Os(os)) {
                Cell::Native | Cell::Scripted(_) => (&said, "said"),
                Cell::Refused(_) => (&refused, "refused"),
                Cell::Unused(_) => continue,
            };
            if !have.contains(&row.title()) {
                missing.push(format!("{}: {} is {what} by no golden file", os.name(), row.title()));
            }
        }
    }
    assert!(missing.is_empty(), "{} cells:\n{}", missing.len(), missing.join("\n"));
}
