//! Values, places and what must not be shown; and that nothing gets lost without a trace.

use proptest::prelude::*;

use super::*;
use crate::profile::decode::decode;
use crate::profile::raw::RawProfile;
use crate::profile::source::SourceId;
use crate::profile::yaml;

fn layer(source: u32, text: &str) -> RawProfile {
    let mut diagnostics = Vec::new();
    let root = yaml::parse(SourceId(source), text, &mut diagnostics).unwrap();
    let raw = decode(root, &mut diagnostics);
    assert_eq!(diagnostics, [], "{text}");
    raw
}

/// `key = value @ the first word of what is written there`.
fn lines(text: &str) -> Vec<String> {
    let line = |node: Node| {
        let span = node.span.unwrap();
        let written = text[span.start as usize..span.end as usize].split_whitespace().next().unwrap();
        node.text.map(|shown| format!("{} = {shown} @ {written}", node.path))
    };
    trace(&layer(0, text)).into_iter().filter_map(line).collect()
}

#[test]
fn every_value_has_its_way_and_its_place() {
    let text = "users:\n- { name: ops, groups: [adm, wheel], uid: 1000 }\n- {}\nhandoff: { script: scripts/a.sh }\n\
                network: { interfaces: [{ match: { mac: \"52:54:00:00:00:01\" }, ipv4: dhcp }] }\npackages: []\n";
    assert_eq!(
        lines(text),
        [
            "network.interfaces[0].match.mac = 52:54:00:00:00:01 @ \"52:54:00:00:00:01\"",
            "network.interfaces[0].ipv4 = dhcp @ dhcp",
            "users[0].name = ops @ ops",
            "users[0].uid = 1000 @ 1000",
            "users[0].groups[0] = adm @ adm",
            "users[0].groups[1] = wheel @ wheel",
            "users[1] = {} @ {",
            "packages = [] @ [",
            "handoff.script = scripts/a.sh @ scripts/a.sh",
        ]
    );
    assert_eq!(lines("handoff: none\n"), ["handoff = none @ none"]);
    assert_eq!(trace(&RawProfile::default()), []);
}

#[test]
fn a_part_without_a_place_of_its_own_has_the_place_around_it() {
    let text = "vars: { a: [1, { b: ~, \"c d\": \" x\" }], e: \"\" }\n";
    let written = "[1,";
    assert_eq!(
        lines(text),
        [
            format!("vars.a[0] = 1 @ {written}"),
            format!("vars.a[1].b = null @ {written}"),
            format!("vars.a[1].\"c d\" = \" x\" @ {written}"),
            "vars.e = \"\" @ \"\"".to_owned(),
        ]
    );
}

#[test]
fn what_may_be_a_secret_is_not_shown() {
    for (text, shown) in [
        ("root: { password: \"$6$abc$s3cr3t\" }", "root.password = <hash>"),
        ("users: [{ password: \"$y$j9T$a$s3cr3t\" }]", "users[0].password = <hash>"),
        ("vars: { api_token: s3cr3t }", "vars.api_token = <hidden>"),
        ("vars: { secrets: { a: [s3cr3t] } }", "vars.secrets.a[0] = <hidden>"),
        ("kernel_args: [\"inst.Password=s3cr3t\"]", "kernel_args[0] = inst.Password=<hidden>"),
        ("vars: { a: \"my passphrase: s3cr3t\" }", "vars.a = my passphrase:<hidden>"),
        (
            "handoff: { cloud_init: { user_data: \"#!/bin/sh\\ns3cr3t\\n\" } }",
            "handoff.cloud_init.user_data = <2 lines of text>",
        ),
        ("users: [{ sudo: password }]", "users[0].sudo = password"),
    ] {
        let traced = trace(&layer(0, text));
        let all: Vec<_> =
            traced.into_iter().filter_map(|node| Some(format!("{} = {}", node.path, node.text?))).collect();
        assert_eq!(all, [shown], "{text}");
    }
}

