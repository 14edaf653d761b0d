//! What targets talk to while they boot and install: a bundle's files, what is known of orders, the event sink.
//!
//! Plain HTTP. The set of files is a map that is made from the bundle's signed manifest, at start and whenever another
//! bundle takes its place; a request is a look-up in that map and never becomes a path, so there is nothing to traverse. Everything a target fetches here it
//! verifies itself, by signature or digest: this server needs no trust and any web server can stand in for it.
//!
//! An event counts for a host if its sender shows that it has the host's order ([`proofs`]); any other shows a stranger in `status`.
//! What an event can do is bounded all the same: it makes [`state`] call an order done, and done means that the host boots its
//! own disk. Nothing that is posted can make a machine install or wipe anything, since that takes a signed order, or fill disk
//! and memory.
//!
//! [`state`] is pure. Don't print here: the access log is a writer that is handed in.

mod access;
mod answer;
pub mod boot;
mod connections;
mod conversation;
mod follow;
pub mod forgotten;
pub mod history;
mod http;
pub mod journal;
pub mod key_use;
mod page;
pub mod permit_standing;
mod places;
mod proofs;
mod published;
pub mod report;
mod request;
pub mod revoked;
pub mod standing;
pub mod state;
mod status;
pub mod tree;
mod turns;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::failure::{Blame, BlameExt};
use crate::sys::clock::Clock;
use crate::sys::sockets;

use access::AccessLog;
use connections::Limits;
pub use follow::ReadKeys;
use follow::{Followed, Source};
use forgotten::Watched;
use http::App;
use journal::Journal;
use page::Page;
use places::Places;
use proofs::Proofs;
use revoked::Revoked;
use state::FleetState;
use tree::Tree;
use turns::Turns;

/// How often the tree's place is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Connections that may be waiting to be accepted; the system has a bound of its own.
const BACKLOG: u32 = 4096;
/// Long events that are read at a time, 64 KiB each; those of installs are short.
const LONG_EVENTS: usize = 128;
/// Threads for what may block, and the room of each.
const BLOCKING: usize = 16;
const STACK: usize = 1 << 20;
/// How long transfers may go on after the server was told to stop.
const GRACE: Duration = Duration::from_secs(1);

/// What to serve, and where.
pub struct Options {
    /// The tree that `bundle --pxe` made.
    pub tree: PathBuf,
    /// Where blobs are that the tree doesn't hold itself.
    pub store: PathBuf,
    /// Reads the keys one of which must have signed the tree's manifest.
    pub keys: ReadKeys,
    /// Where events are kept.
    pub events: PathBuf,
    /// The site's list of hosts to forget.
    pub forgotten: PathBuf,
    /// The site's list of revoked orders.
    pub revoked: PathBuf,
    /// Address and port; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Bytes per second and transfer, for tests of slow networks.
    pub rate: Option<u64>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tree, listen, .. } = self;
        f.debug_struct("Options").field("tree", tree).field("listen", listen).finish_non_exhaustive()
    }
}

/// A server that holds its port and has checked what it serves, but doesn't answer yet.
pub struct Server {
    runtime: tokio::runtime::Runtime,
    listener: tokio::net::TcpListener,
    app: Arc<App>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Server {
    /// Verifies the tree, reads the events of former runs and takes the port. The log gets a line a request.
    ///
    /// # Errors
    /// A manifest that none of the keys signed, files that are missing or have another size, an events file that can't be
    /// written or belongs to a running server, a port that is taken.
    pub fn open(
        options: &Options,
        clock: Arc<dyn Clock + Send + Sync>,
        log: Box<dyn Write + Send>,
    ) -> Result<Self> {
        let log = Arc::new(AccessLog::new(log, Arc::clone(&clock)));
        let (tree, store) = (options.tree.clone(), options.store.clone());
        let source = Source { tree, store, keys: Arc::clone(&options.keys) };
        let site = Followed::open(source, Arc::clone(&log))?;
        let mut fleet = FleetState::expecting(site.now().orders());
        let forgotten = Watched::open(&options.forgotten, &mut fleet)?;
        let proofs = Proofs::of(site.now().speakers());
        let revoked = Revoked::open(&options.revoked)?;
        let journal = Journal::open(&options.events, &mut fleet)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_stack_size(STACK)
            .max_blocking_threads(BLOCKING)
            .build()
            .context("starting the server's threads")
            .blame(Blame::Environment)?;
        let listener = runtime
            .block_on(async { listen(options.listen) })
            .with_context(|| bind_sentence(options.listen))
            .blame(Blame::Environment)?;
        let app = App {
            site,
            revoked,
            forgotten: Mutex::new(forgotten),
            fleet: Mutex::new(fleet),
            journal: Mutex::new(journal),
            proofs: Mutex::new(proofs),
            page: Page::default(),
            turns: Turns::default(),
            long_events: Places::new(LONG_EVENTS),
            clock,
            log,
            rate: options.rate,
        };
        Ok(Self { runtime, listener, app: Arc::new(app) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().context("asking for the server's address")
    }

    /// The tree that is served now.
    pub fn tree(&self) -> Arc<Tree> {
        self.app.site.now()
    }

    /// Answers requests until SIGINT or SIGTERM; then transfers get a moment to end, and each leaves its line in the
    /// log, whole or cut.
    ///
    /// # Errors
    /// When the system takes the socket or the signals away.
    pub fn run(self) -> Result<()> {
        let Self { runtime, listener, app } = self;
        let served = runtime.block_on(async {
            let (told, mut stop) = tokio::sync::watch::channel(false);
            let limits = Limits::of(sockets::raise_open_files(), app.rate);
            tokio::spawn(follow(Arc::clone(&app)));
            let server = connections::serve(listener, app, limits, stop.clone());
            let grace_over = async {
                let _ = stop.wait_for(|told| *told).await;
                tokio::time::sleep(GRACE).await;
            };
            let signals = tokio::spawn(async move {
                let heard = stop_signal().await;
                let _ = told.send(true);
                heard
            });
            tokio::select! {
                () = server => {}
                () = grace_over => {}
            }
            signals.await.context("waiting for signals")?
        });
        // cuts what is still going on; the bodies' destructors write their lines
        runtime.shutdown_timeout(GRACE);
        served.blame(Blame::Environment)
    }
}

/// Looks at the tree's place, for ever.
async fn follow(app: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let app = Arc::clone(&app);
        // a panic in it is told by its hook, and the next look is another one
        let _ = tokio::task::spawn_blocking(move || app.look()).await;
    }
}

fn listen(address: SocketAddr) -> std::io::Result<tokio::net::TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    }?;
    // a server that starts again finds its port taken by connections that end
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn stop_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        heard = tokio::signal::ctrl_c() => heard.context("listening for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}

fn bind_sentence(address: SocketAddr) -> String {
    format!(
        "listening on {address} (another program may have the port, ports below 1024 need root, and the address must be this machine's; choose another with --listen)"
    )
}
