//! Shares of three conferences that want more than a relay's next hop takes, under each scheduler; a first-in
//! first-out queue in the place of ours fails every one of these checks.

use crate::common::{bps, conference, duplex, flow, id, ms, node, path, scenario, session};
use crate::watch::{LAST_HOP, destination, run};
use bellini_core::content::spec::Content;
use bellini_core::feeder::{FeederConfig, Scheduler};
use bellini_core::time::Duration;
use bellini_scenarios::model::Scenario;

/// The hop from relay to destination takes this many bit/s of wire bytes: 1,110 bytes in a millisecond.
const RATE: u64 = (LAST_HOP + 1_000) * 8_000;
const SECONDS: u64 = 20;

/// One conference: payload rate in Mbit/s, payload bytes of its symbols, weight, priority.
type Offer = (u64, u32, u32, u8);

/// Conferences of sources 1 to 3 over relay 4, whose hop to 5 is limited by a token bucket.
fn saturated(scheduler: Scheduler, offers: [Offer; 3]) -> Scenario {
    let mut nodes: Vec<_> = (1..=5).map(node).collect();
    nodes[3].hop_rates = vec![(id(5), bps(RATE))];
    nodes[3].feeder = FeederConfig { scheduler, ..FeederConfig::default() };
    let mut links = duplex(4, 5, ms(10), None).to_vec();
    let mut conferences = Vec::new();
    for ((mbps, symbol_bytes, weight, priority), i) in offers.into_iter().zip(1..) {
        links.extend(duplex(i, 4, ms(10), None));
        let content = Content::Constant { rate: bps(mbps * 1_000_000), phase: Duration::ZERO };
        let mut session = session(i, i, &[5], content, vec![flow(path(&[4, 5]), 1.0)]);
        session.symbol_bytes = symbol_bytes;
        let mut conference = conference(i, vec![session]);
        (conference.weight, conference.priority) = (weight, priority);
        conferences.push(conference);
    }
    let mut scenario = scenario(Duration::from_secs(SECONDS), nodes, links, conferences);
    scenario.drain = Duration::ZERO;
    scenario
}

/// Per conference: packets sent, packets delivered, wire bytes delivered over the last hop.
fn served(scheduler: Scheduler, offers: [Offer; 3]) -> [(u64, u64, u64); 3] {
    let summary = run(&saturated(scheduler, offers), 1);
    let served = [0, 1, 2].map(|i| {
        let found = destination(&summary, i, 5);
        let bytes = found.delivered_packets * (LAST_HOP + u64::from(offers[i].1));
        (found.sent_packets, found.delivered_packets, bytes)
    });
    // Whoever is served, the hop never idles: its rate from the first arrival after 10 ms to 10 ms before the end,
    // give or take what the bucket and the last packets hold.
    let total: u64 = served.iter().map(|(.., bytes)| bytes).sum();
    let capacity = RATE / 8 * (SECONDS * 1_000 - 20) / 1_000;
    assert!(total.abs_diff(capacity) <= 3 * 1_500, "{scheduler:?}: {total} bytes of {capacity}");
    println!("{scheduler:?}: {served:?}");
    served
}

fn check(holds: bool, what: &str, served: [(u64, u64, u64); 3]) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what}: {served:?}")) }
}

#[test]
fn round_robin_gives_each_as_many_packets() {
    // Of unequal rates and sizes; each alone could fill a third of the hop and more.
    let offers = [(16, 1_000, 1, 0), (6, 700, 1, 0), (6, 400, 1, 0)];
    let equal = |scheduler| {
        let served = served(scheduler, offers);
        let packets = served.map(|(_, packets, _)| packets);
        let (least, most) = (packets.iter().min(), packets.iter().max());
        check(most.zip(least).is_some_and(|(most, least)| most - least <= 2), "equal packets", served)
    };
    equal(Scheduler::RoundRobin).unwrap();
    equal(Scheduler::Fifo).unwrap_err();
    equal(Scheduler::DeficitWeighted).unwrap_err();
}

#[test]
fn deficit_weighted_shares_bytes_by_weight() {
    let offers = [(16, 1_000, 1, 0), (8, 700, 2, 0), (8, 400, 3, 0)];
    let weighted = |scheduler| {
        let served = served(scheduler, offers);
        let total: u64 = served.iter().map(|(.., bytes)| bytes).sum();
        // Deficit round robin is off by less than a turn's quantum and a packet (Shreedhar and Varghese 1995).
        let off = served.iter().zip(offers).map(|((.., bytes), (.., weight, _))| {
            let due = total as f64 * f64::from(weight) / 6.0;
            (*bytes as f64 - due).abs() / f64::from(1_500 * weight + 1_500)
        });
        check(off.fold(0.0, f64::max) <= 1.0, "bytes by weight", served)
    };
    weighted(Scheduler::DeficitWeighted).unwrap();
    weighted(Scheduler::Fifo).unwrap_err();
    weighted(Scheduler::RoundRobin).unwrap_err();
}

#[test]
fn strict_priority_serves_the_higher_first() {
    // The highest wants half of the hop and gets it all; the middle one takes the rest; the lowest starves.
    let offers = [(8, 1_000, 1, 0), (8, 1_000, 1, 1), (4, 1_000, 1, 2)];
    let strict = |scheduler| {
        let served = served(scheduler, offers);
        let [(_, lowest, _), _, (sent, highest, _)] = served;
        // What is on its way when the run ends: 20 ms of one packet each 2 ms.
        check(sent - highest <= 11 && lowest <= 2, "highest whole, lowest starved", served)
    };
    strict(Scheduler::StrictPriority).unwrap();
    strict(Scheduler::Fifo).unwrap_err();
    strict(Scheduler::RoundRobin).unwrap_err();
}
