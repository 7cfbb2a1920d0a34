//! Reliable sessions: every destination gets every symbol, whatever happens on the way, and as fast as the hops allow.

use crate::common::{conference, duplex, flow, id, mbps, ms, node, path, scenario, session};
use crate::watch::{LAST_HOP, PATHLET, Watch, destination, run, run_watched};
use bellini_core::content::spec::Content;
use bellini_core::feeder::Scheduler;
use bellini_core::route::{Branch, Route};
use bellini_core::time::Duration;
use bellini_scenarios::model::{
    Churn, Delivery, Fault, FaultKind, Loss, Membership, Node, Scenario, Session, StaticFlow, Transport,
};
use bellini_scenarios::record::{Scope, Summary, kind};

/// Payload of a symbol, in bytes.
const SYMBOL: u64 = 1_000;
const MIB: u64 = 1 << 20;

fn file(bytes: u64) -> Content {
    Content::File { bytes, rate: None }
}

fn reliable(source: u32, destinations: &[u32], content: Content, flows: Vec<StaticFlow>) -> Session {
    let mut session = session(1, source, destinations, content, flows);
    session.delivery = Delivery::Reliable;
    session
}

/// A node whose hops to some peers have a rate.
fn paced(number: u32, rates: &[(u32, u64)]) -> Node {
    let mut node = node(number);
    node.hop_rates = rates.iter().map(|(peer, rate)| (id(*peer), mbps(*rate))).collect();
    node
}

/// What of a hop's rate is payload, on a path of `hops` hops from there on.
fn payload_share(hops: u64) -> f64 {
    SYMBOL as f64 / (SYMBOL + LAST_HOP + (hops - 1) * PATHLET) as f64
}

fn assert_file_is_there(summary: &Summary, node: u32) {
    let found = destination(summary, 0, node);
    assert_eq!(found.complete, Some(true), "{found:?}");
    assert_eq!((found.lost_packets, found.in_flight_packets), (0, 0), "{found:?}");
    assert_eq!(found.delivered_packets, found.sent_packets);
}

/// Three paths 1 > {2,3,4} > 5d of 40 Mbit/s, each link losing 2 %; relays crash and return, at times two at once.
fn three_lossy_paths(bytes: u64) -> Scenario {
    let flows = [2, 3, 4].map(|relay| flow(path(&[relay, 5]), 1.0)).to_vec();
    let session = reliable(1, &[5], file(bytes), flows);
    let mut nodes = vec![paced(1, &[(2, 40), (3, 40), (4, 40)])];
    nodes.extend([2, 3, 4].map(|relay| paced(relay, &[(5, 40)])));
    nodes.push(node(5));
    let mut links = Vec::new();
    for (relay, delay) in [(2, 10), (3, 25), (4, 40)] {
        links.extend(duplex(1, relay, ms(delay), None));
        links.extend(duplex(relay, 5, ms(delay), None));
    }
    for link in &mut links {
        link.loss = Loss::Bernoulli(0.02);
    }
    let mut scenario = scenario(Duration::from_secs(20), nodes, links, vec![conference(1, vec![session])]);
    let crashes = [(300, 2, 1_500), (1_000, 3, 2_500), (2_600, 4, 3_400), (3_000, 2, 4_000)];
    for (from, relay, to) in crashes {
        scenario.faults.push(Fault { at: ms(from), kind: FaultKind::Crash(id(relay)) });
        scenario.faults.push(Fault { at: ms(to), kind: FaultKind::Restart(id(relay)) });
    }
    scenario.faults.sort_by_key(|fault| fault.at);
    scenario
}

/// Runs the file over three lossy paths once.
fn run_lossy(bytes: u64, seed: u64) {
    let (summary, watch) = run_watched(&three_lossy_paths(bytes), seed);
    assert_file_is_there(&summary, 5);
    let found = destination(&summary, 0, 5);
    let session = &summary.sessions[0];
    assert_eq!(watch.of_kind(kind::SESSION_COMPLETED).count(), 1);
    println!(
        "seed {seed}: complete after {:?} s; {:?} packets repeated, {} duplicates",
        found.complete_s, session.repeated_packets, found.duplicate_packets
    );
}

