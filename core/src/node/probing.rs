//! Probing: neighbours are measured whether packets go to them or not, and what changes for the worse is told.
//!
//! Single probes go to every neighbour at their distance ([`Probe`]). Trains are paid for by packets: the node may spend
//! [`ProbingConfig::share`] of the bytes of the packets that it sent on probes of both sorts, and sends trains to its
//! neighbours in turn as far as that goes. A node that sends no packets sends none, but for the first
//! [`ProbingConfig::setup`] to each neighbour, so that whoever plans knows rates before there is traffic. These are an
//! advance: packets pay for them before they pay for others.
//!
//! A hop whose packets are lost is found by the node at its receiving end, by their numbers, which tells the nodes
//! that packets came from, and these the sources ([`ControlBody::HopLoss`]).

use crate::config::ProbingConfig;
use crate::hop::{Hop, HopFault, Probe, ProbeChange, TRAINS_LOST};
use crate::ids::{HopIndex, NodeId};
use crate::io::{Event, HopKind, PolicyReason};
use crate::node::Node;
use crate::node::timers::Timer;
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::wire::control::{ControlBody, ControlMessage};
use crate::wire::frame::{SEAL_BYTES, UDP_IP_BYTES};
use crate::wire::probe::ProbeFrame;

/// Distance of the looks at what was sent and what was lost.
const LOOK: Duration = Duration::from_millis(500);
/// What is left of a look's counts at the next one: about ten seconds count.
const KEPT: f64 = 0.95;
/// Distance of the trains of the beginning, and as much again at random, so that those of several nodes do not keep
/// meeting in front of a third.
const SETUP_GAP: Duration = Duration::from_millis(100);
/// Frames that a loss is judged by, at least.
const FRAMES_MIN: f64 = 100.0;

/// What a node keeps for probing.
#[derive(Clone, Debug, Default)]
pub(super) struct ProbingState {
    /// For the distances of the first trains; there is one once the neighbours were looked up.
    stream: Option<Stream>,
    /// When the next look is due.
    look_at: Instant,
    /// Whose turn it is.
    turn: usize,
    /// Bytes of packets sent at the last look.
    counted: u64,
    /// Bytes that may be spent; what single probes cost may make it negative.
    credit: f64,
    /// Bytes of probes at the last look.
    spent: u64,
}

/// What a receiving end counts of the packets of a hop.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LossLook {
    /// Highest number and missing frames at the last look.
    seen: (u64, u64),
    numbers: f64,
    missing: f64,
    is_lossy: bool,
}

impl LossLook {
    /// Takes the counts of now in. Returns whether the hop is lossy, where that has changed: it becomes so above `limit`, and
    /// stops below half of it.
    fn look(&mut self, numbers: u64, missing: u64, limit: f64) -> Option<bool> {
        let before = core::mem::replace(&mut self.seen, (numbers, missing));
        self.numbers = self.numbers * KEPT + numbers.saturating_sub(before.0) as f64;
        // What was missing may have come since.
        self.missing = (self.missing * KEPT + (missing as f64 - before.1 as f64)).max(0.0);
        if self.numbers < FRAMES_MIN {
            return None;
        }
        let loss = self.missing / self.numbers;
        let is_lossy = if self.is_lossy { loss >= limit / 2.0 } else { loss > limit };
        let is_changed = core::mem::replace(&mut self.is_lossy, is_lossy) != is_lossy;
        is_changed.then_some(is_lossy)
    }
}

impl Node {
    /// Looks at what was sent and lost, and sends a train where it can be paid for.
    pub(super) fn on_probing_timer(&mut self, now: Instant) {
        let Some(config) = self.config.probing.take() else { return };
        if self.probing.stream.is_none() {
            let id = self.config.id;
            self.probing.stream = Some(self.seed.stream_of(format_args!("node:{id}:setup")));
            for &peer in config.peers.iter().filter(|&&peer| peer != id) {
                let index = self.hop(peer, HopKind::Control);
                self.probe_peer(now, index, &config);
            }
        }
        if now >= self.probing.look_at {
            self.probing.look_at = now + LOOK;
            self.pay_train(&config);
            self.tell_path_rates(&config);
            self.look_for_loss(now, &config);
        }
        let mut next = self.probing.look_at;
        if self.send_first_train(&config)
            && let Some(stream) = &mut self.probing.stream
        {
            let gap = SETUP_GAP.as_secs_f64() * (1.0 + stream.unit());
            next = next.min(now + Duration::from_secs_f64(gap));
        }
        self.timers.set(next, Timer::Probing);
        self.config.probing = Some(config);
    }

    /// Begins to probe the peer of a control hop, unless it is probed.
    fn probe_peer(&mut self, now: Instant, index: HopIndex, config: &ProbingConfig) {
        let hop = &self.hops[index.0 as usize];
        if hop.probe.is_some() {
            return;
        }
        let stream = self.seed.stream_of(format_args!("node:{}:probe:{}", self.config.id, hop.peer));
        let probe = Probe::new(now, stream, config);
        self.timers.set(probe.deadline(config).max(now), Timer::Probe(index));
        self.hop_mut(index).probe = Some(Box::new(probe));
        self.open_hop(now, index);
    }

