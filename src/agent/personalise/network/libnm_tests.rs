//! What NetworkManager's own library makes of our keyfiles, and NetworkManager itself of our configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::spec::system::Interface;

/// Reads each keyfile as the daemon's plugin does, and prints what came of it: what the connection is, or what was said against it.
const READ: &str = r#"
import json, sys, gi
gi.require_version('NM', '1.0')
from gi.repository import NM, GLib
told = []
def handler(file, connection, kind, data, *more):
    if kind == NM.KeyfileHandlerType.WARN:
        told.append(NM.KeyfileHandlerData.warn_get(data)[0])
    return True
for path in sys.argv[1:]:
    told.clear()
    file = GLib.KeyFile()
    try:
        file.load_from_file(path, GLib.KeyFileFlags.NONE)
        read = NM.keyfile_read(file, '/', NM.KeyfileHandlerFlags.NONE, handler, None)
        read.normalize(None)
        read.verify()
    except GLib.Error as error:
        told.append(error.message)
        print(json.dumps({'told': told}))
        continue
    v4, v6, ethernet = read.get_setting_ip4_config(), read.get_setting_ip6_config(), read.get_setting_wired()
    addresses = [v4.get_address(at) for at in range(v4.get_num_addresses())]
    print(json.dumps({
        'told': told,
        'type': read.get_connection_type(),
        'several': read.get_setting_connection().get_multi_connect(),
        'mac': ethernet.get_mac_address(),
        'methods': [v4.get_method(), v6.get_method()],
        'client': v4.get_dhcp_client_id(),
        'addresses': [f'{it.get_address()}/{it.get_prefix()}' for it in addresses],
        'gateway': v4.get_gateway(),
        'dns': [ip.get_dns(at) for ip in (v4, v6) for at in range(ip.get_num_dns())],
        'search': [v4.get_dns_search(at) for at in range(v4.get_num_dns_searches())],
    }))
"#;

fn unpacked() -> Option<PathBuf> {
    let script = "tests/install-deps.sh unpacks network-manager and its library";
    crate::expect::built("IRONSTRAP_NETWORK_MANAGER", "unpacked-nm", script)
}

fn libraries(unpacked: &Path, program: &mut Command) {
    let libraries = unpacked.join("usr/lib/x86_64-linux-gnu");
    program.env("GI_TYPELIB_PATH", libraries.join("girepository-1.0")).env("LD_LIBRARY_PATH", libraries);
    program.env("PYTHONPATH", unpacked.join("usr/lib/python3/dist-packages"));
}

/// What the library says of each text.
fn read(unpacked: &Path, texts: &[&str]) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let mut python = Command::new("/usr/bin/python3");
    libraries(unpacked, &mut python);
    python.args(["-c", READ]);
    for (at, text) in texts.iter().enumerate() {
        let path = dir.path().join(at.to_string());
        std::fs::write(&path, text).unwrap();
        python.arg(path);
    }
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn keyfiles(network: &NetworkSpec) -> Vec<ConfigFile> {
    network_manager::files(network).into_iter().filter(|file| file.path.ends_with(".nmconnection")).collect()
}

