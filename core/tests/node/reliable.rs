//! Reliable sessions between whole nodes: acknowledgements, repeats, order, and acknowledgements that nobody can mean.

use super::harness::*;
use bellini_core::Node;
use bellini_core::ids::{Epoch, Incarnation, NodeId};
use bellini_core::io::{
    Command, Delivery, DrawMode, Event, HopKind, Input, MeasureWindow, Received, SessionSpec, SinkSpec,
};
use bellini_core::reliable::SenderStats;
use bellini_core::wire::acknowledgement::{Acknowledgement, FlowCount, Ranges};
use bytes::Bytes;

/// Header bytes before the payload of an acknowledgement in a datagram: frame, chunk, packet, Pathlet.
const BEFORE_PAYLOAD: usize = 24 + 3 + 49 + 6;

/// 100 symbols from node 1, from 100 ms to 1,100 ms.
fn start(net: &mut Net, to: &[u32], kind: HopKind, routes: &[&str]) {
    for node in to {
        join(net, *node);
    }
    let spec = SessionSpec {
        key: KEY,
        epoch: Epoch(0),
        destinations: to.iter().map(|node| id(*node)).collect(),
        content: constant(),
        symbol_bytes: SYMBOL_BYTES,
        hop_kind: kind,
        delivery: Delivery::Reliable,
        coding: None,
        seal: None,
        start: ms(100),
        stop: ms(1_100),
        measure: MeasureWindow { from: ms(0), to: ms(10_000) },
        draw: DrawMode::Stride,
        policy_period: None,
    };
    net.command(1, Command::StartSession(Box::new(spec)));
    net.install(KEY, 1, 1, routes);
}

fn join(net: &mut Net, node: u32) {
    let spec = SinkSpec {
        key: KEY,
        source: id(1),
        content: constant(),
        symbol_bytes: SYMBOL_BYTES,
        delivery: Delivery::Reliable,
        coding: None,
        seal: None,
        start: ms(100),
        stop: ms(1_100),
        measure: MeasureWindow { from: ms(0), to: ms(10_000) },
        deliver_events: true,
    };
    net.command(node, Command::JoinSession(Box::new(spec)));
}

fn counted(net: &Net) -> SenderStats {
    let source = net.node(1).session(KEY).and_then(|entry| entry.source.as_ref()).expect("it was started");
    source.counted().reliable
}

fn is_settled(node: &Node) -> bool {
    let source = node.session(KEY).and_then(|entry| entry.source.as_ref()).expect("it was started");
    source.is_done()
}

fn completed(net: &Net) -> usize {
    net.picked(1, |event| matches!(event, Event::SessionCompleted { key: KEY }).then_some(())).len()
}

fn symbols(net: &Net, node: u32) -> Vec<u64> {
    net.delivered(node).iter().map(|(_, symbol, _)| *symbol).collect()
}

/// Aim: over datagrams, paced hops and streams, everything comes once and in order, the source knows, nothing is
/// repeated where nothing is lost, and there are far fewer acknowledgements than would be one a packet and hop.
#[test]
fn everything_arrives_in_order_and_is_acknowledged() {
    for kind in [HopKind::Datagram, HopKind::Paced, HopKind::Stream] {
        let mut net = Net::new(4);
        start(&mut net, &[3, 4], kind, &["2>{3d,4d}"]);
        net.run_until(ms(4_000));
        for node in [3, 4] {
            assert_eq!(symbols(&net, node), (0..100).collect::<Vec<_>>(), "{kind:?}");
        }
        let stats = counted(&net);
        assert_eq!((stats.repeated_packets, stats.lost_packets, stats.timeouts), (0, 0, 0), "{kind:?}");
        assert!(is_settled(net.node(1)) && completed(&net) == 1, "{kind:?}");
        assert!(stats.acks <= 202, "{kind:?}: {}", stats.acks);
        assert_eq!(net.node(1).stats().absorbed_packets, stats.acks);
    }
}

/// Aim: with every seventh packet lost, acknowledgements included, still everything comes once and in order.
#[test]
fn what_is_lost_is_repeated() {
    let mut net = Net::new(4);
    net.lose_every = 7;
    start(&mut net, &[4], HopKind::Datagram, &["2>4d", "3>4d"]);
    net.run_until(ms(6_000));
    assert_eq!(symbols(&net, 4), (0..100).collect::<Vec<_>>());
    let stats = counted(&net);
    assert!(stats.repeated_packets >= 10 && stats.lost_packets >= 10, "{stats:?}");
    assert!(is_settled(net.node(1)) && completed(&net) == 1);
}

