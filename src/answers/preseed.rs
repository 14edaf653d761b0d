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

use super::Prepared;
use super::view::{Misfits, View};
use crate::grammar::preseed::Release;
use crate::host::{Finish, Host, Os, Repository};

/// Bytes that one command of the file may have: the kernel hands a program no longer argument than 128 KiB
/// (`MAX_ARG_STRLEN`), and d-i runs the whole command as one.
const LONGEST_COMMAND: usize = 120_000;

/// Notes what d-i can't do beside what the table says, and adds what only preseed needs.
pub fn prepare(os: Os, host: &Host, view: &mut View, misfits: &mut Misfits) -> Prepared {
    view.script_accounts = true;
    view.kernel_args = kernel_args_of_the_system(host);
    add_time_service(host, view);
    limits::check(host, misfits);
    let storage = partman::plan(host.layout.as_ref(), misfits);
    let kernel_args = kernel_args(host, view);
    limits::check_command_line(&kernel_args, misfits);
    let values = context! {
        suite => suite(os),
        country => country(&host.locale.lang),
        continued => Value::from_safe_string(" \\".to_owned()),
        storage => Value::from(Serde(storage)),
        more_dns => host.network.dns.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>(),
        cards => Value::from(Serde(ifupdown::cards(host))),
        ntp => host.locale.ntp.iter().map(ToString::to_string).collect::<Vec<_>>(),
        remove_packages => host.remove_packages.iter().map(ToString::to_string).collect::<Vec<_>>(),
        repositories => host.repositories.iter().map(|have| repository(os, have)).map(Serde).map(Value::from).collect::<Vec<_>>(),
        proxy => host.proxy.as_ref().map(ToString::to_string),
        grub_password => host.boot.password.as_ref().map(|hash| hash.expose().to_owned()),
        poweroff => host.finish == Finish::Poweroff,
    };
    Prepared { kernel_args, values, document: None }
}

/// The release as its grammar knows it; another family's counts as the oldest.
pub fn release(os: Os) -> Release {
    match os {
        Os::Debian13 => Release::Debian13,
        _ => Release::Debian12,
    }
}

/// The release's name in the archive.
fn suite(os: Os) -> &'static str {
    match os {
        Os::Debian13 => "trixie",
        _ => "bookworm",
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

fn repository(os: Os, have: &Repository) -> Local {
    let Repository { id, url, suite: own, components, key } = have;
    let suite = own.as_deref().unwrap_or(suite(os));
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
pub fn parts(disk: &str, debian: &str, setup: &str) -> Result<Value> {
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
