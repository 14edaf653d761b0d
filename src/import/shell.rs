//! Scripts of an answer file: what in them would go around ironstrap's guard.

/// Programs that write to disks. What names one may do what only ironstrap's guard may allow.
const DISK_TOOLS: [&str; 31] = [
    "parted",
    "sgdisk",
    "sfdisk",
    "fdisk",
    "gdisk",
    "cfdisk",
    "wipefs",
    "blkdiscard",
    "dd",
    "mdadm",
    "pvcreate",
    "vgcreate",
    "lvcreate",
    "cryptsetup",
    "zpool",
    "nvme",
    "mke2fs",
    "mkswap",
    "mkntfs",
    "mkdosfs",
    "shred",
    "badblocks",
    "vgremove",
    "lvremove",
    "pvremove",
    "vgreduce",
    "lvreduce",
    "dmsetup",
    "dmraid",
    "hdparm",
    "sg_format",
];
/// Files under `/dev` that are disks, or parts of them, by how their names begin.
const DISKS: [&str; 14] = [
    "sd", "vd", "nvme", "xvd", "hd", "mmcblk", "disk/", "mapper/", "md", "dm-", "loop", "sr", "block/",
    "pmem",
];

/// A program that writes to disks, if a script names one outside of comments.
pub fn disk_tool(text: &str) -> Option<&'static str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let ends_word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.');
    let mut words = lines.flat_map(move |line| line.split(ends_word));
    let named = words.find_map(|word| {
        let tool = DISK_TOOLS.iter().find(|tool| **tool == word);
        tool.copied().or_else(|| word.starts_with("mkfs").then_some("mkfs"))
    });
    named.or_else(|| writes_to_disk(text).then_some("a write to a file of /dev"))
}

/// Whether a script writes to a disk as to a file: `> /dev/sda`, `tee /dev/sda`, `cp image /dev/sda`, `of=/dev/sda`. A file
/// whose name isn't known before the script runs counts as a disk.
fn writes_to_disk(text: &str) -> bool {
    let plain = |c: &char| !matches!(c, '"' | '\'' | '{' | '}');
    let text = text.replace("\\\n", " ");
    text.lines().filter(|line| !line.trim_start().starts_with('#')).any(|line| {
        let line: String = line.chars().filter(plain).collect();
        let mut writer = false;
        let mut places = line.match_indices("/dev/");
        let mut seen = 0;
        places.any(|(at, _)| {
            let between = &line[seen..at];
            seen = at;
            // another command begins
            let own = match between.rfind([';', '|', '&', '(', '`']) {
                Some(end) => {
                    writer = false;
                    &between[end..]
                }
                None => between,
            };
            let writes = |word: &str| {
                matches!(word.rsplit('/').next(), Some("tee" | "cp" | "install" | "mv" | "sponge"))
            };
            let starts = |c: char| c.is_whitespace() || matches!(c, ';' | '|' | '&' | '(' | '`');
            writer |= own.split(starts).any(writes);
            let redirected = between.trim_end().ends_with(['>', '|']) && between.contains('>');
            (redirected || writer && !between.trim_end().ends_with('<') || between.ends_with("of="))
                && is_disk(&line[at + "/dev/".len()..])
        })
    })
}

fn is_disk(name: &str) -> bool {
    name.starts_with('$') || DISKS.iter().any(|disk| name.starts_with(disk))
}

/// Why a script that runs before the disk is chosen isn't run.
pub fn why_aside(tool: &str) -> String {
    format!(
        "`{tool}` in it may write to disks before ironstrap has found the right one: its text is kept aside; say the layout in `storage:`"
    )
}

/// A word for a shell.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_write_to_disks_are_found_outside_of_comments() {
        assert_eq!(disk_tool("x=1\n/sbin/wipefs -a /dev/sda"), Some("wipefs"));
        assert_eq!(disk_tool("mkfs.ext4 /dev/sda1"), Some("mkfs"));
        assert_eq!(disk_tool("a=$(dd if=/dev/zero)"), Some("dd"));
        assert_eq!(disk_tool("  # parted\necho add\nlsblk"), None);
        for tool in ["mke2fs", "mkswap", "shred", "vgremove", "dmsetup", "sg_format", "mkdosfs", "dmraid"] {
            assert_eq!(disk_tool(&format!("/sbin/{tool} x")), Some(tool));
        }
    }

    #[test]
    fn writes_to_disks_as_files_are_found() {
        for text in [
            "cat image > /dev/sda",
            "cat image >/dev/nvme0n1",
            "cat image >| \"/dev/$disk\"",
            "true >> /dev/vda",
            "zcat image | tee /dev/sda >/dev/null",
            "cp image \\\n  /dev/disk/by-id/x",
            "pv -o of=/dev/mapper/x",
        ] {
            assert!(disk_tool(text).is_some(), "{text}");
        }
        for text in [
            "ls > /dev/null 2>&1",
            "exec > /dev/tty3 2> /dev/console",
            "echo x | tee /dev/stderr",
            "# cat image > /dev/sda",
            "lsblk /dev/sda > /tmp/x",
            "cp /tmp/x /tmp/y; lsblk /dev/sda",
            "dev=/dev/sda; echo $dev > /tmp/disk",
        ] {
            assert_eq!(disk_tool(text), None, "{text}");
        }
    }
}