/// Aim: who joins late gets what comes from then on, in order, and is told where it begins; who leaves holds nothing
/// back.
#[test]
fn members_come_and_go() {
    let mut net = Net::new(4);
    start(&mut net, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(600));
    join(&mut net, 4);
    let join = bellini_core::wire::control::ControlBody::Join { key: KEY, node: id(4) };
    let route = bellini_core::route::Route::parse("2>1d").expect("a route");
    net.command(4, Command::SendControl { route, body: join });
    net.run_until(ms(650));
    net.install(KEY, 1, 2, &["2>{3d,4d}"]);
    net.run_until(ms(800));
    net.crash(3);
    net.run_until(ms(3_000));
    let late = symbols(&net, 4);
    assert!(late.len() > 40 && late.len() < 60, "{late:?}");
    assert_eq!(late, (100 - late.len() as u64..100).collect::<Vec<_>>());
    assert!(!is_settled(net.node(1)) && completed(&net) == 0, "node 3 lacks something");
    let left = bellini_core::wire::control::ControlBody::Leave { key: KEY, node: id(3) };
    let route = bellini_core::route::Route::parse("2>1d").expect("a route");
    net.command(4, Command::SendControl { route, body: left });
    net.run_until(ms(4_000));
    assert!(is_settled(net.node(1)) && completed(&net) == 1);
}

/// Hands node 1 an acknowledgement in a frame like `sample`.
fn feed(net: &mut Net, sample: &Crossing, payload: &[u8]) {
    let mut bytes = sample.bytes[..BEFORE_PAYLOAD].to_vec();
    bytes.extend_from_slice(payload);
    // The length of the chunk.
    let length = (bytes.len() - 27) as u16;
    bytes[25..27].copy_from_slice(&length.to_be_bytes());
    let (now, index) = (net.now, hop(net, 1, sample.from, HopKind::Datagram));
    let frame = Received::Datagram(Bytes::from(bytes));
    let _ = net.node_mut(1).handle_input(now, Input::Frame { hop: index, frame });
    net.node(1).check_ledger().expect("the ledger holds");
}

fn written(ack: Ranges) -> Vec<u8> {
    let mut bytes = Vec::new();
    Acknowledgement::Ranges(ack).emit_into(&mut bytes);
    bytes
}

/// Aim: acknowledgements of what was never sent, by nodes that are none of the destinations, of other starts, of packets
/// that there were none of, and bytes of any kind, are counted and change nothing.
#[test]
fn acknowledgements_that_nobody_can_mean_are_counted_and_ignored() {
    let mut net = Net::new(3);
    start(&mut net, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(600));
    let sample =
        net.crossings.iter().rfind(|sent| sent.is_packet && sent.to == 1).expect("acknowledged").clone();
    let Ok(Acknowledgement::Ranges(real)) = Acknowledgement::parse(&sample.bytes[BEFORE_PAYLOAD..]) else {
        panic!("it is an acknowledgement")
    };
    assert_eq!(real.node, id(3));
    let from = |node: NodeId, incarnation, cumulative| {
        Ranges::new(node, Incarnation(incarnation), 16_384, cumulative)
    };
    let mut far = from(id(3), 1, 40);
    assert!(far.push(10_000, 40, || 0));
    let mut future = from(id(3), 1, 40);
    future.push_flow(FlowCount { flow: real.flows()[0].flow, received: 1, highest: 1 << 40, hold_us: 0 });
    let wrong = [
        from(id(3), 1, 1_000),
        from(id(3), 1, u64::MAX),
        from(id(2), 1, 10),
        from(id(9), 1, 10),
        from(id(3), 0, 10),
        far,
        future,
    ];
    for ack in wrong {
        let before = counted(&net);
        feed(&mut net, &sample, &written(ack.clone()));
        let after = counted(&net);
        assert_eq!(after.refused_acks, before.refused_acks + 1, "{ack:?}");
    }
    let mut noise = SEED.stream("noise");
    let before = counted(&net).refused_acks;
    for round in 0..20_000_u64 {
        let mut bytes = vec![0; (noise.below(320)) as usize];
        noise.bytes_at(round * 400, &mut bytes);
        // Half of them begin like acknowledgements.
        if round % 2 == 0 && bytes.len() > 32 {
            let (flows, words) = (noise.below(8) as u8, (bytes.len() / 2) as u8);
            bytes[..4].copy_from_slice(&[1, 0, flows, words.min(96)]);
            bytes.truncate(32 + usize::from(flows) * 18 + usize::from(words.min(96)) * 2);
        }
        feed(&mut net, &sample, &bytes);
    }
    assert!(counted(&net).refused_acks >= before + 19_000);
    net.run_until(ms(4_000));
    assert_eq!(symbols(&net, 3), (0..100).collect::<Vec<_>>(), "the session goes on");
    assert!(is_settled(net.node(1)) && completed(&net) == 1);
}

/// Aim: only a neighbour can say that it is under pressure, not a message that came along a route.
#[test]
fn pressure_is_for_neighbours_to_say() {
    use bellini_core::wire::control::ControlBody;
    let mut net = Net::new(3);
    start(&mut net, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(150));
    let index = hop(&mut net, 1, 2, HopKind::Datagram);
    let route = bellini_core::route::Route::parse("1d").expect("a route");
    let body = ControlBody::Pressure { conference: KEY.conference, kind: HopKind::Datagram };
    net.command(2, Command::SendControl { route, body });
    net.run_until(ms(200));
    let feeder = net.node(1).hops()[index.0 as usize].feeder.as_ref().expect("a data hop");
    assert!(!feeder.is_held(KEY.conference));
    assert_eq!((net.node(1).stats().dropped_control, net.node(1).stats().pressures_received), (1, 0));
}
