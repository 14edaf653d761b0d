//! What makes two machines from one image two machines: name, identity, seed, and nothing of the image's past.
//!
//! What is forgotten or made anew is the list's to say ([`TRACES`]); here it is done.

mod anew;

use anyhow::Result;

use crate::image_rules::identity::{Fate, Place, TRACES, Trace};
use crate::image_rules::{self, Zone};
use crate::spec::system::SystemSpec;
use crate::sys::rooted::{Attributes, RootedDir};

pub(super) fn apply(
    root: &RootedDir,
    esp: &RootedDir,
    system: &SystemSpec,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<()> {
    // one for all of NVMe: its host name and its id belong together
    let nvme = anew::uuid(random);
    for trace in TRACES {
        match trace.fate {
            Fate::Removed(_) | Fate::FirstBoot(_) => forget(root, esp, trace)?,
            Fate::Anew(maker) => anew::make(root, esp, trace, maker, nvme, random)?,
        }
    }
    hostname(root, system)?;
    if let Some(zone) = &system.timezone {
        timezone(root, zone)?;
    }
    Ok(())
}

fn forget(root: &RootedDir, esp: &RootedDir, trace: &Trace) -> Result<()> {
    for place in trace.places {
        if let Place::Esp(path) = place {
            esp.remove(path)?;
        }
        for path in place.find(root)? {
            root.remove(&path)?;
        }
    }
    Ok(())
}

fn hostname(root: &RootedDir, system: &SystemSpec) -> Result<()> {
    let name = &system.hostname;
    root.write("/etc/hostname", Attributes::root(0o644), format!("{}\n", name.short()).as_bytes())?;
    let before = root.read_text("/etc/hosts")?.unwrap_or_default();
    root.rewrite(
        "/etc/hosts",
        Attributes::root(0o644),
        hosts(&before, name.as_str(), name.short()).as_bytes(),
    )
}

/// The hosts file with this host's names at 127.0.1.1, so that they resolve without a network.
fn hosts(before: &str, full: &str, short: &str) -> String {
    let address = |line: &&str| line.split_whitespace().next().unwrap_or_default().to_owned();
    let mut after = String::new();
    if !before.lines().any(|line| address(&line) == "127.0.0.1") {
        after.push_str("127.0.0.1 localhost\n");
    }
    for line in before.lines().filter(|line| address(line) != "127.0.1.1") {
        after.push_str(line);
        after.push('\n');
    }
    let names = if full == short { short.to_owned() } else { format!("{full} {short}") };
    after + &format!("127.0.1.1 {names}\n")
}

fn timezone(root: &RootedDir, zone: &str) -> Result<()> {
    let path = match image_rules::zone_file(zone, root)?? {
        Zone::File(path) => path,
        Zone::Utc => return root.remove("/etc/localtime").map(|_| ()),
    };
    root.symlink(&format!("..{path}"), "/etc/localtime", 0, 0)?;
    if root.exists("/etc/timezone") {
        root.write("/etc/timezone", Attributes::root(0o644), format!("{zone}\n").as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_keeps_what_is_not_ours() {
        let before = "127.0.0.1\tlocalhost\n127.0.1.1 builder\n::1 ip6-localhost # v6\n10.0.0.1 gw\n";
        let after = hosts(before, "web01.example.com", "web01");
        assert_eq!(
            after,
            "127.0.0.1\tlocalhost\n::1 ip6-localhost # v6\n10.0.0.1 gw\n127.0.1.1 web01.example.com web01\n"
        );
        assert_eq!(hosts(&after, "web01.example.com", "web01"), after);
        assert_eq!(hosts("", "a", "a"), "127.0.0.1 localhost\n127.0.1.1 a\n");
    }
}
