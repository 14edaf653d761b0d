//! Policies as trees: which one is in use, who wins in it, and what can't be read.

use super::*;
use crate::image_rules::testing::MapTree;

const FILES: &str = "/etc/selinux/targeted/contexts/files/file_contexts";

fn tree(files: &[(&str, &str)]) -> MapTree {
    let mut tree = MapTree::usual();
    for (path, text) in files {
        tree.files.insert((*path).to_owned(), (*text).to_owned());
    }
    tree
}

/// A policy of these lines, with more files of it by what their names end with.
fn policy(lines: &str, more: &[(&str, &str)]) -> MapTree {
    let mut tree = tree(&[(CONFIG, "SELINUX=enforcing\nSELINUXTYPE=targeted\n"), (FILES, lines)]);
    tree.files.extend(more.iter().map(|(end, text)| (format!("{FILES}.{end}"), (*text).to_owned())));
    tree
}

fn read(tree: &MapTree) -> Contexts {
    contexts(tree).unwrap().unwrap().unwrap()
}

fn refusal(tree: &MapTree) -> String {
    judge(tree).unwrap().unwrap_err().to_string()
}

#[test]
fn the_mode_is_read_as_libselinux_reads_it() {
    use Mode::{Disabled, Enforcing, Permissive};
    for (config, mode) in [
        ("SELINUX=enforcing\n", Enforcing),
        ("# SELINUX=disabled\nSELINUX= Enforcing # really\n", Enforcing),
        ("SELINUX=permissive\nSELINUX=enforcing\n", Permissive),
        ("SELINUX=sometimes\nSELINUX=disabled\n", Disabled),
        // only what begins its line counts
        (" SELINUX=enforcing\n", Disabled),
        ("SELINUXTYPE=targeted\n", Disabled),
        ("", Disabled),
    ] {
        assert_eq!(Mode::of_config(config), mode, "{config:?}");
    }
}

#[test]
fn without_a_policy_in_use_there_is_nothing_to_label() {
    for files in [
        &[] as &[(&str, &str)],
        &[(CONFIG, "SELINUX=disabled\n"), (FILES, "not a policy\n")],
        &[(CONFIG, "SELINUX=permissive\n")],
    ] {
        assert!(contexts(&tree(files)).unwrap().unwrap().is_none(), "{files:?}");
    }
    let other = "/etc/selinux/mls/contexts/files/file_contexts";
    let config = "SELINUX=permissive\nselinuxtype=targeted\n  SELINUXTYPE= mls \n";
    let tree = tree(&[(CONFIG, config), (other, "/.* a:b:c:s0\n"), (FILES, "broken\n")]);
    assert_eq!(read(&tree).label("/x", Kind::File).unwrap(), Some("a:b:c:s0"));
}

#[test]
fn the_last_line_that_matches_wins_and_exact_ones_before_patterns() {
    let lines = "\
# comment
/etc/motd\t--\tfirst

/etc/motd -- exact
/.*  any
/etc(/.*)? etc
/etc/x.* -d directory
/etc/x.* -l link
/etc/secret(/.*)? <<none>>
/etc/xy   -s socket
";
    let contexts = read(&policy(lines, &[]));
    for (path, kind, label) in [
        ("/etc/motd", Kind::File, Some("exact")),
        ("/etc/motd", Kind::Link, Some("etc")),
        ("/etc", Kind::Directory, Some("etc")),
        ("/etcetera", Kind::File, Some("any")),
        ("/etc/xy", Kind::File, Some("etc")),
        ("/etc/xy", Kind::Directory, Some("directory")),
        ("/etc/xy", Kind::Link, Some("link")),
        ("/etc/xy", Kind::Other, Some("socket")),
        ("/etc/secret/a", Kind::File, None),
        ("relative", Kind::File, None),
    ] {
        assert_eq!(contexts.label(path, kind).unwrap(), label, "{path} {kind:?}");
    }
}

#[test]
fn homes_come_after_the_policy_and_what_is_local_after_both() {
    let more = [
        ("homedirs", "/home/[^/]+(/.*)? home\n/srv/x home\n"),
        ("local", "/home/web(/.*)? web\n/srv/x local\n"),
    ];
    let contexts = read(&policy("/.* any\n/home(/.*)? root\n/srv/x policy\n", &more));
    for (path, label) in
        [("/home", "root"), ("/home/ops/.ssh", "home"), ("/home/web", "web"), ("/srv/x", "local")]
    {
        assert_eq!(contexts.label(path, Kind::Directory).unwrap(), Some(label), "{path}");
    }
}

#[test]
fn substitutions_replace_prefixes_of_whole_names() {
    let subs = "# ours\n/export/home /home\n/jail /\n/twice /lib64\n";
    let dist = "/lib /usr/lib\n/lib64 /usr/lib\n/run /never\n/run /var/run\n/half\n";
    let more = [("subs", subs), ("subs_dist", dist)];
    let contexts = read(&policy("/.* any\n/home/.* home\n/usr/lib/.* lib\n/var/run/.* run\n/ root\n", &more));
    for (path, label) in [
        ("/export/home/ops", "home"),
        ("/export/homes/ops", "any"),
        ("/lib/x", "lib"),
        ("/lib32/x", "any"),
        ("/lib64/x", "lib"),
        ("/run/x", "run"),
        ("/jail/home/x", "home"),
        ("/jail", "root"),
        ("/twice/x", "lib"),
        ("/half/x", "any"),
    ] {
        assert_eq!(contexts.label(path, Kind::File).unwrap(), Some(label), "{path}");
    }
}

#[test]
fn a_policy_that_can_not_be_used_is_refused_by_its_line() {
    for (tree, expected) in [
        (
            policy("/.* a:b:c\n/etc\n", &[]),
            "line 2 of /etc/selinux/targeted/contexts/files/file_contexts in the image has no label",
        ),
        (policy("/etc -x a:b:c\n", &[]), "has `-x` in the place of a kind of file"),
        (
            policy("/.* a\n", &[("homedirs", "\n\n/home\n")]),
            "line 3 of /etc/selinux/targeted/contexts/files/file_contexts.homedirs",
        ),
        (policy("/.* a\n", &[("local", "/x y z\n")]), "file_contexts.local in the image has `y`"),
        (
            policy("/a(?=b) a\n", &[]),
            "line 1 of /etc/selinux/targeted/contexts/files/file_contexts in the image: the pattern `/a(?=b)` can't be used",
        ),
        (tree(&[(CONFIG, "SELINUX=enforcing\n")]), "package selinux-policy-targeted"),
        (tree(&[(CONFIG, "SELINUX=enforcing\nSELINUXTYPE=../x\n")]), "is not the name of a policy"),
        (tree(&[(CONFIG, "SELINUX=permissive\nSELINUXTYPE=\n")]), "is not the name of a policy"),
    ] {
        let found = refusal(&tree);
        assert!(found.contains(expected), "{found}");
    }
    assert_eq!(judge(&policy("/.* a\n", &[])).unwrap(), Ok(()));
}

#[test]
fn a_pattern_that_nobody_asks_for_is_not_compiled_and_one_that_is_asked_for_is_an_error() {
    let contexts = read(&policy("/var/.* v\n/etc/a(?=b) a\n", &[]));
    assert_eq!(contexts.label("/var/x", Kind::File).unwrap(), Some("v"));
    assert!(contexts.label("/etc/a", Kind::File).is_err());
}
