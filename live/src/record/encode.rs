//! Inputs as records.

use super::format::{Kind, put_bytes, put_varint};
use bellini_core::ids::{HopIndex, NodeId, SessionKey};
use bellini_core::io::{HopKind, Input, Received};
use bellini_core::payload::{self, Payload};
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_core::wire::packet::PacketFlags;
use bellini_core::wire::routing::split_first;
use bellini_core::wire::{FrameHeader, FrameKind, PacketHeader, find_packet};

/// Writes records, each behind the time since the last one.
#[derive(Debug)]
pub(super) struct Encoder {
    seed: Seed,
    /// Whether payload that is the session's content is left out.
    identities: bool,
    last: Instant,
    pub(super) bytes: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(seed: Seed, identities: bool, start: Instant) -> Self {
        Self { seed, identities, last: start, bytes: Vec::new() }
    }

    /// Begins a record.
    #[inline]
    pub(super) fn begin(&mut self, now: Instant, kind: Kind) -> &mut Vec<u8> {
        self.bytes.push(kind as u8);
        put_varint(&mut self.bytes, now.saturating_since(self.last).as_nanos());
        self.last = now;
        &mut self.bytes
    }

    #[inline]
    fn begin_on(&mut self, now: Instant, kind: Kind, hop: HopIndex) -> &mut Vec<u8> {
        let out = self.begin(now, kind);
        put_varint(out, u64::from(hop.0));
        out
    }

    /// A hop came into being because the driver asked for it.
    pub(super) fn hop(&mut self, peer: NodeId, kind: HopKind, index: HopIndex) {
        self.bytes.push(Kind::Hop as u8);
        put_varint(&mut self.bytes, u64::from(peer.get()));
        self.bytes.push(kind as u8);
        put_varint(&mut self.bytes, u64::from(index.0));
    }

    pub(super) fn finish_session(&mut self, now: Instant, key: SessionKey) {
        let out = self.begin(now, Kind::FinishSession);
        put_varint(out, u64::from(key.conference.0));
        put_varint(out, u64::from(key.session.0));
    }

    #[inline]
    pub(super) fn input(&mut self, now: Instant, input: &Input<'_>) {
        match input {
            Input::Frame { hop, frame: Received::Datagram(datagram) } => {
                match self.identities.then(|| header_length(self.seed, datagram)).flatten() {
                    Some(header) => {
                        let out = self.begin_on(now, Kind::DatagramOf, *hop);
                        put_bytes(out, &datagram[..header]);
                        put_varint(out, (datagram.len() - header) as u64);
                    }
                    None => put_bytes(self.begin_on(now, Kind::Datagram, *hop), datagram),
                }
            }
            Input::Frame { hop, frame: Received::Split { header, payload } } => match payload {
                Payload::Bytes(bytes) => {
                    let out = self.begin_on(now, Kind::SplitBytes, *hop);
                    put_bytes(out, header);
                    put_bytes(out, bytes);
                }
                Payload::Coded { .. } => unreachable!("what comes from a socket is bytes"),
                Payload::Synthetic(what) => {
                    let out = self.begin_on(now, Kind::SplitSynthetic, *hop);
                    put_bytes(out, header);
                    put_varint(out, u64::from(what.key.conference.0));
                    put_varint(out, u64::from(what.key.session.0));
                    put_varint(out, what.symbol);
                    put_varint(out, u64::from(what.offset));
                    put_varint(out, u64::from(what.len));
                }
            },
            Input::Stream { hop, chunk } => put_bytes(self.begin_on(now, Kind::Stream, *hop), chunk),
            Input::Opened { hop } => _ = self.begin_on(now, Kind::Opened, *hop),
            Input::Closed { hop } => _ = self.begin_on(now, Kind::Closed, *hop),
            Input::Room { hop, bytes } => put_varint(self.begin_on(now, Kind::Room, *hop), *bytes),
            Input::Blocked { hop } => _ = self.begin_on(now, Kind::Blocked, *hop),
            Input::Command(command) => {
                let written = postcard::to_stdvec(command).expect("commands are plain data");
                put_bytes(self.begin(now, Kind::Command), &written);
            }
            Input::Timeout => _ = self.begin(now, Kind::Timeout),
        }
    }
}

/// Returns the bytes before the payload of a datagram whose payload is its session's content, from the first byte of
/// the symbol on.
fn header_length(seed: Seed, datagram: &[u8]) -> Option<usize> {
    let (key, symbol, payload) = identity(datagram, 0)?;
    let is_content = !payload.is_empty() && payload::matches(seed, key, symbol, 0, payload);
    is_content.then(|| datagram.len() - payload.len())
}

/// Returns session, symbol and payload of a frame that carries a packet without a coding header; `apart`: bytes of the
/// payload that are not there.
pub(super) fn identity(frame: &[u8], apart: usize) -> Option<(SessionKey, u64, &[u8])> {
    let (header, rest) = FrameHeader::parse(frame).ok()?;
    if header.kind != FrameKind::Data {
        return None;
    }
    let packet = find_packet(rest, apart).ok()??;
    let (header, routing) = PacketHeader::parse(packet).ok()?;
    if header.flags.contains(PacketFlags::CODED) {
        return None;
    }
    let (_, payload) = split_first(routing).ok()?;
    Some((header.key, header.symbol, payload))
}
