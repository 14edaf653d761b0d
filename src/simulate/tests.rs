//! Machines by the hundred, each with what must come of it by how it was made.

use super::*;
use crate::agent::fixture;
use crate::bundle::testing::locked;
use crate::host::testing::site;
use crate::probe::disk_probe::{self, Seen};
use crate::spec::Code;
use crate::spec::claim::{self, Claim, Stage};
use crate::spec::facts::{DiskContent, SecureBoot};
use crate::spec::order::{Grant, WipePolicy};
use crate::spec::secure_boot::{
    Certificate, FirmwareTrust, Loaders, Program, Sbat, SignatureDatabase, Signer,
};
use crate::spec::transport::Transport;
use crate::sys::block::{BlockDevice, MemoryDevice};
use crate::value::{ByteSize, Digest};

/// Of the disk that `bundle::testing::locked` means.
const SERIAL: &str = "DISK-A";
const DISK: u64 = 16 << 20;

/// Places on a disk, and what stands there.
type Writes<'a> = &'a [(u64, &'a [u8])];

/// What stands on a disk that isn't ours: places and bytes, as the named tools write them.
const FOREIGN: [(&str, Writes<'_>); 8] = [
    ("md", &[(4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0")]),
    ("md", &[(DISK - 0x1_0000, b"\xfc\x4e\x2b\xa9\0\0\0\0\x5a\0\0\0")]),
    ("LVM", &[(512, b"LABELONE\x01\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001")]),
    ("ZFS", &[(128 << 10, b"\x0c\xb1\xba\0\0\0\0\0")]),
    ("LUKS", &[(0, b"LUKS\xba\xbe\0\x02")]),
    ("ext", &[(1080, b"\x53\xef")]),
    ("XFS", &[(0, b"XFSB\0\0\x10\0")]),
    ("unknown data", &[(9 << 20, b"somebody's bytes")]),
];

/// How a machine's disk is, which the host means by its serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Blank,
    Foreign(usize),
    OlderOrder,
    NewerOrder,
    OtherHosts,
    ReadOnly,
    OneSectorTooSmall,
    FourKnative,
    Unreadable,
    Usb,
    Iscsi,
    Absent,
}

/// What else is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Blank,
    Twin,
    UsbTwin,
    StaleLvm,
    RootOfTheImage,
    NewerOrder,
    Unreadable,
    NamesGivenAnew,
}

fn disk() -> Disk {
    Disk { serial: Some(SERIAL.to_owned()), ..fixture::facts(DISK).disks.remove(0) }
}

/// What the probe sees where these bytes are.
fn seen(writes: Writes<'_>) -> Disk {
    let device = MemoryDevice::new(vec![0; DISK as usize]);
    for (at, bytes) in writes {
        device.write_at(*at, bytes).unwrap();
    }
    let Seen { content, samples, unread } = disk_probe::look(&device, &fixture::key().alone(), true);
    Disk { content, samples, unread, ..disk() }
}

fn claimed(host: &str, generation: u64) -> Disk {
    let claim = claim::tests::claim();
    let grant = Grant { host: host.parse().unwrap(), generation, ..claim.grant };
    let claim = Claim { grant, disk: disk().stable_name(), stage: Stage::Ready { entries: 0 }, ..claim };
    let root = claim.root.0;
    let content = DiskContent::Ours { claim: claim.into(), closed: false, beside: None };
    Disk { content, filesystems: vec![root], done_roots: vec![root], ..disk() }
}

fn target(target: Target) -> Option<Disk> {
    Some(match target {
        Target::Blank => seen(&[]),
        Target::Foreign(kind) => seen(FOREIGN[kind].1),
        Target::OlderOrder => claimed("web01", 1),
        Target::NewerOrder => claimed("web01", 99),
        Target::OtherHosts => claimed("db01", 1),
        Target::ReadOnly => Disk { read_only: true, ..seen(&[]) },
        Target::OneSectorTooSmall => Disk { size: ByteSize::bytes(fixture::SIZE - 512), ..seen(&[]) },
        Target::FourKnative => Disk { logical_block: 4096, ..seen(&[]) },
        Target::Unreadable => {
            Disk { content: DiskContent::Unreadable { error: "I/O error".to_owned() }, ..seen(&[]) }
        }
        Target::Usb => Disk { removable: true, transport: Transport::Usb, ..seen(&[]) },
        Target::Iscsi => Disk { transport: Transport::Iscsi, ..seen(&[]) },
        Target::Absent => return None,
    })
}

fn beside(beside: Beside, manifest: &ImageManifest) -> Option<Disk> {
    let other = |disk: Disk| Disk { serial: Some("OTHER".to_owned()), ..disk };
    Some(match beside {
        Beside::Nothing => return None,
        Beside::Blank | Beside::NamesGivenAnew => other(seen(&[])),
        Beside::Twin => seen(&[]),
        Beside::UsbTwin => Disk { removable: true, transport: Transport::Usb, ..seen(&[]) },
        Beside::StaleLvm => other(seen(FOREIGN[2].1)),
        Beside::RootOfTheImage => Disk { filesystems: vec![manifest.root.uuid], ..other(seen(&[])) },
        Beside::NewerOrder => other(claimed("web01", 99)),
        Beside::Unreadable => other(target(Target::Unreadable)?),
    })
}

/// What must come of a machine, said apart from how `plan` finds it: the code of the refusal, if any.
fn expected(target: Target, beside: Beside, wipe: WipePolicy) -> Option<Code> {
    let taken = !matches!(target, Target::Usb | Target::Iscsi | Target::Absent);
    let (target, twins) = match (taken, beside) {
        (true, Beside::Twin) => (target, true),
        (false, Beside::Twin) => (Target::Blank, false),
        (false, _) => return Some(Code::NoDisk),
        (true, _) => (target, false),
    };
    let duplicate = || (beside == Beside::RootOfTheImage).then_some(Code::DuplicateRoot);
    match target {
        _ if twins => Some(Code::ManyDisks),
        _ if beside == Beside::NewerOrder => Some(Code::OrderStale),
        Target::NewerOrder => Some(Code::OrderStale),
        Target::FourKnative => Some(Code::SectorSize),
        Target::OneSectorTooSmall => Some(Code::DiskTooSmall),
        Target::ReadOnly => Some(Code::DiskReadOnly),
        Target::Unreadable => Some(Code::DiskIo),
        Target::Foreign(_) | Target::OtherHosts if wipe == WipePolicy::Ours => Some(Code::ForeignData),
        _ => duplicate(),
    }
}

fn rehearsed(wipe: WipePolicy, disks: Vec<Disk>) -> Rehearsal {
    let manifest = fixture::manifest();
    let (mut host, _) = locked("web01");
    host.host.wipe = wipe;
    host.image.image = manifest.image.clone();
    let facts = Facts { disks, ..fixture::facts(DISK) };
    let now = Timestamp::from_unix(1_795_417_200);
    let site = site();
    let question = Question {
        host: &host,
        site: &site,
        manifest: &manifest,
        loaders: None,
        permit: None,
        generation: 6,
        facts: &facts,
        now,
    };
    rehearse(&question).unwrap()
}

#[test]
fn of_each_machine_is_said_what_its_making_says() {
    let targets = [
        Target::Blank,
        Target::OlderOrder,
        Target::NewerOrder,
        Target::OtherHosts,
        Target::ReadOnly,
        Target::OneSectorTooSmall,
        Target::FourKnative,
        Target::Unreadable,
        Target::Usb,
        Target::Iscsi,
        Target::Absent,
    ];
    let targets = targets.into_iter().chain((0..FOREIGN.len()).map(Target::Foreign));
    let besides = [
        Beside::Nothing,
        Beside::Blank,
        Beside::Twin,
        Beside::UsbTwin,
        Beside::StaleLvm,
        Beside::RootOfTheImage,
        Beside::NewerOrder,
        Beside::Unreadable,
        Beside::NamesGivenAnew,
    ];
    let manifest = fixture::manifest();
    let (mut machines, mut installs) = (0, 0);
    for kind in targets {
        for more in besides {
            let mut disks: Vec<_> = target(kind).into_iter().chain(beside(more, &manifest)).collect();
            if more == Beside::NamesGivenAnew {
                disks.reverse();
            }
            for (number, disk) in disks.iter_mut().enumerate() {
                disk.name = format!("nvme{number}n1");
            }
            for wipe in [WipePolicy::Ours, WipePolicy::Foreign] {
                let rehearsal = rehearsed(wipe, disks.clone());
                let what = format!("{kind:?} beside {more:?}, {wipe}");
                let code = rehearsal.outcome.as_ref().err().map(|refusal| refusal.code);
                assert_eq!(code, expected(kind, more, wipe), "{what}: {:?}", rehearsal.outcome);
                let written: Vec<_> = rehearsal.disks.iter().filter(|one| one.fate != Fate::Kept).collect();
                assert_eq!(written.len(), usize::from(code.is_none()), "{what}");
                assert!(written.iter().all(|one| one.disk.serial.as_deref() == Some(SERIAL)), "{what}");
                assert_eq!(rehearsal.disks.len(), disks.len(), "{what}");
                machines += 1;
                installs += written.len();
            }
        }
    }
    assert!(machines >= 200 && installs >= 80, "{machines} machines, {installs} installs");
}

#[test]
fn an_old_md_member_is_named_and_wiped_only_where_the_host_allows_it() {
    let member = || vec![target(Target::Foreign(0)).unwrap()];
    let kept = rehearsed(WipePolicy::Ours, member());
    let refusal = kept.outcome.unwrap_err();
    assert_eq!(refusal.code, Code::ForeignData);
    assert!(refusal.message.contains("it holds Linux md RAID"), "{refusal}");
    assert_eq!(kept.disks[0].fate, Fate::Kept);
    let wiped = rehearsed(WipePolicy::Foreign, member());
    assert_eq!(wiped.disks[0].fate, Fate::Wiped);
    assert!(wiped.disks[0].because.contains("DATA THAT IS NOT OURS IS LOST, as `wipe: foreign` allows"));
}

#[test]
fn what_stands_on_disks_is_called_by_its_name() {
    for (name, writes) in FOREIGN {
        let DiskContent::Foreign { looks_like } = seen(writes).content else { panic!("{name} isn't seen") };
        assert!(looks_like.contains(name), "{name}: {looks_like}");
    }
}

#[test]
fn a_permit_that_fits_decides_and_one_that_does_not_is_told() {
    let manifest = fixture::manifest();
    let (mut host, mut permit) = locked("web01");
    host.image.image = manifest.image.clone();
    permit.image = manifest.image.clone();
    let facts = Facts { disks: vec![seen(&[])], ..fixture::facts(DISK) };
    let site = site();
    let mut question = Question {
        host: &host,
        site: &site,
        manifest: &manifest,
        loaders: None,
        permit: Some(&permit),
        generation: permit.generation,
        facts: &facts,
        now: permit.not_before,
    };
    let armed = rehearse(&question).unwrap();
    assert_eq!((armed.armed, &armed.order, armed.generation), (Ok(()), &permit.id, permit.generation));
    question.now = permit.not_after.plus_seconds(1);
    let expired = rehearse(&question).unwrap();
    assert!(matches!(expired.armed, Err(Some(BuildError::Expired { .. }))), "{:?}", expired.armed);
    assert_eq!(expired.generation, permit.generation + 1);
    assert!(expired.outcome.is_ok(), "{:?}", expired.outcome);
}

#[test]
fn an_image_that_the_firmware_would_not_start_is_refused_and_firmware_that_is_not_known_is_noted() {
    let named = |name: &str| Certificate {
        subject: format!("CN={name}"),
        digest: Digest::of(name.as_bytes()),
        key: Some(format!("key of {name}")),
        body: None,
    };
    let signer =
        Signer { certificate: named("new authority"), issuer: "CN=a root".to_owned(), issuer_key: None };
    let program =
        |signatures| Program { digest: Digest::of(b"program"), signatures, unread: 0, sbat: Sbat::Absent };
    let loaders = Loaders { shim: program(vec![vec![signer]]), grub: program(Vec::new()), raises: None };
    let rehearsed = |firmware: Option<&str>| {
        let db = |name: &str| SignatureDatabase { certificates: vec![named(name)], ..Default::default() };
        let mut facts = Facts { disks: vec![seen(&[])], ..fixture::facts(DISK) };
        facts.machine.secure_boot = SecureBoot::On;
        facts.machine.firmware = firmware.map(|name| FirmwareTrust { db: db(name), ..Default::default() });
        let manifest = fixture::manifest();
        let (mut host, _) = locked("web01");
        host.image.image = manifest.image.clone();
        let question = Question {
            host: &host,
            site: &site(),
            manifest: &manifest,
            loaders: Some(&loaders),
            permit: None,
            generation: 6,
            facts: &facts,
            now: Timestamp::from_unix(1_795_417_200),
        };
        rehearse(&question).unwrap()
    };
    let trusted = rehearsed(Some("new authority"));
    assert_eq!((trusted.disks[0].fate, trusted.doubt), (Fate::Wiped, None));
    let refused = rehearsed(Some("old authority"));
    assert_eq!(refused.outcome.unwrap_err().code, Code::FirmwareRefuses);
    assert_eq!(refused.disks[0].fate, Fate::Kept);
    let unknown = rehearsed(None);
    assert_eq!(unknown.disks[0].fate, Fate::Wiped);
    assert!(unknown.doubt.unwrap().contains("isn't known"));
}

#[test]
fn of_a_disk_that_holds_an_image_of_ours_is_said_that_the_same_is_not_fetched() {
    let said =
        |target| rehearsed(WipePolicy::Ours, vec![self::target(target).unwrap()]).disks.remove(0).because;
    let image = Digest::of(b"image").to_string();
    assert!(said(Target::OlderOrder).contains(&format!("it holds image {}:", &image[..12])));
    assert!(!said(Target::Blank).contains("holds"));
}
