//! Same scenario, same seed: same results, to the last byte. And nobody's draws depend on who else is there.

use crate::common::{bps, conference, duplex, flow, id, mbps, ms, node, path, scenario, session};
use crate::watch::{run, run_watched};
use bellini_core::content::spec::{Content, SizeDistribution};
use bellini_core::time::Duration;
use bellini_scenarios::model::{
    Churn, CrossLoad, CrossPattern, CrossTraffic, Fault, FaultKind, Jitter, JitterModel, Loss, Membership,
    Queue, QueueDiscipline, Scenario,
};
use bellini_scenarios::record::Summary;
use bellini_scenarios::registry::Registry;
use bellini_sim::tap::{Passing, Place};
use bellini_sim::{NoObserver, Simulation};
use std::sync::{Arc, Mutex};

/// The ids of the five nodes, with room before, between and behind them.
const IDS: [u32; 5] = [11, 13, 15, 17, 19];

/// A bit of everything that draws: random flows, Poisson messages, loss, jitter, RED, cross traffic, a restart.
fn random_in_every_way() -> Scenario {
    let mut edges = Vec::new();
    for (i, a) in IDS.into_iter().enumerate() {
        for b in &IDS[i + 1..] {
            edges.extend(duplex(a, *b, ms(u64::from(3 * (a - 10) + b)), Some(mbps(10))));
        }
    }
    for (i, link) in edges.iter_mut().enumerate() {
        let (good_to_bad, bad_to_good) = (0.02, 0.3);
        link.loss = match i % 3 {
            0 => Loss::Bernoulli(0.01),
            1 => Loss::GilbertElliott { good_to_bad, bad_to_good, loss_good: 0.0, loss_bad: 0.7 },
            _ => Loss::None,
        };
        link.jitter = Some(Jitter { model: JitterModel::Exponential(ms(2)), reorder: i % 2 == 0 });
        let (max_probability, weight) = (0.1, 0.01);
        let discipline = QueueDiscipline::Red {
            min_bytes: 5_000,
            max_bytes: 15_000,
            max_probability,
            weight,
            wait: false,
        };
        link.queue = Queue { bytes: 30_000, discipline };
    }
    let constant = Content::Constant { rate: bps(8_000_000), phase: ms(1) };
    let size = SizeDistribution::Exponential { mean: 3_000, max: 30_000 };
    let messages = Content::Messages { mean_interval: ms(5), size, deadline: ms(300) };
    let flows = vec![flow(path(&[19]), 0.5), flow(path(&[13, 19]), 0.3), flow(path(&[15, 17, 19]), 0.2)];
    let mut tree = session(2, 13, &[11, 17], messages, vec![]);
    tree.routing.policy = "multicast-tree".into();
    tree.assignment.policy = "equal".into();
    let mut conference = conference(1, vec![session(1, 11, &[19], constant, flows), tree]);
    let churn = |at, membership| Churn {
        at: ms(at),
        node: id(15),
        session: bellini_core::ids::SessionId(2),
        membership,
    };
    conference.churn = vec![churn(1_000, Membership::Join), churn(3_000, Membership::Leave)];
    let nodes = IDS.map(node).to_vec();
    let mut scenario = scenario(Duration::from_secs(5), nodes, edges, vec![conference]);
    scenario.cross_traffic = vec![CrossTraffic {
        link: 3,
        pattern: CrossPattern::Poisson(CrossLoad { rate: mbps(4), packet_bytes: 1_500 }),
        start: Duration::ZERO,
        stop: Duration::from_secs(5),
    }];
    scenario.faults = vec![
        Fault { at: ms(2_000), kind: FaultKind::Crash(id(17)) },
        Fault { at: ms(2_500), kind: FaultKind::Restart(id(17)) },
    ];
    scenario
}

fn json(summary: &Summary) -> String {
    summary.without_engine().to_json_pretty().expect("figures are finite")
}

#[test]
fn same_seed_same_bytes() {
    let scenario = random_in_every_way();
    let (first, seen_first) = run_watched(&scenario, 11);
    let (second, seen_second) = run_watched(&scenario, 11);
    assert_eq!(json(&first), json(&second));
    assert!(!seen_first.samples.is_empty() && !seen_first.events.is_empty());
    assert_eq!(seen_first, seen_second);
    // Not watching changes nothing either.
    assert_eq!(json(&run(&scenario, 11)), json(&first));
    // Negative control: another seed is another run.
    let (other, seen_other) = run_watched(&scenario, 12);
    assert_ne!(first.digest, other.digest);
    assert_ne!(first.sessions, other.sessions);
    assert_ne!(seen_first, seen_other);
}