#[test]
fn whoever_drops_a_value_is_found() {
    let layers = [
        layer(
            0,
            "packages: [a]\nstorage: { target: { serial: x }, confirm: 1 }\nhandoff: none\nvars: { a: { b: 1 } }\n",
        ),
        layer(1, "packages: [b]\nstorage: { confirm: 2 }\nhandoff: { script: scripts/a }\nvars: { a: 2 }\n"),
        layer(2, "packages: !replace [c]\nstorage: !replace { target: { wwn: y } }\n"),
    ];
    let (stack, provenance) = provenance(&layers.iter().collect::<Vec<_>>());
    assert_eq!(
        trace(&stack).into_iter().filter(|node| node.text.is_some()).collect::<Vec<_>>(),
        provenance.values
    );
    let mut lost: Vec<_> = provenance
        .lost
        .iter()
        .map(|lost| {
            format!("{} = {}: {} by {}", lost.path, lost.text, lost.span.source.0, lost.by.unwrap().source.0)
        })
        .collect();
    lost.sort();
    assert_eq!(
        lost,
        [
            "handoff = none: 0 by 1",
            "packages[0] = a: 0 by 2",
            "packages[1] = b: 1 by 2",
            "storage.confirm = 1: 0 by 1",
            "storage.confirm = 2: 1 by 2",
            "storage.target.serial = x: 0 by 2",
            "vars.a.b = 1: 0 by 1",
        ]
    );
    let replaced: Vec<_> = provenance.replaced.iter().map(|node| node.path.to_string()).collect();
    assert_eq!(replaced, ["storage", "packages"]);
}

fn any_layer(source: u32) -> impl Strategy<Value = RawProfile> {
    const PARTS: [(&str, [&str; 3]); 5] = [
        ("packages", ["[a, b]", "[]", "!replace [c]"]),
        (
            "storage",
            [
                "{ confirm: 1, target: { serial: a } }",
                "{ target: !replace { wwn: b } }",
                "!replace { wipe: ours }",
            ],
        ),
        (
            "network",
            ["{ dns: [1.1.1.1] }", "!replace { dns: !replace [2.2.2.2] }", "{ search: [b], dns: [] }"],
        ),
        ("vars", ["{ a: 1 }", "{ a: { b: [1, 2] } }", "{ c: [1] }"]),
        (
            "handoff",
            [
                "none",
                "{ ansible: { pull: { playbook: a } } }",
                "!replace { ansible: { pull: { revision: b } } }",
            ],
        ),
    ];
    proptest::collection::vec(0..4_usize, PARTS.len()).prop_map(move |choices| {
        let line = |((key, values), choice): (&(&str, [&str; 3]), usize)| {
            values.get(choice).map_or_else(String::new, |value| format!("{key}: {value}\n"))
        };
        layer(source, &PARTS.iter().zip(choices).map(line).collect::<String>())
    })
}

proptest! {
    #[test]
    fn every_written_value_either_holds_or_is_lost_to_a_later_layer(a in any_layer(0), b in any_layer(1), c in any_layer(2)) {
        let (_, provenance) = provenance(&[&a, &b, &c]);
        for layer in [&a, &b, &c] {
            for node in trace(layer).into_iter().filter(|node| node.text.as_ref().is_some_and(|text| text != "[]")) {
                let same = |path: &Path| path.shape() == node.path.shape();
                let holds = provenance.values.iter().any(|value| same(&value.path) && value.span == node.span);
                let lost: Vec<_> =
                    provenance.lost.iter().filter(|lost| same(&lost.path) && Some(lost.span) == node.span).collect();
                prop_assert_eq!(holds, lost.is_empty(), "{:?}", node);
                for lost in lost {
                    prop_assert!(lost.by.is_some_and(|by| by.source > lost.span.source), "{:?}", lost);
                }
            }
        }
    }
}
