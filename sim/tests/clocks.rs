//! One-way delays by clocks that are off: does the stated bound cover the truth, which only the simulator knows?
//!
//! The nodes estimate everything themselves, over the modelled network; nobody corrects their clocks. Run with
//! `--nocapture` for the table.

use crate::common::{bps, conference, duplex, flow, link, mbps, ms, node, path, scenario, session};
use bellini_core::content::spec::Content;
use bellini_core::ids::{Epoch, Incarnation, SessionKey};
use bellini_core::io::{Command, DrawMode, Event, HopKind, Install, MeasureWindow, SessionSpec, SinkSpec};
use bellini_core::rng::Seed;
use bellini_core::session::SinkSessionStats;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::conduct::Testbed;
use bellini_scenarios::model::{CrossLoad, CrossPattern, CrossTraffic, Link, Loss, Scenario};
use bellini_sim::world::World;

const KEY: SessionKey = SessionKey::new(1, 1);
/// Length of the content.
const SECONDS: u64 = 60;
/// Clock errors of source and destination: offset in nanoseconds, drift in nanoseconds a second.
type Clocks = [(i64, i64); 2];
const WORST: Clocks = [(40_000_000, 50_000), (-40_000_000, -50_000)];
const TURNED: Clocks = [WORST[1], WORST[0]];

/// One delivered symbol.
#[derive(Clone, Copy)]
struct Seen {
    /// When, in true time since the content's start.
    at_ns: u64,
    /// The true one-way delay.
    true_ns: i64,
    /// What the destination makes of it, and the bound that it states.
    measured_ns: i64,
    bound_ns: i64,
    /// The same by an estimate of 20 s into the content that never grew older.
    frozen_ns: i64,
    frozen_bound_ns: i64,
}

/// Everything that is on the way from node 1 to the last node, as links in both directions.
fn on_path(links: Vec<Link>, nodes: u32, clocks: Clocks) -> Scenario {
    let mut nodes: Vec<_> = (1..=nodes).map(node).collect();
    let last = nodes.len() - 1;
    for (at, (offset, drift)) in [(0, clocks[0]), (last, clocks[1])] {
        nodes[at].clock_offset_ns = offset;
        nodes[at].clock_drift_ppb = drift;
    }
    let on_way: Vec<u32> = (2..=last as u32 + 1).collect();
    let content = Content::Constant { rate: bps(160_000), phase: ms(1) };
    let session = session(1, 1, &[last as u32 + 1], content, vec![flow(path(&on_way), 1.0)]);
    scenario(Duration::from_secs(SECONDS), nodes, links, vec![conference(1, vec![session])])
}

/// Bursts that fill every link that has a rate, now and then: up to 150 ms of queue.
fn loaded(mut scenario: Scenario) -> Scenario {
    for at in 0..scenario.links.len() {
        scenario.links[at].queue.bytes = 190_000;
        scenario.cross_traffic.push(CrossTraffic {
            link: at,
            pattern: CrossPattern::OnOff {
                load: CrossLoad { rate: mbps(8), packet_bytes: 1_200 },
                mean_on: ms(600),
                mean_off: ms(400),
            },
            start: Duration::ZERO,
            stop: Duration::from_secs(SECONDS),
        });
    }
    scenario
}

