//! Best paths from every node to one destination, by number of hops.

use super::Graph;
use bellini_core::time::Duration;
use petgraph::Direction;

/// Delay in nanoseconds, then hops: compared in this order.
type Cost = (u64, usize);

/// For each hop budget and node the cost of the best path to one destination.
pub(super) struct Toward {
    destination: usize,
    /// `layers[h][v]`: the cost from `v` with at most `h` hops. The last layer serves all greater budgets: it is
    /// where nothing changed any more, or the greatest budget asked for.
    layers: Vec<Vec<Option<Cost>>>,
    /// Nodes that no path may enter, except at its start.
    blocked: Vec<bool>,
}

impl Toward {
    /// Finds the best paths to `destination` with at most `budget` hops that enter no blocked node.
    pub(super) fn new(graph: &Graph, destination: usize, blocked: &[bool], budget: usize) -> Self {
        let nodes = blocked.len();
        let mut layers = vec![vec![None; nodes]];
        layers[0][destination] = Some((0, 0));
        // Only nodes whose cost fell in the last round can lower that of their neighbours.
        let mut changed = vec![destination];
        while !changed.is_empty() && layers.len() <= budget {
            let last = layers.last().expect("there is a first layer");
            let mut next = last.clone();
            let mut lowered = vec![false; nodes];
            for &node in &changed {
                let cost = last[node].expect("a node that changed has a cost");
                graph.for_each_link(node, Direction::Incoming, |neighbour, delay| {
                    let offered = extend(cost, delay);
                    let open = neighbour != destination && !blocked[neighbour];
                    if open && next[neighbour].is_none_or(|known| offered < known) {
                        next[neighbour] = Some(offered);
                        lowered[neighbour] = true;
                    }
                });
            }
            changed = (0..nodes).filter(|&node| lowered[node]).collect();
            layers.push(next);
        }
        Self { destination, layers, blocked: blocked.to_vec() }
    }

    /// Returns the node indices of the best path from `from`, which may be blocked itself, whose first link does
    /// not lead to a node of `avoid`.
    pub(super) fn walk(
        &self,
        graph: &Graph,
        from: usize,
        budget: usize,
        avoid: &[usize],
    ) -> Option<Vec<usize>> {
        let mut path = vec![from];
        let (mut node, mut budget) = (from, budget);
        while node != self.destination {
            budget = budget.checked_sub(1)?;
            let layer = &self.layers[budget.min(self.layers.len() - 1)];
            let mut best: Option<(Cost, usize)> = None;
            graph.for_each_link(node, Direction::Outgoing, |neighbour, delay| {
                let refused = self.blocked[neighbour] && neighbour != self.destination
                    || node == from && avoid.contains(&neighbour);
                if let (false, Some(cost)) = (refused, layer[neighbour]) {
                    let offered = (extend(cost, delay), neighbour);
                    // Equal costs: the smaller index, which is the smaller id.
                    best = Some(best.map_or(offered, |known| known.min(offered)));
                }
            });
            node = best?.1;
            path.push(node);
        }
        Some(path)
    }
}

fn extend((nanos, hops): Cost, delay: Duration) -> Cost {
    (nanos.saturating_add(delay.as_nanos()), hops + 1)
}
