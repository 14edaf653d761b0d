//! Answer files joined with what hand-offs add: for one host, and as a check of all of them.

use anyhow::{Error, Result};

use super::origin;
use crate::answers::{self, Answers, Seed, Templates};
use crate::grammar::Finding;
use crate::handoff;
use crate::host::{Host, Os};
use crate::site::context::SiteContext;
use crate::site::paths::SitePaths;
use crate::sys::files;
use crate::value::HostName;

/// Longest template of a site.
const MAX_TEMPLATE: u64 = 1 << 20;

/// What comes of rendering every host that a distribution's installer installs.
#[derive(Debug, Default)]
pub struct Rendered {
    /// What is wrong, a text a host.
    pub refused: Vec<String>,
    /// What would be wrong, and the site waives it.
    pub waived: Vec<(HostName, Finding)>,
}

/// What comes of some hosts: errors, and findings that are waived.
type Share = (Vec<Error>, Vec<(HostName, Finding)>);

/// Renders every host that a distribution's installer installs.
///
/// # Errors
/// Templates of the site that can't be read.
pub fn check(paths: &SitePaths, context: &SiteContext) -> Result<Rendered> {
    let templates = templates(paths)?;
    let answered: Vec<_> = context.hosts.iter().filter(|host| host.agent_start().is_none()).collect();
    let check_share = |hosts: &[&Host]| -> Share {
        let (mut errors, mut waived) = (Vec::new(), Vec::new());
        for host in hosts {
            let Some(os) = host.os else { continue };
            match answers_of(os, context, host, &templates) {
                Ok(answers) => {
                    waived.extend(answers.waived.into_iter().map(|finding| (host.name.clone(), finding)));
                }
                Err(error) => errors.push(error),
            }
        }
        (errors, waived)
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = answered.len().div_ceil(workers).max(1);
    let (errors, waived): (Vec<_>, Vec<_>) = std::thread::scope(|scope| {
        let threads: Vec<_> =
            answered.chunks(share).map(|hosts| (hosts, scope.spawn(move || check_share(hosts)))).collect();
        // a thread that panicked left nothing: its share is checked again here, where the panic is everybody's
        let join = |(hosts, thread): (&[&Host], std::thread::ScopedJoinHandle<'_, Share>)| {
            thread.join().unwrap_or_else(|_| check_share(hosts))
        };
        threads.into_iter().map(join).unzip()
    });
    let errors = errors.into_iter().flatten().collect();
    let refused = origin::explain_all(errors, paths).into_iter().map(|error| format!("{error:#}")).collect();
    Ok(Rendered { refused, waived: waived.into_iter().flatten().collect() })
}

/// The templates in use: the site's where it has them.
///
/// # Errors
/// One that can't be read.
pub fn templates(paths: &SitePaths) -> Result<Templates> {
    Templates::new(|name| files::read_text_if_there(&paths.templates().join(name), MAX_TEMPLATE))
}

/// A host's answer files, with what its hand-off adds.
///
/// # Errors
/// A host that the format can't say, a template that fails, a file that its installer would refuse.
pub fn answers_of(os: Os, context: &SiteContext, host: &Host, templates: &Templates) -> Result<Answers> {
    let site = &context.site;
    let (files, units) = handoff::seed(host, site)?;
    Ok(answers::render(os, site, host, context.lock(), &Seed { files, units }, templates)?)
}