    pub(super) fn on_probe_timer(&mut self, now: Instant, index: HopIndex) {
        let Some(config) = self.config.probing.take() else { return };
        self.open_hop(now, index);
        if let Some(probe) = &mut self.hop_mut(index).probe {
            let change = probe.on_timer(now, &config);
            let at = probe.deadline(&config).max(now);
            self.timers.set(at, Timer::Probe(index));
            self.mark_ready(index);
            self.on_probe_change(now, index, change);
        }
        self.config.probing = Some(config);
    }

    /// A probe came; `bytes`: of its frame.
    pub(super) fn take_probe(&mut self, now: Instant, index: HopIndex, frame: &ProbeFrame, bytes: usize) {
        // Who does not probe does not answer.
        let Some(config) = self.config.probing.take() else { return };
        self.probe_peer(now, index, &config);
        if let Some(probe) = &mut self.hop_mut(index).probe {
            let change = probe.on_frame(now, frame, (bytes + UDP_IP_BYTES) as u32, &config);
            self.mark_ready(index);
            self.on_probe_change(now, index, change);
        }
        self.config.probing = Some(config);
    }

    /// Bytes of a frame of a train: as large as packets may be.
    pub(super) fn train_frame_bytes(&self) -> usize {
        usize::from(self.config.mtu).saturating_sub(UDP_IP_BYTES + SEAL_BYTES)
    }

    fn pay_train(&mut self, config: &ProbingConfig) {
        let (mut sent, mut spent) = (0, 0);
        for hop in &self.hops {
            if hop.kind != HopKind::Control {
                sent += hop.stats.sent_bytes + hop.stats.sent_packets * UDP_IP_BYTES as u64;
            }
            spent += hop.probe.as_ref().map_or(0, |probe| probe.sent_bytes());
        }
        let price = f64::from(config.train) * (self.train_frame_bytes() + UDP_IP_BYTES) as f64;
        let state = &mut self.probing;
        state.credit += (sent - state.counted) as f64 * config.share - (spent - state.spent) as f64;
        // Savings would be spent in a burst.
        state.credit = state.credit.min(2.0 * price);
        (state.counted, state.spent) = (sent, spent);
        if config.train < 2 || state.credit < price {
            return;
        }
        let hops = self.hops.len();
        // What was lost is sent again before others have their turn, a few times.
        let is_lost = |hop: &Hop| {
            let unanswered = hop.probe.as_ref().map_or(0, |probe| probe.unanswered_trains());
            takes_trains(hop) && (1..=TRAINS_LOST).contains(&unanswered)
        };
        let again = (0..hops).find(|&at| is_lost(&self.hops[at]));
        let in_turn = |at: &usize| takes_trains(&self.hops[*at]);
        let Some(next) =
            again.or_else(|| (0..hops).map(|step| (self.probing.turn + step) % hops).find(in_turn))
        else {
            return;
        };
        if again.is_none() {
            self.probing.turn = next + 1;
        }
        self.send_train(HopIndex(next as u32), config);
    }

    /// Sends a train to the neighbour that had the fewest, if it had fewer than each gets at the beginning. Returns whether
    /// there was one.
    fn send_first_train(&mut self, config: &ProbingConfig) -> bool {
        if config.train < 2 {
            return false;
        }
        let trains = |hop: &Hop| hop.probe.as_ref().map_or(u64::MAX, |probe| probe.trains());
        let ready = (0..).zip(&self.hops).filter(|(_, hop)| takes_trains(hop));
        let next = ready.map(|(at, hop)| (trains(hop), at)).min();
        let Some((_, at)) = next.filter(|(trains, _)| *trains < u64::from(config.setup)) else {
            return false;
        };
        self.send_train(HopIndex(at), config);
        true
    }

    fn send_train(&mut self, index: HopIndex, config: &ProbingConfig) {
        if let Some(probe) = &mut self.hop_mut(index).probe {
            probe.start_train(config.train);
        }
        self.mark_ready(index);
    }

    /// Tells congestion control of the hops that carry packets what trains say of their ways, less what probes may take.
    fn tell_path_rates(&mut self, config: &ProbingConfig) {
        let known = |hop: &Hop| Some((hop.peer, hop.probe.as_ref()?.rate()?));
        let rates: Vec<(NodeId, f64)> = self.hops.iter().filter_map(known).collect();
        for hop in self.hops.iter_mut().filter(|hop| hop.kind != HopKind::Control) {
            if let Some(pacing) = &mut hop.pacing
                && let Some((_, rate)) = rates.iter().find(|(peer, _)| *peer == hop.peer)
            {
                pacing.on_path_rate(rate / 8.0 * (1.0 - config.share));
            }
        }
    }

