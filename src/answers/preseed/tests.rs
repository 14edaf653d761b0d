//! What only preseed can get wrong; whole sites, and d-i's own reading of recipes, are in `tests/answers`.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use proptest::prelude::*;

use crate::answers::{Answers, Seed, Templates, render};
use crate::grammar::preseed::parse;
use crate::grammar::words::words;
use crate::host::{
    Content, FileSystem, Fixed, Host, Installer, Interface, Ipv4, Ipv6, Layout, Link, LogicalVolume, Mount,
    Network, Os, Partition, Repository, Role, Script, Scripted, Size, VolumeGroup, testing,
};
use crate::value::ByteSize;

const GIB: u64 = 1 << 30;

fn exact(gib: u64) -> Size {
    Size::Exact(ByteSize::bytes(gib * GIB))
}

fn growing(gib: u64, max: Option<u64>) -> Size {
    Size::Growing { min: ByteSize::bytes(gib * GIB), max: max.map(|max| ByteSize::bytes(max * GIB)) }
}

fn partition(id: &str, role: Role, size: Size) -> Partition {
    Partition { id: id.parse().unwrap(), disk: crate::host::TARGET.parse().unwrap(), role, size }
}

fn files(on: &str, system: FileSystem, path: &str) -> Mount {
    let what = Content::Files(system, path.parse().unwrap());
    Mount { on: on.parse().unwrap(), what, options: Vec::new(), label: None }
}

fn volume(id: &str, size: Size) -> LogicalVolume {
    LogicalVolume { id: id.parse().unwrap(), group: "vg0".parse().unwrap(), pool: None, size }
}

/// ESP, and a group on the rest with these volumes; the first one holds `/`.
fn grouped(volumes: Vec<LogicalVolume>) -> Layout {
    let group = VolumeGroup { id: "vg0".parse().unwrap(), members: vec!["pv".parse().unwrap()] };
    let mounts = volumes.iter().enumerate().map(|(number, volume)| {
        let path = if number == 0 { "/".to_owned() } else { format!("/srv/{number}") };
        files(volume.id.as_str(), FileSystem::Ext4, &path)
    });
    Layout {
        partitions: vec![
            partition("esp", Role::Esp, exact(1)),
            partition("pv", Role::Data, growing(20, None)),
        ],
        volume_groups: vec![group],
        mounts: mounts.collect(),
        logical_volumes: volumes,
        ..Layout::default()
    }
}

fn host() -> Host {
    let fixed = Fixed {
        address: "10.0.0.11/24".parse().unwrap(),
        more: Vec::new(),
        gateway: Some("10.0.0.1".parse().unwrap()),
    };
    let link = Link { ipv4: Ipv4::Static(fixed), ..Link::default() };
    Host {
        installer: Installer::DebianInstaller,
        os: Some(Os::Debian13),
        network: Network {
            interfaces: vec![Interface { id: None, mac: "52:54:00:12:34:56".parse().unwrap(), link }],
            dns: vec!["10.0.0.2".parse().unwrap()],
            ..Network::default()
        },
        mirror: Some("http://mirror.example/debian".parse().unwrap()),
        ..testing::host()
    }
}

fn try_rendered(host: &Host) -> Result<Answers, String> {
    let site = testing::site();
    let templates = Templates::new(|_| Ok(None)).unwrap();
    render(
        host.os.unwrap(),
        &site,
        host,
        &crate::spec::lock::LockFile::default(),
        &Seed::default(),
        &templates,
    )
    .map_err(|error| format!("{error:#}"))
}

/// The value of a question.
fn value(host: &Host, key: &str) -> String {
    let text = try_rendered(host).unwrap().text;
    let document = parse(&text);
    let found = document.last(key).map(|answer| answer.value.clone());
    found.unwrap_or_else(|| panic!("{key} is missing in\n{text}"))
}

fn with_layout(layout: Layout) -> Host {
    Host { layout: Some(layout), ..host() }
}

/// What is said about a layout that partman would make something else of.
fn refusal(layout: Layout) -> String {
    try_rendered(&with_layout(layout)).unwrap_err()
}

#[test]
fn each_release_has_its_suite() {
    assert_eq!(value(&host(), "mirror/suite"), "trixie");
    assert_eq!(value(&Host { os: Some(Os::Debian12), ..host() }, "mirror/suite"), "bookworm");
}

