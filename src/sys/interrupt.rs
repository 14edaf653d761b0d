//! Ctrl-C and SIGTERM as a question that long work asks now and then, so that it can clean up before it ends.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow};

use crate::failure::{Blame, BlameExt};

static ASKED: AtomicBool = AtomicBool::new(false);
static WATCHED: OnceLock<()> = OnceLock::new();

/// From now on the two signals don't kill this process; [`check`] tells of them.
///
/// # Errors
/// When the system gives no thread or no signals.
pub fn watch() -> Result<()> {
    if WATCHED.set(()).is_err() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("watching for Ctrl-C")
        .blame(Blame::Environment)?;
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        let _guard = runtime.enter();
        let listen = |kind| signal(kind).context("watching for Ctrl-C").blame(Blame::Environment);
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                ASKED.store(true, Ordering::Relaxed);
            });
        })
        .context("watching for Ctrl-C")
        .blame(Blame::Environment)?;
    Ok(())
}

/// Fails once somebody asked this process to end.
///
/// # Errors
/// Somebody did.
pub fn check() -> Result<()> {
    if ASKED.load(Ordering::Relaxed) {
        return Err(anyhow!("interrupted; nothing unfinished was left behind")).blame(Blame::Environment);
    }
    Ok(())
}
