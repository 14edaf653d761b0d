//! What can be written in a site: typed, with places, everything optional.
//!
//! One layer a file. A field that is added here needs its line in `merge` (the destructuring there won't compile
//! without) and its rule in `host`. `explain` and `schema` know it by the derives: the first sentence of its documentation is
//! what editors show, and what `host` makes of its absence stands as `#[schemars(extend("x-default" = …))]` (tested there).

mod handoff;
mod install;
mod network;
mod storage;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::RuleId;
use super::spanned::{List, Section, Spanned};
use crate::spec::system::Sudo;
use crate::value::{
    AccountName, FullName, HostName, HttpUrl, ImageSource, KernelArg, Mac, PackageName, PasswordHash,
    Pattern, SerialNumber, SshPublicKey, SystemUuid,
};

pub use handoff::{RawAnsible, RawCloudInit, RawHandoff, RawPull};
pub use install::{RawBoot, RawFinish, RawOs, RawPolicy, RawRepository, RawScripts};
pub use network::{
    RawBond, RawBondMode, RawBridge, RawInterface, RawInterfaceMatch, RawIpv4, RawIpv6, RawNetwork, RawRoute,
    RawStatic, RawStatic6, RawVlan,
};
pub use storage::{
    RawBtrfs, RawDisk, RawFileSystem, RawLogicalVolume, RawLuks, RawMount, RawPartition, RawRaid,
    RawRaidLevel, RawRole, RawStorage, RawSubvolume, RawTarget, RawThinPool, RawUnlock, RawVolumeGroup,
};

/// `site.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawSite {
    /// Name for people.
    pub name: Option<Spanned<String>>,
    /// Where targets find `serve`.
    pub server: Option<Spanned<HttpUrl>>,
    /// Where installers find exported golden images, each as NAME@VERSION.tar.
    pub exports: Option<Spanned<HttpUrl>>,
    /// The files of debian-installer, for hosts that it hands over with a golden image.
    pub debian_installer: Section<RawDebianInstaller>,
    /// Like `7d` or `36h`.
    #[schemars(extend("x-default" = "7d"))]
    pub order_validity: Option<Spanned<String>>,
    /// Variables of templates, under those of classes and hosts.
    pub vars: Vars,
    /// Findings of `ironstrap check` that this site knows of and wants.
    pub waive: List<RawWaiver>,
}

/// One of `waive` in `site.yaml`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawWaiver {
    /// The rule's id, as `check` and `lint` print it.
    pub rule: Option<Spanned<RuleId>>,
    /// Only what it finds of this host.
    pub host: Option<Spanned<HostName>>,
    /// Why, for whoever reads it next.
    pub reason: Option<Spanned<String>>,
}

/// `debian_installer:` in `site.yaml`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawDebianInstaller {
    /// bookworm's.
    #[serde(rename = "debian-12")]
    pub debian_12: Section<RawInstallerFiles>,
    /// trixie's.
    #[serde(rename = "debian-13")]
    pub debian_13: Section<RawInstallerFiles>,
}

/// Where the files of one debian-installer are, from the site's directory on.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawInstallerFiles {
    /// Its kernel, `linux` of the netboot images.
    pub kernel: Option<Spanned<String>>,
    /// Its initrd, `initrd.gz` beside that.
    pub initrd: Option<Spanned<String>>,
    /// A directory with the module packages of this very kernel, `*-modules-RELEASE-di_*.udeb`.
    pub udebs: Option<Spanned<String>>,
}

/// Variables for templates.
pub type Vars = BTreeMap<String, Spanned<serde_json::Value>>;

