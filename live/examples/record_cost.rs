//! What recording costs a relay: time per packet and bytes of log per packet, without a log, with identities, with bytes.
//! `cargo run --release -p bellini-live --example record_cost [PACKETS]`

use bellini_core::config::NodeConfig;
use bellini_core::content::spec::Content;
use bellini_core::drive::{Host, Sent};
use bellini_core::ids::{Epoch, Incarnation, NodeId, SessionKey};
use bellini_core::io::{
    Command, DrawMode, Event, HopKind, Input, Install, MeasureWindow, Received, SessionSpec, Transmit,
};
use bellini_core::payload::{self, Payload};
use bellini_core::rng::Seed;
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_live::record::{FileSink, LogReader, RecordOptions, RecordedNode, replay};
use bytes::Bytes;
use std::time::{Duration as Span, Instant as Clock};

const SEED: Seed = Seed(1);
const KIND: HopKind = HopKind::Datagram;

struct Out(Vec<(usize, Bytes)>, bool);

impl Host for Out {
    fn transmit(&mut self, _: Instant, frame: Transmit<'_>) -> Sent {
        if self.1 && frame.is_packet {
            return Sent::Taken;
        }
        let mut bytes = frame.header.to_vec();
        match frame.payload {
            Payload::Bytes(payload) => bytes.extend_from_slice(&payload),
            Payload::Coded { .. } => unreachable!("nothing is coded here"),
            Payload::Synthetic(what) => {
                let start = bytes.len();
                bytes.resize(start + what.len as usize, 0);
                payload::fill(SEED, what, &mut bytes[start..]);
            }
        }
        self.0.push((frame.peer.get() as usize - 1, bytes.into()));
        Sent::Taken
    }

    fn event(&mut self, _: Instant, _: Event) {}
}

fn id(node: usize) -> NodeId {
    NodeId::new(node as u32 + 1).expect("a small number")
}

fn main() {
    let packets: u64 =
        std::env::args().nth(1).map_or(100_000, |text| text.parse().expect("a number of packets"));
    let path = std::env::temp_dir().join(format!("bellini-record-cost-{}.log", std::process::id()));
    for round in 0..3 {
        let off = relay(packets, None, &path);
        for (name, identities) in [("bytes", false), ("identities", true)] {
            let on = relay(packets, Some(RecordOptions { identities, ..RecordOptions::default() }), &path);
            let length = std::fs::metadata(&path).expect("the log is there").len();
            let started = Clock::now();
            let done = replay(LogReader::open(&path).expect("a log"), &mut ()).expect("byte-exact");
            println!(
                "round {round} {name}: {} ns a packet where {} ns without a log, {} B a packet, replay {} ns a packet, {:?}",
                on.as_nanos() as u64 / packets,
                off.as_nanos() as u64 / packets,
                length / packets,
                started.elapsed().as_nanos() as u64 / packets,
                done.ending,
            );
        }
    }
    let _ = std::fs::remove_file(&path);
}

/// Returns the time that the relay's own calls took.
fn relay(packets: u64, options: Option<RecordOptions>, path: &std::path::Path) -> Span {
    let plain = |node| RecordedNode::unrecorded(NodeConfig::new(id(node)), SEED, Instant::ZERO);
    let mut nodes: Vec<_> = (0..3).map(|node| plain(node).expect("the defaults work")).collect();
    if let Some(options) = options {
        let sink = Box::new(FileSink::create(path).expect("a file for the log"));
        nodes[1] = RecordedNode::recorded(NodeConfig::new(id(1)), SEED, Instant::ZERO, sink, options)
            .expect("the defaults work");
    }
    let key = SessionKey::new(1, 1);
    let window = MeasureWindow { from: Instant::ZERO, to: Instant::from_nanos(u64::MAX / 4) };
    let source = SessionSpec {
        key,
        epoch: Epoch(1),
        destinations: vec![id(2)],
        // 20,833 symbols a second.
        content: Content::Constant {
            rate: BitRate::from_bps(200_000_000).expect("not zero"),
            phase: Duration::ZERO,
        },
        symbol_bytes: 1_200,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding: None,
        seal: None,
        hop_kind: KIND,
        start: Instant::ZERO + Duration::from_millis(10),
        stop: window.to,
        measure: window,
        draw: DrawMode::Stride,
        policy_period: None,
    };
    let flows = vec![(Route::parse("2>3d").expect("a route"), 1.0)];
    let install = Install { key, planner: Incarnation(1), version: 1, flows };
    let command = |command| Input::Command(command);
    nodes[0]
        .handle_input(Instant::ZERO, command(Command::StartSession(Box::new(source))))
        .expect("a session");
    nodes[0].handle_input(Instant::ZERO, command(Command::Install(install))).expect("flows");
    nodes[0]
        .handle_input(Instant::ZERO, command(Command::OpenHop { peer: id(1), kind: KIND }))
        .expect("a hop");
    nodes[1]
        .handle_input(Instant::ZERO, command(Command::OpenHop { peer: id(2), kind: KIND }))
        .expect("a hop");
    let mut spent = Span::ZERO;
    let mut now = Instant::ZERO;
    let mut outs = [Out(Vec::new(), false), Out(Vec::new(), true), Out(Vec::new(), true)];
    while nodes[1].stats().sent_packets < packets {
        now += Duration::from_millis(1);
        for node in 0..3 {
            let arrived: Vec<_> = (0..3)
                .filter(|from| *from != node)
                .flat_map(|from| {
                    let (mine, rest) =
                        std::mem::take(&mut outs[from].0).into_iter().partition(|(to, _)| *to == node);
                    outs[from].0 = rest;
                    let mine: Vec<(usize, Bytes)> = mine;
                    mine.into_iter().map(move |(_, bytes)| (from, bytes))
                })
                .collect();
            let started = Clock::now();
            for (from, bytes) in arrived {
                let hop = nodes[node].hop(id(from), KIND);
                let _ = nodes[node].handle_input(now, Input::Frame { hop, frame: Received::Datagram(bytes) });
            }
            let _ = nodes[node].handle_input(now, Input::Timeout);
            let _ = nodes[node].drain(now, usize::MAX, &mut outs[node]);
            if node == 1 {
                spent += started.elapsed();
            }
        }
    }
    let relay = nodes.remove(1);
    relay.end(now);
    spent
}
