//! Handing frames out: hellos first, then control messages or packets, hop by hop.

use crate::congestion::{Allowance, SentFrame};
use crate::feeder::Lane;
use crate::hop::{FEEDBACK_CHUNK_BYTES, HelloOutcome};
use crate::ids::HopIndex;
use crate::io::{HopKind, Transmit};
use crate::node::Node;
use crate::payload::Payload;
use crate::time::{Duration, Instant};
use crate::wire::control;
use crate::wire::frame::{
    CHUNK_HEADER_BYTES, CHUNK_PACKET, FRAME_HEADER_BYTES, FrameFlags, FrameHeader, FrameKind, SEAL_BYTES,
    UDP_IP_BYTES, emit_chunk_header,
};
use crate::wire::hello::HELLO_BYTES;
use crate::wire::probe::PROBE_BYTES;
use crate::wire::stream::{STREAM_PREFIX_BYTES, stream_prefix};
use bytes::Bytes;

/// A report waits so long for a packet that can carry it.
const REPORT_WAIT_MAX: Duration = Duration::from_millis(1);

/// What a hop has to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Hello,
    Control,
    Probe,
    Packet,
    /// A report alone: no packet that could carry it may go now.
    Feedback,
}

impl Node {
    /// Returns the next frame to send. Call until `None`; each frame counts as sent.
    #[inline]
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit<'_>> {
        self.advance(now);
        if !self.relieved.is_empty() {
            self.tell_relief(now);
        }
        let (index, next) = loop {
            let Some(&index) = self.ready.front() else {
                if self.kicked.is_empty() {
                    return None;
                }
                self.run_kicked(now);
                continue;
            };
            match self.next_on(now, index) {
                Ok(next) => break (index, next),
                Err(pace) => {
                    self.ready.pop_front();
                    self.hops[index.0 as usize].is_ready = false;
                    self.arm_hop(index, pace);
                }
            }
        };
        match next {
            Next::Packet => Some(self.transmit_packet(now, index)),
            Next::Hello => Some(self.transmit_hello(now, index)),
            Next::Control => Some(self.transmit_control(now, index)),
            Next::Probe => Some(self.transmit_probe(now, index)),
            Next::Feedback => Some(self.transmit_feedback(now, index)),
        }
    }

    /// Says what hop `index` can send now; an error says until when its pacer holds it, if it does.
    #[inline]
    fn next_on(&mut self, now: Instant, index: HopIndex) -> Result<Next, Option<Instant>> {
        let hop = &mut self.hops[index.0 as usize];
        if !hop.room.allows() {
            return Err(None);
        }
        if hop.handshake.has_message(now) {
            return Ok(Next::Hello);
        }
        if hop.handshake.peer().is_none() {
            return Err(None);
        }
        if let Some(control) = &hop.control {
            let has_probe = hop.probe.as_ref().is_some_and(|probe| probe.has_frame());
            return match control.has_frame() {
                true => Ok(Next::Control),
                false if has_probe => Ok(Next::Probe),
                false => Err(None),
            };
        }
        let waiting = hop.feeder.as_ref().is_some_and(|feeder| feeder.is_ready());
        if let Some(pacing) = &mut hop.pacing {
            let allowance = if waiting { pacing.allowance(now) } else { Allowance::Blocked };
            // Packets that fill their frames leave no room for it, however soon they go.
            let is_overdue =
                pacing.feedback_since().is_some_and(|at| now.saturating_since(at) > REPORT_WAIT_MAX);
            return match allowance {
                _ if is_overdue => Ok(Next::Feedback),
                Allowance::Now => Ok(Next::Packet),
                // A packet will carry the report in a moment.
                Allowance::At(at) if at - now <= REPORT_WAIT_MAX => Err(Some(at)),
                _ if pacing.has_feedback() => Ok(Next::Feedback),
                Allowance::At(at) => Err(Some(at)),
                Allowance::Blocked => Err(None),
            };
        }
        if !waiting {
            return Err(None);
        }
        match hop.pacer.as_mut().and_then(|pacer| pacer.wait_until(now)) {
            None => Ok(Next::Packet),
            at => Err(at),
        }
    }

    #[inline]
    fn transmit_packet(&mut self, now: Instant, index: HopIndex) -> Transmit<'_> {
        let hop = &mut self.hops[index.0 as usize];
        let header = frame_header(hop, now, FrameKind::Data);
        let is_stream = hop.kind == HopKind::Stream;
        let feeder = hop.feeder.as_mut().expect("data hops have a feeder");
        let popped = feeder.pop().expect("it was looked for one");
        if popped.lane == Lane::Bulk && !hop.pressed.is_empty() {
            self.relieved.push((index, popped.conference));
        }
        let payload = core::mem::replace(&mut popped.packet.payload, Payload::Bytes(Bytes::new()));
        let body = popped.packet.header.packet().len() + payload.len();
        // A report goes before the packet where both fit one frame.
        let mut before = 0;
        if let Some(pacing) = hop.pacing.as_mut().filter(|pacing| pacing.has_feedback()) {
            let whole = FRAME_HEADER_BYTES + FEEDBACK_CHUNK_BYTES + CHUNK_HEADER_BYTES + body;
            let fits = whole + UDP_IP_BYTES + SEAL_BYTES <= usize::from(self.config.mtu);
            if fits && popped.packet.header.make_gap(FEEDBACK_CHUNK_BYTES) {
                let report = pacing.poll_feedback(now).expect("a report is due");
                let gap =
                    &mut popped.packet.header.with_headroom()[STREAM_PREFIX_BYTES + FRAME_HEADER_BYTES..];
                gap[..FEEDBACK_CHUNK_BYTES].copy_from_slice(&report);
                before = FEEDBACK_CHUNK_BYTES;
            }
        }
        let bytes = popped.packet.header.with_headroom();
        header.emit(&mut bytes[STREAM_PREFIX_BYTES..]);
        let chunk = &mut bytes[STREAM_PREFIX_BYTES + FRAME_HEADER_BYTES + before..];
        // Sources bound their symbols, and what came in came in a chunk.
        emit_chunk_header(chunk, CHUNK_PACKET, body as u16);
        let frame_bytes = (FRAME_HEADER_BYTES + before + CHUNK_HEADER_BYTES + body) as u64;
        let start = if is_stream {
            bytes[..STREAM_PREFIX_BYTES].copy_from_slice(&stream_prefix(frame_bytes as u32));
            0
        } else {
            STREAM_PREFIX_BYTES
        };
        hop.room.on_sent(frame_bytes + STREAM_PREFIX_BYTES as u64);
        let sealed = u64::from(self.config.seal_bytes);
        if let Some(pacer) = &mut hop.pacer {
            pacer.on_sent(now, frame_bytes + UDP_IP_BYTES as u64 + sealed);
        }
        if let Some(pacing) = &mut hop.pacing {
            pacing.on_sent(now, SentFrame { number: header.number, bytes: (frame_bytes + sealed) as u32 });
        }
        hop.stats.sent_frames += 1;
        hop.stats.sent_packets += 1;
        hop.stats.sent_bytes += frame_bytes;
        self.stats.sent_packets += 1;
        if !hop.waiting.is_empty() {
            self.kicked.append(&mut hop.waiting);
        }
        Transmit {
            hop: index,
            peer: hop.peer,
            kind: hop.kind,
            header: &bytes[start..],
            payload,
            is_packet: true,
        }
    }

    #[cold]
    fn transmit_hello(&mut self, now: Instant, index: HopIndex) -> Transmit<'_> {
        let (id, incarnation, mtu) = (self.config.id, self.config.incarnation, self.config.mtu);
        let hop = &mut self.hops[index.0 as usize];
        let (kind, hello) = hop.handshake.poll(now, id, incarnation, mtu).expect("there was a message");
        let header = frame_header(hop, now, kind);
        self.scratch.clear();
        self.scratch.resize(STREAM_PREFIX_BYTES + FRAME_HEADER_BYTES + HELLO_BYTES, 0);
        hello.emit(&mut self.scratch[STREAM_PREFIX_BYTES + FRAME_HEADER_BYTES..]);
        self.transmit_scratch(index, header)
    }

    #[cold]
    fn transmit_feedback(&mut self, now: Instant, index: HopIndex) -> Transmit<'_> {
        let hop = &mut self.hops[index.0 as usize];
        let header = frame_header(hop, now, FrameKind::Data);
        let pacing = hop.pacing.as_mut().expect("only paced hops report");
        let report = pacing.poll_feedback(now).expect("a report is due");
        self.scratch.clear();
        self.scratch.resize(STREAM_PREFIX_BYTES + FRAME_HEADER_BYTES, 0);
        self.scratch.extend_from_slice(&report);
        self.transmit_scratch(index, header)
    }

    #[cold]
    fn transmit_control(&mut self, now: Instant, index: HopIndex) -> Transmit<'_> {
        let hop = &mut self.hops[index.0 as usize];
        let rtt = hop.handshake.rtt();
        let config = self.config.failover.unwrap_or_default();
        let watching =
            hop.watch.as_ref().map_or_else(control::Watching::default, |watch| control::Watching {
                is_on: watch.is_wanted(now, self.config.limits.relay_idle),
                is_unheard: watch.says_unheard(now, &config),
            });
        let header = frame_header(hop, now, FrameKind::Control);
        let link = hop.control.as_mut().expect("only control hops send control frames");
        let (sequence, ack, message) = link.poll(now, rtt).expect("there was a frame");
        self.scratch.clear();
        self.scratch.resize(STREAM_PREFIX_BYTES + FRAME_HEADER_BYTES, 0);
        control::emit_header(sequence, ack, watching, message.is_some(), &mut self.scratch);
        self.scratch.extend_from_slice(message.unwrap_or_default());
        self.transmit_scratch(index, header)
    }

    #[cold]
    fn transmit_probe(&mut self, now: Instant, index: HopIndex) -> Transmit<'_> {
        let own = self.train_frame_bytes();
        let hop = &mut self.hops[index.0 as usize];
        let around = UDP_IP_BYTES + SEAL_BYTES;
        let theirs = hop.handshake.peer().map_or(own, |peer| usize::from(peer.mtu).saturating_sub(around));
        let frame_bytes = own.min(theirs);
        let header = frame_header(hop, now, FrameKind::Probe);
        let probe = hop.probe.as_mut().expect("it was looked for a probe");
        let (frame, padding) = probe.poll(now, frame_bytes).expect("there was a probe");
        self.scratch.clear();
        self.scratch.resize(STREAM_PREFIX_BYTES + FRAME_HEADER_BYTES + PROBE_BYTES + padding, 0);
        frame.emit(&mut self.scratch[STREAM_PREFIX_BYTES + FRAME_HEADER_BYTES..]);
        self.transmit_scratch(index, header)
    }

    /// Hands out the frame in `scratch`, behind room for the length prefix, once its header is written.
    fn transmit_scratch(&mut self, index: HopIndex, header: FrameHeader) -> Transmit<'_> {
        let hop = &mut self.hops[index.0 as usize];
        let frame_bytes = self.scratch.len() - STREAM_PREFIX_BYTES;
        header.emit(&mut self.scratch[STREAM_PREFIX_BYTES..]);
        self.scratch[..STREAM_PREFIX_BYTES].copy_from_slice(&stream_prefix(frame_bytes as u32));
        let start = if hop.kind == HopKind::Stream { 0 } else { STREAM_PREFIX_BYTES };
        hop.room.on_sent(self.scratch.len() as u64);
        hop.stats.sent_frames += 1;
        hop.stats.sent_bytes += frame_bytes as u64;
        Transmit {
            hop: index,
            peer: hop.peer,
            kind: hop.kind,
            header: &self.scratch[start..],
            payload: Payload::Bytes(Bytes::new()),
            is_packet: false,
        }
    }

    /// Acts on what a hello changed.
    pub(super) fn on_hello_outcome(&mut self, now: Instant, index: HopIndex, outcome: HelloOutcome) {
        let hop = &mut self.hops[index.0 as usize];
        if matches!(outcome, HelloOutcome::Opened | HelloOutcome::Restarted) {
            hop.received_number = 0;
            if let Some(control) = &mut hop.control {
                control.reset();
            }
            let rtt = hop.handshake.rtt();
            if let Some(pacing) = &mut hop.pacing {
                pacing.on_open(now, rtt);
            }
            let (peer, kind, rtt) = (hop.peer, hop.kind, hop.handshake.rtt());
            self.tell_path_rate(index);
            if outcome == HelloOutcome::Restarted {
                self.emit_event(crate::io::Event::HopClosed { peer, kind });
            }
            self.emit_event(crate::io::Event::HopOpened { peer, kind, rtt });
            if kind != HopKind::Control {
                self.watch_peer(now, peer);
            }
            self.retry_flows(index);
        }
        self.mark_ready(index);
    }
}

#[inline]
fn frame_header(hop: &mut crate::hop::Hop, now: Instant, kind: FrameKind) -> FrameHeader {
    let number = hop.next_number;
    hop.next_number += 1;
    FrameHeader {
        kind,
        flags: if hop.kind == HopKind::Paced { FrameFlags::PACED } else { FrameFlags::default() },
        connection: hop.handshake.peer().map_or(0, |peer| peer.connection),
        number,
        timestamp_us: (now.as_nanos() / 1_000) as u32,
        rtt_us: hop.rtt().map_or(0, |rtt| (rtt.as_nanos() / 1_000) as u32),
    }
}
