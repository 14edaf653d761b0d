//! What a template may see. These types and nothing else; each text in them was checked or is checked here.
//!
//! Building a view finds all that a format can't say about a host, so that the operator hears of everything at once.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::Serialize;

use super::Seed;
use super::scripts::{self, Scripts};
use crate::host::{Fixed, Host, Ipv4, Refusal, Site};
use crate::spec::order::WipePolicy;
use crate::spec::system::{RootAccount, Sudo, User};
use crate::value::{DiskSelector, SshPublicKey, StorageId};

/// A host as templates see it.
#[derive(Serialize)]
pub struct View {
    /// Version of this ironstrap.
    pub ironstrap: &'static str,
    /// Name of the site.
    pub site: String,
    /// The host's names.
    pub host: Name,
    /// Where the distribution is.
    pub mirror: Mirror,
    /// Language, keyboard, time zone.
    pub locale: LocaleView,
    /// Its network.
    pub network: Network,
    /// The disk that the system is installed on.
    pub disk: Disk,
    /// Further disks of the layout.
    pub disks: Vec<Disk>,
    /// Root.
    pub root: Account,
    /// Accounts.
    pub users: Vec<Account>,
    /// Packages, with those that accounts and hand-off need.
    pub packages: Vec<String>,
    /// Arguments of the installed kernel.
    pub kernel_args: Vec<String>,
    /// The site's own scripts.
    pub scripts: Scripts,
    /// Files of the hand-off.
    pub files: Vec<File>,
    /// Units of the hand-off to enable.
    pub units: Vec<String>,
    /// Whether the set-up script makes the accounts, because the format's own way could stop to ask.
    pub script_accounts: bool,
}

/// Without what is in it: hashes of passwords, files, scripts.
impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("host", &self.host).finish_non_exhaustive()
    }
}

/// `web01.example.com`, `web01`, `example.com` or empty.
#[derive(Debug, Serialize)]
pub struct Name {
    pub name: String,
    pub short: String,
    pub domain: String,
}

/// An address whole and in parts.
#[derive(Debug, Serialize)]
pub struct Mirror {
    pub url: String,
    pub scheme: String,
    /// With the port where one is given.
    pub host: String,
    pub path: String,
}

/// As in the profile.
#[derive(Debug, Serialize)]
pub struct LocaleView {
    pub lang: String,
    pub keyboard: String,
    pub timezone: String,
}

/// Interfaces by hardware address; none means DHCP wherever there is a link.
#[derive(Debug, Serialize)]
pub struct Network {
    pub interfaces: Vec<Interface>,
    pub dns: Vec<String>,
    pub search: Vec<String>,
}

/// One interface.
#[derive(Debug, Serialize)]
pub struct Interface {
    pub mac: String,
    /// `01-` and the address with dashes, as `BOOTIF` wants it.
    pub bootif: String,
    /// Absent with DHCP.
    pub ipv4: Option<Static>,
}

/// A fixed address.
#[derive(Debug, Serialize)]
pub struct Static {
    pub address: String,
    pub prefix: u8,
    pub netmask: String,
    pub gateway: Option<String>,
}

/// What a disk must be; texts in lower case, world-wide names without prefix.
#[derive(Debug, Serialize)]
pub struct Disk {
    /// Its name in the layout; absent for the one that the system is installed on.
    pub id: Option<String>,
    /// Its key in profiles, for messages.
    pub key: String,
    pub serial: Option<String>,
    pub wwn: Option<String>,
    pub min_size: Option<u64>,
    pub max_size: Option<u64>,
    /// Whether it may hold data that nobody claimed.
    pub foreign: bool,
}

/// One account; the password is a hash or absent, and then locked.
#[derive(Serialize)]
pub struct Account {
    pub name: String,
    pub full_name: Option<String>,
    pub uid: Option<u32>,
    pub password: Option<String>,
    pub groups: Vec<String>,
    pub ssh_keys: Vec<String>,
    /// `no`, `password` or `nopasswd`.
    pub sudo: Sudo,
    pub shell: String,
    pub home: String,
}

/// Without the hash.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One file, its content in base64, which every grammar carries.
#[derive(Serialize)]
pub struct File {
    pub path: String,
    pub directory: String,
    /// Octal.
    pub mode: String,
    pub base64: String,
}

/// Without the content.
impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The view of a host; what doesn't fit any installer is noted.
pub fn view(site: &Site, host: &Host, seed: &Seed, refusal: &mut Refusal) -> View {
    check_words(host, refusal);
    View {
        ironstrap: env!("CARGO_PKG_VERSION"),
        site: site.name.clone(),
        host: Name {
            name: host.name.to_string(),
            short: host.name.short().to_owned(),
            domain: host.name.domain().unwrap_or_default().to_owned(),
        },
        mirror: mirror(host, refusal),
        locale: LocaleView {
            lang: host.locale.lang.clone(),
            keyboard: host.locale.keyboard.clone(),
            timezone: host.locale.timezone.clone(),
        },
        network: network(host),
        disk: disk(&host.target, None, host.wipe, refusal),
        disks: disks(host, refusal),
        root: root(&host.root),
        users: host.users.iter().map(user).collect(),
        packages: packages(host),
        kernel_args: host.kernel_args.iter().map(ToString::to_string).collect(),
        scripts: scripts::pack(&host.scripts),
        files: seed.files.iter().filter_map(|file| seed_file(file, refusal)).collect(),
        units: seed.units.clone(),
        script_accounts: false,
    }
}

