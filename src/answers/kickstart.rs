//! Kickstart for Enterprise Linux and Fedora.
//!
//! Commands are composed here as words ([`line`]), since they hang together in ways that a template can't see; the
//! template orders them and holds the sections. What Anaconda does with each was read in its sources, and the stock validator
//! judges every golden case. The installer has no `base64` of its own (lorax removes it), but it is a Python program.

mod image;
mod line;
mod network;
mod packages;
mod storage;

use anyhow::Result;
use minijinja::value::Serde;
use minijinja::{Value, context};

use super::format::{AnswerFormat, Job, Prepared, Scripts};
use super::template::Escape;
use super::templates::BuiltIn;
use super::view::View;
use crate::grammar::Finding;
use crate::grammar::kickstart::{Release, lint};
use crate::host::{Finish, Fixed, Host, Interface, Ipv4, Ipv6, Link, Refusal, Repository};
use line::Line;

/// The function by which the installer runs the site's scripts.
const RUN: &str = include_str!("kickstart/run.sh");

impl AnswerFormat for Release {
    fn name(&self) -> &'static str {
        "kickstart"
    }

    fn templates(&self) -> &'static [BuiltIn] {
        const FILE: BuiltIn = BuiltIn {
            name: "kickstart.j2",
            text: include_str!("../../templates/kickstart.j2"),
            escape: Escape::Word,
        };
        &[FILE]
    }

    fn prepare(&self, job: &Job<'_>, view: &mut View, refusal: &mut Refusal) -> Result<Prepared> {
        prepare(*self, job, view, refusal)
    }

    /// The scripts stand in their sections as they are.
    fn parts(&self, _: &Job<'_>, _: &View, _: &Prepared, scripts: &Scripts<'_>) -> Result<Value> {
        let safe = |text: &str| Value::from_safe_string(text.trim_end().to_owned());
        Ok(context! { disk_script => safe(&scripts.disk), setup => safe(&scripts.setup) })
    }

    fn lint(&self, text: &str) -> Vec<Finding> {
        lint(text, *self)
    }
}

/// Adds what Kickstart says in its own way, and the kernel arguments that bring up the network and name the file.
fn prepare(release: Release, job: &Job<'_>, view: &mut View, refusal: &mut Refusal) -> Result<Prepared> {
    let Job { site, host, lock, scripted, .. } = *job;
    let consoles = host.boot.consoles.iter().map(|console| format!("console={console}"));
    // the last console named is the one that programs see
    view.kernel_args = consoles.chain(view.kernel_args.drain(..)).collect();
    let network = network::commands(release, host, refusal);
    let storage = storage::commands(release, host, &view.kernel_args, refusal);
    let golden = image::command(site, host, lock, refusal);
    // what the golden image has isn't installed
    let has_packages = host.image.is_none();
    if has_packages {
        packages::check(host, refusal);
    }
    let repositories = host.repositories.iter().filter(|_| has_packages);
    let values = context! {
        version => release.stock_name(),
        scripted => scripted.iter().map(|(key, how)| format!("{key}: {how}")).collect::<Vec<_>>(),
        source => line::in_file(&golden.map_or_else(|| source(host, view), |line| vec![line]))?,
        has_packages => has_packages,
        programs => if has_packages { Vec::new() } else { image::programs(host) },
        clock => line::in_file(&clock(release, host))?,
        network_lines => line::in_file(&network.file)?,
        included_network_lines => line::in_script(&network.included)?,
        cards => Value::from(Serde(&network.cards)),
        additions => Value::from(Serde(&network.additions)),
        storage_lines => line::in_script(&storage)?,
        package_lines => packages::lines(release, host, &view.packages),
        encrypted => host.layout.as_ref().map_or(0, |layout| layout.luks.len()),
        run => Value::from_safe_string(RUN.trim_end().to_owned()),
        repositories => repositories.map(repository).collect::<Vec<_>>(),
        proxy => host.proxy.as_ref().filter(|_| has_packages).map(ToString::to_string),
        finish => match host.finish {
            Finish::Reboot => "reboot",
            Finish::Poweroff => "poweroff",
        },
    };
    Ok(Prepared { kernel_args: kernel_args(host, view), values, document: None })
}

