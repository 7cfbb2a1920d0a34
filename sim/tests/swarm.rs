//! Random scenarios, many of them: whatever happens, every packet is accounted for.

use crate::common::{bps, conference, duplex, id, ms, node, scenario, session};
use crate::watch::run;
use bellini_core::content::spec::{
    Content, FrameTrace, Period, Playout, PlayoutMode, SizeDistribution, TraceFrame,
};
use bellini_core::feeder::{FeederConfig, Scheduler};
use bellini_core::ids::SessionId;
use bellini_core::rng::{Seed, Stream};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_scenarios::model::{
    Bottleneck, Churn, Conference, CrossLoad, CrossPattern, CrossTraffic, Fault, FaultKind, FlowDraw, Jitter,
    JitterModel, Link, LinkSelector, Loss, Measure, Membership, Node, Queue, QueueDiscipline, Rate,
    RateTrace, Scenario, Session, Shaper, TcpController, TcpRecovery, Transport,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Scenarios that the test runs.
const SCENARIOS: u64 = 60;
/// Length of each, in milliseconds.
const LENGTH: u64 = 6_000;

/// Draws of a scenario's parts.
struct Dice(Stream);

impl Dice {
    /// A number from `from` to `to`, both included.
    fn number(&mut self, from: u64, to: u64) -> u64 {
        from + self.0.below(to - from + 1)
    }

    fn chance(&mut self, p: f64) -> bool {
        self.0.chance(p)
    }

    fn one<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.0.below(list.len() as u64) as usize].clone()
    }

    fn rate(&mut self, from_kbps: u64, to_kbps: u64) -> BitRate {
        bps(self.number(from_kbps, to_kbps) * 1_000)
    }

    fn some(&mut self, nodes: &[u32], p: f64) -> Vec<u32> {
        nodes.iter().copied().filter(|_| self.0.chance(p)).collect()
    }
}

fn random_node(dice: &mut Dice, number: u32, peers: &[u32]) -> Node {
    let mut node = node(number);
    if dice.chance(0.3) {
        node.processing = Duration::from_micros(dice.number(1, 800));
        node.receive_queue_packets = dice.number(1, 50) as u32;
    }
    let shaper =
        |dice: &mut Dice| Shaper { rate: dice.rate(500, 20_000), queue_bytes: dice.number(1_500, 60_000) };
    node.egress = dice.chance(0.2).then(|| shaper(dice));
    node.ingress = dice.chance(0.2).then(|| shaper(dice));
    if dice.chance(0.4) {
        node.clock_offset_ns = dice.number(0, 80_000_000) as i64 - 40_000_000;
        node.clock_drift_ppb = dice.number(0, 100_000) as i64 - 50_000;
    }
    let all = [Scheduler::RoundRobin, Scheduler::DeficitWeighted, Scheduler::StrictPriority, Scheduler::Fifo];
    node.feeder = FeederConfig {
        scheduler: dice.one(&all),
        live_bytes_max: dice.number(3_000, 100_000),
        bulk_bytes_max: dice.number(3_000, 100_000),
        ..FeederConfig::default()
    };
    for peer in dice.some(peers, 0.15) {
        node.hop_rates.push((id(peer), dice.rate(300, 5_000)));
    }
    node
}

fn random_loss(dice: &mut Dice) -> Loss {
    let (loss_good, loss_bad) = (0.001, 0.6);
    match dice.number(0, 6) {
        0 => Loss::Bernoulli(dice.one(&[0.001, 0.1, 1.0])),
        1 => Loss::GilbertElliott { good_to_bad: 0.02, bad_to_good: 0.2, loss_good, loss_bad },
        2 => Loss::GilbertElliottTime { mean_good: ms(400), mean_bad: ms(60), loss_good, loss_bad },
        3 => Loss::Trace(vec![false, true, false, false]),
        _ => Loss::None,
    }
}

fn random_queue(dice: &mut Dice) -> Queue {
    let discipline = match dice.number(0, 3) {
        0 => QueueDiscipline::Red {
            min_bytes: 5_000,
            max_bytes: 20_000,
            max_probability: 0.1,
            weight: 0.02,
            wait: false,
        },
        1 => QueueDiscipline::CoDel { target: ms(5), interval: ms(100) },
        _ => QueueDiscipline::DropTail,
    };
    Queue { bytes: dice.number(1_500, 100_000), discipline }
}

