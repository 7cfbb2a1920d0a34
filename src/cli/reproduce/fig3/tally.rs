//! Counts of recorded packets: by edge and flow, and whether they add up at every node.

use super::capture::Seen;
use bellini_sim::tap::Place;
use std::collections::{BTreeMap, BTreeSet};

/// A directed edge of a flow: flow, sender, receiver.
pub(super) type Edge = (u32, u32, u32);

/// What was seen on an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) sent: u64,
    pub(super) sent_bytes: u64,
    pub(super) arrived: u64,
    pub(super) arrived_bytes: u64,
    /// Of those sent: further copies of packets that the sender sent elsewhere before.
    pub(super) copies: u64,
}

/// What was seen at a node, of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AtNode {
    /// Packets that came.
    pub(super) arrived: u64,
    /// Packets that those asked it to send on, by their routing headers.
    pub(super) owed: u64,
    /// Packets that it sent.
    pub(super) sent: u64,
    /// Distinct emissions among those sent: at a source, packets that drew the flow.
    pub(super) emissions: u64,
    /// Packets that came and are for it.
    pub(super) for_it: u64,
}

/// All counts of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) edges: BTreeMap<Edge, Count>,
    /// By flow and node.
    pub(super) nodes: BTreeMap<(u32, u32), AtNode>,
    /// Packets that arrived on an edge on which they were not sent, or more often than they were.
    pub(super) unsent: u64,
    /// Symbols that came to each destination, each once.
    pub(super) symbols: BTreeMap<u32, u64>,
    /// The flow that each emission drew, by number.
    pub(super) draws: BTreeMap<u64, u32>,
}

impl Tally {
    /// Counts the packets of a session whose source is `source`.
    pub(super) fn of(packets: &[Seen], source: u32) -> Self {
        let mut tally = Self::default();
        let mut sent: BTreeMap<(Edge, u64), u64> = BTreeMap::new();
        let mut emitted: BTreeSet<(u32, u32, u64)> = BTreeSet::new();
        let mut symbols: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
        for it in packets.iter().filter(|it| it.place == Place::Sent) {
            let edge = tally.edges.entry((it.flow, it.from, it.to)).or_default();
            edge.sent += 1;
            edge.sent_bytes += it.bytes;
            *sent.entry(((it.flow, it.from, it.to), it.number)).or_default() += 1;
            let is_first = emitted.insert((it.flow, it.from, it.number));
            edge.copies += u64::from(!is_first);
            let node = tally.nodes.entry((it.flow, it.from)).or_default();
            node.sent += 1;
            node.emissions += u64::from(is_first);
            if it.from == source {
                tally.draws.insert(it.number, it.flow);
            }
        }
        // Clocks of nodes may differ, so what arrived is looked at when all that was sent is known.
        for it in packets.iter().filter(|it| it.place == Place::Arrived) {
            let edge = tally.edges.entry((it.flow, it.from, it.to)).or_default();
            edge.arrived += 1;
            edge.arrived_bytes += it.bytes;
            match sent.get_mut(&((it.flow, it.from, it.to), it.number)).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => tally.unsent += 1,
            }
            let node = tally.nodes.entry((it.flow, it.to)).or_default();
            node.arrived += 1;
            node.owed += it.branch.next.len() as u64;
            if it.branch.deliver {
                node.for_it += 1;
                symbols.entry(it.to).or_default().insert(it.symbol);
            }
        }
        tally.symbols = symbols.into_iter().map(|(node, symbols)| (node, symbols.len() as u64)).collect();
        tally
    }

    /// Returns how many packets drew each flow at the source.
    pub(super) fn drawn(&self) -> BTreeMap<u32, u64> {
        let mut all = BTreeMap::new();
        for flow in self.draws.values() {
            *all.entry(*flow).or_default() += 1;
        }
        all
    }

    /// Returns the nodes that pass packets of a flow on, the source left out, with their counts.
    pub(super) fn relays(&self, source: u32) -> impl Iterator<Item = ((u32, u32), AtNode)> + '_ {
        let passing =
            move |(key, at): &(&(u32, u32), &AtNode)| key.1 != source && (at.owed > 0 || at.sent > 0);
        self.nodes.iter().filter(passing).map(|(key, at)| (*key, *at))
    }
}

/// Returns the ends of the 95 % interval of a share, `k` of `n`, by Wilson's score.
pub(super) fn wilson(k: u64, n: u64) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_964;
    if n == 0 {
        return None;
    }
    let (n, p) = (n as f64, k as f64 / n as f64);
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some((middle - half, middle + half))
}

/// Returns the range in which a share of `n` draws with probability `p` lies with 99.9 % (normal approximation).
pub(super) fn expected(p: f64, n: u64) -> (f64, f64) {
    let half = 3.290_527 * (p * (1.0 - p) / n.max(1) as f64).sqrt();
    (p - half, p + half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::route::Route;

    fn seen(place: Place, (from, to): (u32, u32), number: u64, route: &str) -> Seen {
        let branch = Route::parse(route).expect("a route").branches.remove(0);
        Seen { t_s: number as f64, place, from, to, flow: 0, number, symbol: number, bytes: 100, branch }
    }

    /// Aim: copies, what a relay owes, what arrived out of nowhere and what came twice are told apart.
    #[test]
    fn counts_of_a_small_tree() {
        use Place::{Arrived, Sent};
        let packets = [
            seen(Sent, (1, 3), 7, "3>{2d,4d}"),
            seen(Arrived, (1, 3), 7, "3>{2d,4d}"),
            seen(Sent, (3, 2), 7, "2d"),
            seen(Sent, (3, 4), 7, "4d"),
            seen(Arrived, (3, 2), 7, "2d"),
            // Nobody sent these two.
            seen(Arrived, (3, 2), 7, "2d"),
            seen(Arrived, (3, 4), 8, "4d"),
        ];
        let tally = Tally::of(&packets, 1);
        assert_eq!(tally.unsent, 2);
        let relay = tally.nodes[&(0, 3)];
        assert_eq!((relay.arrived, relay.owed, relay.sent, relay.emissions), (1, 2, 2, 1));
        assert_eq!((tally.edges[&(0, 3, 2)].copies, tally.edges[&(0, 3, 4)].copies), (0, 1));
        assert_eq!(tally.symbols, BTreeMap::from([(2, 1), (4, 1)]));
        assert_eq!(tally.drawn(), BTreeMap::from([(0, 1)]));
        assert_eq!(tally.relays(1).count(), 1);
    }

    /// Aim: Wilson's interval, worked by hand: 0 of 10 ends at z^2 / (n + z^2).
    #[test]
    fn intervals_of_shares() {
        let (low, high) = wilson(0, 10).expect("draws");
        let z2 = 1.959_964_f64 * 1.959_964;
        assert!(low.abs() < 1e-12 && (high - z2 / (10.0 + z2)).abs() < 1e-12, "{low} {high}");
        assert_eq!(wilson(0, 0), None);
        assert!((expected(0.5, 100).1 - 0.5 - 0.164_526).abs() < 1e-5);
    }
}
