//! One flow to one destination, as its source sees it: round-trip time, delivery rate, window, life.

use super::ReliableConfig;
use crate::time::{Duration, Instant};

/// Timeouts in a row after which a flow is suspected to lead nowhere.
const SUSPECT_AFTER: u32 = 2;
/// Window in terms of the delivery rate times the round trip: one round trip under way, and one to find out with
/// whether there is more (the gain of BBR's window).
const WINDOW_GAIN: f64 = 2.0;
/// A minimum of the round trip is believed for so long.
const RTT_MIN_AGE: Duration = Duration::from_secs(10);
/// Half of the time, in round trips, over which the delivery rate's maximum is taken.
const RATE_ROUNDS: u64 = 5;
/// Moments in a round trip at which the count is kept.
const MARKS: usize = 16;

/// Round-trip time by RFC 6298, and its recent minimum.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundTrip {
    smoothed: Option<Duration>,
    variation: Duration,
    least: Option<(Duration, Instant)>,
}

impl RoundTrip {
    /// Takes a sample (RFC 6298, 2.2 and 2.3).
    pub fn on_sample(&mut self, now: Instant, sample: Duration) {
        match self.smoothed {
            None => {
                self.smoothed = Some(sample);
                self.variation = part(sample, 2);
            }
            Some(smoothed) => {
                let apart = if smoothed > sample { smoothed - sample } else { sample - smoothed };
                self.variation = part(self.variation.saturating_mul(3) + apart, 4);
                self.smoothed = Some(part(smoothed.saturating_mul(7) + sample, 8));
            }
        }
        let is_old = |at: Instant| now.saturating_since(at) > RTT_MIN_AGE;
        if self.least.is_none_or(|(least, at)| sample <= least || is_old(at)) {
            self.least = Some((sample, now));
        }
    }

    /// Returns the smoothed time, once there is a sample.
    #[must_use]
    pub fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// Returns the recent minimum.
    #[must_use]
    pub fn least(&self) -> Option<Duration> {
        self.least.map(|(least, _)| least)
    }

    /// Returns the timeout before any back-off: a second while nothing is known (RFC 6298, 2.1).
    #[must_use]
    pub fn timeout(&self, config: &ReliableConfig) -> Duration {
        let known =
            self.smoothed.map(|smoothed| smoothed + self.variation.saturating_mul(4) + config.ack_delay);
        known.unwrap_or(Duration::from_secs(1)).max(config.timeout_min)
    }
}

/// Delivery rate: packets that a destination got in the last round trip, and the maximum of that over about ten.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// When how many had arrived; a ring.
    marks: [(Instant, u64); MARKS],
    next_mark: usize,
    marked: usize,
    /// Maximum of the current and of the last stretch of rounds, in packets a second.
    most: [f64; 2],
    stretch_began: Instant,
    /// Whether the window kept something back in the current stretch: else the content, not the path, was the limit,
    /// and what it reached says nothing against more.
    is_limited: bool,
}

impl Rate {
    /// Begins to count: nothing has arrived.
    pub fn begin(&mut self, now: Instant) {
        *self = Self { stretch_began: now, ..Self::default() };
        self.mark(now, 0);
    }

    /// Notes that the window kept a packet back.
    #[inline]
    pub fn on_limited(&mut self) {
        self.is_limited = true;
    }

    /// Notes that `received` packets have arrived so far; `round`: the least round trip.
    pub fn on_received(&mut self, now: Instant, received: u64, round: Duration) {
        // The newest mark that lies a round trip back.
        let back = (1..=self.marked)
            .map(|age| self.marks[(self.next_mark + MARKS - age) % MARKS])
            .find(|(at, _)| now.saturating_since(*at) >= round);
        let oldest = self.marks[(self.next_mark + MARKS - self.marked.max(1)) % MARKS];
        let (at, before) = back.unwrap_or(oldest);
        let elapsed = now.saturating_since(at).max(round);
        if !elapsed.is_zero() {
            let rate = received.saturating_sub(before) as f64 / elapsed.as_secs_f64();
            self.most[0] = self.most[0].max(rate);
        }
        let newest = self.marks[(self.next_mark + MARKS - 1) % MARKS].0;
        if self.marked == 0 || now.saturating_since(newest) >= part(round, MARKS as u64 - 4) {
            self.mark(now, received);
        }
        if self.is_limited && now.saturating_since(self.stretch_began) >= round.saturating_mul(RATE_ROUNDS) {
            self.most = [0.0, self.most[0]];
            self.stretch_began = now;
            self.is_limited = false;
        }
    }

    /// Returns the maximum, in packets a second.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.most[0].max(self.most[1])
    }

    fn mark(&mut self, now: Instant, received: u64) {
        self.marks[self.next_mark] = (now, received);
        self.next_mark = (self.next_mark + 1) % MARKS;
        self.marked = (self.marked + 1).min(MARKS);
    }
}

/// One flow to one destination.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// Packets sent and neither acknowledged nor given up.
    pub in_flight: u32,
    /// Place in the flow's list of packets before which all is settled for this destination.
    pub(super) settled: u64,
    /// Highest packet number that arrived.
    pub(super) highest: Option<u64>,
    /// Packets that arrived, by the destination's count (which wraps) made 64 bits wide.
    received: u64,
    /// The destination's count when it was told first or last.
    counted: Option<u32>,
    /// When something of it was last acknowledged, or the first packet after all was settled was sent.
    pub(super) progress_at: Instant,
    /// Its round-trip time.
    pub round_trip: RoundTrip,
    /// Its delivery rate.
    pub rate: Rate,
    /// Timeouts in a row.
    pub timeouts: u32,
}

