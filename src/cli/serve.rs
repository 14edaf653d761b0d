//! `ironstrap serve`: the bundle's files, what is known of orders, and the event sink, by HTTP.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::output;
use crate::serve::{Options, Server};
use crate::site::keys;
use crate::site::paths::SitePaths;
use crate::sys::clock::SystemClock;

/// Serve a PXE tree to targets by HTTP, decide what they boot, and collect their events.
///
/// Events are not authenticated: a forged one can keep a machine from being installed, it can't make one install.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tree that `bundle --pxe` made.
    #[arg(long, value_name = "DIR")]
    pxe: PathBuf,
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Append the access log to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Send no faster than this, for each transfer.
    #[arg(long, value_name = "BYTES_PER_SECOND", hide = true)]
    rate: Option<u64>,
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// A tree that isn't signed by one of the site's keys or isn't whole, a port that is taken, files that can't be written.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let paths = &site_of(paths, &args.pxe);
    let site = paths.clone();
    let options = Options {
        tree: args.pxe.clone(),
        store: paths.store(),
        keys: Arc::new(move || keys::trusted(&site)),
        events: paths.events(),
        forgotten: paths.forgotten(),
        revoked: paths.revoked(),
        listen: args.listen,
        rate: args.rate,
    };
    let log: Box<dyn Write + Send> = match &args.log {
        Some(path) => Box::new(
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .with_context(|| format!("opening the access log {}", path.display()))?,
        ),
        None => Box::new(std::io::stdout()),
    };
    let server = Server::open(&options, Arc::new(SystemClock), log)?;
    output::note(&format!(
        "serving {} files of {} hosts on http://{}; events are kept in {}; stop with Ctrl-C\n",
        server.tree().len(),
        server.tree().orders().count(),
        server.address()?,
        paths.events().display()
    ));
    server.run()
}

/// The site whose memory of events this is. Where the server is started decides nothing: a directory that isn't a site
/// gives way to the one that the tree lies in.
fn site_of(given: &SitePaths, tree: &Path) -> SitePaths {
    let is_site = |root: &Path| root.join("site.yaml").is_file();
    if is_site(given.root()) || given.public_key().is_file() && given.root() != Path::new(".") {
        return given.clone();
    }
    let place = std::path::absolute(tree).unwrap_or_else(|_| tree.to_owned());
    let around = place.ancestors().skip(1).find(|root| is_site(root));
    around.map_or_else(|| given.clone(), SitePaths::new)
}
