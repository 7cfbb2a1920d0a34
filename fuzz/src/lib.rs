//! What each fuzz target checks, as functions of the bytes. `core/tests/wire` includes this file and replays the
//! corpus through it, so that the ordinary tests cover what fuzzing once found.

use bellini_core::coding::window::{WindowDecoder, WindowLimits};
use bellini_core::coding::{Body, Coded, META_BYTES};
use bellini_core::ids::NodeId;
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_core::wire::control::CONTROL_HEADER_BYTES;
use bellini_core::wire::frame::{FRAME_HEADER_BYTES, find_packet};
use bellini_core::wire::hello::HELLO_BYTES;
use bellini_core::wire::packet::PACKET_FIXED_BYTES;
use bellini_core::wire::pretty::Pretty;
use bellini_core::wire::routing::{self, PATHLET_HEADER_BYTES};
use bellini_core::wire::{
    Chunk, Chunks, ControlFrame, FrameHeader, Hello, PacketHeader, RouteLimits, StreamReassembler,
};
use bytes::Bytes;

/// A frame header that parses is written as it was read; the walk over the chunks ends.
pub fn frame(data: &[u8]) {
    let Ok((header, rest)) = FrameHeader::parse(data) else { return };
    let mut out = [0; FRAME_HEADER_BYTES];
    header.emit(&mut out);
    out[2..4].copy_from_slice(&data[2..4]);
    assert_eq!(out, data[..FRAME_HEADER_BYTES]);
    let chunks: Vec<_> = Chunks::new(rest).collect();
    assert!(chunks.iter().rev().skip(1).all(Result::is_ok), "only the last can be an error");
    if let Ok(Some(packet)) = find_packet(rest, 0) {
        assert_eq!(chunks.last(), Some(&Ok(Chunk::Packet(packet))));
        let (header, payload) = rest.split_at(rest.len() - packet.len() / 2);
        assert_eq!(
            find_packet(header, payload.len()).map(|found| found.map(<[u8]>::len)),
            Ok(Some(packet.len() - payload.len()))
        );
    }
}

/// A packet's fixed part is written as it was read.
pub fn packet(data: &[u8]) {
    let Ok((header, _)) = PacketHeader::parse(data) else { return };
    let mut out = [0; PACKET_FIXED_BYTES];
    header.emit(&mut out);
    assert_eq!(out, data[..PACKET_FIXED_BYTES]);
}

/// The ways to read a routing header agree with each other.
pub fn routing(data: &[u8]) {
    let source = NodeId::new(1).expect("1 is a node id");
    let limits = RouteLimits { copies_max: 8, bytes_max: 256 };
    if routing::validate(data, source, limits).is_ok() {
        let copies: usize = routing::branches(data)
            .expect("a valid header has valid Pathlets")
            .map(|(pathlet, node)| {
                assert_eq!(routing::validate_pathlet(pathlet, limits), Ok(pathlet.len()));
                assert_ne!(node, source);
                1
            })
            .sum();
        assert!((1..=8).contains(&copies));
    }
    match routing::decode(data) {
        Ok(route) => assert_eq!(routing::encode(&route).as_deref(), Ok(data)),
        Err(fault) => assert!(routing::validate(data, source, RouteLimits::NONE).is_err(), "{fault}"),
    }
    if let Ok((view, rest)) = routing::split_first(data) {
        let nested: usize = view.children().map(|(child, _)| child.len()).sum();
        assert_eq!(PATHLET_HEADER_BYTES + nested + rest.len(), data.len());
    } else {
        assert!(routing::validate_pathlet(data, RouteLimits::NONE).is_err());
    }
}

/// A hello that parses is written and read as the same hello.
pub fn hello(data: &[u8]) {
    let Ok(hello) = Hello::parse(data) else { return };
    let mut out = [0; HELLO_BYTES];
    hello.emit(&mut out);
    assert_eq!(Hello::parse(&out), Ok(hello));
}

