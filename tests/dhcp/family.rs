//! Every kind of set of hosts: its files are started, and each card asks, as UEFI's firmware does. One namespace for all, one start
//! of dnsmasq a file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;

use ironstrap::boot::dnsmasq::{DhcpHost, Role, config, shortcomings};
use ironstrap::spec::system::Ipv4;
use ironstrap::value::Mac;

use super::client::{Offer, Question, asked, strangers};
use super::{Cable, Card, host};

/// Names that are something else to dnsmasq; the first ones have addresses.
const WORDS: [&str; 8] = ["ignore", "infinite", "12h", "3s", "ignore.example", "1d", "7w", "net"];
const WORD_ADDRESSES: [&str; 4] = ["10.0.0.11/24", "10.0.0.12/24", "10.0.0.13/24", "10.0.0.14/24"];

/// A set of hosts, and the addresses of the machine that dnsmasq runs on.
struct Case {
    name: &'static str,
    server: &'static [&'static str],
    hosts: Vec<DhcpHost>,
    /// Some of these can't be served, which is told.
    falls_short: bool,
}

/// A made-up card.
pub fn mac(number: usize) -> String {
    format!("52:54:00:{:02x}:{:02x}:{:02x}", number >> 16 & 255, number >> 8 & 255, number & 255)
}

fn case(name: &'static str, hosts: Vec<DhcpHost>) -> Case {
    Case { name, server: &["10.0.0.2/24"], hosts, falls_short: false }
}

/// A host with one card; `ipv4` as in a profile.
fn one(name: &str, number: usize, ipv4: Option<(&str, Option<&str>)>) -> DhcpHost {
    host(name, &[], &[(&mac(number), ipv4)])
}

