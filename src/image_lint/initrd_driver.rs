//! `image-initrd-driver`: disk controllers whose driver isn't in the image's own initrd.

use anyhow::Result;

use super::drivers::{Device, Use};
use super::rules::INITRD_DRIVER;
use super::{Finding, Shelf, Subject};

pub(super) fn find(subject: &Subject<'_>, shelf: &Shelf, devices: &[Device<'_>]) -> Result<Vec<Finding>> {
    let modules = shelf.modules(subject)?;
    let Some(initrd) = shelf.initrd(subject)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for device in devices.iter().filter(|device| device.of == Use::Storage) {
        let drivers = modules.drivers(device.modalias);
        let is_there = |driver: &&str| modules.is_builtin(driver) || initrd.modules.contains(*driver);
        if drivers.is_empty() || drivers.iter().any(is_there) {
            continue;
        }
        let drivers: Vec<_> = drivers.into_iter().collect();
        let message =
            format!("{}: its driver {} is not in the initrd", device.in_words(), drivers.join(" or "));
        // Debian's dracut takes the same name
        let is_of_initramfs_tools =
            initrd.path.contains("initrd.img") && !subject.root.exists("/usr/bin/dracut")?;
        let help = match is_of_initramfs_tools {
            true => "set MODULES=most in /etc/initramfs-tools/initramfs.conf, and run update-initramfs -u"
                .to_owned(),
            false => format!(
                "run dracut --force --no-hostonly {} {}, or install dracut-config-generic before",
                initrd.path, subject.system.kernel
            ),
        };
        found.push(Finding::new(&INITRD_DRIVER, message).at(&initrd.path).help(help));
    }
    Ok(found)
}
