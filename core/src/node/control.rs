//! Control messages: sending them, along a route or to a neighbour, and acting on them.

use crate::ids::{HopIndex, Incarnation, NodeId};
use crate::io::{Event, HopKind, Install, PolicyReason};
use crate::node::Node;
use crate::time::Instant;
use crate::wire::control::{ControlBody, ControlMessage};
use crate::wire::routing::{self, Pathlet};

impl Node {
    /// Sends a message to a neighbour; `route` is the neighbour's Pathlet, or empty.
    pub(super) fn send_control(
        &mut self,
        now: Instant,
        peer: NodeId,
        route: Vec<u8>,
        body: ControlBody,
    ) -> bool {
        let id = self.next_control_id;
        self.next_control_id += 1;
        self.push_control(now, peer, &ControlMessage { id, origin: self.config.id, route, body })
    }

    /// Sends a message to the node that a Pathlet names, and on along it.
    pub(super) fn send_along(&mut self, now: Instant, pathlet: &[u8], body: &ControlBody) -> bool {
        let Ok((parsed, _)) = Pathlet::parse(pathlet, self.route_limits) else { return false };
        let Some(peer) = NodeId::new(parsed.node) else { return false };
        self.send_control(now, peer, pathlet.to_vec(), body.clone())
    }

    fn push_control(&mut self, now: Instant, peer: NodeId, message: &ControlMessage) -> bool {
        let index = self.hop(peer, HopKind::Control);
        let limit = self.config.limits.control_messages_max;
        let hop = &mut self.hops[index.0 as usize];
        let Some(control) = &mut hop.control else { return false };
        let taken = control.push(message.emit().into_boxed_slice(), limit);
        self.stats.dropped_control += u64::from(!taken);
        self.open_hop(now, index);
        self.mark_ready(index);
        taken
    }

    /// Acts on a message that came in order, and passes it on.
    pub(super) fn handle_control(&mut self, now: Instant, from: HopIndex, message: ControlMessage) {
        if message.route.is_empty() {
            self.act_on_neighbours_message(now, from, message);
            return;
        }
        let route = message.route.clone();
        let pathlet = match Pathlet::parse(&route, self.route_limits) {
            Ok((pathlet, [])) if pathlet.node == self.config.id.get() => pathlet,
            _ => {
                self.stats.dropped_control += 1;
                return;
            }
        };
        if let ControlBody::Setup { kind, .. } = message.body {
            for child in pathlet.children() {
                let hop = self.hop(child.node, kind);
                self.open_hop(now, hop);
            }
        }
        for child in pathlet.children() {
            let onward = ControlMessage { route: child.bytes.to_vec(), ..message.clone() };
            self.push_control(now, child.node, &onward);
        }
        if pathlet.deliver {
            self.act(now, message.body);
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
                    let back = index.and_then(|index| self.sessions.get(index).relay.any_way_back());
                    self.pass_back(now, from, back, &message);
                }
            }
            ControlBody::ConferenceEnd { conference } => {
                let peer = self.hops[from.0 as usize].peer;
                self.end_conference(now, conference, Some(peer));
            }
            body => self.act(now, body),
        }
    }

    /// Passes a message on over the way back, but never to where it came from.
    fn pass_back(&mut self, now: Instant, from: HopIndex, back: Option<HopIndex>, message: &ControlMessage) {
        let sender = self.hops[from.0 as usize].peer;
        if let Some(back) = back {
            let peer = self.hops[back.0 as usize].peer;
            if peer != sender {
                self.push_control(now, peer, message);
            }
        }
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
            ControlBody::Join { key, node } => self.change_membership(now, key, node, PolicyReason::Joined),
            ControlBody::Leave { key, node } => self.change_membership(now, key, node, PolicyReason::Left),
            ControlBody::Install { key, planner, version, flows } => {
                self.install_encoded(now, key, planner, version, &flows);
            }
            ControlBody::ConferenceEnd { conference } => self.end_conference(now, conference, None),
            ControlBody::Setup { .. } => {}
        }
    }

    fn install_encoded(
        &mut self,
        now: Instant,
        key: crate::ids::SessionKey,
        planner: Incarnation,
        version: u32,
        flows: &[(f64, Vec<u8>)],
    ) {
        let decoded: Result<Vec<_>, _> =
            flows.iter().map(|(share, info)| Ok((routing::decode(info)?, *share))).collect();
        let installed = match decoded {
            Ok(flows) => self.install(now, Install { key, planner, version, flows }).is_ok(),
            Err::<_, crate::wire::error::RouteFault>(_) => false,
        };
        self.stats.dropped_control += u64::from(!installed);
    }
}
