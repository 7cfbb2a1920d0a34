//! What the agenda wakes: the parts of the network, their numbers, and when each is due.

use super::{Entity, Network, class};
use crate::agenda::Class;
use bellini_core::time::Instant;
use bellini_scenarios::conduct::Duty;

/// Entity numbers at which each kind begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FirstEntity {
    pub(super) node: u32,
    pub(super) bottleneck: u32,
    pub(super) egress: u32,
    pub(super) receive: u32,
    pub(super) cross: u32,
    pub(super) conductor: u32,
}

impl Network {
    pub(super) fn number_entities(&mut self, nodes: u32) {
        let mut entities: Vec<Entity> = (0..self.links.len() as u32).map(Entity::Link).collect();
        self.first.node = entities.len() as u32;
        entities.extend((0..nodes).map(Entity::Node));
        self.first.bottleneck = entities.len() as u32;
        entities.extend((0..self.bottlenecks.len() as u32).map(Entity::Bottleneck));
        self.first.egress = entities.len() as u32;
        if self.egress.iter().any(Option::is_some) {
            entities.extend((0..nodes).map(Entity::Egress));
        }
        self.first.receive = entities.len() as u32;
        if self.receive.iter().any(Option::is_some) {
            entities.extend((0..nodes).map(Entity::Receive));
        }
        self.first.cross = entities.len() as u32;
        entities.extend((0..self.cross.len() as u32).map(Entity::Cross));
        self.first.conductor = entities.len() as u32;
        entities.extend(Duty::ALL.map(Entity::Conductor));
        self.entities = entities;
    }

    /// Returns who an entity number stands for.
    #[inline]
    #[must_use]
    pub fn entity(&self, number: u32) -> Entity {
        // Connections come into being while time passes; their numbers follow all others.
        self.entities
            .get(number as usize)
            .copied()
            .unwrap_or(Entity::Connection(number.wrapping_sub(self.entities.len() as u32)))
    }

    /// Sets the one pending event of a TCP connection.
    pub fn schedule_connection(&mut self, place: u32, at: Option<Instant>) {
        self.reschedule(self.entities.len() as u32 + place, at, class::TIMER);
    }

    /// Sets the one pending event of a node's timers, or of a duty of the conductor.
    #[inline]
    pub fn schedule(&mut self, entity: Entity, at: Option<Instant>) {
        let (number, class) = match entity {
            Entity::Node(node) => (self.first.node + node, class::TIMER),
            Entity::Conductor(duty) => {
                let class = match duty {
                    Duty::Planner => class::PLANNER,
                    Duty::Timeline => class::TIMELINE,
                    Duty::Recorder => class::RECORDER,
                };
                (self.first.conductor + duty as u32, class)
            }
            Entity::Link(_)
            | Entity::Bottleneck(_)
            | Entity::Egress(_)
            | Entity::Receive(_)
            | Entity::Cross(_)
            | Entity::Connection(_) => {
                unreachable!("the network schedules its own stages")
            }
        };
        self.reschedule(number, at, class);
    }

    #[inline]
    pub(super) fn reschedule(&mut self, number: u32, at: Option<Instant>, class: Class) {
        match at {
            Some(at) => self.agenda.schedule(number, at, class),
            None => {
                self.agenda.cancel(number);
            }
        }
    }

    #[inline]
    pub(super) fn schedule_link(&mut self, link: u32) {
        let state = &mut self.links[link as usize];
        let next = state.model.next_event();
        if next != state.pending {
            state.pending = next;
            self.reschedule(link, next, class::ARRIVAL);
        }
    }

    pub(super) fn schedule_bottleneck(&mut self, index: u32) {
        let at = self.bottlenecks[index as usize].next_event();
        self.reschedule(self.first.bottleneck + index, at, class::ARRIVAL);
    }

    pub(super) fn schedule_egress(&mut self, node: u32) {
        if let Some(shaper) = &self.egress[node as usize] {
            self.reschedule(self.first.egress + node, shaper.next_event(), class::ARRIVAL);
        }
    }

    pub(super) fn schedule_receive(&mut self, node: u32) {
        if let Some(queue) = &self.receive[node as usize] {
            self.reschedule(self.first.receive + node, queue.next_event(), class::ARRIVAL);
        }
    }

    pub(super) fn schedule_cross(&mut self, index: u32) {
        let at = self.cross[index as usize].0.next_event();
        self.reschedule(self.first.cross + index, at, class::CROSS);
    }
}
