//! Which disk the system goes to: the one under `/`.

use super::action::Action;
use crate::import::device::{Device, Stack};

/// The id of the disk under `/`, through formats, volumes, groups and arrays; of several the one with the boot loader.
pub fn target<'d>(actions: impl Iterator<Item = Action<'d>>) -> Option<String> {
    let mut stack = Stack::default();
    let part = |id: &str| Device::Part(id.to_owned());
    let place = |path: &str| Device::MountPoint(path.to_owned());
    let (mut disks, mut boot) = (Vec::new(), Vec::new());
    for action in actions {
        let Some(id) = action.text("id") else { continue };
        match action.text("type").unwrap_or_default() {
            "disk" => {
                stack.put(part(id), Device::Disk(id.to_owned()));
                disks.push(id);
                boot.extend(action.is("grub_device").then_some(id));
            }
            "mount" => {
                if let (Some(device), Some(path)) = (action.text("device"), action.text("path")) {
                    stack.put(place(path), part(device));
                }
            }
            _ => {
                let one = ["device", "volume", "volgroup"].into_iter().filter_map(|key| action.text(key));
                let many = ["devices", "spare_devices"].into_iter().flat_map(|key| action.list(key));
                one.chain(many).for_each(|other| stack.put(part(id), part(other)));
            }
        }
    }
    boot.extend(stack.disks_under(&place("/boot/efi")));
    let root = stack.disk_under(&place("/"), &boot);
    let only = if let [disk] = disks.as_slice() { Some(*disk) } else { None };
    root.or(only).map(ToOwned::to_owned)
}
