//! Our hashes against the C library's crypt(3), in both directions, and passwords that are refused.

use std::process::Command;

use sha_crypt::PasswordVerifier as _;

use super::*;

const RANDOM: [u8; 16] = *b"\x00\xff\x10random salt\x7f!";
const PASSWORDS: &[&str] =
    &["x", "correct horse battery staple", "Grüße, 世界 ✓", "a'b\"c$d\\e`f;g", " blanks "];

/// What the machine's crypt(3) makes of a password and a setting; `None` (told aloud) where it can't be asked or doesn't
/// know the method.
fn system(password: &str, setting: &str) -> Option<String> {
    let script = "my $hash = crypt($ARGV[0], $ARGV[1]); print defined $hash ? $hash : '*'";
    let output = Command::new("perl").args(["-e", script, password, setting]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match text {
        Ok(text) if text.starts_with("$") => Some(text),
        other => {
            let method = &setting[..3];
            crate::expect::unavailable(&format!(
                "this machine's crypt(3), by perl, can't do {method}: {other:?}"
            ));
            None
        }
    }
}

#[test]
fn the_c_library_accepts_our_hashes() {
    for method in Method::ALL {
        for password in PASSWORDS {
            let ours = hash(*method, password.as_bytes(), RANDOM).unwrap();
            let Some(theirs) = system(password, ours.expose()) else { continue };
            assert_eq!(theirs, ours.expose(), "{method}: {password}");
            assert_ne!(system("another", ours.expose()).unwrap(), ours.expose());
        }
    }
}

#[test]
fn we_accept_the_c_library_s_hashes() {
    for password in PASSWORDS {
        if let Some(theirs) = system(password, "$y$j9T$abcdefghijklmnopqrstu.") {
            let judged = Yescrypt::default().verify_password(password.as_bytes(), theirs.as_str());
            assert!(judged.is_ok(), "{theirs}: {judged:?}");
            assert!(Yescrypt::default().verify_password(b"another", theirs.as_str()).is_err());
        }
        for setting in ["$6$abcdefghijklmnop", "$6$rounds=10000$saltstring"] {
            let Some(theirs) = system(password, setting) else { continue };
            let judged = ShaCrypt::SHA512.verify_password(password.as_bytes(), theirs.as_str());
            assert!(judged.is_ok(), "{theirs}: {judged:?}");
        }
    }
}

#[test]
fn the_form_is_mkpasswd_s_and_the_salt_is_all_of_the_randomness() {
    let text = |method, random| hash(method, b"secret words", random).unwrap().expose().to_owned();
    let yescrypt = text(Method::Yescrypt, RANDOM);
    assert!(yescrypt.starts_with("$y$j9T$"), "{yescrypt}");
    assert_eq!(yescrypt.split('$').map(str::len).collect::<Vec<_>>(), [0, 1, 3, 22, 43]);
    let sha512 = text(Method::Sha512, RANDOM);
    assert!(sha512.starts_with("$6$rounds=100000$"), "{sha512}");
    assert_eq!(sha512.split('$').map(str::len).collect::<Vec<_>>(), [0, 1, 13, 16, 86]);
    for (method, used) in [(Method::Yescrypt, 16), (Method::Sha512, SHA512_SALT)] {
        for at in [0, used / 2, used - 1] {
            let mut random = RANDOM;
            random[at] ^= 1;
            assert_ne!(text(method, random), text(method, RANDOM), "{method}: byte {at} of the salt");
        }
    }
}

#[test]
fn a_password_that_nobody_can_type_is_refused_and_never_shown() {
    let long = "s3cr3t".repeat(100);
    for password in ["", "s3cr3t\n", "s3cr3t\0", "s3cr3t\r", "a\tb", "\u{1b}[As3cr3t", "s3cr3t\u{7f}", &long]
    {
        let error = hash(Method::Yescrypt, password.as_bytes(), RANDOM).unwrap_err();
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
    assert!(hash(Method::Sha512, "ü".repeat(255).as_bytes(), RANDOM).is_ok());
}

#[test]
fn methods_have_one_spelling() {
    for method in Method::ALL {
        assert_eq!(method.to_string().parse(), Ok(*method));
    }
    assert_eq!("md5".parse::<Method>(), Err("`md5` is not a method; known are yescrypt, sha512".to_owned()));
}
