//! Recoding at a relay: the packets that [`Recode`] owes are made and sent.

use super::Row;
use crate::coding::Pushed;
use crate::header::PATHLET_BYTES_MAX;
use crate::ids::{ConferenceId, HopIndex};
use crate::node::Node;
use crate::node::receive::Packet;
use crate::node::timers::Timer;
use crate::payload::Payload;
use crate::session::coded::{Arrival, Recode};
use crate::stats::Drop;
use crate::time::Instant;
use crate::wire::coding::{CODING_HEADER_BYTES, CodedForm, CodingHeader, JoinedPacket};
use crate::wire::packet::{PacketFlags, PacketHeader};
use crate::wire::routing::{RouteLimits, first_sibling};
use bytes::BytesMut;
use core::ops::Range;

/// Earlier generations that one packet pays for, at most.
const GENERATIONS_PER_CALL: usize = 8;

impl Node {
    /// Passes a coded packet on as it is, with numbers of this node. Returns how many copies went.
    pub(super) fn pass_coded(
        &mut self,
        now: Instant,
        previous: HopIndex,
        index: u32,
        packet: &Packet<'_>,
        coding: CodingHeader,
        payload: &Payload,
    ) -> u64 {
        let Some(first) = coding.first(packet.header.symbol) else { return 0 };
        let siblings = self.siblings(previous, packet);
        let copies = siblings.len() as u64;
        self.stats.forwarded_packets += 1;
        for (pathlet, hop) in siblings {
            let pathlet = &packet.body.bytes()[pathlet];
            match hop {
                Some(hop) => self.push_coded(
                    now,
                    index,
                    (hop, pathlet),
                    &packet.header,
                    (coding, first),
                    payload.clone(),
                    Some(previous),
                ),
                None => self.stats.drop_packets(Drop::TableFull, 1),
            }
        }
        copies
    }

    /// Takes a packet up, and sends what is owed then.
    #[expect(clippy::too_many_arguments, reason = "a packet, taken apart")]
    pub(super) fn recode(
        &mut self,
        now: Instant,
        previous: HopIndex,
        index: u32,
        packet: &Packet<'_>,
        (coding, first): (CodingHeader, u64),
        row: &Row,
        payload: &Payload,
    ) {
        let siblings = self.siblings(previous, packet);
        let mut recode = self.recoding_of(index);
        let held = recode.bytes();
        let arrival = arrival(previous, &packet.header, (&coding, first));
        let bytes = packet.body.bytes();
        let known = siblings.iter().filter_map(|(pathlet, hop)| Some((&bytes[pathlet.clone()], (*hop)?)));
        let content = row.offset.ok_or_else(|| row.coefficients());
        match recode.take(now, &arrival, content, row.coded.clone(), known) {
            Some(taken) => {
                let is_news = row.offset.is_some() && taken.pushed == Pushed::Innovative;
                let as_it_is = is_news.then_some(payload);
                if taken.may_pay {
                    let arrived = Some((coding, as_it_is, previous));
                    self.pay_debts(now, index, &mut recode, taken.at, arrived);
                }
                for _ in 0..GENERATIONS_PER_CALL {
                    let Some(before) = recode.indebted(taken.at) else { break };
                    self.pay_debts(now, index, &mut recode, before, None);
                }
            }
            None => self.stats.refused_rows += 1,
        }
        let config = self.config.coding;
        while recode.generations() > config.generations_max.max(1)
            || self.coding_bytes + recode.bytes() > held + config.bytes_max && recode.generations() > 0
        {
            self.stats.evicted_generations += 1;
            recode.evict();
        }
        self.account_coding(held, recode.bytes());
        self.arm_recode_timer(index, &mut recode);
        self.sessions.get_mut(index).coded.get_or_insert_default().recode = Some(recode);
    }

    /// Notes the numbers of a packet that ends here or goes on as it is, if others of its session are recoded.
    pub(super) fn note_numbers(
        &mut self,
        previous: HopIndex,
        index: u32,
        header: &PacketHeader,
        coding: (&CodingHeader, u64),
    ) {
        let Some(recode) =
            self.sessions.get_mut(index).coded.as_mut().and_then(|coded| coded.recode.as_mut())
        else {
            return;
        };
        let held = recode.bytes();
        recode.pass(&arrival(previous, header, coding));
        let holds = recode.bytes();
        self.account_coding(held, holds);
    }

    /// Takes what is kept of a session out of its entry, or begins it.
    fn recoding_of(&mut self, index: u32) -> Box<Recode> {
        let entry = self.sessions.get_mut(index);
        let key = entry.key;
        if let Some(recode) = entry.coded.get_or_insert_default().recode.take() {
            return recode;
        }
        let stream = self.seed.stream_of(format_args!("node:{}:session:{key}:recoding", self.config.id));
        // A packet for several must pass the next node's checks, and fit the header's buffer.
        let limits = RouteLimits {
            bytes_max: self.pathlet_limits.bytes_max.min(PATHLET_BYTES_MAX - CODING_HEADER_BYTES),
            ..self.pathlet_limits
        };
        Box::new(Recode::new(stream, limits))
    }

