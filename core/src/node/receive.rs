//! Taking frames in: check, count, hand on.

use crate::congestion::{Feedback, FrameArrival};
use crate::hop::HelloOutcome;
use crate::ids::HopIndex;
use crate::io::{FrameFault, HopKind, InputError, Received};
use crate::node::Node;
use crate::payload::Payload;
use crate::stats::{Drop, Reject};
use crate::stopwatch::Step;
use crate::time::Instant;
use crate::wire::ProbeFrame;
use crate::wire::WireError;
use crate::wire::control::ControlFrame;
use crate::wire::frame::{self, FrameHeader, FrameKind, Parts, find_parts};
use crate::wire::hello::Hello;
use crate::wire::packet::{PACKET_FIXED_BYTES, PacketFlags, PacketHeader};
use crate::wire::routing::{PATHLET_HEADER_BYTES, split_first, validate_pathlet};
use bytes::{Buf, Bytes};
use core::ops::Range;

impl Node {
    pub(super) fn handle_frame(
        &mut self,
        now: Instant,
        index: HopIndex,
        frame: Received<'_>,
    ) -> Result<(), InputError> {
        self.known_hop(index)?;
        self.stats.received_frames += 1;
        let packets = self.stats.received_packets;
        let body = match frame {
            Received::Split { header, payload } => Body::Apart { header, payload },
            Received::Datagram(bytes) => Body::Whole { bytes, payload_at: 0 },
        };
        self.take_frame(now, index, body).map_err(|fault| {
            // A refused packet is in the ledger on both sides.
            let refused = self.stats.received_packets - packets;
            self.stats.drop_packets(Drop::Rejected, refused);
            self.count_rejection(now, index, fault);
            InputError::Frame(fault)
        })
    }

