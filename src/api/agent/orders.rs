//! A turn of the node: orders are carried out, what programs send is offered, what it says is taken in.

use super::super::Error;
use super::{Agent, Order, Shared, To, sessions};
use bellini_core::Node;
use bellini_core::content::spec::Unit;
use bellini_core::io::{Command, Event};
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_live::node::Housing;
use bellini_scenarios::conduct::{HopFigures, SessionFigures};

/// Orders of one turn.
const ORDERS_A_TURN: usize = 64;

impl Shared {
    /// Gives the node what there is for it, a bounded amount; whether there is more.
    pub(in super::super) fn turn(&self, node: &mut dyn Housing) -> bool {
        let mut agent = self.lock();
        for _ in 0..ORDERS_A_TURN {
            let Some(order) = agent.orders.pop_front() else { break };
            agent.obey(node, order);
        }
        agent.feed(node);
        !agent.orders.is_empty()
    }

    /// Whether a stream's bytes wait for room.
    pub(in super::super) fn wants_room(&self) -> bool {
        self.lock().sources.values().any(|source| !source.outbox.is_empty())
    }

    /// Hears of an event.
    pub(in super::super) fn event(&self, event: &Event) {
        let mut agent = self.lock();
        match event {
            Event::Delivered { key, symbol, timestamp, payload } => {
                let payload = payload.clone();
                // It is seen to after the drain.
                agent.delivered.push(sessions::Arrived {
                    key: *key,
                    symbol: *symbol,
                    created: *timestamp,
                    payload,
                });
            }
            Event::PolicyWanted { key, destinations, reason } => {
                self.ask_policies(&mut agent, *key, destinations.clone(), (*reason).into());
                drop(agent);
                self.ring_clerks();
            }
            Event::Joined { key, node } => agent.on_destination(*key, *node, true),
            Event::Left { key, node } => agent.on_destination(*key, *node, false),
            Event::SessionFinished { key } => agent.on_progress(*key, |source| source.is_finished = true),
            Event::SessionCompleted { key } => agent.on_progress(*key, |source| source.is_completed = true),
            Event::Overflow { key, dropped_packets, .. } => {
                agent.on_progress(*key, |source| source.overflow_packets += dropped_packets);
            }
            Event::ConferenceEnded { conference, .. } => {
                agent.end_conference(*conference);
                drop(agent);
                self.ring_clerks();
            }
            Event::HopDown { peer, .. } => agent.on_neighbour(*peer, false),
            Event::HopUp { peer } => agent.on_neighbour(*peer, true),
            // Where it goes then is told by its figures.
            Event::Rerouted { .. }
            | Event::Installed { .. }
            | Event::HopOpened { .. }
            | Event::HopClosed { .. }
            | Event::Listed { .. }
            | Event::Report(_) => {}
        }
    }

    /// The node has handed everything out: deliveries go to whoever receives them.
    pub(in super::super) fn drained(&self, now: Instant, node: &Node, seed: Seed) {
        let mut agent = self.lock();
        if !agent.delivered.is_empty() {
            agent.hand_over(now, node, seed);
        }
    }

    /// Takes the listing server's answer in.
    pub(in super::super) fn answered(
        &self,
        now: Instant,
        to: To,
        answer: Result<super::ListingAnswer, Error>,
    ) {
        match to {
            To::Call(reply) => reply.give(answer),
            To::Renew(conference) => self.on_renewed(now, conference, answer),
            To::Rejoin(conference) => self.on_rejoined(now, conference, answer),
            To::Resubscribe(key) => self.on_resubscribed(now, key, &answer),
            To::Nobody => {}
        }
    }
}

impl Agent {
    fn obey(&mut self, node: &mut dyn Housing, order: Order) {
        match order {
            Order::Command(command, reply) => {
                let done = node.command(*command).map_err(Error::from);
                if let Some(reply) = reply {
                    reply.give(done);
                }
            }
            Order::Install { install, destinations, replies } => {
                let key = install.key;
                let done = node.command(Command::Install(install)).map_err(Error::from);
                self.on_installed(key, destinations, &done);
                replies.into_iter().for_each(|reply| reply.give(done.clone()));
            }
            Order::Reload(key, reply) => {
                let source = node.node().session(key).and_then(|entry| entry.source.as_ref());
                let done = match (source, self.sources.get_mut(&key)) {
                    (Some(source), Some(_)) if source.destinations.is_empty() => Some(Ok(())),
                    (Some(source), Some(own)) if !source.is_done() => {
                        own.reloads.push(reply);
                        if let Err(error) = node.command(Command::ReloadSessionPolicies(key)) {
                            own.reloads.drain(..).for_each(|reply| reply.give(Err(error.into())));
                        }
                        return;
                    }
                    _ => Some(Err(Error::NoSession(key))),
                };
                if let Some(done) = done {
                    reply.give(done);
                }
            }
            Order::Harvest(key, reply) => reply.give(Ok(node.node().session(key).map(SessionFigures::of))),
            Order::Hops(reply) => {
                let node = node.node();
                let figures = |hop| HopFigures::of(hop, node.now());
                reply.give(Ok(node.hops().iter().map(figures).collect()));
            }
            Order::Peers(peers) => {
                for (peer, addresses) in peers {
                    // Members say where they are: one that says nonsense is not reached.
                    let _ = node.peers(&[(peer, addresses)].into());
                }
            }
            Order::Stop => node.stop(),
        }
    }

    /// Offers what programs have sent, as far as there is room.
    fn feed(&mut self, node: &mut dyn Housing) {
        for (key, source) in &mut self.sources {
            if source.outbox.is_empty() && !source.is_end_due() {
                continue;
            }
            let before = source.outbox.len();
            while let Some(piece) = source.outbox.front_mut() {
                let entry = node.node().session(*key).and_then(|entry| entry.source.as_ref());
                let Some(room) = entry.and_then(|entry| entry.content.offer_room()) else {
                    // It has been stopped.
                    source.outbox.clear();
                    source.is_finished = true;
                    break;
                };
                let data = match source.unit {
                    Some(Unit::Stream) if room == 0 => break,
                    Some(Unit::Stream) if piece.len() > room => piece.split_to(room),
                    _ => source.outbox.pop_front().unwrap_or_default(),
                };
                if node.command(Command::Offer { key: *key, data }).is_err() {
                    source.refused_pieces += 1;
                }
            }
            if source.is_end_due() && source.outbox.is_empty() {
                source.end = sessions::End::Told;
                let _ = node.command(Command::EndOffers(*key));
            }
            if source.outbox.len() < before {
                source.waiting.wake();
            }
        }
    }
}