#[test]
fn a_file_survives_losses_and_crashes_of_relays() {
    for seed in 1..=5 {
        run_lossy(64 * MIB, seed);
    }
}

/// Mean of the samples of a destination's goodput from second `from` on, which are by arrival.
fn arrived(watch: &Watch, id: &str, from: f64, to: f64) -> f64 {
    let series = watch.series(Scope::Destination, id, "goodput_mbps");
    let samples: Vec<f64> =
        series.filter(|(t, _)| from + 1e-9 < *t && *t < to + 1e-9).map(|(_, value)| value).collect();
    samples.iter().sum::<f64>() / samples.len().max(1) as f64
}

/// Aim: two paths of 100 Mbit/s and 20 ms of round trip carry nearly all that their headers leave: 95 % at least.
#[test]
fn two_disjoint_paths_are_filled() {
    let flows = vec![flow(path(&[2, 4]), 1.0), flow(path(&[3, 4]), 1.0)];
    let session = reliable(1, &[4], file(1_000 * MIB), flows);
    let nodes = vec![paced(1, &[(2, 100), (3, 100)]), paced(2, &[(4, 100)]), paced(3, &[(4, 100)]), node(4)];
    let links = [duplex(1, 2, ms(5), None), duplex(2, 4, ms(5), None), duplex(1, 3, ms(5), None)];
    let links = [links.concat(), duplex(3, 4, ms(5), None).to_vec()].concat();
    let mut scenario = scenario(Duration::from_secs(6), nodes, links, vec![conference(1, vec![session])]);
    scenario.sample_interval = ms(100);
    let (summary, watch) = run_watched(&scenario, 1);
    let found = destination(&summary, 0, 4);
    let goodput = arrived(&watch, "1/1@4", 1.0, 6.0);
    let share = goodput / (200.0 * payload_share(2));
    println!("two paths: {goodput:.2} Mbit/s, {:.2} % of what headers leave", share * 100.0);
    assert!((0.95..1.0001).contains(&share), "{share}");
    assert_eq!((found.lost_packets, found.duplicate_packets), (0, 0));
}

/// Aim: a relay whose second hop is five times slower than its first passes on 95 % of what that can carry, and drops
/// less than a packet in a thousand.
#[test]
fn a_fast_first_hop_does_not_drown_a_slow_second_one() {
    let session = reliable(1, &[3], file(1_000 * MIB), vec![flow(path(&[2, 3]), 1.0)]);
    let nodes = vec![paced(1, &[(2, 100)]), paced(2, &[(3, 20)]), node(3)];
    let links = [duplex(1, 2, ms(10), None), duplex(2, 3, ms(10), None)].concat();
    let mut scenario = scenario(Duration::from_secs(20), nodes, links, vec![conference(1, vec![session])]);
    scenario.sample_interval = ms(100);
    let (summary, watch) = run_watched(&scenario, 1);
    let found = destination(&summary, 0, 3);
    let goodput = arrived(&watch, "1/1@3", 1.0, 20.0);
    let share = goodput / (20.0 * payload_share(1));
    let dropped: u64 = summary.nodes[1].drops.values().sum();
    println!(
        "slow second hop: {goodput:.3} Mbit/s, {:.2} % of what headers leave, {dropped} dropped",
        share * 100.0
    );
    assert!((0.95..1.0001).contains(&share), "{share}");
    assert!(dropped * 1_000 < found.delivered_packets, "{dropped} of {}", found.delivered_packets);
}

