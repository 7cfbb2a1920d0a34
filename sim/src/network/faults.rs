//! Nodes that die, and links that are cut, mended or made worse.

use super::Network;
use crate::link::{Degrade, DropCause};
use bellini_core::time::Instant;

impl Network {
    /// Loses what waits at a node that dies, before and behind its processor.
    pub fn crash(&mut self, now: Instant, node: u32) {
        let mut lost = Vec::new();
        if let Some(queue) = &mut self.receive[node as usize] {
            queue.clear(now, DropCause::Crash, &mut |frame, cause| lost.push((frame, cause)));
        }
        if let Some(shaper) = &mut self.egress[node as usize] {
            shaper.clear(now, DropCause::Crash, &mut |frame, cause| lost.push((frame, cause)));
        }
        for ((link, frame), cause) in lost {
            self.drop_frame(now, link, frame, cause);
        }
        self.schedule_receive(node);
        self.schedule_egress(node);
    }

    /// Cuts a link: what is on it is lost.
    pub fn cut(&mut self, now: Instant, link: u32) {
        let mut lost = Vec::new();
        self.links[link as usize].model.cut(now, &mut |frame, cause| lost.push((frame, cause)));
        for (frame, cause) in lost {
            self.drop_frame(now, link, frame, cause);
        }
        self.schedule_link(link);
    }

    /// Mends a link.
    pub fn heal(&mut self, now: Instant, link: u32) {
        self.links[link as usize].model.heal(now);
        self.schedule_link(link);
    }

    /// Makes a link worse.
    pub fn degrade(&mut self, now: Instant, link: u32, degrade: Degrade) {
        self.links[link as usize].model.degrade(now, degrade);
        self.schedule_link(link);
    }
}
