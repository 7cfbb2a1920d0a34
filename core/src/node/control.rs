//! Control messages: sending them, along a route or to a neighbour, and acting on them.

use crate::ids::{HopIndex, Incarnation, NodeId};
use crate::io::{CommandError, Event, HopKind, Install, PolicyReason};
use crate::node::Node;
use crate::time::Instant;
use crate::wire::RouteFault;
use crate::wire::control::{
    CONTROL_HEADER_BYTES, CONTROL_ROUTE_LIMITS, ControlBody, ControlMessage, InstallFlow,
};
use crate::wire::frame::{FRAME_HEADER_BYTES, SEAL_BYTES, UDP_IP_BYTES};
use crate::wire::routing::{self, split_first, validate_pathlet};

impl Node {
    /// Sends a message to a neighbour; `route` is the neighbour's Pathlet, or empty.
    ///
    /// # Errors
    /// When the message is too long, its queue full, or there are too many hops; counted as dropped.
    pub(super) fn send_control(
        &mut self,
        now: Instant,
        peer: NodeId,
        route: Vec<u8>,
        body: ControlBody,
    ) -> Result<(), CommandError> {
        let id = self.next_control_id;
        self.next_control_id += 1;
        self.push_control(now, peer, &ControlMessage { id, origin: self.config.id, route, body })
    }

    /// Sends a message to the node that a Pathlet names, and on along it.
    ///
    /// # Errors
    /// As for [`Self::send_control`], or the rule of the format that the Pathlet breaks.
    pub(super) fn send_along(
        &mut self,
        now: Instant,
        pathlet: &[u8],
        body: &ControlBody,
    ) -> Result<(), CommandError> {
        let length = validate_pathlet(pathlet, CONTROL_ROUTE_LIMITS).map_err(CommandError::BadRoute)?;
        let peer = match split_first(&pathlet[..length]) {
            Ok((parsed, _)) => parsed.node,
            Err(_) => return Err(CommandError::BadRoute(RouteFault::BeyondEnd)),
        };
        self.send_control(now, peer, pathlet.to_vec(), body.clone())
    }

    pub(super) fn push_control(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: &ControlMessage,
    ) -> Result<(), CommandError> {
        let pushed = self.try_push_control(now, peer, message);
        self.stats.dropped_control += u64::from(pushed.is_err());
        pushed
    }

    fn try_push_control(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: &ControlMessage,
    ) -> Result<(), CommandError> {
        // A message travels in one frame, which has to fit the links.
        let around = UDP_IP_BYTES + FRAME_HEADER_BYTES + CONTROL_HEADER_BYTES + SEAL_BYTES;
        let longest = usize::from(self.config.mtu) - around;
        if message.wire_len() > longest || message.check().is_err() {
            return Err(CommandError::ControlTooLong { length: message.wire_len(), max: longest });
        }
        let limits = self.config.limits;
        let index = self.try_hop(peer, HopKind::Control).ok_or(CommandError::TooManyHops(limits.hops_max))?;
        let limit = limits.control_messages_max;
        let mut bytes = Vec::with_capacity(message.wire_len());
        message.emit_into(&mut bytes);
        let control = self.hop_mut(index).control.as_mut().expect("a control hop has a control link");
        if !control.push(bytes.into_boxed_slice(), limit) {
            return Err(CommandError::ControlFull(limit));
        }
        self.open_hop(now, index);
        self.mark_ready(index);
        Ok(())
    }

    /// Acts on a message that came in order, and passes it on.
    pub(super) fn handle_control(&mut self, now: Instant, from: HopIndex, message: ControlMessage) {
        if message.route.is_empty() {
            self.act_on_neighbours_message(now, from, message);
            return;
        }
        let route = message.route.clone();
        let pathlet = match split_first(&route) {
            Ok((pathlet, [])) if pathlet.node == self.config.id => pathlet,
            _ => {
                self.stats.dropped_control += 1;
                return;
            }
        };
        if let ControlBody::Setup { key, kind } = message.body {
            self.learn_setup(now, from, key);
            let before = self.hops[from.0 as usize].peer;
            self.watch_peer(now, before);
            for (_, node) in pathlet.children() {
                self.watch_peer(now, node);
                match self.try_hop(node, kind) {
                    Some(hop) => self.open_hop(now, hop),
                    None => self.stats.dropped_control += 1,
                }
            }
        }
        for (nested, node) in pathlet.children() {
            let onward = ControlMessage { route: nested.to_vec(), ..message.clone() };
            // What cannot go on is counted as dropped.
            let _ = self.push_control(now, node, &onward);
        }
        if pathlet.deliver {
            match message.body {
                ControlBody::ClockReply { t1_ns, t2_ns, t3_ns } => {
                    self.take_clock_reply(now, message.origin, [t1_ns, t2_ns, t3_ns]);
                }
                ControlBody::Register { conference, incarnation, back } => {
                    self.take_registration(now, message.origin, (conference, incarnation), Some(back));
                }
                body => self.act(now, body),
            }
        }
    }

