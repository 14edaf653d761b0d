//! Preseed for Debian's installer.
//!
//! What d-i must know before it has a network (its own network, the host's name) stands on the kernel's command line, the rest
//! in the file that `url=` names. What no answer can say is done by commands of the file: they report what fails, show it
//! and never exit other than with 0, since d-i would stop with a question that nobody answers.
//!
//! Quirks were read in the installer's own code: netcfg 1.187, partman-auto 162, partman-auto-lvm 91, apt-setup 0.182, pkgsel 0.79.

mod ifupdown;
mod limits;
mod partman;
mod take_over;
#[cfg(test)]
mod tests;

use anyhow::{Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

pub use take_over::take_over;

use super::format::{AnswerFormat, Job, Prepared, Scripts};
use super::template::Escape;
use super::templates::BuiltIn;
use super::view::View;
use crate::grammar::Finding;
use crate::grammar::cmdline::Reader;
use crate::grammar::preseed::{Release, lint};
use crate::host::{Finish, Host, Refusal, Repository};

/// Bytes that one command of the file may have: the kernel hands a program no longer argument than 128 KiB
/// (`MAX_ARG_STRLEN`), and d-i runs the whole command as one.
const LONGEST_COMMAND: usize = 120_000;

impl AnswerFormat for Release {
    fn name(&self) -> &'static str {
        "preseed"
    }

    fn templates(&self) -> &'static [BuiltIn] {
        const FILE: BuiltIn = BuiltIn {
            name: "preseed.j2",
            text: include_str!("../../templates/preseed.j2"),
            escape: Escape::RestOfLine,
        };
        const SCRIPT: BuiltIn = BuiltIn {
            name: "debian.sh.j2",
            text: include_str!("../../templates/debian.sh.j2"),
            escape: Escape::Word,
        };
        &[FILE, SCRIPT]
    }

    fn prepare(&self, job: &Job<'_>, view: &mut View, refusal: &mut Refusal) -> Result<Prepared> {
        Ok(prepare(*self, job.host, view, refusal))
    }

    fn parts(&self, _: &Job<'_>, _: &View, _: &Prepared, scripts: &Scripts<'_>) -> Result<Value> {
        parts(&scripts.disk, &scripts.own("debian.sh.j2")?, &scripts.setup)
    }

    fn lint(&self, text: &str) -> Vec<Finding> {
        lint(text, *self)
    }

    fn command_line(&self) -> Reader {
        Reader::DebianInstaller(*self)
    }
}

/// Notes what d-i can't do beside what the table says, and adds what only preseed needs.
fn prepare(release: Release, host: &Host, view: &mut View, refusal: &mut Refusal) -> Prepared {
    view.script_accounts = true;
    view.kernel_args = kernel_args_of_the_system(host);
    add_time_service(host, view);
    limits::check(host, refusal);
    let storage = partman::plan(host.layout.as_ref(), refusal);
    let kernel_args = kernel_args(host, view);
    limits::check_command_line(&kernel_args, refusal);
    let values = context! {
        suite => suite(release),
        country => country(&host.locale.lang),
        continued => Value::from_safe_string(" \\".to_owned()),
        storage => Value::from(Serde(storage)),
        more_dns => host.network.dns.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>(),
        cards => Value::from(Serde(ifupdown::cards(host))),
        ntp => host.locale.ntp.iter().map(ToString::to_string).collect::<Vec<_>>(),
        remove_packages => host.remove_packages.iter().map(ToString::to_string).collect::<Vec<_>>(),
        repositories => host.repositories.iter().map(|have| repository(release, have)).map(Serde).map(Value::from).collect::<Vec<_>>(),
        proxy => host.proxy.as_ref().map(ToString::to_string),
        grub_password => host.boot.password.as_ref().map(|hash| hash.expose().to_owned()),
        poweroff => host.finish == Finish::Poweroff,
    };
    Prepared { kernel_args, values, document: None }
}

/// The release's name in the archive.
fn suite(release: Release) -> &'static str {
    match release {
        Release::Debian12 => "bookworm",
        Release::Debian13 => "trixie",
    }
}

