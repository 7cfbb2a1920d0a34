//! The network as a graph: shortest paths, k shortest paths and trees by delay.
//!
//! A [`Graph`] is built from a [`NetworkView`] and answers with [`Path`]s, which [`merge`] turns into one
//! [`Route`](bellini_core::route::Route). Paths are ordered by (delay, hops, node ids), a total order, so that every answer is unique: the
//! same view gives the same routes on every machine, whatever ties there are. No path is longer than
//! [`MAX_HOPS`], the depth that the routing header can carry.
//!
//! A [`Network`] adds capacities: of links, and of what nodes send and receive. On it [`cheapest_tree`] and
//! [`bounded_paths`] keep to delay bounds, and [`cheapest_coded`] mixes such paths.
//!
//! Shortest paths come from the Bellman-Ford recursion by number of hops (`search`), not from Dijkstra's
//! algorithm: limits on hops and on the relays of a path are then exact, and on meshes of datacenters it stops
//! after two or three rounds, each as cheap as Dijkstra's pass over the links.

mod bounded;
mod capacity;
mod coded;
mod search;
mod tree;
mod yen;

pub use bounded::{Multicast, bounded_paths, cheapest_tree};
pub use capacity::{FAR, Link, Network, Resource};
pub use coded::{Conceptual, cheapest_coded};
pub use tree::merge;

use crate::policy::NetworkView;
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use search::Toward;

/// Most hops from a source to a destination: the routing header refuses Pathlets nested deeper.
pub const MAX_HOPS: usize = 16;

/// Nodes and links with their delays.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Node indices are in the order of node ids; of parallel links only the fastest is kept.
    graph: DiGraph<NodeId, Duration>,
    /// Ids by node index, sorted.
    ids: Vec<NodeId>,
}

/// A path without loops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Its nodes, from the source to the destination, both included.
    pub nodes: Vec<NodeId>,
    /// The sum of its links' delays.
    pub delay: Duration,
}

impl Path {
    /// Returns the number of its links.
    #[must_use]
    pub fn hops(&self) -> usize {
        self.nodes.len() - 1
    }

    /// What paths are ordered by: delay, then hops, then the node ids from the source on.
    fn rank(&self) -> (Duration, usize, &[NodeId]) {
        (self.delay, self.hops(), &self.nodes)
    }
}

impl Graph {
    /// Returns the graph of `view`; links from or to nodes that the view does not list are left out.
    #[must_use]
    pub fn new(view: &NetworkView) -> Self {
        let mut ids: Vec<_> = view.nodes.iter().map(|node| node.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut graph = DiGraph::with_capacity(ids.len(), view.links.len());
        for &id in &ids {
            graph.add_node(id);
        }
        let mut links: Vec<_> = view.links.iter().map(|link| (link.from, link.to, link.delay)).collect();
        links.sort_unstable();
        // Sorted by (from, to, delay): the first of several parallel links is the fastest.
        links.dedup_by_key(|&mut (from, to, _)| (from, to));
        let position = |id: NodeId| ids.binary_search(&id).ok().map(NodeIndex::new);
        for (from, to, delay) in links {
            if let (Some(from), Some(to)) = (position(from), position(to))
                && from != to
            {
                graph.add_edge(from, to, delay);
            }
        }
        Self { graph, ids }
    }

    /// Returns the petgraph graph, for algorithms of one's own: nodes in order of their ids, edges weighted with
    /// the one-way delay.
    #[must_use]
    pub fn as_petgraph(&self) -> &DiGraph<NodeId, Duration> {
        &self.graph
    }

    /// Returns the best path from `from` to `to` with at most `max_relays` nodes between them.
    ///
    /// `None` when there is no such path, when either node is unknown, or when they are the same.
    #[must_use]
    pub fn shortest_path(&self, from: NodeId, to: NodeId, max_relays: Option<usize>) -> Option<Path> {
        let (from, to) = self.ends(from, to)?;
        let mut blocked = vec![false; self.ids.len()];
        blocked[from] = true;
        let budget = hop_budget(max_relays);
        self.path_from(&Toward::new(self, to, &blocked, budget), from, budget, &[])
    }

    /// Returns the `k` best loopless paths from `from` to `to`, best first, each with at most `max_relays` nodes
    /// between them; fewer when there are no more.
    ///
    /// Source: Yen, Finding the k shortest loopless paths in a network, Management Science 17 (1971).
    #[must_use]
    pub fn k_shortest_paths(
        &self,
        from: NodeId,
        to: NodeId,
        k: usize,
        max_relays: Option<usize>,
    ) -> Vec<Path> {
        match self.ends(from, to) {
            Some((from, to)) => yen::paths(self, from, to, k, hop_budget(max_relays)),
            None => Vec::new(),
        }
    }

    /// Returns the path from `source` to each destination of a tree whose links add up to little delay: links
    /// that several destinations need are used once. [`merge`] makes a route of it.
    ///
    /// The tree grows from the source by the best path from any of its nodes to the nearest destination that it
    /// does not reach yet (shortest-path heuristic of Takahashi and Matsuyama, An approximate solution for the
    /// Steiner problem in graphs, Math. Japonica 24, 1980; on undirected graphs within twice the optimum). Where
    /// `max_relays` leaves such a tree no way to a destination, each destination gets its own best path instead.
    ///
    /// # Errors
    /// The first destination, in the order given, that no path reaches.
    pub fn steiner_paths(
        &self,
        source: NodeId,
        destinations: &[NodeId],
        max_relays: Option<usize>,
    ) -> Result<Vec<Path>, NodeId> {
        tree::steiner_paths(self, source, destinations, max_relays)
    }

    /// Returns the indices of two different known nodes.
    fn ends(&self, from: NodeId, to: NodeId) -> Option<(usize, usize)> {
        if from == to {
            return None;
        }
        Some((self.index(from)?, self.index(to)?))
    }

    fn index(&self, id: NodeId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// Calls `visit(neighbour, delay)` for the links that leave (`Outgoing`) or reach (`Incoming`) a node.
    fn for_each_link(&self, node: usize, direction: Direction, mut visit: impl FnMut(usize, Duration)) {
        for edge in self.graph.edges_directed(NodeIndex::new(node), direction) {
            let end = if direction == Direction::Outgoing { edge.target() } else { edge.source() };
            visit(end.index(), *edge.weight());
        }
    }

    /// Returns the best path that starts with a link from `from` to a node outside `avoid` and follows `toward`.
    fn path_from(&self, toward: &Toward, from: usize, budget: usize, avoid: &[usize]) -> Option<Path> {
        let indices = toward.walk(self, from, budget, avoid)?;
        let delay = indices.windows(2).fold(Duration::ZERO, |sum, pair| sum + self.delay(pair[0], pair[1]));
        Some(Path { nodes: indices.into_iter().map(|index| self.ids[index]).collect(), delay })
    }

    /// Returns the delay of a link.
    ///
    /// # Panics
    /// If there is none between the two nodes.
    fn delay(&self, from: usize, to: usize) -> Duration {
        let edge = self.graph.find_edge(NodeIndex::new(from), NodeIndex::new(to));
        self.graph[edge.expect("paths follow links")]
    }
}

/// Returns the most hops that `max_relays` relays allow.
fn hop_budget(max_relays: Option<usize>) -> usize {
    max_relays.map_or(MAX_HOPS, |relays| relays.saturating_add(1).min(MAX_HOPS))
}

#[cfg(test)]
pub(crate) mod tests;
