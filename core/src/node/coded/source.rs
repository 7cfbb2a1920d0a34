//! Coding at a session's source: systematic packets and repairs on their flows.

use crate::content::Symbol;
use crate::feeder::Lane;
use crate::flow::FlowBranch;
use crate::ids::FlowId;
use crate::node::Node;
use crate::payload::Payload;
use crate::session::SourceSession;
use crate::session::coded::{CodedSource, Repaired};
use crate::time::Instant;
use crate::wire::coding::{CodedForm, CodingHeader};
use crate::wire::packet::{PacketFlags, PacketHeader};

/// What of a packet is the session's.
#[derive(Clone, Copy, Debug)]
pub(in crate::node) struct Stamp {
    /// Its flow.
    pub(in crate::node) flow: FlowId,
    /// Its number.
    pub(in crate::node) number: u64,
    /// Its flags, without that of coding.
    pub(in crate::node) flags: PacketFlags,
}

impl Node {
    /// Takes the next symbol of a best-effort session into its generation, and sends it if symbols go by themselves.
    pub(in crate::node) fn emit_coded(
        &mut self,
        now: Instant,
        index: u32,
        source: &mut SourceSession,
        mut symbol: Symbol,
        flow: usize,
    ) {
        let Some(mut coded) = source.coded.take() else { return };
        let (first, check) = coded.push(now, &mut symbol);
        if coded.is_systematic() {
            let stamp = self.stamp(source, flow, symbol.len);
            let packet = systematic(&coded, &symbol, first, check);
            coded.on_emitted(&packet);
            let list = source.flows.take();
            if let Some(list) = &list {
                self.send_coded(now, index, source, &list.flows()[flow].branches, &coded, stamp, packet);
            }
            source.flows = list;
        }
        source.coded = Some(coded);
    }

    /// Sends the repair that a best-effort session owes next, on the flow drawn for it.
    pub(in crate::node) fn emit_repair(
        &mut self,
        now: Instant,
        index: u32,
        source: &mut SourceSession,
        flow: usize,
    ) {
        let Some(mut coded) = source.coded.take() else { return };
        if let Some(packet) = coded.next_owed(now) {
            let stamp = self.stamp(source, flow, packet.payload.len() as u32);
            coded.on_emitted(&packet);
            let list = source.flows.take();
            if let Some(list) = &list {
                self.send_coded(now, index, source, &list.flows()[flow].branches, &coded, stamp, packet);
            }
            source.flows = list;
        }
        source.coded = Some(coded);
    }

    fn stamp(&mut self, source: &mut SourceSession, flow: usize, bytes: u32) -> Stamp {
        let flags = match source.content.lane() {
            Lane::Live => PacketFlags::NONE,
            Lane::Bulk => PacketFlags::BULK,
        };
        let number = source.next_packet;
        source.next_packet += 1;
        source.stats.packets += 1;
        source.stats.bytes += u64::from(bytes);
        if let Some(list) = &mut source.flows {
            list.flow_mut(flow).packets += 1;
        }
        Stamp { flow: FlowId(flow as u16), number, flags }
    }

    /// Sends one packet of a generation along `branches`.
    #[expect(clippy::too_many_arguments, reason = "all of it goes into one packet")]
    pub(in crate::node) fn send_coded(
        &mut self,
        now: Instant,
        index: u32,
        source: &SourceSession,
        branches: &[FlowBranch],
        coded: &CodedSource,
        stamp: Stamp,
        packet: Repaired,
    ) {
        let Repaired { first, size, symbol, seed, is_window, is_plain, meta, payload } = packet;
        let header = PacketHeader {
            key: self.sessions.get(index).key,
            epoch: source.epoch,
            flow: stamp.flow,
            number: stamp.number,
            symbol,
            timestamp_ns: meta.timestamp_ns,
            flags: stamp.flags.with(PacketFlags::CODED),
            object: meta.object,
            index: meta.index,
            count: meta.count,
        };
        let coding = CodingHeader {
            form: match seed {
                Ok(seed) if is_window => CodedForm::Window { seed },
                Ok(seed) => CodedForm::Seed { seed },
                Err(check) => CodedForm::Systematic { check },
            },
            size: size.unwrap_or_else(|| coded.size_max()),
            offset: (symbol - first) as u8,
            is_closed: size.is_some(),
            is_plain: is_plain || coded.is_plain(),
            index: 0,
            sequence: 0,
        };
        self.stats.originated_packets += 1;
        self.stats.copied_packets += (branches.len() as u64).saturating_sub(1);
        for branch in branches {
            let pathlet = branch.pathlet.as_ref();
            self.push_coded(
                now,
                index,
                (branch.hop, pathlet),
                &header,
                (coding, first),
                payload.clone(),
                None,
            );
        }
    }
}

/// Returns the packet of a symbol that goes out for the first time.
pub(in crate::node) fn systematic(coded: &CodedSource, symbol: &Symbol, first: u64, check: u64) -> Repaired {
    let meta = crate::coding::Meta {
        timestamp_ns: symbol.timestamp.as_nanos(),
        object: symbol.object,
        index: symbol.index,
        count: symbol.count,
        len: symbol.len,
        check,
    };
    let payload: Payload = symbol.payload.clone();
    let size = coded.closed_size(first);
    Repaired {
        first,
        size,
        symbol: symbol.id,
        seed: Err(check),
        is_window: false,
        is_plain: false,
        meta,
        payload,
    }
}
