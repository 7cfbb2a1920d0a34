//! Reliable sessions: the node carries what the machines of [`crate::reliable`] want sent.

use crate::coding::META_BYTES;
use crate::content::SourcePoll;
use crate::feeder::Lane;
use crate::flow::FlowBranch;
use crate::header::SYMBOL_BYTES_MAX;
use crate::hop::Hop;
use crate::ids::{ConferenceId, HopIndex, SessionKey};
use crate::io::{Event, PolicyReason};
use crate::node::Node;
use crate::node::coded::{Stamp, systematic};
use crate::node::dispatch::{Copies, sealing_bytes};
use crate::node::timers::Timer;
use crate::payload::Payload;
use crate::reliable::{Sender, Sending};
use crate::seal::sealed;
use crate::session::SourceSession;
use crate::session::coded::Repaired;
use crate::time::Instant;
use crate::wire::coding::CODING_HEADER_BYTES;
use crate::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, UDP_IP_BYTES};
use crate::wire::packet::{PACKET_FIXED_BYTES, PacketFlags, PacketHeader};

/// Packets that one call sends for a session; the rest follows at once by a timer.
const PACKETS_PER_CALL: usize = 1_024;
/// Symbols of a spoilt generation that are sent at a time.
const PLAIN_BURST: usize = 16;

/// What became of an attempt to send one packet.
enum Step {
    /// It was sent.
    Sent,
    /// There will be content at that time.
    WaitUntil(Instant),
    /// An acknowledgement, room in a feeder, a route or a timeout will let it go on.
    Blocked,
}

impl Node {
    /// Sends what a reliable session may send, and sets its timers.
    pub(super) fn run_reliable(&mut self, now: Instant, index: u32, source: &mut SourceSession) {
        let Some(mut sender) = source.reliable.take() else { return };
        let mut wake = Some(now);
        for _ in 0..PACKETS_PER_CALL {
            match self.reliable_step(now, index, source, &mut sender) {
                Step::Sent => {}
                Step::WaitUntil(at) => {
                    wake = Some(at);
                    break;
                }
                Step::Blocked => {
                    wake = None;
                    break;
                }
            }
        }
        if wake == Some(now)
            && let Some(id) = source.timer.take()
        {
            self.timers.cancel(id);
        }
        if let (Some(at), None) = (wake, source.timer) {
            source.timer = Some(self.timers.set(at, Timer::Symbol(index)));
        }
        if sender.timer.is_none()
            && let Some(at) = sender.deadline(now, source.pending.is_some())
        {
            sender.timer = Some(self.timers.set(at, Timer::Reliable(index)));
        }
        if let Some(coded) = &mut source.coded {
            coded.release(sender.base());
        }
        source.content.release(sender.base());
        if source.finished && sender.is_settled() && source.pending.is_none() && !sender.is_complete {
            sender.is_complete = true;
            let key = self.sessions.get(index).key;
            self.emit_event(Event::SessionCompleted { key });
        }
        source.reliable = Some(sender);
    }

