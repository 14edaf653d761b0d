//! `image-datasource`: lists of cloud-init's data sources that leave out the one by which hosts are handed over.

use anyhow::Result;

use super::rules::DATASOURCE;
use super::{Finding, Subject};

/// More than that are in no list that somebody wrote.
const MOST_SHOWN: usize = 12;

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
    let shown = sources.iter().take(MOST_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("`datasource_list` has {shown}, and no NoCloud");
    Ok(vec![Finding::new(&DATASOURCE, message).at(path)])
}

/// The names in a list of YAML, on its line or on those below. What follows on a list that isn't closed is no name of it: it may be
/// anything, a password too.
fn list(text: &str) -> Option<Vec<String>> {
    let mut lines = text.lines().map(without_comment);
    let first = lines.find_map(|line| line.strip_prefix("datasource_list:"))?;
    let mut rest = first.to_owned();
    // in brackets it may go on, and so does a list of dashes
    for line in lines {
        let is_open = rest.contains('[') && !rest.contains(']');
        if line.contains(':') || !(is_open || line.trim_start().starts_with("- ") || line.trim().is_empty()) {
            break;
        }
        rest.push(' ');
        rest.push_str(line);
    }
    let names = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    Some(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn a_list_ends_where_it_ends_and_comments_are_none_of_it() {
        for (text, names) in [
            ("datasource_list: [ NoCloud, None ]\npassword: x\n", &["NoCloud", "None"][..]),
            (
                "datasource_list:\n  - Ec2  # ours\n\n  # - GCE\n  - NoCloud\nusers: [x]\n",
                &["Ec2", "NoCloud"],
            ),
            ("datasource_list: [ Ec2, # first\n  NoCloud ]\n", &["Ec2", "NoCloud"]),
            ("datasource_list: [ Ec2,\nplain_text_passwd: hunter2\nx: ]\n", &["Ec2"]),
            ("a: b\n#datasource_list: [ Ec2 ]\ndatasource_list: []\n", &[]),
        ] {
            assert_eq!(list(text).unwrap(), names, "{text}");
        }
        assert_eq!(list("a: b\n"), None);
    }
}
