//! Stream hops: sessions over simulated TCP, with nodes, hops and feeders.

use crate::common::{conference, duplex, flow, mbps, ms, node, path, scenario, session};
use crate::watch::{destination, run};
use bellini_core::content::spec::Content;
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use bellini_scenarios::model::{Fault, FaultKind, Loss, Scenario, Transport};
use bellini_scenarios::record::LinkSummary;

/// A session of 2 Mbit/s over a relay, on links of 10 Mbit/s that lose `loss` of the packets.
fn relayed(seconds: u64, loss: f64) -> Scenario {
    let nodes = (1..=3).map(node).collect();
    let mut links = [duplex(1, 2, ms(10), Some(mbps(10))), duplex(2, 3, ms(15), Some(mbps(10)))].concat();
    for link in &mut links {
        link.queue.bytes = 100_000;
        if loss > 0.0 {
            link.loss = Loss::Bernoulli(loss);
        }
    }
    let content = Content::Constant { rate: mbps(2), phase: ms(1) };
    let mut session = session(1, 1, &[3], content, vec![flow(path(&[2, 3]), 1.0)]);
    session.transport = Transport::Tcp;
    let mut scenario =
        scenario(Duration::from_secs(seconds), nodes, links, vec![conference(1, vec![session])]);
    scenario.drain = Duration::from_secs(20);
    scenario
}

/// Aim: without loss nothing waits but for the network: the least delay is that of two hops, and all arrives.
#[test]
fn a_session_crosses_a_relay() {
    let summary = run(&relayed(5, 0.0), 1);
    let to = destination(&summary, 0, 3);
    assert_eq!((to.sent_packets, to.delivered_packets, to.lost_packets), (1_250, 1_250, 0));
    let delay = to.delay_ms.expect("packets came");
    // 25 ms of propagation and twice some 1,150 bytes at 10 Mbit/s.
    assert!(delay.min > 25.0 && delay.p50 < 28.0, "{delay:?}");
    assert_eq!(summary.links.iter().map(LinkSummary::dropped).sum::<u64>(), 0);
}

/// Aim: what links lose is sent again, in order, and everything arrives once.
#[test]
fn losses_cost_time_and_nothing_else() {
    let summary = run(&relayed(10, 0.02), 2);
    let to = destination(&summary, 0, 3);
    assert_eq!((to.sent_packets, to.delivered_packets, to.lost_packets), (2_500, 2_500, 0));
    assert_eq!(to.duplicate_packets, 0);
    let lost: u64 = summary.links.iter().map(|link| link.dropped_loss).sum();
    assert!(lost > 50, "{lost} segments were lost");
    let delay = to.delay_ms.expect("packets came");
    assert!(delay.max > 60.0, "a repeat takes a round trip: {delay:?}");
}

/// Aim: a relay that crashes takes what it and its connections held with it; once it is back, its neighbours find it
/// again and the session goes on, while every packet is accounted for.
#[test]
fn a_relay_comes_back() {
    let mut scenario = relayed(30, 0.005);
    let relay = NodeId::new(2).expect("a node");
    let fault = |at, kind| Fault { at: Duration::from_secs(at), kind };
    scenario.faults = vec![fault(10, FaultKind::Crash(relay)), fault(14, FaultKind::Restart(relay))];
    let summary = run(&scenario, 3);
    let to = destination(&summary, 0, 3);
    assert_eq!(to.sent_packets, 7_500);
    let missing = to.sent_packets - to.delivered_packets;
    // Nobody says that the relay is gone: the source learns it from the first repeat that the new process does not
    // know, 7.75 s after the crash by then, and its feeder holds a part of that only.
    assert!((900..2_300).contains(&missing), "{missing} packets are missing");
    assert_eq!(to.loss_runs.as_ref().expect("some were lost").count, 1, "one outage, and no loss after it");
}