/// Four destinations behind one relay, the last over a hop of 4 Mbit/s, the others over 40; it leaves, or crashes.
fn one_slow_of_four(gone: Option<FaultKind>, leave: Option<u64>, lease: u64) -> (Summary, Watch) {
    let leaves = [3, 4, 5, 6].map(|node| Branch { node: id(node), deliver: true, next: Vec::new() }).to_vec();
    let tree = Route { branches: vec![Branch { node: id(2), deliver: false, next: leaves }] };
    let session = reliable(1, &[3, 4, 5, 6], file(8 * MIB), vec![flow(tree, 1.0)]);
    let mut nodes = vec![paced(1, &[(2, 100)]), paced(2, &[(3, 40), (4, 40), (5, 40), (6, 4)])];
    nodes.extend((3..=6).map(node));
    let mut links = duplex(1, 2, ms(10), None).to_vec();
    for node in 3..=6 {
        links.extend(duplex(2, node, ms(10), None));
    }
    let mut conference = conference(1, vec![session]);
    conference.churn.extend(leave.map(|at| Churn {
        at: ms(at),
        node: id(6),
        session: bellini_core::ids::SessionId(1),
        membership: Membership::Leave,
    }));
    let mut scenario = scenario(Duration::from_secs(lease), nodes, links, vec![conference]);
    scenario.faults.extend(gone.map(|kind| Fault { at: ms(4_000), kind }));
    run_watched(&scenario, 1)
}

/// Aim: who leaves does not hold a session back, and the others get everything.
#[test]
fn a_slow_destination_that_leaves_holds_nobody_back() {
    let (summary, watch) = one_slow_of_four(None, Some(4_000), 10);
    let completed: Vec<f64> = watch.of_kind(kind::SESSION_COMPLETED).map(|event| event.t_s).collect();
    for node in 3..=5 {
        let found = destination(&summary, 0, node);
        println!("node {node}: complete after {:?} s", found.complete_s);
        assert_file_is_there(&summary, node);
    }
    println!("completed at {completed:?} s");
    assert!(completed.len() == 1 && completed[0] > 4.0 && completed[0] < 10.0);
    assert_eq!(destination(&summary, 0, 6).complete, Some(false));
}

/// Aim: the same for one that crashes and never comes back: its lease ends.
#[test]
fn a_destination_that_is_gone_holds_nobody_back_for_ever() {
    let (summary, watch) = one_slow_of_four(Some(FaultKind::Crash(id(6))), None, 70);
    let completed: Vec<f64> = watch.of_kind(kind::SESSION_COMPLETED).map(|event| event.t_s).collect();
    (3..=5).for_each(|node| assert_file_is_there(&summary, node));
    println!("completed at {completed:?} s");
    assert!(completed.len() == 1 && completed[0] > 60.0 && completed[0] < 66.0, "{completed:?}");
}

/// Aim: content that comes by time is late rather than lost, and every symbol comes once.
#[test]
fn live_content_waits_for_its_window() {
    let content = Content::Constant { rate: mbps(6), phase: Duration::ZERO };
    let session = reliable(1, &[3], content, vec![flow(path(&[2, 3]), 1.0)]);
    let nodes = vec![node(1), paced(2, &[(3, 5)]), node(3)];
    let mut links = [duplex(1, 2, ms(10), None), duplex(2, 3, ms(10), None)].concat();
    links.iter_mut().for_each(|link| link.loss = Loss::Bernoulli(0.05));
    let mut scenario = scenario(Duration::from_secs(20), nodes, links, vec![conference(1, vec![session])]);
    // 6 Mbit/s for 8 s over a hop of 5 Mbit/s.
    scenario.conferences[0].sessions[0].stop = Duration::from_secs(8);
    scenario.drain = Duration::from_secs(10);
    let summary = run(&scenario, 1);
    let found = destination(&summary, 0, 3);
    assert_eq!((found.sent_packets, found.delivered_packets, found.lost_packets), (6_000, 6_000, 0));
    assert!(found.delay_ms.expect("packets came").max > 1_000.0, "{found:?}");
}

