//! Frames are read as they were written; what no correct peer sends is refused.

use super::*;
use crate::wire::testing::{hex, runner};
use proptest::prelude::*;

/// The golden frame header of `docs/protocol.md`.
const HEADER: FrameHeader = FrameHeader {
    kind: FrameKind::Data,
    flags: FrameFlags(0),
    connection: 7,
    number: 0x0102_0304_0506_0708,
    timestamp_us: 1_000_000,
    rtt_us: 40_000,
};

fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0; CHUNK_HEADER_BYTES];
    emit_chunk_header(&mut out, kind, body.len() as u16);
    out.extend_from_slice(body);
    out
}

#[test]
fn the_header_is_as_documented() {
    let golden = hex("01 00 0000 00000007 0102030405060708 000F4240 00009C40");
    let mut out = [0xFF; FRAME_HEADER_BYTES];
    HEADER.emit(&mut out);
    assert_eq!(out[..], golden);
    assert_eq!(FrameHeader::parse(&golden), Ok((HEADER, &[][..])));
}

#[test]
fn reserved_flags_are_ignored_and_the_rest_is_the_body() {
    let bytes = hex("01 00 FFFE 00000007 0102030405060708 000F4240 00009C40 AABB");
    assert_eq!(FrameHeader::parse(&bytes), Ok((HEADER, &[0xAA, 0xBB][..])));
}

#[test]
fn paced_frames_are_told_before_they_are_checked() {
    let header = FrameHeader { flags: FrameFlags::PACED, ..HEADER };
    let mut bytes = [0; FRAME_HEADER_BYTES];
    header.emit(&mut bytes);
    assert_eq!(FrameHeader::parse(&bytes), Ok((header, &[][..])));
    assert!(FrameFlags::peek(&bytes).is_paced());
    assert!((0..4).all(|len| !FrameFlags::peek(&bytes[..len]).is_paced()));
    assert!(!FrameFlags::peek(b"ping").is_paced());
}

#[test]
fn headers_make_round_trips() {
    let headers = (0..6_u8, any::<u32>(), any::<u64>(), any::<u32>(), any::<u32>());
    runner(1000)
        .run(&headers, |(kind, connection, number, timestamp_us, rtt_us)| {
            let kind = FrameKind::from_u8(kind).expect("kinds are 0 to 5");
            let flags = FrameFlags::default();
            let header = FrameHeader { kind, flags, connection, number, timestamp_us, rtt_us };
            let mut out = [0; FRAME_HEADER_BYTES];
            header.emit(&mut out);
            prop_assert_eq!(FrameHeader::parse(&out), Ok((header, &[][..])));
            Ok(())
        })
        .unwrap();
}

#[test]
fn bad_headers_are_refused_by_cause() {
    let mut bytes = [0; FRAME_HEADER_BYTES];
    HEADER.emit(&mut bytes);
    for got in 0..FRAME_HEADER_BYTES {
        assert_eq!(
            FrameHeader::parse(&bytes[..got]),
            Err(WireError::Truncated { need: FRAME_HEADER_BYTES, got })
        );
    }
    for version in (0..=u8::MAX).filter(|&version| version != VERSION) {
        bytes[0] = version;
        assert_eq!(FrameHeader::parse(&bytes), Err(WireError::UnknownVersion(version)));
    }
    bytes[0] = VERSION;
    for kind in 6..=u8::MAX {
        bytes[1] = kind;
        assert_eq!(FrameHeader::parse(&bytes), Err(WireError::UnknownKind(kind)));
    }
}

#[test]
fn chunks_come_in_order_and_unknown_ones_are_passed_over() {
    let body = [chunk(3, &[0; 5]), chunk(9, b"later"), chunk(2, b"fb"), chunk(1, b"packet")].concat();
    let chunks: Result<Vec<_>, _> = Chunks::new(&body).collect();
    let expected = vec![
        Chunk::Padding(5),
        Chunk::Unknown(9, b"later"),
        Chunk::Feedback(b"fb"),
        Chunk::Packet(b"packet"),
    ];
    assert_eq!(chunks, Ok(expected));
    assert_eq!(find_packet(&body, 0), Ok(Some(&b"packet"[..])));
    assert_eq!(find_packet(&chunk(2, b"fb"), 0), Ok(None));
    assert_eq!(find_packet(&[], 0), Ok(None));
}

/// Splitting a frame anywhere inside its packet gives the same packet, cut there.
#[test]
fn a_packet_is_found_wherever_the_payload_was_cut_off() {
    let body = [chunk(2, b"feedback"), chunk(1, b"header+payload")].concat();
    let packet_at = body.len() - b"header+payload".len();
    for cut in packet_at..=body.len() {
        let (header, payload) = body.split_at(cut);
        assert_eq!(find_packet(header, payload.len()), Ok(Some(&body[packet_at..cut])));
        let got = body.len() - packet_at + 1;
        let wrong = WireError::LengthMismatch { declared: got - 1, got };
        assert_eq!(find_packet(header, payload.len() + 1), Err(wrong));
    }
}

#[test]
fn a_packet_chunk_must_lead_to_the_end() {
    let trailing = [chunk(1, b"packet"), chunk(3, &[0; 2])].concat();
    assert_eq!(find_packet(&trailing, 0), Err(WireError::LengthMismatch { declared: 6, got: 11 }));
    let short = &chunk(1, b"packet")[..8];
    assert_eq!(find_packet(short, 0), Err(WireError::LengthMismatch { declared: 6, got: 5 }));
    // A payload that no chunk announces.
    assert_eq!(find_packet(&chunk(2, b"fb"), 9), Err(WireError::LengthMismatch { declared: 0, got: 9 }));
    assert_eq!(find_packet(&[], 9), Err(WireError::LengthMismatch { declared: 0, got: 9 }));
}

#[test]
fn truncated_chunks_end_the_walk_with_one_error() {
    let body = chunk(2, b"feedback");
    for got in 1..body.len() {
        let need = if got < CHUNK_HEADER_BYTES { CHUNK_HEADER_BYTES } else { body.len() };
        let chunks: Vec<_> = Chunks::new(&body[..got]).collect();
        assert_eq!(chunks, [Err(WireError::Truncated { need, got })]);
    }
}

#[test]
fn hostile_bodies_end() {
    let bodies = (prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..200), 0..3_usize);
    runner(20_000)
        .run(&bodies, |(body, payload_len)| {
            let chunks: Vec<_> = Chunks::with_payload(&body, payload_len).collect();
            prop_assert!(chunks.len() <= body.len() / CHUNK_HEADER_BYTES + 1);
            let errors = chunks.iter().filter(|chunk| chunk.is_err()).count();
            prop_assert!(errors == 0 || (errors == 1 && chunks.last().is_some_and(Result::is_err)));
            Ok(())
        })
        .unwrap();
}
