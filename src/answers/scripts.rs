//! The site's own scripts as answer files carry them: in base64, so that no text of theirs means anything in between.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::Serialize;

use crate::host;

/// The scripts of a host, each kind in order.
#[derive(Debug, Serialize)]
pub struct Scripts {
    pub pre: Vec<Script>,
    pub post: Vec<Script>,
    pub post_outside: Vec<Script>,
    pub first_boot: Vec<Script>,
    pub on_error: Vec<Script>,
}

/// One script.
#[derive(Serialize)]
pub struct Script {
    /// Its file in the site, for messages.
    pub name: String,
    /// A file name that no shell reads as anything else and that sorts in order.
    pub file: String,
    pub base64: String,
}

/// Without the content.
impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Script").field(&self.name).finish()
    }
}

/// Packs all of a host's scripts.
pub fn pack(scripts: &host::Scripts) -> Scripts {
    let host::Scripts { pre, post, post_outside, first_boot, on_error } = scripts;
    let pack = |scripts: &[host::Script]| {
        let script = |(number, script): (usize, &host::Script)| Script {
            name: script.name.clone(),
            file: format!("{number:02}-{}", plain(&script.name)),
            base64: BASE64.encode(&script.content),
        };
        (1..).zip(scripts).map(script).collect()
    };
    Scripts {
        pre: pack(pre),
        post: pack(post),
        post_outside: pack(post_outside),
        first_boot: pack(first_boot),
        on_error: pack(on_error),
    }
}

/// The last part of a path, with letters, digits and dashes only.
fn plain(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.chars().take(40).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_sort_in_order_and_are_plain() {
        let script = |name: &str| host::Script { name: name.to_owned(), content: "#!/bin/sh\n".to_owned() };
        let scripts = host::Scripts {
            post: vec![script("scripts/b c$(x).sh"), script("scripts/a.sh")],
            ..host::Scripts::default()
        };
        let files: Vec<_> = pack(&scripts).post.into_iter().map(|script| script.file).collect();
        assert_eq!(files, ["01-b-c--x--sh", "02-a-sh"]);
    }
}
