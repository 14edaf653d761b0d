//! The agent's kernel command line.

use anyhow::{Result, ensure};

use crate::spec::boot::StartedFrom;
use crate::spec::installer::{self, AgentStart};
use crate::value::{HostName, KernelArg};

/// Where the agent's messages go where a host doesn't say: screen and first serial port, the last one being the
/// system console.
const CONSOLES: [&str; 2] = ["console=tty0", "console=ttyS0,115200n8"];
/// A panicking installer starts the machine again instead of hanging for ever.
const PANIC: &str = "panic=60";

/// The words of the command line for a medium that starts any of these hosts, each with its arguments: ours, the installer's where
/// one starts the agent, theirs, each once, and what they leave open. A console of one host must not silence another host's screen, so the usual ones are
/// there unless every host names its own.
pub fn agent(way: StartedFrom, start: AgentStart, hosts: &[&[KernelArg]]) -> Vec<String> {
    let mut words = vec![way.word().to_owned()];
    if let AgentStart::Installer(_) = start {
        words.extend(installer::WORDS.map(str::to_owned));
    }
    for arg in hosts.iter().copied().flatten().map(KernelArg::as_str) {
        if !words.iter().any(|word| word == arg) {
            words.push(arg.to_owned());
        }
    }
    let device = |word: &str| word.split(',').next().map(str::to_owned);
    let sets = |host: &&[KernelArg], prefix: &str| host.iter().any(|arg| arg.as_str().starts_with(prefix));
    if !hosts.iter().all(|host| sets(host, "console=")) || hosts.is_empty() {
        for console in CONSOLES {
            if !words.iter().any(|word| device(word) == device(console)) {
                words.push(console.to_owned());
            }
        }
    }
    if !hosts.iter().any(|host| sets(host, "panic=")) {
        words.push(PANIC.to_owned());
    }
    words
}

/// What would replace or delay the installer's hand-over, beside answers to its questions: another first process, another preseed,
/// or how much it asks.
const INSTALLERS_OWN: [&str; 8] =
    ["auto", "BOOT_DEBUG", "file", "init", "preseed-md5", "priority", "rdinit", "url"];

/// Refuses arguments of a host that would keep the installer from handing the machine over. Whatever its command line answers
/// counts for more than the preseed in its initrd (`env2debconf` runs after `initrd-preseed`, and before `preseed/early_command`
/// does), so that it could go on by itself, without an order.
///
/// # Errors
/// All such arguments.
pub fn check(host: &HostName, start: AgentStart, args: &[KernelArg]) -> Result<()> {
    let Some(release) = start.installer() else { return Ok(()) };
    let names = args.iter().filter_map(|arg| arg.as_str().split('=').next());
    // no argument of the kernel has a slash in its name; all questions of debconf have
    let refused: Vec<_> = names.filter(|name| name.contains('/') || INSTALLERS_OWN.contains(name)).collect();
    ensure!(
        refused.is_empty(),
        "{host}: kernel_args: {} would keep {release}'s installer from handing the machine over; \
         the golden image is installed by ironstrap's agent, which such arguments don't reach: take them out",
        refused.iter().map(|name| format!("`{}`", name.escape_debug())).collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(host: &[&str]) -> String {
        let host: Vec<KernelArg> = host.iter().map(|arg| arg.parse().unwrap()).collect();
        agent(StartedFrom::Stick, AgentStart::Kernel, &[&host]).join(" ")
    }

    #[test]
    fn a_console_of_one_host_does_not_silence_another_one() {
        let args =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<KernelArg>>();
        let (serial, open, both) =
            (args(&["console=ttyS1"]), args(&["quiet"]), args(&["console=tty0", "quiet"]));
        let words =
            |hosts: &[&[KernelArg]]| agent(StartedFrom::Stick, AgentStart::Kernel, hosts)[1..].join(" ");
        assert_eq!(
            words(&[&serial, &open]),
            "console=ttyS1 quiet console=tty0 console=ttyS0,115200n8 panic=60"
        );
        assert_eq!(words(&[&open, &both]), "quiet console=tty0 console=ttyS0,115200n8 panic=60");
        assert_eq!(words(&[&serial, &both]), "console=ttyS1 console=tty0 quiet panic=60");
    }

    #[test]
    fn the_host_overrules_consoles_and_panic() {
        assert_eq!(words(&[]), "ironstrap=usb console=tty0 console=ttyS0,115200n8 panic=60");
        let debian = AgentStart::Installer(installer::DebianRelease::Debian12);
        assert_eq!(
            agent(StartedFrom::Network, debian, &[]).join(" "),
            "ironstrap=pxe auto=true priority=critical console=tty0 console=ttyS0,115200n8 panic=60"
        );
        assert_eq!(words(&["console=ttyS1", "nomodeset"]), "ironstrap=usb console=ttyS1 nomodeset panic=60");
        assert_eq!(words(&["panic=5", "console=tty1"]), "ironstrap=usb panic=5 console=tty1");
    }

    #[test]
    fn no_argument_may_keep_the_installer_from_handing_over() {
        let host = "web01".parse().unwrap();
        let debian = AgentStart::Installer(installer::DebianRelease::Debian12);
        for arg in [
            "preseed/early_command=true",
            "d-i:preseed/early_command=true",
            "rescue/enable=true",
            "rdinit=/bin/sh",
            "init=/bin/sh",
            "url=http://192.0.2.1/p",
            "auto=false",
            "BOOT_DEBUG=3",
        ] {
            let args = [arg.parse().unwrap()];
            let error = check(&host, debian, &args).unwrap_err().to_string();
            let name = arg.split('=').next().unwrap();
            assert!(
                error.starts_with(&format!("web01: kernel_args: `{name}` would keep debian-12")),
                "{error}"
            );
            assert!(check(&host, AgentStart::Kernel, &args).is_ok(), "{arg}");
        }
        let usual: Vec<KernelArg> = ["console=ttyS1,115200", "quiet", "root=/dev/sda1"]
            .iter()
            .map(|arg| arg.parse().unwrap())
            .collect();
        assert!(check(&host, debian, &usual).is_ok());
    }
}
