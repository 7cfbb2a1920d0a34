//! The listing server as a process.

use super::http::Server;
use super::store::{Store, StoreError};
use bellini_core::listing::ListingLimits;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

/// Why a listing server does not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Its store cannot be opened, or failed.
    #[error("store {0}")]
    Store(#[from] StoreError),
    /// It cannot listen.
    #[error("{listen}: {cause}")]
    Listen {
        /// Where it should.
        listen: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The system gives no runtime or signals.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Runs a listing server in this process until SIGTERM or SIGINT; `ready` hears where it listens.
///
/// # Errors
/// When its store or its address cannot be used.
pub fn serve(
    listen: SocketAddr,
    store: &Path,
    limits: ListingLimits,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let (store, listing) = Store::open(store, limits)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let cannot = |cause| ServeError::Listen { listen, cause };
        let server = Server::bind(listen, store, listing).await.map_err(cannot)?;
        ready(server.address().map_err(cannot)?);
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
        };
        Ok(server.run(stop).await?)
    })
}
