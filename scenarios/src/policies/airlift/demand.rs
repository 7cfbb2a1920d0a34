//! Sessions as the planner counts them: in bits a second and nanoseconds.

use crate::graph::Multicast;
use crate::policy::ViewSession;
use bellini_core::coding::{Repair, Scheme};
use bellini_core::ids::SessionKey;
use bellini_core::time::Duration;
use bellini_core::wire::routing::PATHLET_HEADER_BYTES;

/// What a session asks for.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub(super) key: SessionKey,
    /// From where to whom, and how far.
    pub(super) cast: Multicast,
    /// Payload bits a second, where the content has a rate.
    pub(super) wanted: Option<f64>,
    /// Whether relays combine its packets.
    pub(super) is_coded: bool,
    pub(super) packet: Packet,
}

/// What a session's packets are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    /// Payload bytes.
    pub(super) payload: f64,
    /// Other bytes, but for Pathlets.
    pub(super) header: f64,
    /// Bytes of a Pathlet for each node of the tree that is still ahead.
    pub(super) pathlet: f64,
    /// Packets that the source sends for each symbol: repairs count.
    pub(super) repeat: f64,
}

impl Packet {
    pub(super) fn of(session: &ViewSession) -> Self {
        let repairs = session.coding.map_or(0.0, |coding| match (coding.repair, coding.scheme) {
            // A generation has a whole number of repairs.
            (Repair::Fixed(share), Scheme::Generation { size, .. }) => {
                (share * f64::from(size)).ceil() / f64::from(size)
            }
            (Repair::Fixed(share), Scheme::Window { .. }) => share,
            (Repair::Adaptive { max }, _) => max.min(ADAPTIVE_REPAIRS),
        });
        Self {
            payload: f64::from(session.symbol_bytes.max(1)),
            header: f64::from(session.header_bytes),
            pathlet: PATHLET_HEADER_BYTES as f64,
            repeat: 1.0 + repairs,
        }
    }

    /// Returns the wire bits for each payload bit on an arc behind which the tree has so many nodes.
    pub(super) fn wire(&self, ahead: usize) -> f64 {
        self.repeat * (self.payload + self.header + self.pathlet * ahead as f64) / self.payload
    }
}

/// Repairs for each symbol that are counted for sources that adapt them: what they begin with.
const ADAPTIVE_REPAIRS: f64 = 0.05;

/// Returns a time as text for errors.
pub(super) fn text(nanos: u64) -> String {
    format!("{:.1} ms", Duration::from_nanos(nanos).as_secs_f64() * 1e3)
}
