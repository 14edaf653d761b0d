//! The agent's kernel command line.

use crate::spec::boot::StartedFrom;
use crate::value::KernelArg;

/// Where the agent's messages go where the host doesn't say: screen and first serial port, the last one being the
/// system console.
const CONSOLES: [&str; 2] = ["console=tty0", "console=ttyS0,115200n8"];
/// A panicking installer starts the machine again instead of hanging for ever.
const PANIC: &str = "panic=60";

/// The words of the command line: ours, the host's, and what the host leaves open.
pub fn agent(way: StartedFrom, host: &[KernelArg]) -> Vec<String> {
    let sets = |prefix: &str| host.iter().any(|arg| arg.as_str().starts_with(prefix));
    let mut words = vec![way.word().to_owned()];
    words.extend(host.iter().map(ToString::to_string));
    if !sets("console=") {
        words.extend(CONSOLES.map(str::to_owned));
    }
    if !sets("panic=") {
        words.push(PANIC.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(host: &[&str]) -> String {
        let host: Vec<KernelArg> = host.iter().map(|arg| arg.parse().unwrap()).collect();
        agent(StartedFrom::Stick, &host).join(" ")
    }

    #[test]
    fn the_host_overrules_consoles_and_panic() {
        assert_eq!(words(&[]), "ironstrap=usb console=tty0 console=ttyS0,115200n8 panic=60");
        assert_eq!(words(&["console=ttyS1", "nomodeset"]), "ironstrap=usb console=ttyS1 nomodeset panic=60");
        assert_eq!(words(&["panic=5", "console=tty1"]), "ironstrap=usb panic=5 console=tty1");
    }
}
