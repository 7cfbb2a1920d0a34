//! Random reliable sessions: whatever is lost, doubled, overtaken, cut or crashes, and however routes change, every
//! symbol comes once or is still on its way, and packets add up.

use crate::common::{bps, conference, duplex, id, ms, node, scenario, session};
use crate::watch::run_watched;
use bellini_core::content::spec::{Content, SizeDistribution};
use bellini_core::ids::SessionId;
use bellini_core::rng::{Seed, Stream};
use bellini_core::time::Duration;
use bellini_scenarios::model::{
    Churn, Delivery, Fault, FaultKind, Jitter, JitterModel, LinkSelector, Loss, Membership, Scenario,
    Transport,
};
use bellini_scenarios::record::kind;

/// Scenarios that the test runs.
const SCENARIOS: u64 = 40;
/// Faults and churn end by then.
const QUIET: u64 = 6_000;
const LENGTH: u64 = 40_000;

fn one<T: Copy>(dice: &mut Stream, list: &[T]) -> T {
    list[dice.below(list.len() as u64) as usize]
}

fn random_content(dice: &mut Stream) -> Content {
    let rate = bps(200_000 + dice.below(3_000_000));
    match dice.below(4) {
        0 => Content::File { bytes: 100_000 + dice.below(3_000_000), rate: None },
        1 => Content::File { bytes: 100_000 + dice.below(1_000_000), rate: Some(rate) },
        2 => Content::Messages {
            mean_interval: ms(5 + dice.below(50)),
            size: SizeDistribution::Fixed(500 + dice.below(8_000)),
            deadline: ms(200),
        },
        _ => Content::Constant { rate, phase: Duration::ZERO },
    }
}

/// Nodes 1 to 6, 1 the source, the last two destinations, a mesh of lossy links that reorder; crashes of relays, cuts,
/// a third destination that comes or goes, routes by a policy that is asked again each second.
fn random_scenario(seed: u64) -> Scenario {
    let dice = &mut Seed(seed).stream("reliable-swarm");
    let mut nodes: Vec<_> = (1..=6).map(node).collect();
    for node in &mut nodes {
        node.feeder.bulk_bytes_max = 20_000 + dice.below(300_000);
        node.feeder.live_bytes_max = 20_000 + dice.below(300_000);
        for peer in (1..=6).filter(|peer| id(*peer) != node.id) {
            if dice.chance(0.3) {
                node.hop_rates.push((id(peer), bps(1_000_000 + dice.below(20_000_000))));
            }
        }
    }
    let mut links = Vec::new();
    for a in 1..=6 {
        for b in a + 1..=6 {
            if b == a + 1 || dice.chance(0.5) {
                links.extend(duplex(a, b, Duration::from_micros(100 + dice.below(50_000)), None));
            }
        }
    }
    links.extend(
        duplex(1, 6, ms(5), None)
            .into_iter()
            .filter(|_| !links.iter().any(|l| (l.from, l.to) == (id(1), id(6))))
            .collect::<Vec<_>>(),
    );
    for link in &mut links {
        link.loss = Loss::Bernoulli(one(dice, &[0.0, 0.01, 0.05, 0.2]));
        if dice.chance(0.5) {
            link.jitter = Some(Jitter {
                model: JitterModel::Exponential(Duration::from_micros(dice.below(8_000) + 1)),
                reorder: true,
            });
        }
        if dice.chance(0.3) {
            link.rate = bellini_scenarios::model::Rate::Constant(bps(2_000_000 + dice.below(20_000_000)));
            link.queue.bytes = 10_000 + dice.below(100_000);
        }
    }
    let mut session = session(1, 1, &[5, 6], random_content(dice), Vec::new());
    session.delivery = Delivery::Reliable;
    session.stop = ms(QUIET);
    session.transport = one(dice, &[Transport::UdpUnpaced, Transport::UdpUnpaced, Transport::Udp]);
    (session.routing.policy, session.assignment.policy) = ("k-shortest".into(), "equal".into());
    session.destinations.truncate(1 + dice.below(2) as usize);
    if session.destinations.len() == 2 {
        session.routing.policy = "multicast-tree".into();
    }
    let is_alone = session.destinations.len() == 1;
    let mut conference = conference(1, vec![session]);
    if dice.chance(0.4) && !is_alone {
        let at = 500 + dice.below(4_000);
        let session = SessionId(1);
        conference.churn.push(Churn { at: ms(at), node: id(4), session, membership: Membership::Join });
        if dice.chance(0.5) {
            conference.churn.push(Churn {
                at: ms(at + 800),
                node: id(4),
                session,
                membership: Membership::Leave,
            });
        }
    }
    let mut scenario = scenario(ms(QUIET), nodes, links, vec![conference]);
    // Sessions that stop before the end are forgotten after the drain, whatever they have still to send.
    scenario.drain = ms(LENGTH);
    scenario.planner.period = ms(1_000);
    for relay in [2, 3] {
        if dice.chance(0.7) {
            let at = 300 + dice.below(3_000);
            let back = at + 200 + dice.below(2_500);
            scenario.faults.push(Fault { at: ms(at), kind: FaultKind::Crash(id(relay)) });
            scenario.faults.push(Fault { at: ms(back), kind: FaultKind::Restart(id(relay)) });
        }
    }
    if dice.chance(0.4) {
        let links = LinkSelector::Links(vec![dice.below(scenario.links.len() as u64) as usize]);
        let at = 300 + dice.below(3_000);
        scenario.faults.push(Fault { at: ms(at), kind: FaultKind::Cut(links.clone()) });
        scenario.faults.push(Fault { at: ms(at + 1_500), kind: FaultKind::Heal(links) });
    }
    scenario.faults.sort_by_key(|fault| fault.at);
    scenario
}

