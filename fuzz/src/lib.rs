//! What each fuzz target checks, as functions of the bytes. `core/tests/wire` includes this file and replays the
//! corpus through it, so that the ordinary tests cover what fuzzing once found.

use bellini_core::coding::window::{WindowDecoder, WindowLimits};
use bellini_core::coding::{Body, Coded, Decoder, Encoder, META_BYTES, Pushed, Recoder};
use bellini_core::ids::NodeId;
use bellini_core::rng::{Seed, Stream};
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
use bytes::{Bytes, BytesMut};

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

/// A generation with everything that takes part in it: once with real payload, once with payload that is described only.
struct Generation {
    encoder: Encoder,
    recoder: Recoder,
    decoder: Decoder,
    stream: Stream,
}

impl Generation {
    /// Of `size` symbols of differing lengths.
    fn new(size: usize, is_real: bool) -> Self {
        let mut encoder = Encoder::new();
        for at in 0..size {
            let bytes: Vec<u8> = (0..at % 7).map(|i| (at * 31 + i * 7 + 1) as u8).collect();
            let body = if is_real { Body::Real(bytes.into()) } else { Body::Described(at as u32 % 7) };
            assert!(encoder.push(Coded { meta: [(at * 13 + 1) as u8; META_BYTES], body }));
        }
        let stream = Seed(1).stream("fuzz");
        Self { encoder, recoder: Recoder::new(255), decoder: Decoder::new(255), stream }
    }

    /// The row that begins in front of what an encoder or recoder wrote.
    fn row(bytes: &mut BytesMut, len: usize) -> Coded {
        let mut meta = [0; META_BYTES];
        meta.copy_from_slice(&bytes.split_to(META_BYTES));
        let body = match bytes.len() {
            0 => Body::Described(len as u32),
            _ => Body::Real(bytes.split_to(len).freeze()),
        };
        Coded { meta, body }
    }
}

/// Returns the row without its payload.
fn described(row: &Coded) -> Coded {
    Coded { meta: row.meta, body: Body::Described(row.body.len() as u32) }
}

