//! Autoinstall for Ubuntu's server installer (subiquity), as cloud-config from a NoCloud source.
//!
//! What the format says of the host is built as data and written by [`crate::value::yaml`]; the template only frames it, so that a
//! site can add to it. subiquity takes an arbitrary disk where several match, and has no selector for WWNs: the disk is found
//! by our own script in `early-commands`, which puts its name into `/autoinstall.yaml`; the installer reads that again
//! afterwards (subiquity, `Server.start`). Without exactly one match the command fails, and with it the install, before any disk
//! was touched.

mod network;
mod storage;

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use minijinja::{Value, context};
use serde_json::{Map, Value as Json, json};

use super::dpkg;
use super::format::{AnswerFormat, Companion, Job, Prepared, Scripts};
use super::scripts::Script;
use super::template::Escape;
use super::templates::BuiltIn;
use super::view::View;
use crate::grammar::Finding;
use crate::grammar::autoinstall::{Release, lint};
use crate::host::{Finish, Host, Ipv4, Refusal, Repository, Scripted, TARGET};
use crate::value::yaml;

/// The name under which a disk stands until it is found. None is the beginning of another one, and `sed` reads it as it is.
pub(super) fn placeholder(disk: &str) -> String {
    format!("/dev/ironstrap/{disk}/disk")
}

/// One argument of a command may have 128 KiB (Linux, `MAX_ARG_STRLEN`); a longer file goes in pieces.
const PIECE: usize = 64 << 10;

impl AnswerFormat for Release {
    fn name(&self) -> &'static str {
        "autoinstall"
    }

    fn templates(&self) -> &'static [BuiltIn] {
        const FILE: BuiltIn = BuiltIn {
            name: "autoinstall.j2",
            text: include_str!("../../templates/autoinstall.j2"),
            escape: Escape::Yaml,
        };
        &[FILE]
    }

    fn prepare(&self, job: &Job<'_>, view: &mut View, refusal: &mut Refusal) -> Result<Prepared> {
        Ok(prepare(*self, job.host, view, refusal))
    }

    fn parts(&self, job: &Job<'_>, view: &View, prepared: &Prepared, scripts: &Scripts<'_>) -> Result<Value> {
        let document = prepared.document.clone().unwrap_or_default();
        Ok(parts(job.host, view, document, &scripts.disk, &scripts.setup))
    }

    fn lint(&self, text: &str) -> Vec<Finding> {
        lint(text, *self)
    }

    fn companions(&self, host: &Host) -> Vec<Companion> {
        companions(host)
    }
}

/// Notes what subiquity can't do beside what the table says, and adds the kernel arguments.
fn prepare(release: Release, host: &Host, view: &mut View, refusal: &mut Refusal) -> Prepared {
    view.script_accounts = true;
    if host.repositories.iter().any(|repository| repository.key.is_some()) {
        let reason = "fetches no keys by their address: put the key there by a script in `scripts.post`";
        refusal.add("repositories.key", reason);
    }
    if !host.locale.ntp.is_empty() && host.handoff.needs("cloud-init") {
        let reason = "sets time servers through cloud-init, which the hand-off has for itself: set them in its user-data";
        refusal.add("locale.ntp", reason);
    }
    for group in host.users.iter().flat_map(|user| &user.groups).filter(|group| group.as_str() == "wheel") {
        refusal.add("users.groups", format_args!("would make a new group `{group}`: Ubuntu's is `sudo`"));
    }
    dpkg::check(host, refusal);
    let storage = storage::actions(host, refusal);
    // subiquity fills the disk up whatever is left; our own script sees to it that enough is
    let least = |disk: &str| host.layout.as_ref().map_or(0, |layout| storage::least(layout, disk));
    for disk in view.disks.iter_mut().chain([&mut view.disk]) {
        let least = least(disk.id.as_deref().unwrap_or(TARGET));
        disk.min_size = disk.min_size.max((least > 0).then_some(least));
    }
    let mut document = Map::new();
    let mut set = |key: &str, value: Json| _ = document.insert(key.to_owned(), value);
    set("locale", json!(host.locale.lang));
    set("keyboard", json!({ "layout": host.locale.keyboard }));
    set("timezone", json!(host.locale.timezone));
    set("network", network::netplan(&host.network));
    set("storage", json!({ "config": storage, "swap": { "size": 0 } }));
    set("apt", apt(release, host));
    set("packages", json!(view.packages));
    let server = view.packages.iter().any(|name| name == "openssh-server");
    set("ssh", json!({ "install-server": server, "allow-pw": true }));
    set("updates", json!("security"));
    set("user-data", user_data(host));
    set(
        "shutdown",
        json!(match host.finish {
            Finish::Reboot => "reboot",
            Finish::Poweroff => "poweroff",
        }),
    );
    if let Some(proxy) = &host.proxy {
        set("proxy", json!(proxy.to_string()));
    }
    Prepared { kernel_args: kernel_args(host, view), values: context! {}, document: Some(document) }
}

