//! Stacking of raw layers, field by field. Every structure is taken apart whole, so no new field can be forgotten.

use super::raw::{
    RawBoot, RawLocale, RawMatch, RawNetwork, RawPolicy, RawProfile, RawRoot, RawScripts, RawStorage,
    RawTarget,
};

macro_rules! merge_fields {
    ($($type:ident { $($field:ident),* })*) => {$(
        impl $crate::profile::spanned::Merge for $type {
            fn merge(self, later: Self) -> Self {
                let Self { $($field),* } = self;
                Self { $($field: $crate::profile::spanned::Merge::merge($field, later.$field)),* }
            }
        }
    )*};
}

pub(super) use merge_fields;

merge_fields! {
    RawMatch { mac, uuid, serial, vendor, model }
    RawNetwork { interfaces, bonds, vlans, bridges, dns, search }
    RawStorage {
        target, wipe, confirm, disks, partitions, raids, luks, volume_groups, thin_pools, logical_volumes, btrfs, mounts
    }
    RawTarget { serial, wwn, model, min_size, max_size }
    RawLocale { lang, keyboard, timezone, ntp }
    RawBoot { consoles, password }
    RawScripts { pre, post, post_outside, first_boot, on_error }
    RawPolicy { allow_scripted, allow_dead_clock, max_age, refusal_pause }
    RawRoot { password, ssh_keys }
}

merge_fields! {
    RawProfile {
        name, classes, vars, matching, installer, os, image, network, storage, locale, root, users, packages,
        remove_packages, mirror, repositories, proxy, kernel_args, boot, scripts, finish, policy, handoff
    }
}

#[cfg(test)]
mod tests {
    //! Associativity: classes may be stacked in any grouping.

    use proptest::prelude::*;

    use super::*;
    use crate::profile::decode::decode;
    use crate::profile::source::SourceId;
    use crate::profile::spanned::Merge;
    use crate::profile::yaml;

    /// Each part is left out, given, or given with `!replace`, in one of a few values.
    fn layer(source: u32) -> impl Strategy<Value = RawProfile> {
        let parts = [
            ("packages", "[a, b]", "[]", "[c]"),
            (
                "storage",
                "{ confirm: 1, target: { serial: a } }",
                "{ target: !replace { wwn: b } }",
                "{ wipe: ours }",
            ),
            ("network", "{ dns: [1.1.1.1] }", "{ dns: !replace [2.2.2.2], search: [a] }", "{ search: [b] }"),
            ("match", "{ serial: CZ1 }", "{ mac: [\"52:54:00:00:00:01\"] }", "{ model: x }"),
            ("vars", "{ a: 1 }", "{ a: 2, b: 3 }", "{ c: [1] }"),
            ("image", "a@1", "b@1", "c@1"),
            (
                "handoff",
                "none",
                "{ ansible: { pull: { playbook: a } } }",
                "{ ansible: { pull: { revision: b } } }",
            ),
        ];
        proptest::collection::vec(0..5_u8, parts.len()).prop_map(move |choices| {
            let line = |((key, a, b, c), choice): (&(&str, &str, &str, &str), u8)| match choice {
                1 => format!("{key}: {a}\n"),
                2 => format!("{key}: {b}\n"),
                3 => format!("{key}: {c}\n"),
                4 if !["vars", "image"].contains(key) => {
                    format!("{key}: !replace {b}\n")
                }
                _ => String::new(),
            };
            let text: String = parts.iter().zip(choices).map(line).collect();
            let mut diagnostics = Vec::new();
            let root = yaml::parse(SourceId(source), &text, &mut diagnostics).unwrap();
            let raw = decode(root, &mut diagnostics);
            assert_eq!(diagnostics, [], "{text}");
            raw
        })
    }

    proptest! {
        #[test]
        fn stacking_is_associative_and_nothing_changes_nothing(a in layer(0), b in layer(1), c in layer(2)) {
            let left = a.clone().merge(b.clone()).merge(c.clone());
            let right = a.clone().merge(b.merge(c));
            prop_assert_eq!(left, right);
            prop_assert_eq!(RawProfile::default().merge(a.clone()), a.clone());
            prop_assert_eq!(a.clone().merge(RawProfile::default()), a);
        }
    }
}
