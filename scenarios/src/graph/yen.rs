//! Yen's algorithm.

use super::search::Toward;
use super::{Graph, Path};
use bellini_core::ids::NodeId;

/// Returns the `k` best loopless paths between two different nodes, given by index, with at most `budget` hops.
pub(super) fn paths(graph: &Graph, from: usize, to: usize, k: usize, budget: usize) -> Vec<Path> {
    let mut found: Vec<Path> = Vec::new();
    // Sorted, worst first: the next best is popped from its end.
    let mut candidates: Vec<Path> = Vec::new();
    candidates.extend(spur(graph, &[graph.ids[from]], to, budget, &[]));
    while found.len() < k {
        let Some(best) = candidates.pop() else { break };
        // Each path yet unfound leaves the found ones at some first node: for each node of the newest path, find
        // the best path that agrees with it up to there and goes on otherwise than all found so far.
        found.push(best);
        let newest = &found[found.len() - 1].nodes;
        for end in 1..newest.len() {
            let root = &newest[..end];
            let Some(path) = spur(graph, root, to, budget, &found) else { continue };
            if let Err(at) = candidates.binary_search_by(|known| path.rank().cmp(&known.rank())) {
                candidates.insert(at, path);
            }
        }
    }
    found
}

/// Returns the best path that begins with `root` and leaves it by another link than any path of `found`.
fn spur(graph: &Graph, root: &[NodeId], to: usize, budget: usize, found: &[Path]) -> Option<Path> {
    let index = |id: NodeId| graph.index(id).expect("paths consist of nodes of the graph");
    let mut blocked = vec![false; graph.ids.len()];
    for &id in root {
        blocked[index(id)] = true;
    }
    let avoid: Vec<_> = found
        .iter()
        .filter(|path| path.nodes.len() > root.len() && path.nodes.starts_with(root))
        .map(|path| index(path.nodes[root.len()]))
        .collect();
    let budget = budget.checked_sub(root.len() - 1)?;
    let start = index(root[root.len() - 1]);
    let tail = graph.path_from(&Toward::new(graph, to, &blocked, budget), start, budget, &avoid)?;
    let mut delay = tail.delay;
    for pair in root.windows(2) {
        delay += graph.delay(index(pair[0]), index(pair[1]));
    }
    let nodes = root.iter().copied().chain(tail.nodes.into_iter().skip(1)).collect();
    Some(Path { nodes, delay })
}
