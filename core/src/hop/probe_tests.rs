//! Two ends of a way that is known, and the distribution of the time until an outage is found.

use super::*;
use crate::rng::Seed;

fn config() -> ProbingConfig {
    ProbingConfig::default()
}

fn at(seconds: f64) -> Instant {
    Instant::ZERO + Duration::from_secs_f64(seconds)
}

/// Two ends with `one_way` between them; what is sent while `is_up` says no is lost. Probes go at their deadlines.
struct Pair {
    ends: [Probe; 2],
    now: Instant,
    /// When, for whom, what.
    flying: Vec<(Instant, usize, ProbeFrame)>,
    one_way: Duration,
    changes: Vec<(Instant, usize, ProbeChange)>,
    config: ProbingConfig,
}

impl Pair {
    fn new(seed: u64, one_way: Duration) -> Self {
        let config = config();
        let end = |name| Probe::new(Instant::ZERO, Seed(seed).stream(name), &config);
        let ends = [end("one"), end("other")];
        Self { ends, now: Instant::ZERO, flying: Vec::new(), one_way, changes: Vec::new(), config }
    }

    fn run(&mut self, until: Instant, mut is_up: impl FnMut(Instant) -> bool) {
        loop {
            let timers = self.ends.iter().map(|end| end.deadline(&self.config));
            let next = timers.chain(self.flying.iter().map(|(at, ..)| *at)).min().expect("there are timers");
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            let now = self.now;
            let due: Vec<_> = self.flying.extract_if(.., |(at, ..)| *at <= now).collect();
            for (_, end, frame) in due {
                let change = self.ends[end].on_frame(now, &frame, 80, &self.config);
                self.changes.extend(change.map(|change| (now, end, change)));
            }
            for end in 0..2 {
                let change = self.ends[end].on_timer(now, &self.config);
                self.changes.extend(change.map(|change| (now, end, change)));
                while let Some((frame, _)) = self.ends[end].poll(now, 1_400) {
                    if is_up(now) {
                        self.flying.push((now + self.one_way, 1 - end, frame));
                    }
                }
            }
        }
    }
}

/// Aim: both ends know the round trip, and one probe in a row suffices for the two: about one exchange in 12 to 16 s.
#[test]
fn both_ends_learn_from_three_frames() {
    let mut pair = Pair::new(1, Duration::from_millis(40));
    pair.run(at(1_200.0), |_| true);
    for end in &pair.ends {
        let figures = end.figures(pair.now);
        assert_eq!(figures.rtt, Some(Duration::from_millis(80)));
        assert_eq!((figures.loss, figures.is_dead), (0.0, false));
        assert!((75..=100).contains(&figures.outcomes), "{figures:?}");
        assert!(figures.age <= Duration::from_secs(16));
    }
    assert!(pair.changes.is_empty());
    // Three frames of 80 bytes for each exchange.
    let sent: u64 = pair.ends.iter().map(|end| end.figures(pair.now).sent_bytes).sum();
    assert_eq!(sent, 240 * pair.ends[0].figures(pair.now).outcomes);
}

/// Aim: the part of lost round trips is found, and a probe that is lost brings no outage.
#[test]
fn losses_are_a_mean_over_probes() {
    let mut pair = Pair::new(2, Duration::from_millis(40));
    let mut chance = Seed(3).stream("losses");
    pair.run(at(4_000.0), |_| !chance.chance(0.05));
    for end in &pair.ends {
        // 1 - 0.95^2 of a round trip is lost, 9.75 %: with a hundred outcomes give or take 3 %.
        let loss = end.figures(pair.now).loss;
        assert!((loss - 0.0975).abs() < 0.09, "{loss}");
        assert!(!end.is_dead());
    }
}

/// Aim: an outage that begins at some moment is found after 12 s and the wait for the next probe, and its end by the first
/// probe that is answered. The times of 2,000 outages are distributed as the constants imply: see `implied`. Printed:
/// both distributions.
#[test]
fn outages_are_found_when_the_constants_say() {
    let mut found = Vec::new();
    let mut moments = Seed(4).stream("moments");
    for seed in 0..1_000 {
        let cut = 300.0 + 100.0 * moments.unit();
        let mut pair = Pair::new(seed + 100, Duration::from_millis(40));
        pair.run(at(cut + 60.0), |now| now < at(cut));
        let dead: Vec<_> = pair.changes.iter().filter(|(.., change)| *change == ProbeChange::Dead).collect();
        assert_eq!(dead.len(), 2, "both ends find it");
        found.extend(dead.iter().map(|(when, ..)| when.saturating_since(at(cut)).as_secs_f64()));
        pair.run(at(cut + 120.0), |_| true);
        assert_eq!(pair.changes.len(), 4, "and its end");
    }
    let mut implied = implied(100_000);
    found.sort_by(f64::total_cmp);
    implied.sort_by(f64::total_cmp);
    let quantile = |sorted: &[f64], part: f64| sorted[((sorted.len() - 1) as f64 * part) as usize];
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    println!("seconds until an outage is found: least, 10 %, median, 90 %, most, mean");
    for (name, all) in [("found", &found), ("implied", &implied)] {
        let parts = [0.0, 0.1, 0.5, 0.9, 1.0].map(|part| format!("{:.1}", quantile(all, part)));
        println!("{name}: {}, {:.2}", parts.join(", "), mean(all));
    }
    // The range is 12 s to 12 + 12 * 4/3 s, and what is under way when the way is cut makes a round trip of difference.
    assert!(found[0] > 11.9 && found[found.len() - 1] < 28.1, "{} to {}", found[0], found[found.len() - 1]);
    assert!((mean(&found) - mean(&implied)).abs() < 0.3, "{} and {}", mean(&found), mean(&implied));
    // The two ends of an outage are not independent: the distance is judged as that of 1,000 samples, at 1 in 1,000.
    let distance = distance(&found, &implied);
    println!("largest distance of the distributions: {distance:.4}");
    assert!(distance < 1.95 / (1_000_f64).sqrt(), "{distance}");
}

