//! Which names apt takes for one package, for both installers that hand them to it.

use crate::host::{Host, Refusal};
use crate::value::PackageName;

/// Notes what Debian's and Ubuntu's installers would not find, or apt would read as a pattern.
pub fn check(host: &Host, refusal: &mut Refusal) {
    for (key, names) in [("packages", &host.packages), ("remove_packages", &host.remove_packages)] {
        for name in names.iter().filter(|name| !is_package(name)) {
            refusal.add(key, format_args!("has no package that could be called `{name}`"));
        }
    }
}

/// Debian policy, section 5.6.1; an architecture may follow.
fn is_package(name: &PackageName) -> bool {
    let name = name.as_str().split(':').next().unwrap_or_default();
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}
