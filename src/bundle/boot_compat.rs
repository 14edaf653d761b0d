//! What one medium can start: one kernel, signed by those whose loaders are on it.
//!
//! Promise: what firmware or GRUB would refuse on a machine far away is refused here, by the names of the hosts.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use super::bootfiles::BootFiles;
use super::host::BundledHost;
use crate::value::HostName;

/// The folder of Debian's GRUB below `/EFI`.
const DEBIAN: &str = "debian";

/// Takes hosts with what their installs start: a kernel's release, or an installer. One stick starts one kernel with its modules:
/// which host it is on is only known when that runs. So does a PXE tree for those that start a golden image's.
///
/// # Errors
/// Hosts that need different ones, by their names.
pub fn require_one_kernel<'a>(hosts: impl IntoIterator<Item = (&'a HostName, &'a str)>) -> Result<()> {
    let mut kernels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (host, kernel) in hosts {
        kernels.entry(kernel).or_default().push(host.as_str());
    }
    if kernels.len() > 1 {
        let lines: Vec<_> =
            kernels.iter().map(|(kernel, hosts)| format!("  {kernel}: {}", hosts.join(", "))).collect();
        bail!(
            "these hosts start different kernels, and a medium starts one; make one medium for each kernel, with --host:\n{}",
            lines.join("\n")
        );
    }
    Ok(())
}

/// With Secure Boot a distribution's loaders start kernels that it signed. The loaders are the first host's image's, a kernel
/// of an installer is its distribution's.
///
/// # Errors
/// The first host whose installer those loaders would not start.
pub fn require_loaders_of_installers(hosts: &[BundledHost], boot: &BootFiles) -> Result<()> {
    let vendors = &boot.loaders.vendors;
    let (Some(first), None) = (hosts.first(), vendors.iter().find(|vendor| *vendor == DEBIAN)) else {
        return Ok(());
    };
    for host in hosts {
        ensure!(
            host.boot.start.installer().is_none(),
            "{}: the kernel of debian-installer is signed by Debian, and the loaders of image {} are of {}: with Secure Boot they would not start it; give the host an image with Debian's loaders, or make a medium of its own with --host",
            host.order.host,
            first.order.image.image,
            if vendors.is_empty() { "nobody".to_owned() } else { vendors.join(", ") }
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_medium_starts_one_kernel() {
        let names: Vec<HostName> = ["db01", "web01", "web02"].map(|name| name.parse().unwrap()).to_vec();
        require_one_kernel(names.iter().map(|name| (name, "6.1.0-9-amd64"))).unwrap();
        let kernels = ["6.1.0-9-amd64", "6.12.0-1-amd64", "6.1.0-9-amd64"];
        let error = require_one_kernel(names.iter().zip(kernels)).unwrap_err().to_string();
        assert!(error.contains("--host"), "{error}");
        assert!(error.ends_with("  6.1.0-9-amd64: db01, web02\n  6.12.0-1-amd64: web01"), "{error}");
    }
}
