//! Recoding relays at their edges: what they owe where flows end, what they leave behind, and bytes that contradict
//! each other.

use super::harness::*;
use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::content::spec::Content;
use bellini_core::ids::Epoch;
use bellini_core::io::{
    Command, Delivery, DrawMode, HopKind, Input, MeasureWindow, Received, SessionSpec, SinkSpec,
};
use bellini_core::rng::{Seed, Stream};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_core::wire::coding::{CodedForm, CodingHeader};
use bellini_core::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES};
use bellini_core::wire::packet::PACKET_FIXED_BYTES;
use bytes::Bytes;

fn content() -> Content {
    Content::Constant { rate: BitRate::from_bps(9_600_000).expect("not zero"), phase: Duration::ZERO }
}

/// Starts a best-effort session of 1,000 symbols in a second, in generations of 32, with a repair for every eighth.
fn start(net: &mut Net, to: &[u32], latency: Option<Duration>, routes: &[&str]) {
    start_as(net, to, Delivery::BestEffort, latency, routes);
}

fn start_as(net: &mut Net, to: &[u32], delivery: Delivery, latency: Option<Duration>, routes: &[&str]) {
    let coding = Some(CodingSpec {
        scheme: Scheme::Generation { size: 32, systematic: true, latency },
        repair: Repair::Fixed(0.125),
        recode: true,
        real_bytes: true,
    });
    let measure = MeasureWindow { from: ms(0), to: ms(10_000) };
    let hop_kind = HopKind::Datagram;
    for node in to {
        let spec = SinkSpec {
            key: KEY,
            source: id(1),
            content: content(),
            symbol_bytes: SYMBOL_BYTES,
            delivery,
            coding,
            seal: None,
            start: ms(100),
            stop: ms(1_100),
            measure,
            deliver_events: true,
        };
        net.command(*node, Command::JoinSession(Box::new(spec)));
    }
    let spec = SessionSpec {
        key: KEY,
        epoch: Epoch(0),
        destinations: to.iter().map(|node| id(*node)).collect(),
        content: content(),
        symbol_bytes: SYMBOL_BYTES,
        hop_kind,
        delivery,
        coding,
        seal: None,
        start: ms(100),
        stop: ms(1_100),
        measure,
        draw: DrawMode::Stride,
        policy_period: None,
    };
    net.command(1, Command::StartSession(Box::new(spec)));
    net.install(KEY, 1, 1, routes);
}

/// Where the coding header of a packet's frame is.
fn coding_at(frame: &[u8]) -> usize {
    let routing = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + PACKET_FIXED_BYTES;
    routing + usize::from(u16::from_be_bytes([frame[routing], frame[routing + 1]]))
}

fn feed(net: &mut Net, node: u32, from: u32, bytes: Vec<u8>) {
    let (now, index) = (net.now, hop(net, node, from, HopKind::Datagram));
    let frame = Received::Datagram(Bytes::from(bytes));
    let node = net.node_mut(node);
    let _ = node.handle_input(now, Input::Frame { hop: index, frame });
    node.check_ledger().expect("the ledger holds");
}

/// Aim: packets that end at a relay are not taken for lost ones: half of the packets go on, and the next hop carries that
/// half, not all.
#[test]
fn packets_that_end_here_are_not_owed_to_others() {
    let mut net = Net::new(3);
    start(&mut net, &[2, 3], None, &["2d", "2>3d"]);
    net.run_until(ms(3_000));
    let (first, second) = (net.packets(1, 2), net.packets(2, 3));
    println!("{first} packets on the first hop, {second} on the second");
    assert!(second.abs_diff(first / 2) * 50 <= first, "{first}, {second}");
}

/// Aim: a conference that ends while packets wait to be joined leaves no timer and no bytes behind.
#[test]
fn the_end_of_a_conference_leaves_nothing_behind() {
    let mut net = Net::new(7);
    start(&mut net, &[6, 7], None, &["2>{6d,4>5>7d}", "3>{7d,4>5>6d}"]);
    net.run_until(ms(500));
    assert!(net.node(4).coding_bytes() > 0, "rows are held");
    // Node 4 now waits for packets of node 3 that never come.
    net.crash(3);
    net.run_until(ms(520));
    net.command(1, Command::EndConference(KEY.conference));
    net.run_until(ms(2_000));
    for node in [4, 5, 6, 7] {
        assert_eq!(net.node(node).coding_bytes(), 0, "node {node}");
    }
}

