//! `image-datasource`: lists of cloud-init's data sources that leave out the one by which hosts are handed over.

use anyhow::Result;

use super::rules::DATASOURCE;
use super::{Finding, Subject};

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    if !subject.system.tools.iter().any(|tool| tool == "cloud-init") {
        return Ok(Vec::new());
    }
    // the last one counts
    let mut texts: Vec<_> = subject
        .text("/etc/cloud/cloud.cfg")?
        .map(|text| ("/etc/cloud/cloud.cfg".to_owned(), text))
        .into_iter()
        .collect();
    texts.extend(subject.texts("/etc/cloud/cloud.cfg.d", ".cfg")?);
    let mut lists = texts.iter().rev().filter_map(|(path, text)| Some((path, list(text)?)));
    let Some((path, sources)) = lists.next() else { return Ok(Vec::new()) };
    if sources.is_empty() || sources.iter().any(|source| source == "NoCloud") {
        return Ok(Vec::new());
    }
    let message = format!("`datasource_list` has {}, and no NoCloud", sources.join(", "));
    Ok(vec![Finding::new(&DATASOURCE, message).at(path)])
}

/// The names in a list of YAML, on its line or on those below.
fn list(text: &str) -> Option<Vec<String>> {
    let mut lines = text.lines();
    let first = lines.find_map(|line| line.strip_prefix("datasource_list:"))?;
    let mut rest = first.to_owned();
    // in brackets it may go on, and so does a list of dashes
    for line in lines {
        let is_more = (rest.contains('[') && !rest.contains(']')) || line.trim_start().starts_with("- ");
        if !is_more {
            break;
        }
        rest.push(' ');
        rest.push_str(line);
    }
    let plain = rest.split(" #").next().unwrap_or_default();
    let names = plain.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    Some(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}
