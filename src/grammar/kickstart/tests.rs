//! What holds for any text: nothing panics, lines are real, and no password is ever shown.

use proptest::prelude::*;

use super::*;

/// Text made of what Kickstart files are made of, so that it gets past the first look.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("part".to_owned()),
        Just("logvol / --vgname=a --name=b".to_owned()),
        Just("volgroup a pv.1".to_owned()),
        Just("raid / --level=1 raid.1".to_owned()),
        Just("clearpart --all --drives=".to_owned()),
        Just("ignoredisk --only-use=".to_owned()),
        Just("network --bootproto=static --ip=".to_owned()),
        Just("liveimg --url=".to_owned()),
        Just("%packages".to_owned()),
        Just("%post --log".to_owned()),
        Just("%end".to_owned()),
        Just("--size".to_owned()),
        Just("=".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("#".to_owned()),
        Just("\n".to_owned()),
        Just(" ".to_owned()),
        Just("\u{2028}".to_owned()),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_judged_and_findings_point_into_it(text in texts()) {
        let lines = text.matches('\n').count() + 1;
        for release in Release::ALL {
            for finding in lint(&text, release) {
                prop_assert!((1..=lines).contains(&finding.line), "{finding} of {lines} lines");
                prop_assert!(!finding.to_string().contains('\n'), "{finding}");
            }
        }
    }

    #[test]
    fn no_finding_shows_a_password(junk in "[ -~]{0,12}", quote in prop_oneof![Just(""), Just("'"), Just("\"")]) {
        const SECRET: &str = "hunter2secret";
        for line in [
            "rootpw {q}hunter2secret{j}{q}",
            "rootpw --plaintext {q}{j}hunter2secret{q} {j}",
            "rootpw --hunter2secret{j}",
            "part / --passphrase --hunter2secret",
            "bootloader --password -hunter2secret{j}",
            "user --name=ops --password -hunter2secret{j}",
            "rootpw --iscrypted{j} hunter2secret {q}",
            "user --name=ops --password={q}hunter2secret{j}{q}",
            "user --name=ops --passwd={q}hunter2secret{q} {j}",
            "bootloader --password={q}hunter2secret{q} --x{j}",
            "part / --encrypted --passphrase={q}hunter2secret{j}{q}",
            "sshpw --username=root {q}hunter2secret{q} {j}",
            "vnc --password={q}hunter2secret{q}{j}",
            "realm join --one-time-password={q}hunter2secret{q} {j}",
        ] {
            let text = line.replace("{q}", quote).replace("{j}", &junk);
            for release in Release::ALL {
                for finding in lint(&text, release) {
                    prop_assert!(!finding.to_string().contains(SECRET), "{text}: {finding}");
                }
            }
        }
    }
}
