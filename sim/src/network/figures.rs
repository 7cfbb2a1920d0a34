//! What links carried, and the packets that are inside.

use super::{Network, QUEUE_CAUSES};
use crate::link::DropCause;
use bellini_core::time::Instant;
use bellini_scenarios::conduct::LinkFigures;

impl Network {
    /// Returns the statistics of the serialiser that a link's packets pass, settled to `now`.
    pub fn link_stats(&mut self, now: Instant, link: u32) -> crate::link::LinkStats {
        match self.links[link as usize].bottleneck {
            Some(bottleneck) => {
                let shared = *self.bottlenecks[bottleneck as usize].stats(now);
                let own = *self.links[link as usize].model.stats(now);
                crate::link::LinkStats { busy: shared.busy, queue_bytes_max: shared.queue_bytes_max, ..own }
            }
            None => *self.links[link as usize].model.stats(now),
        }
    }

    /// Returns the bytes that wait in the queue that a link's packets pass.
    pub fn queue_bytes(&mut self, now: Instant, link: u32) -> u64 {
        match self.links[link as usize].bottleneck {
            Some(bottleneck) => self.bottlenecks[bottleneck as usize].backlog(now).bytes,
            None => self.links[link as usize].model.backlog(now).bytes,
        }
    }

    /// Returns what a link carried and dropped so far.
    pub fn link_figures(&mut self, now: Instant, link: u32) -> LinkFigures {
        let stats = self.link_stats(now, link);
        let queue_bytes = self.queue_bytes(now, link);
        let state = &self.links[link as usize];
        let of_queue = QUEUE_CAUSES;
        let dropped = |cause: DropCause| state.dropped[cause.index()];
        let is_other =
            |cause: &DropCause| *cause != DropCause::Loss && !of_queue.contains(cause) && dropped(*cause) > 0;
        LinkFigures {
            sent_packets: state.sent.0,
            sent_bytes: state.sent.1,
            dropped_queue: of_queue.into_iter().map(dropped).sum(),
            dropped_loss: dropped(DropCause::Loss),
            dropped_other: DropCause::ALL
                .into_iter()
                .filter(is_other)
                .map(|cause| (cause.name().to_owned(), dropped(cause)))
                .collect(),
            busy: stats.busy,
            queue_bytes,
            queue_bytes_max: stats.queue_bytes_max,
            cross_bytes: stats.cross.admitted_bytes + state.cross_segment_bytes,
            kinds: state.kinds,
        }
    }

    /// Returns the packets of sessions that the stages hold, as they say themselves.
    #[must_use]
    pub fn packets_inside(&self) -> u64 {
        let mut inside = 0;
        let mut count = |link: u32, frame: u32| {
            inside += u64::from(self.links[link as usize].pool.is_packet(frame));
        };
        for (i, link) in self.links.iter().enumerate() {
            link.model.for_each_packet(&mut |frame| count(i as u32, *frame));
        }
        let stages = self.bottlenecks.iter().chain(self.egress.iter().flatten());
        for stage in stages {
            stage.for_each_packet(&mut |(link, frame)| count(*link, *frame));
        }
        for queue in self.receive.iter().flatten() {
            queue.for_each_packet(&mut |(link, frame)| count(*link, *frame));
        }
        inside
    }

    /// Shows the header of every packet of a session inside to `f`.
    pub fn for_each_packet(&self, f: &mut dyn FnMut(&[u8])) {
        for link in &self.links {
            link.pool.for_each(&mut |frame| {
                if link.pool.is_packet(frame) {
                    f(link.pool.header(frame));
                }
            });
        }
    }
}