/// Aim: a tap sees every frame that links take and none twice, what arrives was sent before, and looking changes nothing.
#[test]
fn a_tap_sees_everything_and_changes_nothing() {
    let scenario = random_in_every_way();
    let seen = Arc::new(Mutex::new((0_u64, 0_u64, 0_u64)));
    let counts = Arc::clone(&seen);
    let mut simulation = Simulation::new(&scenario, 11, &Registry::builtin()).expect("it starts");
    simulation.tap(Box::new(move |passing: &Passing<'_>| {
        let mut counts = counts.lock().expect("nobody panicked");
        match passing.place {
            Place::Sent => counts.0 += 1,
            Place::Arrived => counts.1 += 1,
        }
        counts.2 += u64::from(counts.1 > counts.0);
        assert_eq!(passing.wire_bytes as usize, passing.header.len() + passing.payload_len + 28);
    }));
    let tapped = simulation.run(&mut NoObserver).expect("packets add up").summary;
    let (sent, arrived, too_early) = *seen.lock().expect("nobody panicked");
    assert_eq!(Some(sent), tapped.engine.as_ref().and_then(|engine| engine.packet_hops));
    assert!(arrived > sent / 2 && arrived < sent, "{arrived} of {sent} arrived");
    assert_eq!(too_early, 0);
    assert_eq!(json(&tapped), json(&run(&scenario, 11)));
}

#[test]
fn without_randomness_the_seed_does_not_matter() {
    // The other half of the negative control: seeds reach results through draws only.
    let constant = Content::Constant { rate: mbps(8), phase: ms(1) };
    let session = session(1, 1, &[3], constant, vec![flow(path(&[2, 3]), 1.0)]);
    let links = [duplex(1, 2, ms(3), Some(mbps(9))), duplex(2, 3, ms(4), Some(mbps(7)))].concat();
    let nodes = (1..=3).map(node).collect();
    let scenario = scenario(Duration::from_secs(2), nodes, links, vec![conference(1, vec![session])]);
    let (one, other) = (run(&scenario, 1), run(&scenario, 2));
    assert_eq!((one.sessions, one.links, one.nodes), (other.sessions, other.links, other.nodes));
}

#[test]
fn more_samples_change_nothing() {
    let mut scenario = random_in_every_way();
    let coarse = run(&scenario, 11);
    scenario.sample_interval = ms(3);
    assert_eq!(json(&run(&scenario, 11)), json(&coarse));
}

#[test]
fn an_idle_node_changes_nobodys_draws() {
    let scenario = random_in_every_way();
    let alone = run(&scenario, 11);
    let crossed = (scenario.links[3].from, scenario.links[3].to);
    // Before, between and behind the others, so that every index shifts; linked, and on no shortest path.
    for idle in [10, 14, 20] {
        let mut crowded = scenario.clone();
        crowded.nodes.push(node(idle));
        crowded.nodes.sort_by_key(|node| node.id);
        for (peer, rate) in [(11, Some(mbps(10))), (19, None)] {
            let mut links = duplex(idle, peer, Duration::from_secs(1), rate);
            links[0].loss = Loss::Bernoulli(0.5);
            crowded.links.extend(links);
        }
        crowded.links.sort_by_key(|link| (link.from, link.to));
        let place = crowded.links.iter().position(|link| (link.from, link.to) == crossed);
        crowded.cross_traffic[0].link = place.expect("it is there");
        assert_contains(&run(&crowded, 11), &alone);
    }
}

/// Everything that `alone` knows of is the same in `crowded`.
fn assert_contains(crowded: &Summary, alone: &Summary) {
    assert_eq!(alone.sessions, crowded.sessions);
    assert!(crowded.links.len() > alone.links.len() && crowded.nodes.len() > alone.nodes.len());
    for link in &alone.links {
        assert!(crowded.links.contains(link), "{} has other figures", link.id());
    }
    for node in &alone.nodes {
        assert!(crowded.nodes.contains(node), "node {} has other figures", node.id);
    }
}