/// Plays the scenario's one session without a conductor, and looks at each delivery.
fn follow(scenario: &Scenario) -> (Vec<Seen>, SinkSessionStats) {
    let interval = Some(Duration::from_secs(1));
    let mut world = World::with_clock_probes(scenario, Seed(5), interval).expect("it starts");
    let spec = &scenario.conferences[0].sessions[0];
    let (source, sink) = (world.index_of(spec.source), world.index_of(spec.destinations[0]));
    let clock = world.nodes[source as usize].clock;
    let (zero, end) = (Instant::ZERO + scenario.settle, Instant::ZERO + scenario.settle + scenario.duration);
    let measure = MeasureWindow { from: clock.local(zero), to: clock.local(end) };
    let (start, stop) = (measure.from, measure.to);
    let content = spec.content.clone();
    let join = SinkSpec {
        key: KEY,
        source: spec.source,
        content: content.clone(),
        symbol_bytes: spec.symbol_bytes,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding: None,
        seal: None,
        start,
        stop,
        measure,
        deliver_events: true,
    };
    let begin = SessionSpec {
        key: KEY,
        epoch: Epoch(0),
        destinations: spec.destinations.clone(),
        content,
        symbol_bytes: spec.symbol_bytes,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding: None,
        seal: None,
        hop_kind: HopKind::Datagram,
        start,
        stop,
        measure,
        draw: DrawMode::Random,
        policy_period: None,
    };
    let flows = spec.routing.flows.iter().map(|flow| (flow.route.clone(), 1.0)).collect();
    let install = Install { key: KEY, planner: Incarnation(1), version: 1, flows };
    for (node, command) in [
        (sink, Command::JoinSession(Box::new(join))),
        (source, Command::StartSession(Box::new(begin))),
        (source, Command::Install(install)),
    ] {
        world.command(node, command).expect("it is possible");
    }
    let mut seen = Vec::new();
    let mut frozen = None;
    while world.step(end + Duration::from_secs(1)).is_some() {
        while let Some((node, event)) = world.events.pop_front() {
            let Event::Delivered { timestamp, .. } = event else { continue };
            assert_eq!(node, sink);
            let sink = &world.nodes[sink as usize];
            let now = sink.clock.local(world.now);
            let process = sink.process.as_ref().expect("it runs");
            let Some(estimate) = process.clock_of(spec.source) else { continue };
            if world.now >= zero + Duration::from_secs(20) {
                frozen.get_or_insert(estimate);
            }
            let by = |ahead_ns: i64| now.as_nanos() as i64 - (timestamp.as_nanos() as i64 - ahead_ns);
            let delay = by(estimate.ahead_ns);
            let bound = estimate.delay_error_ns(Duration::from_nanos(delay.unsigned_abs()));
            let frozen = frozen.unwrap_or(estimate);
            seen.push(Seen {
                at_ns: (world.now - zero).as_nanos(),
                true_ns: (world.now - clock.true_time(timestamp)).as_nanos() as i64,
                measured_ns: delay,
                bound_ns: bound as i64,
                frozen_ns: by(frozen.ahead_ns),
                frozen_bound_ns: frozen.error_ns as i64,
            });
        }
    }
    let entry = world.session(sink, KEY).expect("it joined");
    (seen, entry.sink.as_ref().expect("it is a sink").stats)
}

/// Part of the windows of one second in which the mean delay by `measured` is within `bound` of the true mean.
fn coverage(seen: &[Seen], measured: impl Fn(&Seen) -> i64, bound: impl Fn(&Seen) -> i64) -> f64 {
    let windows: Vec<&[Seen]> =
        seen.chunk_by(|a, b| a.at_ns / 1_000_000_000 == b.at_ns / 1_000_000_000).collect();
    let mean = |window: &[Seen], of: &dyn Fn(&Seen) -> i64| {
        window.iter().map(|seen| of(seen) as f64).sum::<f64>() / window.len() as f64
    };
    let covered = windows.iter().filter(|window| {
        let off = mean(window, &measured) - mean(window, &|seen| seen.true_ns);
        off.abs() <= mean(window, &bound)
    });
    covered.count() as f64 / windows.len() as f64
}