/// Texts that no type has checked and that stand in the grammar without quotes.
fn check_words(host: &Host, refusal: &mut Refusal) {
    let locale = &host.locale;
    let fields = [
        ("locale.lang", &locale.lang, "_.@-"),
        ("locale.keyboard", &locale.keyboard, "_-"),
        ("locale.timezone", &locale.timezone, "_+-/"),
    ];
    let shells = host.users.iter().map(|user| ("users.shell", &user.shell, "/._-"));
    for (field, text, extra) in fields.into_iter().chain(shells) {
        let legal = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
        if text.is_empty() || !text.chars().all(legal) || text.starts_with('-') {
            let shown = text.escape_debug();
            refusal.add(field, format_args!("can't carry `{shown}` (letters, digits and `{extra}`)"));
        }
    }
}

fn mirror(host: &Host, refusal: &mut Refusal) -> Mirror {
    let Some(url) = &host.mirror else {
        refusal.add("mirror", "needs to know where the distribution is: set `mirror: http://…`");
        return Mirror {
            url: String::new(),
            scheme: String::new(),
            host: String::new(),
            path: String::new(),
        };
    };
    let url = url.to_string();
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", &url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    Mirror {
        url: url.clone(),
        scheme: scheme.to_owned(),
        host: authority.to_owned(),
        path: format!("/{path}"),
    }
}

fn network(host: &Host) -> Network {
    let interface = |interface: &crate::host::Interface| Interface {
        mac: interface.mac.to_string(),
        bootif: format!("01-{}", interface.mac.dashed()),
        ipv4: match &interface.link.ipv4 {
            Ipv4::Dhcp | Ipv4::None => None,
            Ipv4::Static(Fixed { address, gateway, .. }) => Some(Static {
                address: address.addr().to_string(),
                prefix: address.prefix_len(),
                netmask: address.netmask().to_string(),
                gateway: gateway.map(|gateway| gateway.to_string()),
            }),
        },
    };
    Network {
        interfaces: host.network.interfaces.iter().map(interface).collect(),
        dns: host.network.dns.iter().map(ToString::to_string).collect(),
        search: host.network.search.iter().map(ToString::to_string).collect(),
    }
}

fn disk(target: &DiskSelector, id: Option<&StorageId>, wipe: WipePolicy, refusal: &mut Refusal) -> Disk {
    let key = id.map_or_else(|| "storage.target".to_owned(), |id| format!("storage.disks[{id}]"));
    if !target.names_one() {
        refusal.add(&key, "needs the disk's serial or wwn, so that no other disk can match");
    }
    let bare = |wwn: &str| {
        let wwn = wwn.to_ascii_lowercase();
        let wwn = wwn.strip_prefix("wwn-").unwrap_or(&wwn);
        ["0x", "naa.", "eui."].iter().find_map(|prefix| wwn.strip_prefix(prefix)).unwrap_or(wwn).to_owned()
    };
    Disk {
        id: id.map(ToString::to_string),
        key,
        serial: target.serial().map(str::to_ascii_lowercase),
        wwn: target.wwn().map(bare),
        min_size: target.min_size().map(|size| size.as_bytes()),
        max_size: target.max_size().map(|size| size.as_bytes()),
        foreign: wipe.allows_foreign(),
    }
}

/// The table speaks of the target's model only.
fn disks(host: &Host, refusal: &mut Refusal) -> Vec<Disk> {
    let Some(layout) = &host.layout else { return Vec::new() };
    let mut disks = Vec::new();
    for further in &layout.disks {
        let disk = disk(&further.select, Some(&further.id), host.wipe, refusal);
        if further.select.model().is_some() {
            refusal
                .add(&disk.key, "finds a disk by serial or wwn, not by a model pattern: leave `model` out");
        }
        disks.push(disk);
    }
    disks
}

fn keys(keys: &[SshPublicKey]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}

fn root(root: &RootAccount) -> Account {
    Account {
        name: "root".to_owned(),
        full_name: None,
        uid: Some(0),
        password: root.password.as_ref().map(|hash| hash.expose().to_owned()),
        groups: Vec::new(),
        ssh_keys: keys(&root.ssh_keys),
        sudo: Sudo::No,
        shell: "/bin/bash".to_owned(),
        home: "/root".to_owned(),
    }
}

fn user(user: &User) -> Account {
    Account {
        name: user.name.to_string(),
        full_name: user.full_name.as_ref().map(ToString::to_string),
        uid: user.uid,
        password: user.password.as_ref().map(|hash| hash.expose().to_owned()),
        groups: user.groups.iter().map(ToString::to_string).collect(),
        ssh_keys: keys(&user.ssh_keys),
        sudo: user.sudo,
        shell: user.shell.clone(),
        home: format!("/home/{}", user.name),
    }
}

/// What the host asks for, and what its accounts and hand-off can't do without; the same names in both distributions.
fn packages(host: &Host) -> Vec<String> {
    let mut packages: Vec<_> = host.packages.iter().map(ToString::to_string).collect();
    let mut need = |package: &str| {
        if !packages.iter().any(|have| have == package) {
            packages.push(package.to_owned());
        }
    };
    if !host.root.ssh_keys.is_empty() || host.users.iter().any(|user| !user.ssh_keys.is_empty()) {
        need("openssh-server");
    }
    if host.users.iter().any(|user| user.sudo != Sudo::No) {
        need("sudo");
    }
    host.handoff.packages().iter().copied().for_each(need);
    packages
}

fn seed_file(file: &crate::spec::system::SystemFile, refusal: &mut Refusal) -> Option<File> {
    let Some((directory, _)) = file.path.rsplit_once('/').filter(|_| file.path.starts_with('/')) else {
        refusal
            .add("handoff", format_args!("can't write `{}`: not an absolute path", file.path.escape_debug()));
        return None;
    };
    Some(File {
        path: file.path.clone(),
        directory: if directory.is_empty() { "/".to_owned() } else { directory.to_owned() },
        mode: format!("{:04o}", file.mode),
        base64: BASE64.encode(&file.content),
    })
}
