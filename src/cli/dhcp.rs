//! `ironstrap dhcp`: what the DHCP server of the network must say, in its own words, with the site's values.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};

use super::output;
use crate::boot::dhcp::{self, Dialect};
use crate::boot::dnsmasq::{self, DhcpHost, Role};
use crate::site::context::SiteContext;
use crate::site::paths::SitePaths;

/// Print what a DHCP server must say to start the machines of the site.
///
/// For the server that is there already: three values, to be merged into its configuration. For dnsmasq: a whole configuration,
/// for all hosts of the site that the agent installs. A PXE tree holds the same files, for its hosts.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose words.
    #[arg(value_name = "SERVER")]
    server: Server,
    /// Where the PXE tree is served by TFTP, if that isn't `server` of site.yaml.
    #[arg(long, value_name = "ADDRESS")]
    tftp: Option<Ipv4Addr>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Server {
    /// Kea's kea-dhcp4.
    Kea,
    /// ISC dhcpd.
    Isc,
    /// Windows Server, by PowerShell (untested).
    Windows,
    /// OPNsense's pages (untested).
    Opnsense,
    /// UniFi Network's pages (untested).
    Unifi,
    /// dnsmasq as the network's only DHCP server.
    DnsmasqDhcp,
    /// dnsmasq beside another DHCP server.
    Dnsmasq,
}

impl Server {
    fn what(self) -> Result<Dialect, Role> {
        match self {
            Self::Kea => Ok(Dialect::Kea),
            Self::Isc => Ok(Dialect::Isc),
            Self::Windows => Ok(Dialect::Windows),
            Self::Opnsense => Ok(Dialect::Opnsense),
            Self::Unifi => Ok(Dialect::Unifi),
            Self::DnsmasqDhcp => Err(Role::Server),
            Self::Dnsmasq => Err(Role::Proxy),
        }
    }
}

/// Prints the configuration, and on standard error what to know of it.
///
/// # Errors
/// A site with mistakes, a `server` that is no address, hosts that dnsmasq can't tell apart.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let context = SiteContext::load(paths)?;
    let server = args.tftp.or_else(|| dnsmasq::address(context.site.server.as_ref()));
    match args.server.what() {
        Ok(dialect) => {
            let tftp = server.context(
                "a DHCP server names the TFTP server by its IPv4 address, and `server` of site.yaml has none; say it with --tftp ADDRESS",
            )?;
            output::note(&format!("note: {}\n", dialect.advice()));
            Ok(output::print(&dhcp::snippet(dialect, tftp)?)?)
        }
        Err(role) => {
            let hosts: Vec<_> = context.by_agent().map(|host| DhcpHost::of(host, server)).collect();
            let told = dnsmasq::shortcomings(&hosts);
            output::note(&told.iter().map(|text| format!("warning: {text}\n")).collect::<String>());
            Ok(output::print(&dnsmasq::config(role, &hosts)?)?)
        }
    }
}
