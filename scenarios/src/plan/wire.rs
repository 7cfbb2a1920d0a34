//! What a session's packets come to on the wire: bytes by hop, packets for its payload.

use crate::model::{Scenario, Session};
use crate::resolve::mean_rate;
use bellini_core::coding::{Repair, Scheme};
use bellini_core::content::spec::{Content, SizeDistribution};
use bellini_core::io::HopKind;
use bellini_core::route::{Branch, Route};
use bellini_core::seal::TAG_BYTES;
use bellini_core::wire::coding::CODING_HEADER_BYTES;
use bellini_core::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, SEAL_BYTES, UDP_IP_BYTES};
use bellini_core::wire::packet::PACKET_FIXED_BYTES;
use bellini_core::wire::routing;

/// A session's packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Packets {
    /// Payload bits a second that its content offers on average, where it has a rate.
    pub(super) offered_bps: Option<f64>,
    /// Mean payload bytes of a packet.
    pub(super) payload_bytes: f64,
    /// Largest payload of a packet, in bytes: what delays are worked out for.
    pub(super) symbol_bytes: u64,
    /// Bytes of every packet besides payload, Pathlets and what coding adds.
    fixed_bytes: u64,
    /// Bytes that coding adds to a symbol that is sent as it is.
    plain_bytes: u64,
    /// Bytes that it adds on average, combinations included.
    coding_bytes: f64,
    /// Packets for each symbol: 1 without coding.
    pub(super) packets_per_symbol: f64,
}

impl Packets {
    /// Works them out. `loss`: the greatest loss that any destination sees, for repairs that adapt to it.
    pub(super) fn of(scenario: &Scenario, session: &Session, loss: f64) -> Self {
        let is_datagram = session.transport.hop_kind() != HopKind::Stream;
        let seal = if scenario.seal && is_datagram { SEAL_BYTES as u64 } else { 0 };
        let tag = if session.sealed { u64::from(TAG_BYTES) } else { 0 };
        let headers = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + PACKET_FIXED_BYTES + UDP_IP_BYTES;
        let symbol = f64::from(session.symbol_bytes);
        let (plain, combined, repairs, all_combined) = match &session.coding {
            None => (0, 0, 0.0, false),
            Some(coding) => {
                let most = crate::resolve::added_bytes(Some(coding), false) as u64;
                let repairs = match coding.repair {
                    Repair::Fixed(share) => share,
                    Repair::Adaptive { max } => (loss / (1.0 - loss).max(1e-9)).min(max),
                };
                let systematic = !matches!(coding.scheme, Scheme::Generation { systematic: false, .. });
                (CODING_HEADER_BYTES as u64, most, repairs, !systematic)
            }
        };
        let first = if all_combined { combined } else { plain };
        Self {
            offered_bps: mean_rate(&session.content).map(|rate| rate.as_bps() as f64),
            payload_bytes: payload_bytes(&session.content, symbol),
            symbol_bytes: u64::from(session.symbol_bytes),
            fixed_bytes: headers as u64 + seal + tag,
            plain_bytes: first,
            coding_bytes: (first as f64 + repairs * combined as f64) / (1.0 + repairs),
            packets_per_symbol: 1.0 + repairs,
        }
    }

    /// Returns the wire bytes of a full symbol on the hop to `branch`.
    pub(super) fn full_bytes(&self, branch: &Branch) -> u64 {
        self.fixed_bytes + self.plain_bytes + routing_bytes(branch) + self.symbol_bytes
    }

    /// Returns the mean wire bytes of a packet, but for its Pathlets.
    pub(super) fn mean_bytes(&self) -> f64 {
        self.fixed_bytes as f64 + self.coding_bytes + self.payload_bytes
    }

    /// Returns the wire bits on the hop to `branch` for each bit of payload that its content offers.
    pub(super) fn wire_per_payload(&self, branch: &Branch) -> f64 {
        let headers = (self.fixed_bytes + routing_bytes(branch)) as f64 + self.coding_bytes;
        self.packets_per_symbol * (headers + self.payload_bytes) / self.payload_bytes
    }
}

/// Returns the bytes of the Pathlets that a packet carries to `branch`: that one, and what is below it.
fn routing_bytes(branch: &Branch) -> u64 {
    let single = Route { branches: vec![branch.clone()] };
    routing::encode(&single).map_or(0, |info| info.len() as u64)
}

/// Returns the mean payload of a packet: frames and messages end with packets that are not full.
fn payload_bytes(content: &Content, symbol: f64) -> f64 {
    let of_sizes = |sizes: &mut dyn Iterator<Item = f64>| {
        let (mut bytes, mut packets) = (0.0, 0.0);
        for size in sizes {
            bytes += size;
            packets += libm::ceil(size / symbol).max(1.0);
        }
        if packets > 0.0 { bytes / packets } else { symbol }
    };
    match content {
        Content::Video { trace, rate, .. } => {
            let scale = scale(&trace.frames, trace.frame_interval.as_secs_f64(), rate.as_bps() as f64);
            of_sizes(&mut trace.frames.iter().map(|frame| f64::from(frame.bytes) * scale))
        }
        Content::Adaptive { trace, ladder, initial, .. } => {
            let rate = ladder.get(*initial).map_or(0.0, |rate| rate.as_bps() as f64);
            let scale = scale(&trace.frames, trace.frame_interval.as_secs_f64(), rate);
            of_sizes(&mut trace.frames.iter().map(|frame| f64::from(frame.bytes) * scale))
        }
        Content::Messages { size: SizeDistribution::Fixed(bytes), .. } => {
            of_sizes(&mut std::iter::once(*bytes as f64))
        }
        // The last packet of a message is half full on average.
        Content::Messages { .. } => {
            let size = message_bytes(content);
            size / (size / symbol + 0.5).max(1.0)
        }
        _ => symbol,
    }
}

fn message_bytes(content: &Content) -> f64 {
    match (content, mean_rate(content)) {
        (Content::Messages { mean_interval, .. }, Some(rate)) => {
            rate.as_bps() as f64 / 8.0 * mean_interval.as_secs_f64()
        }
        _ => 1.0,
    }
}

fn scale(frames: &[bellini_core::content::spec::TraceFrame], interval_s: f64, rate_bps: f64) -> f64 {
    let total: f64 = frames.iter().map(|frame| f64::from(frame.bytes)).sum();
    if total > 0.0 { rate_bps / 8.0 * interval_s * frames.len() as f64 / total } else { 1.0 }
}
