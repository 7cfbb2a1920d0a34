//! Golden bytes of each message, round trips, and what is refused.

use super::*;
use crate::wire::RouteFault;
use crate::wire::testing::{hex, runner};
use proptest::prelude::*;

const KEY: SessionKey = SessionKey::new(1, 2);
const UNHEARD: Watching = Watching { is_on: true, is_unheard: true };

fn node(id: u32) -> NodeId {
    NodeId::new(id).expect("a legal id")
}

fn emitted(frame: &ControlFrame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.emit_into(&mut out);
    out
}

fn frame(route: &str, body: ControlBody) -> ControlFrame {
    let message = ControlMessage { id: 0x10, origin: node(5), route: hex(route), body };
    ControlFrame { sequence: 3, ack: 4, watching: Watching::default(), message: Some(message) }
}

#[test]
fn messages_are_as_documented() {
    let overflow = ControlBody::Overflow {
        key: KEY,
        flow: FlowId(3),
        node: node(9),
        dropped_packets: 10,
        dropped_bytes: 12_000,
    };
    let flow = InstallFlow { share: 0.25, routing_info: hex("0006 80000002") };
    let install =
        ControlBody::Install { key: KEY, planner_incarnation: Incarnation(6), version: 7, flows: vec![flow] };
    let cases = [
        (
            frame("", overflow),
            "00000003 00000004 01  0000000000000010 00000005 01 001A 0000
             00000001 00000002 0003 00000009 0000000A 0000000000002EE0",
        ),
        (
            frame("", ControlBody::ConferenceEnd { conference: ConferenceId(1) }),
            "00000003 00000004 01  0000000000000010 00000005 02 0004 0000  00000001",
        ),
        (
            frame("0006 80000002", ControlBody::Join { key: KEY, node: node(9) }),
            "00000003 00000004 01  0000000000000010 00000005 03 000C 0006  0006 80000002
             00000001 00000002 00000009",
        ),
        (
            frame("0006 80000002", ControlBody::Leave { key: KEY, node: node(9) }),
            "00000003 00000004 01  0000000000000010 00000005 04 000C 0006  0006 80000002
             00000001 00000002 00000009",
        ),
        (
            frame("000C 00000003 0006 80000002", install),
            "00000003 00000004 01  0000000000000010 00000005 05 0022 000C  000C 00000003 0006 80000002
             00000001 00000002 00000006 00000007 0001  3FD0000000000000 0006 0006 80000002",
        ),
        (
            frame("0006 80000002", ControlBody::Setup { key: KEY, kind: HopKind::Stream }),
            "00000003 00000004 01  0000000000000010 00000005 06 0009 0006  0006 80000002
             00000001 00000002 01",
        ),
        (
            frame("", ControlBody::ClockProbe { key: KEY, t1_ns: 0x3B9A_CA00, path: vec![node(7), node(3)] }),
            "00000003 00000004 01  0000000000000010 00000005 07 0019 0000
             00000001 00000002 000000003B9ACA00 02 00000007 00000003",
        ),
        (
            frame("0006 80000002", ControlBody::ClockReply { t1_ns: 1, t2_ns: 2, t3_ns: 3 }),
            "00000003 00000004 01  0000000000000010 00000005 08 0018 0006  0006 80000002
             0000000000000001 0000000000000002 0000000000000003",
        ),
        (
            frame("", ControlBody::Pressure { conference: ConferenceId(1), kind: HopKind::Paced }),
            "00000003 00000004 01  0000000000000010 00000005 09 0005 0000  00000001 02",
        ),
        (
            frame("", ControlBody::Release { conference: ConferenceId(1), kind: HopKind::Datagram }),
            "00000003 00000004 01  0000000000000010 00000005 0A 0005 0000  00000001 00",
        ),
        (
            frame("0006 80000002", ControlBody::Begin { key: KEY, epoch: Epoch(1), symbol: 700 }),
            "00000003 00000004 01  0000000000000010 00000005 0B 0012 0006  0006 80000002
             00000001 00000002 0001 00000000000002BC",
        ),
        (
            frame(
                "000C 00000003 0006 80000002",
                ControlBody::Register {
                    conference: ConferenceId(1),
                    incarnation: Incarnation(6),
                    back: hex("000C 00000003 0006 80000005"),
                },
            ),
            "00000003 00000004 01  0000000000000010 00000005 0C 0016 000C  000C 00000003 0006 80000002
             00000001 00000006 000C  000C 00000003 0006 80000005",
        ),
        (
            frame("", ControlBody::HopState { from: node(3), to: node(4), version: 7, is_down: true }),
            "00000003 00000004 01  0000000000000010 00000005 14 0011 0000  00000003 00000004 0000000000000007 01",
        ),
        (
            frame("", ControlBody::HopLoss { from: node(3), to: node(4), is_lossy: true }),
            "00000003 00000004 01  0000000000000010 00000005 15 0009 0000  00000003 00000004 01",
        ),
        (
            frame("", ControlBody::Unknown { kind: 200, bytes: vec![1, 2] }),
            "00000003 00000004 01  0000000000000010 00000005 C8 0002 0000  0102",
        ),
        (
            ControlFrame { sequence: 3, ack: 4, watching: Watching::default(), message: None },
            "00000003 00000004 00",
        ),
        (ControlFrame { sequence: 3, ack: 4, watching: UNHEARD, message: None }, "00000003 00000004 06"),
    ];
    for (frame, bytes) in cases {
        assert_eq!(emitted(&frame), hex(bytes), "{frame:?}");
        assert_eq!(ControlFrame::parse(&hex(bytes)), Ok(frame));
    }
}