/// Whatever comes to relay and destination of a generation, they hold no more than the rank, and each symbol comes out once;
/// as long as all rows are honest, it comes out right, and all of them do in the end. What is not computed changes nothing.
///
/// The first byte is the number of symbols; then a packet is 8 bytes: what it is, and what that takes; the last ones may
/// be missing.
pub fn coding(data: &[u8]) {
    let Some((size, packets)) = data.split_first() else { return };
    let size = usize::from(*size).clamp(1, 255);
    let (mut real, mut told) = (Generation::new(size, true), Generation::new(size, false));
    let (mut is_honest, mut is_out) = (true, [false; 255]);
    for packet in packets.chunks(8) {
        let mut bytes = [0; 8];
        bytes[..packet.len()].copy_from_slice(packet);
        let [what, a, rest @ ..] = bytes;
        let offset = usize::from(a);
        match what % 8 {
            // A symbol as it is.
            0 => {
                // One that the generation has not is a lie.
                let symbol = real.encoder.symbol(offset).cloned();
                is_honest &= symbol.is_some();
                let symbol =
                    symbol.unwrap_or(Coded { meta: [a; META_BYTES], body: Body::Real(Bytes::new()) });
                real.recoder.push_symbol(offset, symbol.clone());
                told.recoder.push_symbol(offset, described(&symbol));
                if let Some(is_out) = is_out.get_mut(offset) {
                    let pushed = real.decoder.push_symbol(offset, symbol.clone());
                    assert_eq!(told.decoder.push_symbol(offset, described(&symbol)), pushed);
                    *is_out |= pushed != Pushed::Refused;
                } else {
                    assert_eq!(real.decoder.push_symbol(offset, symbol), Pushed::Refused);
                }
            }
            // A combination at the source: few coefficients, or all of them of a seed; to the relay, or past it.
            1 | 2 => {
                let mut vector = vec![0; size];
                if what % 8 == 1 {
                    bellini_core::coding::coefficients::seeded(u64::from(a), &mut vector);
                } else {
                    for (at, c) in rest.iter().enumerate() {
                        vector[(offset + at * at) % size] = *c;
                    }
                }
                let (mut out, mut head) = (BytesMut::new(), BytesMut::new());
                let len = real.encoder.combine(&vector, &mut out);
                assert_eq!(told.encoder.combine(&vector, &mut head), len);
                assert_eq!(out[..META_BYTES], head[..], "the same whether computed or not");
                let is_past = what & 8 != 0;
                let row = as_real(Generation::row(&mut out, len));
                let pushed = push(&mut real, &vector, row.clone(), is_past);
                assert_eq!(push(&mut told, &vector, described(&row), is_past), pushed);
            }
            // The relay's.
            3 if real.recoder.rank() > 0 => {
                let width = real.recoder.size().max(size);
                let (mut out, mut head) = (BytesMut::new(), BytesMut::new());
                let len = real.recoder.recode(&mut real.stream, width, &mut out);
                assert_eq!(told.recoder.recode(&mut told.stream, width, &mut head), len);
                assert_eq!(out[..width + META_BYTES], head[..], "the same whether computed or not");
                let vector = out.split_to(width);
                let row = as_real(Generation::row(&mut out, len));
                let pushed = real.decoder.push(&vector, row.clone());
                assert_eq!(told.decoder.push(&vector, described(&row)), pushed);
            }
            // Any coefficients, any row.
            4 => {
                let vector: Vec<u8> =
                    (0..offset + 100 * usize::from(what >> 6)).map(|i| rest[i % 6]).collect();
                let body = Body::Real(Bytes::copy_from_slice(&[rest[5]; 255][..usize::from(rest[4])]));
                let row = Coded { meta: [rest[3]; META_BYTES], body };
                is_honest = false;
                let pushed = push(&mut real, &vector, row.clone(), what & 8 != 0);
                assert_eq!(push(&mut told, &vector, described(&row), what & 8 != 0), pushed);
            }
            5 => {
                for decoder in [&mut real.decoder, &mut told.decoder] {
                    decoder.forget_combinations();
                }
                // What had come out of combinations comes out again.
                for (offset, is_out) in is_out.iter_mut().enumerate() {
                    *is_out = real.decoder.has(offset);
                }
            }
            // The size, or a lie about it.
            6 => {
                let said = if what & 8 == 0 { size } else { offset };
                is_honest &= said == size || real.decoder.size().is_some();
                real.decoder.set_size(said);
                told.decoder.set_size(said);
            }
            // A row whose payload is computed where the others' is not.
            7 if told.decoder.rank() > 0 => {
                let row = Coded { meta: [a; META_BYTES], body: Body::Real(Bytes::new()) };
                assert_eq!(told.decoder.push(&rest, row), Pushed::Refused);
            }
            _ => {}
        }
        recover(&mut real, &mut told, &mut is_out, is_honest);
        let rank = real.decoder.rank();
        assert!(rank <= 255 && real.decoder.bytes() <= rank * (META_BYTES + 255));
        assert!(real.recoder.rank() <= real.recoder.size().min(255));
        assert!(!is_honest || rank <= size);
    }
    if is_honest {
        real.decoder.set_size(size);
        told.decoder.set_size(size);
        for seed in 1_000..1_000 + size as u64 + 8 {
            let mut vector = vec![0; size];
            bellini_core::coding::coefficients::seeded(seed, &mut vector);
            let mut out = BytesMut::new();
            let len = real.encoder.combine_seeded(seed, &mut out);
            let row = as_real(Generation::row(&mut out, len));
            let pushed = real.decoder.push(&vector, row.clone());
            assert_eq!(told.decoder.push(&vector, described(&row)), pushed);
        }
        recover(&mut real, &mut told, &mut is_out, true);
        assert!(real.decoder.is_complete() && is_out[..size].iter().all(|is_out| *is_out));
    }
}

/// Takes a row for a real one if it was too short to tell.
fn as_real(row: Coded) -> Coded {
    match row.body {
        Body::Described(0) => Coded { body: Body::Real(Bytes::new()), ..row },
        _ => row,
    }
}

/// A row comes to the relay or, past it, to the destination.
fn push(to: &mut Generation, vector: &[u8], row: Coded, is_past: bool) -> Pushed {
    let rank = |to: &Generation| if is_past { to.decoder.rank() } else { to.recoder.rank() };
    let before = rank(to);
    let pushed = if is_past { to.decoder.push(vector, row) } else { to.recoder.push(vector, row) };
    assert_eq!(rank(to), before + usize::from(pushed == Pushed::Innovative));
    pushed
}

/// Symbols come out, the same ones whether payload is computed or not.
fn recover(real: &mut Generation, told: &mut Generation, is_out: &mut [bool; 255], is_honest: bool) {
    let mut blocks = Vec::new();
    let encoder = &real.encoder;
    real.decoder.recover(|offset, got| {
        assert!(!core::mem::replace(&mut is_out[offset], true), "given out once");
        if is_honest {
            let right = encoder.symbol(offset).expect("no more than there are");
            let (Body::Real(right_bytes), Body::Real(bytes)) = (&right.body, &got.body) else {
                panic!("what came was real");
            };
            let (own, padding) = bytes.split_at(right_bytes.len());
            assert!(got.meta == right.meta && own == right_bytes && padding.iter().all(|b| *b == 0));
        }
        blocks.push((offset, described(&got)));
    });
    let mut again = Vec::new();
    told.decoder.recover(|offset, got| again.push((offset, got)));
    assert_eq!(blocks, again);
}
