//! What stands on what, down to the disks: so that the disk under `/` can be found, which is the one that a profile's
//! `storage.target` names.

use std::collections::{BTreeSet, HashMap};

/// What the parts of a layout stand on, by the file's names for them.
#[derive(Debug, Default)]
pub struct Stack {
    on: HashMap<String, Vec<Under>>,
}

#[derive(Debug)]
enum Under {
    Disk(String),
    Part(String),
}

impl Stack {
    /// A part is on a disk.
    pub fn on_disk(&mut self, part: &str, disk: &str) {
        self.add(part, Under::Disk(disk.to_owned()));
    }

    /// A part is made of another, or stands on it.
    pub fn on_part(&mut self, part: &str, other: &str) {
        self.add(part, Under::Part(other.to_owned()));
    }

    fn add(&mut self, part: &str, under: Under) {
        self.on.entry(part.to_owned()).or_default().push(under);
    }

    /// The disks under a part, each once, in the order of the file.
    pub fn disks_under(&self, part: &str) -> Vec<&str> {
        let mut disks: Vec<&str> = Vec::new();
        let mut seen = BTreeSet::from([part]);
        let mut open = vec![part];
        while let Some(part) = open.pop() {
            for under in self.on.get(part).into_iter().flatten().rev() {
                match under {
                    Under::Disk(disk) => disks.push(disk),
                    // what stands on itself is seen once
                    Under::Part(other) if seen.insert(other) => open.push(other),
                    Under::Part(_) => {}
                }
            }
        }
        let mut once = BTreeSet::new();
        disks.retain(|disk| once.insert(*disk));
        disks
    }

    /// The disk under a part; of several one of the `preferred`, else the first.
    pub fn disk_under(&self, part: &str, preferred: &[&str]) -> Option<&str> {
        let disks = self.disks_under(part);
        let one = preferred.iter().find_map(|wanted| disks.iter().find(|disk| *disk == wanted));
        one.or(disks.first()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_under_a_volume_is_found_through_its_group() {
        let mut stack = Stack::default();
        stack.on_disk("pv.data", "sdb");
        stack.on_part("data", "pv.data");
        stack.on_part("/srv", "data");
        stack.on_disk("raid.1", "sdc");
        stack.on_disk("raid.2", "sda");
        stack.on_part("/", "raid.1");
        stack.on_part("/", "raid.2");
        assert_eq!(stack.disks_under("/srv"), ["sdb"]);
        assert_eq!(stack.disk_under("/", &["sda"]), Some("sda"));
        assert_eq!(stack.disk_under("/", &["sdb"]).map(|disk| ["sda", "sdc"].contains(&disk)), Some(true));
        assert_eq!(stack.disk_under("/nowhere", &["sda"]), None);
    }

    #[test]
    fn what_stands_on_itself_has_no_end_but_no_disk() {
        let mut stack = Stack::default();
        stack.on_part("/", "a");
        stack.on_part("a", "b");
        stack.on_part("b", "a");
        assert!(stack.disks_under("/").is_empty());
    }
}
