//! Everything that a node keeps for one hop.

use crate::congestion::ControlFigures;
use crate::feeder::{Feeder, FeederConfig};
use crate::header::HeaderBuf;
use crate::hop::control::ControlLink;
use crate::hop::hello::Handshake;
use crate::hop::paced::Pacing;
use crate::hop::pacer::Pacer;
use crate::hop::probe::Probe;
use crate::hop::watch::Watch;
use crate::ids::{ConferenceId, FlowId, HopIndex, NodeId, SessionKey};
use crate::io::HopKind;
use crate::node::LossLook;
use crate::payload::Payload;
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::stream::StreamReassembler;
use serde::{Deserialize, Serialize};

/// A packet in a feeder.
#[derive(Clone, Debug)]
pub struct QueuedPacket {
    /// Its header bytes, with room for what the hop adds.
    pub header: HeaderBuf,
    /// Its payload.
    pub payload: Payload,
    /// Its session.
    pub key: SessionKey,
    /// Its flow.
    pub flow: FlowId,
    /// The hop it came on; `None` at its source.
    pub previous: Option<HopIndex>,
}

impl Default for QueuedPacket {
    fn default() -> Self {
        Self {
            header: HeaderBuf::default(),
            payload: Payload::Bytes(bytes::Bytes::new()),
            key: SessionKey::new(0, 0),
            flow: FlowId(0),
            previous: None,
        }
    }
}

/// A conference whose bulk lane here is under pressure, and who was told.
#[derive(Clone, Debug)]
pub struct Pressed {
    /// The conference.
    pub conference: ConferenceId,
    /// The hops that its packets came on while the lane was more than half full, and when their peers were told last.
    pub told: Vec<(HopIndex, Instant)>,
}

/// What the driver's send buffer for a hop can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Anything, until the driver says that it is blocked (datagram hops).
    Open,
    /// Nothing, until the driver says that there is room again.
    Blocked,
    /// So many bytes (stream hops); negative after a frame that took more than there was.
    Bytes(i64),
}

impl Room {
    /// Whether a frame may go. A stream with any room takes a whole frame, so that large frames pass.
    #[inline]
    #[must_use]
    pub fn allows(self) -> bool {
        match self {
            Self::Open => true,
            Self::Blocked => false,
            Self::Bytes(left) => left > 0,
        }
    }

    /// Takes the bytes of a sent frame off. What a frame took beyond the room is a debt that later grants pay, so
    /// that the buffer never holds more than its room and one frame.
    #[inline]
    pub fn on_sent(&mut self, bytes: u64) {
        if let Self::Bytes(left) = self {
            *left = left.saturating_sub_unsigned(bytes);
        }
    }

    /// Adds the bytes that the driver granted to a stream hop.
    pub fn grant(&mut self, bytes: u64) {
        let before = if let Self::Bytes(left) = self { *left } else { 0 };
        *self = Self::Bytes(before.saturating_add_unsigned(bytes));
    }
}

/// What a hop counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopStats {
    /// Frames sent, of every kind.
    pub sent_frames: u64,
    /// Frames sent that carry a packet.
    pub sent_packets: u64,
    /// Bytes of all frames sent, without what is below the frame.
    pub sent_bytes: u64,
    /// Frames received that were accepted.
    pub received_frames: u64,
    /// Frames received that carried a packet.
    pub received_packets: u64,
    /// Bytes of accepted frames.
    pub received_bytes: u64,
    /// Frame numbers that were passed over and have not arrived: an estimate of frames lost on the way here.
    pub missing_frames: u64,
}

/// Counts of a hop, for who watches its peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Highest number received, plus one.
    pub(crate) number: u64,
    /// Runs of numbers that were passed over.
    pub(crate) runs: u64,
    /// Numbers that were passed over, and have not come.
    pub(crate) missing: u64,
    /// Packets sent and received.
    pub(crate) packets: u64,
}

