//! What makes an installed system one host's: network, accounts, files.

use std::net::IpAddr;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{AccountName, FullName, HostName, Mac, PasswordHash, SshPublicKey};

/// How the host reaches the network, in the agent and after the install.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// Interfaces; none means: DHCP on every interface with a link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
    /// Name servers, beside those that DHCP gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<IpAddr>,
    /// Search domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<HostName>,
}

/// One interface, found by its address; kernel names change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Permanent hardware address.
    pub mac: Mac,
    /// Its IPv4 configuration.
    pub ipv4: Ipv4,
}

/// IPv4 of one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ipv4 {
    /// By DHCP.
    Dhcp,
    /// Fixed.
    Static {
        /// Address with prefix length.
        address: Ipv4Net,
        /// Default gateway, inside the prefix.
        gateway: Option<std::net::Ipv4Addr>,
    },
}

/// What is changed in the image to make it this host's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemSpec {
    /// Full name; `/etc/hostname` gets the first label.
    pub hostname: HostName,
    /// IANA time zone name; `None` leaves the image's.
    pub timezone: Option<String>,
    /// The root account.
    pub root: RootAccount,
    /// Accounts to create or change.
    pub users: Vec<User>,
    /// Files to write, in order; parents are made as 0755 root.
    pub files: Vec<SystemFile>,
    /// systemd units (from `files` or the image) to enable: a link in `multi-user.target.wants`.
    pub units: Vec<String>,
}

/// The root account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootAccount {
    /// Password hash; without one the password is locked (keys still work).
    pub password: Option<PasswordHash>,
    /// Keys for `~root/.ssh/authorized_keys`.
    pub ssh_keys: Vec<SshPublicKey>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Login name.
    pub name: AccountName,
    /// The person's name; what the image has, or nothing, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<FullName>,
    /// User and primary group id; the next free one from 1000 where absent.
    pub uid: Option<u32>,
    /// Password hash; without one the password is locked.
    pub password: Option<PasswordHash>,
    /// Supplementary groups; missing ones are made.
    pub groups: Vec<AccountName>,
    /// Keys for `~/.ssh/authorized_keys`.
    pub ssh_keys: Vec<SshPublicKey>,
    /// What sudo lets it do.
    pub sudo: Sudo,
    /// Login shell.
    pub shell: String,
}

/// What sudo lets a user do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sudo {
    /// Nothing beyond what its groups give.
    #[default]
    No,
    /// Everything, asking for the user's password.
    Password,
    /// Everything, without a question.
    Nopasswd,
}

/// One file on the installed system.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemFile {
    /// Absolute path without `.` or `..`.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Text content.
    pub content: String,
    /// The target puts its token for this outcome in the place of each [`TOKEN`] in the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Outcome>,
}

/// Stands in a file's content for a token that is made on the target.
pub const TOKEN: &str = "@TOKEN@";

/// How a hand-off can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Configuration management reported success.
    Converged,
    /// It reported failure.
    Failed,
}

impl std::fmt::Debug for SystemFile {
    /// Without the content, which may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemFile")
            .field("path", &self.path)
            .field("mode", &format_args!("{:o}", self.mode))
            .finish_non_exhaustive()
    }
}
