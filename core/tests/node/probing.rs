//! Probing, node by node: outages are found and asked about, strange frames change nothing, and who does not probe is silent.

use super::harness::*;
use bellini_core::config::{NodeConfig, ProbingConfig};
use bellini_core::hop::HopFault;
use bellini_core::io::{Event, HopKind, Input, PolicyReason, Received};
use bellini_core::time::Duration;
use bytes::Bytes;

/// All probe each other, a hundred times as fast as RON.
fn probing(config: &mut NodeConfig) {
    let (interval, timeout) = (Duration::from_millis(120), Duration::from_millis(30));
    let peers = (1..=3).map(id).collect();
    config.probing = Some(ProbingConfig { peers, interval, timeout, ..ProbingConfig::default() });
}

/// Aim: a destination that dies is dead to its source after the wait for the next probe and four of 30 ms, and the source
/// asks for its policies in that moment; others who probe it find it, too. When it is back it is asked again.
#[test]
fn an_outage_is_found_and_asked_about() {
    let mut net = Net::with(3, probing);
    net.session(1, &[3], HopKind::Datagram, &["3d"]);
    net.run_until(ms(400));
    let down = |net: &Net, node| {
        net.picked(node, |event| match event {
            Event::HopDown { peer, fault: HopFault::Unanswered } => Some(*peer),
            _ => None,
        })
    };
    assert!(down(&net, 1).is_empty() && down(&net, 2).is_empty());
    net.crash(3);
    net.run_until(ms(750));
    for node in [1, 2] {
        let found = down(&net, node);
        assert_eq!(found.len(), 1, "node {node}: {found:?}");
        assert_eq!(found[0].1, id(3));
        assert!((ms(500)..=ms(400 + 160 + 120)).contains(&found[0].0), "node {node}: {found:?}");
    }
    let asked = |net: &Net| {
        net.picked(1, |event| match event {
            Event::PolicyWanted { reason: PolicyReason::Topology, .. } => Some(()),
            _ => None,
        })
    };
    assert_eq!(asked(&net).iter().map(|(at, ())| *at).collect::<Vec<_>>(), [down(&net, 1)[0].0]);
    net.start(3);
    net.run_until(ms(3_000));
    let up = net.picked(1, |event| matches!(event, Event::HopUp { .. }).then_some(()));
    assert_eq!(up.len(), 1);
}

/// Aim: truncated and damaged probes are refused or change nothing that goes on: packets still arrive.
#[test]
fn damaged_probes_change_nothing() {
    let mut net = Net::with(3, probing);
    net.session(1, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(300));
    let probes: Vec<_> =
        net.crossings.iter().filter(|sent| sent.to == 2 && sent.bytes.get(1) == Some(&5)).cloned().collect();
    assert!(probes.len() > 4, "{}", probes.len());
    for sample in &probes[..4] {
        let (now, index) = (net.now, hop(&mut net, 2, sample.from, sample.kind));
        let mut feed = |bytes: Vec<u8>| {
            let frame = Received::Datagram(Bytes::from(bytes));
            let _ = net.node_mut(2).handle_input(now, Input::Frame { hop: index, frame });
            net.node(2).check_ledger().expect("the ledger holds");
        };
        for length in 0..sample.bytes.len() {
            feed(sample.bytes[..length].to_vec());
        }
        for bit in 0..sample.bytes.len() * 8 {
            let mut bytes = sample.bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            feed(bytes);
        }
    }
    net.run_until(ms(3_000));
    assert_eq!(net.delivered(3).len(), 100, "the session goes on");
}

/// Aim: a node that does not probe sends none, whatever it is asked.
#[test]
fn who_does_not_probe_does_not_answer() {
    let mut net = Net::new(3);
    net.session(1, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(3_000));
    assert!(net.crossings.iter().all(|sent| sent.bytes.get(1) != Some(&5)));
    assert!((1..=3).all(|node| net.node(node).hops().iter().all(|hop| hop.probe.is_none())));
}
