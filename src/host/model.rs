//! The resolved types.

use crate::spec::image::ImagePin;
use crate::spec::order::{HostMatch, WipePolicy};
use crate::spec::system::{NetworkSpec, RootAccount, User};
use crate::value::{DiskSelector, HostName, HttpUrl, ImageRef, KernelArg};

/// What holds for the whole site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Name for people.
    pub name: String,
    /// Where targets find `serve` (or another web server with the tree): payload, boot decision, events.
    pub server: Option<HttpUrl>,
    /// How long an order is valid after it was armed, in seconds.
    pub order_validity: u64,
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
    /// The golden image it gets; there always with the native installer, never needed by the others.
    pub image: Option<ImageRef>,
    /// The disk it is installed on.
    pub target: DiskSelector,
    /// What may be overwritten there.
    pub wipe: WipePolicy,
    /// Countdown before the first write, in seconds.
    pub confirm_seconds: u32,
    /// Its network.
    pub network: NetworkSpec,
    /// Language, keyboard, time zone.
    pub locale: Locale,
    /// Root.
    pub root: RootAccount,
    /// Its accounts.
    pub users: Vec<User>,
    /// Packages for installers that install packages.
    pub packages: Vec<String>,
    /// Where such installers find the distribution.
    pub mirror: Option<HttpUrl>,
    /// Kernel arguments of the installer and the installed system.
    pub kernel_args: Vec<KernelArg>,
    /// Who takes over.
    pub handoff: Handoff,
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
}

/// Who takes over after the install. *Done* is when its first run reported success.
#[derive(Clone, PartialEq, Eq)]
pub enum Handoff {
    /// Nobody: the host is done when it has booted.
    None,
    /// cloud-init reads this user-data from a NoCloud seed.
    CloudInit {
        /// Cloud-config or another format that cloud-init knows, checked for its first line.
        user_data: String,
    },
    /// `ansible-pull` runs a playbook from a Git repository on the host itself.
    AnsiblePull {
        /// The repository.
        url: HttpUrl,
        /// The playbook in it.
        playbook: String,
        /// Branch, tag or commit; the remote's HEAD where absent.
        revision: Option<String>,
    },
    /// A script runs once as root.
    Script {
        /// Its text, with `#!` line.
        content: String,
    },
}

impl std::fmt::Debug for Handoff {
    /// Without contents, which may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::CloudInit { .. } => f.write_str("CloudInit"),
            Self::AnsiblePull { url, playbook, .. } => write!(f, "AnsiblePull({url}, {playbook})"),
            Self::Script { .. } => f.write_str("Script"),
        }
    }
}

/// A host whose image is pinned: only this can go into a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedHost {
    /// The host.
    pub host: Host,
    /// Its image by content.
    pub image: ImagePin,
}