    pub(super) fn handle_stream(
        &mut self,
        now: Instant,
        index: HopIndex,
        chunk: Bytes,
    ) -> Result<(), InputError> {
        self.known_hop(index)?;
        let Some(mut reassembler) = self.hop_mut(index).reassembler.take() else {
            return Err(InputError::Frame(FrameFault::WrongHop));
        };
        reassembler.push(chunk);
        let mut first_fault = Ok(());
        loop {
            match reassembler.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    let taken = self.handle_frame(now, index, Received::Datagram(frame));
                    first_fault = first_fault.and(taken);
                }
                Err(error) => {
                    // The stream cannot be trusted any more; the driver closes it.
                    self.stats.rejected_frames[Reject::Malformed as usize] += 1;
                    first_fault = first_fault.and(Err(InputError::Frame(error.into())));
                    break;
                }
            }
        }
        self.hop_mut(index).reassembler = Some(reassembler);
        first_fault
    }

    fn take_frame(&mut self, now: Instant, index: HopIndex, mut body: Body<'_>) -> Result<(), FrameFault> {
        let bytes = body.bytes();
        let carries_packet = bytes.get(1) == Some(&(FrameKind::Data as u8));
        // Counted before anything is checked, so that refused packets are in the ledger.
        self.stats.received_packets += u64::from(carries_packet);
        let lap = if carries_packet { self.start_lap(Step::Dispatch) } else { None };
        let (frame, rest) = FrameHeader::parse(bytes)?;
        let hop = &mut self.hops[index.0 as usize];
        if frame.flags.is_paced() != (hop.kind == HopKind::Paced) {
            return Err(FrameFault::WrongHop);
        }
        match frame.kind {
            FrameKind::Data => {
                if frame.connection != hop.handshake.connection() {
                    return Err(FrameFault::UnknownConnection(frame.connection));
                }
                if hop.kind == HopKind::Control {
                    return Err(FrameFault::WrongHop);
                }
                let parts = find_parts(rest, body.len_apart())?;
                if hop.kind == HopKind::Paced {
                    let whole = bytes.len() + body.len_apart() + usize::from(self.config.seal_bytes);
                    self.take_paced(now, index, &frame, whole, &parts)?;
                }
                let hop = &mut self.hops[index.0 as usize];
                let Some(packet) = parts.packet else {
                    // Feedback or padding only: there was no packet after all.
                    self.stats.received_packets -= 1;
                    hop.on_number(frame.number);
                    return Ok(());
                };
                let (header, routing) = PacketHeader::parse(packet)?;
                validate_pathlet(routing, self.pathlet_limits).map_err(WireError::from)?;
                let (pathlet, after) = split_first(routing)?;
                if pathlet.node != self.config.id {
                    return Err(FrameFault::Misrouted);
                }
                let coding_bytes = body.coding_bytes(header.flags, after)?;
                hop.on_number(frame.number);
                hop.stats.received_frames += 1;
                hop.stats.received_packets += 1;
                hop.stats.received_bytes += (bytes.len() + body.len_apart()) as u64;
                // Places, not slices: the dispatcher takes the payload out of the same memory at the end.
                let fixed_at = packet.as_ptr().addr() - bytes.as_ptr().addr();
                let routing_at = fixed_at + PACKET_FIXED_BYTES;
                let nested = routing_at + PATHLET_HEADER_BYTES..routing_at + routing.len() - after.len();
                let coding = nested.end..nested.end + coding_bytes;
                let deliver = pathlet.deliver;
                let payload_at = bytes.len() - after.len() + coding_bytes;
                body.set_payload_at(payload_at);
                let fixed = fixed_at..routing_at;
                self.dispatch(now, index, Packet { body, header, fixed, nested, coding, deliver });
                self.stop_lap(Step::Dispatch, lap);
                Ok(())
            }
            FrameKind::Hello | FrameKind::HelloAck | FrameKind::HelloDone => {
                self.take_hello(now, index, &frame, rest)
            }
            FrameKind::Probe => {
                if frame.connection != hop.handshake.connection() {
                    return Err(FrameFault::UnknownConnection(frame.connection));
                }
                if hop.kind != HopKind::Control {
                    return Err(FrameFault::WrongHop);
                }
                let probe = ProbeFrame::parse(rest)?;
                let length = bytes.len() + body.len_apart();
                hop.on_number(frame.number);
                hop.stats.received_frames += 1;
                hop.stats.received_bytes += length as u64;
                self.take_probe(now, index, &probe, length);
                Ok(())
            }
            FrameKind::Control => {
                if frame.connection != hop.handshake.connection() {
                    return Err(FrameFault::UnknownConnection(frame.connection));
                }
                self.take_control(now, index, frame.number, rest)?;
                let stats = &mut self.hop_mut(index).stats;
                stats.received_frames += 1;
                stats.received_bytes += bytes.len() as u64;
                Ok(())
            }
        }
    }

    /// Lets the congestion control of a paced hop see a frame of `bytes` bytes.
    #[inline]
    fn take_paced(
        &mut self,
        now: Instant,
        index: HopIndex,
        frame: &FrameHeader,
        bytes: usize,
        parts: &Parts<'_>,
    ) -> Result<(), FrameFault> {
        let hop = &mut self.hops[index.0 as usize];
        let Some(pacing) = &mut hop.pacing else { return Ok(()) };
        let feedback = parts.feedback.map(Feedback::parse).transpose()?;
        pacing.on_frame(
            now,
            FrameArrival {
                number: frame.number,
                bytes: bytes as u32,
                timestamp_us: frame.timestamp_us,
                rtt_us: frame.rtt_us,
                carries_packet: parts.packet.is_some(),
            },
        );
        if let Some(feedback) = feedback {
            pacing.on_feedback(now, &feedback);
        }
        // Deadlines and the allowance may have moved.
        self.mark_ready(index);
        Ok(())
    }

    fn take_hello(
        &mut self,
        now: Instant,
        index: HopIndex,
        frame: &FrameHeader,
        body: &[u8],
    ) -> Result<(), FrameFault> {
        let hello = Hello::parse(body)?;
        let hop = &mut self.hops[index.0 as usize];
        if hello.node != hop.peer {
            return Err(FrameFault::WrongPeer);
        }
        if hello.common_version(frame::VERSION, frame::VERSION).is_none() {
            return Err(WireError::UnknownVersion(hello.version_min).into());
        }
        let outcome = hop.handshake.on_hello(now, frame.kind, &hello);
        if outcome == HelloOutcome::Stale {
            return Err(FrameFault::StaleIncarnation(hello.incarnation));
        }
        hop.stats.received_frames += 1;
        self.on_hello_outcome(now, index, outcome);
        if let Some(pacing) = &mut self.hop_mut(index).pacing {
            pacing.on_hello(now, frame, outcome);
        }
        Ok(())
    }

    fn take_control(
        &mut self,
        now: Instant,
        index: HopIndex,
        number: u64,
        body: &[u8],
    ) -> Result<(), FrameFault> {
        let ControlFrame { sequence, ack, watching, message } = ControlFrame::parse(body)?;
        let hop = &mut self.hops[index.0 as usize];
        let rtt = hop.handshake.rtt();
        let Some(control) = &mut hop.control else { return Err(FrameFault::WrongHop) };
        let is_next = control.on_frame(now, rtt, sequence, ack, message.is_some());
        hop.on_number(number);
        self.mark_ready(index);
        self.heard(now, index, watching);
        if let Some(message) = message.filter(|_| is_next) {
            self.handle_control(now, index, message);
        }
        Ok(())
    }

    #[cold]
    fn count_rejection(&mut self, now: Instant, index: HopIndex, fault: FrameFault) {
        let cause = match fault {
            FrameFault::Wire(WireError::BadRoute(_)) => Reject::BadRoute,
            FrameFault::Wire(_) => Reject::Malformed,
            FrameFault::UnknownConnection(_) => Reject::UnknownConnection,
            FrameFault::StaleIncarnation(_) => Reject::StaleIncarnation,
            FrameFault::Misrouted => Reject::Misrouted,
            FrameFault::WrongPeer | FrameFault::WrongHop => Reject::WrongHop,
        };
        self.stats.rejected_frames[cause as usize] += 1;
        if cause == Reject::UnknownConnection {
            self.hop_mut(index).handshake.on_unknown_connection(now);
            self.mark_ready(index);
        }
    }
}

