//! Probing: what is measured of links that carry little or nothing, what that costs, and what policies hear of.

use crate::common::{bps, conference, duplex, id, mbps, ms, node, scenario, session};
use crate::watch::Watch;
use bellini_core::config::ProbingConfig;
use bellini_core::content::spec::Content;
use bellini_core::time::Duration;
use bellini_scenarios::graph::Graph;
use bellini_scenarios::graph::merge;
use bellini_scenarios::model::{Fault, FaultKind, LinkSelector, Routing, Scenario, Transport, View};
use bellini_scenarios::policy::{self, MeasuredBy, PolicyError, Reason, Request, RouteChoice, ViewLink};
use bellini_scenarios::record::{Summary, kind};
use bellini_scenarios::registry::Registry;
use bellini_sim::Simulation;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Why it was asked, and how the links were then.
type Asked = Arc<Mutex<Vec<(Reason, Vec<ViewLink>)>>>;

/// Takes the fastest path, and notes what it sees.
struct Noting(Asked);

impl policy::Routing for Noting {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        self.0.lock().expect("one thread").push((request.reason, request.view.links.clone()));
        let graph = Graph::new(request.view);
        let path = |&to| {
            let path = graph.shortest_path(request.source, to, None);
            path.ok_or(PolicyError::Unreachable { from: request.source, to })
        };
        let paths: Vec<_> = request.destinations.iter().map(path).collect::<Result<_, _>>()?;
        Ok(vec![merge(&paths).into()])
    }
}

/// Constant content from 1 to 9 over 1 > 2 > 9, 10 ms and 20 Mbit/s each; a slower way over 3; probing by its defaults.
fn square(rate_bps: u64, duration: Duration, policy: &str) -> Scenario {
    let fast = [duplex(1, 2, ms(10), Some(mbps(20))), duplex(2, 9, ms(10), Some(mbps(20)))];
    let slow = [duplex(1, 3, ms(40), Some(mbps(20))), duplex(3, 9, ms(40), Some(mbps(20)))];
    let content = Content::Constant { rate: bps(rate_bps), phase: Duration::ZERO };
    let mut session = session(1, 1, &[9], content, Vec::new());
    session.transport = Transport::Udp;
    session.routing = Routing { policy: policy.to_owned(), flows: Vec::new(), parameters: BTreeMap::new() };
    session.assignment.policy = "equal".to_owned();
    let nodes = [1, 2, 3, 9].into_iter().map(node).collect();
    let links = [fast.concat(), slow.concat()].concat();
    let mut scenario = scenario(duration, nodes, links, vec![conference(1, vec![session])]);
    scenario.view = View::Measured;
    scenario.probing = Some(ProbingConfig::default());
    scenario.planner.period = Duration::from_secs(1);
    scenario
}

fn both_ways(scenario: &Scenario, a: u32, b: u32) -> LinkSelector {
    let ends = [(id(a), id(b)), (id(b), id(a))];
    let found = (0..).zip(&scenario.links).filter(|(_, link)| ends.contains(&(link.from, link.to)));
    LinkSelector::Links(found.map(|(index, _)| index).collect())
}

fn noted(scenario: &Scenario, seed: u64) -> (Summary, Watch, Vec<(Reason, Vec<ViewLink>)>) {
    let asked = Asked::default();
    let noting = Arc::clone(&asked);
    let registry = Registry::builtin().routing("noting", move || Box::new(Noting(Arc::clone(&noting))));
    let mut watch = Watch::default();
    let simulation = Simulation::new(scenario, seed, &registry).expect("it starts");
    let summary = simulation.run(&mut watch).expect("packets add up").summary;
    let asked = std::mem::take(&mut *asked.lock().expect("one thread"));
    (summary, watch, asked)
}

fn link(links: &[ViewLink], from: u32, to: u32) -> ViewLink {
    let found = links.iter().find(|link| (link.from, link.to) == (id(from), id(to)));
    *found.expect("a link of the view")
}

fn wire_bytes(summary: &Summary) -> u64 {
    summary.links.iter().map(|link| link.sent_bytes).sum()
}

