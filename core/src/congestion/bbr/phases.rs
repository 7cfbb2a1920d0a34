//! The phases of the machine and their gains.

use crate::time::{Duration, Instant};

/// What the machine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Find the rate: double it every round trip.
    Startup,
    /// Let the queue go that finding it made.
    Drain,
    /// Send a little less than the path carries, so that the queue of the probe goes, and others find room.
    Down,
    /// Send what the path carries.
    Cruise,
    /// Fill the path for one round without the bounds of the present, so that the probe tests the path and not them.
    Refill,
    /// Probe: send more than the path is known to carry.
    Up,
    /// Keep little under way, so that every queue goes and the round trip shows the path.
    ProbeRtt,
}

impl Phase {
    /// The pacing gain: how much of the estimated rate is sent.
    pub(super) const fn pacing_gain(self) -> f64 {
        match self {
            // 2 / ln 2: the smallest gain that doubles the rate every round trip (the CACM article, BBRv2).
            Self::Startup => 2.885,
            Self::Drain => 1.0 / 2.885,
            Self::Down => 0.9,
            Self::Cruise | Self::Refill | Self::ProbeRtt => 1.0,
            Self::Up => 1.25,
        }
    }

    /// How many bandwidth-delay products may be under way.
    pub(super) const fn inflight_gain(self) -> f64 {
        match self {
            Self::Startup | Self::Drain => 2.885,
            Self::Down | Self::Cruise | Self::Refill => 2.0,
            Self::Up => 2.25,
            Self::ProbeRtt => 0.5,
        }
    }
}

/// Whether the rate still grows: it is full once it grew by less than a quarter in three rounds
/// (draft-ietf-ccwg-bbr, `BBR.full_bw_cnt`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plateau {
    rate: f64,
    rounds: u32,
}

impl Plateau {
    /// Takes the rate at a round's end and returns whether it is full.
    pub(super) fn is_full(&mut self, rate: f64) -> bool {
        if rate >= 1.25 * self.rate {
            *self = Self { rate, rounds: 0 };
            return false;
        }
        self.rounds += 1;
        self.rounds >= 3
    }

    /// Whether the last round brought no growth.
    pub(super) fn is_flat(&self) -> bool {
        self.rounds > 0
    }
}

/// When to probe next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cycle {
    began_at: Instant,
    wait: Duration,
    rounds: u32,
    count: u64,
    salt: u64,
}

impl Cycle {
    pub(super) fn new(salt: u64) -> Self {
        Self { began_at: Instant::ZERO, wait: Duration::ZERO, rounds: 0, count: 0, salt }
    }

    /// Begins a cycle: the next probe comes after 2 to 3 s (draft-ietf-ccwg-bbr, `BBR.bw_probe_wait`), so that flows
    /// do not probe together. The draft draws; here the time follows from the connection and the cycle's number.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began_at = now;
        self.rounds = 0;
        self.count = self.count.wrapping_add(1);
        let mixed = mix(self.salt.wrapping_add(self.count.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        self.wait = Duration::from_millis(2_000 + mixed % 1_000);
    }

    /// A round of the cycle passed.
    pub(super) fn on_round(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
    }

    /// Whether to probe: the wait is over, or as many rounds passed as a loss-based sender with `frames` under way
    /// would take to regain what a loss cost it, 63 at most (draft-ietf-ccwg-bbr, coexistence with Reno).
    pub(super) fn is_over(&self, now: Instant, frames: u64) -> bool {
        now.saturating_since(self.began_at) >= self.wait || u64::from(self.rounds) >= frames.clamp(4, 63)
    }
}

/// Spreads a number over 64 bits (the finaliser of SplitMix64).
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: growth of a quarter starts the count again.
    #[test]
    fn three_rounds_without_growth_are_full() {
        let mut plateau = Plateau::default();
        let verdicts = [100.0, 124.0, 124.0, 126.0, 130.0, 130.0, 130.0].map(|rate| plateau.is_full(rate));
        assert_eq!(verdicts, [false, false, false, false, false, false, true]);
    }

    /// Aim: waits lie between 2 and 3 s, differ between connections and cycles, and repeat with the connection.
    #[test]
    fn cycles_of_connections_are_staggered() {
        let waits = |salt| {
            let mut cycle = Cycle::new(salt);
            [(); 20].map(|()| {
                cycle.begin(Instant::ZERO);
                cycle.wait.as_nanos() / 1_000_000
            })
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        assert!(waits(7).iter().all(|&ms| (2_000..3_000).contains(&ms)));
        assert!(waits(7).iter().max().unwrap() - waits(7).iter().min().unwrap() > 500);
    }

    /// Aim: at a short round trip and small window the probe comes by rounds, as a Reno sender's would.
    #[test]
    fn small_windows_probe_by_rounds() {
        let mut cycle = Cycle::new(1);
        cycle.begin(Instant::ZERO);
        for _ in 0..10 {
            cycle.on_round();
        }
        assert!(cycle.is_over(Instant::ZERO, 10) && !cycle.is_over(Instant::ZERO, 11));
    }
}
