//! Reliable sessions: every destination gets every symbol, whatever happens on the way, and as fast as the hops allow.

use crate::common::{conference, duplex, flow, id, mbps, ms, node, path, scenario, session};
use crate::watch::{LAST_HOP, PATHLET, destination, run, run_watched};
use bellini_core::content::spec::Content;
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_scenarios::model::{
    Churn, Delivery, Fault, FaultKind, Loss, Membership, Node, Scenario, Session, StaticFlow,
};
use bellini_scenarios::record::{Summary, kind};

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
        run_lossy(16 * MIB, seed);
    }
}
