//! What the core's data structures cost: nanoseconds per operation, the median of several rounds.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]

use bellini_core::rng::Seed;
use bellini_core::stats::Histogram;
use bellini_core::time::{Duration, Instant};
use bellini_core::timer::TimerWheel;
use std::hint::black_box;

const ROUNDS: usize = 9;
const OPERATIONS: u32 = 2_000_000;

fn main() {
    println!("median ns per operation of {ROUNDS} rounds of {OPERATIONS}");
    for timers in [3, 10, 100, 1_000, 10_000] {
        let [near, mixed, reset] = [1, 2, 3].map(|kind| wheel(timers, kind));
        println!(
            "timer wheel, {timers:>6} timers: pop+set 1 ms ahead {near:5.1}, mixed {mixed:5.1}, cancel+set {reset:5.1}"
        );
    }
    println!("histogram, record: {:.1}", histogram());
}

fn median(mut round: impl FnMut()) -> f64 {
    let mut figures: Vec<f64> = (0..=ROUNDS)
        .map(|_| {
            let start = std::time::Instant::now();
            round();
            start.elapsed().as_secs_f64() * 1e9 / f64::from(OPERATIONS)
        })
        .skip(1)
        .collect();
    figures.sort_by(f64::total_cmp);
    figures[ROUNDS / 2]
}

/// One operation takes the next timer out (or cancels the one that was set longest ago) and sets it again. Kind 1: up
/// to 1 ms ahead, as content sources do. Kind 2: a tenth 30 s ahead, as reports; of the rest one half 200 us, as paces,
/// and one half up to 1 ms ahead. Kind 3: cancel and set 100 ms ahead, as timeouts do.
fn wheel(timers: u32, kind: u32) -> f64 {
    let mut draws = Seed(1).stream("bench");
    let ahead: Vec<Duration> = (0..1 << 16)
        .map(|_| match (kind, draws.below(20)) {
            (3, _) => Duration::from_nanos(100_000_000 + draws.below(1_000)),
            (2, 0..2) => Duration::from_secs(30),
            (2, 2..11) => Duration::from_micros(200),
            _ => Duration::from_nanos(1 + draws.below(1_000_000)),
        })
        .collect();
    let mut now = Instant::ZERO;
    let mut wheel = TimerWheel::new(now);
    let mut ids: Vec<_> = (0..timers).map(|i| wheel.set(now + ahead[i as usize], i)).collect();
    let mut next = 0;
    median(|| {
        for i in 0..OPERATIONS {
            let ahead = ahead[(i & 0xFFFF) as usize];
            let key = if kind == 3 {
                now += Duration::from_nanos(1_000);
                next = if next + 1 == timers { 0 } else { next + 1 };
                assert!(wheel.cancel(ids[next as usize]));
                next
            } else {
                now = wheel.next().expect("a timer is pending");
                wheel.pop_expired(now).expect("it is due").1
            };
            ids[key as usize] = wheel.set(now + ahead, key);
        }
    })
}

fn histogram() -> f64 {
    let mut draws = Seed(1).stream("bench");
    let delays: Vec<u64> = (0..1 << 16).map(|_| 40_000_000 + draws.below(110_000_000)).collect();
    let mut histogram = Histogram::new();
    let figure = median(|| {
        for i in 0..OPERATIONS {
            histogram.record(delays[(i & 0xFFFF) as usize]);
        }
    });
    black_box(histogram.quantile(0.5));
    figure
}
