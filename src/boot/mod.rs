//! How a machine starts: the agent's kernel command line, GRUB's configuration, DHCP snippets.
//!
//! Templates stand in `netboot/` and are embedded. Each has one escaping owner, the formatter of its environment: a value
//! can't leave the word that it was put in. Nothing here decides whether a machine is wiped; the loader looks for the done
//! file and starts the agent, and the agent asks the signed order. Pure.

pub mod cmdline;
pub mod dhcp;
pub mod dnsmasq;
pub mod grub;
mod template;
