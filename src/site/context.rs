//! The site that a command works on, loaded and resolved, for all commands that need its hosts.

use anyhow::{Result, bail};

use super::lock_file;
use super::paths::SitePaths;
use crate::host::{self, Host, LockedHost, Resolved, Site};
use crate::profile::diag::{Mistakes, Report};
use crate::profile::load;
use crate::profile::source::Sources;
use crate::spec::image::ImagePin;
use crate::spec::lock::LockFile;
use crate::value::{HostName, nearest_of_all};

/// So many hosts are in memory as they were written: enough for all processors, little beside what they become.
const BATCH: usize = 1024;

/// A site without mistakes.
#[derive(Debug)]
pub struct SiteContext {
    /// What holds for the whole site.
    pub site: Site,
    /// Every host, sorted by name.
    pub hosts: Vec<Host>,
    lock: LockFile,
}

/// A site as far as it could be loaded.
#[derive(Debug)]
pub struct Inspected {
    /// The hosts without mistakes; nothing is pinned where the lock file can't be read.
    pub context: SiteContext,
    /// The texts.
    pub sources: Sources,
    /// What there is to say; the hosts are in the context.
    pub resolved: Resolved,
    /// The lock file, or why it can't be read.
    pub lock: Result<LockFile>,
}

impl SiteContext {
    /// Loads a site. If anything is wrong with it, none of it is used.
    ///
    /// # Errors
    /// No site, [`Mistakes`] in it, or files that can't be read.
    pub fn load(paths: &SitePaths) -> Result<Self> {
        let (context, report) = Self::examine(paths)?;
        if !report.diagnostics().is_empty() {
            return Err(Mistakes(report).into());
        }
        Ok(context)
    }

    /// Loads a site and what is wrong with it. With mistakes, the hosts are only those that have none.
    ///
    /// # Errors
    /// No site, or files that can't be read.
    pub fn examine(paths: &SitePaths) -> Result<(Self, Report)> {
        let Inspected { mut context, sources, resolved, lock } = Self::inspect(paths)?;
        context.lock = lock?;
        Ok((context, Report::new(sources, resolved.diagnostics)))
    }

    /// Loads all that can be loaded of a site, and all that there is to say of it.
    ///
    /// # Errors
    /// No site, or a directory that can't be listed.
    pub fn inspect(paths: &SitePaths) -> Result<Inspected> {
        let (shared, mut files) = load::open(paths.root())?;
        let mut resolver = host::Resolver::new(&shared);
        while !files.is_empty() {
            let load::Batch { hosts, texts } = files.read(&shared, BATCH);
            resolver.add(hosts, &texts, files.sources());
        }
        let (sources, found) = files.finish();
        let mut resolved = resolver.finish(found);
        let read = lock_file::read(paths);
        let (site, hosts) = (resolved.site.clone(), std::mem::take(&mut resolved.hosts));
        let context = Self { site, hosts, lock: read.as_ref().ok().cloned().unwrap_or_default() };
        Ok(Inspected { context, sources, resolved, lock: read })
    }

    /// The host with this name.
    ///
    /// # Errors
    /// There is none.
    pub fn host(&self, name: &HostName) -> Result<&Host> {
        if let Ok(index) = self.hosts.binary_search_by(|host| host.name.cmp(name)) {
            return Ok(&self.hosts[index]);
        }
        match nearest_of_all(name.as_str(), self.hosts.iter().map(|host| host.name.as_str())) {
            Some(near) => bail!("there is no host `{name}`; did you mean `{near}`?"),
            None => bail!("there is no host `{name}`; a host is a file: hosts/{name}.yaml"),
        }
    }

    /// What is pinned.
    pub fn lock(&self) -> &LockFile {
        &self.lock
    }

    /// The hosts that ironstrap's agent installs.
    pub fn by_agent(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.agent_start().is_some())
    }

    /// What a host's image is pinned to; `None` where it has none that is.
    pub fn pin(&self, host: &Host) -> Option<ImagePin> {
        host::pin(host, &self.lock).ok()
    }

    /// A host with its image pinned.
    ///
    /// # Errors
    /// It has no image, or `ironstrap.lock` doesn't pin it.
    pub fn locked(&self, host: &Host) -> Result<LockedHost> {
        Ok(host::lock(host, &self.lock)?)
    }
}
