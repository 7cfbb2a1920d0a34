//! Taking frames in: check, count, hand on.

use crate::hop::HelloOutcome;
use crate::ids::HopIndex;
use crate::io::{FrameFault, HopKind, InputError, Received};
use crate::node::Node;
use crate::payload::Payload;
use crate::stats::{Drop, Reject};
use crate::stopwatch::Step;
use crate::time::Instant;
use crate::wire::WireError;
use crate::wire::control::ControlFrame;
use crate::wire::frame::{self, FrameHeader, FrameKind, find_packet};
use crate::wire::hello::Hello;
use crate::wire::packet::{PACKET_FIXED_BYTES, PacketFlags, PacketHeader};
use crate::wire::routing::{split_first, validate_pathlet};
use bytes::Bytes;

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
        let outcome = match frame {
            Received::Split { header, payload } => self.take_frame(now, index, header, Body::Apart(payload)),
            Received::Datagram(bytes) => self.take_frame(now, index, &bytes, Body::Whole(&bytes)),
        };
        outcome.map_err(|fault| {
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

    fn take_frame(
        &mut self,
        now: Instant,
        index: HopIndex,
        bytes: &[u8],
        body: Body<'_>,
    ) -> Result<(), FrameFault> {
        let carries_packet = bytes.get(1) == Some(&(FrameKind::Data as u8));
        // Counted before anything is checked, so that refused packets are in the ledger.
        self.stats.received_packets += u64::from(carries_packet);
        let lap = if carries_packet { self.start_lap(Step::Dispatch) } else { None };
        let (frame, rest) = FrameHeader::parse(bytes)?;
        let hop = &mut self.hops[index.0 as usize];
        match frame.kind {
            FrameKind::Data => {
                if frame.connection != hop.handshake.connection() {
                    return Err(FrameFault::UnknownConnection(frame.connection));
                }
                if hop.kind == HopKind::Control {
                    return Err(FrameFault::WrongHop);
                }
                let Some(packet) = find_packet(rest, body.len_apart())? else {
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
                let (coding, payload) = body.split(bytes, header.flags, after)?;
                hop.on_number(frame.number);
                hop.stats.received_frames += 1;
                hop.stats.received_packets += 1;
                hop.stats.received_bytes += (bytes.len() + payload_apart(&payload, bytes)) as u64;
                let fixed = &packet[..PACKET_FIXED_BYTES];
                self.dispatch(now, index, fixed, &header, pathlet, coding, payload);
                self.stop_lap(Step::Dispatch, lap);
                Ok(())
            }
            FrameKind::Hello | FrameKind::HelloAck | FrameKind::HelloDone => {
                self.take_hello(now, index, frame.kind, rest)
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

    fn take_hello(
        &mut self,
        now: Instant,
        index: HopIndex,
        kind: FrameKind,
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
        let outcome = hop.handshake.on_hello(now, kind, &hello);
        if outcome == HelloOutcome::Stale {
            return Err(FrameFault::StaleIncarnation(hello.incarnation));
        }
        hop.stats.received_frames += 1;
        self.on_hello_outcome(index, outcome);
        Ok(())
    }

    fn take_control(
        &mut self,
        now: Instant,
        index: HopIndex,
        number: u64,
        body: &[u8],
    ) -> Result<(), FrameFault> {
        let ControlFrame { sequence, ack, message } = ControlFrame::parse(body)?;
        let hop = &mut self.hops[index.0 as usize];
        let rtt = hop.handshake.rtt();
        let Some(control) = &mut hop.control else { return Err(FrameFault::WrongHop) };
        let is_next = control.on_frame(now, rtt, sequence, ack, message.is_some());
        hop.on_number(number);
        self.mark_ready(index);
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

/// The payload of a frame, as the driver gave it.
enum Body<'a> {
    /// Apart from the header.
    Apart(Payload),
    /// At the end of the datagram.
    Whole(&'a Bytes),
}

impl Body<'_> {
    fn len_apart(&self) -> usize {
        match self {
            Self::Apart(payload) => payload.len(),
            Self::Whole(_) => 0,
        }
    }

    /// Returns coding header and payload; `after` is what follows the Pathlet in the header bytes.
    fn split<'b>(
        self,
        bytes: &[u8],
        flags: PacketFlags,
        after: &'b [u8],
    ) -> Result<(&'b [u8], Payload), FrameFault> {
        match self {
            Self::Apart(payload) => {
                if after.is_empty() || flags.contains(PacketFlags::CODED) {
                    Ok((after, payload))
                } else {
                    Err(WireError::LengthMismatch { declared: 0, got: after.len() }.into())
                }
            }
            Self::Whole(datagram) => {
                let mut coding = 0;
                if flags.contains(PacketFlags::CODED) {
                    // A coding header begins with its own length, two bytes.
                    let Some(length) = after.first_chunk::<2>() else {
                        return Err(FrameFault::Wire(WireError::Truncated { need: 2, got: after.len() }));
                    };
                    coding = usize::from(u16::from_be_bytes(*length));
                    if coding > after.len() {
                        return Err(FrameFault::Wire(WireError::Truncated {
                            need: coding,
                            got: after.len(),
                        }));
                    }
                }
                let start = bytes.len() - after.len() + coding;
                Ok((&after[..coding], Payload::Bytes(datagram.slice(start..))))
            }
        }
    }
}

/// Payload bytes that are not part of the header bytes.
fn payload_apart(payload: &Payload, header: &[u8]) -> usize {
    match payload {
        Payload::Synthetic(what) => what.len as usize,
        Payload::Bytes(bytes) => {
            // A slice of the datagram has been counted with it.
            let inside = header.as_ptr_range().contains(&bytes.as_ptr());
            if inside { 0 } else { bytes.len() }
        }
    }
}
