//! A connection between two nodes, or of cross traffic: both of its ends and what its streams carry.

use super::frames::Frames;
use crate::tcp::{Endpoint, Options};
use bellini_core::ids::HopIndex;
use bellini_core::time::{Duration, Instant};
use bellini_core::wire::preface::PREFACE_BYTES;
use bellini_scenarios::conduct::CrossFlowFigures;

/// Bytes that the kernel may hold unsent (`TCP_NOTSENT_LOWAT` of live nodes).
const UNSENT_MAX: u64 = 128 * 1_024;
/// Bytes that the node gathers before it.
pub(super) const GATHER_MAX: u64 = 128 * 1_024;
/// How long a connection may take to be made.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A stream hop.
    Hop,
    /// Cross traffic; it ends then.
    Cross {
        /// When.
        stop: Instant,
    },
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    /// The node, by index.
    pub(super) node: u32,
    /// The link that leads to the other end.
    pub(super) link: u32,
    /// `None` before it was made, and once it is gone.
    pub(super) tcp: Option<Endpoint>,
    /// Whether it was made.
    pub(super) was_made: bool,
    /// The node uses it for this hop.
    pub(super) hop: Option<HopIndex>,
    /// Since when.
    pub(super) since: Instant,
    /// Which start of the node made it.
    pub(super) incarnation: u32,
    /// Frames from here to the other end.
    pub(super) frames: Frames,
    /// Bytes gathered that the kernel has not taken.
    gathered: u64,
    /// The kernel takes no more for now.
    is_full: bool,
    /// Whether it stands in the node's list of those that have something to flush.
    pub(super) is_touched: bool,
}

impl End {
    fn new(node: u32, link: u32, frames: Frames) -> Self {
        Self {
            node,
            link,
            tcp: None,
            was_made: false,
            hop: None,
            since: Instant::ZERO,
            incarnation: 0,
            frames,
            gathered: 0,
            is_full: false,
            is_touched: false,
        }
    }

    /// Gathers `bytes` bytes.
    pub(super) fn gather(&mut self, bytes: u64) {
        self.gathered += bytes;
    }

    /// Hands the kernel what it takes of what was gathered; returns how much that was.
    pub(super) fn flush(&mut self, now: Instant) -> u64 {
        let Some(tcp) = &mut self.tcp else { return 0 };
        let unsent = tcp.sender().unsent();
        if self.gathered == 0 || (self.is_full && 2 * unsent >= UNSENT_MAX) {
            return 0;
        }
        let bytes = self.gathered.min(UNSENT_MAX.saturating_sub(unsent));
        self.gathered -= bytes;
        self.is_full = self.gathered > 0;
        if bytes > 0 {
            tcp.write(now, bytes);
        }
        bytes
    }

    /// Whether it is up.
    pub(super) const fn is_up(&self) -> bool {
        self.tcp.is_some()
    }
}

/// A connection. End 0 asked for it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Tells it from earlier ones in the same place.
    pub(super) generation: u32,
    pub(super) options: Options,
    pub(super) purpose: Purpose,
    pub(super) ends: [End; 2],
    /// When it is asked for.
    pub(super) begins: Instant,
    /// Its event in the agenda.
    pub(super) pending: Option<Instant>,
    /// Whether its place is free.
    pub(super) is_free: bool,
    /// What it did, if it is cross traffic that has ended.
    pub(super) last: Option<CrossFlowFigures>,
}

impl Connection {
    /// Returns one between two (node, link to the other) that is asked for at `begins`.
    pub(super) fn new(
        generation: u32,
        options: Options,
        purpose: Purpose,
        ends: [(u32, u32); 2],
        begins: Instant,
    ) -> Self {
        let [(from, there), (to, back)] = ends;
        let preface = if purpose == Purpose::Hop { PREFACE_BYTES as u64 } else { 0 };
        let ends = [End::new(from, there, Frames::behind(preface)), End::new(to, back, Frames::behind(0))];
        Self { generation, options, purpose, ends, begins, pending: None, is_free: false, last: None }
    }

    /// Whether nothing of it is left but what is on its way.
    pub(super) fn is_over(&self) -> bool {
        self.ends[0].was_made && self.ends.iter().all(|end| !end.is_up())
    }

    /// Returns when it has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.is_free {
            return None;
        }
        if !self.ends[0].was_made {
            return Some(self.begins);
        }
        let ends = self.ends.iter().filter_map(|end| end.tcp.as_ref()?.deadline());
        let own = match self.purpose {
            Purpose::Cross { .. } if self.is_over() => None,
            Purpose::Cross { stop } => Some(stop),
            Purpose::Hop if self.is_dialling() => Some(self.begins + DIAL_TIMEOUT),
            Purpose::Hop => None,
        };
        ends.chain(own).min()
    }

    /// Whether its first end waits for an answer.
    pub(super) fn is_dialling(&self) -> bool {
        self.ends[0].is_up() && self.ends[0].hop.is_none()
    }

    /// Whether that has taken too long, or the cross traffic is over.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        match self.purpose {
            Purpose::Cross { stop } => stop <= now,
            Purpose::Hop => self.is_dialling() && self.begins + DIAL_TIMEOUT <= now,
        }
    }
}