/// Runs, prints a row, checks that the bound covers every window; returns the mean true error in milliseconds.
fn check(name: &str, scenario: &Scenario) -> f64 {
    let (seen, stats) = follow(scenario);
    assert!(seen.len() as u64 > 10 * SECONDS, "{name}: {} symbols", seen.len());
    let covered = coverage(&seen, |seen| seen.measured_ns, |seen| seen.bound_ns);
    let n = seen.len() as f64;
    let error =
        seen.iter().map(|seen| seen.measured_ns.abs_diff(seen.true_ns) as f64).sum::<f64>() / n * 1e-6;
    let bound = seen.iter().map(|seen| seen.bound_ns as f64).sum::<f64>() / n * 1e-6;
    let delay = seen.iter().map(|seen| seen.true_ns as f64).sum::<f64>() / n * 1e-6;
    println!(
        "{name:34} delay {delay:7.3} ms  error {error:7.4} ms  bound {bound:7.3} ms  covered {covered:.3}"
    );
    assert!(covered >= 0.95, "{name}: {covered}");
    assert_eq!(stats.unclocked_packets, 0, "{name}: the estimate was there before the content");
    let largest = seen.iter().map(|seen| seen.bound_ns).max().expect("symbols came");
    assert_eq!(stats.delay_error_ns_max, largest as u64, "{name}: what the sink states");
    error
}

/// 20 ms each way, at the clock errors of the requirement in all their combinations: half the round trip is the
/// bound, the error is microseconds.
#[test]
fn symmetric_paths_are_measured_to_microseconds() {
    for (a, b) in [(1, -1), (-1, 1), (1, 1), (-1, -1)] {
        for (c, d) in [(1, -1), (-1, 1), (1, 1)] {
            let clocks = [(40_000_000 * a, 50_000 * c), (40_000_000 * b, 50_000 * d)];
            let scenario = on_path(duplex(1, 2, ms(20), None).to_vec(), 2, clocks);
            let name = format!("symmetric {:+} {:+} ms {:+} {:+} ppm", 40 * a, 40 * b, 50 * c, 50 * d);
            let error = check(&name, &scenario);
            assert!(error < 0.05, "{error}");
        }
    }
}

/// Whatever path, load and loss: no window is outside.
#[test]
fn the_bound_covers_on_every_path() {
    let rate = Some(mbps(10));
    let chain = || [duplex(1, 2, ms(15), rate), duplex(2, 3, ms(25), rate)].concat();
    check("two hops", &on_path(chain(), 3, WORST));
    let error = check("two hops, loaded", &loaded(on_path(chain(), 3, WORST)));
    assert!(error < 5.0, "queues of up to 150 ms a hop shall move it little: {error}");
    let mut lossy = chain();
    for link in &mut lossy {
        link.loss = Loss::Bernoulli(0.05);
    }
    let mut scenario = on_path(lossy, 3, WORST);
    scenario.settle = Duration::from_secs(20);
    check("two hops, 5 % lost", &scenario);
    for (there, back) in [(1, 60), (60, 1)] {
        let lopsided = || vec![link(1, 2, ms(there), rate), link(2, 1, ms(back), rate)];
        let name = format!("{there} ms there, {back} ms back");
        check(&name, &on_path(lopsided(), 2, WORST));
        check(&format!("{name}, clocks turned"), &on_path(lopsided(), 2, TURNED));
        check(&format!("{name}, loaded"), &loaded(on_path(lopsided(), 2, WORST)));
    }
}

/// Negative controls on the lopsided path: half the bound covers nothing, and an estimate that forgets that clocks
/// drift does not cover for long.
#[test]
fn a_smaller_bound_would_be_caught() {
    let links = vec![link(1, 2, ms(1), None), link(2, 1, ms(60), None)];
    // The answer is fast, so that the truth lies near the lower end, and the source's clock falls behind.
    let (seen, _) = follow(&on_path(links, 2, TURNED));
    let whole = coverage(&seen, |seen| seen.measured_ns, |seen| seen.bound_ns);
    let halved = coverage(&seen, |seen| seen.measured_ns, |seen| seen.bound_ns / 2);
    let frozen = coverage(&seen, |seen| seen.frozen_ns, |seen| seen.frozen_bound_ns);
    println!("covered {whole:.3}, by half the bound {halved:.3}, without drift {frozen:.3}");
    assert_eq!((whole, halved), (1.0, 0.0));
    assert!(frozen < 0.7, "{frozen}");
}
