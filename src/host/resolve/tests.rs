//! Rules between values; the wording of single mistakes is in `tests/errors/`.

use super::*;
use crate::host::Ipv4;
use crate::host::handoff::{CloudInit, Handoff, Script};
use crate::profile::decode::decode;
use crate::profile::source::Sources;
use crate::profile::yaml;

/// A site from `(path, text)` pairs.
fn tree(files: &[(&str, &str)]) -> Tree {
    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();
    let site_source = sources.add("site.yaml", "name: test");
    let mut tree = Tree {
        shared: Shared {
            site: Default::default(),
            site_source,
            site_damaged: true,
            classes: Default::default(),
        },
        hosts: Vec::new(),
        texts: Default::default(),
        sources: Sources::default(),
        diagnostics: Vec::new(),
    };
    for (path, text) in files {
        let source = sources.add(*path, *text);
        let (folder, file) = path.split_once('/').unwrap();
        let Some(name) = file.strip_suffix(".yaml") else {
            tree.texts.insert((*path).to_owned(), source);
            continue;
        };
        let before = diagnostics.len();
        let raw = yaml::parse(source, text, &mut diagnostics).map(|root| decode(root, &mut diagnostics));
        let damaged = diagnostics.len() > before;
        let layer = Layer { name: name.to_owned(), source, raw: raw.unwrap_or_default(), damaged };
        match folder {
            "profiles" => drop(tree.shared.classes.insert(name.to_owned(), layer)),
            _ => tree.hosts.push(layer),
        }
    }
    Tree { sources, diagnostics, ..tree }
}

fn messages(files: &[(&str, &str)]) -> Vec<String> {
    resolve(&tree(files)).diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect()
}

fn host(files: &[(&str, &str)]) -> Host {
    let mut resolved = resolve(&tree(files));
    assert_eq!(resolved.diagnostics, []);
    resolved.hosts.remove(0)
}

const WHOLE: &str = "image: i@1\nmatch: { serial: CZ1 }\nstorage: { target: { serial: D1 } }\n";

fn whole(name: &str, rest: &str) -> String {
    format!("name: {name}\n{WHOLE}{rest}")
}

#[test]
fn classes_stack_in_order_and_below_those_that_name_them() {
    let host = host(&[
        ("profiles/low.yaml", "packages: [low]\nlocale: { lang: low, keyboard: low, timezone: low }\n"),
        ("profiles/mid.yaml", "classes: [low]\npackages: [mid]\nlocale: { lang: mid, keyboard: mid }\n"),
        ("hosts/a.yaml", &whole("a", "classes: [mid, low]\npackages: [top]\nlocale: { lang: top }\n")),
    ]);
    assert_eq!(host.packages, ["low", "mid", "top"].map(|name| name.parse().unwrap()));
    let Locale { lang, keyboard, timezone, .. } = &host.locale;
    assert_eq!([lang, keyboard, timezone], ["top", "mid", "low"]);
}

#[test]
fn replace_forgets_what_classes_gave() {
    let host = host(&[
        ("profiles/low.yaml", "packages: [low]\nstorage: { wipe: foreign }\n"),
        (
            "hosts/a.yaml",
            "name: a\nimage: i@1\nmatch: { serial: CZ1 }\nclasses: [low]\npackages: !replace [top]\n\
             storage: !replace { target: { serial: D1 } }\n",
        ),
    ]);
    assert_eq!(host.packages, ["top".parse().unwrap()]);
    assert_eq!(host.wipe, crate::spec::order::WipePolicy::Ours);
}