fn bodies() -> impl Strategy<Value = ControlBody> {
    let key = || (any::<u32>(), any::<u32>()).prop_map(|(c, s)| SessionKey::new(c, s));
    let id = || (1..=NodeId::MAX).prop_map(node);
    let flow = (0.0..=1.0_f64, prop::collection::vec(any::<u8>(), 0..40));
    let flow = flow.prop_map(|(share, routing_info)| InstallFlow { share, routing_info });
    prop_oneof![
        (key(), any::<u16>(), id(), any::<u32>(), any::<u64>()).prop_map(
            |(key, flow, node, dropped_packets, dropped_bytes)| {
                ControlBody::Overflow { key, flow: FlowId(flow), node, dropped_packets, dropped_bytes }
            }
        ),
        any::<u32>().prop_map(|id| ControlBody::ConferenceEnd { conference: ConferenceId(id) }),
        (key(), id()).prop_map(|(key, node)| ControlBody::Join { key, node }),
        (key(), id()).prop_map(|(key, node)| ControlBody::Leave { key, node }),
        (key(), any::<u32>(), any::<u32>(), prop::collection::vec(flow, 0..5)).prop_map(
            |(key, planner, version, flows)| {
                ControlBody::Install { key, planner_incarnation: Incarnation(planner), version, flows }
            }
        ),
        (key(), any::<bool>()).prop_map(|(key, is_stream)| {
            let kind = if is_stream { HopKind::Stream } else { HopKind::Datagram };
            ControlBody::Setup { key, kind }
        }),
        (key(), any::<u64>(), prop::collection::vec(id(), 0..=CLOCK_PATH_MAX))
            .prop_map(|(key, t1_ns, path)| ControlBody::ClockProbe { key, t1_ns, path }),
        any::<[u64; 3]>().prop_map(|[t1_ns, t2_ns, t3_ns]| ControlBody::ClockReply { t1_ns, t2_ns, t3_ns }),
        (any::<u32>(), any::<bool>()).prop_map(|(id, is_on)| {
            let (conference, kind) = (ConferenceId(id), HopKind::Stream);
            if is_on {
                ControlBody::Pressure { conference, kind }
            } else {
                ControlBody::Release { conference, kind }
            }
        }),
        (key(), any::<u16>(), any::<u64>()).prop_map(|(key, epoch, symbol)| ControlBody::Begin {
            key,
            epoch: Epoch(epoch),
            symbol
        }),
        (any::<u32>(), any::<u32>(), any::<bool>()).prop_map(|(id, incarnation, is_far)| {
            let back = hex(if is_far { "000C 00000003 0006 80000002" } else { "0006 80000002" });
            ControlBody::Register {
                conference: ConferenceId(id),
                incarnation: Incarnation(incarnation),
                back,
            }
        }),
        (id(), id(), any::<u64>(), any::<bool>()).prop_map(|(from, to, version, is_down)| {
            ControlBody::HopState { from, to, version, is_down }
        }),
        (id(), id(), any::<bool>()).prop_map(|(from, to, is_lossy)| ControlBody::HopLoss {
            from,
            to,
            is_lossy
        }),
        (100..=u8::MAX, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(kind, bytes)| ControlBody::Unknown { kind, bytes }),
    ]
}

fn frames() -> impl Strategy<Value = ControlFrame> {
    let route = prop_oneof![Just(""), Just("0006 80000002"), Just("000C 00000003 0006 80000002")];
    let message = (any::<u64>(), 1..=NodeId::MAX, route, bodies());
    let message = message.prop_map(|(id, origin, route, body)| ControlMessage {
        id,
        origin: node(origin),
        route: hex(route),
        body,
    });
    let watching = any::<(bool, bool)>().prop_map(|(is_on, is_unheard)| Watching { is_on, is_unheard });
    (any::<u32>(), any::<u32>(), watching, prop::option::weighted(0.95, message))
        .prop_map(|(sequence, ack, watching, message)| ControlFrame { sequence, ack, watching, message })
}

