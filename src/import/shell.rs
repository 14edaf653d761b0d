//! Scripts of an answer file: what in them would go around ironstrap's guard.

/// Programs that write to disks. What names one may do what only ironstrap's guard may allow.
const DISK_TOOLS: [&str; 16] = [
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
];

/// A program that writes to disks, if a script names one outside of comments.
pub fn disk_tool(text: &str) -> Option<&'static str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let ends_word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.');
    let mut words = lines.flat_map(move |line| line.split(ends_word));
    words.find_map(|word| {
        let tool = DISK_TOOLS.iter().find(|tool| **tool == word);
        tool.copied().or_else(|| word.starts_with("mkfs").then_some("mkfs"))
    })
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
    }
}
