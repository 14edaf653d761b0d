//! `image-private-key`: private keys in homes and in `/etc`, by what they begin with.
//!
//! Not those that each host gets anew (SSH host keys, the snakeoil certificate's): `image_rules::identity` has these.

use anyhow::Result;

use super::rules::PRIVATE_KEY;
use super::{Finding, Subject, search};
use crate::image_rules::identity::{self, TRACES};

/// How much of a file tells: certificates often stand before a key.
const LOOKED_AT: u64 = 16 << 10;
/// So many files are opened: those whose names say that they may be keys, and all in `.ssh`.
const MOST_OPENED: usize = 2_000;

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut places = search::homes(subject)?;
    places.push("/etc".to_owned());
    let mut renewed = Vec::new();
    for trace in TRACES {
        renewed.extend(identity::of_root(trace, subject.root)?);
    }
    let mut found = Vec::new();
    let files = search::files(subject, &places)?;
    let files = files.into_iter().filter(|path| may_be_key(path)).filter(|path| !renewed.contains(path));
    for path in files.take(MOST_OPENED) {
        let start = subject.root.start(&path, LOOKED_AT)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&start);
        if has_key(&text) {
            let what = match path.rsplit('/').next() {
                Some("validation.pem" | "validator.pem") => {
                    "a validation key of Chef, with which anybody can register machines"
                }
                _ => "a private key",
            };
            found.push(Finding::new(&PRIVATE_KEY, format!("it is {what}")).at(path));
        }
    }
    Ok(found)
}

fn may_be_key(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let endings = [".pem", ".key", ".p8", ".ppk", ".priv"];
    path.contains("/.ssh/")
        || path.contains("/private/")
        || endings.iter().any(|ending| name.ends_with(ending))
        || (name.starts_with("id_") && !name.ends_with(".pub"))
}

/// RFC 7468 and the forms of OpenSSL, OpenSSH and PuTTY.
fn has_key(text: &str) -> bool {
    text.starts_with("PuTTY-User-Key-File")
        || text
            .lines()
            .any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with("PRIVATE KEY-----"))
}
