//! `network:`

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::profile::spanned::{List, Spanned};
use crate::value::{HostName, LinkName, Mac, Mtu, VlanId};

/// `network:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawNetwork {
    /// Network cards.
    pub interfaces: List<RawInterface>,
    /// Cards that act as one.
    pub bonds: List<RawBond>,
    /// Tagged networks on a link.
    pub vlans: List<RawVlan>,
    /// Links that are joined like by a switch.
    pub bridges: List<RawBridge>,
    /// Name servers.
    pub dns: List<IpAddr>,
    /// Search domains.
    pub search: List<HostName>,
}

/// One of `network.interfaces`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawInterface {
    /// Its name here, for bonds, VLANs and bridges that stand on it.
    pub id: Option<Spanned<LinkName>>,
    /// Which one it is.
    #[serde(rename = "match")]
    pub matching: RawInterfaceMatch,
    /// `dhcp`, `none`, or a fixed address.
    #[schemars(extend("x-default" = "dhcp"))]
    pub ipv4: Option<Spanned<RawIpv4>>,
    /// `auto`, `dhcp`, `none`, or fixed addresses.
    pub ipv6: Option<Spanned<RawIpv6>>,
    /// Largest packet in bytes.
    pub mtu: Option<Spanned<Mtu>>,
    /// Routes beside the default one.
    pub routes: List<RawRoute>,
}

/// `network.interfaces[].match`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawInterfaceMatch {
    /// Permanent hardware address.
    pub mac: Option<Spanned<Mac>>,
}

/// One of `network.bonds`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawBond {
    /// The bond's name.
    pub id: Option<Spanned<LinkName>>,
    /// Its interfaces, by `id`.
    pub members: List<LinkName>,
    /// How they share the work.
    #[schemars(extend("x-default" = "active-backup"))]
    pub mode: Option<Spanned<RawBondMode>>,
    /// Milliseconds between looks at the members' links.
    #[schemars(extend("x-default" = 100))]
    pub miimon: Option<Spanned<u32>>,
    /// `dhcp`, `none`, or a fixed address.
    #[schemars(extend("x-default" = "dhcp"))]
    pub ipv4: Option<Spanned<RawIpv4>>,
    /// `auto`, `dhcp`, `none`, or fixed addresses.
    pub ipv6: Option<Spanned<RawIpv6>>,
    /// Largest packet in bytes.
    pub mtu: Option<Spanned<Mtu>>,
    /// Routes beside the default one.
    pub routes: List<RawRoute>,
}

/// `network.bonds[].mode`, in the kernel's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum RawBondMode {
    /// In turn.
    #[serde(rename = "balance-rr")]
    BalanceRr,
    /// One works, the others wait.
    #[serde(rename = "active-backup")]
    ActiveBackup,
    /// By a hash of addresses.
    #[serde(rename = "balance-xor")]
    BalanceXor,
    /// LACP: the switch must agree.
    #[serde(rename = "802.3ad")]
    Lacp,
}

/// One of `network.vlans`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawVlan {
    /// The VLAN's name.
    pub id: Option<Spanned<LinkName>>,
    /// The link that it is on, by `id`.
    pub link: Option<Spanned<LinkName>>,
    /// Its number.
    pub tag: Option<Spanned<VlanId>>,
    /// `dhcp`, `none`, or a fixed address.
    #[schemars(extend("x-default" = "dhcp"))]
    pub ipv4: Option<Spanned<RawIpv4>>,
    /// `auto`, `dhcp`, `none`, or fixed addresses.
    pub ipv6: Option<Spanned<RawIpv6>>,
    /// Largest packet in bytes.
    pub mtu: Option<Spanned<Mtu>>,
    /// Routes beside the default one.
    pub routes: List<RawRoute>,
}

/// One of `network.bridges`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawBridge {
    /// The bridge's name.
    pub id: Option<Spanned<LinkName>>,
    /// Its links, by `id`.
    pub members: List<LinkName>,
    /// Whether it speaks the spanning tree protocol.
    #[schemars(extend("x-default" = false))]
    pub stp: Option<Spanned<bool>>,
    /// `dhcp`, `none`, or a fixed address.
    #[schemars(extend("x-default" = "dhcp"))]
    pub ipv4: Option<Spanned<RawIpv4>>,
    /// `auto`, `dhcp`, `none`, or fixed addresses.
    pub ipv6: Option<Spanned<RawIpv6>>,
    /// Largest packet in bytes.
    pub mtu: Option<Spanned<Mtu>>,
    /// Routes beside the default one.
    pub routes: List<RawRoute>,
}

/// One of a link's `routes`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawRoute {
    /// The network, with its prefix length.
    pub to: Option<Spanned<String>>,
    /// The router.
    pub via: Option<Spanned<IpAddr>>,
    /// Lower wins.
    pub metric: Option<Spanned<u32>>,
}

/// `dhcp`, `none`, or a fixed address.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawIpv4 {
    /// By DHCP.
    Dhcp,
    /// Not at all.
    None,
    /// Fixed.
    #[serde(untagged)]
    Static(RawStatic),
}

/// A fixed address.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawStatic {
    /// With prefix length.
    pub address: Option<Spanned<String>>,
    /// More addresses, with prefix length.
    pub more: List<String>,
    /// Default gateway.
    pub gateway: Option<Spanned<Ipv4Addr>>,
}

/// `auto`, `dhcp`, `none`, or a fixed address.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawIpv6 {
    /// By router advertisements.
    Auto,
    /// By DHCPv6.
    Dhcp,
    /// Not at all.
    None,
    /// Fixed.
    #[serde(untagged)]
    Static(RawStatic6),
}

/// A fixed IPv6 address.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawStatic6 {
    /// With prefix length.
    pub address: Option<Spanned<String>>,
    /// More addresses, with prefix length.
    pub more: List<String>,
    /// Default gateway.
    pub gateway: Option<Spanned<Ipv6Addr>>,
}

/// Reads one of some words, or a map.
macro_rules! word_or_map {
    ($type:ident, $map:ident, $expecting:literal, $($word:literal => $variant:ident),*) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        match text {
                            $($word => Ok($type::$variant),)*
                            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                        }
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                        let map = serde::de::value::MapAccessDeserializer::new(map);
                        $map::deserialize(map).map($type::Static)
                    }
                }

                deserializer.deserialize_any(Visitor)
            }
        }
    };
}

word_or_map!(RawIpv4, RawStatic, "`dhcp`, `none`, or a map with `address` and `gateway`", "dhcp" => Dhcp, "none" => None);
word_or_map!(
    RawIpv6, RawStatic6, "`auto`, `dhcp`, `none`, or a map with `address` and `gateway`",
    "auto" => Auto, "dhcp" => Dhcp, "none" => None
);
