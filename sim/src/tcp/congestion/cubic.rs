//! CUBIC (RFC 9438).

use super::hystart::HyStart;
use super::{RttSample, Window};
use bellini_core::time::{Duration, Instant};

/// Steepness of the function, in segments a cubic second.
pub const C: f64 = 0.4;
/// What is left of the window after a loss.
pub const BETA: f64 = 0.7;
/// Segments that Reno's window grows by a round trip so that its mean is the same with [`BETA`] (RFC 9438, 4.3).
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// Slowest growth, in windows a segment, where the function is flat or below the window.
const FLAT_WINDOWS: f64 = 100.0;
/// Slowest growth, in segments a segment, as long as no loss has told of the path's capacity.
const UNKNOWN_SEGMENTS: f64 = 20.0;
/// Round trips are not looked at for so long after an epoch began.
const QUIET: Duration = Duration::from_secs(1);

/// What is particular to CUBIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CubicOptions {
    /// Whether slow start may end before a loss (`HyStart`, as in Linux).
    pub hystart: bool,
    /// Whether the window of a Reno flow beside it is thought to leave more at a loss it met (lower `w_max`).
    pub fast_convergence: bool,
    /// Whether the Reno-friendly window grows by a whole segment a round trip once it has reached the window at the
    /// last loss, as RFC 9438 (4.3) says and Linux does not do.
    pub reno_catches_up: bool,
}

impl Default for CubicOptions {
    fn default() -> Self {
        Self { hystart: true, fast_convergence: true, reno_catches_up: false }
    }
}

/// The state of CUBIC on one connection.
#[derive(Clone, Debug)]
pub struct Cubic {
    options: CubicOptions,
    hystart: HyStart,
    /// The window at the last loss; zero before one.
    w_max: f64,
    /// The same without fast convergence.
    prior: f64,
    epoch: Option<Epoch>,
    rtt_min: Option<Duration>,
}

/// What the window follows since the last loss.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    start: Instant,
    /// Seconds until the function is at `origin`.
    k: f64,
    origin: f64,
    /// The window that Reno would have; what is beyond whole segments does not count yet, as in Linux.
    reno: f64,
    /// The window at the last acknowledgement.
    followed: f64,
}

impl Cubic {
    /// Returns it for a new connection.
    #[must_use]
    pub fn new(options: CubicOptions, mss: u32) -> Self {
        Self { options, hystart: HyStart::new(mss), w_max: 0.0, prior: 0.0, epoch: None, rtt_min: None }
    }

    /// Returns W(t) of the epoch under way, in segments, if there is one.
    #[must_use]
    pub fn function_at(&self, at: Instant) -> Option<f64> {
        let epoch = self.epoch?;
        let t = at.saturating_since(epoch.start).as_secs_f64() - epoch.k;
        Some(C * t * t * t + epoch.origin)
    }

    /// Whether the epoch's function, not Reno's window, is what the window follows.
    #[must_use]
    pub fn is_above_reno(&self) -> bool {
        self.epoch.is_some_and(|epoch| epoch.reno < epoch.followed)
    }

    /// Returns the acknowledged segments for which the window grows by one.
    pub(super) fn segments_a_step(&mut self, now: Instant, cwnd: u32, acked: u32) -> f64 {
        let cwnd = f64::from(cwnd);
        let w_max = self.w_max;
        let epoch = self.epoch.get_or_insert_with(|| {
            let below = (w_max - cwnd).max(0.0);
            Epoch {
                start: now,
                k: libm::cbrt(below / C),
                origin: w_max.max(cwnd),
                reno: cwnd,
                followed: cwnd,
            }
        });
        let is_behind = self.options.reno_catches_up && epoch.reno >= self.prior;
        epoch.reno += if is_behind { 1.0 } else { ALPHA } * f64::from(acked) / cwnd;
        let reno = libm::floor(epoch.reno);
        epoch.followed = cwnd;
        // Where the window is to be a round trip from now.
        let target = self.function_at(now + self.rtt_min.unwrap_or_default()).unwrap_or(cwnd);
        let mut every = if target > cwnd { cwnd / (target - cwnd) } else { FLAT_WINDOWS * cwnd };
        if w_max == 0.0 {
            every = every.min(UNKNOWN_SEGMENTS);
        }
        if reno > cwnd {
            every = every.min(cwnd / (reno - cwnd));
        }
        // At most one and a half times the window in a round trip.
        every.max(2.0)
    }

