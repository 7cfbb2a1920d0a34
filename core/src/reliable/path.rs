//! One flow to one destination, as its source sees it: round-trip time, delivery rate, window, life.

use super::ReliableConfig;
use crate::time::{Duration, Instant};

/// Timeouts in a row after which a flow is suspected to lead nowhere.
const SUSPECT_AFTER: u32 = 2;
/// Window in terms of the delivery rate times the round trip: one round trip under way, and one to find out with
/// whether there is more (the gain of BBR's window). In one round of a cycle there is none of the second, so that
/// queues of our own making empty and the round trip shows without them.
const WINDOW_GAIN: f64 = 2.0;
const DRAIN_GAIN: f64 = 1.0;
const CYCLE_ROUNDS: u32 = 8;
/// A minimum of the round trip is believed for one to two spans of at least this time and this many rounds.
const LEAST_AGE: Duration = Duration::from_millis(500);
const LEAST_ROUNDS: u64 = 2 * CYCLE_ROUNDS as u64;
/// The maximum of the delivery rate is taken over one to two spans of so many rounds in which the window was full.
const RATE_ROUNDS: u32 = 5;
/// Moments in a round trip at which the count is kept.
const MARKS: usize = 16;

/// Round-trip time by RFC 6298, and its recent minimum.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundTrip {
    smoothed: Option<Duration>,
    variation: Duration,
    /// Minimum of the current span and of the last.
    least: [Option<Duration>; 2],
    span_began: Instant,
}

impl RoundTrip {
    /// Takes a sample (RFC 6298, 2.2 and 2.3).
    pub fn on_sample(&mut self, now: Instant, sample: Duration) {
        match self.smoothed {
            None => {
                self.smoothed = Some(sample);
                self.variation = part(sample, 2);
                self.span_began = now;
            }
            Some(smoothed) => {
                let apart = if smoothed > sample { smoothed - sample } else { sample - smoothed };
                self.variation = part(self.variation.saturating_mul(3) + apart, 4);
                self.smoothed = Some(part(smoothed.saturating_mul(7) + sample, 8));
            }
        }
        let age = LEAST_AGE.max(self.least().unwrap_or(sample).saturating_mul(LEAST_ROUNDS));
        if now.saturating_since(self.span_began) >= age {
            self.least = [None, self.least[0]];
            self.span_began = now;
        }
        self.least[0] = Some(self.least[0].map_or(sample, |least| least.min(sample)));
    }

    /// Returns the smoothed time, once there is a sample.
    #[must_use]
    pub fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// Returns the recent minimum.
    #[must_use]
    pub fn least(&self) -> Option<Duration> {
        self.least.into_iter().flatten().min()
    }

    /// Returns the timeout before any back-off: a second while nothing is known (RFC 6298, 2.1).
    #[must_use]
    pub fn timeout(&self, config: &ReliableConfig) -> Duration {
        let known =
            self.smoothed.map(|smoothed| smoothed + self.variation.saturating_mul(4) + config.ack_delay);
        known.unwrap_or(Duration::from_secs(1)).max(config.timeout_min)
    }
}

/// Delivery rate: packets that a destination got in the last round trip, and the recent maximum of that.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// When how many had arrived; a ring.
    marks: [(Instant, u64); MARKS],
    next_mark: usize,
    marked: usize,
    /// Maximum of the current and of the last span, in packets a second.
    most: [f64; 2],
    round_began: Instant,
    /// Rounds of the cycle.
    rounds: u32,
    /// Whether the window kept something back in the current round, and in how many rounds of the span it did. Where it
    /// did not, the content, not the path, was the limit, and what was reached says nothing against more.
    is_limited: bool,
    limited_rounds: u32,
}

impl Rate {
    /// Begins to count: nothing has arrived.
    pub fn begin(&mut self, now: Instant) {
        *self = Self { round_began: now, ..Self::default() };
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
        if now.saturating_since(self.round_began) >= round {
            self.end_round(now);
        }
    }

    fn end_round(&mut self, now: Instant) {
        self.round_began = now;
        self.rounds = self.rounds.wrapping_add(1);
        self.limited_rounds += u32::from(self.is_limited);
        self.is_limited = false;
        if self.limited_rounds >= RATE_ROUNDS {
            self.most = [0.0, self.most[0]];
            self.limited_rounds = 0;
        }
    }

    /// Returns the maximum, in packets a second.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.most[0].max(self.most[1])
    }

    /// Returns the window's part of the rate times the round trip.
    fn gain(&self) -> f64 {
        if self.rounds % CYCLE_ROUNDS == CYCLE_ROUNDS - 1 { DRAIN_GAIN } else { WINDOW_GAIN }
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

    /// Nothing arrives there any more, as was told.
    pub(super) fn suspect(&mut self, now: Instant) {
        self.timeouts = self.timeouts.max(SUSPECT_AFTER);
        self.progress_at = now;
    }

    /// Returns the packets that may be under way.
    #[inline]
    #[must_use]
    pub fn window(&self, config: &ReliableConfig) -> u32 {
        if self.timeouts > 0 {
            // After a timeout two packets find out if anything arrives still.
            return 2;
        }
        let Some(round) = self.round_trip.least() else { return config.window_packets_min };
        let packets = self.rate.gain() * self.rate.most() * (round + config.ack_delay).as_secs_f64();
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
        let path = Path { round_trip, timeouts: 1, ..Path::default() };
        assert_eq!(path.timeout(&config), ms(300));
        assert_eq!(Path { timeouts: 9, ..path }.timeout(&config), ms(300), "not above the most");
    }

    /// Aim: the window doubles each round trip until the path's rate is reached, and stays at twice its product with
    /// the round trip then. A path of 1,000 packets a second and 50 ms, window of 10 at least.
    #[test]
    fn the_window_finds_the_paths_rate() {
        let config =
            ReliableConfig { window_packets_min: 10, ack_delay: Duration::ZERO, ..ReliableConfig::default() };
        let mut path = Path::default();
        let mut under_way = std::collections::VecDeque::new();
        let mut received = 0;
        let mut windows = Vec::new();
        for tick in 0..1_000_u64 {
            // Each millisecond one packet leaves the bottleneck, 50 ms after it was sent or later; then the window is
            // filled.
            let now = Instant::ZERO + ms(tick);
            if under_way.front().is_some_and(|sent| sent + 50 <= tick) {
                under_way.pop_front();
                received += 1;
                path.on_settled();
                path.on_count(now, received, Some(ms(50)));
            }
            while path.has_room(&config) {
                path.on_sent(now);
                under_way.push_back(tick);
            }
            path.rate.on_limited();
            if tick % 50 == 49 {
                windows.push(path.window(&config));
            }
        }
        assert!(windows.windows(2).all(|pair| pair[1] <= 2 * pair[0] + 2), "{windows:?}");
        assert!(
            windows[8..].iter().all(|window| (96..=104).contains(window) || (48..=52).contains(window)),
            "{windows:?}"
        );
        assert!(windows[6] >= 96, "six doublings: {windows:?}");
        assert!(
            windows.iter().filter(|window| **window <= 52).count() <= 7,
            "one round of eight: {windows:?}"
        );
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
        assert!((rate.most() - 1_000.0).abs() < 1e-6, "one round was limited, none after it");
    }
}
