//! Where the system comes from: packages or an image, and only one of them.
//!
//! Anaconda takes the first kind that it finds, in an order of its own (images before packages; cdrom, harddrive, nfs, url,
//! hmc among these), and says nothing about the others.

use std::collections::BTreeMap;

use super::rules;
use super::{Read, Reading};
use crate::grammar::Finding;

const IMAGES: [&str; 4] = ["liveimg", "ostreecontainer", "ostreesetup", "bootc"];
const PACKAGES: [&str; 5] = ["cdrom", "harddrive", "nfs", "url", "hmc"];

/// Endings of a URL that Anaconda unpacks; anything else it mounts as a file system image.
const TARS: [&str; 7] = [".tar", ".tbz", ".tgz", ".txz", ".tar.bz2", ".tar.gz", ".tar.xz"];

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    let is_source = |read: &&Read| IMAGES.contains(&read.name) || PACKAGES.contains(&read.name);
    let sources: Vec<_> = reading.working().filter(is_source).collect();
    let rank = |read: &&&Read| IMAGES.iter().chain(&PACKAGES).position(|name| *name == read.name);
    if let Some(used) = sources.iter().min_by_key(rank) {
        for other in sources.iter().filter(|other| other.name != used.name) {
            let what = format!("{} is ignored: {} of line {} comes first", other.name, used.name, used.line);
            found.push(Finding::error(&rules::SOURCE_CONFLICT, other.line, what).help("keep one of them"));
        }
    }
    let mut seen = BTreeMap::new();
    for read in &sources {
        if let Some(line) = seen.insert(read.name, read.line) {
            let what = format!("{} is in line {line} already; this one counts", read.name);
            found.push(Finding::warning(&rules::REPEATED_COMMAND, read.line, what));
        }
    }
    for image in reading.all("liveimg") {
        liveimg(image, found);
    }
    packages_beside_image(reading, found);
    for read in
        reading.working().filter(|read| matches!(read.name, "url" | "repo" | "liveimg" | "ostreesetup"))
    {
        addresses(read, found);
    }
}

fn liveimg(image: &Read, found: &mut Vec<Finding>) {
    let url = image.arguments.value("--url").unwrap_or_default();
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let name = plain.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_tar = |name: &str| TARS.iter().any(|ending| name.ends_with(ending));
    let packed =
        name.contains(".tar.") || is_tar(&name) || name.ends_with(".tzst") || name.ends_with(".tbz2");
    if packed && !is_tar(url) {
        let what =
            "liveimg: Anaconda doesn't take this URL for a tar; it mounts the file as an image, and fails";
        found.push(
            Finding::error(&rules::LIVEIMG_TAR, image.line, what)
                .help(format!("let the URL end in one of {}", TARS.join(" "))),
        );
    }
    match image.arguments.text("--checksum") {
        None => {
            let what = "liveimg without --checksum: Anaconda ignores tar's failure, so half an image passes";
            found.push(
                Finding::warning(&rules::CHECKSUM_MISSING, image.line, what)
                    .help("add --checksum=, the SHA-256 of the file"),
            );
        }
        Some(sum) if sum.len() != 64 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            found.push(Finding::error(
                &rules::CHECKSUM,
                image.line,
                "liveimg: --checksum is no SHA-256 in hexadecimal digits",
            ));
        }
        Some(sum) if sum.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            found.push(Finding::warning(
                &rules::CHECKSUM,
                image.line,
                "liveimg: --checksum has capital letters; write small ones",
            ));
        }
        Some(_) => {}
    }
}

fn packages_beside_image(reading: &Reading, found: &mut Vec<Finding>) {
    let Some(image) = reading.working().find(|read| IMAGES.contains(&read.name)) else { return };
    for section in reading.file.sections().filter(|section| section.name() == "%packages") {
        let named = section.body.iter().find(|line| {
            let text = line.text().trim();
            !text.is_empty() && !text.starts_with('#')
        });
        if let Some(line) = named {
            let what = format!("%packages is ignored beside {} of line {}", image.name, image.line);
            found.push(
                Finding::warning(&rules::PACKAGES_BESIDE_IMAGE, line.number, what)
                    .help("the image must hold them already"),
            );
        }
    }
}

/// Schemes that nothing fetches, and passwords in an address, which end up in logs.
fn addresses(read: &Read, found: &mut Vec<Finding>) {
    for given in &read.arguments.options {
        if !matches!(given.name, "--url" | "--mirrorlist" | "--metalink" | "--baseurl" | "--proxy") {
            continue;
        }
        let Some((scheme, rest)) = given.value.unwrap_or_default().split_once("://") else { continue };
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
            let what = format!("{}: {} holds a password in clear text", read.name, given.name);
            found.push(Finding::warning(&rules::CLEAR_TEXT, read.line, what));
        }
        let known = ["http", "https", "ftp", "file", "nfs", "hd", "socks4", "socks5", "socks4a", "socks5h"];
        if !known.contains(&scheme) {
            let what = format!("{}: {} has a scheme that Anaconda doesn't fetch", read.name, given.name);
            found.push(Finding::warning(&rules::URL_SCHEME, read.line, what));
        }
    }
}
