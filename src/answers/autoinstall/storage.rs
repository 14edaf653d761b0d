//! The storage as curtin's actions, with what subiquity adds: `-1` is all that is left, for the last part of a disk or group.

use serde_json::{Value, json};

use super::placeholder;
use crate::host::{
    Content, FileSystem, Host, Layout, Mount, Partition, RaidLevel, Refusal, Role, Size, TARGET,
};
use crate::value::StorageId;

/// Everything is aligned to this.
const UNIT: u64 = 1 << 20;
/// LVM's extent, to which volumes are rounded.
const EXTENT: u64 = 4 << 20;

/// The actions, each after what it stands on.
pub fn actions(host: &Host, refusal: &mut Refusal) -> Vec<Value> {
    let further = host.layout.iter().flat_map(|layout| {
        // one without partitions stays as it is
        let filled = |id: &StorageId| layout.partitions.iter().any(|part| part.disk == *id);
        layout.disks.iter().map(|disk| &disk.id).filter(move |id| filled(id))
    });
    let ids = std::iter::once(TARGET).chain(further.map(StorageId::as_str));
    let mut actions: Vec<_> = ids.map(disk).collect();
    match &host.layout {
        None => actions.extend(plain()),
        Some(layout) => {
            check(layout, refusal);
            actions.extend(of_layout(layout));
        }
    }
    actions
}

fn disk(id: &str) -> Value {
    json!({
        "id": id, "type": "disk", "path": placeholder(id), "ptable": "gpt", "wipe": "superblock-recursive",
        "preserve": false, "grub_device": false,
    })
}

/// One ESP, and the rest for `/`.
fn plain() -> Vec<Value> {
    let esp = partition("esp", TARGET, json!(512 * UNIT), 1, true);
    let root = partition("root", TARGET, json!(-1), 2, false);
    let format = |id: &str, volume: &str, fstype: &str| json!({ "id": id, "type": "format", "volume": volume, "fstype": fstype, "preserve": false });
    let mount = |id: &str, device: &str, path: &str| json!({ "id": id, "type": "mount", "device": device, "path": path });
    vec![
        esp,
        root,
        format("format_esp", "esp", "fat32"),
        format("format_root", "root", "ext4"),
        mount("mount_root", "format_root", "/"),
        mount("mount_esp", "format_esp", "/boot/efi"),
    ]
}

fn partition(id: &str, disk: &str, size: Value, number: usize, esp: bool) -> Value {
    let mut action = json!({
        "id": id, "type": "partition", "device": disk, "size": size, "number": number, "wipe": "superblock",
        "preserve": false, "grub_device": esp,
    });
    if let (true, Some(entries)) = (esp, action.as_object_mut()) {
        entries.insert("flag".to_owned(), json!("boot"));
    }
    action
}

/// Bytes that a disk must have for the least of its partitions, and the tables around them; none if it has none.
pub fn least(layout: &Layout, disk: &str) -> u64 {
    let mut parts = layout.partitions.iter().filter(|part| part.disk.as_str() == disk).peekable();
    if parts.peek().is_none() {
        return 0;
    }
    parts.fold(2 * UNIT, |sum, part| sum.saturating_add(part.size.least().as_bytes()))
}

/// Where subiquity says less than the model.
fn check(layout: &Layout, refusal: &mut Refusal) {
    const LAST: &str = "can let only the last one grow: put it at the end, or give the others a `size`";
    let growing = |size: Size| matches!(size, Size::Growing { .. });
    for (at, part) in layout.partitions.iter().enumerate() {
        let later = layout.partitions[at + 1..].iter().any(|other| other.disk == part.disk);
        if growing(part.size) && later {
            refusal.add(&format!("storage.partitions[{}].min", part.id), LAST);
        }
        if part.role == Role::BiosBoot {
            refusal.add(
                &format!("storage.partitions[{}].role", part.id),
                "is told for UEFI machines: leave it out",
            );
        }
    }
    for (at, volume) in layout.logical_volumes.iter().enumerate() {
        let later = layout.logical_volumes[at + 1..].iter().any(|other| other.group == volume.group);
        if growing(volume.size) && later {
            refusal.add(&format!("storage.logical_volumes[{}].min", volume.id), LAST);
        }
        if matches!(volume.size, Size::Growing { max: Some(_), .. }) {
            let reason = "knows no largest size: leave `max` out, or give it a `size`";
            refusal.add(&format!("storage.logical_volumes[{}].max", volume.id), reason);
        }
    }
}

