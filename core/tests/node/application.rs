//! Content that an application brings: a stream whose bytes all come, in order, and datagrams that stay whole.

use super::coded::coding;
use super::harness::*;
use bellini_core::coding::CodingSpec;
use bellini_core::content::OfferFault;
use bellini_core::content::spec::{Content, Unit};
use bellini_core::ids::{Epoch, SessionKey};
use bellini_core::io::{
    Command, CommandError, Delivery, DrawMode, Event, HopKind, InputError, MeasureWindow, SessionSpec,
    SinkSpec,
};
use bellini_core::payload::Payload;
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bytes::Bytes;

const STOP: Instant = Instant::from_nanos(60_000_000_000);

fn start(net: &mut Net, to: &[u32], unit: Unit, delivery: Delivery, coding: Option<CodingSpec>) {
    let content = Content::Application { unit, bytes_max: 100_000 };
    let measure = MeasureWindow { from: Instant::ZERO, to: STOP };
    for node in to {
        let spec = SinkSpec {
            key: KEY,
            source: id(1),
            content: content.clone(),
            symbol_bytes: SYMBOL_BYTES,
            delivery,
            coding,
            seal: None,
            start: ms(100),
            stop: STOP,
            measure,
            deliver_events: true,
        };
        net.command(*node, Command::JoinSession(Box::new(spec)));
    }
    let spec = SessionSpec {
        key: KEY,
        epoch: Epoch(0),
        destinations: to.iter().map(|node| id(*node)).collect(),
        content,
        symbol_bytes: SYMBOL_BYTES,
        hop_kind: HopKind::Datagram,
        delivery,
        coding,
        seal: None,
        start: ms(100),
        stop: STOP,
        measure,
        draw: DrawMode::Stride,
        policy_period: None,
    };
    net.command(1, Command::StartSession(Box::new(spec)));
}

/// Symbols that came at a node, with their bytes.
fn came(net: &Net, node: u32) -> Vec<(u64, Bytes)> {
    let delivered = |event: &Event| match event {
        Event::Delivered { symbol, payload: Payload::Bytes(bytes), .. } => Some((*symbol, bytes.clone())),
        _ => None,
    };
    net.picked(node, delivered).into_iter().map(|(_, it)| it).collect()
}

/// Aim: a stream offered piece by piece, in pieces of any size, comes out whole and in order at two destinations behind
/// lossy hops, coded or not; the end is told; the source tells when it has no room.
#[test]
fn a_stream_arrives_whole() {
    for coding in [None, Some(coding(16, 0.0))] {
        let mut net = Net::new(4);
        net.loss = 0.1;
        start(&mut net, &[3, 4], Unit::Stream, Delivery::Reliable, coding);
        net.install(KEY, 1, 1, &["2>{3d,4d}"]);
        let mut stream = Seed(9).stream("content");
        let mut content = vec![0; 400_000];
        stream.bytes_at(0, &mut content);
        let (mut rest, mut refused, mut now) = (&content[..], 0, ms(100));
        while !rest.is_empty() {
            now += Duration::from_millis(5);
            net.run_until(now);
            let length = (1 + stream.below(12_000) as usize).min(rest.len());
            let offer = Command::Offer { key: KEY, data: Bytes::copy_from_slice(&rest[..length]) };
            match net.try_command(1, offer) {
                Ok(()) => rest = &rest[length..],
                Err(InputError::Command(CommandError::Offer(_, OfferFault::Full(100_000)))) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        net.command(1, Command::EndOffers(KEY));
        net.run_until(now + Duration::from_secs(10));
        for node in [3, 4] {
            let came = came(&net, node);
            let end = net.node(node).session(KEY).and_then(|entry| entry.sink.as_ref()?.stream_end());
            assert_eq!(end, came.last().map(|(symbol, _)| *symbol));
            let (_, data) = came.split_last().expect("symbols");
            let joined: Vec<u8> = data.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect();
            assert!(joined == content, "node {node}: {} of {} bytes", joined.len(), content.len());
        }
        println!("refused {refused} times");
        let completed = net.picked(1, |event| matches!(event, Event::SessionCompleted { .. }).then_some(()));
        assert_eq!(completed.len(), 1);
    }
}

/// Aim: datagrams come as they were, each once, without waiting for others; too long ones are refused.
#[test]
fn datagrams_stay_whole() {
    let mut net = Net::new(3);
    start(&mut net, &[3], Unit::Datagrams, Delivery::BestEffort, None);
    net.install(KEY, 1, 1, &["2>3d"]);
    net.run_until(ms(200));
    let datagram = |number: u8| Bytes::from(vec![number; 1 + usize::from(number) * 4]);
    for number in 0..200 {
        net.command(1, Command::Offer { key: KEY, data: datagram(number) });
        net.run_until(ms(200 + 2 * u64::from(number)));
    }
    let long = Command::Offer { key: KEY, data: Bytes::from(vec![0; SYMBOL_BYTES as usize + 1]) };
    assert!(net.try_command(1, long).is_err());
    net.run_until(ms(1_000));
    let expected: Vec<(u64, Bytes)> = (0..200).map(|number| (u64::from(number), datagram(number))).collect();
    assert_eq!(came(&net, 3), expected);
}

/// Aim: what is offered to no session, or to one with content of its own, is refused.
#[test]
fn offers_need_a_session_that_takes_them() {
    let mut net = Net::new(3);
    let offer = || Command::Offer { key: KEY, data: Bytes::from_static(b"x") };
    assert!(net.try_command(1, offer()).is_err());
    net.session(1, &[3], HopKind::Datagram, &["2>3d"]);
    let refused = net.try_command(1, offer());
    let Err(InputError::Command(CommandError::Offer(_, OfferFault::NotAnApplication))) = refused else {
        panic!("{refused:?}");
    };
    assert!(net.try_command(3, offer()).is_err(), "a destination is no source");
}

/// Aim: the listing's word admits and dismisses destinations at the source like their own: routes are asked for, what is said
/// twice changes nothing, and a node is no destination of its own session.
#[test]
fn destinations_come_and_go_by_the_listing() {
    let mut net = Net::new(3);
    start(&mut net, &[2], Unit::Datagrams, Delivery::BestEffort, None);
    net.run_until(ms(50));
    let told = |net: &Net| -> Vec<String> {
        let of_source = net.events.iter().filter(|(_, node, _)| *node == 1).map(|(_, _, event)| event);
        let kinds = of_source.filter_map(|event| match event {
            Event::Joined { node, .. } => Some(format!("joined {node}")),
            Event::Left { node, .. } => Some(format!("left {node}")),
            Event::PolicyWanted { reason, .. } => Some(format!("{reason:?}")),
            _ => None,
        });
        kinds.collect()
    };
    let before = told(&net).len();
    for command in [
        Command::Admit { key: KEY, node: id(2) },
        Command::Admit { key: KEY, node: id(3) },
        Command::Admit { key: KEY, node: id(3) },
        Command::Dismiss { key: KEY, node: id(2) },
        Command::Dismiss { key: KEY, node: id(2) },
    ] {
        net.command(1, command);
    }
    assert_eq!(told(&net)[before..], ["joined 3", "Joined", "left 2", "Left"]);
    let own = net.try_command(1, Command::Admit { key: KEY, node: id(1) });
    assert!(matches!(own, Err(InputError::Command(CommandError::OwnHop(_)))), "{own:?}");
    let other = net.try_command(1, Command::Dismiss { key: SessionKey::new(9, 9), node: id(2) });
    assert!(matches!(other, Err(InputError::Command(CommandError::UnknownSession(_)))), "{other:?}");
}
