//! Kickstart for Enterprise Linux 9.

use minijinja::{Value, context};

use super::view::{Interface, View};

/// Anaconda takes all that a view holds. Returns the kernel arguments that bring up the network and name the file.
pub fn prepare(view: &mut View) -> Vec<String> {
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
