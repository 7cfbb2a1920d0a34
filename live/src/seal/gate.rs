//! How many handshakes a node lets in: work that a stranger can cause is bounded, by source and altogether.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Handshakes at once, and then each second, that a node lets in altogether.
pub const HANDSHAKES: (u32, u32) = (512, 64);
/// The same from one address. Many nodes may be at one.
pub const HANDSHAKES_A_SOURCE: (u32, u32) = (128, 8);
/// Addresses that are told apart; only those where peers are get this far.
const SOURCES_MAX: usize = 4_096;

/// What is left of an allowance.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn fill(&mut self, now: Instant, (most, a_second): (u32, u32)) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * f64::from(a_second)).min(f64::from(most));
        self.at = now;
    }
}

/// Counts handshakes.
#[derive(Debug)]
pub(crate) struct Gate {
    all: Bucket,
    sources: BTreeMap<IpAddr, Bucket>,
}

impl Gate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { all: Bucket { left: f64::from(HANDSHAKES.0), at: now }, sources: BTreeMap::new() }
    }

    /// Whether a connection from `source` may begin a handshake; it is counted if so.
    pub(crate) fn admits(&mut self, now: Instant, source: IpAddr) -> bool {
        let source = source.to_canonical();
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            // Those with a full allowance are as if they had never come.
            let full = Duration::from_secs_f64(f64::from(HANDSHAKES_A_SOURCE.0 / HANDSHAKES_A_SOURCE.1));
            self.sources.retain(|_, bucket| now.saturating_duration_since(bucket.at) < full);
            if self.sources.len() >= SOURCES_MAX {
                return false;
            }
        }
        let new = Bucket { left: f64::from(HANDSHAKES_A_SOURCE.0), at: now };
        let bucket = self.sources.entry(source).or_insert(new);
        bucket.fill(now, HANDSHAKES_A_SOURCE);
        self.all.fill(now, HANDSHAKES);
        if bucket.left < 1.0 || self.all.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        self.all.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    /// Aim: one address gets its own allowance only, all together theirs, and both come back with time.
    #[test]
    fn handshakes_are_bounded_by_source_and_altogether() {
        let start = Instant::now();
        let mut gate = Gate::new(start);
        let admitted =
            |gate: &mut Gate, from: u8, at| (0..1_000).filter(|_| gate.admits(at, source(from))).count();
        assert_eq!(admitted(&mut gate, 1, start), HANDSHAKES_A_SOURCE.0 as usize);
        let others: usize = (2..=9).map(|from| admitted(&mut gate, from, start)).sum();
        assert_eq!(others, (HANDSHAKES.0 - HANDSHAKES_A_SOURCE.0) as usize);
        let later = start + Duration::from_secs(1);
        assert_eq!(admitted(&mut gate, 1, later), HANDSHAKES_A_SOURCE.1 as usize);
        let rest: usize = (2..=20).map(|from| admitted(&mut gate, from, later)).sum();
        assert_eq!(rest, (HANDSHAKES.1 - HANDSHAKES_A_SOURCE.1) as usize);
    }

    /// Aim: what is remembered of sources is bounded.
    #[test]
    fn sources_are_forgotten() {
        let start = Instant::now();
        let mut gate = Gate::new(start);
        for number in 0..6_000_u32 {
            gate.admits(start + Duration::from_millis(u64::from(number)), IpAddr::from(number.to_be_bytes()));
        }
        assert!(gate.sources.len() <= SOURCES_MAX);
    }
}
