//! Who configures the network in an image, and who else would like to: the one owner of both answers.
//!
//! Import chooses the stack, the agent configures it and keeps the others quiet. Promises: a unit that is masked counts as
//! not enabled; whatever is told to be quiet is never a unit of the stack that was chosen.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{MASK, Name, RootView, UNIT_DIRECTORIES, UNITS};
use crate::spec::image::NetworkStack;

/// A program that configures interfaces.
#[derive(Debug)]
struct Stack {
    /// What we call it; `None` for those that we can't configure.
    name: Option<NetworkStack>,
    /// Enabled where it is in use.
    service: &'static str,
    /// All of its units, with sockets and those that wait for the network, begin with this.
    prefix: &'static str,
}

/// In the order in which they win: NetworkManager takes what the others leave to it, and systemd-networkd is enabled on
/// purpose where ifupdown came with the distribution.
const STACKS: [Stack; 6] = [
    Stack {
        name: Some(NetworkStack::NetworkManager),
        service: "NetworkManager.service",
        prefix: "NetworkManager",
    },
    Stack {
        name: Some(NetworkStack::Networkd),
        service: "systemd-networkd.service",
        prefix: "systemd-networkd",
    },
    Stack { name: Some(NetworkStack::Ifupdown), service: "networking.service", prefix: "ifup" },
    Stack { name: None, service: "connman.service", prefix: "connman" },
    Stack { name: None, service: "dhcpcd.service", prefix: "dhcpcd" },
    Stack { name: None, service: "wicked.service", prefix: "wicked" },
];

/// The stack that an image uses: of those that are enabled the one that wins.
///
/// # Errors
/// When the tree can't be read.
pub fn choose(tree: &dyn RootView) -> Result<NetworkStack> {
    let wanted = wanted_units(tree)?;
    for stack in &STACKS {
        if let Some(name) = stack.name
            && wanted.contains(stack.service)
            && !is_masked(tree, stack.service)?
        {
            return Ok(name);
        }
    }
    Ok(NetworkStack::Unknown)
}

/// Units of all other stacks that something in the image starts, sorted: a second program would configure the same
/// interfaces, and its wait for the network would hold up the boot until it gives up. ifupdown's own service isn't among
/// them: it is quiet when its file names no interface but `lo`.
///
/// # Errors
/// When the tree can't be read.
pub fn competing_units(ours: NetworkStack, tree: &dyn RootView) -> Result<Vec<String>> {
    let others = || STACKS.iter().filter(|stack| stack.name != Some(ours));
    let wanted = wanted_units(tree)?.into_iter();
    Ok(wanted.filter(|unit| others().any(|stack| unit.starts_with(stack.prefix))).collect())
}

/// Whether a unit starts with the system: something wants it, and it isn't masked.
///
/// # Errors
/// When the tree can't be read.
pub fn is_enabled(unit: &str, tree: &dyn RootView) -> Result<bool> {
    Ok(wanted_units(tree)?.contains(unit) && !is_masked(tree, unit)?)
}

fn is_masked(tree: &dyn RootView, unit: &str) -> Result<bool> {
    Ok(tree.name(&format!("{UNITS}/{unit}"))? == Some(Name::Link(MASK.to_owned())))
}

/// Names in the directories by which units and targets of systemd pull in others.
fn wanted_units(tree: &dyn RootView) -> Result<BTreeSet<String>> {
    let mut units = BTreeSet::new();
    for directory in UNIT_DIRECTORIES {
        for name in tree.list(directory)? {
            if name.ends_with(".wants") || name.ends_with(".requires") {
                units.extend(tree.list(&format!("{directory}/{name}"))?);
            }
        }
    }
    Ok(units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_rules::testing::MapTree;

    fn tree(units: &[&str]) -> MapTree {
        let mut tree = MapTree::default();
        for unit in units {
            let target = if unit.contains("wait-online") { "network-online" } else { "multi-user" };
            let path = format!("{UNITS}/{target}.target.wants/{unit}");
            tree.links.insert(path, format!("/lib/systemd/system/{unit}"));
        }
        tree
    }

    #[test]
    fn of_several_stacks_one_is_ours_and_the_others_compete_with_it() {
        use NetworkStack::{Ifupdown, NetworkManager, Networkd, Unknown};
        let manager: &[&str] = &["NetworkManager-wait-online.service", "NetworkManager.service"];
        let networkd: &[&str] = &[
            "systemd-networkd-wait-online.service",
            "systemd-networkd-wait-online@eth0.service",
            "systemd-networkd.service",
            "systemd-networkd.socket",
        ];
        let ifupdown: &[&str] = &["networking.service"];
        type Units<'a> = &'a [&'a str];
        let cases: [(&[Units<'_>], NetworkStack, Units<'_>); 8] = [
            (&[manager, ifupdown], NetworkManager, &[]),
            (&[manager, networkd], NetworkManager, networkd),
            (&[networkd, ifupdown], Networkd, &[]),
            (&[ifupdown, &["dhcpcd.service"]], Ifupdown, &["dhcpcd.service"]),
            (&[networkd, &["connman.service"]], Networkd, &["connman.service"]),
            // left over from a service that was disabled; it would pull NetworkManager in
            (&[networkd, &manager[..1]], Networkd, &manager[..1]),
            (&[ifupdown, &networkd[..2], &networkd[3..]], Ifupdown, &[networkd[0], networkd[1], networkd[3]]),
            (&[&["wicked.service"]], Unknown, &["wicked.service"]),
        ];
        for (enabled, stack, quiet) in cases {
            let tree = tree(&enabled.concat());
            assert_eq!(choose(&tree).unwrap(), stack, "{enabled:?}");
            assert_eq!(competing_units(stack, &tree).unwrap(), quiet, "{enabled:?}");
        }
    }

    #[test]
    fn a_masked_stack_is_not_chosen() {
        let mut tree = tree(&["NetworkManager.service", "networking.service"]);
        tree.links.insert(format!("{UNITS}/NetworkManager.service"), MASK.to_owned());
        assert_eq!(choose(&tree).unwrap(), NetworkStack::Ifupdown);
        assert!(!is_enabled("NetworkManager.service", &tree).unwrap());
        assert_eq!(competing_units(NetworkStack::Ifupdown, &tree).unwrap(), ["NetworkManager.service"]);
    }
}
