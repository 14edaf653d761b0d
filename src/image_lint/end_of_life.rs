//! `image-end-of-life`: releases that get no security updates any more.

use anyhow::Result;

use super::rules::END_OF_LIFE;
use super::{Finding, Subject};
use crate::value::Timestamp;

/// By `ID` and the beginning of `VERSION_ID` of os-release(5): the last day with security updates that cost nothing (of Debian, by its LTS
/// team; of RHEL, of the maintenance phase). Sources: wiki.debian.org/LTS, ubuntu.com/about/release-cycle, access.redhat.com/support/policy/updates/errata,
/// wiki.almalinux.org/release-notes, wiki.rockylinux.org/rocky/version, centos.org/cl-vs-cs, fedorapeople.org/groups/schedule,
/// en.opensuse.org/Lifetime; read in December 2026.
const LAST_DAYS: &[(&str, &str, &str)] = &[
    ("debian", "9", "2022-06-30"),
    ("debian", "10", "2024-06-30"),
    ("debian", "11", "2026-08-31"),
    ("debian", "12", "2028-06-30"),
    ("debian", "13", "2030-06-30"),
    ("ubuntu", "18.04", "2023-05-31"),
    ("ubuntu", "20.04", "2025-05-31"),
    ("ubuntu", "22.04", "2027-04-30"),
    ("ubuntu", "24.04", "2029-04-30"),
    ("ubuntu", "26.04", "2031-04-30"),
    ("centos", "7", "2024-06-30"),
    ("centos", "8", "2024-05-31"),
    ("centos", "9", "2027-05-31"),
    ("rhel", "7", "2024-06-30"),
    ("rhel", "8", "2029-05-31"),
    ("rhel", "9", "2032-05-31"),
    ("rhel", "10", "2035-05-31"),
    ("almalinux", "8", "2029-05-31"),
    ("almalinux", "9", "2032-05-31"),
    ("almalinux", "10", "2035-05-31"),
    ("rocky", "8", "2029-05-31"),
    ("rocky", "9", "2032-05-31"),
    ("rocky", "10", "2035-05-31"),
    ("fedora", "40", "2025-05-13"),
    ("fedora", "41", "2025-12-15"),
    ("opensuse-leap", "15.5", "2024-12-31"),
    ("opensuse-leap", "15.6", "2026-04-30"),
];

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let (os, version) = (&subject.system.os, &subject.system.os_version);
    let is_it = |(id, release, _): &&(&str, &str, &str)| {
        id == os
            && (version == release || version.strip_prefix(release).is_some_and(|rest| rest.starts_with('.')))
    };
    let Some((_, _, last)) = LAST_DAYS.iter().find(is_it) else { return Ok(Vec::new()) };
    let end: Option<Timestamp> = format!("{last}T23:59:59Z").parse().ok();
    if end.is_none_or(|end| subject.now <= end) {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::new(&END_OF_LIFE, format!("{os} {version} gets no security updates since {last}"))])
}
