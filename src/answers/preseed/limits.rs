//! What d-i can't do with values that fit by themselves: its kernel's command line, its shell, its keymaps.

use crate::answers::dpkg;
use crate::host::{Host, Ipv4, Refusal, Script};

/// More arguments that the kernel hands on make it panic (`MAX_INIT_ENVS` and `MAX_INIT_ARGS` in its `init/main.c`).
const MOST_ARGUMENTS: usize = 32;
/// x86's kernel reads 2,048 characters; the file's address, which stands as `URL` here, needs some of them.
const LONGEST_COMMAND_LINE: usize = 1_800;

/// d-i reads these, and all with a slash, as answers (`/etc/preseed_aliases`, `env2debconf`).
const ALIASES: &str = "priority fb language country locale theme auto classes file url domain hostname interface protocol suite \
    modules recommends tasks desktop dmraid keymap preseed-md5 firmware BOOTIF DEBIAN_FRONTEND";

/// Keymaps of both releases (`keyboard-configuration/xkb-keymap`); those with a variant in brackets can't stand in profiles.
const KEYMAPS: &str = "us al ara bd by be ba br gb bg mm ca cn hr cz dk nl bt epo ee et fi ge de gr il in hu is ie it jp kz kh kg \
    la latam lv lt mk no ir ph pl pt ro ru rs lk sk si es se ch tj th tr ua vn";

/// What runs the scripts in d-i, which has BusyBox and no other shell or language.
const SHELLS: [&str; 4] = ["#!/bin/sh", "#!/bin/ash", "#!/usr/bin/env sh", "#!/bin/busybox sh"];

/// Other services that keep the time, which can't be there beside timesyncd.
const TIME_SERVICES: [&str; 5] = ["chrony", "ntp", "ntpsec", "openntpd", "ntpsec-ntpdate"];

/// Everything but the command line.
pub fn check(host: &Host, refusal: &mut Refusal) {
    check_network(host, refusal);
    check_scripts("pre", &host.scripts.pre, refusal);
    check_scripts("post_outside", &host.scripts.post_outside, refusal);
    if !KEYMAPS.split_whitespace().any(|known| known == host.locale.keyboard) {
        let shown = host.locale.keyboard.escape_debug();
        refusal.add("locale.keyboard", format_args!("has no keymap `{shown}`; it has {KEYMAPS}"));
    }
    for group in host.users.iter().flat_map(|user| &user.groups).filter(|group| group.as_str() == "wheel") {
        refusal.add("users.groups", format_args!("would make a new group `{group}`: Debian's is `sudo`"));
    }
    dpkg::check(host, refusal);
    for service in host
        .packages
        .iter()
        .filter(|name| !host.locale.ntp.is_empty() && TIME_SERVICES.contains(&name.as_str()))
    {
        let why = "gets its time servers through systemd-timesyncd, which can't be installed beside";
        refusal.add("locale.ntp", format_args!("{why} `{service}`: leave one of them out"));
    }
    for arg in &host.kernel_args {
        let arg = arg.to_string();
        let name = arg.split('=').next().unwrap_or(&arg);
        if name.contains('/') || ALIASES.split_whitespace().any(|alias| alias == name) {
            refusal
                .add("kernel_args", format_args!("would read `{arg}` as an answer of its own: leave it out"));
        }
    }
}

fn check_network(host: &Host, refusal: &mut Refusal) {
    let network = &host.network;
    let first = network.interfaces.first().map(|first| &first.link.ipv4);
    if first.is_none_or(|ipv4| *ipv4 == Ipv4::Dhcp) && !network.dns.is_empty() {
        refusal.add(
            "network.dns",
            "takes name servers from DHCP only, unless the address is fixed: leave them out",
        );
    }
    if matches!(first, Some(Ipv4::Static(_))) && network.dns.is_empty() {
        refusal.add("network.dns", "asks for a name server where the address is fixed: name one");
    }
    let domain = host.name.domain();
    if network.search.iter().any(|search| Some(search.as_str()) != domain) {
        refusal.add(
            "network.search",
            "knows one search domain, the host's own: leave it out, or use the hand-off",
        );
    }
}

fn check_scripts(kind: &str, scripts: &[Script], refusal: &mut Refusal) {
    for script in scripts {
        let first = script.content.lines().next().unwrap_or_default();
        let is_shell = SHELLS.iter().any(|shell| {
            first.strip_prefix(shell).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
        if !is_shell {
            let shown = first.escape_debug();
            let key = format!("scripts.{kind}[{}]", script.name.escape_debug());
            refusal.add(&key, format_args!("can't run `{shown}`: it has no shell but `#!/bin/sh`"));
        }
    }
    let bytes: usize = scripts.iter().map(|script| script.content.len().div_ceil(3) * 4).sum();
    if bytes > super::LONGEST_COMMAND / 2 {
        let most = super::LONGEST_COMMAND * 3 / 8;
        refusal.add(
            &format!("scripts.{kind}"),
            format_args!("takes {most} bytes of scripts at most: fetch the rest from a short one"),
        );
    }
}

/// The installer's kernel takes so many arguments and characters.
pub fn check_command_line(args: &[String], refusal: &mut Refusal) {
    if args.len() > MOST_ARGUMENTS {
        refusal.add(
            "kernel_args",
            format_args!("would get {} arguments, of which the kernel takes {MOST_ARGUMENTS}", args.len()),
        );
    }
    let length = args.iter().map(|arg| arg.len() + 1).sum::<usize>();
    if length > LONGEST_COMMAND_LINE {
        refusal.add(
            "kernel_args",
            format_args!(
                "would get a command line of {length} characters, and {LONGEST_COMMAND_LINE} fit beside the address \
                 of the file"
            ),
        );
    }
}