#[test]
fn foreign_data_is_given_up_on_a_named_disk_or_by_a_word_of_its_own() {
    let found = |storage: &str| {
        let yaml = format!("name: a\nimage: i@1\nmatch: {{ serial: CZ1 }}\nstorage: {{ {storage} }}\n");
        messages(&[("hosts/a.yaml", &yaml)])
    };
    for target in ["min_size: 100G", "model: \"Samsung*\"", "min_size: 1G, max_size: 2T"] {
        let wrong = found(&format!("target: {{ {target} }}, wipe: foreign"));
        assert!(wrong.len() == 1 && wrong[0].contains("`wipe: foreign`"), "{target}: {wrong:?}");
        assert_eq!(found(&format!("target: {{ {target} }}, wipe: any-match")), [""; 0]);
        assert_eq!(found(&format!("target: {{ {target} }}")), [""; 0]);
    }
    for target in ["serial: S1", "wwn: \"0x5000c500a1b2c3d4\", min_size: 1G"] {
        assert_eq!(found(&format!("target: {{ {target} }}, wipe: foreign")), [""; 0]);
        assert_eq!(found(&format!("target: {{ {target} }}, wipe: any-match")), [""; 0]);
    }
    // the serial number may stand in what couldn't be read
    let found = found("target: { min_size: 1G, seriall: S1 }, wipe: foreign");
    assert!(found.len() == 1 && found[0].contains("seriall"), "{found:?}");
}

#[test]
fn what_is_not_said_has_safe_defaults() {
    let host = host(&[("hosts/a.yaml", &whole("a", ""))]);
    assert_eq!((host.confirm_seconds, host.wipe), (10, crate::spec::order::WipePolicy::Ours));
    assert_eq!((host.installer, host.handoff), (Installer::Native, Handoff::none()));
    assert!(host.network.interfaces.is_empty() && host.users.is_empty() && host.root.password.is_none());
}

