//! Queueing: the M/D/1 mean wait, and a bottleneck that two sessions share.

use crate::common::{bps, conference, duplex, flow, link, ms, node, path, scenario, session};
use crate::watch::{LAST_HOP, destination, link_of, run};
use bellini_core::content::spec::{Content, SizeDistribution};
use bellini_core::time::Duration;
use bellini_scenarios::model::{Bottleneck, Measure, Queue, QueueDiscipline, Rate, Scenario};

/// Wire bytes of a packet on its only hop.
const WIRE: u64 = LAST_HOP + 1_000;
/// At this rate (bit/s) such a packet takes exactly one millisecond.
const RATE: u64 = WIRE * 8 * 1_000;

/// Runs for each figure: enough that their mean is normal and its error known.
const RUNS: u64 = 32;
/// Two-sided quantile of Student's t with 31 degrees of freedom that is as rare as 4.5 standard deviations.
const T_31: f64 = 5.40;

fn poisson(mean_interval: Duration) -> Content {
    Content::Messages {
        mean_interval,
        size: SizeDistribution::Fixed(1_000),
        deadline: Duration::from_secs(10),
    }
}

/// Mean wait in service times of Poisson arrivals at load `rho`, by independent runs that together hold `packets`:
/// their mean and its standard error.
fn waits(rho: f64, packets: u64) -> (f64, f64) {
    let mean_interval = Duration::from_nanos((1e6 / rho).round() as u64);
    // The first five seconds, more than six relaxation times of the queue at load 0.95, are not measured.
    let warm_up = Duration::from_secs(5);
    let duration = warm_up + mean_interval.saturating_mul(packets / RUNS);
    let session = session(1, 1, &[2], poisson(mean_interval), vec![flow(path(&[2]), 1.0)]);
    let links = duplex(1, 2, ms(3), Some(bps(RATE))).to_vec();
    let mut scenario = scenario(duration, vec![node(1), node(2)], links, vec![conference(1, vec![session])]);
    scenario.measure = Measure { from: warm_up, to: duration };
    scenario.sample_interval = Duration::from_secs(1_000);
    let means: Vec<f64> = (1..=RUNS)
        .map(|seed| {
            let summary = run(&scenario, seed);
            let found = destination(&summary, 0, 2);
            assert_eq!(found.lost_packets, 0, "the queue is long enough");
            let delay = found.delay_ms.expect("packets came").mean;
            delay - found.base_delay_ms.expect("a constant rate")
        })
        .collect();
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let variance = means.iter().map(|one| (one - mean) * (one - mean)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Compares with the Pollaczek-Khinchine formula for constant service: `rho / (2 (1 - rho))` service times.
fn follows_md1(rho: f64, (mean, error): (f64, f64)) -> Result<(), String> {
    let expected = rho / (2.0 * (1.0 - rho));
    let (off, room) = ((mean - expected).abs(), T_31 * error);
    println!("rho {rho}: mean wait {mean:.4} +- {error:.4}, closed form {expected:.4}");
    if off < room {
        Ok(())
    } else {
        Err(format!("rho {rho}: {mean} is {off} off {expected}, more than {room}"))
    }
}

#[test]
fn md1_mean_wait_at_half_load() {
    follows_md1(0.5, waits(0.5, 1_000_000)).unwrap();
}

#[test]
fn md1_mean_wait_at_load_0_8() {
    let found = waits(0.8, 1_000_000);
    follows_md1(0.8, found).unwrap();
    // Negative controls: one point more of load would be seen, and so would a link as slow as M/M/1.
    follows_md1(0.81, found).unwrap_err();
    follows_md1(0.8, (2.0 * found.0, 2.0 * found.1)).unwrap_err();
}

#[test]
fn md1_mean_wait_at_load_0_95() {
    let found = waits(0.95, 2_000_000);
    follows_md1(0.95, found).unwrap();
    assert!(found.1 < 0.03 * found.0, "the error is small enough to say something: {found:?}");
    follows_md1(0.97, found).unwrap_err();
}

/// Two sessions, 1 to 3 and 2 to 3, whose links share one bottleneck (or have its rate each).
fn two_into_one(contents: [Content; 2], is_shared: bool) -> Scenario {
    let sessions = contents
        .into_iter()
        .zip(1..)
        .map(|(content, i)| session(i, i, &[3], content, vec![flow(path(&[3]), 1.0)]))
        .collect();
    let mut links = vec![link(3, 1, ms(5), None), link(3, 2, ms(5), None)];
    for from in [1, 2] {
        let mut shared = link(from, 3, ms(5), Some(bps(RATE)));
        if is_shared {
            shared.rate = Rate::Shared(0);
        }
        links.push(shared);
    }
    let nodes = (1..=3).map(node).collect();
    let mut scenario = scenario(Duration::from_secs(10), nodes, links, vec![conference(1, sessions)]);
    scenario.drain = Duration::ZERO;
    scenario.bottlenecks = vec![Bottleneck {
        name: "uplink".into(),
        rate: Rate::Constant(bps(RATE)),
        queue: Queue { bytes: 50 * WIRE, discipline: QueueDiscipline::DropTail },
    }];
    scenario
}

#[test]
fn a_shared_bottleneck_passes_exactly_its_rate() {
    // 6 and 8 Mbit/s of payload into 8 Mbit/s: busy from time zero on, a packet leaves at the end of each
    // millisecond, and 5 ms later it is there: 10,000 - 5 packets in ten seconds, and not one more or less.
    let constant = |rate| Content::Constant { rate: bps(rate), phase: Duration::ZERO };
    let contents = [constant(6_000_000), constant(8_000_000)];
    let total = |is_shared| {
        let summary = run(&two_into_one(contents.clone(), is_shared), 1);
        let goodput = |i| destination(&summary, i, 3).goodput_mbps.expect("a rate");
        (
            destination(&summary, 0, 3).delivered_packets + destination(&summary, 1, 3).delivered_packets,
            goodput(0) + goodput(1),
        )
    };
    let (packets, goodput) = total(true);
    assert_eq!(packets, 9_995);
    assert!((goodput - 9_995.0 * 8_000.0 / 10.0 * 1e-6).abs() < 1e-9, "{goodput} Mbit/s");
    // Negative control: with a rate of their own, both come through nearly whole.
    assert!(total(false).0 > 17_000);
}

#[test]
fn a_shared_queue_serves_in_proportion_to_arrivals() {
    // Poisson arrivals see the same queue, whoever sent them: of 1.5 and 0.75 packets a service time the same part
    // comes through. The part p of n packets is known to sqrt(p (1 - p) / n), and less well where losses come
    // in bursts: a factor of three is allowed for these.
    let contents = [poisson(Duration::from_micros(667)), poisson(Duration::from_micros(1_333))];
    let mut scenario = two_into_one(contents, true);
    scenario.duration = Duration::from_secs(100);
    scenario.measure.to = scenario.duration;
    for session in &mut scenario.conferences[0].sessions {
        session.stop = scenario.duration;
    }
    let summary = run(&scenario, 1);
    let part = |i| {
        let found = destination(&summary, i, 3);
        (found.delivered_packets as f64 / found.sent_packets as f64, found.sent_packets as f64)
    };
    let ((a, n_a), (b, n_b)) = (part(0), part(1));
    let error = (a * (1.0 - a) * (1.0 / n_a + 1.0 / n_b)).sqrt();
    assert!((a - b).abs() < 3.0 * 4.5 * error, "{a} and {b}, error {error}");
    assert!(a < 0.6, "it is overloaded: {a}");
    let arrived = link_of(&summary, 1, 3).dropped_queue as f64 / link_of(&summary, 2, 3).dropped_queue as f64;
    assert!((arrived - 2.0).abs() < 0.1, "who sends twice as much loses twice as much: {arrived}");
}
