//! A static web server on the loopback: what a Git repository over plain HTTP needs, and nothing of ours.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result};
use tower_http::services::ServeDir;

/// Serves a directory until it is dropped.
#[derive(Debug)]
pub struct Web {
    port: u16,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Web {
    /// Starts serving.
    ///
    /// # Errors
    /// When no port or no thread is to be had.
    pub fn serve(dir: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("listening for the static web server")?;
        listener.set_nonblocking(true).context("setting up the listener")?;
        let port = listener.local_addr().context("asking for the port")?.port();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("starting a runtime")?;
        let app = axum::Router::new().fallback_service(ServeDir::new(dir));
        runtime.spawn(async move {
            if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                let _ = axum::serve(listener, app).await;
            }
        });
        Ok(Self { port, runtime: Some(runtime) })
    }

    /// Where a guest of QEMU's user network finds it.
    pub fn address(&self) -> String {
        format!("http://10.0.2.2:{}", self.port)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
