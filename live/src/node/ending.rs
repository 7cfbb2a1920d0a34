//! How a node ends: its sources stop, what is queued is sent, peers read it, and only then it goes.

use super::Daemon;
use bellini_core::io::Command;
use bellini_core::time::Instant;
use std::time::Duration;
use tokio::time::Instant as HostInstant;

/// How long a node that was told to end sends what is queued.
pub const DRAIN_MAX: Duration = Duration::from_secs(2);
/// And how long it then waits until peers have read what was sent to them.
pub const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// How far a node is that was told to end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// It sends what is queued, until then.
    Draining(HostInstant),
    /// Peers read what was sent to them, until then.
    Farewell(HostInstant),
}

impl Daemon {
    /// Begins to end: sources stop, what is queued is still sent.
    pub(super) fn end(&mut self, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        for key in self.own_sessions() {
            let _ = self.engine.command(now, Command::StopSession(key));
        }
        self.streams.stop_dialling();
        self.ending = Some(Ending::Draining(HostInstant::now() + DRAIN_MAX));
    }

    /// Whether everything has been sent, or took too long.
    pub(super) fn has_ended(&mut self) -> bool {
        let Some(ending) = self.ending else { return false };
        let now = HostInstant::now();
        match ending {
            Ending::Draining(until) => {
                let is_sent = self.engine.node().queued_packets() == 0
                    && self.data.is_flushed()
                    && self.control.is_flushed()
                    && self.streams.is_flushed();
                if is_sent || now >= until {
                    self.streams.shut_down();
                    self.ending = Some(Ending::Farewell(now + FAREWELL_MAX));
                }
                false
            }
            Ending::Farewell(until) => self.streams.is_closed() || now >= until,
        }
    }
}
