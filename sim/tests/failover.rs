//! Failover: how soon sessions leave what has failed, at round trips up to 300 ms a hop, and how often they leave what has not.

use crate::common::{bps, conference, duplex, id, ms, node, scenario, session};
use crate::watch::Watch;
use bellini_core::config::FailoverConfig;
use bellini_core::content::spec::Content;
use bellini_core::time::Duration;
use bellini_scenarios::model::{
    Delivery, Fault, FaultKind, LinkSelector, Loss, Rate, Routing, Scenario, Transport,
};
use bellini_scenarios::record::{Summary, kind};
use bellini_scenarios::registry::Registry;
use bellini_sim::Simulation;

/// What the failure of a hop or relay may take before the source knows, besides the way of the notice: the bound.
const NOTICED_S: f64 = 0.400;

/// 1 > 2 > 3 > 9 with a delay of `hop_ms` each, and a slower way 1 > 4 > 9; 200 packets a second from 1 to 9.
fn detour(hop_ms: u64, duration: Duration) -> Scenario {
    let links = [
        duplex(1, 2, ms(hop_ms), None),
        duplex(2, 3, ms(hop_ms), None),
        duplex(3, 9, ms(hop_ms), None),
        duplex(1, 4, ms(2 * hop_ms), None),
        duplex(4, 9, ms(2 * hop_ms), None),
    ];
    let content = Content::Constant { rate: bps(1_600_000), phase: Duration::ZERO };
    let mut session = session(1, 1, &[9], content, Vec::new());
    let policy = "shortest-delay".to_owned();
    session.routing = Routing { policy, flows: Vec::new(), parameters: Default::default() };
    session.assignment.policy = "equal".to_owned();
    let nodes = [1, 2, 3, 4, 9].into_iter().map(node).collect();
    let mut scenario = scenario(duration, nodes, links.concat(), vec![conference(1, vec![session])]);
    scenario.settle = Duration::from_secs(3);
    scenario.failover = Some(FailoverConfig::default());
    scenario
}

fn link(scenario: &Scenario, from: u32, to: u32) -> usize {
    let found = scenario.links.iter().position(|link| (link.from, link.to) == (id(from), id(to)));
    found.expect("a link of the scenario")
}

fn watched(scenario: &Scenario, seed: u64) -> (Summary, Watch) {
    let mut watch = Watch::default();
    let simulation = Simulation::new(scenario, seed, &Registry::builtin()).expect("it starts");
    let summary = simulation.run(&mut watch).expect("packets add up").summary;
    (summary, watch)
}

/// When the source first moved the session away, in seconds after `fault_s`.
fn moved_after(watch: &Watch, fault_s: f64) -> f64 {
    let first = watch.of_kind(kind::REROUTED).find(|row| row.t_s >= fault_s).expect("it moves");
    first.t_s - fault_s
}

/// Aim: total, one-way and grey failures of the hop 2 > 3 and the death of 3, at round trips of 10 to 300 ms a hop, each at
/// twenty moments between two keepalives: the source has moved within 400 ms and the way of the notice (one hop). Grey ones
/// are found by their packets: at 1,000 a second in that time and the ways of packets and of the peer's word, at 200 within
/// a second, nearly all.
#[test]
fn failures_are_left_within_the_bound() {
    let mut grey = Vec::new();
    println!(
        "hop RTT, failure: median and longest time until the source has moved, less the way of the notice (s)"
    );
    for hop_ms in [5, 50, 150] {
        for failure in ["dead relay", "total", "one-way", "grey", "grey, 1,000 packets a second"] {
            let mut found = Vec::new();
            for moment in 0..20 {
                let at = ms(2_000 + moment * 4);
                let mut scenario = detour(hop_ms, Duration::from_secs(4));
                let there = link(&scenario, 2, 3);
                let back = link(&scenario, 3, 2);
                if failure.ends_with("second") {
                    let content = Content::Constant { rate: bps(8_000_000), phase: Duration::ZERO };
                    scenario.conferences[0].sessions[0].content = content;
                }
                let kind = match failure {
                    "dead relay" => FaultKind::Crash(id(3)),
                    "total" => FaultKind::Cut(LinkSelector::Links(vec![there, back])),
                    "one-way" => FaultKind::Cut(LinkSelector::Links(vec![there])),
                    _ => FaultKind::Degrade {
                        links: LinkSelector::Links(vec![there, back]),
                        rate_factor: None,
                        extra_delay: None,
                        extra_loss: Some(0.3),
                    },
                };
                scenario.faults = vec![Fault { at, kind }];
                let (_, watch) = watched(&scenario, moment + 1);
                assert!(watch.of_kind(kind::REROUTED).all(|row| row.t_s >= at.as_secs_f64()));
                found.push(moved_after(&watch, at.as_secs_f64()) - ms(hop_ms).as_secs_f64());
            }
            found.sort_by(f64::total_cmp);
            println!("{:3} ms, {failure}: {:.3} {:.3}", 2 * hop_ms, found[10], found[19]);
            if failure == "grey" {
                // The packets that tell lie a hop behind.
                grey.extend(found.iter().map(|found| found - ms(hop_ms).as_secs_f64()));
            } else if failure.starts_with("grey") {
                // Packets tell a hop behind, and so does the peer's word back.
                let ways = ms(2 * hop_ms).as_secs_f64();
                assert!(found[19] - ways <= NOTICED_S, "{failure} at {hop_ms} ms: {found:?}");
            } else {
                let way = if failure == "one-way" { ms(hop_ms).as_secs_f64() } else { 0.0 };
                assert!(found[19] - way <= NOTICED_S, "{failure} at {hop_ms} ms: {found:?}");
            }
        }
    }
    let late = grey.iter().filter(|found| **found > 1.0).count();
    assert!(late <= grey.len() / 10, "{grey:?}");
}

