//! What the estimator claims, against clocks whose truth is known.

use super::*;
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};

const MS: u64 = 1_000_000;
const SEC: u64 = 1_000_000_000;

/// A pair of clocks: one's own shows true time, the source's is `ahead` at zero and gains `ppb`.
#[derive(Clone, Copy)]
struct Pair {
    ahead: i64,
    ppb: i64,
}

/// Far enough from zero that a clock may be behind.
const BASE: u64 = 1_000 * SEC;

impl Pair {
    fn ahead_at(&self, at: u64) -> i64 {
        self.ahead + (i128::from(self.ppb) * i128::from(at - BASE) / 1_000_000_000) as i64
    }

    fn theirs(&self, at: u64) -> u64 {
        at.checked_add_signed(self.ahead_at(at)).expect("far from zero")
    }

    fn exchange(&self, t1: u64, there: u64, back: u64) -> Exchange {
        Exchange { t1, t2: self.theirs(t1 + there), t3: self.theirs(t1 + there), t4: t1 + there + back }
    }
}

/// One exchange a second after a quick start; `delays` gives both ways of each. Returns, 20 times between any two
/// exchanges, the estimate and the truth.
fn follow(
    pair: Pair,
    seconds: u64,
    lost: f64,
    mut delays: impl FnMut(u64, &mut Stream) -> (u64, u64),
) -> Vec<(Estimate, i64)> {
    let mut stream = Seed(9).stream("exchanges");
    let mut estimator = ClockEstimator::default();
    let mut seen = Vec::new();
    for probe in 0..seconds + 8 {
        let t1 = BASE + if probe < 8 { probe * SEC / 8 } else { (probe - 7) * SEC };
        let (there, back) = delays(t1 - BASE, &mut stream);
        assert_eq!(estimator.on_probe(Instant::from_nanos(t1)), t1);
        if stream.chance(lost) {
            continue;
        }
        let exchange = pair.exchange(t1, there, back);
        assert_eq!(estimator.on_reply(&exchange), ReplyOutcome::Taken);
        for look in 0..20 {
            let at = exchange.t4 + look * SEC / 20;
            let estimate = estimator.offset_at(Instant::from_nanos(at)).expect("there was an answer");
            seen.push((estimate, pair.ahead_at(at)));
        }
    }
    seen
}

fn covered(seen: &[(Estimate, i64)]) -> f64 {
    let inside =
        seen.iter().filter(|(estimate, truth)| estimate.ahead_ns.abs_diff(*truth) <= estimate.error_ns);
    inside.count() as f64 / seen.len() as f64
}

fn worst(seen: &[(Estimate, i64)]) -> u64 {
    seen.iter().map(|(estimate, truth)| estimate.ahead_ns.abs_diff(*truth)).max().expect("estimates")
}

const PAIRS: [Pair; 5] = [
    Pair { ahead: 0, ppb: 0 },
    Pair { ahead: 40_000_000, ppb: 50_000 },
    Pair { ahead: -40_000_000, ppb: -50_000 },
    Pair { ahead: 80_000_000, ppb: -100_000 },
    Pair { ahead: -80_000_000, ppb: 100_000 },
];

#[test]
fn one_exchange_gives_the_offset_and_delay_of_rfc_5905() {
    let exchange = Exchange { t1: 100, t2: 1_150, t3: 1_170, t4: 210 };
    assert_eq!((exchange.offset_ns(), exchange.round_trip_ns()), (1_005, 90));
}

/// Symmetric and idle: the estimate is right to microseconds, and the bound is half the round trip.
#[test]
fn symmetric_paths_are_exact() {
    for pair in PAIRS {
        let seen = follow(pair, 200, 0.0, |_, _| (30 * MS, 30 * MS));
        assert_eq!(covered(&seen), 1.0);
        let settled = &seen[400..];
        assert!(worst(settled) < 10_000, "{} ns", worst(settled));
        for (estimate, _) in settled {
            assert!((30 * MS..31 * MS).contains(&estimate.error_ns), "{estimate:?}");
            assert!((estimate.drift_ppb - pair.ppb).abs() < 200, "{estimate:?}");
        }
    }
}

/// All asymmetry that there can be, queues of tens of milliseconds on either way, losses, and hours: the truth is
/// always inside.
#[test]
fn the_bound_covers_whatever_the_delays_are() {
    for pair in PAIRS {
        for (there, back) in [(0, 60 * MS), (60 * MS, 0), (MS, 200 * MS), (0, 0)] {
            for mean_queue_ms in [0.0, 0.3, 30.0] {
                let seen = follow(pair, 600, 0.3, |_, stream| {
                    let mut queue = || (stream.exponential(mean_queue_ms) * MS as f64) as u64;
                    (there + queue(), back + queue())
                });
                assert_eq!(covered(&seen), 1.0, "{there} {back} {mean_queue_ms}");
            }
        }
    }
}

/// A queue that stands for half a minute on one way only: the samples before it carry the estimate over.
#[test]
fn a_standing_queue_moves_the_estimate_little() {
    let pair = PAIRS[3];
    let seen = follow(pair, 120, 0.0, |at, _| {
        let queue = if (40 * SEC..70 * SEC).contains(&at) { 150 * MS } else { 0 };
        (10 * MS + queue, 10 * MS)
    });
    assert_eq!(covered(&seen), 1.0);
    assert!(worst(&seen[400..]) < MS, "{} ns", worst(&seen[400..]));
}