/// One hop of a node.
#[derive(Debug)]
pub struct Hop {
    /// The neighbour.
    pub peer: NodeId,
    /// Its kind.
    pub kind: HopKind,
    /// Who the peer is, once the hello exchange told.
    pub handshake: Handshake,
    /// Packets waiting; `None` on control hops.
    pub feeder: Option<Box<Feeder<QueuedPacket>>>,
    /// Spacing of frames, where a rate is configured.
    pub pacer: Option<Pacer>,
    /// Congestion control; `None` on hops that have none of ours.
    pub pacing: Option<Box<Pacing>>,
    /// The control link; `None` on data hops.
    pub control: Option<Box<ControlLink>>,
    /// How the peer is watched; `None` on hops that carry packets, and where nobody is watched.
    pub watch: Option<Box<Watch>>,
    /// Probes of the peer; `None` on hops that carry packets, and where nobody is probed.
    pub probe: Option<Box<Probe>>,
    /// Judges the losses of packets on the way here; `None` on hops that carry none, and where nobody is probed.
    pub(crate) loss_look: Option<Box<LossLook>>,
    /// Reassembly of frames from the byte stream; `None` on other hops.
    pub reassembler: Option<Box<StreamReassembler>>,
    /// What the driver can take.
    pub room: Room,
    /// Number of the next frame.
    pub next_number: u64,
    /// Highest frame number received on the current connection, plus one.
    pub received_number: u64,
    /// Runs of numbers that were passed over.
    pub missing_runs: u64,
    /// What was counted when the watch last looked.
    pub(crate) watched: Watched,
    /// Whether the hop stands in the node's list of hops with work.
    pub is_ready: bool,
    /// The timer that is set for it, and for when.
    pub timer: Option<(TimerId, Instant)>,
    /// How often its connection id was renewed.
    pub renewals: u16,
    /// Sessions at this node that wait for room in the feeder.
    pub waiting: Vec<u32>,
    /// Conferences whose bulk lane here is too full: upstream nodes were told.
    pub pressed: Vec<Pressed>,
    /// Conferences whose bulk lane is kept back because the peer is under pressure, and until when.
    pub holds: Vec<(ConferenceId, Instant)>,
    /// The timer of the first of them to end, or earlier.
    pub hold_timer: Option<TimerId>,
    /// What it counted.
    pub stats: HopStats,
    /// `stats` at the last report.
    pub reported: HopStats,
}

impl Hop {
    /// Returns a hop of kind `kind` to `peer`, not open yet; the peer shall address us as `connection`.
    #[must_use]
    pub fn new(peer: NodeId, kind: HopKind, connection: u32, feeder: FeederConfig) -> Self {
        let is_control = kind == HopKind::Control;
        let is_stream = kind == HopKind::Stream;
        Self {
            peer,
            kind,
            handshake: Handshake::new(connection),
            feeder: (!is_control).then(|| Box::new(Feeder::new(feeder))),
            pacer: None,
            pacing: None,
            control: is_control.then(Box::default),
            watch: None,
            probe: None,
            loss_look: None,
            reassembler: is_stream.then(|| Box::new(StreamReassembler::new(STREAM_FRAME_BYTES_MAX))),
            room: if is_stream { Room::Blocked } else { Room::Open },
            next_number: 0,
            received_number: 0,
            missing_runs: 0,
            watched: Watched::default(),
            is_ready: false,
            timer: None,
            renewals: 0,
            waiting: Vec::new(),
            pressed: Vec::new(),
            holds: Vec::new(),
            hold_timer: None,
            stats: HopStats::default(),
            reported: HopStats::default(),
        }
    }

    /// Returns the round-trip time: as congestion control smooths it, else as the hello exchange found it.
    #[inline]
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.pacing.as_ref().and_then(|pacing| pacing.rtt()).or_else(|| self.handshake.rtt())
    }

    /// Returns what congestion control knows of the path; `None` on hops that have none of ours.
    #[must_use]
    pub fn control_figures(&self) -> Option<ControlFigures> {
        self.pacing.as_ref().map(|pacing| pacing.figures())
    }

    /// Notes an accepted frame's number, to count those that were passed over.
    #[inline]
    pub fn on_number(&mut self, number: u64) {
        if number >= self.received_number {
            self.missing_runs += u64::from(number != self.received_number);
            let missing = self.stats.missing_frames.saturating_add(number - self.received_number);
            self.stats.missing_frames = missing;
            self.received_number = number.saturating_add(1);
        } else {
            // It had been counted as missing when a later one overtook it.
            self.stats.missing_frames = self.stats.missing_frames.saturating_sub(1);
        }
    }
}

/// Largest frame that a stream hop accepts.
pub const STREAM_FRAME_BYTES_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn hop() -> Hop {
        let peer = NodeId::new(2).expect("a legal id");
        Hop::new(peer, HopKind::Datagram, 1, FeederConfig::default())
    }

    #[test]
    fn numbers_that_were_passed_over_are_counted_until_they_come() {
        let mut hop = hop();
        for (number, missing) in [(0, 0), (3, 2), (1, 1), (4, 1), (2, 0)] {
            hop.on_number(number);
            assert_eq!(hop.stats.missing_frames, missing, "after {number}");
        }
    }

    /// A peer may name any number.
    #[test]
    fn the_largest_number_does_not_overflow() {
        let mut hop = hop();
        for number in [5, u64::MAX, u64::MAX, 0, u64::MAX - 1] {
            hop.on_number(number);
        }
        assert_eq!(hop.received_number, u64::MAX);
    }

    #[test]
    fn a_frame_beyond_the_room_is_a_debt() {
        let mut room = Room::Blocked;
        room.grant(1_000);
        room.on_sent(1_400);
        assert_eq!((room, room.allows()), (Room::Bytes(-400), false));
        room.grant(400);
        assert!(!room.allows());
        room.grant(u64::MAX);
        assert_eq!(room, Room::Bytes(i64::MAX));
    }
}