/// Aim: a session of 1 Mbit/s under congestion control does not see what its 20 Mbit/s links can carry, which trains do,
/// within 5 %; a link whose real rate is halved, and nobody is told, is followed within half a minute; and all probes, also
/// those to where no packets go, cost at most 2 % of the packets' bytes and single ones of 80 bytes.
#[test]
fn a_rate_that_is_halved_unannounced_is_followed() {
    let mut scenario = square(1_000_000, Duration::from_secs(120), "noting");
    let links = both_ways(&scenario, 1, 2);
    let kind = FaultKind::Degrade { links, rate_factor: Some(0.5), extra_delay: None, extra_loss: None };
    scenario.faults = vec![Fault { at: Duration::from_secs(60), kind }];
    let (with, _, asked) = noted(&scenario, 1);
    let rates: Vec<_> =
        asked.iter().map(|(_, links)| link(links, 1, 2).measured.expect("measured").rate).collect();
    // Asked each second: the place is the time, but for the settling.
    let at = |second: usize| {
        let rate = rates[second].expect("a rate");
        (rate.by, rate.value * 1e-6)
    };
    let halved = (60..rates.len()).find(|second| at(*second).1 < 10.5).expect("it is followed");
    println!("20 Mbit/s measured as {:.2}; 10 as {:.2}, after {} s", at(55).1, at(118).1, halved - 60);
    assert_eq!((at(55).0, at(118).0), (MeasuredBy::Train, MeasuredBy::Train));
    assert!((at(55).1 / 20.0 - 1.0).abs() < 0.05 && (at(118).1 / 10.0 - 1.0).abs() < 0.05);
    assert!(halved <= 90, "{halved}");
    // The way that nothing goes over is measured, too, as far as node 1 is.
    let idle = link(&asked[110].1, 1, 3).measured.expect("measured");
    assert!((idle.rate.expect("a rate").value * 1e-6 / 20.0 - 1.0).abs() < 0.05, "{idle:?}");
    assert!((idle.rtt.expect("an RTT").value - 0.080).abs() < 0.001, "{idle:?}");
    let plain = Scenario { probing: None, ..scenario.clone() };
    let (without, _, asked) = noted(&plain, 1);
    let blind = link(&asked[110].1, 1, 2).measured.expect("measured").rate.expect("a rate");
    println!("without probes: {:.2} Mbit/s, by {:?}", blind.value * 1e-6, blind.by);
    assert!(blind.value < 5e6, "twice of what was sent, at most: {blind:?}");
    let cost = (wire_bytes(&with) - wire_bytes(&without)) as f64;
    // Four pairs of nodes, each with three frames in at least 12 s, and the bytes of hellos of their control hops.
    let single = 4.0 * 3.0 * 80.0 * (123.0 / 12.0 + 1.0) + 4.0 * 500.0;
    println!(
        "probes: {:.3} % of {} B, of which single ones at most {single} B",
        100.0 * cost / wire_bytes(&without) as f64,
        wire_bytes(&without)
    );
    // The first trains of nodes 3 and 9, which send no packets that could pay for them, and their answers.
    let advance = 4.0 * 3.0 * (8.0 * 1_500.0 + 2.0 * 80.0);
    println!("of which the first trains of idle nodes at most {advance} B");
    assert!(cost <= 0.02 * wire_bytes(&without) as f64 + single + advance, "{cost} B");
}

/// Aim: whoever plans before there is any packet knows the rates of all links, within 1 %, unless the scenario wants no
/// trains at the start.
#[test]
fn links_are_measured_before_there_is_traffic() {
    for (setup, expected) in [(3, 8), (1, 8), (0, 0)] {
        let mut scenario = square(1_000_000, Duration::from_secs(8), "noting");
        scenario.conferences[0].sessions[0].start = Duration::from_secs(4);
        scenario.probing = Some(ProbingConfig { setup, ..ProbingConfig::default() });
        let (_, _, asked) = noted(&scenario, 1);
        let rates: Vec<_> =
            asked[0].1.iter().filter_map(|link| link.measured.and_then(|measured| measured.rate)).collect();
        assert_eq!(rates.len(), expected, "{setup} trains: {rates:?}");
        assert!(
            rates.iter().all(|rate| rate.by == MeasuredBy::Train && (rate.value / 20e6 - 1.0).abs() < 0.01),
            "{rates:?}"
        );
    }
}

