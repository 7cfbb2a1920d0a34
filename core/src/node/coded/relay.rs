//! Recoding at a relay: the packets that [`Recode`] owes are made and sent.

use super::Row;
use crate::ids::HopIndex;
use crate::node::Node;
use crate::node::receive::Packet;
use crate::node::timers::Timer;
use crate::payload::Payload;
use crate::session::coded::{Arrival, Recode};
use crate::stats::Drop;
use crate::time::Instant;
use crate::wire::coding::{CodedForm, CodingHeader};
use crate::wire::packet::{PacketFlags, PacketHeader};
use crate::wire::routing::first_sibling;
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
        let header = &packet.header;
        let siblings = self.siblings(previous, packet);
        let key = header.key;
        let id = self.config.id;
        let seed = self.seed;
        let entry = self.sessions.get_mut(index).coded.get_or_insert_default();
        let mut recode = entry.recode.take().unwrap_or_else(|| {
            Box::new(Recode::new(seed.stream_of(format_args!("node:{id}:session:{key}:recoding"))))
        });
        let held = recode.bytes();
        let arrival = Arrival {
            previous,
            header,
            first,
            size: coding.size,
            is_closed: coding.is_closed,
            index: coding.index,
            sequence: coding.sequence,
            is_symbol: row.offset.is_some(),
        };
        if let Some(at) = recode.generation(&arrival) {
            let recoder = recode.recoder(at);
            let pushed = match row.offset {
                Some(offset) => recoder.push_symbol(usize::from(offset), row.coded.clone()),
                None => recoder.push(row.coefficients(), row.coded.clone()),
            };
            let bytes = packet.body.bytes();
            let known = siblings.iter().filter_map(|(pathlet, hop)| Some((&bytes[pathlet.clone()], (*hop)?)));
            let may_pay = recode.owe(now, at, &arrival, pushed, known);
            let as_it_is =
                (row.offset.is_some() && pushed == crate::coding::Pushed::Innovative).then_some(payload);
            if may_pay {
                self.pay_debts(now, index, &mut recode, at, Some((coding, as_it_is, previous)), false);
            }
            for _ in 0..GENERATIONS_PER_CALL {
                let Some(before) = recode.indebted(at) else { break };
                self.pay_debts(now, index, &mut recode, before, None, false);
            }
        } else {
            self.stats.refused_rows += 1;
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

    /// Something has waited long enough to be joined with something else.
    pub(in crate::node) fn on_recode_timer(&mut self, now: Instant, index: u32) {
        let Some(mut recode) =
            self.sessions.get_mut(index).coded.as_mut().and_then(|coded| coded.recode.take())
        else {
            return;
        };
        recode.timer = None;
        while let Some(at) = recode.overdue(now) {
            self.pay_debts(now, index, &mut recode, at, None, true);
        }
        self.arm_recode_timer(index, &mut recode);
        self.sessions.get_mut(index).coded.get_or_insert_default().recode = Some(recode);
    }

    fn arm_recode_timer(&mut self, index: u32, recode: &mut Recode) {
        if recode.timer.is_none()
            && let Some(at) = recode.deadline()
        {
            recode.timer = Some(self.timers.set(at, Timer::Recode(index)));
        }
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
        is_last_call: bool,
    ) {
        let mut gone: Option<HopIndex> = None;
        while let Some(payment) = recode.pay(now, at, is_last_call) {
            let (header, first) = recode.newest(at);
            let (size, is_closed) = recode.size(at);
            let previous = arrived.map(|(_, _, previous)| previous);
            self.stats.recoded_packets += 1;
            if let Some((coding, Some(payload), _)) = arrived
                && payment.is_single
                && gone != Some(payment.hop)
            {
                // Nothing is won by mixing what the next node lacks for certain.
                gone = Some(payment.hop);
                let Some(pathlet) = recode.pathlet(&payment) else { return };
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
            // The stream and the rows are both the recoder's owner's.
            let mut stream = recode.stream.clone();
            let len = recode.recoder(at).recode(&mut stream, usize::from(size), &mut out);
            recode.stream = stream;
            let is_real = out.len() > usize::from(size) + crate::coding::META_BYTES || len == 0;
            let head = out.freeze();
            let payload =
                if is_real { Payload::Bytes(head) } else { Payload::Coded { head, body_len: len as u32 } };
            let coding = CodingHeader {
                form: CodedForm::Vector,
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
                ..header
            };
            let Some(pathlet) = recode.pathlet(&payment) else {
                self.stats.drop_packets(Drop::TooLarge, 1);
                continue;
            };
            self.push_coded(now, index, (payment.hop, pathlet), &header, (coding, first), payload, previous);
        }
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
