//! Trees: paths merged into one route, and the Steiner heuristic.

use super::search::Toward;
use super::{Graph, Path, hop_budget};
use bellini_core::ids::NodeId;
use bellini_core::route::{Branch, Route};
use bellini_core::time::Duration;

/// Returns the route that follows all `paths` from their common source and delivers at the end of each.
///
/// Shared beginnings collapse, so that a packet crosses them once; siblings are in order of their ids. Paths that part
/// and meet again stay apart: each destination is reached exactly along its own path.
#[must_use]
pub fn merge(paths: &[Path]) -> Route {
    let mut route = Route { branches: Vec::new() };
    for path in paths {
        let mut branches = &mut route.branches;
        for (i, &node) in path.nodes.iter().enumerate().skip(1) {
            let at = branches.binary_search_by_key(&node, |branch| branch.node).unwrap_or_else(|at| {
                branches.insert(at, Branch { node, deliver: false, next: Vec::new() });
                at
            });
            branches[at].deliver |= i + 1 == path.nodes.len();
            branches = &mut branches[at].next;
        }
    }
    route
}

/// See [`Graph::steiner_paths`].
pub(super) fn steiner_paths(
    graph: &Graph,
    source: NodeId,
    destinations: &[NodeId],
    max_relays: Option<usize>,
) -> Result<Vec<Path>, NodeId> {
    let own = |&to: &NodeId| graph.shortest_path(source, to, max_relays).ok_or(to);
    // Each destination's own path first: it tells who is unreachable, and is what remains if the tree gets stuck.
    let alone: Vec<_> = destinations.iter().map(own).collect::<Result<_, _>>()?;
    Ok(grow(graph, source, destinations, hop_budget(max_relays)).unwrap_or(alone))
}

/// Grows the tree; `None` when the hop budget cuts off a destination.
fn grow(graph: &Graph, source: NodeId, destinations: &[NodeId], budget: usize) -> Option<Vec<Path>> {
    // By node index: the path along the tree from the source.
    let mut reached: Vec<Option<Path>> = vec![None; graph.ids.len()];
    reached[graph.index(source)?] = Some(Path { nodes: vec![source], delay: Duration::ZERO });
    let mut missing: Vec<usize> = destinations.iter().filter_map(|&id| graph.index(id)).collect();
    loop {
        missing.retain(|&index| reached[index].is_none());
        if missing.is_empty() {
            break;
        }
        let graft = best_graft(graph, &reached, &missing, budget)?;
        let start = graph.index(graft.nodes[0]).expect("grafts start in the tree");
        let mut path = reached[start].clone().expect("grafts start in the tree");
        for &id in &graft.nodes[1..] {
            let index = graph.index(id).expect("paths consist of nodes of the graph");
            let last = graph.index(path.nodes[path.nodes.len() - 1]).expect("likewise");
            path.delay += graph.delay(last, index);
            path.nodes.push(id);
            reached[index] = Some(path.clone());
        }
    }
    destinations.iter().map(|&id| reached[graph.index(id)?].clone()).collect()
}

/// Returns the best path from any node of the tree to any missing destination, through no node of the tree.
fn best_graft(graph: &Graph, reached: &[Option<Path>], missing: &[usize], budget: usize) -> Option<Path> {
    let blocked: Vec<_> = reached.iter().map(Option::is_some).collect();
    let mut best: Option<Path> = None;
    for &destination in missing {
        let toward = Toward::new(graph, destination, &blocked, budget);
        for (start, path) in reached.iter().enumerate() {
            let Some(left) = path.as_ref().and_then(|path| budget.checked_sub(path.hops())) else { continue };
            let Some(graft) = graph.path_from(&toward, start, left, &[]) else { continue };
            if best.as_ref().is_none_or(|known| graft.rank() < known.rank()) {
                best = Some(graft);
            }
        }
    }
    best
}
