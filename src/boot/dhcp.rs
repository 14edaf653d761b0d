//! What a DHCP server that is there already must say to start machines from a PXE tree: three values, in the words of each server.
//!
//! Kea's and ISC's are held against these servers by `tests/dhcp.rs`; the others nobody has run here, and each says so.
//! `docs/dhcp.md` shows what is rendered here.

use std::net::Ipv4Addr;

use anyhow::Result;
use minijinja::context;

use super::template::render;

/// A DHCP server whose configuration can be extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Kea's `kea-dhcp4`.
    Kea,
    /// ISC dhcpd.
    Isc,
    /// The DHCP service of Windows Server, by PowerShell.
    Windows,
    /// OPNsense, by its pages.
    Opnsense,
    /// UniFi Network, by its pages.
    Unifi,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Kea, Self::Isc, Self::Windows, Self::Opnsense, Self::Unifi];

    /// Name of the file in the tree.
    pub fn file(self) -> &'static str {
        match self {
            Self::Kea => "dhcp-kea.json",
            Self::Isc => "dhcp-isc.conf",
            Self::Windows => "dhcp-windows.ps1",
            Self::Opnsense => "dhcp-opnsense.txt",
            Self::Unifi => "dhcp-unifi.txt",
        }
    }

    /// What to know of it before it is used.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Kea => {
                "merge it into `Dhcp4` of your configuration; a host reservation that names `next-server` or `boot-file-name` comes before the class"
            }
            Self::Isc => "include it at the top level of dhcpd.conf",
            Self::Windows => "UNTESTED: nobody has run this here; leave option 60 alone",
            Self::Opnsense => "UNTESTED: nobody has tried this here",
            Self::Unifi => {
                "UNTESTED: nobody has tried this here; BIOS machines are offered the file too, and fail to start it"
            }
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Kea => include_str!("../../netboot/dhcp-kea.json"),
            Self::Isc => include_str!("../../netboot/dhcp-isc.conf"),
            Self::Windows => include_str!("../../netboot/dhcp-windows.ps1"),
            Self::Opnsense => include_str!("../../netboot/dhcp-opnsense.txt"),
            Self::Unifi => include_str!("../../netboot/dhcp-unifi.txt"),
        }
    }
}

/// What is added to the server's configuration; `tftp` serves the tree.
///
/// # Errors
/// None but a mistake of ours.
pub fn snippet(dialect: Dialect, tftp: Ipv4Addr) -> Result<String> {
    let address =
        |text: &str| text.parse::<Ipv4Addr>().map(|_| text.to_owned()).map_err(|error| error.to_string());
    render(dialect.file(), dialect.template(), address, context! { tftp => tftp.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDBOOK: &str = include_str!("../../docs/dhcp.md");

    #[test]
    fn the_handbook_shows_what_is_written() {
        let tftp = "10.0.0.2".parse().unwrap();
        for dialect in Dialect::ALL {
            let text = snippet(dialect, tftp).unwrap();
            assert!(HANDBOOK.contains(&format!("\n{text}```\n")), "docs/dhcp.md lacks\n{text}");
            assert!(HANDBOOK.contains(dialect.file()), "docs/dhcp.md doesn't name {}", dialect.file());
        }
    }

    #[test]
    fn each_names_the_server_and_the_file_and_none_an_address_of_its_own() {
        let tftp = "192.0.2.7".parse().unwrap();
        for dialect in Dialect::ALL {
            let text = snippet(dialect, tftp).unwrap();
            assert!(text.contains("192.0.2.7") && text.contains("bootx64.efi"), "{text}");
            assert!(!text.contains("10.0.0.2"), "{text}");
        }
    }
}