#[test]
fn whatever_happens_every_symbol_comes_once_or_is_still_to_come() {
    let (mut repeated, mut complete, mut delivered, mut duplicates) = (0, 0, 0, 0);
    for seed in 0..SCENARIOS {
        let scenario = random_scenario(seed);
        let (summary, watch) = run_watched(&scenario, seed);
        let session = &summary.sessions[0];
        let is_complete = watch.of_kind(kind::SESSION_COMPLETED).count() > 0;
        for found in &session.destinations {
            let what = format!("scenario {seed}: {found:?}");
            // Who comes late is owed what is made from then on, as its source hears of it; of a file, all.
            let came = scenario.conferences[0].churn.iter().any(|churn| churn.node.get() == found.node);
            if came {
                continue;
            }
            assert_eq!(found.lost_packets, 0, "{what}");
            assert_eq!(found.delivered_packets + found.in_flight_packets, found.sent_packets, "{what}");
            assert!(!is_complete || found.in_flight_packets == 0, "{what}");
            // A file whose session stops earlier is not offered whole.
            if let Content::File { bytes, .. } = scenario.conferences[0].sessions[0].content {
                let is_whole = found.sent_packets == bytes.div_ceil(1_000);
                assert!(!is_complete || found.complete == Some(is_whole), "{what}");
            }
            delivered += found.delivered_packets;
            duplicates += found.duplicate_packets;
        }
        if !is_complete {
            let figures: Vec<_> = session
                .destinations
                .iter()
                .map(|d| (d.node, d.sent_packets, d.delivered_packets, d.in_flight_packets))
                .collect();
            println!(
                "scenario {seed} ({}, {}) is not complete: {figures:?}",
                session.transport, session.content
            );
        }
        complete += u64::from(is_complete);
        repeated += session.repeated_packets.expect("it is reliable");
    }
    println!(
        "{complete} of {SCENARIOS} complete; {delivered} delivered, {repeated} repeated, {duplicates} duplicates"
    );
    // That the swarm reaches what it is meant for.
    assert!(complete * 10 >= SCENARIOS * 9 && repeated > 5_000 && duplicates > 100);
}