/// Aim: a destination that joins, or starts again, in the middle of a file gets all of it, and the others lose nothing.
#[test]
fn who_comes_late_or_forgets_gets_the_whole_file() {
    let two = Branch { node: id(2), deliver: true, next: Vec::new() };
    let tree = Route { branches: vec![Branch { next: vec![Branch { node: id(3), ..two.clone() }], ..two }] };
    let run_with = |late: bool| {
        let destinations: &[u32] = if late { &[2] } else { &[2, 3] };
        let mut session = reliable(1, destinations, file(4 * MIB), vec![flow(tree.clone(), 1.0)]);
        session.routing.flows.clear();
        session.routing.policy = "multicast-tree".into();
        session.assignment.policy = "equal".into();
        let nodes = vec![paced(1, &[(2, 20)]), paced(2, &[(3, 20)]), node(3)];
        let links = [duplex(1, 2, ms(10), None), duplex(2, 3, ms(10), None)].concat();
        let mut conference = conference(1, vec![session]);
        if late {
            let session = bellini_core::ids::SessionId(1);
            conference.churn.push(Churn {
                at: ms(1_000),
                node: id(3),
                session,
                membership: Membership::Join,
            });
        }
        let mut scenario = scenario(Duration::from_secs(10), nodes, links, vec![conference]);
        if !late {
            scenario.faults.push(Fault { at: ms(1_000), kind: FaultKind::Crash(id(3)) });
            scenario.faults.push(Fault { at: ms(1_200), kind: FaultKind::Restart(id(3)) });
        }
        run_watched(&scenario, 1)
    };
    for late in [true, false] {
        let (summary, watch) = run_with(late);
        for node in [2, 3] {
            let found = destination(&summary, 0, node);
            assert_eq!(found.complete, Some(true), "late {late}: {found:?}");
        }
        assert_eq!(watch.of_kind(kind::SESSION_COMPLETED).count(), 1, "late {late}");
    }
}

/// Aim: pressure by itself, where no window limits what is under way: a best-effort file over the slow second hop comes
/// whole, at the hop's rate, and nothing is dropped. With a queue that all conferences share nothing can be kept back.
#[test]
fn pressure_stops_a_best_effort_file_at_its_source() {
    let run_with = |scheduler| {
        let session = session(1, 1, &[3], file(20 * MIB), vec![flow(path(&[2, 3]), 1.0)]);
        let mut nodes = vec![paced(1, &[(2, 100)]), paced(2, &[(3, 20)]), node(3)];
        nodes.iter_mut().for_each(|node| node.feeder.scheduler = scheduler);
        let links = [duplex(1, 2, ms(10), None), duplex(2, 3, ms(10), None)].concat();
        let scenario = scenario(Duration::from_secs(15), nodes, links, vec![conference(1, vec![session])]);
        let summary = run(&scenario, 1);
        (destination(&summary, 0, 3).clone(), summary.nodes[1].drops.values().sum::<u64>())
    };
    let (found, dropped) = run_with(Scheduler::RoundRobin);
    println!("under pressure: complete after {:?} s, {dropped} dropped", found.complete_s);
    assert_eq!((found.complete, dropped), (Some(true), 0));
    let least = (20 * MIB * 8) as f64 / 20e6 / payload_share(1);
    assert!(found.complete_s.expect("complete") < least / 0.95, "{:?}", found.complete_s);
    let (found, dropped) = run_with(Scheduler::Fifo);
    assert!(found.complete == Some(false) && dropped > 10_000, "the control: {dropped} dropped");
}

