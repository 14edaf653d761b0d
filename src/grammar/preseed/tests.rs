//! The loader's rules, and what is found in answers.

use proptest::prelude::*;

use super::*;
use crate::grammar::Severity;

fn judged(text: &str) -> Vec<String> {
    lint(text, Release::Debian12).iter().map(ToString::to_string).collect()
}

fn says(text: &str, what: &str) {
    let found = judged(text);
    assert!(found.iter().any(|finding| finding.contains(what)), "{text}: {what} is not in {found:#?}");
}

fn only(text: &str) -> Answer {
    let document = parse(text);
    let mut answers = document.answers();
    let answer = answers.next().unwrap().clone();
    assert_eq!(answers.next(), None);
    answer
}

#[test]
fn lines_are_joined_as_the_installers_loader_joins_them() {
    let answer = only("  d-i  preseed/late_command\tstring a; \\\n# dropped\n\n   b  c; \\\r\n\td ");
    assert_eq!((answer.owner.as_str(), answer.kind.as_str()), ("d-i", "string"));
    assert_eq!(answer.value, "a; b  c; d");
    assert_eq!((answer.first, answer.last), (1, 5));
    let lines: Vec<_> = answer.words().collect();
    assert_eq!(lines, [(1, "a;"), (4, "b"), (4, "c;"), (5, "d")]);
}

#[test]
fn a_backslash_with_a_blank_does_not_go_on() {
    let document = parse("d-i a/b string x \\ \nd-i a/c string y\n");
    let values: Vec<_> = document.answers().map(|answer| answer.value.as_str()).collect();
    assert_eq!(values, ["x \\", "y"]);
    says("d-i a/b string x \\ \n", "line 1: a blank after the backslash");
}

#[test]
fn an_empty_value_needs_no_blank_and_a_missing_type_ends_the_loader() {
    assert_eq!(only("d-i mirror/http/proxy string").value, "");
    says("d-i mirror/http/proxy\n", "line 1: d-i stops loading here: a line of fewer than three words");
    says("\n\nd-i mirror/http/proxy \n", "line 3: d-i stops loading here: the type is missing");
    says("lonely\n", "line 1: d-i stops loading here");
    says("d-i a/b string c \\\n", "the file ends where the line goes on");
}

#[test]
fn an_indented_comment_is_none() {
    says(
        "d-i preseed/late_command string a; \\\n  # b \\\n  c; true\n",
        "line 2: an indented `#` inside a continued line",
    );
    says("  # b c\n", "line 1: an indented `#` is no comment");
    assert_eq!(judged("d-i preseed/late_command string a; \\\n# b\n  c; true\n"), Vec::<String>::new());
}

#[test]
fn a_key_that_no_question_has_is_told_with_what_was_meant() {
    says("d-i netcfg/get_hostnam string x\n", "did you mean `netcfg/get_hostname`?");
    says("d-i foo/bar string x\n", "line 1: `foo/bar` is no question of Debian 12's installer; take it out");
    for good in [
        "d-i apt-setup/local0/repository string http://x/ y main\n",
        "d-i mirror/udeb/suite string bookworm\n",
        "d-i mirror/https/hostname string deb.example\n",
        "d-i partman-lvm/confirm_nooverwrite boolean true\n",
        "postfix postfix/main_mailer_type select No configuration\n",
        "d-i time/zone string Europe/Berlin\n",
        "d-i netcfg/get_hostname seen false\n",
    ] {
        assert_eq!(judged(good), Vec::<String>::new(), "{good}");
    }
    let later = lint("d-i auto-install/cloak_initrd_preseed boolean true\n", Release::Debian12);
    assert_eq!(
        later[0].message,
        "auto-install/cloak_initrd_preseed is a question of Debian 13's installer, not of Debian 12's"
    );
    assert_eq!(later[0].severity, Severity::Warning);
    assert_eq!(lint("d-i auto-install/cloak_initrd_preseed boolean true\n", Release::Debian13), []);
}

#[test]
fn values_must_fit_their_question() {
    says("d-i clock-setup/utc boolean yes\n", "clock-setup/utc must be true or false, found `yes`");
    says("d-i pkgsel/upgrade select full-upgrad\n", "did you mean `full-upgrade`?");
    says("d-i pkgsel/update-policy select some\n", "one of none, unattended-upgrades");
    says("d-i clock-setup/utc string true\n", "is of type boolean, not string");
    says("x x/y boolean maybe\n", "x/y must be true or false");
    assert_eq!(
        judged("d-i clock-setup/utc boolean true\nd-i pkgsel/upgrade string none\n"),
        Vec::<String>::new()
    );
}