/// A control frame that parses is written as it was read, and takes memory in proportion to its length.
pub fn control(data: &[u8]) {
    let Ok(frame) = ControlFrame::parse(data) else { return };
    let mut out = Vec::new();
    frame.emit_into(&mut out);
    let mut expected = data.to_vec();
    expected[CONTROL_HEADER_BYTES - 1] &= 1;
    assert_eq!(out, expected);
}

/// A stream gives the same frames in one piece and in pieces whose sizes its own bytes say.
pub fn stream(data: &[u8]) {
    const FRAME_BYTES_MAX: usize = 64;
    let drain = |reassembler: &mut StreamReassembler, frames: &mut Vec<Bytes>| {
        loop {
            match reassembler.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        }
    };
    let mut whole = StreamReassembler::new(FRAME_BYTES_MAX);
    let mut frames = Vec::new();
    whole.push(Bytes::copy_from_slice(data));
    let error = drain(&mut whole, &mut frames);

    let mut pieces = StreamReassembler::new(FRAME_BYTES_MAX);
    let mut again = Vec::new();
    let mut rest = Bytes::copy_from_slice(data);
    let mut error_again = None;
    while !rest.is_empty() {
        let size = (usize::from(rest[0] % 7) + 1).min(rest.len());
        pieces.push(rest.split_to(size));
        error_again = drain(&mut pieces, &mut again);
        assert!(pieces.buffered_bytes() < 4 + FRAME_BYTES_MAX);
    }
    assert_eq!((frames, error), (again, error_again));
}

/// A route that is read prints as one that is read the same.
pub fn route_text(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    match Route::parse(text) {
        Ok(route) => assert_eq!(Route::parse(&route.to_string()), Ok(route)),
        Err(error) => assert!(error.position <= text.len()),
    }
}

/// Whatever the bytes, they print on one line.
pub fn pretty(data: &[u8]) {
    assert!(!Pretty::new(data).to_string().contains('\n'));
}

/// Whatever comes to a sliding window in whatever order, it holds no more than its limits, and gives each symbol out once.
///
/// A packet is 16 bytes: what it is, how far its symbol is from the one before, and so on; the last ones may be missing.
pub fn window(data: &[u8]) {
    let limits =
        WindowLimits { latency: Duration::from_millis(50), symbols_max: 260, rows_max: 16, bytes_max: 2_048 };
    let mut decoder = WindowDecoder::new(limits);
    let (mut now, mut symbol) = (0_u64, 0_u64);
    let mut out = 0;
    for packet in data.chunks(16) {
        let mut bytes = [0; 16];
        bytes[..packet.len()].copy_from_slice(packet);
        let [what, size, step, shift, wait, len, rest @ ..] = bytes;
        // Small steps forwards or backwards, or a jump by any power of two.
        let step = u64::from(step) << (shift % 64);
        symbol = if what & 1 == 0 { symbol.wrapping_add(step) } else { symbol.wrapping_sub(step) };
        now += u64::from(wait) * 100_000;
        let mut meta = [0; META_BYTES];
        meta[..rest.len()].copy_from_slice(&rest);
        let body = match what & 2 {
            0 => Body::Described(u32::from(len)),
            _ => Body::Real(Bytes::copy_from_slice(&[len; 255][..usize::from(len)])),
        };
        let coded = Coded { meta, body };
        let at = Instant::from_nanos(now);
        if what & 4 == 0 {
            decoder.push_systematic(at, symbol, coded);
        } else {
            let seed = u64::from(rest[0]) << 8 | u64::from(size);
            decoder.push_repair(at, symbol, size, seed, &coded);
        }
        let damaged = what & 8 != 0;
        decoder.recover(|_, _| {
            out += u64::from(!damaged);
            !damaged
        });
        decoder.recover(|_, _| panic!("given out already"));
        assert!(decoder.len() <= 260 && decoder.rank() <= 16 && decoder.bytes() <= 2_048);
        assert_eq!(decoder.stats().recovered, out);
    }
    decoder.advance(Instant::from_nanos(now + 51_000_000));
    assert!(decoder.is_empty() && decoder.rank() == 0 && decoder.bytes() == 0);
}