    /// Messages without a route go from neighbour to neighbour, by what each knows.
    fn act_on_neighbours_message(&mut self, now: Instant, from: HopIndex, message: ControlMessage) {
        match message.body {
            ControlBody::Overflow { key, flow, .. } => {
                let index = self.sessions.find(key);
                let back = index.and_then(|index| self.sessions.get(index).relay.way_back(flow));
                self.pass_back(now, from, back, &message);
                self.act(now, message.body);
            }
            ControlBody::Leave { key, .. } => {
                let index = self.sessions.find(key);
                let is_source = index.is_some_and(|index| self.sessions.get(index).source.is_some());
                if is_source {
                    self.act(now, message.body);
                } else {
                    // Any flow's way leads to the source, but two flows may pass two nodes in opposite order.
                    let sender = self.hops[from.0 as usize].peer;
                    let back = index.and_then(|index| {
                        let mut ways = self.sessions.get(index).relay.ways_back();
                        ways.find(|back| self.hops[back.0 as usize].peer != sender)
                    });
                    self.pass_back(now, from, back, &message);
                }
            }
            ControlBody::ConferenceEnd { conference } => {
                let peer = self.hops[from.0 as usize].peer;
                self.end_conference(now, conference, Some(peer));
            }
            ControlBody::HopState { .. } => {
                let sender = self.hops[from.0 as usize].peer;
                self.hear_of_hop(now, sender, &message);
            }
            ControlBody::HopLoss { .. } => {
                let sender = self.hops[from.0 as usize].peer;
                self.hear_of_loss(now, sender, &message);
            }
            ControlBody::ClockProbe { .. } => self.take_clock_probe(now, from, message),
            ControlBody::Pressure { conference, kind } => self.hold(now, from, conference, kind),
            ControlBody::Release { conference, kind } => self.release(from, conference, kind),
            body => self.act(now, body),
        }
    }

    /// Passes a message on over the way back, but never to where it came from.
    fn pass_back(&mut self, now: Instant, from: HopIndex, back: Option<HopIndex>, message: &ControlMessage) {
        let sender = self.hops[from.0 as usize].peer;
        if let Some(back) = back {
            let peer = self.hops[back.0 as usize].peer;
            if peer != sender && self.is_first_pass(message) {
                // What cannot go on is counted as dropped.
                let _ = self.push_control(now, peer, message);
            }
        }
    }

    /// Whether the message is newer than what passed here of its subject; if not, it has been here or was overtaken.
    pub(super) fn is_first_pass(&mut self, message: &ControlMessage) -> bool {
        self.passed.is_news(message)
    }

    /// Does what a message says that reached its destination.
    fn act(&mut self, now: Instant, body: ControlBody) {
        match body {
            ControlBody::Overflow { key, flow, node, dropped_packets, dropped_bytes } => {
                let dropped_packets = u64::from(dropped_packets);
                self.emit_event(Event::Overflow { key, flow, at: node, dropped_packets, dropped_bytes });
                if let Some(index) = self.sessions.find(key) {
                    self.overflow_at_source(now, index);
                }
            }
            ControlBody::Join { key, node } => {
                self.change_membership(now, key, node, PolicyReason::Joined);
                self.list_membership(now, key, node, PolicyReason::Joined);
            }
            ControlBody::Leave { key, node } => {
                self.change_membership(now, key, node, PolicyReason::Left);
                self.list_membership(now, key, node, PolicyReason::Left);
            }
            ControlBody::Install { key, planner_incarnation, version, flows } => {
                self.install_encoded(now, key, planner_incarnation, version, &flows);
            }
            ControlBody::ConferenceEnd { conference } => self.end_conference(now, conference, None),
            ControlBody::Setup { .. } => {}
            ControlBody::Begin { key, epoch, symbol } => self.begin_sink(key, epoch, symbol),
            // Probes go by the nodes' own knowledge, answers and registrations along a route: these came the wrong way.
            ControlBody::ClockProbe { .. }
            | ControlBody::ClockReply { .. }
            | ControlBody::Pressure { .. }
            | ControlBody::Release { .. }
            | ControlBody::Register { .. }
            | ControlBody::HopState { .. }
            | ControlBody::HopLoss { .. }
            | ControlBody::Unknown { .. } => {
                self.stats.dropped_control += 1;
            }
        }
    }

    fn install_encoded(
        &mut self,
        now: Instant,
        key: crate::ids::SessionKey,
        planner: Incarnation,
        version: u32,
        flows: &[InstallFlow],
    ) {
        let decoded: Result<Vec<_>, _> =
            flows.iter().map(|flow| Ok((routing::decode(&flow.routing_info)?, flow.share))).collect();
        let installed = match decoded {
            Ok(flows) => self.install(now, Install { key, planner, version, flows }).is_ok(),
            Err::<_, RouteFault>(_) => false,
        };
        self.stats.dropped_control += u64::from(!installed);
    }
}
