//! Loss of a link as a session's destination sees it.

use crate::common::{bps, conference, duplex, flow, ms, node, path, scenario, session};
use crate::watch::{destination, link_of, run, run_watched};
use bellini_core::content::spec::Content;
use bellini_core::time::Duration;
use bellini_scenarios::model::{Loss, Measure, Scenario};
use bellini_scenarios::record::Scope;

/// Gilbert-Elliott: bad for one packet in 25 at first sight, bursts of four packets in the mean.
const GOOD_TO_BAD: f64 = 0.01;
const BAD_TO_GOOD: f64 = 0.25;

/// `packets` symbols, one a millisecond, over one link with this loss. Nothing but data crosses it while they do.
fn lossy(loss: Loss, packets: u64) -> Scenario {
    let content = Content::Constant { rate: bps(8_000_000), phase: Duration::from_micros(500) };
    let session = session(1, 1, &[2], content, vec![flow(path(&[2]), 1.0)]);
    let mut links = duplex(1, 2, ms(20), None).to_vec();
    links[0].loss = loss;
    let duration = ms(packets);
    let mut scenario = scenario(duration, vec![node(1), node(2)], links, vec![conference(1, vec![session])]);
    // A lossy hello is repeated after half a second, again and again: there is time for it.
    scenario.settle = Duration::from_secs(30);
    scenario.measure = Measure { from: Duration::ZERO, to: duration };
    scenario.sample_interval = duration;
    scenario
}

/// Rate of loss end to end, compared with `mean`, of which one packet's share of the variance is `spread` (with the
/// correlation between packets).
fn lost_as(loss: Loss, mean: f64, spread: f64) -> Result<(), String> {
    let n = 1_000_000;
    let summary = run(&lossy(loss, n), 7);
    let found = destination(&summary, 0, 2);
    assert_eq!(found.sent_packets, n);
    assert_eq!(
        found.lost_packets,
        link_of(&summary, 1, 2).dropped_loss,
        "the link lost them, and all of them"
    );
    let rate = found.lost_packets as f64 / n as f64;
    let room = 4.5 * (spread / n as f64).sqrt();
    println!("lost {rate:.6}, closed form {mean:.6}, allowed {room:.6}");
    if (rate - mean).abs() < room { Ok(()) } else { Err(format!("{rate} is more than {room} off {mean}")) }
}

#[test]
fn bernoulli_loss_has_its_rate() {
    let p = 0.02;
    lost_as(Loss::Bernoulli(p), p, p * (1.0 - p)).unwrap();
    // Negative control: a tenth more loss would be seen.
    lost_as(Loss::Bernoulli(1.1 * p), p, p * (1.0 - p)).unwrap_err();
}

#[test]
fn gilbert_elliott_loss_has_its_rate() {
    // Stationary share of the bad state; packets k apart correlate by (1 - g - r)^k.
    let bad = GOOD_TO_BAD / (GOOD_TO_BAD + BAD_TO_GOOD);
    let correlation = 1.0 - GOOD_TO_BAD - BAD_TO_GOOD;
    let (good_to_bad, bad_to_good) = (GOOD_TO_BAD, BAD_TO_GOOD);
    let all = Loss::GilbertElliott { good_to_bad, bad_to_good, loss_good: 0.0, loss_bad: 1.0 };
    lost_as(all, bad, bad * (1.0 - bad) * (1.0 + correlation) / (1.0 - correlation)).unwrap();
    // With loss in both states the mean mixes them; the variance is at most that of the states plus a packet's own.
    let mixed = Loss::GilbertElliott { good_to_bad, bad_to_good, loss_good: 0.001, loss_bad: 0.5 };
    let mean = 0.001 * (1.0 - bad) + 0.5 * bad;
    let of_states = 0.499 * 0.499 * bad * (1.0 - bad) * (1.0 + correlation) / (1.0 - correlation);
    lost_as(mixed, mean, of_states + mean * (1.0 - mean)).unwrap();
}

/// Lengths of the runs of lost packets in a run of `packets` packets: `counts[k]` of length `k + 1`, the last one of
/// all longer ones. The recorder samples once a packet, so that each sample tells one packet's fate.
fn runs(loss: Loss, packets: u64, longest: usize) -> Vec<u64> {
    let mut scenario = lossy(loss, packets);
    scenario.sample_interval = ms(1);
    let (_, watch) = run_watched(&scenario, 3);
    let mut counts = vec![0; longest];
    let mut length = 0;
    let mut seen = 0;
    for (_, lost) in watch.series(Scope::Link, "1>2", "dropped_loss") {
        assert!(lost <= 1.0, "one packet a sample");
        seen += 1;
        if lost > 0.0 {
            length += 1;
        } else if length > 0 {
            counts[length.min(longest) - 1] += 1;
            length = 0;
        }
    }
    assert!(seen >= packets, "a sample for each packet: {seen}");
    counts
}

/// Compares run lengths with a geometric distribution that ends a run with probability `end`, by chi-square.
fn geometric(counts: &[u64], end: f64) -> Result<(), String> {
    let total: u64 = counts.iter().sum();
    let mut square = 0.0;
    for (k, count) in counts.iter().enumerate() {
        let longer = libm::pow(1.0 - end, k as f64);
        let share = if k + 1 == counts.len() { longer } else { longer * end };
        let expected = total as f64 * share;
        assert!(expected >= 5.0, "too few runs of length {}", k + 1);
        square += libm::pow(*count as f64 - expected, 2.0) / expected;
    }
    let degrees = counts.len() as f64 - 1.0;
    // Mean and variance of chi-square are d and 2 d; its right tail is heavier than a normal one, hence the rest.
    let limit = degrees + 4.5 * (2.0 * degrees).sqrt() + 4.5 * 4.5;
    println!("{total} runs, chi-square {square:.1}, limit {limit:.1}");
    if square < limit { Ok(()) } else { Err(format!("chi-square {square} of {counts:?}, limit {limit}")) }
}

#[test]
fn runs_of_losses_have_their_lengths() {
    let n = 100_000;
    let bernoulli = runs(Loss::Bernoulli(0.2), n, 4);
    geometric(&bernoulli, 0.8).unwrap();
    let (good_to_bad, bad_to_good) = (GOOD_TO_BAD, BAD_TO_GOOD);
    let bursts = Loss::GilbertElliott { good_to_bad, bad_to_good, loss_good: 0.0, loss_bad: 1.0 };
    let bursts = runs(bursts, n, 12);
    geometric(&bursts, BAD_TO_GOOD).unwrap();
    // Negative control: bursts are not what independent losses make.
    geometric(&[bursts[0], bursts[1], bursts[2..].iter().sum()], 0.8).unwrap_err();
}
