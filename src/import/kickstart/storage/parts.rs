//! Commands of the layout as parts that can be compared.

use crate::grammar::kickstart::{Arguments, is_member};
use crate::import::layout::{Part, PartKind, holds};

/// A command as a part. `kind` is its name; `shown` the line, for people.
pub fn of_command(kind: &str, arguments: &Arguments<'_>, shown: &str) -> Option<Part> {
    let words: Vec<_> = arguments.words().collect();
    let (place, members) = words.split_first()?;
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let group = |name: &str| format!("group {name}");
    let fixed = !arguments.has("--grow");
    let mib = arguments.number("--size").filter(|_| fixed).and_then(|mib| u64::try_from(mib).ok());
    let size = mib.and_then(|mib| mib.checked_mul(1 << 20));
    let holds = content(place, arguments);
    let level = || arguments.text("--level").map(|level| level.to_lowercase().replace("raid", ""));
    let new = |kind, id: &str, on| Part::new(kind, id, on, shown);
    Some(match kind {
        "part" | "partition" => Part { holds, size, ..new(PartKind::Partition, place, Vec::new()) },
        "raid" => Part { holds, detail: level(), ..new(PartKind::Array, place, owned(members)) },
        "volgroup" => new(PartKind::Group, &group(place), owned(members)),
        "logvol" => {
            let pool = |name: &str| format!("pool {name}");
            let on = arguments.text("--poolname").map(pool);
            let on = on.or_else(|| arguments.text("--vgname").map(group));
            let id = match arguments.has("--thinpool") {
                true => pool(arguments.text("--name").unwrap_or_default()),
                false => (*place).to_owned(),
            };
            let holds = holds.filter(|_| !arguments.has("--thinpool"));
            Part { holds, size, ..new(PartKind::Volume, &id, on.into_iter().collect()) }
        }
        // subvolumes stand on a label, which another command gives
        "btrfs" if !arguments.has("--subvol") && *place == "none" => {
            let label = format!("LABEL={}", arguments.text("--label").unwrap_or_default());
            new(PartKind::Format, &label, owned(members))
        }
        "btrfs" => {
            let on = if arguments.has("--subvol") { members.get(..1) } else { Some(members) };
            let holds = Some(self::holds(place, "btrfs"));
            Part { holds, ..new(PartKind::Mount, place, owned(on.unwrap_or_default())) }
        }
        _ => return None,
    })
}

/// What a device holds, unless something else is made of it.
fn content(place: &str, arguments: &Arguments<'_>) -> Option<String> {
    match (place, arguments.text("--fstype")) {
        ("biosboot", _) => Some("bios".to_owned()),
        ("swap", _) => Some("swap".to_owned()),
        ("/boot/efi", _) => Some(holds(place, "vfat")),
        (place, _) if is_member(place) => None,
        // a profile has the newest of the family, and the line says so
        (place, Some("ext2" | "ext3")) => Some(holds(place, "ext4")),
        (place, fs) => Some(holds(place, fs.unwrap_or("xfs"))),
    }
}