#[test]
fn d_i_is_told_language_country_and_locale_so_that_it_asks_for_none() {
    for (lang, country) in [("de_AT.UTF-8", "AT"), ("sr_RS@latin", "RS"), ("C.UTF-8", "US"), ("eo", "US")] {
        let mut host = host();
        host.locale.lang = lang.to_owned();
        assert_eq!(value(&host, "debian-installer/language"), "en");
        assert_eq!(value(&host, "debian-installer/country"), country);
        assert_eq!(value(&host, "debian-installer/locale"), lang);
    }
}

#[test]
fn sizes_are_whole_megabytes_and_exact_ones_stay_exact() {
    let layout = Layout {
        partitions: vec![
            partition("esp", Role::Esp, exact(1)),
            partition("swap", Role::Data, growing(1, Some(2))),
            partition("root", Role::Data, growing(8, None)),
        ],
        mounts: vec![
            Mount { what: Content::Swap, ..files("swap", FileSystem::Ext4, "/") },
            Mount {
                options: vec!["noatime".parse().unwrap()],
                label: Some("ROOT".parse().unwrap()),
                ..files("root", FileSystem::Xfs, "/")
            },
        ],
        ..Layout::default()
    };
    assert_eq!(
        value(&with_layout(layout), "partman-auto/expert_recipe")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        "ironstrap :: 1074 1074 1074 fat32 method{ efi } format{ } . \
         1074 2074 2148 linux-swap method{ swap } format{ } . \
         8590 9590 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ xfs } mountpoint{ / } \
         label{ ROOT } options/noatime{ noatime } ."
    );
}

#[test]
fn volumes_without_growth_leave_the_rest_of_their_group_free() {
    let host = with_layout(grouped(vec![volume("root", exact(8)), volume("data", exact(4))]));
    assert_eq!(value(&host, "partman-auto/method"), "lvm");
    assert_eq!(value(&host, "partman-auto-lvm/new_vg_name"), "vg0");
    assert_eq!(value(&host, "partman-auto-lvm/guided_size"), "12885 MB");
}

#[test]
fn the_volume_that_grows_is_the_last_one_of_the_recipe() {
    let host = with_layout(grouped(vec![volume("root", growing(8, None)), volume("data", exact(4))]));
    assert_eq!(value(&host, "partman-auto-lvm/guided_size"), "max");
    let recipe = value(&host, "partman-auto/expert_recipe");
    assert!(recipe.find("lv_name{ data }").unwrap() < recipe.find("lv_name{ root }").unwrap(), "{recipe}");
    assert!(recipe.contains("method{ lvm } vg_name{ vg0 } ."), "{recipe}");
}

#[test]
fn layouts_that_partman_would_change_are_refused() {
    let plain = |partitions: Vec<Partition>| Layout {
        mounts: vec![files("root", FileSystem::Ext4, "/")],
        partitions,
        ..Layout::default()
    };
    let (esp, root) = (|| partition("esp", Role::Esp, exact(1)), |size| partition("root", Role::Data, size));
    let said = refusal(plain(vec![esp(), root(exact(8))]));
    assert!(said.contains("storage.partitions[root]: debian-13 gives the last partition all"), "{said}");
    let said = refusal(plain(vec![root(growing(8, None)), esp()]));
    assert!(said.contains("storage.partitions[esp]: debian-13 gives the last partition all"), "{said}");
    let said = refusal(grouped(vec![volume("root", growing(8, Some(9)))]));
    assert!(said.contains("storage.logical_volumes[root].max: "), "{said}");
    let said = refusal(grouped(Vec::new()));
    assert!(said.contains("storage.volume_groups[vg0]: debian-13 makes no group without a volume"), "{said}");

    let mut layout = grouped(vec![volume("root", exact(8))]);
    layout.partitions.swap(0, 1);
    assert!(
        refusal(layout)
            .contains("storage.partitions[pv]: debian-13 makes the partition of the volume group last")
    );
    let mut layout = grouped(vec![volume("root", exact(8))]);
    layout.partitions.insert(1, partition("more", Role::Data, growing(1, Some(5))));
    assert!(refusal(layout).contains("storage.partitions[more]: debian-13 would let it grow"));
    let mut layout = grouped(vec![volume("root", exact(8))]);
    layout.partitions.insert(1, partition("pv2", Role::Data, exact(5)));
    layout.volume_groups[0].members.push("pv2".parse().unwrap());
    assert!(refusal(layout).contains("storage.volume_groups[vg0].members: debian-13 takes one partition"));
    let mut layout = grouped(vec![volume("root", exact(8))]);
    layout.volume_groups.push(VolumeGroup { id: "vg1".parse().unwrap(), members: Vec::new() });
    assert!(refusal(layout).contains("storage.volume_groups[vg1]: debian-13 makes one volume group"));
}