fn of_layout(layout: &Layout) -> Vec<Value> {
    let mut actions = Vec::new();
    for (at, part) in layout.partitions.iter().enumerate() {
        let before = layout.partitions[..at].iter().filter(|other| other.disk == part.disk).count();
        let size = size(part.size, UNIT);
        actions.push(partition(
            part.id.as_str(),
            part.disk.as_str(),
            size,
            before + 1,
            part.role == Role::Esp,
        ));
    }
    for raid in &layout.raids {
        actions.push(json!({
            "id": raid.id.as_str(), "type": "raid", "name": raid.id.as_str(), "raidlevel": level(raid.level),
            "devices": names(&raid.members), "spare_devices": names(&raid.spares), "preserve": false,
        }));
    }
    for group in &layout.volume_groups {
        actions.push(json!({
            "id": group.id.as_str(), "type": "lvm_volgroup", "name": group.id.as_str(),
            "devices": names(&group.members), "preserve": false,
        }));
    }
    for volume in &layout.logical_volumes {
        actions.push(json!({
            "id": volume.id.as_str(), "type": "lvm_partition", "name": volume.id.as_str(),
            "volgroup": volume.group.as_str(), "size": size(volume.size, EXTENT), "preserve": false,
        }));
    }
    let esps = layout.partitions.iter().filter(|part| part.role == Role::Esp);
    actions.extend(esps.clone().map(format_esp));
    actions.extend(layout.mounts.iter().map(format));
    // parents before what is mounted in them
    let mut mounts: Vec<_> = layout.mounts.iter().map(mount).collect();
    mounts.extend(esps.map(|esp| {
        let path = "/boot/efi".to_owned();
        (path.clone(), json!({ "id": format!("mount_{}", esp.id), "type": "mount", "device": format!("format_{}", esp.id), "path": path }))
    }));
    mounts.sort_by(|a, b| a.0.cmp(&b.0));
    actions.extend(mounts.into_iter().map(|(_, action)| action));
    actions
}

fn level(level: RaidLevel) -> String {
    format!("raid{}", level.number())
}

fn names(ids: &[StorageId]) -> Vec<&str> {
    ids.iter().map(StorageId::as_str).collect()
}

/// Bytes in whole units, or all that is left.
fn size(size: Size, unit: u64) -> Value {
    match size {
        Size::Exact(bytes) => json!(bytes.as_bytes().div_ceil(unit).saturating_mul(unit)),
        Size::Growing { .. } => json!(-1),
    }
}

fn format_esp(esp: &Partition) -> Value {
    json!({ "id": format!("format_{}", esp.id), "type": "format", "volume": esp.id.as_str(), "fstype": "fat32", "preserve": false })
}

fn format(mount: &Mount) -> Value {
    let fstype = match &mount.what {
        Content::Swap => "swap",
        Content::Files(FileSystem::Vfat, _) => "fat32",
        Content::Files(system, _) => system.name(),
    };
    let mut action = json!({
        "id": format!("format_{}", mount.on), "type": "format", "volume": mount.on.as_str(), "fstype": fstype,
        "preserve": false,
    });
    if let (Some(label), Some(entries)) = (&mount.label, action.as_object_mut()) {
        entries.insert("label".to_owned(), json!(label.as_str()));
    }
    action
}

/// The action and what it is sorted by. Swap has an empty path (subiquity, `Mount.can_delete`).
fn mount(mount: &Mount) -> (String, Value) {
    let path = match &mount.what {
        Content::Swap => String::new(),
        Content::Files(_, path) => path.to_string(),
    };
    let mut action = json!({
        "id": format!("mount_{}", mount.on), "type": "mount", "device": format!("format_{}", mount.on), "path": path,
    });
    if let (false, Some(entries)) = (mount.options.is_empty(), action.as_object_mut()) {
        let options: Vec<_> = mount.options.iter().map(|option| option.as_str()).collect();
        entries.insert("options".to_owned(), json!(options.join(",")));
    }
    (path, action)
}
