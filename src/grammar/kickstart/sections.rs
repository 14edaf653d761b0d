//! Sections: their headers, and what their bodies say to the installer.

use std::collections::BTreeMap;

use super::arguments::shown;
use super::rules;
use super::{Arguments, Reading, Release, Section};
use crate::grammar::Finding;

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    for section in reading.file.sections() {
        let (line, name) = (section.header.line.number, section.name());
        let Some(shape) = reading.table.get(name) else { continue };
        for (line, file) in section.includes() {
            if file.is_none() {
                found.push(Finding::error(
                    &rules::INCLUDE_WITHOUT_FILE,
                    line,
                    format!("%include in {name} names no file"),
                ));
            }
        }
        if section.unsplit.is_some() {
            continue;
        }
        let given = Arguments::read(shape, &section.header.words[1..]);
        found.extend(
            given
                .problems
                .iter()
                .map(|problem| Finding::error(problem.rule, line, format!("{name}: {problem}"))),
        );
        if shape.positionals.is_some() && !given.left_over.is_empty() {
            found.push(Finding::error(&rules::SURPLUS_WORDS, line, format!("{name}: it takes options only")));
        }
        for old in shape.options.iter().filter(|option| option.deprecated) {
            if old.names.first().is_some_and(|name| given.has(name)) {
                let what = format!(
                    "{name}: {} has no effect in {} any more",
                    old.names.join(" or "),
                    reading.release
                );
                found.push(Finding::warning(&rules::DEPRECATED, line, what));
            }
        }
        since_and_until(reading.release, section, found);
        match name {
            "%certificate" if section.body.iter().all(|line| line.text().trim().is_empty()) => {
                found.push(Finding::error(&rules::EMPTY_SECTION, line, "%certificate is empty"));
            }
            "%packages" => packages(reading.release, section, &given, found),
            "%pre" | "%pre-install" | "%post" => script(section, &given, found),
            _ => {}
        }
    }
}

/// The stock parser takes every section for every release; installers don't.
fn since_and_until(release: Release, section: &Section, found: &mut Vec<Finding>) {
    let (line, name) = (section.header.line.number, section.name());
    let (rule, what) = match (name, release) {
        ("%traceback", Release::Rhel8) => return,
        ("%traceback", _) => (&rules::DEPRECATED, "it goes away; %onerror is its successor"),
        ("%anaconda", Release::Rhel8) => return,
        ("%anaconda", _) => (&rules::OTHER_RELEASE, "the installer has no such section any more"),
        ("%certificate", Release::Rhel8 | Release::Rhel9) => {
            (&rules::OTHER_RELEASE, "the installer may not know it yet")
        }
        _ => return,
    };
    found.push(Finding::warning(rule, line, format!("{name}: {what}")));
}

fn script(section: &Section, given: &Arguments, found: &mut Vec<Finding>) {
    let (line, name) = (section.header.line.number, section.name());
    if section.body.iter().all(|line| line.text().trim().is_empty()) {
        found.push(Finding::warning(&rules::EMPTY_SECTION, line, format!("{name} is empty")));
    } else if !given.has("--erroronfail") {
        let what = format!("{name} without --erroronfail: when the script fails, the install goes on");
        found.push(Finding::warning(&rules::SCRIPT_UNCHECKED, line, what).help("add --erroronfail"));
    }
}

fn packages(release: Release, section: &Section, given: &Arguments, found: &mut Vec<Finding>) {
    let line = section.header.line.number;
    if given.has("--default") && given.has("--nocore") {
        found.push(Finding::error(
            &rules::OPTION_CONFLICT,
            line,
            "%packages: only one of --default, --nocore can be given",
        ));
    }
    for (old, new) in [("--instLangs", "--inst-langs"), ("--excludeWeakdeps", "--exclude-weakdeps")] {
        if release == Release::Rhel9 && given.has(old) {
            let what = format!("%packages: {old} goes away after {release}");
            found.push(Finding::warning(&rules::DEPRECATED, line, what).help(format!("write {new}")));
        }
    }
    let (mut wanted, mut environment) = (BTreeMap::new(), None);
    for line in &section.body {
        let entry = line.text().split('#').next().unwrap_or_default().trim();
        if entry.is_empty() || entry.starts_with('%') {
            continue;
        }
        if let Some(name) = entry.strip_prefix("@^") {
            if let Some(first) = environment.replace(line.number) {
                let what = format!("%packages: line {first} names an environment already; this one counts");
                found.push(Finding::warning(&rules::PACKAGES_ENVIRONMENT, line.number, what));
            }
            if name.is_empty() {
                found.push(Finding::warning(
                    &rules::PACKAGES_ENVIRONMENT,
                    line.number,
                    "%packages: @^ without a name",
                ));
            }
            continue;
        }
        group(line.number, entry, found);
        let (name, out) = entry.strip_prefix('-').map_or((entry, false), |name| (name, true));
        if let Some((first, before)) =
            wanted.insert(name, (line.number, out)).filter(|(_, before)| *before != out)
        {
            let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
            let what = if before { "left out" } else { "asked for" };
            found.push(Finding::warning(
                &rules::PACKAGES_CONTRADICTION,
                line.number,
                format!("%packages: {name} is {what} in line {first}"),
            ));
        }
    }
}

/// Options of a group's line.
fn group(line: usize, entry: &str, found: &mut Vec<Finding>) {
    let Some(group) = entry.strip_prefix('@') else { return };
    let options: Vec<_> = group.split_whitespace().filter(|word| word.starts_with("--")).collect();
    if options.contains(&"--nodefaults") && options.contains(&"--optional") {
        found.push(Finding::error(
            &rules::OPTION_CONFLICT,
            line,
            "%packages: only one of --nodefaults, --optional can be given",
        ));
    }
    for option in &options {
        if matches!(*option, "--nodefaults" | "--optional") {
            continue;
        }
        if matches!(option.split_once('='), Some(("--nodefaults" | "--optional", _))) {
            found.push(Finding::error(
                &rules::OPTION_VALUE,
                line,
                format!("%packages: {} takes no value", shown(option)),
            ));
            continue;
        }
        found.push(Finding::warning(
            &rules::PACKAGES_GROUP,
            line,
            format!("%packages: a group has no option `{}`", shown(option)),
        ));
    }
}