/// A class (`profiles/*.yaml`) or a host (`hosts/*.yaml`).
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawProfile {
    /// The host's name; hosts only.
    pub name: Option<Spanned<HostName>>,
    /// Layers below this one, in order.
    pub classes: List<String>,
    /// Variables for templates.
    pub vars: Vars,
    /// How the machine is recognised.
    #[serde(rename = "match")]
    pub matching: Section<RawMatch>,
    /// Who does the installing.
    #[schemars(extend("x-default" = "native"))]
    pub installer: Option<Spanned<RawInstaller>>,
    /// What a distribution's installer installs.
    pub os: Option<Spanned<RawOs>>,
    /// The golden image.
    pub image: Option<Spanned<ImageSource>>,
    /// How it reaches the network.
    pub network: Section<RawNetwork>,
    /// Where it is installed.
    pub storage: Section<RawStorage>,
    /// Language, keyboard, time zone.
    pub locale: Section<RawLocale>,
    /// The root account.
    pub root: Section<RawRoot>,
    /// Other accounts.
    pub users: List<RawUser>,
    /// Packages for installers that install packages.
    pub packages: List<PackageName>,
    /// Packages that must not be there.
    pub remove_packages: List<PackageName>,
    /// Where such installers find the distribution.
    pub mirror: Option<Spanned<HttpUrl>>,
    /// Where they find more packages.
    pub repositories: List<RawRepository>,
    /// The proxy for packages, in the installer and after it.
    pub proxy: Option<Spanned<HttpUrl>>,
    /// Kernel arguments.
    pub kernel_args: List<KernelArg>,
    /// Consoles and the boot loader.
    pub boot: Section<RawBoot>,
    /// The site's own scripts.
    pub scripts: Section<RawScripts>,
    /// What the machine does when it is installed.
    #[schemars(extend("x-default" = "reboot"))]
    pub finish: Option<Spanned<RawFinish>>,
    /// What is allowed.
    pub policy: Section<RawPolicy>,
    /// Who takes over.
    #[schemars(extend("x-default" = "none"))]
    pub handoff: Section<Option<RawHandoff>>,
}

/// `match:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawMatch {
    /// Any one of these.
    pub mac: List<Mac>,
    /// SMBIOS system UUID.
    pub uuid: Option<Spanned<SystemUuid>>,
    /// SMBIOS system serial number.
    pub serial: Option<Spanned<SerialNumber>>,
    /// SMBIOS system manufacturer.
    pub vendor: Option<Spanned<Pattern>>,
    /// SMBIOS product name.
    pub model: Option<Spanned<Pattern>>,
}

/// `installer:`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawInstaller {
    /// Our agent.
    Native,
    /// Red Hat's.
    Anaconda,
    /// Debian's.
    DebianInstaller,
    /// Ubuntu's.
    Subiquity,
}

/// `locale:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawLocale {
    /// As in `LANG`.
    #[schemars(extend("x-default" = "C.UTF-8"))]
    pub lang: Option<Spanned<String>>,
    /// XKB layout.
    #[schemars(extend("x-default" = "us"))]
    pub keyboard: Option<Spanned<String>>,
    /// IANA name.
    #[schemars(extend("x-default" = "UTC"))]
    pub timezone: Option<Spanned<String>>,
    /// Time servers.
    pub ntp: List<HostName>,
}

/// `root:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawRoot {
    /// Password hash.
    pub password: Option<Spanned<PasswordHash>>,
    /// Keys.
    pub ssh_keys: List<SshPublicKey>,
}

/// One of `users`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawUser {
    /// Login name.
    pub name: Option<Spanned<AccountName>>,
    /// The person's name.
    pub full_name: Option<Spanned<FullName>>,
    /// User id.
    pub uid: Option<Spanned<u32>>,
    /// Password hash.
    pub password: Option<Spanned<PasswordHash>>,
    /// Supplementary groups.
    pub groups: List<AccountName>,
    /// Keys.
    pub ssh_keys: List<SshPublicKey>,
    /// What sudo allows.
    #[schemars(extend("x-default" = "no"))]
    pub sudo: Option<Spanned<Sudo>>,
    /// Login shell.
    #[schemars(extend("x-default" = "/bin/bash"))]
    pub shell: Option<Spanned<String>>,
}
