//! The signals that end a node, or have it ask for its policies again.

use super::Wake;
use crate::console::ConsolePlace;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a node process heeds.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
    /// Whether Ctrl-C ends the node.
    heeds_interrupt: bool,
}

impl Signals {
    /// Catches SIGTERM, SIGHUP and SIGINT from here on. Needs a runtime. A node that is conducted over its standard
    /// input leaves Ctrl-C to whoever conducts it: in a terminal both get it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn catch(place: &ConsolePlace) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
            heeds_interrupt: *place != ConsolePlace::Stdio,
        })
    }

    /// Waits for a signal; for ever, where none is caught.
    pub(super) async fn next(signals: &mut Option<Self>) -> Wake {
        let Some(signals) = signals else { return std::future::pending().await };
        loop {
            tokio::select! {
                Some(()) = signals.terminate.recv() => return Wake::Terminate,
                Some(()) = signals.reload.recv() => return Wake::Reload,
                Some(()) = signals.interrupt.recv() => {
                    if signals.heeds_interrupt {
                        return Wake::Terminate;
                    }
                }
            }
        }
    }
}
