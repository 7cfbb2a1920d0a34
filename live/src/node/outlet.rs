//! What becomes of the core's outputs: frames go to sockets, events to the console.

use super::engine::Behind;
use super::ports::Port;
use super::resident::Lodger;
use super::streams::Streams;
use crate::console::{Answer, Console};
use crate::edge::Edges;
use crate::seal::Sealing;
use bellini_core::drive::{Host, Sent};
use bellini_core::io::{Event, HopKind, Transmit};
use bellini_core::payload::Payload;
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bytes::Bytes;

/// The only way out of the core.
pub(super) struct Outlet<'a> {
    pub(super) seed: Seed,
    pub(super) behind: Behind<'a>,
    pub(super) data: &'a mut Port,
    pub(super) control: &'a mut Port,
    pub(super) streams: &'a mut Streams,
    pub(super) sealing: Option<&'a mut Sealing>,
    pub(super) console: &'a Console,
    pub(super) edges: &'a mut Edges,
    pub(super) lodger: Option<&'a mut Lodger>,
    pub(super) unlinked_frames: &'a mut u64,
}

impl Host for Outlet<'_> {
    /// Every frame is taken: sockets that are full keep it, and the core hears of that after the drain.
    #[inline]
    fn transmit(&mut self, now: Instant, frame: Transmit<'_>) -> Sent {
        let Some(slot) = self.behind.slot(&frame) else {
            *self.unlinked_frames += 1;
            return Sent::Taken;
        };
        let port = match frame.kind {
            HopKind::Datagram | HopKind::Paced => &mut *self.data,
            HopKind::Control => &mut *self.control,
            HopKind::Stream => {
                self.streams.send(slot, &frame, self.seed);
                return Sent::Taken;
            }
        };
        match &mut self.sealing {
            Some(sealing) => port.send_sealed(now, slot, &frame, self.seed, sealing),
            None => port.send(slot, &frame, self.seed),
        }
        Sent::Taken
    }

    fn event(&mut self, now: Instant, mut event: Event) {
        if let Some(lodger) = &mut self.lodger {
            lodger.resident.event(now, &event);
        }
        if let Event::Delivered { key, symbol, payload, .. } = &event
            && !self.edges.take(*key, *symbol, payload)
        {
            return;
        }
        if !self.console.has_clients() {
            return;
        }
        if let Event::Delivered { payload, .. } = &mut event {
            // Content can be had from its description; a console is no place for it.
            *payload = Payload::Bytes(Bytes::new());
        }
        self.console.say(Answer::Event { at: now, event });
    }
}
