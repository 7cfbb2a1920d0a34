//! The one timer of a node process: a timerfd, set to the core's deadline.
//!
//! The runtime's own timers have a millisecond's grain; pacing in quanta of 200 us needs a finer one.

use super::clock::NodeClock;
use super::watch::{Watched, watch};
use bellini_core::io::Deadline;
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Rings at a deadline of the core.
#[derive(Debug)]
pub(super) struct DeadlineTimer {
    fd: AsyncFd<Watched<TimerFd>>,
    /// What it is set to.
    set: Option<Deadline>,
}

impl DeadlineTimer {
    /// Returns a timer that is not set. Needs a runtime.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let fd = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Self { fd: watch(fd, Interest::READABLE)?, set: None })
    }

    /// Sets it to `deadline`, unless it is set to that already.
    pub(super) fn arm(&mut self, deadline: Option<Deadline>, clock: &NodeClock) -> io::Result<()> {
        if deadline == self.set {
            return Ok(());
        }
        self.set = deadline;
        let fd = &self.fd.get_ref().0;
        match deadline {
            // Zero would switch it off.
            Some(Deadline { at }) => {
                let wait = clock.until(at).max(Duration::from_nanos(1));
                fd.set(Expiration::OneShot(TimeSpec::from(wait)), TimerSetTimeFlags::empty())?;
            }
            None => fd.unset()?,
        }
        Ok(())
    }

    /// Waits until it rings. It is not set then.
    pub(super) async fn ring(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.fd.readable_mut().await?;
            match ready.get_inner().0.wait() {
                Ok(()) => {
                    self.set = None;
                    return Ok(());
                }
                Err(Errno::EAGAIN | Errno::EINTR) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
