//! What a node still has to send: the end of a run does not lose it.

use bellini_core::Node;
use bellini_core::ids::{Epoch, NodeId, SessionKey};
use bellini_core::time::Instant;
use bellini_core::wire::packet::{PacketFlags, PacketHeader};
use bellini_core::wire::routing;
use std::collections::{BTreeMap, BTreeSet};

/// Most symbols of which a process tells: the rest counts as lost.
const TOLD_MAX: usize = 200_000;

/// A symbol that is still to come: session, destination, epoch, number, and the time at which it was offered, in
/// nanoseconds on its source's clock.
pub type Waiting = (SessionKey, NodeId, Epoch, u64, u64);

/// Collects the symbols that are still to come, once each, whatever many packets they wait in.
#[derive(Clone, Debug, Default)]
pub struct WaitingSymbols(BTreeSet<Waiting>);

impl WaitingSymbols {
    /// Takes in what waits in a node: in its feeders, and at sources of reliable sessions.
    pub fn add_node(&mut self, node: &Node) {
        for feeder in node.hops().iter().filter_map(|hop| hop.feeder.as_ref()) {
            feeder.for_each_queued(&mut |packet| self.add_packet(packet.header.packet()));
        }
        // What a reliable source holds for a destination is still to come.
        for entry in node.sessions() {
            let Some(source) = &entry.source else { continue };
            let Some(sender) = &source.reliable else { continue };
            for symbol in sender.base()..sender.next_symbol() {
                let Some(held) = sender.held(symbol) else { continue };
                for lacking in sender.destinations().filter(|destination| !destination.has(symbol)) {
                    let timestamp = held.timestamp.as_nanos();
                    self.0.insert((entry.key, lacking.node, source.epoch, symbol, timestamp));
                }
            }
            if let Some((symbol, _)) = &source.pending {
                for destination in sender.destinations() {
                    let timestamp = symbol.timestamp.as_nanos();
                    self.0.insert((entry.key, destination.node, source.epoch, symbol.id, timestamp));
                }
            }
        }
    }

    /// Takes in a packet, from its own header on; what is none is left out.
    pub fn add_packet(&mut self, header: &[u8]) {
        let Ok((packet, routing)) = PacketHeader::parse(header) else { return };
        if packet.flags.contains(PacketFlags::ACKNOWLEDGEMENT) {
            return;
        }
        let Ok((_, behind)) = routing::split_first(routing) else { return };
        let Ok(route) = routing::decode(&routing[..routing.len() - behind.len()]) else { return };
        for node in route.destinations() {
            self.0.insert((packet.key, node, packet.epoch, packet.symbol, packet.timestamp_ns));
        }
    }

    /// Returns them in order.
    pub fn iter(&self) -> impl Iterator<Item = Waiting> + '_ {
        self.0.iter().copied()
    }

    /// Returns the times at which they were offered, by session and destination, in short: sorted, and the nanoseconds
    /// from one to the next.
    #[must_use]
    pub(super) fn times(&self) -> Vec<(SessionKey, NodeId, Vec<u64>)> {
        let mut all: BTreeMap<(SessionKey, NodeId), Vec<u64>> = BTreeMap::new();
        for (key, node, .., timestamp) in self.iter().take(TOLD_MAX) {
            all.entry((key, node)).or_default().push(timestamp);
        }
        let steps = all.into_iter().map(|((key, node), mut times)| {
            times.sort_unstable();
            let mut last = 0;
            times.iter_mut().for_each(|time| *time -= std::mem::replace(&mut last, *time));
            (key, node, times)
        });
        steps.collect()
    }
}

/// Returns how many of the symbols of [`super::ProcessFigures::waiting`] were offered from `from` until `to`.
#[must_use]
pub(super) fn waiting_within(steps: &[u64], from: Instant, to: Instant) -> u64 {
    let mut time = 0_u64;
    let within = steps.iter().filter(|step| {
        time = time.saturating_add(**step);
        (from.as_nanos()..to.as_nanos()).contains(&time)
    });
    within.count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: times survive the way as distances, by session and destination, and only those within the window count.
    #[test]
    fn times_within_a_window() {
        let (key, node) = (SessionKey::new(1, 2), |id| NodeId::new(id).expect("a legal id"));
        let of = |to, symbol, time| (key, node(to), Epoch(1), symbol, time);
        // In order of symbols, which is not that of times.
        let all = [of(4, 1, 900), of(4, 2, 300), of(4, 3, 600), of(5, 1, 900)];
        let waiting = WaitingSymbols(all.into_iter().collect());
        let times = waiting.times();
        assert_eq!(times, [(key, node(4), vec![300, 300, 300]), (key, node(5), vec![900])]);
        let within =
            |from, to| waiting_within(&times[0].2, Instant::from_nanos(from), Instant::from_nanos(to));
        assert_eq!((within(0, 1_000), within(300, 900), within(301, 600), within(0, 300)), (3, 2, 0, 0));
    }
}
