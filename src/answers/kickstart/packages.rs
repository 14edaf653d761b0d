//! What `%packages` says: one environment, and names that are added or left out.

use minijinja::Value;

use crate::grammar::kickstart::Release;
use crate::host::{Host, Refusal};
use crate::value::{PackageKind, PackageName};

/// What opens encrypted devices at the first start.
const CLEVIS: [&str; 3] = ["clevis-dracut", "clevis-luks", "clevis-systemd"];

/// The lines of the section. `all` is what is installed, with what hand-off and accounts can't do without.
///
/// Nothing here needs quotes, and quotes would be part of the name (pykickstart, `Packages.add`): no name holds a blank, a `#` or
/// a `%`, nor begins with a dash.
pub fn lines(release: Release, host: &Host, all: &[String]) -> Vec<Value> {
    let environment = environment(release, host);
    let further = all.iter().map(String::as_str).filter(|name| *name != environment);
    let encrypted = host.layout.as_ref().is_some_and(|layout| !layout.luks.is_empty());
    let clevis = CLEVIS.into_iter().filter(|_| encrypted);
    let installed = std::iter::once(environment).chain(further).chain(clevis).map(str::to_owned);
    let left_out = host.remove_packages.iter().map(|name| format!("-{name}"));
    installed.chain(left_out).map(Value::from_safe_string).collect()
}

/// The group that everything else is added to: the host's, or the smallest there is. Fedora's trees have no small environment.
fn environment(release: Release, host: &Host) -> &str {
    match environments(&host.packages).next() {
        Some(name) => name.as_str(),
        None if release.is_fedora() => "@core",
        None => "@^minimal-environment",
    }
}

fn environments(names: &[PackageName]) -> impl Iterator<Item = &PackageName> {
    names.iter().filter(|name| name.kind() == PackageKind::Environment)
}

/// Notes what Anaconda would make something else of: of two environments it installs the later, and what is left out is left out
/// whichever line comes first.
pub fn check(host: &Host, refusal: &mut Refusal) {
    for package in host.remove_packages.iter().filter(|package| host.packages.contains(package)) {
        refusal.add("remove_packages", format_args!("is told to install `{package}` as well: name it once"));
    }
    for environment in environments(&host.remove_packages) {
        let why =
            format_args!("can't leave out an environment like `{environment}`: name another in `packages`");
        refusal.add("remove_packages", why);
    }
    let mut chosen = environments(&host.packages);
    let first = chosen.next();
    for other in chosen.filter(|other| Some(*other) != first) {
        let first = first.map(PackageName::as_str).unwrap_or_default();
        refusal.add("packages", format_args!("installs one environment, not both `{first}` and `{other}`"));
    }
}