    fn reliable_step(
        &mut self,
        now: Instant,
        index: u32,
        source: &mut SourceSession,
        sender: &mut Sender,
    ) -> Step {
        if source.pending.is_none()
            && source.content.wants_grant(now)
            && let Some(grant) = self.grant(now, index, source)
        {
            source.content.on_grant(now, grant);
        }
        let Some(list) = &mut source.flows else { return Step::Blocked };
        let conference = self.sessions.get(index).key.conference;
        let lane = source.content.lane();
        let hops = &mut self.hops;
        let coding = if source.coded.is_some() { CODING_HEADER_BYTES + META_BYTES } else { 0 };
        let bytes = source.symbol_bytes + coding as u32;
        let seal_bytes = self.config.seal_bytes;
        let mut ready = |branches: &[FlowBranch]| {
            branches_ready(hops, index, (conference, lane), bytes, (branches, seal_bytes))
        };
        if sender.has_repeats() || sender.has_suspects() {
            let first = list.draw(&mut source.stream);
            if let Some(sending) = sender.choose_repeat(list, first, &mut ready) {
                self.send_repeat(now, index, source, sender, sending);
                return Step::Sent;
            }
        }
        if source.pending.is_none() {
            if source.finished || !sender.may_take(source.symbol_bytes) {
                return Step::Blocked;
            }
            match source.content.poll(now) {
                SourcePoll::Symbol(symbol) => {
                    let drawn = list.draw(&mut source.stream);
                    source.pending = Some((sealed(source.seal.as_deref(), source.epoch, symbol), drawn));
                }
                SourcePoll::WaitUntil(at) => return Step::WaitUntil(at),
                SourcePoll::Finished => {
                    if let Some(coded) = &mut source.coded {
                        coded.close();
                    }
                    self.finish_source(index, source);
                    return Step::Blocked;
                }
            }
        }
        let Some((mut symbol, drawn)) = source.pending.take() else { return Step::Blocked };
        if sender.all_have_next() {
            sender.hold(now, &symbol);
            sender.pass_over();
            if let Some(coded) = &mut source.coded {
                coded.push(now, &mut symbol);
            }
            return Step::Sent;
        }
        let mut balance = source.coded.as_mut().and_then(|coded| coded.balance());
        let first = balance.as_ref().map_or(drawn, |balance| balance.next(list));
        let Some(sending) = sender.choose_new(list, first, &mut ready) else {
            source.pending = Some((symbol, drawn));
            return Step::Blocked;
        };
        if let (Some(balance), Some(place)) = (&mut balance, sender.place(sending.flow)) {
            balance.on_sent(place);
        }
        sender.hold(now, &symbol);
        let packet = source.coded.as_mut().map(|coded| {
            let (first, check) = coded.push(now, &mut symbol);
            systematic(coded, &symbol, first, check)
        });
        match packet {
            Some(packet) => self.send_slot(now, index, source, sender, sending, packet, PacketFlags::NONE),
            None => self.send_symbol(now, index, source, sender, sending, symbol.payload, PacketFlags::NONE),
        }
        Step::Sent
    }

    fn send_repeat(
        &mut self,
        now: Instant,
        index: u32,
        source: &mut SourceSession,
        sender: &mut Sender,
        sending: Sending,
    ) {
        let Some(held) = sender.held(sending.symbol) else { return };
        if let Some(coded) = &mut source.coded {
            // Nobody says which of a spoilt generation's symbols are missing.
            let more = if coded.is_spoilt(sending.symbol) { PLAIN_BURST - 1 } else { 0 };
            let Some(packet) = coded.again(sending.symbol) else { return };
            sender.stats.repeated_packets += 1;
            sender.stats.probes += u64::from(sending.is_probe);
            self.send_slot(now, index, source, sender, sending, packet, PacketFlags::REPEAT);
            for _ in 0..more {
                let Some(packet) = source.coded.as_mut().and_then(|coded| coded.again(sending.symbol)) else {
                    return;
                };
                sender.stats.repeated_packets += 1;
                self.send_slot(now, index, source, sender, sending, packet, PacketFlags::REPEAT);
            }
            return;
        }
        let payload = source.payload_again(sending.symbol, held);
        sender.stats.repeated_packets += 1;
        sender.stats.probes += u64::from(sending.is_probe);
        self.send_symbol(now, index, source, sender, sending, payload, PacketFlags::REPEAT);
    }

    /// Sends a packet that stands for a slot of a coded session.
    #[expect(clippy::too_many_arguments, reason = "all of it goes into one packet")]
    fn send_slot(
        &mut self,
        now: Instant,
        index: u32,
        source: &mut SourceSession,
        sender: &mut Sender,
        sending: Sending,
        packet: Repaired,
        flags: PacketFlags,
    ) {
        let Some(coded) = source.coded.take() else { return };
        let lane = match source.content.lane() {
            Lane::Live => PacketFlags::NONE,
            Lane::Bulk => PacketFlags::BULK,
        };
        let (flow, number) = (sender.flow_id(sending.flow), source.next_packet);
        let stamp = Stamp { flow, number, flags: flags.with(lane) };
        source.next_packet += 1;
        source.stats.packets += 1;
        source.stats.bytes += packet.payload.len() as u64;
        let list = source.flows.take();
        if let Some(mut list) = list {
            if let Some(place) = sender.place(sending.flow) {
                list.flow_mut(place).packets += 1;
            }
            sender.on_sent(
                now,
                number,
                &sending,
                coded.patience(&packet, flags.contains(PacketFlags::REPEAT)),
            );
            let branches = sender.branches(&list, &sending);
            self.send_coded(now, index, source, branches, &coded, stamp, packet);
            source.flows = Some(list);
        }
        source.coded = Some(coded);
    }

