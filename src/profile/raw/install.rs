//! What is installed and done beside disks and network: software, boot, scripts, and how it ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::profile::spanned::{List, Spanned};
use crate::value::{GrubHash, HttpUrl, StorageId};

/// `os:`: which release of which distribution its own installer puts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum RawOs {
    /// Enterprise Linux 8: RHEL, AlmaLinux, Rocky.
    #[serde(rename = "el-8")]
    El8,
    /// Enterprise Linux 9.
    #[serde(rename = "el-9")]
    El9,
    /// Enterprise Linux 10.
    #[serde(rename = "el-10")]
    El10,
    /// Fedora 43.
    #[serde(rename = "fedora-43")]
    Fedora43,
    /// Fedora 44.
    #[serde(rename = "fedora-44")]
    Fedora44,
    /// Fedora 45.
    #[serde(rename = "fedora-45")]
    Fedora45,
    /// Debian 12.
    #[serde(rename = "debian-12")]
    Debian12,
    /// Debian 13.
    #[serde(rename = "debian-13")]
    Debian13,
    /// Ubuntu 22.04.
    #[serde(rename = "ubuntu-22.04")]
    Ubuntu2204,
    /// Ubuntu 24.04.
    #[serde(rename = "ubuntu-24.04")]
    Ubuntu2404,
}

/// One of `repositories`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawRepository {
    /// Its name.
    pub id: Option<Spanned<StorageId>>,
    /// Where it is.
    pub url: Option<Spanned<HttpUrl>>,
    /// Debian and Ubuntu: the suite; the release's own where absent.
    pub suite: Option<Spanned<String>>,
    /// Debian and Ubuntu: the components; `main` where absent.
    pub components: List<String>,
    /// Where the key is that signs it.
    pub key: Option<Spanned<HttpUrl>>,
}

/// `boot:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawBoot {
    /// Consoles of the kernel, such as `ttyS0,115200n8`; the last one is `/dev/console`.
    pub consoles: List<String>,
    /// Hash of the boot loader's password.
    pub password: Option<Spanned<GrubHash>>,
}

/// `scripts:`: files of the site, run in this order.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawScripts {
    /// In the installer, before it touches a disk.
    pub pre: List<String>,
    /// In the installed system, before it boots.
    pub post: List<String>,
    /// In the installer, after the system was installed.
    pub post_outside: List<String>,
    /// In the installed system, when it boots for the first time.
    pub first_boot: List<String>,
    /// In the installer, when it fails.
    pub on_error: List<String>,
}

/// `finish:`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawFinish {
    /// Restart into the installed system.
    Reboot,
    /// Switch off.
    Poweroff,
}

/// `policy:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawPolicy {
    /// Whether scripts that ironstrap makes may do what an installer can't say itself.
    #[schemars(extend("x-default" = false))]
    pub allow_scripted: Option<Spanned<bool>>,
    /// Whether ironstrap's agent takes the bundle's time where the machine's clock is dead and nothing vouches for another one.
    /// Only for machines without a battery, far from the site's server: an order that has expired may then install.
    #[schemars(extend("x-default" = false))]
    pub allow_dead_clock: Option<Spanned<bool>>,
    /// How old the golden image may be, since it was imported or built: like `90d` or `36h`. `check` refuses an older one.
    pub max_age: Option<Spanned<String>>,
    /// Seconds that a machine waits for a hand after ironstrap's agent refused to install, before it boots its own disk or
    /// tries again.
    #[schemars(extend("x-default" = 600))]
    pub refusal_pause: Option<Spanned<u32>>,
}
