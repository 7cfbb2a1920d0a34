//! How far each node's clock is from the conductor's.

use super::super::HostsError;
use super::{ANSWER_WITHIN, CLOCK_QUESTIONS, HostsBed};
use crate::console::{Answer, Order};
use crate::node::{ClockId, read_ns};
use bellini_core::time::Instant;
use std::collections::BTreeMap;
use std::time::Instant as HostInstant;

impl HostsBed<'_> {
    /// Finds out how far each node's clock is ahead of ours.
    pub(super) fn compare_clocks(&mut self) -> Result<(), HostsError> {
        for _ in 0..CLOCK_QUESTIONS {
            let id = self.id();
            let mut asked: BTreeMap<u32, HostInstant> = BTreeMap::new();
            for node in self.up() {
                asked.insert(node, HostInstant::now());
                self.order(node, &Order::Look { id, full: false, finish: false });
            }
            let deadline = HostInstant::now() + ANSWER_WITHIN;
            while !asked.is_empty() {
                let left = deadline.saturating_duration_since(HostInstant::now());
                let heard = self.heard.recv_timeout(left).map_err(|_| {
                    let silent: Vec<String> = asked.keys().map(|node| self.name(*node)).collect();
                    HostsError::Environment(format!("{}: no answer", silent.join(", ")))
                })?;
                let (now, now_ns) = (HostInstant::now(), read_ns(ClockId::CLOCK_REALTIME));
                if let Some((node, Answer::Figures { id: theirs, at, .. })) = self.take_in(heard)
                    && theirs == id
                    && let Some(since) = asked.remove(&node)
                {
                    let trip = now.saturating_duration_since(since);
                    let state = &mut self.nodes[node as usize];
                    if state.round_trip.is_zero() || trip < state.round_trip {
                        let then_ns = now_ns - self.origin_ns - (trip.as_nanos() / 2) as i64;
                        state.ahead_ns = at.as_nanos() as i64 - then_ns;
                        state.round_trip = trip;
                    }
                }
                asked.retain(|node, _| self.nodes[*node as usize].console.is_some());
            }
        }
        match self.failed().next() {
            Some((node, why)) => Err(HostsError::Environment(format!("{}: {why}", self.name(node)))),
            None => Ok(()),
        }
    }

    /// Returns the true time at which a node's clock shows `shown`.
    pub(super) fn true_time(&self, node: u32, shown: Instant) -> Instant {
        let Some((_, began_ns)) = self.began else { return Instant::ZERO };
        let ns = shown.as_nanos() as i64 - self.nodes[node as usize].ahead_ns + self.origin_ns - began_ns;
        Instant::from_nanos(u64::try_from(ns).unwrap_or(0))
    }
}