/// Aim: combinations of a generation that is open for some and closed for others, in any order, with any numbers, never
/// stop a relay or make it hold more than it may.
#[test]
fn contradicting_packets_are_refused_and_counted() {
    let bytes_max = 100_000;
    let mut net = Net::with(3, |config| config.coding.bytes_max = 100_000);
    start(&mut net, &[3], Some(Duration::from_millis(20)), &["2>3d"]);
    net.run_until(ms(400));
    let frames: Vec<Vec<u8>> = net
        .crossings
        .iter()
        .filter(|sent| sent.is_packet && (sent.from, sent.to) == (1, 2))
        .map(|sent| sent.bytes.to_vec())
        .collect();
    let mut stream: Stream = Seed(3).stream("contradictions");
    for round in 0..20_000 {
        let mut frame = frames[stream.below(frames.len() as u64) as usize].clone();
        let at = coding_at(&frame);
        let mut coding = CodingHeader::parse(&frame[at..at + 20]).expect("a coding header");
        match stream.below(6) {
            0 => coding.size = stream.below(256) as u8,
            1 => coding.offset = stream.below(255) as u8,
            2 => coding.is_closed = !coding.is_closed,
            3 => coding.index = stream.below(65_536) as u16,
            4 => coding.sequence = stream.next_u64() as u32,
            _ => {
                coding.form = match stream.below(3) {
                    0 => CodedForm::Systematic { check: 1 },
                    1 => CodedForm::Vector { joined: None },
                    _ => CodedForm::Seed { seed: round },
                };
                coding.is_closed = stream.chance(0.5);
            }
        }
        frame[at..at + 20].copy_from_slice(&coding.emit());
        feed(&mut net, 2, 1, frame);
        assert!(net.node(2).coding_bytes() <= bytes_max);
    }
    let stats = net.node(2).stats();
    assert!(stats.refused_rows > 1_000 && stats.evicted_generations > 10, "{stats:?}");
    net.run_until(ms(3_000));
    assert!(net.delivered(3).len() > 500, "the session goes on");
}

/// Aim: the same in the order that stops a careless relay: a generation closes early, and a combination comes late that
/// was made while it was open.
#[test]
fn a_combination_of_an_open_generation_comes_after_its_end() {
    let mut net = Net::new(3);
    start(&mut net, &[3], Some(Duration::from_millis(20)), &["2>3d"]);
    net.run_until(ms(400));
    let sent = net.crossings.iter().filter(|sent| sent.is_packet && (sent.from, sent.to) == (1, 2));
    let frames: Vec<Vec<u8>> = sent.map(|sent| sent.bytes.to_vec()).collect();
    for mut frame in frames {
        let at = coding_at(&frame);
        let mut coding = CodingHeader::parse(&frame[at..at + 20]).expect("a coding header");
        if !matches!(coding.form, CodedForm::Seed { .. }) {
            continue;
        }
        // The coefficients of all 32 follow from the seed; only the first ones exist.
        (coding.size, coding.is_closed) = (32, false);
        frame[at..at + 20].copy_from_slice(&coding.emit());
        feed(&mut net, 2, 1, frame);
    }
    assert!(net.node(2).stats().refused_rows > 0);
    net.run_until(ms(3_000));
}

/// Aim: a frame that the network doubles is owed once.
#[test]
fn doubled_frames_do_not_double_what_goes_on() {
    let mut net = Net::new(3);
    start(&mut net, &[3], None, &["2>3d"]);
    for step in 0..300 {
        let before = net.crossings.len();
        net.run_until(ms(10 * step));
        let sent: Vec<_> = net.crossings[before..]
            .iter()
            .filter(|sent| sent.is_packet && (sent.from, sent.to) == (1, 2))
            .cloned()
            .collect();
        for crossing in sent {
            net.arrive(&crossing);
            net.arrive(&crossing);
        }
    }
    let (first, second) = (net.packets(1, 2), net.packets(2, 3));
    assert!(first > 1_100 && second <= first, "{first} packets came, {second} went on");
}

/// Aim: a relay that is a destination too takes in everything and passes on as much.
#[test]
fn a_relay_that_is_a_destination_does_both() {
    let mut net = Net::new(3);
    net.loss = 0.05;
    start(&mut net, &[2, 3], None, &["2d>3d"]);
    net.run_until(ms(3_000));
    let (first, second) = (net.packets(1, 2), net.packets(2, 3));
    assert!(second.abs_diff(first) * 50 < first, "{first}, {second}");
    for node in [2, 3] {
        assert!(net.delivered(node).len() > 980, "node {node}: {}", net.delivered(node).len());
    }
}

/// Aim: a relay told not to recode passes on as many packets as came, and the next one still owes what it should: as many
/// as that one sent.
#[test]
fn relays_that_do_not_recode_number_what_they_pass_on() {
    let mut net = Net::with(4, |config| config.coding.recode = config.id != id(2));
    net.loss = 0.1;
    start(&mut net, &[4], None, &["2>3>4d"]);
    net.run_until(ms(3_000));
    assert_eq!(net.node(2).stats().recoded_packets, 0);
    let hops = [net.packets(1, 2), net.packets(2, 3), net.packets(3, 4)];
    assert!(hops[1] * 100 < hops[0] * 95 && hops[2].abs_diff(hops[1]) * 50 < hops[1], "{hops:?}");
}

/// Aim: reliable sessions complete where flows meet and packets are lost, and some packets serve both destinations. How many
/// depends on how evenly the session chooses its flows: those that are far apart in time cannot be joined.
#[test]
fn reliable_sessions_complete_where_flows_meet() {
    let mut net = Net::new(7);
    net.loss = 0.05;
    start_as(&mut net, &[6, 7], Delivery::Reliable, None, &["2>{6d,4>5>7d}", "3>{7d,4>5>6d}"]);
    net.run_until(ms(20_000));
    for node in [6, 7] {
        let symbols: Vec<u64> = net.delivered(node).iter().map(|(_, symbol, _)| *symbol).collect();
        assert_eq!(symbols, (0..1_000).collect::<Vec<_>>(), "node {node}");
    }
    let (shared, first, second) = (net.packets(4, 5), net.packets(2, 4), net.packets(3, 4));
    println!("{shared} packets on the shared hop, {first} and {second} came there");
    // Fewer than came, had every loss on the way to it gone unnoticed.
    assert!(shared * 100 < (first + second) * 95, "{shared}, {first}, {second}");
}