/// `meta-data` must be there, and an empty `vendor-data` saves ten retries.
fn companions(host: &Host) -> Vec<Companion> {
    let meta =
        json!({ "instance-id": format!("ironstrap-{}", host.name), "local-hostname": host.name.short() });
    vec![
        Companion { name: "meta-data", text: yaml::block(&meta, 0) },
        Companion { name: "vendor-data", text: String::new() },
    ]
}

/// The document with its commands, as lines below `autoinstall:`.
fn parts(host: &Host, view: &View, mut document: Map<String, Json>, disk: &str, setup: &str) -> Value {
    let scripts = &view.scripts;
    let mut early: Vec<String> =
        scripts.pre.iter().flat_map(|script| run(script, "/run/ironstrap-pre")).collect();
    let further = view.disks.iter().filter_map(|disk| disk.id.as_deref());
    let found: Vec<_> = std::iter::once(format!("-e \"s|{}|$disk|\"", placeholder(TARGET)))
        .chain(further.map(|id| format!("-e \"s|{}|/dev/$disk_{id}|\"", placeholder(id))))
        .collect();
    early.push(format!(
        "refuse() {{ echo \"ironstrap: refused: $1\" >&2; echo \"ironstrap: refused: $1\" > /dev/console; exit 1; }}\n\
         {disk}\nsed -i {} /autoinstall.yaml",
        found.join(" ")
    ));
    let errors: Vec<_> =
        scripts.on_error.iter().flat_map(|script| run(script, "/run/ironstrap-on-error")).collect();
    document.insert("early-commands".to_owned(), json!(early));
    document.insert("late-commands".to_owned(), json!(late(host, view, setup)));
    document.insert("error-commands".to_owned(), json!(errors));
    let text = yaml::block(&Json::Object(document), 2);
    context! { document => Value::from_safe_string(text.trim_end().to_owned()) }
}

/// What is done to the installed system, in order; a command that fails stops the install and shows why.
fn late(host: &Host, view: &View, setup: &str) -> Vec<String> {
    let short = host.name.short();
    let mut commands = vec![format!(
        "echo {short} > /target/etc/hostname; printf '127.0.0.1 localhost\\n127.0.1.1 %s {short}\\n' {} > /target/etc/hosts",
        host.name
    )];
    if host.handoff.needs("cloud-init") {
        // it binds cloud-init to the installer's own data; the hand-off's seed would never be read
        commands.push("rm -f /target/etc/cloud/cloud.cfg.d/99-installer.cfg".to_owned());
    }
    commands.extend(write("/target/var/lib/ironstrap/setup", setup.as_bytes()));
    commands.push(
        "curtin in-target --target=/target -- sh -c 'sh /var/lib/ironstrap/setup > /var/log/ironstrap-setup.log 2>&1 || { tail -n 20 /var/log/ironstrap-setup.log; exit 1; }'"
            .to_owned(),
    );
    commands.push("rm -f /target/var/lib/ironstrap/setup".to_owned());
    if host.scripted == Scripted::Allowed && !(host.kernel_args.is_empty() && host.boot.consoles.is_empty()) {
        commands.extend(kernel_line(host));
    }
    commands.extend(
        view.scripts.post_outside.iter().flat_map(|script| run(script, "/run/ironstrap-post-outside")),
    );
    commands
}