/// A packet that was checked: its parts by their places in the header bytes.
pub(super) struct Packet<'a> {
    /// The frame that it came in.
    pub(super) body: Body<'a>,
    /// The fixed part of the header, parsed.
    pub(super) header: PacketHeader,
    /// Where the fixed part is.
    pub(super) fixed: Range<usize>,
    /// Where the Pathlets of the copies to send on are.
    pub(super) nested: Range<usize>,
    /// Where the coding header is.
    pub(super) coding: Range<usize>,
    /// Whether this node is a destination.
    pub(super) deliver: bool,
}

/// A frame, as the driver gave it.
pub(super) enum Body<'a> {
    /// Header and payload apart.
    Apart {
        /// Everything but the payload.
        header: &'a [u8],
        /// The payload.
        payload: Payload,
    },
    /// One datagram.
    Whole {
        /// All of it.
        bytes: Bytes,
        /// Where the payload begins, once that is known.
        payload_at: usize,
    },
}

impl Body<'_> {
    /// Returns the bytes that the header is at the beginning of.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Apart { header, .. } => header,
            Self::Whole { bytes, .. } => bytes,
        }
    }

    /// Returns the length of the payload.
    #[inline]
    pub(super) fn payload_len(&self) -> usize {
        match self {
            Self::Apart { payload, .. } => payload.len(),
            Self::Whole { bytes, payload_at } => bytes.len() - payload_at,
        }
    }

    /// Returns the payload, which stays here, too.
    #[inline]
    pub(super) fn share_payload(&self) -> Payload {
        match self {
            Self::Apart { payload, .. } => payload.clone(),
            Self::Whole { bytes, payload_at } => Payload::Bytes(bytes.slice(payload_at..)),
        }
    }

    /// Takes the payload out; with it goes what else is in a datagram. Unlike sharing it costs no reference count.
    #[inline]
    pub(super) fn take_payload(&mut self) -> Payload {
        match self {
            Self::Apart { payload, .. } => core::mem::replace(payload, Payload::Bytes(Bytes::new())),
            Self::Whole { bytes, payload_at } => {
                let mut taken = core::mem::take(bytes);
                taken.advance(core::mem::take(payload_at));
                Payload::Bytes(taken)
            }
        }
    }

    /// Payload bytes that are not among [`Self::bytes`].
    #[inline]
    fn len_apart(&self) -> usize {
        match self {
            Self::Apart { payload, .. } => payload.len(),
            Self::Whole { .. } => 0,
        }
    }

    #[inline]
    fn set_payload_at(&mut self, at: usize) {
        if let Self::Whole { payload_at, .. } = self {
            *payload_at = at;
        }
    }

    /// Returns the length of the coding header; `after` is what follows the Pathlet in the header bytes.
    #[inline]
    fn coding_bytes(&self, flags: PacketFlags, after: &[u8]) -> Result<usize, FrameFault> {
        let is_coded = flags.contains(PacketFlags::CODED);
        match self {
            Self::Apart { .. } if is_coded || after.is_empty() => Ok(after.len()),
            Self::Apart { .. } => Err(WireError::LengthMismatch { declared: 0, got: after.len() }.into()),
            Self::Whole { .. } if !is_coded => Ok(0),
            Self::Whole { .. } => {
                // A coding header begins with its own length, two bytes.
                let Some(length) = after.first_chunk::<2>() else {
                    return Err(FrameFault::Wire(WireError::Truncated { need: 2, got: after.len() }));
                };
                let need = usize::from(u16::from_be_bytes(*length));
                if need > after.len() {
                    return Err(FrameFault::Wire(WireError::Truncated { need, got: after.len() }));
                }
                Ok(need)
            }
        }
    }
}
