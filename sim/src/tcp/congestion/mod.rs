//! How large the congestion window is: NewReno and CUBIC, as Linux counts it, in segments.

mod cubic;
mod hystart;

pub use cubic::{BETA, C, Cubic, CubicOptions};
pub use hystart::HyStart;

use super::options::{Controller, Options};
use bellini_core::time::{Duration, Instant};

/// No threshold yet: slow start goes on until a loss.
pub const NO_THRESHOLD: u32 = u32::MAX;

/// The congestion window and what it is steered by, in segments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The window.
    pub cwnd: u32,
    /// Slow start ends here.
    pub ssthresh: u32,
    /// Acknowledged segments that have not made the window grow yet.
    credit: f64,
}

impl Window {
    /// Returns the window of a new connection.
    #[must_use]
    pub const fn new(initial: u32) -> Self {
        Self { cwnd: initial, ssthresh: NO_THRESHOLD, credit: 0.0 }
    }

    /// Whether it is in slow start.
    #[must_use]
    pub const fn is_in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    /// Sets the window; growth begins anew.
    pub fn reset(&mut self, cwnd: u32) {
        self.cwnd = cwnd.max(1);
        self.credit = 0.0;
    }

    /// Grows by one for each acknowledged segment, up to the threshold; returns the segments that are left over.
    fn slow_start(&mut self, acked: u32) -> u32 {
        let cwnd = self.cwnd.saturating_add(acked).min(self.ssthresh);
        let used = cwnd - self.cwnd;
        self.cwnd = cwnd;
        acked - used
    }

    /// Grows by one for each `every` acknowledged segments.
    fn grow(&mut self, every: f64, acked: u32) {
        // What was gathered at a slower pace counts for one step at most.
        if self.credit >= every {
            self.credit = 0.0;
            self.cwnd += 1;
        }
        self.credit += f64::from(acked);
        if self.credit >= every {
            let steps = (self.credit / every) as u32;
            self.credit -= f64::from(steps) * every;
            self.cwnd += steps;
        }
    }
}

/// What an acknowledgement tells of the round trip.
#[derive(Clone, Copy, Debug)]
pub struct RttSample {
    /// Of the last segment that it acknowledged.
    pub rtt: Duration,
    /// The smoothed one.
    pub srtt: Duration,
    /// All before this is acknowledged.
    pub una: u64,
    /// The next to be sent.
    pub nxt: u64,
}

/// A congestion control.
#[derive(Clone, Debug)]
pub enum Congestion {
    /// NewReno.
    Reno,
    /// CUBIC.
    Cubic(Box<Cubic>),
}

impl Congestion {
    /// Returns the one that the options name.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        match options.controller {
            Controller::Reno => Self::Reno,
            Controller::Cubic => Self::Cubic(Box::new(Cubic::new(options.cubic, options.mss))),
        }
    }

    /// `acked` segments were delivered while the window was what limited the sender.
    pub fn on_ack(&mut self, now: Instant, window: &mut Window, acked: u32) {
        let left = if window.is_in_slow_start() { window.slow_start(acked) } else { acked };
        if left == 0 {
            return;
        }
        match self {
            Self::Reno => window.grow(f64::from(window.cwnd), left),
            Self::Cubic(cubic) => {
                let every = cubic.segments_a_step(now, window.cwnd, left);
                window.grow(every, left);
            }
        }
    }

    /// Returns the threshold after a loss at a window of `cwnd`, and begins a new epoch.
    pub fn on_loss(&mut self, cwnd: u32) -> u32 {
        match self {
            Self::Reno => (cwnd / 2).max(2),
            Self::Cubic(cubic) => cubic.on_loss(cwnd),
        }
    }

    /// The retransmission timeout struck.
    pub fn on_timeout(&mut self, now: Instant, nxt: u64) {
        if let Self::Cubic(cubic) = self {
            cubic.on_timeout(now, nxt);
        }
    }

    /// A round trip was measured.
    pub fn on_rtt(&mut self, now: Instant, window: &mut Window, sample: &RttSample) {
        if let Self::Cubic(cubic) = self {
            cubic.on_rtt(now, window, sample);
        }
    }

    /// Sending begins again after `idle` without anything in flight.
    pub fn on_restart(&mut self, now: Instant, idle: Duration) {
        if let Self::Cubic(cubic) = self {
            cubic.on_restart(now, idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: NewReno doubles in slow start, then grows by one segment a window, and halves at a loss.
    #[test]
    fn reno_grows_by_one_a_window() {
        let options = Options { controller: Controller::Reno, ..Options::default() };
        let mut reno = Congestion::new(&options);
        let mut window = Window::new(10);
        reno.on_ack(Instant::ZERO, &mut window, 10);
        assert_eq!(window.cwnd, 20);
        window.ssthresh = 21;
        reno.on_ack(Instant::ZERO, &mut window, 2);
        assert_eq!(window.cwnd, 21, "slow start ends at the threshold");
        for _ in 0..20 {
            reno.on_ack(Instant::ZERO, &mut window, 1);
        }
        assert_eq!(window.cwnd, 22, "one of them was left over from slow start");
        for _ in 0..22 {
            reno.on_ack(Instant::ZERO, &mut window, 1);
        }
        assert_eq!(window.cwnd, 23);
        assert_eq!(reno.on_loss(23), 11);
        assert_eq!(reno.on_loss(3), 2);
    }
}
