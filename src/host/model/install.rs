//! What is installed and done beside disks and network.

use crate::spec::installer::DebianRelease;
use crate::value::{GrubHash, HttpUrl, StorageId};

/// A release of a distribution, as its own installer puts it on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Os {
    /// Enterprise Linux 8: RHEL, AlmaLinux, Rocky.
    El8,
    /// Enterprise Linux 9.
    El9,
    /// Enterprise Linux 10.
    El10,
    /// Fedora 43.
    Fedora43,
    /// Fedora 44.
    Fedora44,
    /// Fedora 45.
    Fedora45,
    /// Debian 12.
    Debian12,
    /// Debian 13.
    Debian13,
    /// Ubuntu 22.04.
    Ubuntu2204,
    /// Ubuntu 24.04.
    Ubuntu2404,
}

impl Os {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::El8,
        Self::El9,
        Self::El10,
        Self::Fedora43,
        Self::Fedora44,
        Self::Fedora45,
        Self::Debian12,
        Self::Debian13,
        Self::Ubuntu2204,
        Self::Ubuntu2404,
    ];

    /// As profiles spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::El8 => "el-8",
            Self::El9 => "el-9",
            Self::El10 => "el-10",
            Self::Fedora43 => "fedora-43",
            Self::Fedora44 => "fedora-44",
            Self::Fedora45 => "fedora-45",
            Self::Debian12 => "debian-12",
            Self::Debian13 => "debian-13",
            Self::Ubuntu2204 => "ubuntu-22.04",
            Self::Ubuntu2404 => "ubuntu-24.04",
        }
    }

    /// Whether it is one of Fedora.
    pub fn is_fedora(self) -> bool {
        matches!(self, Self::Fedora43 | Self::Fedora44 | Self::Fedora45)
    }

    /// As debian-installer's releases are called.
    pub fn debian_release(self) -> Option<DebianRelease> {
        match self {
            Self::Debian12 => Some(DebianRelease::Debian12),
            Self::Debian13 => Some(DebianRelease::Debian13),
            Self::El8 | Self::El9 | Self::El10 | Self::Fedora43 | Self::Fedora44 | Self::Fedora45 => None,
            Self::Ubuntu2204 | Self::Ubuntu2404 => None,
        }
    }

    /// Whose installer puts it on a machine.
    pub fn installer(self) -> super::Installer {
        match self {
            Self::El8 | Self::El9 | Self::El10 | Self::Fedora43 | Self::Fedora44 | Self::Fedora45 => {
                super::Installer::Anaconda
            }
            Self::Debian12 | Self::Debian13 => super::Installer::DebianInstaller,
            Self::Ubuntu2204 | Self::Ubuntu2404 => super::Installer::Subiquity,
        }
    }
}

impl From<DebianRelease> for Os {
    fn from(release: DebianRelease) -> Self {
        match release {
            DebianRelease::Debian12 => Self::Debian12,
            DebianRelease::Debian13 => Self::Debian13,
        }
    }
}

impl std::fmt::Display for Os {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Os {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|os| os.name() == text);
        let known = || Self::ALL.map(Self::name).join(", ");
        found.copied().ok_or_else(|| format!("`{text}` is not a release; known are {}", known()))
    }
}

/// A place with more packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name.
    pub id: StorageId,
    /// Where it is.
    pub url: HttpUrl,
    /// Debian and Ubuntu: the suite; the release's own where absent.
    pub suite: Option<String>,
    /// Debian and Ubuntu: the components.
    pub components: Vec<String>,
    /// Where the key is that signs it.
    pub key: Option<HttpUrl>,
}

/// Consoles and the boot loader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// As after `console=`.
    pub consoles: Vec<String>,
    /// Hash of the boot loader's password.
    pub password: Option<GrubHash>,
}

/// The site's own scripts, each kind in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scripts {
    /// In the installer, before it touches a disk.
    pub pre: Vec<Script>,
    /// In the installed system, before it boots.
    pub post: Vec<Script>,
    /// In the installer, after the system was installed.
    pub post_outside: Vec<Script>,
    /// In the installed system, when it boots for the first time.
    pub first_boot: Vec<Script>,
    /// In the installer, when it fails.
    pub on_error: Vec<Script>,
}

/// One script.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    /// Its file in the site, for messages.
    pub name: String,
    /// Its text, with `#!` line.
    pub content: String,
}

impl std::fmt::Debug for Script {
    /// Without the content, which may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Script").field(&self.name).finish()
    }
}

/// What the machine does when it is installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Finish {
    /// Restarts into the installed system.
    #[default]
    Reboot,
    /// Switches off.
    Poweroff,
}

/// Whether scripts that ironstrap makes may do what an installer can't say itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scripted {
    /// What needs one is refused.
    #[default]
    Refused,
    /// They are made, and listed.
    Allowed,
}