/// The installed kernel's arguments: types have seen to it that none means anything to a shell.
fn kernel_line(host: &Host) -> Vec<String> {
    let consoles = host.boot.consoles.iter().map(|console| format!("console={console}"));
    let args: Vec<_> = host.kernel_args.iter().map(ToString::to_string).chain(consoles).collect();
    let text = format!("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {}\"\n", args.join(" "));
    let mut commands = write("/target/etc/default/grub.d/ironstrap.cfg", text.as_bytes());
    commands.push("chmod 0644 /target/etc/default/grub.d/ironstrap.cfg".to_owned());
    commands.push("curtin in-target --target=/target -- update-grub".to_owned());
    commands
}

/// Commands that write a file: the content in base64, in pieces.
fn write(path: &str, content: &[u8]) -> Vec<String> {
    let encoded = BASE64.encode(content);
    let directory = path.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let mut commands = vec![format!("mkdir -p {directory}; (umask 077; : > {path}.b64)")];
    for piece in encoded.as_bytes().chunks(PIECE) {
        commands.push(format!("printf %s {} >> {path}.b64", String::from_utf8_lossy(piece)));
    }
    commands.push(format!("(umask 077; base64 -d {path}.b64 > {path}); rm -f {path}.b64"));
    commands
}

/// Commands that run a script of the site in the installer's environment.
fn run(script: &Script, directory: &str) -> Vec<String> {
    let path = format!("{directory}/{}", script.file);
    let content = BASE64.decode(&script.base64).unwrap_or_default();
    let mut commands = write(&path, &content);
    commands.push(format!("chmod 0700 {path}; {path}"));
    commands
}

fn apt(release: Release, host: &Host) -> Json {
    let mut apt = json!({ "preserve_sources_list": false, "geoip": false, "fallback": "abort" });
    let Some(entries) = apt.as_object_mut() else { return apt };
    if let Some(mirror) = &host.mirror {
        let uri = mirror.to_string();
        match release {
            // the first medium of 22.04 doesn't know the newer word
            Release::Ubuntu2204 => {
                entries.insert("primary".to_owned(), json!([{ "arches": ["default"], "uri": uri }]))
            }
            Release::Ubuntu2404 => {
                entries.insert("mirror-selection".to_owned(), json!({ "primary": [{ "uri": uri }] }))
            }
        };
    }
    if !host.repositories.is_empty() {
        let sources: Map<_, _> = host.repositories.iter().map(source).collect();
        entries.insert("sources".to_owned(), sources.into());
    }
    apt
}

/// curtin fills in `$RELEASE` (curtin, `apt_config`).
fn source(repository: &Repository) -> (String, Json) {
    let suite = repository.suite.as_deref().unwrap_or("$RELEASE");
    let components = match &repository.components[..] {
        [] => "main".to_owned(),
        components => components.join(" "),
    };
    let line = format!("deb {} {suite} {components}", repository.url);
    (format!("{}.list", repository.id), json!({ "source": line }))
}

/// cloud-init's part of the first boot. Accounts are made by the set-up script, so that a hand-off to cloud-init has them too.
fn user_data(host: &Host) -> Json {
    let mut data = json!({ "hostname": host.name.short(), "fqdn": host.name.as_str(), "users": [] });
    if let Some(entries) = data.as_object_mut().filter(|_| !host.locale.ntp.is_empty()) {
        let servers: Vec<_> = host.locale.ntp.iter().map(ToString::to_string).collect();
        entries.insert("ntp".to_owned(), json!({ "enabled": true, "servers": servers }));
    }
    data
}

/// casper brings up the network by these before anything can be fetched.
fn kernel_args(host: &Host, view: &View) -> Vec<String> {
    let mut args = vec!["autoinstall".to_owned(), "ds=nocloud;s=URL/".to_owned()];
    args.extend(view.network.interfaces.first().map(|first| format!("BOOTIF={}", first.bootif)));
    match host.network.interfaces.first().map(|first| &first.link.ipv4) {
        Some(Ipv4::Static(fixed)) => {
            let gateway = fixed.gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
            let (address, mask) = (fixed.address.addr(), fixed.address.netmask());
            let dns = host.network.dns.iter().take(2).map(|server| format!(":{server}")).collect::<String>();
            args.push(format!("ip={address}::{gateway}:{mask}:{}::off{dns}", host.name.short()));
        }
        Some(Ipv4::Dhcp | Ipv4::None) | None => args.push("ip=dhcp".to_owned()),
    }
    args
}
