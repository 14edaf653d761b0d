//! `image-nic-name`: network cards of the machine on which the image was made.

use anyhow::Result;

use super::rules::NIC_NAME;
use super::{Finding, Subject};

/// Rules of old udev, which keep the names of the first machine's cards.
const UDEV: &str = "/etc/udev/rules.d/70-persistent-net.rules";
/// Where who configures interfaces looks, with the ending of its files.
const PLACES: [(&str, &str); 6] = [
    ("/etc/netplan", ".yaml"),
    ("/etc/systemd/network", ".network"),
    ("/etc/systemd/network", ".link"),
    ("/etc/network/interfaces.d", ""),
    ("/etc/sysconfig/network-scripts", ""),
    ("/etc/NetworkManager/system-connections", ".nmconnection"),
];

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut texts = Vec::new();
    for (directory, ending) in PLACES {
        texts.extend(subject.texts(directory, ending)?);
    }
    for path in [UDEV, "/etc/network/interfaces"] {
        texts.extend(subject.text(path)?.map(|text| (path.to_owned(), text)));
    }
    let mut found = Vec::new();
    for (path, text) in texts {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let mut words = lines.flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':')));
        let named = words.find_map(|word| {
            let name = word.trim_end_matches(':');
            is_mac(name).then_some(("address", name)).or_else(|| is_card(name).then_some(("name", name)))
        });
        if let Some((what, word)) = named {
            let message = format!("it is for the card with the {what} {word}");
            found.push(Finding::new(&NIC_NAME, message).at(path));
        }
    }
    Ok(found)
}

fn is_mac(word: &str) -> bool {
    let parts: Vec<_> = word.split(':').collect();
    let is_byte = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_nobody =
        parts.iter().all(|part| *part == "00") || parts.iter().all(|part| part.eq_ignore_ascii_case("ff"));
    parts.len() == 6 && parts.iter().all(is_byte) && !is_nobody
}

/// `ens3`, `enp1s0`, `eno1`: systemd.net-naming-scheme(7). Not `eth0`, which an image may want to be the name of each first card.
fn is_card(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match word.split_at_checked(3) {
        Some(("ens" | "eno", rest)) => digits(rest),
        Some(("enp", rest)) => rest.split_once('s').is_some_and(|(bus, slot)| {
            digits(bus) && digits(slot.split(['f', 'n', 'd']).next().unwrap_or_default())
        }),
        _ => false,
    }
}
