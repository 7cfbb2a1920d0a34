//! Reports of what arrives, for sources that adapt their repairs.

use crate::node::Node;
use crate::node::timers::Timer;
use crate::session::coded::{REPORT_INTERVAL, counted_by};
use crate::time::Instant;
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::coding::CodingHeader;
use crate::wire::packet::PacketHeader;

impl Node {
    /// Counts a packet at a destination that reports.
    pub(super) fn count_arrived(
        &mut self,
        now: Instant,
        index: u32,
        header: &PacketHeader,
        (coding, first): (CodingHeader, u64),
        is_innovative: bool,
    ) {
        let Some(sink) = &mut self.sessions.get_mut(index).sink else { return };
        let is_window = sink.is_window();
        let Some(arrived) = &mut sink.arrived else { return };
        let by = counted_by(first, header.symbol, is_window);
        let size = if coding.is_closed && !is_window { coding.size } else { 0 };
        arrived.on_packet(now, header.flow, by, size, is_innovative);
        if arrived.timer.is_none() && arrived.is_waiting() {
            arrived.timer = Some(self.timers.set(now + REPORT_INTERVAL, Timer::Acknowledge(index)));
        }
    }

    /// Tells the source what has arrived of generations that are over.
    pub(in crate::node) fn report_arrived(&mut self, now: Instant, index: u32) {
        let (id, incarnation) = (self.config.id, self.config.incarnation);
        let entry = self.sessions.get_mut(index);
        let key = entry.key;
        let Some(sink) = &mut entry.sink else { return };
        let epoch = sink.epoch();
        let Some(arrived) = &mut sink.arrived else { return };
        arrived.timer = None;
        let report = arrived.report(now, id, incarnation);
        if arrived.is_waiting() {
            arrived.timer = Some(self.timers.set(now + REPORT_INTERVAL, Timer::Acknowledge(index)));
        }
        if let (Some((flow, rank)), Some(epoch)) = (report, epoch) {
            self.send_own_ack(now, index, (key, epoch, flow), &Acknowledgement::Rank(rank));
        }
    }
}
