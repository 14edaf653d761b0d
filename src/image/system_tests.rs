//! Order of kernel releases.

use super::*;

#[test]
fn newer_kernels_are_told_from_older_ones() {
    let mut releases =
        ["6.1.0-10-amd64", "5.10.0-30-amd64", "6.1.0-9-amd64", "6.1.0-10-cloud-amd64", "6.1.0-010-amd64"];
    releases.sort_by(|a, b| by_version(a, b));
    assert_eq!(
        releases,
        ["5.10.0-30-amd64", "6.1.0-9-amd64", "6.1.0-10-amd64", "6.1.0-010-amd64", "6.1.0-10-cloud-amd64"]
    );
    assert_eq!(by_version("6.1", "6.1"), Ordering::Equal);
    assert_eq!(by_version("6.1", "6.1.1"), Ordering::Less);
}