    pub(super) fn on_loss(&mut self, cwnd: u32) -> u32 {
        let window = f64::from(cwnd);
        self.epoch = None;
        let is_lower = self.options.fast_convergence && window < self.w_max;
        self.w_max = if is_lower { window * (1.0 + BETA) / 2.0 } else { window };
        self.prior = window;
        ((window * BETA) as u32).max(2)
    }

    pub(super) fn on_timeout(&mut self, now: Instant, nxt: u64) {
        self.epoch = None;
        (self.w_max, self.prior) = (0.0, 0.0);
        self.rtt_min = None;
        self.hystart = HyStart::new(self.hystart.mss());
        self.hystart.begin_round(now, nxt);
    }

    pub(super) fn on_rtt(&mut self, now: Instant, window: &mut Window, sample: &RttSample) {
        if self.epoch.is_some_and(|epoch| now.saturating_since(epoch.start) < QUIET) {
            return;
        }
        let rtt_min = self.rtt_min.map_or(sample.rtt, |min| min.min(sample.rtt));
        self.rtt_min = Some(rtt_min);
        if self.options.hystart
            && window.is_in_slow_start()
            && self.hystart.on_rtt(now, window.cwnd, rtt_min, sample)
        {
            window.ssthresh = window.cwnd;
        }
    }

    /// Time without traffic does not count: the function goes on where it was.
    pub(super) fn on_restart(&mut self, now: Instant, idle: Duration) {
        if let Some(epoch) = &mut self.epoch {
            epoch.start = (epoch.start + idle).min(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cubic() -> Cubic {
        Cubic::new(CubicOptions::default(), 1_448)
    }

    /// Aim: fast convergence gives way when the capacity has shrunk, and not otherwise.
    #[test]
    fn fast_convergence_lowers_the_origin() {
        let mut cubic = cubic();
        assert_eq!(cubic.on_loss(100), 70);
        assert!((cubic.w_max - 100.0).abs() < 1e-12);
        assert_eq!(cubic.on_loss(80), 56);
        assert!((cubic.w_max - 68.0).abs() < 1e-12);
        cubic.options.fast_convergence = false;
        cubic.on_loss(60);
        assert!((cubic.w_max - 60.0).abs() < 1e-12);
    }

    /// Aim: the window follows W(t) = C (t - K)^3 + `w_max` from its concave to its convex part, whatever the round
    /// trip, where Reno would be slower.
    #[test]
    fn the_window_follows_the_function() {
        for rtt_ms in [40, 100, 200] {
            let mut cubic = cubic();
            let rtt = Duration::from_millis(rtt_ms);
            let sample = RttSample { rtt, srtt: rtt, una: 0, nxt: 0 };
            let mut window = Window::new(1_000);
            cubic.on_rtt(Instant::ZERO, &mut window, &sample);
            let ssthresh = cubic.on_loss(1_000);
            window = Window { cwnd: ssthresh, ssthresh, credit: 0.0 };
            let k = libm::cbrt(300.0 / C);
            let (start, mut now) = (Instant::ZERO, Instant::ZERO);
            while now < Instant::ZERO + Duration::from_secs(18) {
                // One round trip: an acknowledgement a segment, evenly.
                let cwnd = window.cwnd;
                for _ in 0..cwnd {
                    now += Duration::from_nanos(rtt.as_nanos() / u64::from(cwnd));
                    let every = cubic.segments_a_step(now, window.cwnd, 1);
                    window.grow(every, 1);
                }
                let t = now.saturating_since(start).as_secs_f64();
                let due = C * (t - k) * (t - k) * (t - k) + 1_000.0;
                let off = (f64::from(window.cwnd) - due).abs() / due;
                assert!(off < 0.02, "{rtt_ms} ms, {t} s: {} of {due}", window.cwnd);
            }
            assert!(window.cwnd > 1_200, "it went into the convex part");
        }
    }

    /// Aim: on a short path the window grows as Reno's of equal mean would: 0.53 segments a round trip.
    #[test]
    fn short_paths_follow_reno() {
        let mut cubic = cubic();
        let ssthresh = cubic.on_loss(20);
        let mut window = Window { cwnd: ssthresh, ssthresh, credit: 0.0 };
        let mut now = Instant::ZERO;
        for _ in 0..40 {
            for _ in 0..window.cwnd {
                now += Duration::from_micros(100);
                let every = cubic.segments_a_step(now, window.cwnd, 1);
                window.grow(every, 1);
            }
        }
        let due = 14.0 + 40.0 * ALPHA;
        assert!((f64::from(window.cwnd) - due).abs() <= 2.0, "{} of {due}", window.cwnd);
    }
}
