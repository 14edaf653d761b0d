//! Keys that come and go.

use super::*;
use crate::trust::SiteKey;

fn key(seed: u8) -> SitePublicKey {
    SiteKey::from_random([seed; 40]).public()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

#[test]
fn a_site_without_a_list_has_one_key_and_trusts_no_other() {
    let ring = KeyRing::parse(&key(1).to_text(), None).unwrap();
    assert_eq!((ring.current(), ring.since()), (&key(1), None));
    assert_eq!(ring.trusted(), key(1).into());
}

#[test]
fn the_key_before_a_rotation_stays_trusted_and_dates_are_kept() {
    let ring = KeyRing::first(key(1), at(1)).rotated(key(2), at(2)).unwrap().rotated(key(3), at(3)).unwrap();
    assert_eq!((ring.current(), ring.since()), (&key(3), Some(at(3))));
    let former: Vec<_> = ring.former().map(|record| (&record.key, record.since, record.until)).collect();
    assert_eq!(former, [(&key(1), Some(at(1)), Some(at(2))), (&key(2), Some(at(2)), Some(at(3)))]);
    let trusted = ring.trusted();
    assert!(trusted.contains(&key(1)) && trusted.contains(&key(2)) && *trusted.current() == key(3));
    for (time, seed) in [(0, 1), (1, 1), (2, 1), (3, 2), (4, 3)] {
        assert_eq!(*ring.at(at(time)), key(seed), "{time}");
    }
    assert_eq!(KeyRing::parse(&key(3).to_text(), Some(&ring.list_text())), Ok(ring));
}

#[test]
fn a_rotation_that_was_cut_off_changed_nothing_or_all() {
    let before = KeyRing::first(key(1), at(1));
    let list = before.rotated(key(2), at(2)).unwrap().list_text();
    // the list is written, `ironstrap.pub` isn't
    let cut = KeyRing::parse(&key(1).to_text(), Some(&list)).unwrap();
    assert_eq!(cut.trusted(), before.trusted());
    assert_eq!((cut.former().count(), cut.since()), (0, Some(at(1))));
    // what it listed is no key of the site, then or later
    let again = cut.rotated(key(3), at(3)).unwrap();
    assert!(!again.trusted().contains(&key(2)) && again.trusted().contains(&key(1)));
    assert!(!again.list_text().contains(&key(2).to_string()));
    let done = KeyRing::parse(&key(2).to_text(), Some(&list)).unwrap();
    assert!(done.trusted().contains(&key(1)));
}

#[test]
fn a_retired_key_never_counts_again_and_the_current_one_can_not_be_retired() {
    let ring = KeyRing::first(key(1), at(1)).rotated(key(2), at(2)).unwrap();
    let (retired, record) = ring.retire(key(1).id(), at(3)).unwrap();
    assert_eq!((record.key, record.retired), (key(1), Some(at(3))));
    assert_eq!(retired.trusted(), key(2).into());
    assert_eq!(retired.retired().count(), 1);
    assert_eq!(retired.retire(key(1).id(), at(4)), Err(RetireError::Already(key(1).id(), at(3))));
    assert_eq!(retired.retire(key(2).id(), at(4)), Err(RetireError::Current(key(2).id())));
    assert!(matches!(retired.retire(key(9).id(), at(4)), Err(RetireError::Unknown { .. })));
    assert!(retired.rotated(key(1), at(4)).is_err(), "as the current one neither");
    let brought_back = KeyRing::parse(&key(1).to_text(), Some(&retired.list_text()));
    assert!(brought_back.unwrap_err().to_string().contains("was retired at 1970-01-01T00:00:03Z"));
}

#[test]
fn lists_that_contradict_themselves_or_are_damaged_are_refused() {
    let ring = KeyRing::first(key(1), at(1)).rotated(key(2), at(2)).unwrap();
    let (current, list) = (key(2).to_text(), ring.list_text());
    let twice = list.replace(&key(2).to_string(), &key(1).to_string());
    for (damaged, why) in [
        (twice, "twice"),
        (list.replace("\"version\": 1", "\"version\": 2"), "version"),
        (list.replace("\"until\"", "\"untill\""), "untill"),
        (list[..list.len() / 2].to_owned(), "EOF"),
    ] {
        let said = KeyRing::parse(&current, Some(&damaged)).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
    let forged = SiteKey::from_random(std::array::from_fn(|i| if i < 32 { 9 } else { 2 })).public();
    assert!(KeyRing::parse(&forged.to_text(), Some(&list)).is_err(), "another key with this id");
}