fn random_links(dice: &mut Dice, n: u32) -> Vec<Link> {
    let mut links = Vec::new();
    for a in 1..=n {
        for b in a + 1..=n {
            // A ring, so that there is a way, and some more.
            if b == a + 1 || (a == 1 && b == n) || dice.chance(0.3) {
                links.extend(duplex(a, b, Duration::from_micros(dice.number(1, 80_000)), None));
            }
        }
    }
    for link in &mut links {
        let outage = RateTrace {
            name: "outage".into(),
            steps: vec![(ms(300), Some(bps(4_000_000))), (ms(100), None), (ms(200), Some(bps(900_000)))],
        };
        link.rate = match dice.number(0, 5) {
            0 => Rate::Unlimited,
            1 => Rate::Trace(outage),
            2 => Rate::Shared(0),
            _ => Rate::Constant(dice.rate(500, 20_000)),
        };
        link.queue = random_queue(dice);
        link.loss = random_loss(dice);
        if dice.chance(0.3) {
            let model = dice.one(&[
                JitterModel::Uniform(ms(5)),
                JitterModel::Exponential(ms(3)),
                JitterModel::HalfNormal(ms(4)),
            ]);
            link.jitter = Some(Jitter { model, reorder: dice.chance(0.5) });
        }
        if dice.chance(0.05) {
            link.mtu = 600;
        }
    }
    links.sort_by_key(|link| (link.from, link.to));
    links
}

fn random_content(dice: &mut Dice) -> Content {
    let rate = dice.rate(100, 4_000);
    let frames =
        [9_000, 2_000, 700, 2_400, 1].iter().map(|bytes| TraceFrame { bytes: *bytes, key: *bytes > 5_000 });
    let trace =
        Arc::new(FrameTrace { name: "test".into(), frame_interval: ms(40), frames: frames.collect() });
    let mode = dice.one(&[PlayoutMode::Live, PlayoutMode::Stream]);
    let playout = Playout { delay: ms(dice.number(20, 400)), mode };
    match dice.number(0, 6) {
        0 => Content::Video { trace, rate, playout },
        1 => Content::Adaptive {
            trace,
            ladder: vec![bps(200_000), bps(800_000), bps(3_000_000)],
            initial: 1,
            up_after: ms(500),
            playout,
        },
        2 => {
            let sizes = [
                SizeDistribution::Fixed(5_000),
                SizeDistribution::Uniform { min: 1, max: 9_000 },
                SizeDistribution::LogNormal { median: 4_000, sigma: 1.0, max: 200_000 },
            ];
            Content::Messages {
                mean_interval: ms(dice.number(2, 60)),
                size: dice.one(&sizes),
                deadline: ms(300),
            }
        }
        3 => {
            let rate = dice.chance(0.5).then_some(rate);
            Content::File { bytes: dice.number(1, 400_000), rate }
        }
        4 => Content::OnOff { rate, on: Period::Exponential(ms(200)), off: Period::Fixed(ms(150)) },
        _ => Content::Constant { rate, phase: Duration::from_micros(dice.number(0, 3_000)) },
    }
}

fn random_session(dice: &mut Dice, number: u32, nodes: &[u32]) -> Session {
    let source = dice.one(nodes);
    let others: Vec<u32> = nodes.iter().copied().filter(|node| *node != source).collect();
    let mut destinations = dice.some(&others, 0.5);
    if destinations.is_empty() {
        destinations = vec![dice.one(&others)];
    }
    let mut session = session(number, source, &destinations, random_content(dice), Vec::new());
    session.symbol_bytes = dice.number(1, 1_300) as u32;
    if matches!(session.content, Content::File { .. }) || session.symbol_bytes < 200 {
        session.symbol_bytes = session.symbol_bytes.max(200);
    }
    session.start = ms(dice.number(0, LENGTH / 2));
    session.stop = session.start + ms(dice.number(1, LENGTH));
    let policies: &[&str] = if destinations.len() == 1 {
        &["shortest-delay", "k-shortest", "multicast-tree"]
    } else {
        &["shortest-delay", "multicast-tree"]
    };
    session.routing.policy = dice.one(policies).into();
    session.assignment.policy = "equal".into();
    session.draw = dice.one(&[FlowDraw::Random, FlowDraw::Stride]);
    session
}