    /// Does so for one hop, which opens.
    pub(super) fn tell_path_rate(&mut self, index: HopIndex) {
        let Some(share) = self.config.probing.as_ref().map(|config| config.share) else { return };
        let peer = self.hops[index.0 as usize].peer;
        let probe = self.hops.iter().filter(|hop| hop.peer == peer).find_map(|hop| hop.probe.as_ref());
        let rate = probe.and_then(|probe| probe.rate());
        if let (Some(rate), Some(pacing)) = (rate, &mut self.hops[index.0 as usize].pacing) {
            pacing.on_path_rate(rate / 8.0 * (1.0 - share));
        }
    }

    fn on_probe_change(&mut self, now: Instant, index: HopIndex, change: Option<ProbeChange>) {
        let peer = self.hops[index.0 as usize].peer;
        match change {
            None => return,
            Some(ProbeChange::Dead) => {
                self.emit_event(Event::HopDown { peer, fault: HopFault::Unanswered });
            }
            Some(ProbeChange::Alive) => self.emit_event(Event::HopUp { peer }),
        }
        // Policies may have decided for ways around it: then those that lead there are asked, too.
        let is_back = change == Some(ProbeChange::Alive);
        let id = self.config.id;
        self.ask_where(now, PolicyReason::Topology, |route| {
            crosses(route, id, (id, peer)) || is_back && route.destinations().binary_search(&peer).is_ok()
        });
    }

    /// Judges the losses of what came on every hop that carries packets.
    fn look_for_loss(&mut self, now: Instant, config: &ProbingConfig) {
        let mut changed = Vec::new();
        for hop in self.hops.iter_mut().filter(|hop| hop.feeder.is_some() && hop.received_number > 0) {
            let look = hop.loss_look.get_or_insert_with(Box::default);
            let change = look.look(hop.received_number, hop.stats.missing_frames, config.loss);
            changed.extend(change.map(|is_lossy| (hop.peer, is_lossy)));
        }
        let to = self.config.id;
        for (from, is_lossy) in changed {
            self.tell_upstream(now, &ControlBody::HopLoss { from, to, is_lossy }, &[]);
        }
    }

    /// Another node tells that packets of a hop are lost; the message may be known here.
    pub(super) fn hear_of_loss(&mut self, now: Instant, sender: NodeId, message: &ControlMessage) {
        let ControlBody::HopLoss { from, to, .. } = message.body else { return };
        if self.config.probing.is_none() || !self.is_first_pass(message) {
            return;
        }
        for peer in self.upstream_peers(&[sender, message.origin]) {
            let _ = self.push_control(now, peer, message);
        }
        let id = self.config.id;
        self.ask_where(now, PolicyReason::Loss, |route| crosses(route, id, (from, to)));
    }

    /// Asks for the policies of the sessions of this node that send packets by such a route.
    fn ask_where(
        &mut self,
        now: Instant,
        reason: PolicyReason,
        mut is_meant: impl FnMut(&crate::route::Route) -> bool,
    ) {
        let mut found = Vec::new();
        for (index, entry) in self.sessions.iter() {
            let Some(list) = entry.source.as_ref().and_then(|source| source.flows.as_ref()) else { continue };
            if list.flows().iter().any(|flow| flow.share > 0.0 && is_meant(&flow.route)) {
                found.push(index);
            }
        }
        for index in found {
            self.ask_policy(now, index, reason);
        }
    }
}

/// Whether a hop is one of a neighbour that answers.
fn takes_trains(hop: &Hop) -> bool {
    hop.handshake.peer().is_some() && hop.probe.as_ref().is_some_and(|probe| !probe.is_dead())
}

/// Whether a route from `source` goes over a hop.
fn crosses(route: &crate::route::Route, source: NodeId, hop: (NodeId, NodeId)) -> bool {
    let mut is_used = false;
    route.for_each_edge(source, &mut |from, to| is_used |= (from, to) == hop);
    is_used
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a hop is lossy above the limit, not any more below half of it, and in between as it was; few frames say
    /// nothing; numbers that come late are taken off.
    #[test]
    fn losses_are_told_with_hysteresis() {
        let mut look = LossLook::default();
        let mut at = (0, 0);
        let mut step = |numbers, missing| {
            at = (at.0 + numbers, at.1 + missing);
            look.look(at.0, at.1, 0.02)
        };
        assert_eq!(step(50, 10), None, "too few");
        let changes: Vec<_> = (0..200).filter_map(|_| step(500, 25)).collect();
        assert_eq!(changes, [true], "5 %");
        assert!((0..200).all(|_| step(500, 8).is_none()), "1.6 %");
        let changes: Vec<_> = (0..200).filter_map(|_| step(500, 2)).collect();
        assert_eq!(changes, [false], "0.4 %");
        assert!((0..200).all(|_| step(500, 8).is_none()), "1.6 % again");
    }
}
