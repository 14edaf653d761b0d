//! A client that asks for many machines at once, as UEFI's firmware does or as a system that runs. It is this test's own program, started
//! again inside the client's namespace.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use dhcproto::v4::{Architecture, DhcpOption, Flags, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};
use ironstrap::sys::linux::net::broadcast_socket;
use ironstrap::value::Mac;
use serde::{Deserialize, Serialize};

use super::Cable;
use super::family::mac;

/// Where the client finds its questions; without it, the client's test does nothing.
const QUESTIONS: &str = "IRONSTRAP_DHCP_QUESTIONS";

/// Who asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Question {
    pub mac: Mac,
    /// Option 93; none for a system that runs.
    pub arch: Option<u16>,
}

/// What was offered, if anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub address: Ipv4Addr,
    pub next_server: Ipv4Addr,
    pub file: Option<String>,
    pub routers: Vec<Ipv4Addr>,
    pub vendor: Option<Vec<u8>>,
    pub is_pxe: bool,
}

/// Those who get nothing from any file; they are asked for first, and dnsmasq answers in order.
pub fn strangers() -> Vec<Question> {
    vec![
        Question { mac: mac(0xff_0001).parse().unwrap(), arch: Some(7) },
        Question { mac: mac(0xff_0002).parse().unwrap(), arch: None },
    ]
}

/// What each is offered, asked from the client's namespace.
pub fn asked(cable: &Cable, questions: &[Question], dir: &Path) -> Vec<Option<Offer>> {
    let (asked, answered) = (dir.join("questions"), dir.join("questions.answers"));
    std::fs::write(&asked, serde_json::to_vec(questions).unwrap()).unwrap();
    let _ = std::fs::remove_file(&answered);
    let mut client = cable.run_in('c');
    client.arg(std::env::current_exe().unwrap()).args([
        "--exact",
        "client::the_client_asks_its_questions",
        "--nocapture",
    ]);
    let output = client.env(QUESTIONS, &asked).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&std::fs::read(&answered).unwrap()).unwrap()
}

/// Runs inside the client's namespace, started by [`asked`].
#[test]
fn the_client_asks_its_questions() {
    let Some(path) = std::env::var_os(QUESTIONS) else { return };
    let questions: Vec<Question> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let socket = broadcast_socket("eth0", 68).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut offers: Vec<Option<Offer>> = vec![None; questions.len()];
    // the first card of a host: dnsmasq answers it when it has begun, and after all that was asked before
    let known = questions.get(strangers().len());
    let mut bytes = [0; 1500];
    let mut hear = |last: usize, within: Duration, offers: &mut Vec<Option<Offer>>| {
        let begun = Instant::now();
        while begun.elapsed() < within {
            let Some((number, offer)) =
                socket.recv(&mut bytes).ok().and_then(|length| offer(&bytes[..length]))
            else {
                continue;
            };
            match offers.get_mut(number) {
                Some(place) => *place = Some(offer),
                None if number == last => return true,
                None => {}
            }
        }
        false
    };
    let ask = |question: &Question, number: usize| {
        socket.send_to(&discover(question, number), (Ipv4Addr::BROADCAST, 67)).unwrap();
    };
    let mut number = questions.len();
    let begins = (0..30).any(|_| {
        number += 1;
        known.inspect(|known| ask(known, number));
        hear(number, Duration::from_millis(50), &mut offers)
    });
    let within = Duration::from_millis(if begins { 3000 } else { 200 });
    for (batch, asked) in questions.chunks(32).enumerate() {
        asked.iter().enumerate().for_each(|(n, question)| ask(question, batch * 32 + n));
        number += 1;
        known.inspect(|known| ask(known, number));
        assert_eq!(hear(number, within, &mut offers), begins, "the server went away");
    }
    let answers = Path::new(&path).with_extension("answers");
    std::fs::write(answers, serde_json::to_vec(&offers).unwrap()).unwrap();
}

fn discover(question: &Question, number: usize) -> Vec<u8> {
    let mut message = Message::default();
    message.set_xid(u32::try_from(number).unwrap() + 1).set_flags(Flags::default().set_broadcast());
    message.set_chaddr(&question.mac.octets());
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(MessageType::Discover));
    let wanted = [OptionCode::SubnetMask, OptionCode::Router, OptionCode::BootfileName];
    options.insert(DhcpOption::ParameterRequestList(
        wanted.into_iter().chain([43, 60].map(OptionCode::from)).collect(),
    ));
    if let Some(arch) = question.arch {
        options.insert(DhcpOption::ClientSystemArchitecture(Architecture::from(arch)));
        let class = format!("PXEClient:Arch:{arch:05}:UNDI:003000");
        options.insert(DhcpOption::ClassIdentifier(class.into_bytes()));
        options.insert(DhcpOption::ClientMachineIdentifier(vec![0; 17]));
    }
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    bytes.resize(bytes.len().max(300), 0);
    bytes
}

fn offer(bytes: &[u8]) -> Option<(usize, Offer)> {
    let message = Message::decode(&mut Decoder::new(bytes)).ok()?;
    let options = message.opts();
    (options.msg_type() == Some(MessageType::Offer)).then_some(())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    let file = match options.get(OptionCode::BootfileName) {
        Some(DhcpOption::BootfileName(name)) => Some(text(name)),
        _ => message.fname().map(text).filter(|name| !name.is_empty()),
    };
    let routers = match options.get(OptionCode::Router) {
        Some(DhcpOption::Router(routers)) => routers.clone(),
        _ => Vec::new(),
    };
    let vendor = match options.get(OptionCode::VendorExtensions) {
        Some(DhcpOption::VendorExtensions(bytes)) => Some(bytes.clone()),
        _ => None,
    };
    let is_pxe = matches!(options.get(OptionCode::ClassIdentifier), Some(DhcpOption::ClassIdentifier(class)) if class.starts_with(b"PXEClient"));
    let number = usize::try_from(message.xid()).ok()?.checked_sub(1)?;
    Some((
        number,
        Offer { address: message.yiaddr(), next_server: message.siaddr(), file, routers, vendor, is_pxe },
    ))
}
