//! What a host asks of an image that a distribution's installer unpacks: it installs nothing beside it.
//!
//! Anaconda creates accounts with `useradd` and takes one that is there already, or whose number is taken, for done: it warns in
//! its log and leaves it without the password (`users.create_user`, `CreateUsersTask`). Its initramfs is made inside the
//! image, so that must have the tools of what the disks become; and it writes the network for NetworkManager only.

use anyhow::{Context, Result};

use super::{seed, tool_incompatibilities};
use crate::host::{Host, Site};
use crate::image_rules::{self, RootView};
use crate::spec::image::{ImageSystem, NetworkStack};
use crate::spec::system::SystemSpec;

/// Everything that this host wants and the image doesn't have or give, for people.
///
/// # Errors
/// When the tree can't be read.
pub fn unpacked_incompatibilities(
    host: &Host,
    site: &Site,
    image: &ImageSystem,
    tree: &dyn RootView,
) -> Result<Vec<String>> {
    let mut found = tool_incompatibilities(host, site, image);
    if image.network != NetworkStack::NetworkManager {
        found.push("the image doesn't enable NetworkManager, for which Anaconda writes the network; enable it in the image".to_owned());
    }
    // time zone and units as for our own agent; accounts are another matter
    let (files, units) = seed(host, site)?;
    let system = SystemSpec {
        hostname: host.name.clone(),
        timezone: Some(host.locale.timezone.clone()),
        root: host.root.clone(),
        users: Vec::new(),
        files,
        units,
    };
    found.extend(image_rules::incompatibilities(&system, tree)?);
    let passwd = tree.text("/etc/passwd").context("looking for the image's accounts")?.unwrap_or_default();
    for user in &host.users {
        for line in passwd.lines() {
            let mut fields = line.split(':');
            let (name, number) = (fields.next().unwrap_or_default(), fields.nth(1));
            if name == user.name.as_str() {
                found.push(format!("the image has an account `{name}`, and Anaconda leaves such an account as it is; take it out of the image, or out of `users`"));
            } else if user.uid.is_some_and(|uid| number == Some(&*uid.to_string())) {
                found.push(format!(
                    "account `{}`: its number belongs to `{name}` in the image, and Anaconda would leave it out; give it another `uid`",
                    user.name
                ));
            }
        }
        if !tree.exists(&user.shell)? {
            found.push(format!("account `{}`: the image has no `{}`", user.name, user.shell.escape_debug()));
        }
    }
    for (program, why) in tools_of_disks(host) {
        let there = [format!("/usr/sbin/{program}"), format!("/usr/bin/{program}")];
        if !tree.exists(&there[0])? && !tree.exists(&there[1])? {
            found.push(format!(
                "the image has no `{program}`, which `{why}` needs; add its package to the image"
            ));
        }
    }
    Ok(found)
}

/// Programs without which the initramfs can't find what is on the disks.
fn tools_of_disks(host: &Host) -> Vec<(&'static str, &'static str)> {
    let Some(layout) = &host.layout else { return vec![("mkfs.xfs", "storage")] };
    let mut tools = Vec::new();
    if !layout.volume_groups.is_empty() {
        tools.push(("lvm", "storage.volume_groups"));
    }
    if !layout.raids.is_empty() {
        tools.push(("mdadm", "storage.raids"));
    }
    if !layout.luks.is_empty() {
        tools.push(("clevis", "storage.luks"));
    }
    if !layout.btrfs.is_empty() {
        tools.push(("btrfs", "storage.btrfs"));
    }
    tools
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::handoff::{CloudInit, Handoff, Script};
    use crate::host::testing;
    use crate::image_rules::testing::MapTree;
    use crate::spec::system::{Sudo, User};
    use crate::value::ImageSource;

    fn site() -> Site {
        testing::site()
    }

    fn system(network: NetworkStack, tools: &[&str]) -> ImageSystem {
        ImageSystem {
            os: "rocky".to_owned(),
            os_version: "9.6".to_owned(),
            kernel: "5.14.0".to_owned(),
            network,
            selinux_enforcing: true,
            tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
        }
    }

    fn user(name: &str, uid: Option<u32>) -> User {
        User {
            name: name.parse().unwrap(),
            full_name: None,
            uid,
            password: None,
            groups: Vec::new(),
            ssh_keys: Vec::new(),
            sudo: Sudo::No,
            shell: "/bin/bash".to_owned(),
        }
    }

    #[test]
    fn an_image_must_have_what_nobody_installs() {
        let mut host = Host { users: vec![user("ops", Some(1001))], ..testing::host() };
        let mut tree = MapTree::usual();
        tree.files.insert("/usr/sbin/mkfs.xfs".to_owned(), String::new());
        let good = system(NetworkStack::NetworkManager, &["sudo", "cloud-init"]);
        assert_eq!(unpacked_incompatibilities(&host, &site(), &good, &tree).unwrap(), Vec::<String>::new());

        host.users = vec![
            user("debian", None),
            user("web", Some(1000)),
            User { sudo: Sudo::Password, ..user("ops", None) },
        ];
        host.handoff = Handoff::to(CloudInit { user_data: "#cloud-config\n".to_owned() });
        let bare = system(NetworkStack::Networkd, &[]);
        let tree = MapTree::usual().without("/bin/bash").without("/usr/share/zoneinfo/Europe/Berlin");
        let found = unpacked_incompatibilities(&host, &site(), &bare, &tree).unwrap();
        for wanted in [
            "has no `sudo`",
            "has no `cloud-init`",
            "doesn't enable NetworkManager",
            "has an account `debian`",
            "account `web`: its number belongs to `debian`",
            "account `ops`: the image has no `/bin/bash`",
            "time zone `Europe/Berlin`",
            "has no `mkfs.xfs`",
        ] {
            assert!(found.iter().any(|one| one.contains(wanted)), "{wanted} is missing: {found:#?}");
        }
    }

    #[test]
    fn below_a_container_image_s_system_the_frame_stands_in_var() {
        let text = "oci:r.example/os@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let image: ImageSource = text.parse().unwrap();
        let content = "#!/bin/sh\n# the site's own word: /usr/lib/ironstrap\n";
        let handoff = Handoff::to(Script { content: content.to_owned() });
        let host = Host { image: Some(image), handoff, ..testing::host() };
        let (files, _) = seed(&host, &site()).unwrap();
        let of = |path: &str| &files.iter().find(|file| file.path == path).unwrap().content;
        assert!(files.iter().all(|file| !file.path.starts_with("/usr")), "{files:?}");
        let unit = of("/etc/systemd/system/ironstrap-handoff.service");
        assert!(unit.contains("\nExecStart=/bin/sh /var/lib/ironstrap/lib/handoff\n"), "{unit}");
        assert!(of("/var/lib/ironstrap/lib/handoff").contains("\nlib=/var/lib/ironstrap/lib\n"));
        assert!(of("/var/lib/ironstrap/lib/handoff.conf").contains("/var/lib/ironstrap/lib/handoff-run"));
        assert_eq!(of("/var/lib/ironstrap/lib/handoff-run"), content);
    }
}