/// Frames come back as they were; cut anywhere, or with a byte too many, they are refused.
#[test]
fn round_trips_and_every_truncated_length() {
    runner(3_000)
        .run(&frames(), |frame| {
            let mut bytes = emitted(&frame);
            let message_len = frame.message.as_ref().map_or(0, ControlMessage::wire_len);
            prop_assert_eq!(bytes.len(), CONTROL_HEADER_BYTES + message_len);
            for got in 0..bytes.len() {
                prop_assert!(ControlFrame::parse(&bytes[..got]).is_err(), "cut at {}", got);
            }
            prop_assert_eq!(ControlFrame::parse(&bytes), Ok(frame));
            bytes.push(0);
            prop_assert!(ControlFrame::parse(&bytes).is_err());
            Ok(())
        })
        .unwrap();
}

/// Frames with bytes changed never panic, and what is still legal is written as it was read.
#[test]
fn damaged_frames_do_not_panic() {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    runner(20_000)
        .run(&(frames(), damage), |(frame, damage)| {
            let mut bytes = emitted(&frame);
            for (index, value) in damage {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            if let Ok(parsed) = ControlFrame::parse(&bytes) {
                bytes[8] &= FLAG_MESSAGE | FLAG_WATCHING | FLAG_UNHEARD;
                prop_assert_eq!(emitted(&parsed), bytes);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn illegal_values_are_refused() {
    let refused = |bytes: &str| ControlFrame::parse(&hex(bytes)).unwrap_err();
    let head = "00000003 00000004 01  0000000000000010";
    assert_eq!(refused(&format!("{head} 00000000 02 0004 0000 00000001")), WireError::BadField("origin"));
    assert_eq!(refused(&format!("{head} 80000001 02 0004 0000 00000001")), WireError::BadField("origin"));
    let join = "00000001 00000002 00000000";
    assert_eq!(refused(&format!("{head} 00000005 03 000C 0000 {join}")), WireError::BadField("node"));
    // A route must be one whole, legal Pathlet.
    let routed = |route: &str| {
        let length = hex(route).len();
        refused(&format!("{head} 00000005 02 0004 {length:04X} {route} 00000001"))
    };
    assert_eq!(routed("0006 00000002"), WireError::BadRoute(RouteFault::NoDestination));
    assert_eq!(routed("0006 80000002 0006 80000003"), WireError::LengthMismatch { declared: 12, got: 6 });
    // A body shorter or longer than its type's.
    assert_eq!(
        refused(&format!("{head} 00000005 02 0003 0000 000001")),
        WireError::Truncated { need: 4, got: 3 }
    );
    assert_eq!(
        refused(&format!("{head} 00000005 02 0005 0000 0000000100")),
        WireError::LengthMismatch { declared: 4, got: 5 }
    );
    // A clock probe that passed more nodes than a route has, and one that passed none that is legal.
    let probe = "00000001 00000002 0000000000000001";
    assert_eq!(refused(&format!("{head} 00000005 07 0011 0000 {probe} 10")), WireError::BadField("path"));
    let zero = format!("{head} 00000005 07 0015 0000 {probe} 01 00000000");
    assert_eq!(refused(&zero), WireError::BadField("node"));
    // A way back that leads nowhere, none at all, and one that ends before its length says.
    let register = |back: &str| {
        let (bytes, length) = (hex(back).len(), hex(back).len() + 10);
        refused(&format!("{head} 00000005 0C {length:04X} 0000 00000001 00000006 {bytes:04X} {back}"))
    };
    assert_eq!(register("0006 00000002"), WireError::BadRoute(RouteFault::NoDestination));
    assert!(matches!(register(""), WireError::BadRoute(_)));
    assert_eq!(register("0006 80000002 00"), WireError::LengthMismatch { declared: 7, got: 6 });
    // Bytes after an acknowledgement without a message.
    assert_eq!(refused("00000003 00000004 00 00"), WireError::LengthMismatch { declared: 0, got: 1 });
}

#[test]
fn shares_are_finite_and_not_negative() {
    for share in [f64::NAN, f64::INFINITY, -f64::MIN_POSITIVE] {
        let flows = vec![InstallFlow { share, routing_info: Vec::new() }];
        let install =
            ControlBody::Install { key: KEY, planner_incarnation: Incarnation(0), version: 0, flows };
        let bytes = emitted(&frame("", install));
        assert_eq!(ControlFrame::parse(&bytes), Err(WireError::BadField("share")), "{share}");
    }
}

/// A count of flows that the bytes do not hold is refused before anything large is allocated.
#[test]
fn a_lying_count_is_refused() {
    let bytes = hex("00000003 00000004 01 0000000000000010 00000005 05 0012 0000
                     00000001 00000002 00000006 00000007 FFFF");
    assert_eq!(ControlFrame::parse(&bytes), Err(WireError::Truncated { need: 8, got: 0 }));
}

#[test]
fn messages_that_fit_no_length_field_are_told_before() {
    let body = ControlBody::Unknown { kind: 99, bytes: vec![0; 65_536] };
    let message = ControlMessage { id: 1, origin: node(1), route: Vec::new(), body };
    assert_eq!(message.check(), Err(WireError::TooLong { length: 65_536, max: 65_535 }));
}
