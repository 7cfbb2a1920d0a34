//! Scenarios built in code, for tests and benches that need exact parameters.

#![allow(dead_code, reason = "each test uses a part of this")]

use bellini_core::content::spec::Content;
use bellini_core::feeder::FeederConfig;
use bellini_core::ids::{ConferenceId, NodeId, SessionId};
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_scenarios::model::{
    Assignment, Conference, Delivery, FlowDraw, Link, Loss, Measure, Node, Planner, Queue, QueueDiscipline,
    Rate, Routing, Scenario, Session, StaticFlow, Transport, View,
};
use std::collections::BTreeMap;

pub(crate) fn id(id: u32) -> NodeId {
    NodeId::new(id).expect("a node id")
}

pub(crate) fn bps(bits: u64) -> BitRate {
    BitRate::from_bps(bits).expect("a rate")
}

pub(crate) fn mbps(n: u64) -> BitRate {
    bps(n * 1_000_000)
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn node(number: u32) -> Node {
    Node {
        id: id(number),
        name: format!("n{number}"),
        region: None,
        position: None,
        egress: None,
        ingress: None,
        processing: Duration::ZERO,
        receive_queue_packets: 10_000,
        clock_offset_ns: 0,
        clock_drift_ppb: 0,
        feeder: FeederConfig::default(),
        congestion: Default::default(),
        recoding: true,
        hop_rates: Vec::new(),
        vm_usd_per_hour: None,
    }
}

pub(crate) fn link(from: u32, to: u32, delay: Duration, rate: Option<BitRate>) -> Link {
    Link {
        from: id(from),
        to: id(to),
        delay,
        rate: rate.map_or(Rate::Unlimited, Rate::Constant),
        queue: Queue { bytes: 1_000_000, discipline: QueueDiscipline::DropTail },
        jitter: None,
        loss: Loss::None,
        mtu: 1_500,
        usd_per_gb: None,
        provenance: Vec::new(),
    }
}

/// Both directions.
pub(crate) fn duplex(a: u32, b: u32, delay: Duration, rate: Option<BitRate>) -> [Link; 2] {
    [link(a, b, delay, rate), link(b, a, delay, rate)]
}

/// A static route, as text without the source: `3>{2d,4d}`.
pub(crate) fn flow(route: Route, share: f64) -> StaticFlow {
    StaticFlow { route, share: Some(share), rate: None }
}

pub(crate) fn path(nodes: &[u32]) -> Route {
    Route::path(&nodes.iter().map(|n| id(*n)).collect::<Vec<_>>())
}

pub(crate) fn session(
    number: u32,
    source: u32,
    destinations: &[u32],
    content: Content,
    flows: Vec<StaticFlow>,
) -> Session {
    Session {
        coding: None,
        sealed: false,
        id: SessionId(number),
        name: format!("s{number}"),
        source: id(source),
        destinations: destinations.iter().map(|n| id(*n)).collect(),
        transport: Transport::UdpUnpaced,
        delivery: Delivery::BestEffort,
        content,
        symbol_bytes: 1_000,
        start: Duration::ZERO,
        stop: Duration::from_secs(1_000_000),
        routing: Routing { policy: "static".into(), flows, parameters: BTreeMap::new() },
        assignment: Assignment { policy: "static".into(), parameters: BTreeMap::new() },
        draw: FlowDraw::Random,
    }
}

pub(crate) fn conference(number: u32, sessions: Vec<Session>) -> Conference {
    Conference {
        id: ConferenceId(number),
        name: format!("c{number}"),
        weight: 1,
        priority: 0,
        start: Duration::ZERO,
        end: None,
        churn: Vec::new(),
        sessions,
    }
}

pub(crate) fn scenario(
    duration: Duration,
    nodes: Vec<Node>,
    mut links: Vec<Link>,
    conferences: Vec<Conference>,
) -> Scenario {
    links.sort_by_key(|link| (link.from, link.to));
    let mut conferences = conferences;
    for session in conferences.iter_mut().flat_map(|conference| &mut conference.sessions) {
        session.stop = session.stop.min(duration);
    }
    Scenario {
        name: "test".into(),
        description: String::new(),
        seed: 1,
        duration,
        settle: Duration::from_secs(2),
        drain: Duration::from_secs(1),
        measure: Measure { from: Duration::ZERO, to: duration },
        sample_interval: Duration::from_millis((duration.as_nanos() / 100_000_000).max(10)),
        report_interval: Duration::from_secs(30),
        view: View::Oracle,
        seal: false,
        planner: Planner { node: None, time: Duration::ZERO, period: Duration::from_secs(30) },
        listing: None,
        failover: None,
        probing: None,
        billing: None,
        vm_source: None,
        nodes,
        links,
        bottlenecks: Vec::new(),
        cross_traffic: Vec::new(),
        conferences,
        faults: Vec::new(),
        provenance: Vec::new(),
    }
}

/// The benchmark workload `overlay-S`: a full mesh of seven nodes, every session over one relay.
pub(crate) fn overlay(sessions: u32, rate: BitRate, duration: Duration) -> Scenario {
    let nodes = (1..=7).map(node).collect();
    let mut links = Vec::new();
    let mut k = 0_u64;
    for a in 1..=7 {
        for b in a + 1..=7 {
            let delay = Duration::from_nanos(5_000_000 + 145_000_000 * ((8 * k) % 21) / 20);
            links.extend(duplex(a, b, delay, Some(mbps(1_000))));
            k += 1;
        }
    }
    for link in &mut links {
        link.queue.bytes = 1_030_000;
    }
    let interval = 8_000 * 1_000_000_000 / rate.as_bps();
    let list = (0..sessions)
        .map(|s| {
            let (d, j) = (s % 7, (s / 7) % 3);
            let (source, relay) = ((d + 4 + j) % 7 + 1, (d + 1 + (j + d) % 3) % 7 + 1);
            let phase = Duration::from_nanos(interval * u64::from(s) / u64::from(sessions));
            let flows = vec![flow(path(&[relay, d + 1]), 1.0)];
            session(s + 1, source, &[d + 1], Content::Constant { rate, phase }, flows)
        })
        .collect();
    let mut scenario = scenario(duration, nodes, links, vec![conference(1, list)]);
    scenario.settle = Duration::from_secs(1);
    scenario.drain = Duration::ZERO;
    scenario
}
