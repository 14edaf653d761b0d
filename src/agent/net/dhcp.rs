//! One DHCP exchange on one link (RFC 2131), enough for the hour that an install takes: leases aren't renewed.
//!
//! The client has no address yet, so it asks servers to broadcast their answers. Building and reading messages is apart
//! from the socket, so that it can be tested.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};
use ipnet::Ipv4Net;

use crate::sys::linux::net;
use crate::value::Mac;

/// What a server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Our address with its network.
    pub address: Ipv4Net,
    /// Who routes.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// Domain, if the server told one.
    pub domain: Option<String>,
}

/// A message from us: what we want and, in a request, from whom.
struct Wanted {
    address: Ipv4Addr,
    server: Ipv4Addr,
}

fn message(mac: Mac, exchange: u32, wanted: Option<&Wanted>) -> Result<Vec<u8>> {
    let mut message = Message::default();
    message.set_xid(exchange).set_flags(Flags::default().set_broadcast()).set_chaddr(&mac.octets());
    let options = message.opts_mut();
    let kind = if wanted.is_some() { MessageType::Request } else { MessageType::Discover };
    options.insert(DhcpOption::MessageType(kind));
    if let Some(wanted) = wanted {
        options.insert(DhcpOption::RequestedIpAddress(wanted.address));
        options.insert(DhcpOption::ServerIdentifier(wanted.server));
    }
    options.insert(DhcpOption::ParameterRequestList(vec![
        OptionCode::SubnetMask,
        OptionCode::Router,
        OptionCode::DomainNameServer,
        OptionCode::DomainName,
    ]));
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).context("writing a DHCP message")?;
    // relays and servers of the BOOTP time want 300 bytes
    bytes.resize(bytes.len().max(300), 0);
    Ok(bytes)
}

/// The answer in these bytes, if it is one to us.
fn answer(bytes: &[u8], mac: Mac, exchange: u32) -> Option<(MessageType, Message)> {
    let message = Message::decode(&mut Decoder::new(bytes)).ok()?;
    // dhcproto takes any length of a hardware address for granted, and panics where it is longer than its field
    let ours = message.xid() == exchange && message.hlen() == 6 && message.chaddr() == mac.octets();
    let kind = message.opts().msg_type()?;
    ours.then_some((kind, message))
}

fn server_of(message: &Message) -> Option<Ipv4Addr> {
    match message.opts().get(OptionCode::ServerIdentifier)? {
        DhcpOption::ServerIdentifier(server) => Some(*server),
        _ => None,
    }
}

fn lease(message: &Message) -> Option<Lease> {
    let options = message.opts();
    let mask = match options.get(OptionCode::SubnetMask) {
        Some(DhcpOption::SubnetMask(mask)) => *mask,
        _ => Ipv4Addr::new(255, 255, 255, 0),
    };
    let address = Ipv4Net::with_netmask(message.yiaddr(), mask).ok()?;
    let gateway = match options.get(OptionCode::Router) {
        Some(DhcpOption::Router(routers)) => routers.first().copied(),
        _ => None,
    };
    let dns = match options.get(OptionCode::DomainNameServer) {
        Some(DhcpOption::DomainNameServer(servers)) => servers.clone(),
        _ => Vec::new(),
    };
    let domain = match options.get(OptionCode::DomainName) {
        Some(DhcpOption::DomainName(name)) => Some(name.clone()),
        _ => None,
    };
    (!message.yiaddr().is_unspecified()).then_some(Lease { address, gateway, dns, domain })
}

const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;
/// Waits for an answer: short at first, since switches wake up while we ask.
const WAITS: [u64; 6] = [1, 2, 4, 4, 8, 8];

