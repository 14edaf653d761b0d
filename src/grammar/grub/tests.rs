//! Syntax, and what is valid and not meant. `tests/lint/` holds the syntax against `grub-script-check`.

use proptest::prelude::*;

use super::*;

fn judged(text: &str) -> Vec<String> {
    lint(text).iter().map(ToString::to_string).collect()
}

fn says(text: &str, what: &str) {
    let found = judged(text);
    assert!(found.iter().any(|finding| finding.contains(what)), "{text}: {what} is not in {found:?}");
}

#[test]
fn a_usual_menu_is_left_alone() {
    let menu = "set timeout=5\nif [ -s $prefix/grubenv ]; then\n  load_env\nfi\nfunction video {\n  insmod all_video\n}\n\
        menuentry 'Debian' --id d {\n  video\n  linux /vmlinuz auto=true priority=critical \"a=b;c\" --- quiet\n  initrd /initrd.gz\n}\n";
    assert_eq!(judged(menu), Vec::<String>::new());
}

#[test]
fn a_bare_semicolon_cuts_the_kernels_line() {
    says(
        "menuentry x {\n linux /k autoinstall ds=nocloud;s=http://x/ ---\n initrd /i\n}\n",
        "line 2: the `;` in the argument `ds`",
    );
    says("linux /k ds=nocloud; s=http://x/\n", "the `;` in the argument `ds`");
    for good in [
        "linux /k a \"ds=nocloud;s=http://x/\"\n",
        "linux /k 'ds=nocloud;s=x'\n",
        "linux /k ds=nocloud\\;s=x\n",
        "linux /k a ; initrd /i\n",
    ] {
        assert_eq!(judged(good), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn what_grub_does_not_have_is_told_with_its_line() {
    says(
        "set a=b\nmenuentri x { a=b; }\n",
        "line 2: GRUB has no command `menuentri`; did you mean `menuentry`?",
    );
    says("menuentry x {\n\n initrd /i\n linux /k\n}", "line 3: an initrd before any kernel");
    says("linux\n", "without a kernel");
    says("linux /k netcfg/get_hostnam=x auto=true\n", "did you mean `netcfg/get_hostname`?");
    let branch = "if [ a = b ]; then\n linux /k\nelse\n linux /l\nfi\ninitrd /i\n";
    assert_eq!(judged(branch), Vec::<String>::new());
}

#[test]
fn a_function_is_there_once_it_is_defined() {
    let body = "function place {\n  for x in (hd*)/EFI/*/shimx64.efi \"$@\"; do\n    echo $x\n  done\n}\n";
    let good = format!("menuentry x {{\n  place a\n}}\n{body}place a b\nif true; then\n  place\nfi\n");
    assert_eq!(judged(&good), Vec::<String>::new());
    says(&format!("place a\n{body}"), "line 1: `place` is called before it is defined");
    says(&format!("if true; then\n  place a\nfi\n{body}true\n"), "line 2: `place` is called before");
}

#[test]
fn open_ends_are_told_where_they_begin() {
    says("echo a\necho \"b\n\n", "line 2: an open double quote");
    says("echo 'b\n", "line 1: an open single quote");
    says("menuentry x {\n echo\n", "found the end of the script");
    says("if a; then b\n", "found the end of the script");
    says("a | b\n", "has no `|`");
    says("echo $(x)\n", "is no variable");
    says(&"a {".repeat(100_000), "nested more than 64 levels deep");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_fail(text in "\\PC{0,60}|([a-z{};\n\"'$ ]|if |then |fi |menuentry ){0,60}") {
        for finding in lint(&text) {
            prop_assert!(finding.line >= 1 && finding.line <= text.lines().count().max(1), "{text:?}: {finding}");
        }
    }
}
