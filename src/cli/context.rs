//! The site that a command works on, loaded and resolved, for all commands that need its hosts.

use std::io::IsTerminal;

use anyhow::{Result, bail};

use super::paths::SitePaths;
use super::{lock_file, output};
use crate::host::{self, Host, LockedHost, Site};
use crate::profile::diag::{Report, nearest};
use crate::profile::load;
use crate::spec::lock::LockFile;
use crate::value::HostName;

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

impl SiteContext {
    /// Loads a site. If anything is wrong with it, all of that is printed and none of it is used.
    ///
    /// # Errors
    /// No site, mistakes in it, or files that can't be read.
    pub fn load(paths: &SitePaths) -> Result<Self> {
        let (context, report) = Self::examine(paths)?;
        if !report.diagnostics().is_empty() {
            output::note(&report.render(std::io::stderr().is_terminal()));
            bail!("{}", report.summary());
        }
        Ok(context)
    }

    /// Loads a site and what is wrong with it. With mistakes, the hosts are only those that have none.
    ///
    /// # Errors
    /// No site, or files that can't be read.
    pub fn examine(paths: &SitePaths) -> Result<(Self, Report)> {
        let (shared, mut files) = load::open(paths.root())?;
        let mut resolver = host::Resolver::new(&shared);
        while !files.is_empty() {
            let load::Batch { hosts, texts } = files.read(&shared, BATCH);
            resolver.add(hosts, &texts, files.sources());
        }
        let (sources, found) = files.finish();
        let host::Resolved { site, hosts, diagnostics } = resolver.finish(found);
        let report = Report::new(sources, diagnostics);
        let lock = lock_file::read(paths)?;
        Ok((Self { site, hosts, lock }, report))
    }

    /// The host with this name.
    ///
    /// # Errors
    /// There is none.
    pub fn host(&self, name: &HostName) -> Result<&Host> {
        if let Ok(index) = self.hosts.binary_search_by(|host| host.name.cmp(name)) {
            return Ok(&self.hosts[index]);
        }
        match nearest(name.as_str(), self.hosts.iter().map(|host| host.name.as_str())) {
            Some(near) => bail!("there is no host `{name}`; did you mean `{near}`?"),
            None => bail!("there is no host `{name}`; a host is a file: hosts/{name}.yaml"),
        }
    }

    /// What is pinned.
    pub fn lock(&self) -> &LockFile {
        &self.lock
    }

    /// A host with its image pinned.
    ///
    /// # Errors
    /// It has no image, or `ironstrap.lock` doesn't pin it.
    pub fn locked(&self, host: &Host) -> Result<LockedHost> {
        Ok(host::lock(host, &self.lock)?)
    }
}
