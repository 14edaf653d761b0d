//! What the firmware says of Secure Boot: whether it is on, and what it and shim let start.
//!
//! Variables are what efivarfs shows below `firmware/efi/efivars`: four bytes of attributes, then the value. They come from
//! whoever made or broke the firmware: nothing is believed of a length before it is compared, and what isn't understood is counted.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use uuid::{Uuid, uuid};

use crate::spec::facts::SecureBoot;
use crate::spec::secure_boot::{Certificate, FirmwareTrust, Hashes, ShownLevel, SignatureDatabase};
use crate::value::Digest;

/// Where a kernel shows variables, below `/sys`.
const EFIVARS: &str = "firmware/efi/efivars";
/// Of variables that UEFI itself defines.
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Of `db` and `dbx`.
const SECURITY: &str = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
/// Of shim's variables.
const SHIM: &str = "605dab50-e046-4300-abb6-3dd810dd8b23";

/// Kinds of entries (UEFI specification, section 32.4.1).
const X509: Uuid = uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
const PROGRAM_SHA256: Uuid = uuid!("c1c41626-504c-4092-aca9-41f936934328");
const BODY_SHA256: Uuid = uuid!("3bd2a492-96c0-4079-b420-fcf98ef103ed");

/// Kind, length of the list, of its header, of an entry.
const LIST_HEAD: usize = 28;
/// Whose entry it is, before each.
const OWNER: usize = 16;
/// No firmware has room for so much.
const LONGEST: u64 = 1 << 20;

/// Whether Secure Boot is on; below `/sys`. A kernel that was started by UEFI has `firmware/efi`; that variables are shown there is
/// another matter, and none at all are no answer.
pub fn secure_boot(sys: &Path) -> SecureBoot {
    let setup =
        || variable(sys, "SetupMode", GLOBAL).ok().flatten().is_some_and(|value| value.first() == Some(&1));
    match variable(sys, "SecureBoot", GLOBAL).map(|value| value.map(|bytes| bytes.first().copied())) {
        Ok(Some(Some(0))) => SecureBoot::Off,
        Ok(Some(Some(1))) if setup() => SecureBoot::Off,
        Ok(Some(Some(_))) => SecureBoot::On,
        Ok(None) if shows_variables(sys) || !sys.join("firmware/efi").exists() => SecureBoot::Absent,
        Ok(None | Some(None)) | Err(_) => SecureBoot::Unread,
    }
}

/// Whether there is any variable: no firmware is without.
fn shows_variables(sys: &Path) -> bool {
    std::fs::read_dir(sys.join(EFIVARS)).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok()))
}

/// What may start; below `/sys`. `None` where there is no `db`, or a variable can't be read: half of it would mislead.
pub fn trust(sys: &Path) -> Option<FirmwareTrust> {
    let db = variable(sys, "db", SECURITY).ok()??;
    let dbx = variable(sys, "dbx", SECURITY).ok()?.unwrap_or_default();
    let level = variable(sys, "SbatLevelRT", SHIM).ok()?;
    let lax = variable(sys, "MokSBStateRT", SHIM).ok()?;
    Some(FirmwareTrust {
        db: database(&db),
        dbx: database(&dbx),
        sbat_level: level.map(|value| ShownLevel::of_variable(&value)),
        shim_is_lax: lax.is_some_and(|value| value.first() == Some(&1)),
    })
}

/// The value of a variable; `None` where there is no such one.
fn variable(sys: &Path, name: &str, guid: &str) -> std::io::Result<Option<Vec<u8>>> {
    let path = sys.join(EFIVARS).join(format!("{name}-{guid}"));
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() < 4 || bytes.len() as u64 > LONGEST {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok(Some(bytes.split_off(4)))
}

/// Reads lists of signatures. Behind the first one that is malformed nothing is read, as firmware does it.
fn database(mut bytes: &[u8]) -> SignatureDatabase {
    let mut database = SignatureDatabase::default();
    let (mut programs, mut bodies) = (Vec::new(), Vec::new());
    while !bytes.is_empty() {
        let Some((list, rest)) = list(bytes) else {
            database.others += 1;
            break;
        };
        bytes = rest;
        for entry in list.entries {
            let hash = || entry.first_chunk().copied().map(Digest::from_bytes);
            let known = match list.kind {
                X509 => Certificate::from_der(entry).map(|it| database.certificates.push(it)),
                PROGRAM_SHA256 => hash().map(|it| programs.push(it)),
                BODY_SHA256 => hash().map(|it| bodies.push(it)),
                _ => None,
            };
            database.others += u32::from(known.is_none());
        }
    }
    database.programs = Hashes::from_iter(programs);
    database.bodies = Hashes::from_iter(bodies);
    database
}

/// Entries of one kind, without whose they are.
struct List<'a> {
    kind: Uuid,
    entries: Vec<&'a [u8]>,
}

