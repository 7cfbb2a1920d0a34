//! Coded packets: taken up, passed on, recoded, decoded.

mod rank;
mod relay;
mod sink;
mod source;

pub(super) use source::{Stamp, systematic};

use crate::coding::{Body, Coded, META_BYTES, Meta, coefficients};
use crate::header::PACKET_HEADER_BYTES_MAX;
use crate::ids::HopIndex;
use crate::node::Node;
use crate::node::dispatch::{Copies, queued_bytes, write_header};
use crate::node::receive::Packet;
use crate::payload::Payload;
use crate::stats::{Drop, Reject};
use crate::time::Instant;
use crate::wire::coding::{CODING_HEADER_BYTES, CodedForm, CodingHeader};
use crate::wire::packet::{PACKET_FIXED_BYTES, PacketHeader};

/// What a coded packet brings to a recoder or decoder.
struct Row {
    /// The symbol's place, or the coefficients of a combination.
    offset: Option<u8>,
    coefficients: [u8; 255],
    len: usize,
    coded: Coded,
}

impl Row {
    /// Reads what a packet carries; `None`: too little, or not what relays and decoders of generations take.
    fn read(header: &PacketHeader, coding: &CodingHeader, payload: &Payload) -> Option<Self> {
        let mut coefficients = [0; 255];
        let len = usize::from(coding.size);
        if let CodedForm::Systematic { check } = coding.form {
            let meta = Meta {
                timestamp_ns: header.timestamp_ns,
                object: header.object,
                index: header.index,
                count: header.count,
                len: payload.len() as u32,
                check,
            };
            let body = match payload {
                Payload::Bytes(bytes) => Body::Real(bytes.clone()),
                described => Body::Described(described.len() as u32),
            };
            let coded = Coded { meta: meta.emit(), body };
            return Some(Self { offset: Some(coding.offset), coefficients, len, coded });
        }
        let (head, body_len) = match payload {
            Payload::Bytes(bytes) => (bytes, None),
            Payload::Coded { head, body_len } => (head, Some(*body_len)),
            Payload::Synthetic(_) => return None,
        };
        let mut at = 0;
        match coding.form {
            CodedForm::Vector { .. } => {
                coefficients[..len].copy_from_slice(head.get(..len)?);
                at = len;
            }
            CodedForm::Seed { seed } => coefficients::seeded(seed, &mut coefficients[..len]),
            CodedForm::Window { seed } => coefficients::seeded_nonzero(seed, &mut coefficients[..len]),
            CodedForm::Systematic { .. } => return None,
        }
        let mut meta = [0; META_BYTES];
        meta.copy_from_slice(head.get(at..at + META_BYTES)?);
        at += META_BYTES;
        let body = match body_len {
            None => Body::Real(head.slice(at..)),
            Some(len) => Body::Described(len),
        };
        Some(Self { offset: None, coefficients, len, coded: Coded { meta, body } })
    }

    fn coefficients(&self) -> &[u8] {
        &self.coefficients[..self.len]
    }
}

impl Node {
    /// Does with a coded packet what its Pathlet says: a relay takes it up and sends what it owes, a destination decodes.
    pub(super) fn dispatch_coded(&mut self, now: Instant, hop: HopIndex, index: u32, packet: Packet<'_>) {
        let coding = match CodingHeader::parse(&packet.body.bytes()[packet.coding.clone()]) {
            Ok(coding) => coding,
            Err(_) => return self.refuse_coded(),
        };
        let Some(first) = coding.first(packet.header.symbol) else { return self.refuse_coded() };
        let is_last = first.checked_add(u64::from(u8::MAX)).is_none();
        let payload = packet.body.share_payload();
        let Some(row) = Row::read(&packet.header, &coding, &payload).filter(|_| !is_last) else {
            return self.refuse_coded();
        };
        let is_window = matches!(coding.form, CodedForm::Window { .. });
        let goes_on = !packet.nested.is_empty();
        if goes_on {
            let lane = &mut self.sessions.get_mut(index).relay;
            lane.packets += 1;
            lane.bytes += payload.len() as u64;
        }
        // A packet that is passed on is still there; one that is recoded is taken up. Without a size there is no knowing what
        // may be combined.
        let is_passed = coding.is_plain || is_window || coding.size == 0 || !self.config.coding.recode;
        if !is_window && (is_passed || !goes_on) {
            self.note_numbers(hop, index, &packet.header, (&coding, first));
        }
        let copies = match (goes_on, is_passed) {
            (false, _) => 0,
            (true, true) => self.pass_coded(now, hop, index, &packet, coding, &payload),
            (true, false) => {
                self.recode(now, hop, index, &packet, (coding, first), &row, &payload);
                0
            }
        };
        if packet.deliver {
            self.stats.copied_packets += copies;
            self.deliver_coded(now, index, &packet.header, (coding, first), row, payload);
        } else if is_passed {
            self.stats.copied_packets += copies.saturating_sub(1);
        } else {
            self.stats.absorbed_packets += 1;
        }
    }

    fn refuse_coded(&mut self) {
        self.stats.drop_packets(Drop::Rejected, 1);
        self.stats.rejected_frames[Reject::Malformed as usize] += 1;
    }

    /// Numbers a coded packet for the hop that it goes on, and hands it to that hop's feeder.
    #[expect(clippy::too_many_arguments, reason = "all of it goes into one packet")]
    fn push_coded(
        &mut self,
        now: Instant,
        index: u32,
        (hop, pathlet): (HopIndex, &[u8]),
        header: &PacketHeader,
        (mut coding, first): (CodingHeader, u64),
        payload: Payload,
        previous: Option<HopIndex>,
    ) {
        if PACKET_FIXED_BYTES + pathlet.len() + CODING_HEADER_BYTES > PACKET_HEADER_BYTES_MAX {
            self.stats.drop_packets(Drop::TooLarge, 1);
            return;
        }
        let numbers = &mut self.sessions.get_mut(index).coded.get_or_insert_default().numbers;
        (coding.index, coding.sequence) = numbers.next(hop, first);
        let coding = coding.emit();
        let mut fixed = [0; PACKET_FIXED_BYTES];
        header.emit(&mut fixed);
        let bytes = queued_bytes(fixed.len() + pathlet.len() + coding.len() + payload.len());
        let is_taken = self.put(now, hop, header, bytes, |slot| {
            write_header(slot, &fixed, pathlet, &coding);
            slot.payload = payload;
            slot.previous = previous;
        });
        if !is_taken {
            let parts = Copies { fixed: &fixed, header, coding: &coding, previous };
            self.refused(now, bytes, pathlet, &parts);
        }
        self.open_hop(now, hop);
        self.mark_ready(hop);
    }

    /// Notes how many bytes a session holds for decoding, which may have become fewer without a coded packet.
    pub(super) fn count_decoding(&mut self, index: u32) {
        let Some(sink) = &mut self.sessions.get_mut(index).sink else { return };
        let now = sink.coded_bytes();
        let before = core::mem::replace(&mut sink.coding_counted, now);
        self.account_coding(before, now);
    }

    /// Notes how many bytes a session holds for coding now, where it held `before`.
    pub(super) fn account_coding(&mut self, before: usize, now: usize) {
        self.coding_bytes = (self.coding_bytes + now).saturating_sub(before);
    }
}