fn numbered(count: usize, ipv4: impl Fn(usize) -> Option<(String, Option<&'static str>)>) -> Vec<DhcpHost> {
    let host = |n: usize| {
        let ipv4 = ipv4(n);
        one(
            &format!("node{n:03}"),
            n + 1,
            ipv4.as_ref().map(|(address, gateway)| (address.as_str(), *gateway)),
        )
    };
    (0..count).map(host).collect()
}

fn fixed(n: usize, gateway: Option<&'static str>) -> Option<(String, Option<&'static str>)> {
    Some((format!("10.0.0.{}/24", n + 10), gateway))
}

fn cases() -> Vec<Case> {
    let (gateway, other) = (Some("10.0.0.1"), Some("10.0.0.254"));
    let spare = [mac(101), mac(102)];
    let spare: Vec<_> = spare.iter().map(String::as_str).collect();
    let (a, b, c) = (mac(1), mac(2), mac(3));
    let cards: &[Card<'_>] =
        &[(&a, Some(("10.0.0.11/24", gateway))), (&b, Some(("10.0.1.11/24", None))), (&c, None)];
    let nowhere = |mut host: DhcpHost| {
        host.server = None;
        host
    };
    vec![
        case("fixed, one gateway", numbered(3, |n| fixed(n, gateway))),
        case("fixed, no gateway", numbered(3, |n| fixed(n, None))),
        case("fixed, a gateway each", numbered(3, |n| fixed(n, [gateway, other, None][n]))),
        case("by DHCP only", numbered(5, |_| None)),
        case("mixed", numbered(6, |n| if n % 2 == 0 { fixed(n, gateway) } else { None })),
        case(
            "mixed, gateways that disagree",
            numbered(6, |n| if n < 4 { fixed(n, [gateway, other][n % 2]) } else { None }),
        ),
        case(
            "further cards of a fixed host",
            vec![host("web", &spare, &[(&a, Some(("10.0.0.11/24", gateway)))])],
        ),
        case(
            "further cards of a host by DHCP",
            vec![host("web", &spare, &[(&a, None)]), host("db", &[&b], &[])],
        ),
        Case {
            server: &["10.0.0.2/24", "10.0.1.2/24"],
            ..case(
                "several cards and networks",
                vec![host("web", &spare, cards), one("db", 9, Some(("10.0.1.12/24", None)))],
            )
        },
        Case {
            server: &["10.0.0.2/24", "172.16.0.2/16", "192.168.7.1/29"],
            ..case(
                "networks of all sizes",
                vec![
                    one("a", 1, Some(("10.0.0.11/24", gateway))),
                    one("b", 2, Some(("172.16.200.11/16", Some("172.16.0.1")))),
                    one("c", 3, Some(("192.168.7.5/29", None))),
                    one("d", 4, None),
                ],
            )
        },
        Case {
            server: &["10.0.0.2/29"],
            ..case(
                "a small network that is nearly full",
                vec![
                    one("a", 1, Some(("10.0.0.1/29", None))),
                    one("b", 2, Some(("10.0.0.3/29", Some("10.0.0.1")))),
                    one("c", 3, None),
                    one("d", 4, None),
                ],
            )
        },
        case(
            "names of several labels, one short name twice",
            vec![
                one("web.a.example", 1, Some(("10.0.0.11/24", gateway))),
                one("web.b.example", 2, Some(("10.0.0.12/24", gateway))),
                one("web.c.example", 3, None),
            ],
        ),
        case(
            "names that are words of dnsmasq",
            WORDS
                .iter()
                .zip(1..)
                .map(|(name, n)| one(name, n, WORD_ADDRESSES.get(n - 1).map(|address| (*address, gateway))))
                .collect(),
        ),
        Case {
            server: &["10.0.0.2/16"],
            ..case(
                "many",
                numbered(400, |n| {
                    (n % 3 != 0)
                        .then(|| (format!("10.0.{}.{}/16", n / 200, n % 200 + 10), [gateway, None][n % 2]))
                }),
            )
        },
        Case {
            falls_short: true,
            ..case("by DHCP, nobody knows where", numbered(2, |_| None).into_iter().map(nowhere).collect())
        },
        case(
            "fixed, a server by name",
            numbered(3, |n| fixed(n, gateway)).into_iter().map(nowhere).collect(),
        ),
        case(
            "mixed, a server by name",
            numbered(4, |n| if n < 2 { fixed(n, gateway) } else { None }).into_iter().map(nowhere).collect(),
        ),
        case("nobody", Vec::new()),
    ]
}

/// What each card shall get: its address and router, or any.
fn wanted(hosts: &[DhcpHost]) -> BTreeMap<Mac, Option<(Ipv4Addr, Option<Ipv4Addr>)>> {
    let mut wanted = BTreeMap::new();
    for host in hosts {
        let own: Vec<_> = host.network.interfaces.iter().map(|card| (card.mac, &card.ipv4)).collect();
        let fixed = |ipv4: &Ipv4| match ipv4 {
            Ipv4::Static { address, gateway } => Some((address.addr(), *gateway)),
            Ipv4::Dhcp => None,
        };
        let first = own.iter().find_map(|(_, ipv4)| fixed(ipv4));
        wanted.extend(host.matching.macs.iter().map(|mac| (*mac, first)));
        wanted.extend(own.iter().map(|(mac, ipv4)| (*mac, fixed(ipv4))));
    }
    wanted
}

#[test]
fn every_file_starts_dnsmasq_and_offers_each_card_its_address() {
    let Some(mut cable) = Cable::new("family", "10.0.0.2/24") else { return };
    let dir = tempfile::tempdir().unwrap();
    for case in cases() {
        cable.readdress(case.server);
        assert_eq!(shortcomings(&case.hosts).is_empty(), !case.falls_short, "{}", case.name);
        for role in Role::ALL {
            let text = config(role, &case.hosts).unwrap();
            cable.dnsmasq_at_once(&text, dir.path());
            let offers = ask_all(&cable, &case, dir.path());
            let judged = match role {
                Role::Server => judge_server(&case, &offers),
                Role::Proxy => judge_proxy(&case, &offers),
            };
            judged.unwrap_or_else(|why| panic!("{}, {role:?}: {why}\n{text}", case.name));
            for (question, offer) in strangers().iter().zip(&offers) {
                assert_eq!(*offer, None, "{}, {role:?}: {question:?} is no host's firmware", case.name);
            }
        }
    }
}

/// The offers to strangers, then to each card as x86-64 UEFI, then to each as a system that runs.
fn ask_all(cable: &Cable, case: &Case, dir: &Path) -> Vec<Option<Offer>> {
    let mut questions = strangers();
    let macs: Vec<_> = wanted(&case.hosts).into_keys().collect();
    questions.extend(
        macs.iter()
            .zip([7, 9].into_iter().cycle())
            .map(|(mac, arch)| Question { mac: *mac, arch: Some(arch) }),
    );
    questions.extend(macs.iter().map(|mac| Question { mac: *mac, arch: None }));
    asked(cable, &questions, dir)
}

type Judged = Result<(), String>;

/// Each card's address and router, and the file, for firmware; the addresses for a system that runs too.
fn judge_server(case: &Case, offers: &[Option<Offer>]) -> Judged {
    let wanted = wanted(&case.hosts);
    let taken: BTreeSet<_> = wanted.values().flatten().map(|(address, _)| *address).collect();
    let (firmware, system) = offers[strangers().len()..].split_at(wanted.len());
    let mut given = BTreeSet::new();
    for ((mac, fixed), offer) in wanted.iter().zip(firmware) {
        let Some(offer) = offer else {
            if case.falls_short { continue } else { return Err(format!("{mac} is offered nothing")) }
        };
        starts(mac, offer, case)?;
        match fixed {
            Some((address, router)) => {
                let routers: Vec<_> = router.iter().copied().collect();
                if (offer.address, &offer.routers) != (*address, &routers) {
                    return Err(format!("{mac} shall get {address}, {router:?}, and is offered {offer:?}"));
                }
            }
            None if taken.contains(&offer.address) || !given.insert(offer.address) => {
                return Err(format!("{mac} is offered another's address: {offer:?}"));
            }
            None => {}
        }
    }
    match system.iter().zip(firmware).find(|(system, firmware)| {
        system.as_ref().map(|offer| offer.address) != firmware.as_ref().map(|offer| offer.address)
    }) {
        Some(pair) => Err(format!("a system is offered another address than its firmware: {pair:?}")),
        None => Ok(()),
    }
}

/// Fixed addresses for firmware together with the file; the others by proxy; a system that runs is left to the other server.
fn judge_proxy(case: &Case, offers: &[Option<Offer>]) -> Judged {
    let wanted = wanted(&case.hosts);
    let (firmware, system) = offers[strangers().len()..].split_at(wanted.len());
    for ((mac, fixed), offer) in wanted.iter().zip(firmware) {
        let Some(offer) = offer else {
            if case.falls_short { continue } else { return Err(format!("{mac} is offered nothing")) }
        };
        match fixed {
            Some((address, _)) => {
                starts(mac, offer, case)?;
                if offer.address != *address
                    || !offer.vendor.as_deref().is_some_and(|vendor| vendor.starts_with(&[6, 1, 8]))
                    || !offer.is_pxe
                {
                    return Err(format!(
                        "{mac} shall get {address} and `use the file`, and is offered {offer:?}"
                    ));
                }
            }
            None if !offer.address.is_unspecified() || !offer.is_pxe => {
                return Err(format!("{mac} isn't answered by proxy: {offer:?}"));
            }
            None => {}
        }
    }
    match system.iter().flatten().next() {
        Some(offer) => Err(format!("a system that runs is answered: {offer:?}")),
        None => Ok(()),
    }
}

/// The file, from one of the server's addresses.
fn starts(mac: &Mac, offer: &Offer, case: &Case) -> Judged {
    let own = case.server.iter().any(|net| net.split('/').next().unwrap().parse() == Ok(offer.next_server));
    match own && offer.file.as_deref() == Some("bootx64.efi") {
        true => Ok(()),
        false => Err(format!("{mac} isn't told what to boot: {offer:?}")),
    }
}
