//! First keys, rotations that are cut off anywhere, and keys that are retired.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::order::fixtures;
use crate::trust::TrustedKeys;
use crate::value::HostName;

/// A site with a key of its own.
fn site() -> (tempfile::TempDir, SitePaths, KeyRing) {
    let dir = tempfile::tempdir().unwrap();
    let paths = SitePaths::new(dir.path());
    std::fs::write(paths.site_file(), "name: test\n").unwrap();
    let ring = first(&paths, at(1)).unwrap();
    (dir, paths, ring)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn said<T: std::fmt::Debug>(result: Result<T>) -> String {
    format!("{:#}", result.unwrap_err())
}

/// That the site signs with a key that it trusts, whatever was cut off.
fn signs(paths: &SitePaths) -> TrustedKeys {
    let keys::Signing { key, trusted, .. } = keys::signing(paths).unwrap();
    assert_eq!(key.public(), *trusted.current());
    trusted
}

#[test]
fn a_first_key_is_private_and_there_is_no_second_first_one() {
    let (_dir, paths, ring) = site();
    assert_eq!(signs(&paths), ring.trusted());
    assert_eq!(
        (mode(&paths.secret_key()), mode(&paths.private()), mode(&paths.public_key())),
        (0o600, 0o700, 0o644)
    );
    let again = said(first(&paths, at(2)));
    assert!(again.contains(&ring.current().id().to_string()) && again.contains("key rotate"), "{again}");
    assert_eq!(keys::ring(&paths).unwrap(), ring, "nothing was changed");
}

#[test]
fn a_first_key_that_was_cut_off_is_finished_and_a_lost_list_of_keys_is_not_made_up() {
    let (_dir, paths, ring) = site();
    for gone in [vec![paths.public_key()], vec![paths.public_key(), paths.key_list()]] {
        gone.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        assert!(said(keys::signing(&paths)).contains("has no public half"));
        assert_eq!(first(&paths, at(2)).unwrap().current(), ring.current());
    }
    // the site had another key than this one
    std::fs::remove_file(paths.public_key()).unwrap();
    std::fs::remove_file(paths.secret_key()).unwrap();
    assert!(said(first(&paths, at(3))).contains("take both from version control"));
    assert!(!paths.secret_key().exists());
}

#[test]
fn a_rotation_keeps_trust_in_the_key_before_it_and_keeps_secrets_private() {
    let (_dir, paths, before) = site();
    let old = keys::secret(&paths).unwrap();
    permits::replace(&paths, &fixtures::permit(), &old).unwrap();
    let Rotation { ring, resumed, permits, .. } = rotate(&paths, false, at(2)).unwrap();
    assert!(!resumed);
    assert_eq!(permits.hosts, [fixtures::permit().host]);
    let trusted = signs(&paths);
    let former: Vec<_> = keys::signing(&paths).unwrap().former.iter().map(SiteKey::public).collect();
    assert_eq!(former, [old.public()], "its media are still believed");
    assert_eq!((trusted.current(), trusted.former()), (ring.current(), &[before.current().clone()][..]));
    let aside = paths.former_secret_key(before.current().id());
    assert_eq!(keys::read_secret(&aside).unwrap().unwrap().public(), *before.current());
    assert_eq!(
        (mode(&aside), mode(aside.parent().unwrap()), mode(&paths.secret_key())),
        (0o600, 0o700, 0o600)
    );
    assert!(!paths.next_secret_key().exists());
    let permit = permits::proven(&paths, &fixtures::permit().host, &trusted.current().clone().into());
    assert_eq!(permit.unwrap(), Some(fixtures::permit()), "the new key alone proves it");
    // and once more
    rotate(&paths, false, at(3)).unwrap();
    assert_eq!(signs(&paths).former().len(), 2);
}

/// Each of these stops a rotation at another step: something that isn't a file is where one is to be written or read.
#[test]
fn a_rotation_that_is_cut_off_leaves_the_old_key_or_the_new_one_and_is_finished_later() {
    type Place = fn(&SitePaths) -> std::path::PathBuf;
    let steps: [(&str, Place, bool); 5] = [
        ("before the list", |paths| paths.next_secret_key(), false),
        ("before the permits", |paths| paths.permits(), true),
        ("before the images", |paths| paths.store(), true),
        ("before the old secret half is put aside", |paths| paths.private().join("former"), true),
        ("between the secret halves", |paths| paths.private().join("former"), true),
    ];
    for (step, place, is_new) in steps {
        let (_dir, paths, before) = site();
        let stone = place(&paths);
        match step {
            "before the list" => std::fs::create_dir(&stone).unwrap(),
            _ => std::fs::write(&stone, "").unwrap(),
        }
        rotate(&paths, false, at(2)).unwrap_err();
        if step == "before the list" {
            std::fs::remove_dir(&stone).unwrap();
        } else {
            std::fs::remove_file(&stone).unwrap();
        }
        if step == "between the secret halves" {
            std::fs::remove_file(paths.secret_key()).unwrap();
        }
        let trusted = signs(&paths);
        assert_eq!(trusted.current() != before.current(), is_new, "{step}");
        assert!(trusted.contains(before.current()), "{step}");
        if is_new {
            assert!(said(retire(&paths, before.current().id(), at(3))).contains("was cut off"), "{step}");
        }
        let Rotation { ring, resumed, .. } = rotate(&paths, false, at(3)).unwrap();
        assert_eq!(resumed, is_new, "{step}");
        assert_eq!(ring.former().count(), 1, "{step}");
        assert_eq!(signs(&paths).current() == trusted.current(), is_new, "no third key is made: {step}");
        assert!(!paths.next_secret_key().exists(), "{step}");
    }
}

#[test]
fn a_list_that_was_written_by_a_rotation_which_ended_there_changes_nothing() {
    let (_dir, paths, before) = site();
    let next = SiteKey::from_random([9; 40]);
    files::write_whole(&paths.next_secret_key(), 0o600, next.to_text().as_bytes()).unwrap();
    let list = before.rotated(next.public(), at(2)).unwrap().list_text();
    std::fs::write(paths.key_list(), list).unwrap();
    assert_eq!(signs(&paths), before.trusted());
    let Rotation { ring, resumed, .. } = rotate(&paths, false, at(3)).unwrap();
    assert!(!resumed && !ring.trusted().contains(&next.public()));
}

#[test]
fn a_lost_secret_half_is_told_and_can_be_given_up_and_one_that_is_there_can_not() {
    let (_dir, paths, ring) = site();
    let there = said(rotate(&paths, true, at(2)));
    assert!(there.contains("isn't lost") && there.contains("leave out --lost"), "{there}");
    std::fs::remove_file(paths.secret_key()).unwrap();
    let id = ring.current().id().to_string();
    for lost in [said(rotate(&paths, false, at(2))), said(keys::signing(&paths))] {
        for part in ["site.key doesn't exist", &id, "copy it from where the site was made", "--lost"] {
            assert!(lost.contains(part), "{lost}");
        }
    }
    assert_eq!(keys::ring(&paths).unwrap(), ring);
    rotate(&paths, true, at(3)).unwrap();
    assert!(signs(&paths).contains(ring.current()));
}

#[test]
fn a_secret_half_of_another_key_or_that_others_may_read_is_no_reason_to_rotate() {
    let (_dir, paths, ring) = site();
    std::fs::set_permissions(paths.secret_key(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(said(rotate(&paths, false, at(2))).contains("chmod 600"));
    let other = SiteKey::from_random([9; 40]);
    files::write_whole(&paths.secret_key(), 0o600, other.to_text().as_bytes()).unwrap();
    let told = said(rotate(&paths, false, at(2)));
    assert!(told.contains("0909090909090909") && told.contains(&ring.current().id().to_string()), "{told}");
    assert!(!told.contains(&other.to_text()[60..80]));
    assert_eq!(keys::ring(&paths).unwrap(), ring);
}

#[test]
fn retiring_takes_trust_and_secret_half_away_for_good() {
    let (_dir, paths, before) = site();
    let id = before.current().id();
    assert!(said(retire(&paths, id, at(2))).contains("is the site's current key"));
    rotate(&paths, false, at(2)).unwrap();
    let aside = paths.former_secret_key(id);
    retire(&paths, id, at(3)).unwrap();
    assert!(!aside.exists());
    let trusted = signs(&paths);
    assert!(!trusted.contains(before.current()));
    // a secret half that was left is deleted when somebody asks again
    std::fs::write(&aside, "left").unwrap();
    assert!(said(retire(&paths, id, at(4))).contains("was retired at 1970-01-01T00:00:03Z already"));
    assert!(!aside.exists());
    let host: HostName = fixtures::permit().host;
    let sealed = crate::order::SealedPermit::new(fixtures::permit(), &SiteKey::from_random([9; 40])).unwrap();
    files::write_whole(&paths.permit(&host), 0o600, sealed.to_text().unwrap().as_bytes()).unwrap();
    assert!(permits::proven(&paths, &host, &trusted).is_err());
}

#[test]
fn images_of_the_former_key_are_signed_anew_and_a_stranger_s_are_left() {
    use crate::trust::Purpose;
    let (_dir, paths, before) = site();
    let store = Store::open(&paths.store()).unwrap();
    let (old, stranger) = (keys::secret(&paths).unwrap(), SiteKey::from_random([9; 40]));
    let put = |version: &str, key: &SiteKey| {
        let blob = store.put_blob(version.as_bytes()).unwrap();
        let signature = key.sign(Purpose::Image, version.as_bytes());
        files::write_whole(&store.signature_path(&blob.digest), 0o644, signature.as_bytes()).unwrap();
        let name = paths.store().join("images/debian").join(version);
        files::write_whole(&name, 0o644, format!("{}\n", blob.digest).as_bytes()).unwrap();
        blob.digest
    };
    let (ours, theirs) = (put("1", &old), put("2", &stranger));
    let Rotation { ring, images, left, .. } = rotate(&paths, false, at(2)).unwrap();
    assert_eq!(images, ["debian@1".parse().unwrap()]);
    assert!(
        left[0].starts_with("debian@2: ") && left[0].contains("signed by key 0909090909090909"),
        "{left:?}"
    );
    assert_eq!(store.signer(&ours).unwrap(), ring.current().id());
    assert_eq!(store.signer(&theirs).unwrap(), stranger.public().id());
    assert_ne!(ring.current(), before.current());
}
