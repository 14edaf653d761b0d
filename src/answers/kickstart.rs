//! Kickstart for Enterprise Linux and Fedora.

use minijinja::{Value, context};

use super::Prepared;
use super::view::{Interface, Misfits, View};
use crate::host::{Host, Os};

/// Adds what Kickstart says in its own way, and the kernel arguments that bring up the network and name the file.
pub fn prepare(_os: Os, _host: &Host, view: &mut View, _misfits: &mut Misfits) -> Prepared {
    Prepared { kernel_args: kernel_args(view), document: None }
}

fn kernel_args(view: &View) -> Vec<String> {
    let mut args = vec!["inst.ks=URL".to_owned(), format!("inst.repo={}", view.mirror.url)];
    args.extend(view.network.interfaces.first().map(|first| format!("BOOTIF={}", first.bootif)));
    if let Some(Interface { ipv4: Some(fixed), .. }) = view.network.interfaces.first() {
        let gateway = fixed.gateway.as_deref().unwrap_or_default();
        args.push(format!("ip={}::{gateway}:{}:{}::none", fixed.address, fixed.netmask, view.host.short));
        args.extend(view.network.dns.iter().map(|server| format!("nameserver={server}")));
    }
    args.extend(view.kernel_args.iter().cloned());
    args
}

/// The scripts stand in their sections as they are.
pub fn parts(disk: &str, setup: &str) -> Value {
    let safe = |text: &str| Value::from_safe_string(text.trim_end().to_owned());
    context! { disk_script => safe(disk), setup => safe(setup) }
}
