//! Decoding at a destination.

use super::Row;
use crate::coding::{Body, Meta};
use crate::node::Node;
use crate::payload::{Payload, Synthetic};
use crate::session::coded::Taken;
use crate::session::{SinkOutcome, SinkSession};
use crate::stats::Drop;
use crate::time::Instant;
use crate::wire::coding::{CodedForm, CodingHeader};
use crate::wire::packet::{PacketFlags, PacketHeader};

impl Node {
    /// Takes a coded packet in at a destination, and delivers what it makes known.
    pub(super) fn deliver_coded(
        &mut self,
        now: Instant,
        index: u32,
        header: &PacketHeader,
        (coding, first): (CodingHeader, u64),
        row: Row,
        payload: Payload,
    ) {
        let dedup_symbols_max = self.config.limits.dedup_symbols_max;
        let config = self.config.coding;
        let sink = self
            .sessions
            .get_mut(index)
            .sink
            .get_or_insert_with(|| Box::new(SinkSession::unannounced(dedup_symbols_max)));
        let held = sink.coding_counted;
        if !sink.admits(now, header) {
            self.stats.drop_packets(Drop::Late, 1);
            return;
        }
        let (key, epoch) = (header.key, header.epoch);
        let symbol_check = row.offset.map(|_| Meta::parse(&row.coded.meta));
        let is_damaged = symbol_check
            .is_some_and(|meta| meta.check != meta.check_of(key, epoch, header.symbol, &row.coded.body));
        // Whoever changes a symbol can make its check fit, but not its seal.
        // Of a sealed session a symbol is looked at once: what claims to be it later was not opened, and teaches nothing.
        let is_known = row.offset.is_some() && sink.is_sealed() && sink.has(epoch, header.symbol);
        let opened = match row.offset {
            Some(_) if !is_damaged => sink.open(header, payload),
            _ => Some(payload),
        };
        let room = config.bytes_max.saturating_sub(self.coding_bytes.saturating_sub(held));
        let coded = sink.coded_mut(config.bytes_max);
        let taken = if is_damaged {
            coded.stats.corrupt_symbols += 1;
            Taken::Corrupt
        } else if opened.is_none() {
            Taken::Corrupt
        } else if is_known {
            Taken::Dependent
        } else if coded.is_window() {
            match coding.form {
                CodedForm::Systematic { .. } => {
                    coded.push_window(now, header.symbol, None, row.coded.clone())
                }
                CodedForm::Window { seed } => {
                    coded.push_window(now, first, Some((coding.size, seed)), row.coded.clone())
                }
                _ => Taken::Corrupt,
            }
        } else if matches!(coding.form, CodedForm::Window { .. }) {
            // Nobody said how the session is coded: its symbols come, its repairs are of no use.
            Taken::Late
        } else {
            let entry = (first, coding.size, coding.is_closed);
            let content = match row.offset {
                Some(offset) => Ok(offset),
                None => Err(row.coefficients()),
            };
            sink.push_coded(entry, content, row.coded.clone(), room)
        };
        let is_symbol = row.offset.is_some() && !is_known && !matches!(taken, Taken::Corrupt | Taken::NoRoom);
        let mut outcome = None;
        if let Some(payload) = opened.filter(|_| is_symbol) {
            // What came as it is goes out at once, whatever becomes of its generation.
            let header = PacketHeader { flags: plain(header.flags), ..*header };
            outcome = Some(self.deliver_symbol(now, index, &header, payload));
        }
        match (taken, outcome) {
            (_, Some(SinkOutcome::Delivered(_))) => self.stats.delivered_packets += 1,
            (_, Some(SinkOutcome::Late)) => self.stats.drop_packets(Drop::Late, 1),
            (Taken::Innovative, _) => self.stats.absorbed_packets += 1,
            (Taken::Dependent, _) => self.stats.duplicate_packets += 1,
            (Taken::Corrupt, _) => self.stats.drop_packets(Drop::Rejected, 1),
            (Taken::Late, _) => self.stats.drop_packets(Drop::Late, 1),
            (Taken::NoRoom, _) => self.stats.drop_packets(Drop::TableFull, 1),
        }
        if taken == Taken::Innovative {
            self.deliver_recovered(now, index, header, first);
        }
        let is_innovative = taken == Taken::Innovative;
        let reliable = self.config.reliable;
        let Some(sink) = &mut self.sessions.get_mut(index).sink else { return };
        if is_innovative {
            sink.mark_slot((first, coding.size), header.symbol);
        }
        let is_counted = sink.arrived.is_some() && taken != Taken::Corrupt;
        sink.bound_coded(config.generations_max, config.bytes_max);
        let due = if matches!(taken, Taken::Corrupt | Taken::NoRoom | Taken::Late) {
            crate::reliable::AckDue::Waiting
        } else {
            sink.on_reliable(now, header, coding.joined(), is_innovative, &reliable)
        };
        self.count_decoding(index);
        self.acknowledge_when(now, index, due);
        if is_counted {
            self.count_arrived(now, index, header, (coding, first), is_innovative);
        }
    }

    /// Delivers the symbols of a generation that have become known.
    fn deliver_recovered(&mut self, now: Instant, index: u32, header: &PacketHeader, first: u64) {
        let mut symbols = core::mem::take(&mut self.recovered);
        if let Some(sink) = &mut self.sessions.get_mut(index).sink {
            let workers = self.workers.as_deref();
            sink.recover_coded(header.key, header.epoch, first, workers, |symbol, meta, body| {
                symbols.push((symbol, meta, body));
            });
        }
        for (symbol, meta, body) in symbols.drain(..) {
            let header = PacketHeader {
                symbol,
                timestamp_ns: meta.timestamp_ns,
                object: meta.object,
                index: meta.index,
                count: meta.count,
                flags: plain(header.flags),
                ..*header
            };
            let payload = match body {
                Body::Real(bytes) => Payload::Bytes(bytes),
                Body::Described(len) => {
                    Payload::Synthetic(Synthetic { key: header.key, symbol, offset: 0, len })
                }
            };
            self.deliver_symbol(now, index, &header, payload);
        }
        self.recovered = symbols;
    }
}

/// Returns the flags of a symbol that has no coding any more.
fn plain(flags: PacketFlags) -> PacketFlags {
    flags.without(PacketFlags::CODED)
}
