//! The labels of libselinux, which `matchpathcon` prints: of Debian's policy for thousands of paths, and of random policies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use super::*;

const KINDS: [(Kind, &str); 3] = [(Kind::File, "f"), (Kind::Directory, "d"), (Kind::Link, "l")];

/// Where Debian's policy and SELinux's tools are; `None`, said aloud, where they aren't.
pub(crate) fn unpacked() -> Option<PathBuf> {
    crate::expect::built(
        "IRONSTRAP_SELINUX",
        "unpacked-selinux",
        "tests/install-deps.sh unpacks selinux-policy-default and makes that policy",
    )
}

/// The labels of these paths by the `file_contexts` at this place.
pub(crate) fn matchpathcon(
    tools: &Path,
    contexts: &Path,
    kind: &str,
    paths: &[String],
) -> Vec<Option<String>> {
    let mut labels = Vec::new();
    for paths in paths.chunks(500) {
        let mut command = Command::new(tools.join("usr/sbin/matchpathcon"));
        let output = command.args(["-N", "-n", "-m", kind, "-f"]).arg(contexts).args(paths).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        labels.extend(text.lines().map(|line| (line != "<<none>>").then(|| line.to_owned())));
    }
    assert_eq!(labels.len(), paths.len());
    labels
}

/// A policy that lies in a directory.
#[derive(Debug)]
struct Lying(PathBuf);

impl RootView for Lying {
    fn text(&self, path: &str) -> anyhow::Result<Option<String>> {
        Ok(std::fs::read_to_string(self.0.join(path.trim_start_matches('/'))).ok())
    }

    fn exists(&self, _: &str) -> anyhow::Result<bool> {
        unreachable!("nobody asks")
    }

    fn name(&self, _: &str) -> anyhow::Result<Option<crate::image_rules::Name>> {
        unreachable!("nobody asks")
    }

    fn list(&self, _: &str) -> anyhow::Result<Vec<String>> {
        unreachable!("nobody asks")
    }
}

fn compare(tools: &Path, contexts: &Path, ours: &Contexts, paths: &[String]) -> usize {
    let mut labelled = 0;
    for (kind, name) in KINDS {
        for (path, theirs) in paths.iter().zip(matchpathcon(tools, contexts, name, paths)) {
            let ours = ours.label(path, kind).unwrap();
            assert_eq!(ours, theirs.as_deref(), "{path} {kind:?} by {}", contexts.display());
            labelled += usize::from(ours.is_some());
        }
    }
    labelled
}

/// What a pattern is likely to match, and what it just doesn't: whatever is optional in it and left out, and put in.
fn paths_of(pattern: &str) -> [String; 3] {
    let plain = |text: String| -> String {
        let text =
            text.replace("[^/]+", "one").replace("[^/]*", "two").replace(".*", "x/y").replace(".+", "z");
        text.chars().filter(|c| !r"()?*+[]{}^$|\".contains(*c)).collect()
    };
    [
        plain(pattern.replace("(/.*)?", "").replace("(.*/)?", "")),
        plain(pattern.replace("(/.*)?", "/some/.file")),
        plain(pattern.to_owned()) + "-not",
    ]
}

/// Names of this machine, as paths only.
fn walked(directory: &Path, depth: usize, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten().take(200) {
        let path = entry.path();
        found.extend(path.to_str().filter(|path| path.is_ascii()).map(str::to_owned));
        if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walked(&path, depth - 1, found);
        }
    }
}

#[test]
fn thousands_of_paths_get_the_label_that_libselinux_gives_them_by_debians_policy() {
    let Some(tools) = unpacked() else { return };
    let tree = Lying(tools.clone());
    assert_eq!(judge(&tree).unwrap(), Ok(()));
    let ours = contexts(&tree).unwrap().unwrap().unwrap();
    let files = tools.join("etc/selinux/default/contexts/files/file_contexts");
    let mut paths = BTreeSet::new();
    for file in [files.clone(), files.with_extension("homedirs")] {
        let text = std::fs::read_to_string(file).unwrap();
        for pattern in text.lines().filter_map(|line| line.split_whitespace().next()).step_by(3) {
            paths.extend(paths_of(pattern).into_iter().filter(|path| path.starts_with('/')));
        }
    }
    let made = paths.len();
    for directory in ["/etc", "/usr/lib/systemd", "/usr/bin", "/var", "/boot", "/lib"] {
        walked(Path::new(directory), 2, &mut paths);
    }
    let all: Vec<_> =
        paths.iter().filter(|path| !path.contains("//") && !path.ends_with('/')).cloned().collect();
    let labelled = compare(&tools, &files, &ours, &all);
    let (asked, of_policy) = (all.len() * KINDS.len(), made);
    println!(
        "{asked} labels compared, {labelled} of them of something; {of_policy} paths made of the policy"
    );
    assert!(of_policy > 3000 && labelled > asked / 2);
}

/// A pattern that is made of few parts, so that many lines are about the same paths. None begins with an escaped name: libselinux 3.4
/// compares those with their backslash, and later ones don't.
fn pattern() -> impl Strategy<Value = String> {
    let first = prop::sample::select(vec!["a", "b", "[^/]+", "(a|b)", "x?", ".*", "a{1,2}"]);
    let name = prop::sample::select(vec!["a", "b", r"c\.d", "[^/]+", "(a|b)", "x?", ".*", r"e\-f", "a{1,2}"]);
    let end = prop::sample::select(vec!["", "(/.*)?", "/.*", "/?", ".+", "|/b/a"]);
    (first, prop::collection::vec(name, 0..3), end).prop_map(|(first, names, end)| {
        let names: String = names.iter().map(|name| format!("/{name}")).collect();
        format!("/{first}{names}{end}")
    })
}

fn lines(label: &'static str) -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["", "", "--", "-d", "-l", "-s"]);
    let line = (pattern(), kind, prop::bool::weighted(0.1));
    prop::collection::vec(line, 0..12).prop_map(move |lines| {
        let line = |(at, (pattern, kind, none)): (usize, (String, &str, bool))| {
            let label = if none { "<<none>>".to_owned() } else { format!("u:r:{label}{at}_t:s0") };
            format!("{pattern} {kind} {label}\n")
        };
        lines.into_iter().enumerate().map(line).collect()
    })
}

fn substitutions() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec!["/a", "/b", "/a/b", "/c.d", "/", "/n"]);
    let line = (path.clone(), path).prop_map(|(from, to)| format!("{from} {to}\n"));
    prop::collection::vec(line, 0..3).prop_map(|lines| lines.concat())
}

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c.d", "cxd", "e-f", "aa", "x", "n"]);
    prop::collection::vec(name, 1..5).prop_map(|names| format!("/{}", names.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_policies_are_read_as_libselinux_reads_them(
        base in lines("base"), homes in lines("home"), local in lines("local"),
        subs in substitutions(), dist in substitutions(), paths in prop::collection::vec(path(), 20),
    ) {
        let Some(tools) = unpacked() else { return Ok(()) };
        let home = tempfile::tempdir().unwrap();
        let files = home.path().join("etc/selinux/targeted/contexts/files");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(home.path().join("etc/selinux/config"), "SELINUX=enforcing\n").unwrap();
        let base = format!("{base}/zz zz\n");
        for (end, text) in [("", base), (".homedirs", homes), (".local", local), (".subs", subs), (".subs_dist", dist)] {
            std::fs::write(files.join(format!("file_contexts{end}")), text).unwrap();
        }
        let ours = contexts(&Lying(home.path().to_owned())).unwrap().unwrap().unwrap();
        compare(&tools, &files.join("file_contexts"), &ours, &paths);
    }
}
