//! `docs/protocol.md` shows the bytes that the code writes.

use bellini_core::ids::{ConferenceId, Epoch, FlowId, Incarnation, NodeId, SessionKey};
use bellini_core::io::HopKind;
use bellini_core::route::Route;
use bellini_core::wire::acknowledgement::{Acknowledgement, FlowCount, Ranges, Rank, RankEntry};
use bellini_core::wire::control::InstallFlow;
use bellini_core::wire::hello::{Echo, HELLO_BYTES};
use bellini_core::wire::probe::PROBE_BYTES;
use bellini_core::wire::{
    ControlBody, ControlFrame, ControlMessage, FrameHeader, FrameKind, Hello, PacketFlags, PacketHeader,
    ProbeFrame, ProbeKind, Watching, frame, hello, packet, routing,
};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");
const KEY: SessionKey = SessionKey::new(1, 2);

/// Fails unless the document shows `bytes` in hexadecimal, whatever the spacing.
fn is_shown(what: &str, bytes: &[u8]) {
    let shown: String = DOCUMENT.split_whitespace().collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(shown.contains(&hex), "{what}: the document does not show {hex}");
}

fn node(id: u32) -> NodeId {
    NodeId::new(id).expect("a legal id")
}

fn route(text: &str) -> Vec<u8> {
    routing::encode(&Route::parse(text).expect("a route")).expect("a legal route")
}

#[test]
fn headers_are_shown() {
    let (number, timestamp_us) = (0x0102_0304_0506_0708, 1_000_000);
    let header = FrameHeader {
        kind: FrameKind::Data,
        flags: frame::FrameFlags::default(),
        connection: 7,
        number,
        timestamp_us,
        rtt_us: 40_000,
    };
    let mut bytes = [0; frame::FRAME_HEADER_BYTES];
    header.emit(&mut bytes);
    is_shown("frame", &bytes);

    let header = PacketHeader {
        key: KEY,
        epoch: Epoch(3),
        flow: FlowId(4),
        number: 5,
        symbol: 6,
        timestamp_ns: 1_000_000_000,
        flags: PacketFlags::BULK.with(PacketFlags::REPEAT),
        object: 7,
        index: 8,
        count: 9,
    };
    let mut bytes = [0; packet::PACKET_FIXED_BYTES];
    header.emit(&mut bytes);
    is_shown("packet", &bytes);

    for text in ["2d", "2>3d", "{3d,2d>{4d,5d}}", "3>2d", "{2d,3>2d}"] {
        is_shown(text, &route(text));
    }
}

#[test]
fn hellos_are_shown() {
    let first = Hello {
        node: node(2),
        incarnation: Incarnation(1),
        connection: 7,
        mtu: 1500,
        version_min: 1,
        version_max: 1,
        timestamp_us: 1_000_000,
        echo: None,
    };
    let answer = Hello { echo: Some(Echo { timestamp_us: 500, hold_us: 30 }), ..first };
    for hello in [first, answer] {
        let mut bytes = [0; HELLO_BYTES];
        hello.emit(&mut bytes);
        is_shown("hello", &bytes);
    }
    assert!(DOCUMENT.contains(&format!("at least {}", hello::MTU_MIN)));
}

#[test]
fn acknowledgements_are_shown() {
    let mut ack = Ranges::new(node(9), Incarnation(2), 16_384, 100);
    ack.duplicates = 3;
    ack.push_flow(FlowCount { flow: FlowId(1), received: 90, highest: 120, hold_us: 2_000 });
    assert!(ack.push(100, 102, || 0b101_1100) && ack.push(135, 115, || 0) && ack.push(135, 155, || 0));
    let mut bytes = Vec::new();
    Acknowledgement::Ranges(ack).emit_into(&mut bytes);
    is_shown("acknowledgement", &bytes);
    let mut rank = Rank::new(node(9), Incarnation(2));
    assert!(rank.push(RankEntry { first: 64, size: 32, arrived: 35, rank: 32 }));
    assert!(rank.push(RankEntry { first: 96, size: 0, arrived: 7, rank: 7 }));
    bytes.clear();
    Acknowledgement::Rank(rank).emit_into(&mut bytes);
    is_shown("acknowledgement by rank", &bytes);
}

#[test]
fn control_messages_are_shown() {
    let overflow = ControlBody::Overflow {
        key: KEY,
        flow: FlowId(3),
        node: node(9),
        dropped_packets: 10,
        dropped_bytes: 12_000,
    };
    let flows = vec![InstallFlow { share: 0.25, routing_info: route("2d") }];
    let install = ControlBody::Install { key: KEY, planner_incarnation: Incarnation(6), version: 7, flows };
    let cases = [
        (route("2d"), ControlBody::Join { key: KEY, node: node(9) }),
        (Vec::new(), overflow),
        (route("3>2d"), install),
        (route("3>2d"), ControlBody::Setup { key: KEY, kind: HopKind::Stream }),
        (
            Vec::new(),
            ControlBody::ClockProbe { key: KEY, t1_ns: 1_000_000_000, path: vec![node(7), node(3)] },
        ),
        (Vec::new(), ControlBody::Pressure { conference: ConferenceId(1), kind: HopKind::Datagram }),
        (Vec::new(), ControlBody::HopState { from: node(3), to: node(4), version: 7, is_down: true }),
        (Vec::new(), ControlBody::HopLoss { from: node(3), to: node(4), is_lossy: true }),
        (route("3>2d"), ControlBody::Begin { key: KEY, epoch: Epoch(1), symbol: 700 }),
        (
            route("3>2d"),
            ControlBody::Register {
                conference: ConferenceId(1),
                incarnation: Incarnation(6),
                back: route("3>5d"),
            },
        ),
        (
            route("7>2d"),
            ControlBody::ClockReply { t1_ns: 1_000_000_000, t2_ns: 1_050_000_000, t3_ns: 1_050_000_001 },
        ),
    ];
    for (route, body) in cases {
        let message = ControlMessage { id: 16, origin: node(5), route, body };
        let mut bytes = Vec::new();
        ControlFrame { sequence: 3, ack: 4, watching: Watching::default(), message: Some(message) }
            .emit_into(&mut bytes);
        is_shown("control frame", &bytes);
    }
}

#[test]
fn probes_are_shown() {
    let frame = ProbeFrame {
        kind: ProbeKind::Answer,
        count: 8,
        index: 7,
        id: 5,
        held_ns: 16,
        dispersion_ns: 8_000_000,
        bytes: 10_332,
    };
    let mut bytes = [0; PROBE_BYTES];
    frame.emit(&mut bytes);
    is_shown("probe", &bytes);
}
