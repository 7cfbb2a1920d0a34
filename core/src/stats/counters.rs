//! Counters of a node.

use serde::{Deserialize, Serialize};

/// Why a packet ended at a node without being delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Drop {
    /// The live lane was full: an older packet made room.
    LiveOverflow,
    /// The lane was full: the packet was refused.
    Refused,
    /// Its conference ended while it waited, or had ended before.
    ConferenceEnded,
    /// It came too late to tell whether it is a duplicate, or of an earlier epoch.
    Late,
    /// Its header does not fit the inline buffer, or the packet the hop's MTU.
    TooLarge,
    /// The frame was refused.
    Rejected,
    /// No room in the table of sessions.
    TableFull,
    /// An acknowledgement that no way back to its source is known for, or that went in a circle.
    NoWayBack,
}

impl Drop {
    /// All causes.
    pub const ALL: [Self; 8] = [
        Self::LiveOverflow,
        Self::Refused,
        Self::ConferenceEnded,
        Self::Late,
        Self::TooLarge,
        Self::Rejected,
        Self::TableFull,
        Self::NoWayBack,
    ];

    /// Returns the cause's name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LiveOverflow => "live_overflow",
            Self::Refused => "refused",
            Self::ConferenceEnded => "conference_ended",
            Self::Late => "late",
            Self::TooLarge => "too_large",
            Self::Rejected => "rejected",
            Self::TableFull => "table_full",
            Self::NoWayBack => "no_way_back",
        }
    }
}

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reject {
    /// It cannot be parsed.
    Malformed,
    /// Its routing header breaks a rule.
    BadRoute,
    /// It names a connection that is not open.
    UnknownConnection,
    /// It is of an earlier start of the peer.
    StaleIncarnation,
    /// Its packet is on its way to another node.
    Misrouted,
    /// It does not belong on that kind of hop, or names another peer.
    WrongHop,
}

impl Reject {
    /// All causes.
    pub const ALL: [Self; 6] = [
        Self::Malformed,
        Self::BadRoute,
        Self::UnknownConnection,
        Self::StaleIncarnation,
        Self::Misrouted,
        Self::WrongHop,
    ];

    /// Returns the cause's name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadRoute => "bad_route",
            Self::UnknownConnection => "unknown_connection",
            Self::StaleIncarnation => "stale_incarnation",
            Self::Misrouted => "misrouted",
            Self::WrongHop => "wrong_hop",
        }
    }
}

/// What a node counted since it started.
///
/// Packets obey, at every moment: `received + originated + copied + recoded = delivered + duplicates + absorbed + dropped
/// (by cause) + sent + queued`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStats {
    /// Packets that came in with frames, refused ones included.
    pub received_packets: u64,
    /// Packets that sessions here emitted (sibling copies count once).
    pub originated_packets: u64,
    /// Further copies that branching made.
    pub copied_packets: u64,
    /// Packets made by recoding what had been taken up.
    #[serde(default)]
    pub recoded_packets: u64,
    /// Coded packets that contradict what a relay knows of their generation.
    #[serde(default)]
    pub refused_rows: u64,
    /// Generations that a relay forgot to make room.
    #[serde(default)]
    pub evicted_generations: u64,
    /// Packets delivered here, each symbol once.
    pub delivered_packets: u64,
    /// Packets whose symbol had been delivered.
    pub duplicate_packets: u64,
    /// Packets taken up without delivery: acknowledgements at their source, coded packets where they are decoded or
    /// recoded.
    pub absorbed_packets: u64,
    /// Packets that ended here, by cause ([`Drop`]).
    pub dropped_packets: [u64; Drop::ALL.len()],
    /// Packets handed to the driver.
    pub sent_packets: u64,
    /// Packets that came in and went on, at least once.
    pub forwarded_packets: u64,
    /// Frames refused, by cause ([`Reject`]).
    pub rejected_frames: [u64; Reject::ALL.len()],
    /// Frames that came in.
    pub received_frames: u64,
    /// Control messages that were refused or dropped.
    pub dropped_control: u64,
    /// Events lost because the driver did not drain.
    pub dropped_events: u64,
    /// Installs with a stale version.
    pub stale_installs: u64,
    /// Overflow notices sent.
    pub overflow_notices: u64,
    /// Messages of pressure sent upstream.
    #[serde(default)]
    pub pressures_sent: u64,
    /// Messages of pressure that came, and kept something back.
    #[serde(default)]
    pub pressures_received: u64,
    /// Times that a hop of this node was found down.
    #[serde(default)]
    pub hops_down: u64,
    /// Times that a session of this node changed its shares because hops were down, or up again.
    #[serde(default)]
    pub reroutes: u64,
}

impl NodeStats {
    /// Counts packets that ended by `cause`.
    #[inline]
    pub fn drop_packets(&mut self, cause: Drop, packets: u64) {
        self.dropped_packets[cause as usize] += packets;
    }

    /// Returns all packets that ended by any cause.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped_packets.iter().sum()
    }

    /// Returns all frames refused.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejected_frames.iter().sum()
    }

    /// Adds what an earlier start of the node counted.
    pub fn add(&mut self, other: &Self) {
        self.received_packets += other.received_packets;
        self.originated_packets += other.originated_packets;
        self.copied_packets += other.copied_packets;
        self.delivered_packets += other.delivered_packets;
        self.duplicate_packets += other.duplicate_packets;
        self.absorbed_packets += other.absorbed_packets;
        self.recoded_packets += other.recoded_packets;
        self.refused_rows += other.refused_rows;
        self.evicted_generations += other.evicted_generations;
        for (own, more) in self.dropped_packets.iter_mut().zip(other.dropped_packets) {
            *own += more;
        }
        self.sent_packets += other.sent_packets;
        self.forwarded_packets += other.forwarded_packets;
        for (own, more) in self.rejected_frames.iter_mut().zip(other.rejected_frames) {
            *own += more;
        }
        self.received_frames += other.received_frames;
        self.dropped_control += other.dropped_control;
        self.dropped_events += other.dropped_events;
        self.stale_installs += other.stale_installs;
        self.overflow_notices += other.overflow_notices;
        self.pressures_sent += other.pressures_sent;
        self.pressures_received += other.pressures_received;
        self.hops_down += other.hops_down;
        self.reroutes += other.reroutes;
    }
}