/// Asks on this link until a server gave a lease, somebody else was quicker (`stop`), or the time is over.
///
/// # Errors
/// No lease; the message says whether anybody answered.
pub fn acquire(link: &str, mac: Mac, exchange: u32, deadline: Instant, stop: &AtomicBool) -> Result<Lease> {
    let socket =
        net::broadcast_socket(link, CLIENT_PORT).with_context(|| format!("opening a socket on {link}"))?;
    let mut refused = false;
    for round in 0.. {
        let left = || deadline.saturating_duration_since(Instant::now());
        if stop.load(Ordering::Relaxed) || left().is_zero() {
            break;
        }
        let wait = Duration::from_secs(WAITS[WAITS.len().min(round + 1) - 1]).min(left());
        let Some((_, offer)) = ask(&socket, &message(mac, exchange, None)?, wait, |bytes| {
            answer(bytes, mac, exchange).filter(|(kind, _)| *kind == MessageType::Offer)
        }) else {
            continue;
        };
        let Some(server) = server_of(&offer) else { continue };
        let wanted = Wanted { address: offer.yiaddr(), server };
        let reply = ask(
            &socket,
            &message(mac, exchange, Some(&wanted))?,
            wait.max(Duration::from_secs(4)).min(left()),
            |bytes| {
                answer(bytes, mac, exchange)
                    .filter(|(kind, _)| matches!(kind, MessageType::Ack | MessageType::Nak))
            },
        );
        match reply {
            Some((MessageType::Ack, ack)) => {
                if let Some(lease) = lease(&ack) {
                    return Ok(lease);
                }
            }
            Some(_) => refused = true,
            None => {}
        }
    }
    if refused {
        bail!("{link}: the DHCP server refuses its own offer");
    }
    bail!("{link}: no DHCP server answered")
}

/// Sends, and waits for a message that `accept` takes. Send errors (no carrier yet) count as silence.
fn ask<T>(
    socket: &UdpSocket,
    bytes: &[u8],
    wait: Duration,
    accept: impl Fn(&[u8]) -> Option<T>,
) -> Option<T> {
    let sent = socket.send_to(bytes, (Ipv4Addr::BROADCAST, SERVER_PORT));
    let end = Instant::now() + wait;
    if sent.is_err() {
        std::thread::sleep(wait);
        return None;
    }
    let mut buffer = [0; 1500];
    loop {
        let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        socket.set_read_timeout(Some(left)).ok()?;
        match socket.recv(&mut buffer) {
            Ok(count) => {
                if let Some(accepted) = accept(&buffer[..count]) {
                    return Some(accepted);
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return None;
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac() -> Mac {
        "52:54:00:12:34:56".parse().unwrap()
    }

    fn ack(exchange: u32) -> Vec<u8> {
        let mut message = Message::default();
        message.set_xid(exchange).set_chaddr(&mac().octets()).set_yiaddr(Ipv4Addr::new(10, 0, 2, 15));
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(MessageType::Ack));
        options.insert(DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)));
        options.insert(DhcpOption::Router(vec![Ipv4Addr::new(10, 0, 2, 2)]));
        options.insert(DhcpOption::DomainNameServer(vec![Ipv4Addr::new(10, 0, 2, 3)]));
        let mut bytes = Vec::new();
        message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        bytes
    }

    #[test]
    fn an_answer_becomes_a_lease() {
        let (kind, message) = answer(&ack(7), mac(), 7).unwrap();
        assert_eq!(kind, MessageType::Ack);
        let lease = lease(&message).unwrap();
        assert_eq!(lease.address.to_string(), "10.0.2.15/24");
        assert_eq!((lease.gateway, lease.dns.len()), (Some(Ipv4Addr::new(10, 0, 2, 2)), 1));
    }

    #[test]
    fn answers_to_others_and_noise_are_ignored() {
        assert!(answer(&ack(7), mac(), 8).is_none());
        assert!(answer(&ack(7), "52:54:00:12:34:57".parse().unwrap(), 7).is_none());
        assert!(answer(b"noise", mac(), 7).is_none());
        assert!(answer(&ack(7)[..100], mac(), 7).is_none());
        let mut long = ack(7);
        long[2] = 255; // hlen
        assert!(answer(&long, mac(), 7).is_none());
    }

    #[test]
    fn our_messages_ask_for_broadcasts_and_are_long_enough_for_old_relays() {
        let bytes = message(
            mac(),
            7,
            Some(&Wanted { address: Ipv4Addr::new(10, 0, 2, 15), server: Ipv4Addr::LOCALHOST }),
        )
        .unwrap();
        assert!(bytes.len() >= 300);
        let (kind, read) = answer(&bytes, mac(), 7).unwrap();
        assert!(read.flags().broadcast() && kind == MessageType::Request);
    }
}
