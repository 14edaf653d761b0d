//! Media with good and bad orders.

use super::*;
use crate::order::fixtures;
use crate::spec::facts::{Nic, SecureBoot};
use crate::trust::{Purpose, SiteKey};
use crate::value::ByteSize;

fn machine(mac: &str) -> Machine {
    let nic = Nic { name: "eth0".to_owned(), mac: mac.parse().unwrap(), driver: None, carrier: true };
    Machine {
        vendor: Some("Example".to_owned()),
        model: None,
        serial: None,
        uuid: None,
        nics: vec![nic],
        memory: ByteSize::bytes(1 << 30),
        secure_boot: SecureBoot::Absent,
        firmware: None,
        modaliases: Vec::new(),
    }
}

fn site() -> SiteKey {
    SiteKey::from_random([3; 40])
}

/// A medium with these orders, signed by these keys, after a change of the JSON.
fn medium(orders: &[(&str, &SiteKey)], change: impl Fn(String) -> String) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join(boot::ORDERS);
    std::fs::create_dir_all(&place).unwrap();
    for (name, key) in orders {
        let order = order::build(&fixtures::permit(), fixtures::parts(), key, fixtures::now()).unwrap();
        let json = change(String::from_utf8(order::sign(&order, key).unwrap().json).unwrap());
        let signature = key.sign(Purpose::Order, json.as_bytes());
        std::fs::write(place.join(format!("{name}.json")), json).unwrap();
        std::fs::write(place.join(format!("{name}.json.minisig")), signature).unwrap();
    }
    dir
}

fn chosen(dir: &tempfile::TempDir, mac: &str) -> Result<String, Refusal> {
    read(dir.path(), &site().public()).choose(&machine(mac)).map(|order| order.host.to_string())
}

const MAC: &str = "52:54:00:12:34:56";

#[test]
fn the_order_of_this_machine_is_found() {
    let dir = medium(&[("web01", &site())], |json| json);
    assert_eq!(chosen(&dir, MAC).unwrap(), "web01");
}

#[test]
fn an_unknown_machine_is_refused_with_what_was_seen() {
    let dir = medium(&[("web01", &site())], |json| json);
    let refusal = chosen(&dir, "52:54:00:00:00:01").unwrap_err();
    assert_eq!(refusal.code, Code::NoHost);
    assert!(refusal.message.contains("mac 52:54:00:00:00:01"), "{refusal}");
    assert!(refusal.message.contains("web01: mac 52:54:00:12:34:56"), "{refusal}");
}

#[test]
fn two_orders_for_one_machine_are_refused() {
    let dir = medium(&[("web01", &site()), ("web02", &site())], |json| json);
    assert_eq!(chosen(&dir, MAC).unwrap_err().code, Code::ManyHosts);
}

#[test]
fn another_key_an_unknown_version_and_a_changed_byte_are_told_apart() {
    let other = medium(&[("web01", &SiteKey::from_random([4; 40]))], |json| json);
    assert_eq!(chosen(&other, MAC).unwrap_err().code, Code::OrderSignature);
    let newer = medium(&[("web01", &site())], |json| json.replacen("\"version\": 3", "\"version\": 9", 1));
    let refusal = chosen(&newer, MAC).unwrap_err();
    assert_eq!(refusal.code, Code::OrderVersion, "{refusal}");
    let changed = medium(&[("web01", &site())], |json| json);
    let file = changed.path().join(boot::ORDERS).join("web01.json");
    let json = std::fs::read_to_string(&file).unwrap().replace("web01", "web02");
    std::fs::write(file, json).unwrap();
    assert_eq!(chosen(&changed, MAC).unwrap_err().code, Code::OrderSignature);
}

#[test]
fn an_unknown_machine_stays_unknown_beside_a_bad_order() {
    let dir = medium(&[("web01", &site()), ("web02", &SiteKey::from_random([4; 40]))], |json| json);
    let refusal = chosen(&dir, "52:54:00:00:00:01").unwrap_err();
    assert_eq!(refusal.code, Code::NoHost);
    for part in ["this machine is vendor Example, mac 52:54:00:00:00:01", "web01: mac", "web02.json: "] {
        assert!(refusal.message.contains(part), "{refusal}");
    }
    assert_eq!(chosen(&dir, MAC).unwrap(), "web01");
}

#[test]
fn only_a_verified_order_names_a_server() {
    let named = |json: String| json.replacen("\"server\": null", "\"server\": \"http://10.0.2.2:8080\"", 1);
    let server = |key: &SiteKey| {
        let dir = medium(&[("web01", key)], named);
        read(dir.path(), &site().public()).server().map(ToString::to_string)
    };
    assert_eq!(server(&site()).as_deref(), Some("http://10.0.2.2:8080"));
    assert_eq!(server(&SiteKey::from_random([4; 40])), None);
}

#[test]
fn a_medium_without_a_key_is_refused() {
    let dir = medium(&[("web01", &site())], |json| json);
    assert_eq!(site_keys(dir.path()).unwrap_err().code, Code::OrderSignature);
}

#[test]
fn a_medium_whose_time_is_missing_or_damaged_is_refused() {
    let dir = medium(&[("web01", &site())], |json| json);
    let orders = read(dir.path(), &site().public());
    let with = |text: &str| {
        std::fs::write(dir.path().join(boot::BUNDLE_TIME), text).unwrap();
        floor(dir.path(), &orders).map_err(|refusal| refusal.code)
    };
    assert_eq!(floor(dir.path(), &orders).unwrap_err().code, Code::BundleTime);
    for damaged in ["", "\n", "2026-11-23", "1795417200", "2026-11-23T07:00:00", "\0\0\0\0"] {
        assert_eq!(with(damaged), Err(Code::BundleTime), "{damaged}");
    }
    let later = "2031-11-23T07:00:00Z";
    assert_eq!(with(&format!("{later}\n")), Ok(later.parse().unwrap()));
    // what the site signed is no later than the bundle
    assert_eq!(with("1970-01-01T00:00:00Z\n"), Ok(fixtures::permit().not_before));
}
