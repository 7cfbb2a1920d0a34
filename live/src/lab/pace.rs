//! Letting time pass until something is due or comes in.

use bellini_core::time::{Duration, Instant};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, clock_gettime};
use std::io;
use std::os::fd::AsFd;

/// The machine's monotonic clock, counted from an origin that all processes of a lab share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    origin_ns: i64,
}

impl Clock {
    /// Returns the clock that shows zero when the monotonic clock shows `origin_ns` nanoseconds.
    #[must_use]
    pub const fn new(origin_ns: i64) -> Self {
        Self { origin_ns }
    }

    /// Returns a clock that shows zero now.
    #[must_use]
    pub fn starting_now() -> Self {
        Self::new(nanoseconds(ClockId::CLOCK_MONOTONIC))
    }

    /// Returns what the monotonic clock shows when this one shows zero, in nanoseconds.
    #[must_use]
    pub const fn origin_ns(&self) -> i64 {
        self.origin_ns
    }

    /// Returns the time; zero before the origin.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Instant {
        let since = nanoseconds(ClockId::CLOCK_MONOTONIC) - self.origin_ns;
        Instant::from_nanos(u64::try_from(since).unwrap_or(0))
    }
}

/// Returns the processor time of the calling thread.
pub(super) fn thread_time() -> Duration {
    Duration::from_nanos(nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID).unsigned_abs())
}

#[inline]
fn nanoseconds(clock: ClockId) -> i64 {
    clock_gettime(clock).expect("Linux has these clocks").num_nanoseconds()
}

/// Sleeps until shortly before an instant, and leaves the rest to spinning.
///
/// How long before depends on how late the kernel wakes this thread: the margin follows what was seen, up to a limit.
/// On a busy machine, where a sleeper wakes late whatever it does, spinning takes the processor from those whose work
/// is waited for; the limit bounds that.
#[derive(Debug)]
pub(super) struct Waiter {
    epoll: Epoll,
    clock: Clock,
    margin: u64,
    margin_max: u64,
}

/// Longest sleep: only a bound, for a clock that should not but might stand still.
const SLEEP_MAX_NS: u64 = 1_000_000_000;
/// Readiness that one look returns at most; the rest comes with the next.
const READY_MAX: usize = 64;

impl Waiter {
    /// Returns a waiter of the calling thread that never spins for longer than `spin_max` at a time.
    pub(super) fn new(clock: Clock, spin_max: Duration) -> io::Result<Self> {
        // Without this the kernel may wake the thread 50 us late to save a wakeup.
        nix::sys::prctl::set_timerslack(1)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, clock, margin: spin_max.as_nanos() / 4, margin_max: spin_max.as_nanos() })
    }

    /// Also wakes when `file` has something to read, which is then reported as `token`.
    pub(super) fn watch(&self, file: impl AsFd, token: u64) -> io::Result<()> {
        Ok(self.epoll.add(file, EpollEvent::new(EpollFlags::EPOLLIN, token))?)
    }

    /// Puts the tokens of what has something to read now into `ready`.
    pub(super) fn look(&self, ready: &mut Vec<u64>) -> io::Result<()> {
        ready.clear();
        let mut events = [EpollEvent::empty(); READY_MAX];
        let count = match self.epoll.wait(&mut events, EpollTimeout::ZERO) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        ready.extend(events[..count].iter().map(EpollEvent::data));
        Ok(())
    }

    /// Sleeps until something comes in or `until` is near. When it is near already, returns at once: the caller looks
    /// again and again, which is the spinning. Returns how long it slept.
    pub(super) fn sleep(&mut self, until: Option<Instant>) -> io::Result<Duration> {
        let now = self.clock.now();
        let left = until.map_or(SLEEP_MAX_NS, |until| until.saturating_since(now).as_nanos());
        if left <= self.margin {
            return Ok(Duration::ZERO);
        }
        let sleep = (left - self.margin).min(SLEEP_MAX_NS);
        let mut files = [PollFd::new(self.epoll.0.as_fd(), PollFlags::POLLIN)];
        let woken_by = ppoll(&mut files, Some(TimeSpec::nanoseconds(sleep as i64)), None);
        let slept = self.clock.now().saturating_since(now);
        match woken_by {
            Ok(0) => self.learn(slept.as_nanos().saturating_sub(sleep)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(slept)
    }

    /// Moves the margin towards the lateness that one sleep in 16 exceeds.
    fn learn(&mut self, late: u64) {
        if late > self.margin {
            self.margin = (self.margin + (late - self.margin) / 4).min(self.margin_max);
        } else {
            self.margin -= (self.margin - late) / 64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_follows_the_lateness_that_was_seen() {
        let mut waiter = Waiter::new(Clock::starting_now(), Duration::from_micros(80)).expect("epoll works");
        (0..2_000).for_each(|_| waiter.learn(10_000));
        assert!((9_000..12_000).contains(&waiter.margin), "{}", waiter.margin);
        (0..100).for_each(|_| waiter.learn(5_000_000));
        assert_eq!(waiter.margin, 80_000, "it never passes its limit");
    }

    #[test]
    fn sleeping_ends_when_something_comes_in() {
        // The instant is far off; only the event can wake it.
        let clock = Clock::starting_now();
        let mut waiter = Waiter::new(clock, Duration::from_micros(80)).expect("epoll works");
        let event = nix::sys::eventfd::EventFd::new().expect("eventfd works");
        waiter.watch(&event, 7).expect("it can be watched");
        let mut ready = Vec::new();
        waiter.look(&mut ready).expect("epoll works");
        assert!(ready.is_empty());
        event.write(1).expect("it has room");
        waiter.sleep(Some(clock.now() + Duration::from_millis(900))).expect("ppoll works");
        waiter.look(&mut ready).expect("epoll works");
        assert_eq!(ready, [7]);
        assert!(clock.now() < Instant::ZERO + Duration::from_millis(900));
    }

    #[test]
    fn sleeping_ends_before_what_is_due() {
        let clock = Clock::starting_now();
        let mut waiter = Waiter::new(clock, Duration::from_micros(80)).expect("epoll works");
        waiter.sleep(Some(Instant::ZERO + Duration::from_millis(20))).expect("ppoll works");
        assert!(clock.now() >= Instant::ZERO + Duration::from_millis(15), "it slept");
    }
}
