//! Crash and restart of nodes.

use super::harness::*;
use bellini_core::io::{Event, HopKind};
use bellini_core::stats::{Drop, Reject};

fn changes(net: &Net, node: u32) -> Vec<&'static str> {
    net.picked(node, |event| match event {
        Event::HopOpened { kind: HopKind::Datagram, .. } => Some("opened"),
        Event::HopClosed { kind: HopKind::Datagram, .. } => Some("closed"),
        _ => None,
    })
    .into_iter()
    .map(|(_, change)| change)
    .collect()
}

/// A destination that restarts is known again a round trip after the first frame that reaches it.
#[test]
fn a_hop_reopens_after_a_restart() {
    let mut net = Net::new(2);
    net.session(1, &[2], HopKind::Datagram, &["2d"]);
    net.run_until(ms(500));
    net.crash(2);
    net.run_until(ms(600));
    net.start(2);
    net.join(KEY, 2);
    let before = net.delivered(2).len();
    net.run_until(ms(2_000));
    assert_eq!(changes(&net, 1), ["opened", "closed", "opened"]);
    let again = &net.delivered(2)[before..];
    // The frame of 600 ms arrives at 610 and is answered; with the answer of 620 the hop is open.
    assert_eq!(again.first().map(|first| first.0), Some(ms(630)));
    assert_eq!(again.len(), 48);
    let rejected = net.node(2).stats().rejected_frames[Reject::UnknownConnection as usize];
    assert!((2..=4).contains(&rejected), "{rejected} frames for the connection of before");
}

/// A source that restarts raises its epoch: its symbols start again, and those of before are refused.
#[test]
fn a_higher_epoch_opens_a_new_window() {
    let mut net = Net::new(2);
    net.session(1, &[2], HopKind::Datagram, &["2d"]);
    net.run_until(ms(500));
    let old: Vec<Crossing> = net.crossings.iter().filter(|sent| sent.is_packet).cloned().collect();
    net.crash(1);
    net.run_until(ms(600));
    let before = net.delivered(2).len();
    net.start(1);
    net.start_session(KEY, 1, &[2], HopKind::Datagram, 1);
    net.install(KEY, 1, 1, &["2d"]);
    net.run_until(ms(2_000));
    let delivered = net.delivered(2);
    assert_eq!(delivered[before].1, 0, "symbols start again");
    assert_eq!(delivered.len() - before, 48, "620 to 1,100 ms");
    assert_eq!(changes(&net, 2), ["opened", "closed", "opened"]);
    for crossing in &old {
        net.arrive(crossing);
    }
    assert_eq!(net.delivered(2).len(), delivered.len());
    assert_eq!(net.node(2).stats().dropped_packets[Drop::Late as usize], old.len() as u64);
}
