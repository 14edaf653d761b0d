//! The resolved types.

mod install;
mod network;
mod storage;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::spec::image::ImagePin;
use crate::spec::installer::{AgentStart, DebianRelease};
use crate::spec::order::{HostMatch, WipePolicy};
use crate::spec::system::{RootAccount, User};
use crate::value::rule::Rule;
use crate::value::{DiskSelector, HostName, HttpUrl, ImageSource, KernelArg, PackageName};

pub use install::{Boot, Finish, Os, Repository, Script, Scripted, Scripts};
pub use network::{Bond, BondMode, Bridge, Fixed, Interface, Ipv4, Ipv6, Link, Network, Route, Vlan};
pub use storage::{
    Btrfs, Content, Disk, FileSystem, Layout, LogicalVolume, Luks, Mount, Partition, Raid, RaidLevel, Role,
    Size, Subvolume, TARGET, ThinPool, Unlock, VolumeGroup,
};

/// What holds for the whole site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Name for people.
    pub name: String,
    /// Where targets find `serve` (or another web server with the tree): payload, memory of orders, events.
    pub server: Option<HttpUrl>,
    /// Where installers find exported golden images, each as `NAME@VERSION.tar`.
    pub exports: Option<HttpUrl>,
    /// Where the files of each debian-installer are.
    pub debian_installer: BTreeMap<DebianRelease, InstallerFiles>,
    /// How long an order is valid after it was armed, in seconds.
    pub order_validity: u64,
}

/// Where the files of a debian-installer are, from the site's directory on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallerFiles {
    /// Its kernel.
    pub kernel: PathBuf,
    /// Its initrd.
    pub initrd: PathBuf,
    /// The directory with the module packages of its kernel.
    pub udebs: PathBuf,
}

/// One machine, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name, with domain if it has one.
    pub name: HostName,
    /// How it is recognised.
    pub matching: HostMatch,
    /// Which installer does it.
    pub installer: Installer,
    /// What a distribution's installer installs; there always unless the installer is the native one.
    pub os: Option<Os>,
    /// The golden image it gets; there always with the native installer, never needed by the others.
    pub image: Option<ImageSource>,
    /// The disk it is installed on.
    pub target: DiskSelector,
    /// What may be overwritten there.
    pub wipe: WipePolicy,
    /// Countdown before the first write, in seconds.
    pub confirm_seconds: u32,
    /// How long a machine that refused to install waits for a hand before it goes on by itself, in seconds.
    pub refusal_pause_seconds: u32,
    /// Whether the agent may install where nothing vouches for the clock.
    pub allow_dead_clock: bool,
    /// How old its golden image may be, in seconds.
    pub max_image_age: Option<u64>,
    /// What is made on the disks; the installer's own layout, or the golden image's, where absent.
    pub layout: Option<Layout>,
    /// Its network.
    pub network: Network,
    /// Language, keyboard, time zone.
    pub locale: Locale,
    /// Root.
    pub root: RootAccount,
    /// Its accounts.
    pub users: Vec<User>,
    /// Packages for installers that install packages.
    pub packages: Vec<PackageName>,
    /// Packages that must not be there.
    pub remove_packages: Vec<PackageName>,
    /// Where such installers find the distribution.
    pub mirror: Option<HttpUrl>,
    /// Where they find more packages.
    pub repositories: Vec<Repository>,
    /// The proxy for packages, in the installer and after it.
    pub proxy: Option<HttpUrl>,
    /// Kernel arguments of the installer and the installed system.
    pub kernel_args: Vec<KernelArg>,
    /// Consoles and the boot loader.
    pub boot: Boot,
    /// The site's own scripts.
    pub scripts: Scripts,
    /// What the machine does when it is installed.
    pub finish: Finish,
    /// Whether scripts that ironstrap makes may do what an installer can't say itself.
    pub scripted: Scripted,
    /// Who takes over.
    pub handoff: super::Handoff,
    /// What `lint` may find in files that are made for it: the site waives it.
    pub waived: Vec<&'static Rule>,
}

impl Host {
    /// What starts the agent there; nothing where another installer does it all.
    pub fn agent_start(&self) -> Option<AgentStart> {
        agent_start(self.installer, self.os, self.image.as_ref())
    }
}

/// What starts the agent with these, if it has a part in it.
pub fn agent_start(installer: Installer, os: Option<Os>, image: Option<&ImageSource>) -> Option<AgentStart> {
    match (installer, os, image) {
        (Installer::Native, ..) => Some(AgentStart::Kernel),
        (Installer::DebianInstaller, Some(os), Some(ImageSource::Store(_))) => {
            os.debian_release().map(AgentStart::Installer)
        }
        _ => None,
    }
}

/// Who does the installing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Installer {
    /// Our agent writes the golden image.
    #[default]
    Native,
    /// Red Hat's, driven by Kickstart.
    Anaconda,
    /// Debian's, driven by preseed.
    DebianInstaller,
    /// Ubuntu's, driven by autoinstall.
    Subiquity,
}

/// Language and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale {
    /// As in `LANG`.
    pub lang: String,
    /// Keymap name (XKB layout).
    pub keyboard: String,
    /// IANA time zone.
    pub timezone: String,
    /// Time servers; the system's own where empty.
    pub ntp: Vec<HostName>,
}

/// A host whose image is pinned: only this can go into a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedHost {
    /// The host.
    pub host: Host,
    /// Its image by content.
    pub image: ImagePin,
}