/// The first list, and what is behind it.
fn list(bytes: &[u8]) -> Option<(List<'_>, &[u8])> {
    let number = |at: usize| {
        let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(word)).ok()
    };
    let kind = Uuid::from_bytes_le(bytes.get(..16)?.try_into().ok()?);
    let (length, head, entry) = (number(16)?, number(20)?, number(24)?);
    let (list, rest) = bytes.split_at_checked(length)?;
    let entries = list.get(LIST_HEAD..)?.get(head..)?;
    if entry <= OWNER || !entries.len().is_multiple_of(entry) {
        return None;
    }
    let entries = entries.chunks_exact(entry).map(|entry| &entry[OWNER..]).collect();
    Some((List { kind, entries }, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(files: &[(&str, &str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let efivars = dir.path().join("firmware/efi/efivars");
        std::fs::create_dir_all(&efivars).unwrap();
        for (name, guid, value) in files {
            std::fs::write(efivars.join(format!("{name}-{guid}")), [&[7, 0, 0, 0], *value].concat()).unwrap();
        }
        dir
    }

    fn list_of(kind: Uuid, head: &[u8], entries: &[&[u8]]) -> Vec<u8> {
        let entry = OWNER + entries[0].len();
        let mut bytes = kind.to_bytes_le().to_vec();
        for number in [LIST_HEAD + head.len() + entry * entries.len(), head.len(), entry] {
            bytes.extend_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
        }
        bytes.extend_from_slice(head);
        for entry in entries {
            bytes.extend_from_slice(&[9; OWNER]);
            bytes.extend_from_slice(entry);
        }
        bytes
    }

    #[test]
    fn secure_boot_is_on_only_when_it_is_enforced() {
        let state = |secure: u8, setup: u8| {
            let dir = with(&[("SecureBoot", GLOBAL, &[secure]), ("SetupMode", GLOBAL, &[setup])]);
            secure_boot(dir.path())
        };
        assert_eq!(
            [state(1, 0), state(1, 1), state(0, 0)],
            [SecureBoot::On, SecureBoot::Off, SecureBoot::Off]
        );
    }

    #[test]
    fn a_firmware_that_could_not_be_asked_is_not_one_without_secure_boot() {
        let without_uefi = tempfile::tempdir().unwrap();
        assert_eq!(secure_boot(without_uefi.path()), SecureBoot::Absent);
        assert_eq!(secure_boot(with(&[("BootOrder", GLOBAL, &[0, 0])]).path()), SecureBoot::Absent);
        let nothing_mounted = with(&[]);
        assert_eq!(secure_boot(nothing_mounted.path()), SecureBoot::Unread);
        std::fs::remove_dir(nothing_mounted.path().join(EFIVARS)).unwrap();
        assert_eq!(secure_boot(nothing_mounted.path()), SecureBoot::Unread);
        assert_eq!(secure_boot(with(&[("SecureBoot", GLOBAL, &[])]).path()), SecureBoot::Unread);
        let unreadable = with(&[("BootOrder", GLOBAL, &[0, 0])]);
        std::fs::create_dir(unreadable.path().join(format!("{EFIVARS}/SecureBoot-{GLOBAL}"))).unwrap();
        assert_eq!(secure_boot(unreadable.path()), SecureBoot::Unread);
    }

    #[test]
    fn lists_of_every_kind_are_read_and_what_is_unknown_is_counted() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let timed = [one.as_bytes().as_slice(), &[0; 16]].concat();
        let other = uuid!("826ca512-cf10-4ac9-b187-be01496631bd");
        let bytes = [
            list_of(PROGRAM_SHA256, b"", &[one.as_bytes(), two.as_bytes()]),
            list_of(other, b"head", &[&[1; 20], &[2; 20]]),
            list_of(BODY_SHA256, b"", &[&timed]),
            list_of(X509, b"", &[b"no certificate"]),
        ]
        .concat();
        let database = database(&bytes);
        assert!(database.programs.contains(&one) && database.programs.contains(&two));
        assert!(database.bodies.contains(&one) && !database.bodies.contains(&two));
        assert_eq!((database.others, database.certificates.len()), (3, 0));
    }

    #[test]
    fn what_is_there_is_read_and_a_firmware_that_cannot_be_read_is_not_half_known() {
        let level = "sbat,1,2025021800\nshim,4\ngrub,5\n";
        let hash = Digest::of(b"a program");
        let dbx = list_of(PROGRAM_SHA256, b"", &[hash.as_bytes()]);
        let files: &[(&str, &str, &[u8])] = &[
            ("db", SECURITY, b""),
            ("dbx", SECURITY, &dbx),
            ("SbatLevelRT", SHIM, level.as_bytes()),
            ("MokSBStateRT", SHIM, &[1]),
        ];
        let trusted = trust(with(files).path()).unwrap();
        assert!(trusted.dbx.programs.contains(&hash) && trusted.shim_is_lax);
        assert_eq!(trusted.sbat_level, Some(ShownLevel::Known(level.parse().unwrap())));
        let malformed = trust(with(&[files[0], ("SbatLevelRT", SHIM, b"shim,4\xff")]).path()).unwrap();
        assert!(matches!(malformed.sbat_level, Some(ShownLevel::Malformed(_))), "{malformed:?}");
        assert_eq!(trust(with(&files[..1]).path()), Some(FirmwareTrust::default()));
        assert_eq!(trust(with(&files[1..]).path()), None, "no db");
        let dir = with(files);
        let dbx = dir.path().join(format!("firmware/efi/efivars/dbx-{SECURITY}"));
        std::fs::write(&dbx, b"\x07").unwrap();
        assert_eq!(trust(dir.path()), None, "a dbx without attributes");
        std::fs::remove_file(&dbx).unwrap();
        std::fs::create_dir(&dbx).unwrap();
        assert_eq!(trust(dir.path()), None, "a dbx that can't be read");
    }

    proptest! {
        #[test]
        fn hostile_lists_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), lengths in any::<[u8; 3]>()) {
            database(&bytes);
            let mut list = list_of(X509, b"", &[&bytes[..bytes.len().min(50)], b""][..1]);
            for (place, length) in [16, 20, 24].into_iter().zip(lengths) {
                list[place] = length;
            }
            database(&list);
        }
    }
}