    #[expect(clippy::too_many_arguments, reason = "all of it goes into one packet")]
    fn send_symbol(
        &mut self,
        now: Instant,
        index: u32,
        source: &mut SourceSession,
        sender: &mut Sender,
        sending: Sending,
        payload: Payload,
        flags: PacketFlags,
    ) {
        let Some(held) = sender.held(sending.symbol).copied() else { return };
        let Some(list) = &mut source.flows else { return };
        let lane = match source.content.lane() {
            Lane::Live => PacketFlags::NONE,
            Lane::Bulk => PacketFlags::BULK,
        };
        let header = PacketHeader {
            key: self.sessions.get(index).key,
            epoch: source.epoch,
            flow: sender.flow_id(sending.flow),
            number: source.next_packet,
            symbol: sending.symbol,
            timestamp_ns: held.timestamp.as_nanos(),
            flags: flags.with(lane),
            object: held.object,
            index: held.index,
            count: held.count,
        };
        source.next_packet += 1;
        source.stats.packets += 1;
        source.stats.bytes += u64::from(held.len);
        if let Some(place) = sender.place(sending.flow) {
            list.flow_mut(place).packets += 1;
        }
        sender.on_sent(now, header.number, &sending, 0);
        let mut fixed = [0; PACKET_FIXED_BYTES];
        header.emit(&mut fixed);
        let parts = Copies { fixed: &fixed, header: &header, coding: &[], previous: None };
        self.push_branches(now, sender.branches(list, &sending), &parts, payload);
    }

    /// A session's deadline has come: what timed out is sent again.
    pub(super) fn on_reliable_timer(&mut self, now: Instant, index: u32) {
        let entry = self.sessions.get_mut(index);
        let key = entry.key;
        let Some(source) = &mut entry.source else { return };
        let Some(sender) = &mut source.reliable else { return };
        sender.timer = None;
        for node in sender.on_timer(now) {
            self.change_membership(now, key, node, PolicyReason::Left);
        }
        self.run_source(now, index);
    }

    /// A hop has opened: flows over it that seemed dead are tried at once.
    pub(super) fn retry_flows(&mut self, hop: HopIndex) {
        for (index, entry) in self.sessions.iter_all_mut() {
            let Some(source) = &mut entry.source else { continue };
            let (Some(sender), Some(list)) = (&mut source.reliable, &source.flows) else { continue };
            if sender.has_suspects() {
                sender.retry(list, hop);
                self.kicked.push(index);
            }
        }
    }

    /// Tells the application of what is next in order.
    pub(super) fn deliver_in_order(&mut self, index: u32, key: SessionKey) {
        loop {
            let sink = self.sessions.get_mut(index).sink.as_mut();
            let Some(order) = sink.and_then(|sink| sink.order.as_mut()) else { return };
            let Some((symbol, timestamp, payload)) = order.pop() else { return };
            self.emit_event(Event::Delivered { key, symbol, timestamp, payload });
        }
    }

    /// Forgets what made a session reliable; what was counted stays.
    pub(super) fn drop_reliable(&mut self, index: u32) {
        self.drop_ack_timer(index);
        let entry = self.sessions.get_mut(index);
        if let Some(sink) = &mut entry.sink {
            sink.receiver = None;
            sink.arrived = None;
        }
        let Some(source) = &mut entry.source else { return };
        source.stats = source.counted();
        if let Some(sender) = source.reliable.take()
            && let Some(id) = sender.timer
        {
            self.timers.cancel(id);
        }
        if let Some(id) =
            self.sessions.get_mut(index).source.as_mut().and_then(|source| source.policy_timer.take())
        {
            self.timers.cancel(id);
        }
    }
}

/// Whether all feeders of `branches` take a symbol of `len` bytes without dropping; if not, the session waits at the
/// first that does not.
fn branches_ready(
    hops: &mut [Hop],
    session: u32,
    queue: (ConferenceId, Lane),
    len: u32,
    (branches, seal_bytes): (&[FlowBranch], u16),
) -> bool {
    let fixed = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + UDP_IP_BYTES + PACKET_FIXED_BYTES;
    for branch in branches {
        let hop = &mut hops[branch.hop.0 as usize];
        let sealing = sealing_bytes(hop.kind, seal_bytes);
        let bytes = fixed + branch.pathlet.len() + len.min(SYMBOL_BYTES_MAX) as usize + sealing;
        let Some(feeder) = &hop.feeder else { continue };
        // What the next hop keeps back would only wait here: another flow may be free.
        let is_held = queue.1 == Lane::Bulk && feeder.is_held(queue.0);
        if is_held || feeder.lane_room(queue.0, queue.1) < bytes as u64 {
            if !hop.waiting.contains(&session) {
                hop.waiting.push(session);
            }
            return false;
        }
    }
    !branches.is_empty()
}