/// What the constants imply, drawn without any of the code above: exchanges follow each other after the earlier of two
/// waits of 12 s and up to a third of that; an outage begins anywhere in one; an end finds it when its own wait is over and
/// four probes of 3 s each are lost.
fn implied(count: usize) -> Vec<f64> {
    let mut draws = Seed(5).stream("implied");
    let mut found = Vec::with_capacity(count);
    while found.len() < count {
        let waits = [0, 1].map(|_| 12.0 + 4.0 * draws.unit());
        let exchange = waits[0].min(waits[1]);
        // Longer exchanges are hit more often.
        let into = 16.0 * draws.unit();
        if into < exchange {
            found.extend(waits.map(|wait| wait - into + 12.0));
        }
    }
    found
}

/// The largest distance of two empirical distribution functions (Kolmogorov and Smirnov), of sorted samples.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    let part = |all: &[f64], x: f64| all.partition_point(|at| *at <= x) as f64 / all.len() as f64;
    one.iter().map(|&x| (part(one, x) - part(other, x)).abs()).fold(0.0, f64::max)
}

/// Sends a train whose frames arrive `gap_us` apart; those of which `is_lost` are not.
fn train(from: &mut Probe, to: &mut Probe, start: f64, gap_us: u64, is_lost: impl Fn(u8) -> bool) {
    from.start_train(8);
    let mut now = at(start);
    let mut answers = Vec::new();
    while let Some((frame, padding)) = from.poll(at(start), 1_400) {
        now += Duration::from_micros(gap_us);
        let bytes = (FRAME_HEADER_BYTES + PROBE_BYTES + padding + UDP_IP_BYTES) as u32;
        assert_eq!(bytes, 1_428);
        if !is_lost(frame.index) {
            to.on_frame(now, &frame, bytes, &config());
        }
        answers.extend(to.poll(now, 1_400));
    }
    for (answer, padding) in answers {
        assert_eq!(padding, 0);
        from.on_frame(now, &answer, 80, &config());
    }
}

/// Aim: after trains that a full queue let nothing of through, the first that is answered counts alone.
#[test]
fn lost_trains_end_what_was_known() {
    let end = |name| Probe::new(Instant::ZERO, Seed(6).stream(name), &config());
    let (mut from, mut to) = (end("one"), end("other"));
    for second in 1..=3 {
        train(&mut from, &mut to, f64::from(second), 1_142, |_| false);
    }
    let known = from.rate().expect("a rate");
    for second in 4..=6 {
        train(&mut from, &mut to, f64::from(second), 1_142, |_| true);
    }
    assert_eq!((from.rate(), from.unanswered_trains()), (Some(known), 3));
    train(&mut from, &mut to, 7.0, 2_284, |_| false);
    assert_eq!(from.unanswered_trains(), 0);
    assert!((from.rate().expect("a rate") / known - 0.5).abs() < 1e-3, "{:?} of {known}", from.rate());
}

/// Aim: the rate is that at which frames came apart, the median of three trains, so that one that was held up changes
/// nothing and a real change shows after two; a train whose end is lost still counts.
#[test]
fn trains_tell_the_rate() {
    let end = |name| Probe::new(Instant::ZERO, Seed(6).stream(name), &config());
    let (mut from, mut to) = (end("one"), end("other"));
    let rate = |from: &Probe| from.figures(at(10.0)).rate_bps.unwrap_or(0.0) * 1e-6;
    // 1,428 bytes in 1,142.4 us are 10 Mbit/s: nearly.
    train(&mut from, &mut to, 1.0, 1_142, |_| false);
    assert!((rate(&from) - 10.0).abs() < 0.01, "{}", rate(&from));
    train(&mut from, &mut to, 2.0, 1_142, |index| index > 5);
    train(&mut from, &mut to, 3.0, 3_000, |_| false);
    assert!((rate(&from) - 10.0).abs() < 0.01, "one was held up: {}", rate(&from));
    train(&mut from, &mut to, 4.0, 2_285, |_| false);
    train(&mut from, &mut to, 5.0, 2_285, |_| false);
    assert!((rate(&from) - 5.0).abs() < 0.01, "two at half the rate: {}", rate(&from));
    let figures = from.figures(at(10.0));
    assert!((figures.rate_age.as_secs_f64() - 5.0).abs() < 0.1, "{figures:?}");
    assert_eq!(figures.trains, 5);
    train(&mut from, &mut to, 6.0, 0, |_| false);
    assert!((rate(&from) - 5.0).abs() < 0.01, "no distance tells nothing");
}

/// Aim: probes that nobody asked for, and answers of another id, change nothing.
#[test]
fn strange_answers_change_nothing() {
    let mut probe = Probe::new(Instant::ZERO, Seed(7).stream("one"), &config());
    for kind in [ProbeKind::Answer, ProbeKind::Closing] {
        let frame =
            ProbeFrame { kind, count: 1, index: 0, id: 9, held_ns: u64::MAX, dispersion_ns: 1, bytes: 1 };
        assert_eq!(probe.on_frame(at(1.0), &frame, 80, &config()), None);
    }
    let figures = probe.figures(at(1.0));
    assert_eq!((figures.outcomes, figures.rtt, figures.rate_bps), (0, None, None));
    assert!(!probe.has_frame());
}