/// Aim: congestion-controlled hops carry reliable sessions, too, and what they lose is repeated.
#[test]
fn paced_hops_carry_reliable_sessions() {
    let mut session = reliable(1, &[3], file(4 * MIB), vec![flow(path(&[2, 3]), 1.0)]);
    session.transport = Transport::Udp;
    let mut links = [duplex(1, 2, ms(5), Some(mbps(20))), duplex(2, 3, ms(5), Some(mbps(20)))].concat();
    links.iter_mut().for_each(|link| link.loss = Loss::Bernoulli(0.002));
    let nodes = (1..=3).map(node).collect();
    let scenario = scenario(Duration::from_secs(30), nodes, links, vec![conference(1, vec![session])]);
    let summary = run(&scenario, 1);
    assert_file_is_there(&summary, 3);
    println!("paced hops: complete after {:?} s", destination(&summary, 0, 3).complete_s);
}

/// Aim: a source that starts again offers its file anew, in another epoch, and it arrives.
#[test]
fn a_source_that_starts_again_begins_again() {
    let session = reliable(1, &[3], file(4 * MIB), vec![flow(path(&[2, 3]), 1.0)]);
    let nodes = vec![paced(1, &[(2, 20)]), paced(2, &[(3, 20)]), node(3)];
    let links = [duplex(1, 2, ms(10), None), duplex(2, 3, ms(10), None)].concat();
    let mut scenario = scenario(Duration::from_secs(10), nodes, links, vec![conference(1, vec![session])]);
    scenario.faults.push(Fault { at: ms(1_000), kind: FaultKind::Crash(id(1)) });
    scenario.faults.push(Fault { at: ms(1_200), kind: FaultKind::Restart(id(1)) });
    let (summary, watch) = run_watched(&scenario, 1);
    let found = destination(&summary, 0, 3);
    assert_eq!(
        (found.complete, watch.of_kind(kind::SESSION_COMPLETED).count()),
        (Some(true), 1),
        "{found:?}"
    );
}

/// Runs a scenario that is shipped.
fn shipped(name: &str) -> (Summary, Watch) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/transports").join(name);
    let text = std::fs::read_to_string(&path).expect("it is there");
    let loaded =
        bellini_scenarios::parse::parse_str(name, &text, &bellini_scenarios::parse::LoadOptions::default());
    run_watched(&loaded.unwrap_or_else(|found| panic!("{found}")).scenario, 1)
}

/// Aim: the shipped scenarios of reliable sessions show what their descriptions say.
#[test]
fn the_shipped_scenarios_show_what_they_say() {
    let (lossy, _) = shipped("reliable-lossy.json");
    assert_file_is_there(&lossy, 5);
    println!("reliable-lossy: complete after {:?} s", destination(&lossy, 0, 5).complete_s);
    let (_, two) = shipped("reliable-two-paths.json");
    let goodput = arrived(&two, "1/1@4", 1.0, 11.0);
    println!("reliable-two-paths: {goodput:.2} Mbit/s");
    assert!(goodput > 0.95 * 200.0 * 1_200.0 / 1_316.0);
    let (slow, watch) = shipped("reliable-slow-hop.json");
    let goodput = arrived(&watch, "1/1@3", 1.0, 21.0);
    let dropped: u64 = slow.nodes[1].drops.values().sum();
    println!("reliable-slow-hop: {goodput:.3} Mbit/s, {dropped} dropped");
    assert!(goodput > 0.95 * 20.0 * 1_200.0 / 1_310.0 && dropped == 0);
    let (gone, watch) = shipped("reliable-slow-destination.json");
    (3..=5).for_each(|node| assert_file_is_there(&gone, node));
    assert_eq!(watch.of_kind(kind::SESSION_COMPLETED).count(), 1);
    println!("reliable-slow-destination: others complete after {:?} s", destination(&gone, 0, 3).complete_s);
}

/// 200 runs of the file over three lossy paths, for whoever asks: `cargo test -p bellini-sim --test whole_runs --
/// --ignored two_hundred_seeds --nocapture`.
#[test]
#[ignore = "200 runs take minutes"]
fn two_hundred_seeds() {
    (1..=200).for_each(|seed| run_lossy(64 * MIB, seed));
}
