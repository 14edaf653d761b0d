//! What an installed system shows for its hand-off.

use super::*;
use crate::spec::system::Outcome;
use crate::value::Token;

#[test]
fn a_hand_offs_files_get_tokens_that_only_this_install_has() {
    let file = |name: &str, token| SystemFile {
        path: format!("/usr/lib/ironstrap/{name}.json"),
        mode: 0o600,
        content: "{\"token\":\"@TOKEN@\"}".to_owned(),
        token,
    };
    let files = vec![
        file("converged", Some(Outcome::Converged)),
        file("failed", Some(Outcome::Failed)),
        // somebody's own
        file("other", None),
    ];
    let system = SystemSpec { files, ..spec() };
    let (one, two) = (Image::debian(), Image::debian());
    let outcomes = [one.apply(&system, 1), two.apply(&system, 2)].map(|made| made.unwrap().outcomes.unwrap());
    assert_ne!(outcomes[0], outcomes[1]);
    let token = |name: &str| {
        let path = format!("usr/lib/ironstrap/{name}.json");
        let json: serde_json::Value = serde_json::from_str(&one.text(&path)).unwrap();
        let mode = std::fs::metadata(one.path(&path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        serde_json::from_value::<Token>(json["token"].clone()).map(|token| token.digest()).ok()
    };
    assert_eq!(token("converged"), Some(outcomes[0].converged));
    assert_eq!(token("failed"), Some(outcomes[0].failed));
    assert_ne!(token("converged"), token("failed"));
    assert_eq!(token("other"), None);
    assert_eq!(Image::debian().apply(&spec(), 1).unwrap().outcomes, None);
}