    /// Forgets what is kept of a coded session here: rows, and what was to wake it.
    pub(in crate::node) fn drop_coding(&mut self, index: u32) {
        let entry = self.sessions.get_mut(index);
        if let Some(sink) = &mut entry.sink {
            sink.drop_coding();
        }
        let recode = entry.coded.take().and_then(|coded| coded.recode);
        self.count_decoding(index);
        let Some(recode) = recode else { return };
        self.account_coding(recode.bytes(), 0);
        if let Some((_, id)) = recode.timer {
            self.timers.cancel(id);
        }
    }

    /// Something has waited long enough to be joined with something else.
    pub(in crate::node) fn on_recode_timer(&mut self, now: Instant, index: u32) {
        let Some(mut recode) =
            self.sessions.get_mut(index).coded.as_mut().and_then(|coded| coded.recode.take())
        else {
            return;
        };
        recode.timer = None;
        while let Some(at) = recode.overdue(now) {
            self.pay_debts(now, index, &mut recode, at, None);
        }
        self.arm_recode_timer(index, &mut recode);
        self.sessions.get_mut(index).coded.get_or_insert_default().recode = Some(recode);
    }

    fn arm_recode_timer(&mut self, index: u32, recode: &mut Recode) {
        let Some(at) = recode.deadline() else { return };
        match recode.timer {
            Some((set, _)) if set <= at => return,
            Some((_, id)) => _ = self.timers.cancel(id),
            None => {}
        }
        recode.timer = Some((at, self.timers.set(at, Timer::Recode(index))));
    }

    /// Sends what generation `at` owes. `arrived`: the packet that has just come, with its payload if it may go on as it
    /// is, and the hop that it came on.
    fn pay_debts(
        &mut self,
        now: Instant,
        index: u32,
        recode: &mut Recode,
        at: usize,
        arrived: Option<(CodingHeader, Option<&Payload>, HopIndex)>,
    ) {
        let conference = self.sessions.get(index).key.conference;
        // What is sent here does not count: it goes at once where nothing else waits.
        let busy = recode.busy(|hop| self.is_backlogged(hop, conference));
        while let Some(payment) = recode.pay(now, at, busy) {
            let (header, first) = recode.newest(at);
            let (size, is_closed) = recode.size(at);
            let previous = arrived.map(|(_, _, previous)| previous);
            self.stats.recoded_packets += 1;
            if recode.pathlet(&payment).is_none() {
                self.stats.drop_packets(Drop::TooLarge, 1);
                continue;
            }
            if let Some((coding, Some(payload), _)) = arrived
                && payment.is_single
            {
                // Nothing is won by mixing what the next node lacks for certain.
                let _ = recode.settle(at, &payment, true);
                let Some(pathlet) = recode.pathlet(&payment) else { continue };
                self.push_coded(
                    now,
                    index,
                    (payment.hop, pathlet),
                    &header,
                    (coding, first),
                    payload.clone(),
                    previous,
                );
                continue;
            }
            let mut out = BytesMut::new();
            let (recoder, stream) = recode.recoder(at);
            let len = recoder.recode(stream, usize::from(size), &mut out);
            let is_real = out.len() > usize::from(size) + crate::coding::META_BYTES || len == 0;
            let head = out.freeze();
            let payload =
                if is_real { Payload::Bytes(head) } else { Payload::Coded { head, body_len: len as u32 } };
            // What makes up for a loss stands for nothing in particular.
            let newest = JoinedPacket { flow: header.flow, number: header.number };
            let (own, joined) = recode.settle(at, &payment, false).unwrap_or((newest, None));
            let coding = CodingHeader {
                form: CodedForm::Vector { joined },
                size,
                offset: (header.symbol - first) as u8,
                is_closed,
                is_plain: false,
                index: 0,
                sequence: 0,
            };
            let header = PacketHeader {
                object: 0,
                index: 0,
                count: 1,
                flags: header.flags.with(PacketFlags::CODED),
                flow: own.flow,
                number: own.number,
                ..header
            };
            let Some(pathlet) = recode.pathlet(&payment) else {
                self.stats.drop_packets(Drop::TooLarge, 1);
                continue;
            };
            self.push_coded(now, index, (payment.hop, pathlet), &header, (coding, first), payload, previous);
        }
    }

    /// Whether packets of a conference wait for a hop.
    fn is_backlogged(&self, hop: HopIndex, conference: ConferenceId) -> bool {
        let feeder = self.hops[hop.0 as usize].feeder.as_ref();
        feeder.is_some_and(|feeder| feeder.conference_backlog(conference).packets > 0)
    }

    /// Returns where the Pathlets of a packet's copies are, each with its hop, if there may be one.
    fn siblings(&mut self, previous: HopIndex, packet: &Packet<'_>) -> Vec<(Range<usize>, Option<HopIndex>)> {
        let kind = self.hops[previous.0 as usize].kind;
        let mut siblings = Vec::new();
        let mut left = packet.nested.clone();
        while !left.is_empty()
            && let Some((length, node)) = first_sibling(&packet.body.bytes()[left.clone()])
        {
            let pathlet = left.start..left.start + length;
            left.start = pathlet.end;
            siblings.push((pathlet, self.try_hop(node, kind)));
        }
        siblings
    }
}

/// Returns what a packet says that came on `previous`.
fn arrival<'a>(
    previous: HopIndex,
    header: &'a PacketHeader,
    (coding, first): (&CodingHeader, u64),
) -> Arrival<'a> {
    let CodingHeader { size, is_closed, index, sequence, .. } = *coding;
    let joined = coding.joined();
    Arrival { previous, header, first, size, is_closed, index, sequence, joined }
}
