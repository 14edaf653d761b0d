//! The rules that look beyond one value: each with a name for programs and for `waive:` in `site.yaml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule across hosts, or between a host and what surrounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// One machine could be two hosts.
    SameMachine,
    /// Two hosts have one MAC address, so one boot file would be for both.
    SameMac,
    /// Two hosts have one IP address.
    SameAddress,
    /// Two hosts are installed on one disk.
    SameDisk,
    /// Nobody can log into a host.
    NoLogin,
    /// `ironstrap.lock` doesn't pin a host's image.
    NotLocked,
    /// The site's server is in none of the networks of the hosts.
    ServerElsewhere,
    /// User-data says what means less on an installed host than it seems to, or will mean nothing.
    UserData,
    /// One version of cloud-init reads what another one doesn't, and the host's isn't known.
    UserDataVersion,
    /// A waiver waives nothing.
    UnusedWaiver,
}

/// What a finding means for `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is made of such a site.
    Error,
    /// It is told, and isn't all good.
    Warning,
}

impl Severity {
    /// For messages and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::SameMachine,
        Self::SameMac,
        Self::SameAddress,
        Self::SameDisk,
        Self::NoLogin,
        Self::NotLocked,
        Self::ServerElsewhere,
        Self::UserData,
        Self::UserDataVersion,
        Self::UnusedWaiver,
    ];

    /// Its id.
    pub fn name(self) -> &'static str {
        match self {
            Self::SameMachine => "same-machine",
            Self::SameMac => "same-mac",
            Self::SameAddress => "same-address",
            Self::SameDisk => "same-disk",
            Self::NoLogin => "no-login",
            Self::NotLocked => "not-locked",
            Self::ServerElsewhere => "server-elsewhere",
            Self::UserData => "user-data",
            Self::UserDataVersion => "user-data-version",
            Self::UnusedWaiver => "unused-waiver",
        }
    }

    /// What breaking it means.
    pub fn severity(self) -> Severity {
        match self {
            Self::SameMachine | Self::SameMac | Self::SameAddress => Severity::Error,
            Self::SameDisk
            | Self::NoLogin
            | Self::NotLocked
            | Self::ServerElsewhere
            | Self::UserData
            | Self::UserDataVersion
            | Self::UnusedWaiver => Severity::Warning,
        }
    }

    /// Whether a site can have a good reason to break it.
    pub fn can_be_waived(self) -> bool {
        !matches!(self, Self::SameMachine | Self::SameMac | Self::UnusedWaiver)
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_by_its_name() {
        for rule in Rule::ALL {
            let read: Rule = serde_json::from_value(serde_json::json!(rule.name())).unwrap();
            assert_eq!(read, rule);
        }
    }
}