/// The country of a locale, or what d-i takes where a language has none; without one it would ask.
fn country(lang: &str) -> &str {
    let after = lang.split_once('_').map_or("", |(_, rest)| rest);
    let code = after.split(['.', '@']).next().unwrap_or_default();
    if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) { code } else { "US" }
}

/// One of `apt-setup/localN`.
#[derive(Serialize)]
struct Local {
    /// What stands after `deb` in a sources.list.
    line: String,
    /// Also the name of the key's file.
    comment: String,
    key: Option<String>,
}

fn repository(release: Release, have: &Repository) -> Local {
    let Repository { id, url, suite: own, components, key } = have;
    let suite = own.as_deref().unwrap_or(suite(release));
    let mut line = format!("{url} {suite}");
    // a suite that ends in a slash is a folder, which has no components (sources.list(5))
    if !suite.ends_with('/') {
        let main = || vec!["main".to_owned()];
        let components = if components.is_empty() { main() } else { components.clone() };
        line = format!("{line} {}", components.join(" "));
    }
    Local { line, comment: id.to_string(), key: key.as_ref().map(ToString::to_string) }
}

/// Consoles first, so that the last of them is `/dev/console` unless an argument says otherwise.
fn kernel_args_of_the_system(host: &Host) -> Vec<String> {
    let consoles = host.boot.consoles.iter().map(|console| format!("console={console}"));
    let mut args: Vec<String> = Vec::new();
    for arg in consoles.chain(host.kernel_args.iter().map(ToString::to_string)) {
        if !args.contains(&arg) {
            args.push(arg);
        }
    }
    args
}

/// The servers of `locale.ntp` are told to timesyncd, which must be there then.
fn add_time_service(host: &Host, view: &mut View) {
    let service = "systemd-timesyncd";
    if !host.locale.ntp.is_empty() && !view.packages.iter().any(|have| have == service) {
        view.packages.push(service.to_owned());
    }
}

fn kernel_args(host: &Host, view: &View) -> Vec<String> {
    let mut args: Vec<String> =
        ["auto=true", "priority=critical", "url=URL", "interface=auto"].map(str::to_owned).to_vec();
    args.push(format!("hostname={}", view.host.short));
    // without a value d-i would take DHCP's domain
    args.push(format!("domain={}", view.host.domain));
    if let Some(interface) = view.network.interfaces.first() {
        args.push(format!("BOOTIF={}", interface.bootif));
        if let Some(fixed) = &interface.ipv4 {
            args.push("netcfg/disable_autoconfig=true".to_owned());
            args.push(format!("netcfg/get_ipaddress={}", fixed.address));
            args.push(format!("netcfg/get_netmask={}", fixed.netmask));
            args.push(format!("netcfg/get_gateway={}", fixed.gateway.as_deref().unwrap_or("none")));
            // netcfg wants a blank between servers, which a boot value can't carry: the others come later
            args.push(format!(
                "netcfg/get_nameservers={}",
                view.network.dns.first().map_or("", String::as_str)
            ));
            args.push("netcfg/confirm_static=true".to_owned());
        }
    }
    // of the installer's kernel as well; no `---`, after which d-i would hand them to the system a second time
    args.extend(kernel_args_of_the_system(host));
    args
}

/// The disk script becomes one logical line; the set-up scripts travel in base64, which has nothing to escape. They are two, so
/// that a network card that isn't there doesn't cost the accounts.
///
/// # Errors
/// Scripts and files that are too long for a command.
fn parts(disk: &str, debian: &str, setup: &str) -> Result<Value> {
    let lines: Vec<_> = disk.lines().filter(|line| !line.trim().is_empty()).collect();
    let scripts = [("debian", debian), ("setup", setup)].map(|(name, text)| (name, BASE64.encode(text)));
    let bytes: usize = scripts.iter().map(|(_, base64)| base64.len()).sum();
    if bytes > LONGEST_COMMAND {
        bail!(
            "hand-off files and scripts take {bytes} bytes in `preseed/late_command`, which can have \
             {LONGEST_COMMAND}: fetch the large ones from a script"
        );
    }
    let scripts = scripts.map(|(name, base64)| context! { name => name, base64 => base64 });
    Ok(context! {
        disk_script => Value::from_safe_string(lines.join(" \\\n  ") + " \\"),
        setup_scripts => scripts.to_vec(),
    })
}