/// What should have been understood of an interface; of none, where each link asks by DHCP.
fn expected(interface: Option<&Interface>, network: &NetworkSpec) -> Value {
    let (method, client, addresses, gateway) = match interface.map(|interface| &interface.ipv4) {
        None | Some(Ipv4::Dhcp) => ("auto", Some("mac"), Vec::new(), None),
        Some(Ipv4::Static { address, gateway }) => {
            ("manual", None, vec![address.to_string()], gateway.map(|gateway| gateway.to_string()))
        }
    };
    let (v4, v6): (Vec<_>, Vec<_>) = network.dns.iter().partition(|server| server.is_ipv4());
    json!({
        "told": [],
        "type": "802-3-ethernet",
        "several": if interface.is_none() { 3 } else { 0 },
        "mac": interface.map(|interface| interface.mac.to_string().to_uppercase()),
        "methods": [method, "auto"],
        "client": client,
        "addresses": addresses,
        "gateway": gateway,
        "dns": v4.into_iter().chain(v6).map(ToString::to_string).collect::<Vec<_>>(),
        "search": network.search.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn interface() -> impl Strategy<Value = Interface> {
    let ipv4 = prop_oneof![
        Just(Ipv4::Dhcp),
        (1_u32..0xdfff_ffff, 8_u8..=30, any::<bool>()).prop_map(|(bits, prefix, routed)| {
            let address = ipnet::Ipv4Net::new(bits.into(), prefix).unwrap();
            Ipv4::Static { address, gateway: routed.then(|| address.hosts().next().unwrap()) }
        }),
    ];
    (any::<[u8; 5]>(), ipv4).prop_map(|(mac, ipv4)| {
        let mac: Vec<_> = std::iter::once(0x52).chain(mac).map(|byte| format!("{byte:02x}")).collect();
        Interface { mac: mac.join(":").parse().unwrap(), ipv4 }
    })
}

fn network() -> impl Strategy<Value = NetworkSpec> {
    let server = prop::sample::select(vec!["10.0.0.53", "192.0.2.1", "2001:db8::53", "fd00::1"]);
    let domain = prop::sample::select(vec!["example.com", "lab.example.com", "corp"]);
    let unique = |list: Vec<&str>| -> Vec<String> {
        list.into_iter().map(str::to_owned).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    };
    let lists = (prop::collection::vec(server, 0..4), prop::collection::vec(domain, 0..3));
    (prop::collection::vec(interface(), 0..6), lists).prop_map(move |(interfaces, (dns, search))| {
        NetworkSpec {
            interfaces,
            dns: unique(dns).iter().map(|server| server.parse().unwrap()).collect(),
            search: unique(search).iter().map(|domain| domain.parse().unwrap()).collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn network_manager_understands_each_keyfile_as_it_is_meant_and_says_nothing_against_it(network in network()) {
        let Some(unpacked) = unpacked() else { return Ok(()) };
        let files = keyfiles(&network);
        let wanted: Vec<_> = match network.interfaces.as_slice() {
            [] => vec![expected(None, &network)],
            interfaces => interfaces.iter().map(|interface| expected(Some(interface), &network)).collect(),
        };
        let texts: Vec<_> = files.iter().map(|file| file.text.as_str()).collect();
        prop_assert_eq!(read(&unpacked, &texts), wanted);
    }
}

#[test]
fn the_judge_tells_of_what_is_wrong() {
    let Some(unpacked) = unpacked() else { return };
    let good = "[connection]\nid=x\nuuid=23e0a3b7-5b3f-8d3e-9a8e-0f6f1a2b3c4d\ntype=ethernet\n[ipv4]\nmethod=manual\naddress1=10.0.0.1/24\n";
    let texts = [
        good.replace("/24", "/99"),
        good.replace("manual", "fixed"),
        good.replace("type=ethernet\n", ""),
        good.to_owned(),
    ];
    let told = read(&unpacked, &texts.each_ref().map(String::as_str));
    let silent = told.iter().map(|told| told["told"].as_array().unwrap().is_empty());
    assert_eq!(silent.collect::<Vec<_>>(), [false, false, false, true], "{told:?}");
}

#[test]
fn network_manager_leaves_alone_what_no_keyfile_names() {
    let Some(unpacked) = unpacked() else { return };
    let dir = tempfile::tempdir().unwrap();
    let files = network_manager::files(&NetworkSpec::default());
    let ours = files.iter().find(|file| file.path.starts_with("/etc/NetworkManager/conf.d/")).unwrap();
    for folder in ["conf.d", "system"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    std::fs::write(dir.path().join("NetworkManager.conf"), "[main]\nplugins=keyfile\n").unwrap();
    std::fs::write(dir.path().join("conf.d/99-ironstrap.conf"), &ours.text).unwrap();
    let mut program = Command::new(unpacked.join("usr/sbin/NetworkManager"));
    libraries(&unpacked, &mut program);
    for (option, place) in [
        ("--config", "NetworkManager.conf"),
        ("--config-dir", "conf.d"),
        ("--system-config-dir", "system"),
        ("--intern-config", "intern"),
    ] {
        program.arg(option).arg(dir.path().join(place));
    }
    let output = program.arg("--print-config").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("(etc: 99-ironstrap.conf)") && text.contains("\nno-auto-default=*\n"), "{text}");
}
