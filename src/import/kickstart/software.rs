//! Where the system comes from.

use super::Given;
use crate::import::Reading;
use crate::import::names::identifier;
use crate::value::HttpUrl;

/// `url`
pub fn url(given: &Given<'_>, reading: &mut Reading<'_>) {
    match given.arguments.text("--url") {
        Some(url) => _ = reading.draft.put("mirror", url, given.id),
        None => {
            let why = "a profile names one tree, no list of mirrors: set `mirror: http://…`";
            return reading.report.refuse(given.id, why);
        }
    }
    if let Some(proxy) = given.arguments.text("--proxy") {
        reading.draft.put("proxy", proxy, given.id);
    }
    given.rest(&["--url", "--proxy"], reading);
}

/// `repo`
pub fn repository(given: &Given<'_>, reading: &mut Reading<'_>) {
    let arguments = &given.arguments;
    let (Some(name), Some(url)) = (arguments.text("--name"), arguments.text("--baseurl")) else {
        let why = "a profile's repository has one address, no list of mirrors: add it to `repositories:`";
        return reading.report.refuse(given.id, why);
    };
    let id = identifier(name);
    if reading.draft.has(&format!("repositories[{id}]")) {
        let why = format!("a profile would call it `{id}`, like one before it: give it another --name");
        return reading.report.refuse(given.id, why);
    }
    if let Err(error) = url.parse::<HttpUrl>() {
        return reading.report.refuse(given.id, error.to_string());
    }
    reading.draft.put(&format!("repositories[{id}].id"), id.clone(), given.id);
    reading.draft.put(&format!("repositories[{id}].url"), url, given.id);
    if id != name {
        reading.report.note(given.id, format!("the repository is called `{id}` in the profile"));
    }
    given.explain(&[("--install", "repositories of a profile stay in the installed system")], reading);
    if let Some(proxy) = arguments.text("--proxy") {
        let note = "a profile has one proxy for all";
        match reading.draft.has("proxy") {
            true => reading.report.note(given.id, note),
            false => _ = reading.draft.put("proxy", proxy, given.id),
        }
    }
    given.rest(&["--name", "--baseurl", "--install", "--proxy"], reading);
}

/// `ostreecontainer`
pub fn container(given: &Given<'_>, reading: &mut Reading<'_>) {
    let Some(url) = given.arguments.text("--url").filter(|url| url.contains("@sha256:")) else {
        let why = "a profile's image is named by its digest: set `image: oci:REGISTRY/NAME@sha256:…`";
        return reading.report.refuse(given.id, why);
    };
    // a tag beside the digest says nothing
    let (name, digest) = url.split_once('@').unwrap_or((url, ""));
    let name = match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    };
    reading.draft.put("image", format!("oci:{name}@{digest}"), given.id);
    given.rest(&["--url", "--transport", "--no-signature-verification"], reading);
}