/// Where packages come from. The installer checks no package's signature (`pkg_gpgcheck` in its `dnf_manager`).
fn source(host: &Host, view: &View) -> Vec<Line> {
    let through = |line: Line| host.proxy.iter().fold(line, |line, proxy| line.option("proxy", proxy));
    let mut lines = vec![through(Line::new("url").option("url", &view.mirror.url))];
    lines.extend(host.repositories.iter().map(|repository| {
        through(Line::new("repo").option("name", &repository.id).option("baseurl", &repository.url))
    }));
    lines
}

/// The time zone, and where the time comes from: a command of its own from el-9 on.
fn clock(release: Release, host: &Host) -> Vec<Line> {
    let zone = Line::new("timezone").word(&host.locale.timezone).word("--utc");
    let servers = &host.locale.ntp;
    if release == Release::Rhel8 {
        return vec![zone.list("ntpservers", servers)];
    }
    let sources = servers.iter().map(|server| Line::new("timesource").option("ntp-server", server));
    std::iter::once(zone).chain(sources).collect()
}

/// The lines of a repository's file in the installed system. Without a key of its own dnf still checks signatures, with
/// those that the distribution brings.
fn repository(repository: &Repository) -> Value {
    let Repository { id, url, suite: _, components: _, key } = repository;
    let mut lines = vec![
        format!("[{id}]"),
        format!("name={id}"),
        format!("baseurl={url}"),
        "enabled=1".to_owned(),
        "gpgcheck=1".to_owned(),
    ];
    lines.extend(key.as_ref().map(|key| format!("gpgkey={key}")));
    context! { path => format!("/etc/yum.repos.d/{id}.repo"), lines => lines }
}

/// What brings the installer to its file. With a proxy the tree isn't named: dracut would fetch the file by the proxy as well
/// (`parse-anaconda-options`), and learns tree and proxy from the file's `url`.
fn kernel_args(host: &Host, view: &View) -> Vec<String> {
    let mut args = vec!["inst.ks=URL".to_owned()];
    match (&host.image, &host.proxy) {
        (Some(_), _) => args.push(format!("inst.stage2={}", view.mirror.url)),
        (None, None) => args.push(format!("inst.repo={}", view.mirror.url)),
        (None, Some(_)) => {}
    }
    args.extend(card_args(host));
    args.extend(view.kernel_args.iter().cloned());
    args
}

/// The first card with addresses; one without any is better than none, since DHCP may answer there.
fn card_args(host: &Host) -> Vec<String> {
    let network = &host.network;
    let has_ipv6 = |link: &Link| !matches!(link.ipv6, None | Some(Ipv6::None));
    let has_addresses = |card: &&Interface| card.link.ipv4 != Ipv4::None || has_ipv6(&card.link);
    let Some(card) = network.interfaces.iter().find(has_addresses).or(network.interfaces.first()) else {
        return Vec::new();
    };
    let mut args = vec![format!("BOOTIF=01-{}", card.mac.dashed())];
    let name = host.name.short();
    let servers = || network.dns.iter().map(|server| format!("nameserver={server}"));
    match (&card.link.ipv4, &card.link.ipv6) {
        (Ipv4::Static(Fixed { address, gateway, .. }), _) => {
            let gateway = gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
            args.push(format!("ip={}::{gateway}:{}:{name}::none", address.addr(), address.netmask()));
            args.extend(servers());
        }
        (Ipv4::Dhcp, _) | (Ipv4::None, None | Some(Ipv6::None)) => {}
        (Ipv4::None, Some(Ipv6::Auto)) => args.push("ip=auto6".to_owned()),
        (Ipv4::None, Some(Ipv6::Dhcp)) => args.push("ip=dhcp6".to_owned()),
        (Ipv4::None, Some(Ipv6::Static(Fixed { address, gateway, .. }))) => {
            let gateway = gateway.map(|gateway| format!("[{gateway}]")).unwrap_or_default();
            args.push(format!("ip=[{}]::{gateway}:{}:{name}::none", address.addr(), address.prefix_len()));
            args.extend(servers());
        }
    }
    args
}
