//! Causes of loss and the counters of a link.

use bellini_core::time::Duration;

/// Why a packet did not arrive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum DropCause {
    /// The queue was full.
    Queue,
    /// Random Early Detection chose it.
    Red,
    /// Controlled delay dropped it at the head of the queue.
    CoDel,
    /// The wire lost it.
    Loss,
    /// It was larger than the link's MTU.
    Mtu,
    /// The link was cut while the packet was on it.
    Cut,
    /// The link was down when the packet was offered.
    Down,
    /// Too many packets waited for the receiving node's processor.
    Processor,
    /// The node that held it crashed.
    Crash,
    /// The connection that carried it was lost.
    Connection,
}

impl DropCause {
    /// Every cause, in the order of their index.
    pub const ALL: [Self; 10] = [
        Self::Queue,
        Self::Red,
        Self::CoDel,
        Self::Loss,
        Self::Mtu,
        Self::Cut,
        Self::Down,
        Self::Processor,
        Self::Crash,
        Self::Connection,
    ];

    /// Returns its index into [`DropCause::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns its name in records and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Red => "red",
            Self::CoDel => "codel",
            Self::Loss => "loss",
            Self::Mtu => "mtu",
            Self::Cut => "cut",
            Self::Down => "down",
            Self::Processor => "processor",
            Self::Crash => "crash",
            Self::Connection => "connection",
        }
    }
}

/// Packets counted by cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DropCounts([u64; DropCause::ALL.len()]);

impl DropCounts {
    /// Returns the packets counted under `cause`.
    #[must_use]
    pub const fn get(&self, cause: DropCause) -> u64 {
        self.0[cause.index()]
    }

    /// Returns the packets counted under any cause.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn count(&mut self, cause: DropCause) {
        self.0[cause.index()] += 1;
    }
}

/// What a link has carried since the start of the run.
///
/// `admitted_packets = delivered_packets + dropped.total() + inside` holds at every moment, `inside` being
/// `LinkModel::in_flight`; refused packets were never admitted, and cross traffic is counted apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkStats {
    /// Packets that took up queue and rate, those that the wire lost included.
    pub admitted_packets: u64,
    /// Their wire bytes.
    pub admitted_bytes: u64,
    /// Packets that arrived.
    pub delivered_packets: u64,
    /// Their wire bytes.
    pub delivered_bytes: u64,
    /// Packets refused when offered (queue, RED, MTU, link down).
    pub refused: DropCounts,
    /// Packets dropped after they had been admitted (loss, CoDel, cut, crash).
    pub dropped: DropCounts,
    /// Time during which a packet, of cross traffic too, was being serialised; outages of a rate trace included.
    pub busy: Duration,
    /// Most bytes that ever waited, without the packet being serialised.
    pub queue_bytes_max: u64,
    /// Cross traffic.
    pub cross: CrossStats,
}

/// Cross traffic that took up a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CrossStats {
    /// Packets that took up queue and rate.
    pub admitted_packets: u64,
    /// Their wire bytes.
    pub admitted_bytes: u64,
    /// Packets refused when offered.
    pub refused_packets: u64,
    /// Packets dropped inside (CoDel, cut).
    pub dropped_packets: u64,
}

/// What waits or is being serialised, of cross traffic and of what the wire will lose too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Backlog {
    /// Packets, with the one being serialised.
    pub packets: usize,
    /// Their wire bytes, with all of the one being serialised.
    pub bytes: u64,
}