fn random_conference(dice: &mut Dice, number: u32, nodes: &[u32]) -> Conference {
    let sessions: Vec<Session> =
        (1..=dice.number(1, 3) as u32).map(|i| random_session(dice, i, nodes)).collect();
    let mut churn = Vec::new();
    for _ in 0..dice.number(0, 4) {
        let session = dice.one(&sessions);
        let node = id(dice.one(nodes));
        if node != session.source {
            let membership = dice.one(&[Membership::Join, Membership::Leave]);
            churn.push(Churn {
                at: ms(dice.number(0, LENGTH)),
                node,
                session: SessionId(session.id.0),
                membership,
            });
        }
    }
    churn.sort_by_key(|churn| churn.at);
    let mut conference = conference(number, sessions);
    conference.churn = churn;
    conference.weight = dice.number(1, 5) as u32;
    conference.priority = dice.number(0, 3) as u8;
    conference.end = dice.chance(0.3).then(|| ms(dice.number(LENGTH / 2, LENGTH)));
    conference
}

fn random_fault(dice: &mut Dice, nodes: &[u32], links: usize) -> FaultKind {
    let some = |dice: &mut Dice| LinkSelector::Links((0..links).filter(|_| dice.chance(0.3)).collect());
    match dice.number(0, 6) {
        0 | 1 => FaultKind::Crash(id(dice.one(nodes))),
        2 => FaultKind::Cut(some(dice)),
        3 => FaultKind::Heal(LinkSelector::Links((0..links).collect())),
        4 => FaultKind::Degrade {
            links: some(dice),
            rate_factor: dice.chance(0.7).then_some(0.3),
            extra_delay: dice.chance(0.7).then_some(ms(35)),
            extra_loss: dice.chance(0.7).then_some(0.2),
        },
        5 => {
            let (a, b) = nodes.split_at(dice.number(1, nodes.len() as u64 - 1) as usize);
            let ids = |nodes: &[u32]| nodes.iter().map(|node| id(*node)).collect();
            FaultKind::Partition(ids(a), ids(b))
        }
        _ => FaultKind::Restart(id(dice.one(nodes))),
    }
}

fn random_scenario(seed: u64) -> Scenario {
    let mut dice = Dice(Seed(seed).stream("swarm"));
    let n = dice.number(3, 7) as u32;
    let ids: Vec<u32> = (1..=n).collect();
    let nodes = ids
        .iter()
        .map(|number| {
            let peers: Vec<u32> = ids.iter().copied().filter(|peer| peer != number).collect();
            random_node(&mut dice, *number, &peers)
        })
        .collect();
    let links = random_links(&mut dice, n);
    let conferences = (1..=dice.number(1, 3) as u32).map(|i| random_conference(&mut dice, i, &ids)).collect();
    let mut scenario = scenario(ms(LENGTH), nodes, links, conferences);
    scenario.drain = dice.one(&[Duration::ZERO, ms(10), ms(1_000)]);
    scenario.measure = dice.one(&[
        Measure { from: Duration::ZERO, to: ms(LENGTH) },
        Measure { from: ms(LENGTH / 3), to: ms(LENGTH * 2 / 3) },
    ]);
    scenario.planner.time = dice.one(&[Duration::ZERO, ms(20)]);
    scenario.planner.node = dice.chance(0.4).then(|| id(dice.one(&ids)));
    scenario.planner.period = ms(dice.number(200, 3_000));
    let rate = Rate::Constant(dice.rate(1_000, 20_000));
    scenario.bottlenecks = vec![Bottleneck { name: "shared".into(), rate, queue: random_queue(&mut dice) }];
    let own = scenario.links.iter().position(|link| matches!(link.rate, Rate::Constant(_)));
    if let (Some(link), true) = (own, dice.chance(0.5)) {
        let which = dice.one(&[0, 1, 2]);
        let load = CrossLoad { rate: dice.rate(100, 3_000), packet_bytes: 1_200 };
        let pattern = match which {
            0 => CrossPattern::Constant(load),
            1 => CrossPattern::Poisson(load),
            _ => CrossPattern::OnOff { load, mean_on: ms(100), mean_off: ms(100) },
        };
        let (start, stop) = (Duration::ZERO, ms(LENGTH));
        scenario.cross_traffic = vec![CrossTraffic { link, pattern, start, stop }];
    }
    for _ in 0..dice.number(0, 6) {
        let at = dice.number(0, LENGTH);
        let kind = random_fault(&mut dice, &ids, scenario.links.len());
        if let (FaultKind::Crash(node), true) = (&kind, dice.chance(0.8)) {
            let kind = FaultKind::Restart(*node);
            scenario.faults.push(Fault { at: ms((at + dice.number(1, 1_500)).min(LENGTH)), kind });
        }
        scenario.faults.push(Fault { at: ms(at), kind });
    }
    scenario.faults.sort_by_key(|fault| fault.at);
    scenario
}