/// Aim: policies are asked again because of losses once when a hop begins to lose 5 %, whoever sees it, and once when it
/// does not any more; with 1 % they are never.
#[test]
fn losses_bring_a_question_each_way() {
    for (extra_loss, expected) in [(0.05, 2), (0.01, 0)] {
        let mut scenario = square(2_000_000, Duration::from_secs(120), "noting");
        scenario.conferences[0].sessions[0].transport = Transport::UdpUnpaced;
        let links = both_ways(&scenario, 2, 9);
        let degrade = FaultKind::Degrade {
            links: links.clone(),
            rate_factor: None,
            extra_delay: None,
            extra_loss: Some(extra_loss),
        };
        let from = Fault { at: Duration::from_secs(20), kind: degrade };
        scenario.faults = vec![from, Fault { at: Duration::from_secs(60), kind: FaultKind::Heal(links) }];
        let (_, _, asked) = noted(&scenario, 2);
        let because = asked.iter().filter(|(reason, _)| *reason == Reason::Loss).count();
        assert_eq!(because, expected, "{extra_loss}");
        if expected > 0 {
            let places: Vec<_> = (0..asked.len()).filter(|&place| asked[place].0 == Reason::Loss).collect();
            println!("5 % of loss from 20 s to 60 s: asked at {} and {} s", places[0], places[1] - 1);
        }
        let loss = link(&asked[58].1, 2, 9).measured.expect("measured").loss.expect("a loss");
        assert_eq!(loss.by, MeasuredBy::FrameNumbers);
        assert!((loss.value - extra_loss).abs() < 4.0 * loss.error.expect("an error"), "{loss:?}");
    }
}

/// Aim: RON in whole runs. A mesh of four, packets go directly; the direct link is cut at some moment. The source finds
/// it by its own probes, 12 to 28 s later, and goes over the better relay at once; the means are those that the constants
/// imply. When the link is healed, it is taken again. Printed: the times.
#[test]
fn ron_leaves_an_outage_when_its_probes_find_it() {
    let mut found = Vec::new();
    for run in 0..40_u64 {
        let links = [(1, 9, 30), (1, 2, 25), (2, 9, 25), (1, 3, 40), (3, 9, 40), (2, 3, 30)];
        let links = links.map(|(a, b, delay)| duplex(a, b, ms(delay), Some(mbps(20)))).concat();
        let content = Content::Constant { rate: bps(40_000), phase: Duration::ZERO };
        let mut session = session(1, 1, &[9], content, Vec::new());
        session.symbol_bytes = 500;
        session.routing = Routing { policy: "ron".into(), flows: Vec::new(), parameters: BTreeMap::new() };
        session.assignment.policy = "equal".to_owned();
        let nodes = [1, 2, 3, 9].into_iter().map(node).collect();
        let duration = Duration::from_secs(150);
        let mut scenario = scenario(duration, nodes, links, vec![conference(1, vec![session])]);
        scenario.view = View::Measured;
        scenario.probing = Some(ProbingConfig::default());
        scenario.sample_interval = Duration::from_secs(1);
        let cut_s = 40.0 + run as f64 * 0.41;
        let links = both_ways(&scenario, 1, 9);
        scenario.faults = vec![
            Fault { at: Duration::from_secs_f64(cut_s), kind: FaultKind::Cut(links.clone()) },
            Fault { at: Duration::from_secs(100), kind: FaultKind::Heal(links) },
        ];
        let mut watch = Watch::default();
        let simulation = Simulation::new(&scenario, run + 1, &Registry::builtin()).expect("it starts");
        let summary = simulation.run(&mut watch).expect("packets add up").summary;
        let down = watch.of_kind(kind::HOP_DOWN).filter(|row| row.node == Some(1)).map(|row| row.t_s);
        let down: Vec<f64> = down.collect();
        assert_eq!(down.len(), 1, "{down:?}");
        let outage_s = down[0] - cut_s;
        found.push(outage_s);
        // Ten packets a second are lost until then, and none after: the direct way is not taken back while it is cut.
        let lost = &summary.sessions[0].destinations[0];
        let missing = (lost.sent_packets - lost.delivered_packets) as f64;
        assert!((missing - 10.0 * outage_s).abs() <= 3.0, "{missing} packets in {outage_s} s");
        let direct =
            summary.links.iter().find(|link| (link.from, link.to) == (1, 9)).expect("the direct link");
        assert!(direct.sent_packets > 700, "it is used again: {}", direct.sent_packets);
    }
    found.sort_by(f64::total_cmp);
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    println!(
        "RON finds an outage after {:.1} to {:.1} s, median {:.1}, mean {mean:.1} (implied: 12 to 28, mean 19.3)",
        found[0],
        found[found.len() - 1],
        found[found.len() / 2]
    );
    assert!(found[0] > 11.9 && found[found.len() - 1] < 28.1, "{found:?}");
    // Forty of them, with a deviation of 4 s each.
    assert!((mean - 19.3).abs() < 2.0, "{mean}");
}
