//! Drafts by hand.

use super::*;

#[test]
fn keys_come_out_in_order_and_lead_to_their_entries() {
    let mut draft = Draft::default();
    draft.put("users[ops].name", "ops", Id(1));
    draft.push("users[ops].ssh_keys", "ssh-ed25519 AAAA a@b", Id(2));
    draft.put("network.interfaces[52:54:00:00:00:01].match.mac", "52:54:00:00:00:01", Id(3));
    draft.put("network.interfaces[52:54:00:00:00:01].ipv4", "dhcp", Id(3));
    draft.put("locale.lang", "C.UTF-8", Id(4));
    assert_eq!(draft.put("locale.lang", "de_DE.UTF-8", Id(5)), Some(Id(4)));
    draft.put("name", "no", Id(6));
    let (yaml, lines) = draft.yaml();
    let wanted = "name: \"no\"\nnetwork:\n  interfaces:\n    - match:\n        mac: \"52:54:00:00:00:01\"\n      ipv4: dhcp\nlocale:\n  lang: de_DE.UTF-8\nusers:\n  - name: ops\n    ssh_keys:\n      - \"ssh-ed25519 AAAA a@b\"\n";
    assert_eq!(yaml, wanted);
    assert_eq!(lines[4], Id(3));
    assert_eq!(draft.keys_by_entry()[&Id(2)], ["users[ops]"]);
    assert_eq!(draft.behind("users[ops]"), [Id(1), Id(2)]);
    assert_eq!(draft.behind("users[ops].password"), [Id(1), Id(2)]);
    assert_eq!(draft.behind("packages"), []);
    draft.remove(Id(3));
    assert!(!draft.has("network") && draft.has("users[ops].name"));
}

#[test]
fn what_is_overwritten_is_remembered() {
    let mut draft = Draft::default();
    draft.put("locale.lang", "C", Id(1));
    draft.put("locale.lang", "C", Id(2));
    draft.put("locale.lang", "D", Id(3));
    draft.put("a.ipv4", "dhcp", Id::NOBODY);
    draft.put("a.ipv4", "none", Id(4));
    draft.put("a.ipv4.address", "x", Id(5));
    let gone = draft.take_overwritten();
    let gone: Vec<_> = gone.iter().map(|gone| (gone.earlier, gone.later, gone.path.as_str())).collect();
    assert_eq!(gone, [(Id(2), Id(3), "locale.lang"), (Id(4), Id(5), "a.ipv4.address")]);
}

#[test]
fn names_make_no_paths_and_no_lines() {
    for name in ["a]", "a[", "a\nroot: {}\nb", "", "a].x", "]"] {
        let mut draft = Draft::default();
        draft.put(&format!("users[{name}].name"), "x", Id(1));
        draft.push(&format!("users[{name}].ssh_keys"), "x", Id(2));
        assert_eq!(draft.take_nameless(), [Id(1), Id(2)], "{name:?}");
        assert_eq!(draft.yaml().0, "");
    }
}
