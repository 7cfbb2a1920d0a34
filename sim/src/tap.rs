//! Looking at frames as they leave and reach nodes: what a capture at every network interface would see.

use bellini_core::ids::NodeId;
use bellini_core::time::Instant;

/// Where a frame was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// It left its sender.
    Sent,
    /// It reached its receiver.
    Arrived,
}

/// A frame that passes. Those of stream hops are segments of TCP by then, and are not seen.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// When, in true time from the start of the run, settling included.
    pub at: Instant,
    /// Its sender.
    pub from: NodeId,
    /// Its receiver.
    pub to: NodeId,
    /// Where it was seen.
    pub place: Place,
    /// The frame without the payload of its packet.
    pub header: &'a [u8],
    /// Bytes of that payload.
    pub payload_len: usize,
    /// Bytes on the wire, UDP and IP included.
    pub wire_bytes: u32,
}

/// Who looks at frames. It cannot change them.
pub type Tap = Box<dyn FnMut(&Passing<'_>) + Send>;

/// A tap, and the ends of the links that it is at.
pub(crate) struct Tapped {
    tap: Tap,
    ends: Vec<(NodeId, NodeId)>,
}

impl Tapped {
    /// `ends`: of the links, by index.
    pub(crate) fn new(tap: Tap, ends: Vec<(NodeId, NodeId)>) -> Self {
        Self { tap, ends }
    }

    /// Lets the tap see a frame of a link.
    #[cold]
    pub(crate) fn look(
        &mut self,
        (at, place): (Instant, Place),
        link: u32,
        (header, payload_len): (&[u8], usize),
        wire_bytes: u32,
    ) {
        let (from, to) = self.ends[link as usize];
        (self.tap)(&Passing { at, from, to, place, header, payload_len, wire_bytes });
    }
}
