//! What was on a machine's wire: QEMU's capture, read for DHCP and TFTP.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use dhcproto::v4::Message;
use dhcproto::{Decodable, Decoder};

/// A datagram of UDP over IPv4.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// Who sent it.
    pub from: Ipv4Addr,
    /// To which port.
    pub port: u16,
    /// What.
    pub payload: Vec<u8>,
}

/// The datagrams of a capture, in order; one that is being written may end in half a packet.
///
/// # Errors
/// When it isn't a little-endian capture of Ethernet in libpcap's format.
pub fn datagrams(file: &Path) -> Result<Vec<Datagram>> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    ensure!(bytes.starts_with(&0xa1b2_c3d4_u32.to_le_bytes()), "{} is no capture", file.display());
    let mut rest = bytes.get(24..).unwrap_or_default();
    let mut found = Vec::new();
    while let Some((head, after)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        let Some((packet, after)) = after.split_at_checked(length) else { break };
        found.extend(datagram(packet));
        rest = after;
    }
    Ok(found)
}

fn datagram(packet: &[u8]) -> Option<Datagram> {
    let ip = packet.get(14..).filter(|_| packet[12..14] == [8, 0])?;
    let udp = ip.get(usize::from(ip.first()? & 15) * 4..).filter(|_| ip.get(9) == Some(&17))?;
    let from = <[u8; 4]>::try_from(ip.get(12..16)?).ok()?.into();
    let port = u16::from_be_bytes([*udp.get(2)?, *udp.get(3)?]);
    Some(Datagram { from, port, payload: udp.get(8..)?.to_vec() })
}

/// The answers of DHCP servers, on any of their ports.
pub fn answers(datagrams: &[Datagram]) -> Vec<(Ipv4Addr, Message)> {
    // a BOOTREPLY
    let replies = datagrams.iter().filter(|datagram| datagram.payload.first() == Some(&2));
    let to_client = replies.filter(|datagram| [68, 4011].contains(&datagram.port));
    to_client
        .filter_map(|datagram| {
            Some((datagram.from, Message::decode(&mut Decoder::new(&datagram.payload)).ok()?))
        })
        .collect()
}

/// The files that the machine asked for by TFTP.
pub fn files(datagrams: &[Datagram]) -> Vec<String> {
    let requests = datagrams.iter().filter(|datagram| datagram.port == 69);
    let name = |payload: &[u8]| {
        let name = payload.strip_prefix(&[0, 1])?.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(name).trim_start_matches('/').to_owned())
    };
    requests.filter_map(|datagram| name(&datagram.payload)).collect()
}
