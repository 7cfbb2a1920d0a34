//! Bytes that no correct peer sends: nothing panics, every refusal is counted, the ledger holds.

use super::harness::*;
use bellini_core::io::{HopKind, Input, Received};
use bytes::Bytes;

/// An exchange with everything in it: hellos, control messages, packets that pass and that arrive.
fn recorded() -> Net {
    let mut net = Net::new(4);
    net.session(1, &[2, 4], HopKind::Datagram, &["2d>{3>4d}"]);
    net.run_until(ms(160));
    net
}

/// Feeds bytes to node 2 as if they came from `from`, and checks that a refusal is counted.
fn feed(net: &mut Net, from: u32, kind: HopKind, bytes: Vec<u8>) {
    let (now, index) = (net.now, hop(net, 2, from, kind));
    let node = net.node_mut(2);
    let count = |node: &bellini_core::Node| node.stats().rejected_frames.iter().sum::<u64>();
    let before = count(node);
    let frame = Received::Datagram(Bytes::from(bytes));
    let outcome = node.handle_input(now, Input::Frame { hop: index, frame });
    assert_eq!(count(node) - before, u64::from(outcome.is_err()));
    node.check_ledger().expect("the ledger holds");
}

/// Frames to node 2 of each kind, a few of the many that carry packets.
fn samples(net: &Net) -> Vec<Crossing> {
    let to_it = || net.crossings.iter().filter(|sent| sent.to == 2);
    let samples: Vec<_> = to_it()
        .filter(|sent| !sent.is_packet)
        .chain(to_it().filter(|sent| sent.is_packet).take(3))
        .cloned()
        .collect();
    assert!(samples.len() > 6);
    samples
}

#[test]
fn truncated_frames() {
    let mut net = recorded();
    for sample in samples(&net) {
        for length in 0..sample.bytes.len() {
            feed(&mut net, sample.from, sample.kind, sample.bytes[..length].to_vec());
        }
    }
    net.run_until(ms(3_000));
    assert_eq!(net.delivered(4).len(), 100, "the session goes on");
}

#[test]
fn flipped_bits() {
    let mut net = recorded();
    for sample in samples(&net) {
        // All bits of the headers, and some of the payload.
        for bit in 0..(sample.bytes.len() * 8).min(1_200) {
            let mut bytes = sample.bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            feed(&mut net, sample.from, sample.kind, bytes);
        }
        let until = net.now + DELAY;
        net.run_until(until);
    }
    net.run_until(ms(5_000));
}

#[test]
fn random_bytes() {
    let mut net = recorded();
    let mut sizes = SEED.stream("sizes");
    let mut noise = SEED.stream("noise");
    let samples = samples(&net);
    for round in 0..30_000_u64 {
        let mut bytes = vec![0; sizes.below(200) as usize];
        noise.bytes_at(round * 200, &mut bytes);
        let sample = &samples[(round % samples.len() as u64) as usize];
        // Half of them with a header that is accepted.
        if round % 2 == 0 {
            let keep = (24 + sizes.below(30) as usize).min(sample.bytes.len());
            bytes.splice(..0, sample.bytes[..keep].iter().copied());
        }
        feed(&mut net, sample.from, sample.kind, bytes);
    }
    net.run_until(ms(5_000));
}

/// A peer that names ever new next hops makes no more than the configured number of them.
#[test]
fn hops_that_others_ask_for_are_bounded() {
    let mut net = Net::with(3, |config| config.limits.hops_max = 20);
    net.session(1, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(160));
    let packet =
        net.crossings.iter().rfind(|sent| sent.is_packet && sent.to == 2).expect("it was sent").clone();
    // The next hop stands behind frame header, chunk header, fixed part and the Pathlet of node 2.
    let at = 24 + 3 + 49 + 6 + 2;
    assert_eq!(packet.bytes[at..at + 4], [0x80, 0, 0, 3]);
    for other in 100_u32..200 {
        let mut bytes = packet.bytes.to_vec();
        bytes[at..at + 4].copy_from_slice(&(other | 1 << 31).to_be_bytes());
        feed(&mut net, 1, HopKind::Datagram, bytes);
    }
    assert!(net.node(2).hops().len() <= 20);
    assert!(net.node(2).stats().dropped_packets[bellini_core::stats::Drop::TableFull as usize] >= 80);
    net.run_until(ms(3_000));
    assert_eq!(net.delivered(3).len(), 100);
}

/// A stream that announces a frame too long cannot be read on; it is refused until it is closed, and then is as new.
#[test]
fn a_stream_of_noise() {
    let mut net = Net::new(2);
    net.session(1, &[2], HopKind::Stream, &["2d"]);
    net.run_until(ms(500));
    let before = net.delivered(2).len();
    let (now, index) = (net.now, hop(&mut net, 2, 1, HopKind::Stream));
    let rejected = |net: &Net| net.node(2).stats().rejected_frames.iter().sum::<u64>();
    let counted = rejected(&net);
    for _ in 0..3 {
        let chunk = Bytes::from_static(&[0xFF; 2_000]);
        let outcome = net.node_mut(2).handle_input(now, Input::Stream { hop: index, chunk });
        assert!(outcome.is_err());
        net.node(2).check_ledger().expect("the ledger holds");
    }
    assert_eq!(rejected(&net) - counted, 3);
    for (node, peer) in [(1, 2), (2, 1)] {
        let index = hop(&mut net, node, peer, HopKind::Stream);
        net.node_mut(node).handle_input(now, Input::Closed { hop: index }).expect("the hop is there");
    }
    net.pipes.clear();
    net.forget_streams();
    net.run_until(ms(5_000));
    assert!(net.delivered(2).len() > before + 50, "the next connection carries the rest");
}
