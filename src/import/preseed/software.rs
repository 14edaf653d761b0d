//! Mirror, repositories, packages.

use super::Given;
use crate::import::Reading;
use crate::import::line_report::Id;

/// Reads what `choose-mirror`, `apt-setup`, `tasksel` and `pkgsel` are told.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    mirror(given, reading);
    if let Some((id, packages)) = given.get("pkgsel/include") {
        packages
            .split([' ', '\t', ','])
            .filter(|name| !name.is_empty())
            .for_each(|name| reading.draft.push("packages", name, id));
        reading.report.taken(id);
    }
    if let Some((id, tasks)) = given.get("tasksel/first") {
        for task in tasks.split(',').map(str::trim).filter(|task| !task.is_empty()) {
            match task {
                "standard" => {}
                "ssh-server" => {
                    reading.draft.push("packages", "openssh-server", id);
                    reading.report.note(id, "ssh-server: its package");
                }
                task => reading.report.lose(
                    id,
                    format!(
                        "the task `{}` has no key in a profile: name its packages in `packages:`",
                        task.escape_debug()
                    ),
                ),
            }
        }
        reading.report.taken(id);
    }
    for number in 0..10 {
        repository(number, given, reading);
    }
}

fn mirror(given: &Given<'_>, reading: &mut Reading<'_>) {
    let protocol = given.get("mirror/protocol");
    let scheme = protocol.map_or("http", |(_, scheme)| scheme);
    let host = given.get(&format!("mirror/{scheme}/hostname"));
    let directory = given.get(&format!("mirror/{scheme}/directory"));
    let ids: Vec<Id> = [protocol, host, directory].into_iter().flatten().map(|(id, _)| id).collect();
    if let Some((id, host)) = host {
        let directory = directory.map_or("/debian", |(_, directory)| directory);
        let url = format!("{scheme}://{host}/{}", directory.trim_start_matches('/'));
        reading.draft.put("mirror", url.trim_end_matches('/'), id);
        ids.into_iter().for_each(|id| reading.report.taken(id));
    }
    if let Some((id, proxy)) = given.get(&format!("mirror/{scheme}/proxy")) {
        reading.put("proxy", proxy, id);
    }
}

/// `apt-setup/localN/…`: a one-line source and its key.
fn repository(number: usize, given: &Given<'_>, reading: &mut Reading<'_>) {
    let key = |name: &str| format!("apt-setup/local{number}/{name}");
    let Some((id, line)) = given.get(&key("repository")) else { return };
    let mut words = line.split_whitespace().filter(|word| *word != "deb");
    let (Some(url), Some(suite)) = (words.next(), words.next()) else {
        return reading.report.refuse(id, "address or suite is missing");
    };
    if url.starts_with('[') {
        return reading
            .report
            .refuse(id, "options in brackets have no key in a profile: name the key in `repositories:`");
    }
    let comment = given.get(&key("comment"));
    let name =
        crate::import::names::identifier(comment.map_or(&format!("local{number}"), |(_, comment)| comment));
    let place = format!("repositories[{name}]");
    reading.draft.put(&format!("{place}.id"), name, id);
    reading.draft.put(&format!("{place}.url"), url.trim_end_matches('/'), id);
    reading.draft.put(&format!("{place}.suite"), suite, id);
    words.for_each(|component| reading.draft.push(&format!("{place}.components"), component, id));
    reading.report.taken(id);
    if let Some((id, _)) = comment {
        reading.report.taken(id);
    }
    if let Some((id, url)) = given.get(&key("key")) {
        reading.put(&format!("{place}.key"), url, id);
    }
}