#[test]
fn random_scenarios_add_up() {
    let (mut sent, mut delivered, mut lost, mut in_flight, mut duplicates) = (0, 0, 0, 0, 0);
    let mut causes = BTreeSet::new();
    for seed in 1..=SCENARIOS {
        let scenario = random_scenario(seed);
        // The run itself fails when the ledger of a node or of the network does not add up.
        let summary = run(&scenario, seed);
        for session in &summary.sessions {
            for found in &session.destinations {
                let what = format!("seed {seed}, session {} at node {}: {found:?}", session.id(), found.node);
                let ended = found.delivered_packets + found.lost_packets + found.in_flight_packets;
                assert!(found.sent_packets == ended, "{what}");
                assert!(found.delivered_packets <= found.sent_packets, "{what}");
                sent += found.sent_packets;
                delivered += found.delivered_packets;
                lost += found.lost_packets;
                in_flight += found.in_flight_packets;
                duplicates += found.duplicate_packets;
            }
        }
        for link in &summary.links {
            causes.extend(link.dropped_other.keys().cloned());
            causes.extend((link.dropped_queue > 0).then(|| "queue".to_owned()));
            causes.extend((link.dropped_loss > 0).then(|| "loss".to_owned()));
        }
        causes.extend(summary.nodes.iter().flat_map(|node| node.drops.keys().cloned()));
    }
    println!(
        "sent {sent}: delivered {delivered}, lost {lost}, in flight {in_flight}; {duplicates} duplicates"
    );
    println!("causes of drops: {causes:?}");
    // That the swarm reaches what it is meant for: packets end in all ways, by all causes.
    assert!(delivered > 50_000 && lost > 10_000 && in_flight > 0);
    for cause in ["queue", "loss", "down", "cut", "mtu", "crash", "overflow", "conference_ended"] {
        assert!(causes.contains(cause), "no packet was dropped by {cause}: {causes:?}");
    }
}

/// Aim: the same with sessions over TCP and TCP as cross traffic: connections that are made, broken, replaced and lost
/// leave every packet accounted for, and what is delivered is delivered once.
#[test]
fn random_scenarios_over_tcp_add_up() {
    let (mut sent, mut delivered) = (0, 0);
    let mut causes = BTreeSet::new();
    for seed in 1..=SCENARIOS {
        let scenario = over_tcp(random_scenario(seed), seed);
        let summary = run(&scenario, seed);
        for session in &summary.sessions {
            for found in &session.destinations {
                let ended = found.delivered_packets + found.lost_packets + found.in_flight_packets;
                assert_eq!(found.sent_packets, ended, "seed {seed}, session {}: {found:?}", session.id());
                sent += found.sent_packets;
                delivered += found.delivered_packets;
            }
        }
        causes.extend(summary.links.iter().flat_map(|link| link.dropped_other.keys().cloned()));
        if seed.is_multiple_of(20) {
            assert_eq!(summary.without_engine(), run(&scenario, seed).without_engine());
        }
    }
    println!("over TCP: sent {sent}, delivered {delivered}, causes {causes:?}");
    assert!(delivered > 50_000 && delivered < sent);
    for cause in ["connection", "crash", "cut", "down"] {
        assert!(causes.contains(cause), "no packet was dropped by {cause}: {causes:?}");
    }
}

/// Puts every second session on TCP, and cross traffic too.
fn over_tcp(mut scenario: Scenario, seed: u64) -> Scenario {
    let sessions = scenario.conferences.iter_mut().flat_map(|conference| &mut conference.sessions);
    for (i, session) in sessions.enumerate() {
        if (i as u64 + seed).is_multiple_of(2) {
            session.transport = Transport::Tcp;
        }
    }
    for cross in &mut scenario.cross_traffic {
        let controller = if seed.is_multiple_of(3) { TcpController::Reno } else { TcpController::Cubic };
        cross.pattern = CrossPattern::Tcp {
            flows: 1 + (seed % 4) as u32,
            controller,
            delayed_acks: seed.is_multiple_of(2),
            recovery: if seed.is_multiple_of(5) { TcpRecovery::DupAck } else { TcpRecovery::Rack },
        };
    }
    scenario
}

#[test]
fn the_swarm_is_the_same_each_time() {
    for seed in [3, 17] {
        assert_eq!(random_scenario(seed), random_scenario(seed));
        let scenario = random_scenario(seed);
        assert_eq!(run(&scenario, seed).without_engine(), run(&scenario, seed).without_engine());
    }
    assert_ne!(random_scenario(3), random_scenario(17));
}