/// Negative controls: half the bound, or one that forgets that clocks drift, would not cover the truth.
#[test]
fn a_smaller_bound_would_not_cover() {
    let pair = PAIRS[3];
    let seen = follow(pair, 300, 0.0, |_, _| (MS / 10, 80 * MS));
    let halved: Vec<_> = seen
        .iter()
        .map(|(estimate, truth)| (Estimate { error_ns: estimate.error_ns / 2, ..*estimate }, *truth))
        .collect();
    assert_eq!((covered(&seen), covered(&halved)), (1.0, 0.0));
    // The tightest interval of all exchanges, never widened with age.
    let pair = PAIRS[4];
    let (mut lower, mut upper) = (i64::MIN, i64::MAX);
    let mut missed = 0;
    for second in 0..60 {
        let exchange = pair.exchange(BASE + second * SEC, MS / 10, 80 * MS);
        lower = lower.max(exchange.t3 as i64 - exchange.t4 as i64);
        upper = upper.min(exchange.t2 as i64 - exchange.t1 as i64);
        let truth = pair.ahead_at(exchange.t4);
        missed += u32::from(!(lower..=upper).contains(&truth));
    }
    assert!(missed > 30, "{missed} of 60");
}

/// Without answers the bound grows with the age of the last one, and stays true.
#[test]
fn the_bound_grows_while_nothing_comes() {
    let pair = PAIRS[4];
    let mut estimator = ClockEstimator::default();
    assert_eq!(estimator.offset_at(Instant::from_nanos(BASE)), None);
    for second in 0..20 {
        let t1 = estimator.on_probe(Instant::from_nanos(BASE + second * SEC));
        estimator.on_reply(&pair.exchange(t1, 5 * MS, 5 * MS));
    }
    let at = |second: u64| {
        let at = BASE + second * SEC;
        let estimate = estimator.offset_at(Instant::from_nanos(at)).expect("there were answers");
        assert!(estimate.ahead_ns.abs_diff(pair.ahead_at(at)) <= estimate.error_ns);
        estimate.error_ns
    };
    let (soon, late) = (at(20), at(3_620));
    // An hour: 200 ppm of doubt to each side, and the estimate itself has moved by 100 ppm towards one of them.
    assert!(soon < 6 * MS && (1_080 * MS..1_090 * MS).contains(&late), "{soon} {late}");
}

/// A clock that is set contradicts what was known, and is believed from then on.
#[test]
fn a_step_is_seen() {
    let mut estimator = ClockEstimator::default();
    let mut outcomes = Vec::new();
    for second in 0..20 {
        let pair = Pair { ahead: if second < 10 { 0 } else { SEC as i64 }, ppb: 0 };
        let t1 = estimator.on_probe(Instant::from_nanos(BASE + second * SEC));
        outcomes.push(estimator.on_reply(&pair.exchange(t1, 5 * MS, 5 * MS)));
    }
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == ReplyOutcome::Step).count(), 1);
    assert_eq!((outcomes[10], estimator.steps()), (ReplyOutcome::Step, 1));
    let estimate = estimator.offset_at(Instant::from_nanos(BASE + 21 * SEC)).expect("there were answers");
    assert_eq!((estimate.ahead_ns, estimate.samples), (SEC as i64, 10));
}

/// Answers that nobody asked for, or twice, are no samples; what is impossible is refused.
#[test]
fn only_asked_for_and_possible_answers_count() {
    let mut estimator = ClockEstimator::default();
    let good = PAIRS[1].exchange(BASE, MS, MS);
    assert_eq!(estimator.on_reply(&good), ReplyOutcome::Unasked);
    estimator.on_probe(Instant::from_nanos(BASE));
    assert_eq!(estimator.on_reply(&good), ReplyOutcome::Taken);
    assert_eq!(estimator.on_reply(&good), ReplyOutcome::Unasked);
    let impossible = [
        Exchange { t2: u64::MAX, t3: u64::MAX, ..good },
        Exchange { t2: good.t3 + 1, ..good },
        // It held the probe for longer than the answer took to come.
        Exchange { t3: good.t3 + SEC, ..good },
    ];
    for exchange in impossible {
        estimator.on_probe(Instant::from_nanos(BASE));
        assert_eq!(estimator.on_reply(&exchange), ReplyOutcome::Impossible, "{exchange:?}");
    }
    // More probes than it waits for: the first is given up.
    for probe in 0..17 {
        estimator.on_probe(Instant::from_nanos(BASE + SEC + probe));
    }
    assert_eq!(estimator.on_reply(&PAIRS[1].exchange(BASE + SEC, MS, MS)), ReplyOutcome::Unasked);
    assert_eq!(estimator.on_reply(&PAIRS[1].exchange(BASE + SEC + 1, MS, MS)), ReplyOutcome::Taken);
}

/// Whatever numbers come, nothing panics, and the arithmetic saturates.
#[test]
fn absurd_timestamps_do_not_panic() {
    let mut stream = Seed(3).stream("absurd");
    let mut estimator = ClockEstimator::default();
    let mut now = 0_u64;
    let mut taken = 0;
    for _ in 0..50_000 {
        now = now.saturating_add(stream.next_u64() >> (20 + stream.below(44)));
        let t1 = estimator.on_probe(Instant::from_nanos(now));
        let edges = [0, 1, u64::MAX, u64::MAX / 4, u64::MAX / 2, stream.next_u64() >> 2, now];
        let mut any = || edges[stream.below(edges.len() as u64) as usize];
        let (t2, t3) = (any(), any());
        now = now.saturating_add(stream.below(1_000_000));
        let outcome = estimator.on_reply(&Exchange { t1, t2, t3, t4: now });
        taken += u32::from(matches!(outcome, ReplyOutcome::Taken | ReplyOutcome::Step));
        if let Some(estimate) =
            estimator.offset_at(Instant::from_nanos(now.saturating_add(stream.next_u64())))
        {
            let _ = estimate.delay_error_ns(Duration::from_nanos(stream.next_u64()));
        }
    }
    assert!(taken > 100, "{taken}");
}