#[test]
fn file_systems_that_partman_would_make_otherwise_are_refused() {
    let with = |mount: Mount| {
        let mut layout = grouped(vec![volume("root", growing(8, None))]);
        layout.mounts = vec![mount];
        refusal(layout)
    };
    assert!(with(files("root", FileSystem::Btrfs, "/")).contains("into a subvolume of its own"));
    let swap = Mount {
        what: Content::Swap,
        options: vec!["discard".parse().unwrap()],
        label: Some("SWAP".parse().unwrap()),
        ..files("root", FileSystem::Ext4, "/")
    };
    let said = with(swap);
    assert!(
        said.contains("storage.mounts.options[root]") && said.contains("storage.mounts.label[root]"),
        "{said}"
    );
    let slash = Mount { options: vec!["x=/a".parse().unwrap()], ..files("root", FileSystem::Ext4, "/") };
    assert!(with(slash).contains("can't carry the slash in `x=/a`"));
    let label = Some("TWELVECHARS1".parse().unwrap());
    assert!(
        with(Mount { label, ..files("root", FileSystem::Vfat, "/srv") }).contains("more than 11 characters")
    );
}

#[test]
fn the_command_line_stays_within_what_the_kernel_takes() {
    let with = |args: &[&str]| {
        let kernel_args = args.iter().map(|arg| arg.parse().unwrap()).collect();
        try_rendered(&Host { kernel_args, ..host() })
    };
    let args = with(&["quiet", "console=ttyS0"]).unwrap().kernel_args;
    assert!(args.len() <= 32 && args.iter().all(|arg| !arg.contains([' ', '\n', '"'])), "{args:?}");
    assert_eq!(args[args.len() - 2..], ["quiet", "console=ttyS0"]);
    let many: Vec<_> = (0..20).map(|number| format!("option{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(with(&many).unwrap_err().contains("would get 33 arguments, of which the kernel takes 32"));
    let long = format!("a={}", "x".repeat(500));
    assert!(
        with(&[&long, &format!("b{long}"), &format!("c{long}"), &format!("d{long}")])
            .unwrap_err()
            .contains("a command line of")
    );
    for answer in ["url=http://elsewhere.example", "netcfg/get_hostname=x", "locale=C"] {
        assert!(with(&[answer]).unwrap_err().contains("as an answer of its own"), "{answer}");
    }
}

#[test]
fn scripts_that_d_i_can_not_run_are_refused() {
    let script = |content: &str| Script { name: "scripts/a.sh".to_owned(), content: content.to_owned() };
    let mut host = host();
    host.scripts.pre = vec![script("#!/bin/sh -e\ntrue\n")];
    host.scripts.post = vec![script("#!/usr/bin/python3\n")];
    assert!(try_rendered(&host).is_ok());
    host.scripts.pre = vec![script("#!/bin/bash\ntrue\n")];
    host.scripts.post_outside = vec![script("#!/bin/sh\n#"), script("#!/bin/shell\n")];
    let said = try_rendered(&host).unwrap_err();
    assert!(said.contains("scripts.pre[scripts/a.sh]: debian-13 can't run `#!/bin/bash`"), "{said}");
    assert!(
        said.contains("scripts.post_outside[scripts/a.sh]: debian-13 can't run `#!/bin/shell`"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn scripts_beyond_what_one_command_can_carry_are_refused() {
    let mut long = host();
    let content = format!("#!/bin/sh\n#{}\n", "x".repeat(90_000));
    long.scripts.pre = vec![Script { name: "a".to_owned(), content: content.clone() }];
    assert!(try_rendered(&long).unwrap_err().contains("bytes of scripts at most"));
    let mut long = host();
    long.scripts.first_boot = vec![Script { name: "a".to_owned(), content }];
    assert!(try_rendered(&long).unwrap_err().contains("bytes in `preseed/late_command`"));
}

#[test]
fn repositories_are_lines_of_sources_list() {
    let repository = |suite: Option<&str>, components: &[&str]| Repository {
        id: "tools".parse().unwrap(),
        url: "http://mirror.example/tools".parse().unwrap(),
        suite: suite.map(str::to_owned),
        components: components.iter().map(|text| (*text).to_owned()).collect(),
        key: Some("http://mirror.example/tools.asc".parse().unwrap()),
    };
    let repositories =
        vec![repository(None, &[]), repository(Some("stable"), &["a", "b"]), repository(Some("./"), &[])];
    let host = Host { repositories, ..host() };
    assert_eq!(value(&host, "apt-setup/local0/repository"), "http://mirror.example/tools trixie main");
    assert_eq!(value(&host, "apt-setup/local1/repository"), "http://mirror.example/tools stable a b");
    assert_eq!(value(&host, "apt-setup/local2/repository"), "http://mirror.example/tools ./");
    assert_eq!(value(&host, "apt-setup/local0/key"), "http://mirror.example/tools.asc");
}

#[test]
fn what_netcfg_does_not_know_becomes_stanzas() {
    let mut host = host();
    host.scripted = Scripted::Allowed;
    let first = &mut host.network.interfaces[0].link;
    first.mtu = Some("9000".parse().unwrap());
    first.ipv6 = Some(Ipv6::Auto);
    let second = Link { ipv4: Ipv4::Dhcp, ipv6: Some(Ipv6::None), ..Link::default() };
    let mac = "52:54:00:12:34:57".parse().unwrap();
    host.network.interfaces.push(Interface { id: None, mac, link: second });
    let cards = super::ifupdown::cards(&host);
    let heads =
        |number: usize| cards[number].stanzas.iter().map(|stanza| stanza.head.as_str()).collect::<Vec<_>>();
    assert_eq!((heads(0), cards[0].further), (vec!["inet6 auto", "inet manual"], false));
    assert_eq!(cards[0].stanzas[1].lines, ["up ip link set dev $IFACE mtu 9000"]);
    assert_eq!((heads(1), cards[1].further), (vec!["inet dhcp", "inet manual"], true));
}

#[test]
fn a_fixed_address_needs_a_name_server_and_a_known_keymap() {
    let mut host = host();
    host.network.dns.clear();
    host.locale.keyboard = "de-latin1".to_owned();
    host.packages = vec!["@core".parse().unwrap()];
    let said = try_rendered(&host).unwrap_err();
    for part in [
        "network.dns: debian-13 asks for a name server",
        "locale.keyboard: debian-13 has no keymap `de-latin1`",
        "packages: debian-13 has no package that could be called `@core`",
    ] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let parts = [
        "'",
        "\"",
        "$(reboot)",
        "`x`",
        "{{ host }}",
        "{% x %}",
        ";",
        "\\",
        "\\\\",
        "#",
        " ",
        "d-i x/y string",
        "é",
    ];
    proptest::collection::vec(proptest::sample::select(parts.to_vec()), 1..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn hostile_scripts_change_no_question_and_arrive_as_they_are(name in hostile(), content in hostile()) {
        let mut host = host();
        let keys = |host: &Host| {
            let text = try_rendered(host).unwrap().text;
            parse(&text).answers().map(|answer| answer.key.clone()).collect::<Vec<_>>()
        };
        let before = keys(&host);
        let content = format!("#!/bin/sh\n{content}\nd-i partman-auto/disk string /dev/sda\n");
        host.scripts.pre = vec![Script { name: name.clone(), content: content.clone() }];
        host.scripts.post_outside = host.scripts.pre.clone();
        prop_assert_eq!(keys(&host), before);
        for (key, said) in [
            ("partman/early_command", format!("failed=scripts.pre {name} failed, see /var/log/syslog;")),
            ("preseed/late_command", format!("scripts.post_outside {name}, see ")),
        ] {
            let command = value(&host, key);
            let words = words(&command).unwrap();
            prop_assert!(words.iter().any(|word| word.starts_with(&said)), "{}", command);
            let carried = BASE64.encode(&content);
            prop_assert!(words.contains(&carried), "{}", command);
        }
    }
}