impl Path {
    /// Returns a path on which nothing was sent before place `settled` of the flow.
    pub(super) fn from_place(settled: u64) -> Self {
        Self { settled, ..Self::default() }
    }

    /// Whether nothing arrives there any more, as far as can be told.
    #[inline]
    #[must_use]
    pub fn is_suspected(&self) -> bool {
        self.timeouts >= SUSPECT_AFTER
    }

    /// Returns the packets that may be under way.
    #[inline]
    #[must_use]
    pub fn window(&self, config: &ReliableConfig) -> u32 {
        let Some(round) = self.round_trip.least() else { return config.window_packets_min };
        let packets = WINDOW_GAIN * self.rate.most() * (round + config.ack_delay).as_secs_f64();
        // A float beyond 32 bits becomes their largest value.
        (packets as u32).clamp(config.window_packets_min, config.window_packets_max)
    }

    /// Whether one more packet may go.
    #[inline]
    #[must_use]
    pub fn has_room(&self, config: &ReliableConfig) -> bool {
        !self.is_suspected() && self.in_flight < self.window(config)
    }

    /// Notes a packet that was sent.
    #[inline]
    pub(super) fn on_sent(&mut self, now: Instant) {
        if self.in_flight == 0 {
            self.progress_at = now;
            if self.counted.is_none() {
                self.rate.begin(now);
            }
        }
        self.in_flight += 1;
    }

    /// Notes that a packet is no longer under way.
    #[inline]
    pub(super) fn on_settled(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Notes what the destination says of the flow: its count, and the round trip of the newest packet if that is known.
    pub(super) fn on_count(&mut self, now: Instant, received: u32, sample: Option<Duration>) {
        if let Some(sample) = sample {
            self.round_trip.on_sample(now, sample);
        }
        // Counts only rise; an older acknowledgement that was overtaken tells nothing.
        let new = received.wrapping_sub(self.counted.unwrap_or(0));
        if new > u32::MAX / 2 {
            return;
        }
        self.counted = Some(received);
        self.received += u64::from(new);
        if let Some(round) = self.round_trip.least() {
            self.rate.on_received(now, self.received, round);
        }
    }

    /// Returns the timeout with its back-off (RFC 6298, 5.5).
    #[must_use]
    pub fn timeout(&self, config: &ReliableConfig) -> Duration {
        let base = self.round_trip.timeout(config);
        let most = config.timeout_max.max(base);
        base.saturating_mul(1 << self.timeouts.min(16)).min(most)
    }
}

/// Returns the `n`th part of a span.
fn part(span: Duration, n: u64) -> Duration {
    Duration::from_nanos(span.as_nanos() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Aim: the numbers of RFC 6298: after the first sample R, the timeout is R + 4 * R/2; then by its weights.
    #[test]
    fn timeouts_are_those_of_rfc_6298() {
        let config = ReliableConfig { ack_delay: Duration::ZERO, ..ReliableConfig::default() };
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.timeout(&config), ms(1_000));
        round_trip.on_sample(Instant::ZERO, ms(100));
        assert_eq!(round_trip.timeout(&config), ms(300));
        round_trip.on_sample(Instant::ZERO, ms(140));
        // SRTT = 105; RTTVAR = 3/4 50 + 1/4 40 = 47.5.
        assert_eq!(round_trip.timeout(&config), ms(105 + 190));
        for _ in 0..100 {
            round_trip.on_sample(Instant::ZERO, ms(10));
        }
        assert_eq!(round_trip.timeout(&config), ms(200), "not below the least");
        let path = Path { round_trip, timeouts: 3, ..Path::default() };
        assert_eq!(path.timeout(&config), ms(1_600));
        assert_eq!(Path { timeouts: 9, ..path }.timeout(&config), ms(2_000), "not above the most");
    }

    /// Aim: the window doubles each round trip until the path's rate is reached, and stays at twice its product with
    /// the round trip then. A path of 1,000 packets a second and 50 ms, window of 10 at least.
    #[test]
    fn the_window_finds_the_paths_rate() {
        let config =
            ReliableConfig { window_packets_min: 10, ack_delay: Duration::ZERO, ..ReliableConfig::default() };
        let mut path = Path::default();
        let mut sent = 0_u32;
        let mut windows = Vec::new();
        for tick in 0..1_000_u64 {
            // Each millisecond: one packet at most arrives of what was sent 50 ms before; then the window is filled.
            let now = Instant::ZERO + ms(tick);
            if tick >= 50 && path.in_flight > 0 {
                path.on_settled();
                path.on_count(now, sent - path.in_flight, Some(ms(50)));
            }
            while path.has_room(&config) {
                path.on_sent(now);
                sent += 1;
            }
            path.rate.on_limited();
            if tick % 50 == 49 {
                windows.push(path.window(&config));
            }
        }
        assert!(windows.windows(2).all(|pair| pair[1] <= 2 * pair[0] + 2), "{windows:?}");
        assert!((96..=104).contains(windows.last().unwrap()), "{windows:?}");
        assert!(windows[6] >= 96, "six doublings: {windows:?}");
    }

    /// Aim: content that pauses does not make the window forget what the path can do.
    #[test]
    fn a_pause_of_the_content_says_nothing_against_the_path() {
        let mut rate = Rate::default();
        rate.begin(Instant::ZERO);
        rate.on_limited();
        rate.on_received(Instant::ZERO + ms(100), 100, ms(100));
        assert!((rate.most() - 1_000.0).abs() < 1e-6);
        for tick in 2..100 {
            rate.on_received(Instant::ZERO + ms(100 * tick), 100 + tick, ms(100));
        }
        assert!((rate.most() - 1_000.0).abs() < 1e-6, "the first stretch ended, none after it");
    }
}
