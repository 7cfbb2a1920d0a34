//! A node in a thread of a program's own.

use super::{Daemon, NodeError, Resident};
use crate::console::{Addresses, Console, ConsolePlace, NodeSettings};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use tokio::sync::Notify;

/// Tells a node that its resident has something for it.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Rings. Rings that nobody has heard yet are one.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

/// A node that runs in a thread of this process.
#[derive(Debug)]
pub struct Embedded {
    addresses: Addresses,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Starts a node in a thread of its own, with `resident` in it, which `bell` calls. `ended` hears, on that thread, how it
    /// ended.
    ///
    /// # Errors
    /// When the settings cannot work, or something cannot be opened; `ended` hears nothing then.
    pub fn start(
        settings: NodeSettings,
        resident: Box<dyn Resident>,
        bell: &Bell,
        ended: impl FnOnce(Result<(), NodeError>) + Send + 'static,
    ) -> Result<Self, NodeError> {
        let bell = Arc::clone(&bell.0);
        let (ready, started) = sync_channel(1);
        let open = |what: &str, cause| NodeError::Open { what: what.to_owned(), cause };
        let name = format!("node-{}", settings.config.id);
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(cause) => {
                    let _ = ready.send(Err(open("the runtime", cause)));
                    return;
                }
            };
            runtime.block_on(async {
                let console = Console::open(&ConsolePlace::None);
                let bound = console.map_err(|cause| open("the console", cause));
                match bound.and_then(|console| Daemon::bind(&settings, console)) {
                    Ok(mut daemon) => {
                        let _ = ready.send(Ok(daemon.addresses()));
                        daemon.house(resident, bell);
                        ended(daemon.run(None).await);
                    }
                    Err(error) => _ = ready.send(Err(error)),
                }
            });
        };
        let thread = thread::Builder::new().name(name).spawn(run).map_err(|cause| open("a thread", cause))?;
        let gone = || NodeError::Broken(io::Error::other("its thread ended before it ran"));
        let addresses = started.recv().map_err(|_| gone())??;
        Ok(Self { addresses, thread: Some(thread) })
    }

    /// Returns where other nodes reach it.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Waits until it has ended: its resident told it to.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic there was reported there.
            let _ = thread.join();
        }
    }
}