#[test]
fn what_may_stand_in_a_damaged_part_is_not_missed() {
    let found = messages(&[("hosts/a.yaml", "name: a\nimage: i@1\nmatch: { serial: None }\nstoragee: {}\n")]);
    assert_eq!(found.len(), 2, "{found:?}");
    let found = messages(&[("hosts/a.yaml", "name: a\n")]);
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn one_mistake_in_a_class_of_many_hosts_is_one_mistake() {
    let files = [
        ("profiles/low.yaml", "locale: { timezone: a b }\n".to_owned()),
        ("hosts/a.yaml", whole("a", "classes: [low]\n").replace("CZ1", "CZ2")),
        ("hosts/b.yaml", whole("b", "classes: [low]\n")),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let tree = tree(&files);
    let resolved = resolve(&tree);
    let report = crate::profile::diag::Report::new(tree.sources, resolved.diagnostics);
    assert_eq!(report.diagnostics().len(), 1);
    assert!(resolved.hosts.is_empty());
}

fn duplicate_matches(a: &str, b: &str) -> usize {
    let text = |name: &str, matching: &str| {
        format!(
            "name: {name}\nimage: i@1\nmatch: {{ {matching} }}\nstorage: {{ target: {{ serial: D1 }} }}\n"
        )
    };
    messages(&[("hosts/a.yaml", &text("a", a)), ("hosts/b.yaml", &text("b", b))]).len()
}

#[test]
fn hosts_match_one_machine_unless_a_key_keeps_them_apart_and_a_card_is_of_one() {
    let mac = "mac: [\"52:54:00:00:00:01\"]";
    assert_eq!(duplicate_matches(mac, mac), 1);
    assert_eq!(duplicate_matches(mac, "mac: [\"52:54:00:00:00:02\"]"), 0);
    assert_eq!(duplicate_matches("serial: CZ1", "serial: cz1"), 1);
    // apart, and yet one boot file would be for both
    assert_eq!(duplicate_matches(&format!("{mac}, serial: CZ1"), &format!("{mac}, serial: CZ2")), 1);
    assert_eq!(
        duplicate_matches("uuid: 8b3f12ac-7d01-4a7e-9f44-0c5b1f0a2d33, serial: CZ1", "serial: CZ2"),
        0
    );
    assert_eq!(duplicate_matches(&format!("{mac}, serial: CZ1"), mac), 1);
    assert_eq!(duplicate_matches(&format!("{mac}, model: R650"), &format!("{mac}, model: R750")), 1);
    assert_eq!(duplicate_matches(&format!("{mac}, model: \"R*\""), &format!("{mac}, model: R750")), 1);
    assert_eq!(duplicate_matches(&format!("{mac}, model: \"R6*\""), &format!("{mac}, model: R750")), 1);
    assert_eq!(duplicate_matches("serial: CZ3, model: \"R6*\"", "serial: CZ3, model: R750"), 0);
    assert_eq!(duplicate_matches("serial: CZ3, model: \"R*\"", "serial: CZ3, model: R750"), 1);
}

#[test]
fn one_mac_address_is_told_once_wherever_it_stands() {
    let card = "network: { interfaces: [{ match: { mac: \"52:54:00:00:00:01\" }, ipv4: dhcp }] }\n";
    let matched = |name: &str, serial: &str, rest: &str| {
        format!(
            "name: {name}\nimage: i@1\nmatch: {{ mac: [\"52:54:00:00:00:01\"]{serial} }}\nstorage: {{ target: {{ serial: {name} }} }}\n{rest}"
        )
    };
    let other = format!(
        "name: b\nimage: i@1\nmatch: {{ serial: CZ2 }}\nstorage: {{ target: {{ serial: b }} }}\n{card}"
    );
    let found =
        |b: &str| messages(&[("hosts/a.yaml", &matched("a", ", serial: CZ1", card)), ("hosts/b.yaml", b)]);
    let both = ["`a` and `b` both have the MAC address 52:54:00:00:00:01"];
    assert_eq!(found(&other), both);
    assert_eq!(found(&matched("b", ", serial: CZ2", card)), both);
    let one = found(&matched("b", "", card));
    assert!(one.len() == 1 && one[0].starts_with("one machine could be `a` and `b`"), "{one:?}");
}

fn of_user_data(files: &[(&str, &str)], waive: &str) -> (Vec<Diagnostic>, usize) {
    let mut tree = tree(files);
    let text = format!("name: test\nwaive: {waive}\n");
    let source = tree.sources.add("site.yaml", text.as_str());
    let mut diagnostics = Vec::new();
    tree.shared.site = decode(yaml::parse(source, &text, &mut diagnostics).unwrap(), &mut diagnostics);
    assert_eq!(diagnostics, []);
    let mut resolved = resolve(&tree);
    assert_eq!(resolved.diagnostics, []);
    resolved.warnings.retain(|warning| warning.rule != Some(&rule::NO_LOGIN));
    (resolved.warnings, resolved.waived.len())
}

#[test]
fn what_is_found_in_user_data_is_told_once_of_all_its_hosts_and_can_be_waived() {
    let host = |name: &str, serial: &str| {
        format!(
            "name: {name}\nimage: i@1\nmatch: {{ serial: {serial} }}\nstorage: {{ target: {{ serial: {serial} }} }}\nhandoff: {{ cloud_init: {{ user_data: files/u }} }}\n"
        )
    };
    let (a, b) = (host("a", "CZ1"), host("b", "CZ2"));
    let text = "#cloud-config\npackages: [vim, {snap: [x]}]\n";
    let files = [("hosts/a.yaml", a.as_str()), ("hosts/b.yaml", &b), ("files/u", text)];
    let (found, _) = of_user_data(&files, "[]");
    let mut rules: Vec<_> =
        found.iter().map(|finding| (finding.under.unwrap(), finding.hosts.len())).collect();
    rules.sort();
    assert_eq!(rules, [(&rule::USER_DATA, 2), (&rule::USER_DATA_VERSION, 2)], "{found:?}");
    let (found, waived) = of_user_data(&files, "[{ rule: user-data, host: b, reason: why }]");
    assert_eq!(waived, 1);
    assert!(found.iter().any(|finding| finding.is_of(&rule::USER_DATA) && finding.hosts == ["a"]));
    let both = "[{ rule: user-data, reason: why }, { rule: user-data-version, reason: why }]";
    assert_eq!(of_user_data(&files, both), (Vec::new(), 4));
    // by the finding's own id
    let (found, waived) = of_user_data(&files, "[{ rule: cloud-config-installed-host, reason: why }]");
    assert_eq!((found.len(), waived), (1, 2), "{found:?}");
    // an error too, of the host that is meant only
    let files = [("hosts/a.yaml", a.as_str()), ("files/u", "#cloud-config\nruncmd: []\n")];
    assert_eq!(of_user_data(&files, "[{ rule: cloud-config-items, host: a, reason: why }]"), (Vec::new(), 1));
}

#[test]
fn user_data_is_held_against_the_cloud_init_of_the_release() {
    let host = |os: &str| {
        format!(
            "name: a\ninstaller: debian-installer\nos: {os}\nmatch: {{ serial: CZ1 }}\nstorage: {{ target: {{ serial: D1 }} }}\nmirror: http://m.example/debian\nhandoff: {{ cloud_init: {{ user_data: files/u }} }}\n"
        )
    };
    let text = "#cloud-config\npackages: [{snap: [x]}]\n";
    let found = |os: &str| messages(&[("hosts/a.yaml", &host(os)), ("files/u", text)]);
    assert_eq!(found("debian-12"), ["user-data: `packages`, item 1 is a map, expected a list or a text"]);
    assert_eq!(found("debian-13"), Vec::<String>::new());
}

#[test]
fn templates_see_variables_of_site_class_and_host() {
    let host = host(&[
        ("profiles/low.yaml", "vars: { role: low, zone: z1 }\n"),
        ("files/u.j2", "#cloud-config\n# {{ host.short }} {{ role }} {{ zone }}\n"),
        (
            "hosts/a.example.com.yaml",
            &whole(
                "a.example.com",
                "classes: [low]\nvars: { role: web }\nhandoff: { cloud_init: { user_data: files/u.j2 } }\n",
            ),
        ),
    ]);
    let user_data = "#cloud-config\n# a web z1\n".to_owned();
    assert_eq!(host.handoff, Handoff::to(CloudInit { user_data }));
}

#[test]
fn files_that_are_no_templates_keep_their_braces() {
    let script = "#!/bin/sh\ndocker inspect -f '{{ .Id }}' ${#x}\n";
    let host =
        host(&[("scripts/s", script), ("hosts/a.yaml", &whole("a", "handoff: { script: scripts/s }\n"))]);
    assert_eq!(host.handoff, Handoff::to(Script { content: script.to_owned() }));
}

#[test]
fn an_undefined_variable_in_the_profile_is_found_in_its_line() {
    let text = whole(
        "a",
        "handoff:\n  cloud_init:\n    user_data: |\n      #cloud-config\n      # {{ host.name }}\n      a: {{ roles }}\nvars: { role: x }\n",
    );
    let resolved = resolve(&tree(&[("hosts/a.yaml", &text)]));
    let diagnostic = &resolved.diagnostics[0];
    assert_eq!(&text[diagnostic.span.start as usize..diagnostic.span.end as usize], "roles");
    assert_eq!(diagnostic.help.as_deref(), Some("did you mean `role`?"));
}

#[test]
fn an_address_fits_its_network() {
    let network = |ipv4: &str| {
        let text = whole(
            "a",
            &format!(
                "network: {{ interfaces: [{{ match: {{ mac: \"52:54:00:00:00:01\" }}, ipv4: {ipv4} }}] }}\n"
            ),
        );
        messages(&[("hosts/a.yaml", &text)])
    };
    assert_eq!(network("{ address: 10.0.0.11/24, gateway: 10.0.0.1 }"), Vec::<String>::new());
    for bad in [
        "{ address: 10.0.0.11/24, gateway: 10.0.1.1 }",
        "{ address: 10.0.0.11/24, gateway: 10.0.0.11 }",
        "{ address: 10.0.0.11 }",
        "{ address: 10.0.0.0/24 }",
        "{ address: 10.0.0.255/24 }",
        "{ address: 127.0.0.1/8 }",
        "{ gateway: 10.0.0.1 }",
    ] {
        assert_eq!(network(bad).len(), 1, "{bad}");
    }
    let host = host(&[(
        "hosts/a.yaml",
        &whole("a", "network: { interfaces: [{ match: { mac: \"52:54:00:00:00:01\" } }] }\n"),
    )]);
    assert_eq!(host.network.interfaces[0].link.ipv4, Ipv4::Dhcp);
}
