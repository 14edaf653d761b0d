//! The agent's kernel command line.

use crate::spec::boot::StartedFrom;
use crate::spec::installer::{self, AgentStart};
use crate::value::KernelArg;

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
}
