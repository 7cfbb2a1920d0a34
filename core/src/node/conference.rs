//! The end of a conference: its queues go at once, here and at every node that its packets touched.

use crate::ids::{ConferenceId, NodeId};
use crate::io::Event;
use crate::node::Node;
use crate::stats::Drop;
use crate::time::Instant;
use crate::wire::control::ControlBody;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

/// Conferences that have ended, so that late packets of theirs are refused; the oldest are forgotten.
#[derive(Debug)]
pub(super) struct EndedConferences {
    known: FxHashSet<u32>,
    order: VecDeque<u32>,
    max: usize,
}

impl EndedConferences {
    pub(super) fn new(max: usize) -> Self {
        Self { known: FxHashSet::default(), order: VecDeque::new(), max }
    }

    pub(super) fn contains(&self, conference: ConferenceId) -> bool {
        self.known.contains(&conference.0)
    }

    fn insert(&mut self, conference: ConferenceId) -> bool {
        if self.max == 0 || !self.known.insert(conference.0) {
            return self.max == 0;
        }
        if self.order.len() == self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(conference.0);
        true
    }
}

impl Node {
    /// Ends a conference here, and tells the neighbours that its packets came from or went to, except `told_by`.
    pub(super) fn end_conference(&mut self, now: Instant, conference: ConferenceId, told_by: Option<NodeId>) {
        if !self.ended.insert(conference) {
            return;
        }
        self.unregister(conference);
        self.unlist(now, conference);
        let mut dropped = 0;
        for hop in &mut self.hops {
            hop.pressed.retain(|pressed| pressed.conference != conference);
            hop.holds.retain(|(held, _)| *held != conference);
            if let Some(feeder) = &mut hop.feeder {
                dropped += feeder.remove_conference(conference).packets;
                // Sessions of other conferences may have waited for that room, and no packet may be left that
                // would wake them.
                self.kicked.append(&mut hop.waiting);
            }
        }
        self.stats.drop_packets(Drop::ConferenceEnded, dropped);
        self.conference_settings.remove(&conference);
        if let Some(index) = self.sessions.find_conference(conference) {
            let entry = self.sessions.conference_mut(index);
            let (hops, sessions) = (core::mem::take(&mut entry.hops), entry.sessions.clone());
            let mut peers: Vec<NodeId> = hops.iter().map(|hop| self.hops[hop.0 as usize].peer).collect();
            peers.sort_unstable();
            peers.dedup();
            for peer in peers {
                if Some(peer) != told_by {
                    // What cannot be told is counted as dropped; the peer's relay state goes by its age.
                    let _ =
                        self.send_control(now, peer, Vec::new(), ControlBody::ConferenceEnd { conference });
                }
            }
            for session in sessions {
                self.end_session(now, session);
            }
        }
        self.emit_event(Event::ConferenceEnded { conference, dropped_packets: dropped });
    }

    /// Stops a session's source and judges its sink; the entries stay for the counters until the relay state is
    /// swept.
    pub(super) fn end_session(&mut self, now: Instant, index: u32) {
        self.stop_source(index);
        self.drop_reliable(index);
        self.drop_coding(index);
        let entry = self.sessions.get_mut(index);
        entry.is_over = true;
        if let Some(sink) = &mut entry.sink {
            sink.finish(now);
        }
        if entry.source.is_none() && entry.sink.is_none() {
            self.forget(index);
        }
    }

    /// Removes a session whose source, if it is here, has stopped. Nothing may point to its entry any more.
    pub(super) fn forget(&mut self, index: u32) {
        self.drop_reliable(index);
        self.drop_coding(index);
        self.kicked.retain(|kicked| *kicked != index);
        for hop in &mut self.hops {
            hop.waiting.retain(|waiting| *waiting != index);
        }
        self.sessions.remove(index);
    }
}
