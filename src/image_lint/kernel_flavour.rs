//! `image-kernel-flavour`: kernels for virtual machines on real ones.

use anyhow::Result;

use super::rules::KERNEL_FLAVOUR;
use super::{Finding, Subject};

/// Flavours by their distribution: what the release of their kernel has in it, and what is to be installed instead. Sources:
/// Debian's debian/config/amd64 (flavour `cloud-amd64`), Ubuntu's source packages linux-kvm and linux-azure, SUSE's kernel-azure. Not
/// Ubuntu's -aws and its like, whose annotations take the general kernel's drivers over: hardware is what tells of those.
const FLAVOURS: &[(&[&str], &str, &str)] = &[
    (&["debian"], "-cloud-", "linux-image-amd64 instead of linux-image-cloud-amd64"),
    (&["ubuntu"], "-kvm", "linux-image-generic instead of linux-image-kvm"),
    (&["ubuntu"], "-azure", "linux-image-generic instead of linux-image-azure"),
    (&["sles", "opensuse-leap"], "-azure", "kernel-default instead of kernel-azure"),
];

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let kernel = &subject.system.kernel;
    let Some(cure) = cure(subject) else { return Ok(Vec::new()) };
    let message = format!("kernel {kernel} is one for virtual machines, without drivers of real ones");
    Ok(vec![Finding::new(&KERNEL_FLAVOUR, message).help(format!("install {cure}"))])
}

/// What is to be installed where the kernel is of such a flavour.
pub(super) fn cure(subject: &Subject<'_>) -> Option<&'static str> {
    let kernel = &subject.system.kernel;
    let is_it = |mark: &str| if mark.ends_with('-') { kernel.contains(mark) } else { kernel.ends_with(mark) };
    FLAVOURS.iter().find(|(os, mark, _)| subject.is_like(os) && is_it(mark)).map(|(_, _, cure)| *cure)
}
