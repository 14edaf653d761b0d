//! Every output that is made of a host, read back.

use ironstrap::answers::{self, Format, Seed, Templates};
use ironstrap::boot::cmdline;
use ironstrap::boot::dnsmasq::{self, DhcpHost};
use ironstrap::boot::grub::{self, BootHost};
use ironstrap::grammar::cmdline as line;
use ironstrap::handoff;
use ironstrap::host::{Host, Os, Site};
use ironstrap::spec::boot::StartedFrom;
use ironstrap::spec::installer::AgentStart;
use ironstrap::spec::lock::LockFile;
use serde_json::{Value, json};

use super::readers;
use super::shell::Evidence;

/// What a host is rendered as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An answer file.
    Answers(Os),
    /// Loaders, DHCP and hand-off of a host that our agent installs.
    Native,
}

impl Target {
    pub fn of(name: &str) -> Self {
        match name {
            "native" => Self::Native,
            os => Self::Answers(os.parse().unwrap()),
        }
    }
}

/// Texts for reference readers to judge.
#[derive(Debug, Default)]
pub struct Texts {
    /// Answer files.
    pub answers: Vec<String>,
    /// GRUB's scripts.
    pub grub: Vec<String>,
    /// dnsmasq's configuration.
    pub dnsmasq: Vec<String>,
}

/// Renders a host and reads the result.
///
/// # Errors
/// `Ok(Err)`: what the product refuses. `Err`: what a reader can't read, which is a bug.
pub fn render(
    target: Target,
    templates: &Templates,
    site: &Site,
    host: &Host,
    evidence: &mut Evidence,
    texts: &mut Texts,
) -> Result<Result<Value, String>, String> {
    let seed = match handoff::seed(host, site) {
        Ok((files, units)) => Seed { files, units },
        Err(error) => return Ok(Err(format!("{error:#}"))),
    };
    match target {
        Target::Answers(os) => {
            match answers::render(os, site, host, &LockFile::default(), &seed, templates) {
                Err(error) => Ok(Err(format!("{error:#}"))),
                Ok(answers) => {
                    let tree = readers::answers(Format::of_release(os), &answers, evidence)?;
                    texts.answers.push(answers.text);
                    Ok(Ok(tree))
                }
            }
        }
        Target::Native => match boot(host, texts) {
            Err(error) => Ok(Err(format!("{error:#}"))),
            Ok(scripts) => {
                let grub: Result<Vec<_>, String> =
                    scripts.iter().map(|(path, text)| Ok(json!([path, readers::grub(text)?]))).collect();
                let files = seed.files.iter().map(|file| {
                    let content = readers::handoff_file(&file.path, &file.content, evidence)?;
                    Ok(json!([file.path, file.mode, content]))
                });
                let files: Result<Vec<_>, String> = files.collect();
                let words = cmdline::agent(StartedFrom::Stick, AgentStart::Kernel, &[&host.kernel_args]);
                let whole = words.join(" ");
                let split: Vec<_> = line::split(&whole).iter().map(|parameter| parameter.text).collect();
                let dnsmasq = texts.dnsmasq.last().map(|text| readers::dnsmasq(text));
                Ok(Ok(
                    json!({ "grub": grub?, "files": files?, "units": seed.units, "line": split, "dnsmasq": dnsmasq }),
                ))
            }
        },
    }
}

fn boot(host: &Host, texts: &mut Texts) -> anyhow::Result<Vec<(String, String)>> {
    let boot = BootHost {
        host: host.name.clone(),
        order: "0123456789abcdef0123456789abcdef".parse()?,
        matching: host.matching.clone(),
        interfaces: host.network.interfaces.iter().map(|card| card.mac).collect(),
        start: AgentStart::Kernel,
        kernel_args: host.kernel_args.clone(),
    };
    let mut scripts = vec![("usb".to_owned(), grub::usb(AgentStart::Kernel, std::slice::from_ref(&boot))?)];
    scripts
        .extend(grub::pxe(std::slice::from_ref(&boot))?.into_iter().map(|script| (script.path, script.text)));
    scripts.push(("host".to_owned(), grub::pxe_host(&boot)?));
    let network = host.network.for_agent();
    let dhcp = DhcpHost { host: host.name.clone(), matching: host.matching.clone(), network, server: None };
    texts.dnsmasq.push(dnsmasq::config(dnsmasq::Role::Server, &[dhcp])?);
    texts.grub.extend(scripts.iter().map(|(_, text)| text.clone()));
    Ok(scripts)
}