/// Aim: a reliable file whose only route dies is completed over a backup, on every transport, and what was under way on the
/// dead relay is sent again as soon as the source knows, not when it times out.
#[test]
fn a_reliable_file_goes_on_over_a_backup() {
    for transport in [Transport::UdpUnpaced, Transport::Udp, Transport::Tcp] {
        let mut scenario = detour(20, Duration::from_secs(60));
        for link in &mut scenario.links {
            link.rate = Rate::Constant(bps(40_000_000));
        }
        for node in &mut scenario.nodes {
            node.hop_rates = [1, 2, 3, 4, 9]
                .into_iter()
                .filter(|peer| id(*peer) != node.id)
                .map(|peer| (id(peer), bps(36_000_000)))
                .collect();
        }
        let session = &mut scenario.conferences[0].sessions[0];
        session.transport = transport;
        session.delivery = Delivery::Reliable;
        session.content = Content::File { bytes: 16 << 20, rate: None };
        scenario.faults = vec![Fault { at: ms(1_500), kind: FaultKind::Crash(id(3)) }];
        let (summary, watch) = watched(&scenario, 1);
        let done = watch.of_kind(kind::SESSION_COMPLETED).next().expect("it is completed").t_s;
        let moved = moved_after(&watch, 1.5);
        println!("{transport:?}: moved after {moved:.3} s, completed at {done:.2} s");
        assert!(moved < NOTICED_S + 0.04, "{transport:?}: {moved}");
        let found = &summary.sessions[0].destinations[0];
        assert_eq!(found.delivered_packets, found.sent_packets, "{transport:?}");
    }
}

/// Aim: hops that lose 2 % and 5 % of what is on them, in bursts of 20 ms on average, are seldom left: a burst has to last
/// for three keepalives, which exp(-150 / 20) to exp(-225 / 20) of them do. Printed: how often in an hour of a hop.
#[test]
fn what_works_is_seldom_left() {
    for (loss, most) in [(0.02, 6.0), (0.05, 15.0)] {
        let mut scenario = detour(20, Duration::from_secs(600));
        scenario.sample_interval = Duration::from_secs(10);
        let mean_bad = ms(20);
        let mean_good = Duration::from_secs_f64(0.02 * (1.0 - loss) / loss);
        for link in &mut scenario.links {
            link.loss = Loss::GilbertElliottTime { mean_good, mean_bad, loss_good: 0.0, loss_bad: 1.0 };
        }
        let (mut down, mut moved) = (0, 0);
        for seed in 1..=3 {
            let (_, watch) = watched(&scenario, seed);
            down += watch.of_kind(kind::HOP_DOWN).count();
            moved += watch.of_kind(kind::REROUTED).count();
        }
        // Ten hops, three times ten minutes.
        let hourly = down as f64 / 5.0;
        println!(
            "{:.0} % lost: down {hourly:.1} times an hour of a hop; the session moved {moved} times in half an hour",
            loss * 100.0
        );
        assert!(hourly <= most, "{hourly}");
    }
}