#[test]
fn the_last_of_two_answers_counts() {
    says(
        "d-i clock-setup/utc boolean true\nx clock-setup/utc boolean false\n",
        "line 2: clock-setup/utc was answered in line 1 already",
    );
    let same =
        lint("d-i clock-setup/utc boolean true\nd-i clock-setup/utc boolean true\n", Release::Debian12);
    assert_eq!(same[0].severity, Severity::Warning);
}

#[test]
fn no_password_is_ever_shown() {
    let text = "d-i passwd/root-password password sesam-1\nd-i passwd/root-password-again password sesam-2\n\
        d-i passwd/user-password sesam-3\nd-i passwd/user-password-crypted password sesam-4\nd-i passwd/user-password boolean sesam-5\nrootpw sesam-6 x\nrootpw sesam-7 string\n";
    let found = judged(text);
    assert!(found.iter().all(|finding| !finding.contains("sesam")), "{found:#?}");
    says(
        text,
        "line 1: passwd/root-password holds a password in clear text; use passwd/root-password-crypted",
    );
    says(text, "line 2: passwd/root-password-again isn't the same");
    says(text, "line 3: the type of passwd/user-password is missing");
    says(text, "line 4: passwd/user-password-crypted holds no password hash");
    assert!(!format!("{:?}", parse(text)).contains("sesam"));
    for good in ["$6$abcdefgh$0123", "!", "*", "!!"] {
        assert_eq!(
            judged(&format!("d-i passwd/root-password-crypted password {good}\n")),
            Vec::<String>::new()
        );
    }
}

#[test]
fn commands_that_may_fail_and_names_that_come_too_late_are_warned_of() {
    says("d-i preseed/late_command string in-target x\n", "may end with an exit code that isn't 0");
    says("d-i preseed/early_command string echo 'a\n", "an open quote");
    says("d-i netcfg/get_hostname string web01\n", "give hostname= on the kernel command line too");
    let again = "d-i netcfg/get_hostname string web01\nd-i preseed/early_command string kill-all-dhcp; netcfg; true\n";
    assert_eq!(judged(again), Vec::<String>::new());
}

#[test]
fn partitioning_is_judged_as_a_whole() {
    says("d-i partman-auto/disk string /dev/sda\n", "partman-auto/method is missing");
    says("d-i partman-auto/method string lmv\n", "partman-auto/method can't be `lmv`");
    says("d-i partman-auto/method string raid\n", "method raid without partman-auto-raid/recipe");
    says("d-i partman-auto/method string regular\n", "grub-installer/bootdev is missing");
    says("d-i partman-auto/method string regular\n", "partman/confirm is missing");
    says(
        "d-i partman-auto/method string regular\nd-i partman-auto/disk string /dev/sda sdb\n",
        "`sdb` is no path in /dev",
    );
    let recipe = "d-i partman-auto/method string regular\nd-i partman-auto/expert_recipe string x :: \\\n  8G 1 1 ext4 method{ keep } . \\\n";
    says(&format!("{recipe}  1 1 1 ext4 method{{ keep }}\n"), "line 3: `8G` is no smallest size");
    says(&format!("{recipe}  1 1 1 ext4 method{{ keep }}\n"), "line 4: no ` .` after these");
}

proptest! {
    #[test]
    fn pieces_put_together_are_the_text(text in "(d-i|#|[ \t\r\n\\\\]|a/b|string|\\PC){0,60}") {
        let document = parse(&text);
        prop_assert_eq!(document.pieces.iter().map(|piece| piece.raw).collect::<String>(), text.clone());
        let lines = text.split_inclusive('\n').count();
        for answer in document.answers() {
            prop_assert!(answer.first <= answer.last && answer.last <= lines);
            prop_assert!(answer.words().all(|(line, _)| (answer.first..=answer.last).contains(&line)));
        }
        for finding in lint(&text, Release::Debian13) {
            prop_assert!(finding.line >= 1 && finding.line <= lines.max(1), "{}", finding);
            prop_assert!(!finding.message.contains('\n'));
        }
    }
}
