//! Hand-computed answers, and comparisons with brute force and petgraph on random graphs.

use super::*;
use crate::lp::{Problem, Relation};
use crate::policy::{ViewLink, ViewNode};
use bellini_core::rng::{Seed, Stream};
use std::collections::BTreeSet;

/// Builds a view from `(from, to, delay in ms)`, one direction each; rates unlimited.
pub(crate) fn view(links: &[(u32, u32, u64)]) -> NetworkView {
    let ids: BTreeSet<u32> = links.iter().flat_map(|&(from, to, _)| [from, to]).collect();
    let nodes = ids.into_iter().map(|id| ViewNode {
        id: node(id),
        name: format!("n{id}"),
        region: None,
        egress: None,
        ingress: None,
    });
    let mut links: Vec<_> = links
        .iter()
        .map(|&(from, to, millis)| ViewLink {
            from: node(from),
            to: node(to),
            delay: Duration::from_millis(millis),
            rate: None,
            loss: 0.0,
            usd_per_gb: None,
            measured: None,
        })
        .collect();
    links.sort_by_key(|link| (link.from, link.to));
    NetworkView { nodes: nodes.collect(), links, sessions: Vec::new() }
}

pub(crate) fn node(id: u32) -> NodeId {
    NodeId::new(id).expect("test ids are in range")
}

fn ids(path: &Path) -> Vec<u32> {
    path.nodes.iter().map(|id| id.get()).collect()
}

/// Random links among nodes 1..=`nodes`; few different delays, zero among them, so that ties abound.
fn random_links(stream: &mut Stream, nodes: u32, density: f64) -> Vec<(u32, u32, u64)> {
    let mut links = Vec::new();
    for (from, to) in (1..=nodes).flat_map(|a| (1..=nodes).map(move |b| (a, b))) {
        if from != to && stream.chance(density) {
            links.push((from, to, stream.below(5)));
        }
    }
    links
}

/// Every loopless path with at most `hops` links, best first.
fn brute_force(graph: &Graph, from: NodeId, to: NodeId, hops: usize) -> Vec<Path> {
    fn extend(graph: &Graph, path: &mut Vec<usize>, to: usize, hops: usize, found: &mut Vec<Vec<usize>>) {
        let last = path[path.len() - 1];
        if last == to {
            found.push(path.clone());
        } else if hops > 0 {
            graph.for_each_link(last, Direction::Outgoing, |next, _| {
                if !path.contains(&next) {
                    path.push(next);
                    extend(graph, path, to, hops - 1, found);
                    path.pop();
                }
            });
        }
    }
    let Some((from, to)) = graph.ends(from, to) else { return Vec::new() };
    let mut found = Vec::new();
    extend(graph, &mut vec![from], to, hops, &mut found);
    let path = |indices: Vec<usize>| Path {
        delay: indices.windows(2).fold(Duration::ZERO, |sum, pair| sum + graph.delay(pair[0], pair[1])),
        nodes: indices.into_iter().map(|index| graph.ids[index]).collect(),
    };
    let mut paths: Vec<_> = found.into_iter().map(path).collect();
    paths.sort_by(|a, b| a.rank().cmp(&b.rank()));
    paths
}

#[test]
fn a_detour_wins_when_it_is_faster() {
    let graph = Graph::new(&view(&[(1, 2, 100), (1, 3, 30), (3, 2, 40), (2, 1, 5)]));
    let path = graph.shortest_path(node(1), node(2), None).unwrap();
    assert_eq!((ids(&path), path.delay), (vec![1, 3, 2], Duration::from_millis(70)));
    let direct = graph.shortest_path(node(1), node(2), Some(0)).unwrap();
    assert_eq!(ids(&direct), [1, 2]);
    assert_eq!(graph.shortest_path(node(3), node(3), None), None);
    assert_eq!(graph.shortest_path(node(1), node(9), None), None);
}

#[test]
fn ties_go_to_fewer_hops_and_then_to_smaller_ids() {
    let links = [(1, 4, 20), (4, 9, 20), (1, 3, 20), (3, 9, 20), (1, 2, 10), (2, 5, 10), (5, 9, 20)];
    let paths = Graph::new(&view(&links)).k_shortest_paths(node(1), node(9), 9, None);
    let found: Vec<_> = paths.iter().map(ids).collect();
    assert_eq!(found, [vec![1, 3, 9], vec![1, 4, 9], vec![1, 2, 5, 9]]);
}

#[test]
fn no_path_is_deeper_than_the_header() {
    // Aim: a chain of 17 hops is refused, one of 16 is found.
    let chain: Vec<_> = (1..=17).map(|i| (i, i + 1, 1)).collect();
    let graph = Graph::new(&view(&chain));
    assert_eq!(graph.shortest_path(node(1), node(17), None).unwrap().hops(), MAX_HOPS);
    assert_eq!(graph.shortest_path(node(1), node(18), None), None);
}

#[test]
fn shortest_delays_agree_with_dijkstra() {
    let mut stream = Seed(11).stream("graph:dijkstra");
    for _ in 0..200 {
        let graph = Graph::new(&view(&random_links(&mut stream, 12, 0.25)));
        for (start, &from) in graph.ids.iter().enumerate() {
            let cost = |edge: petgraph::graph::EdgeReference<'_, Duration>| edge.weight().as_nanos();
            let distances = petgraph::algo::dijkstra(graph.as_petgraph(), NodeIndex::new(start), None, cost);
            for (end, &to) in graph.ids.iter().enumerate().filter(|&(end, _)| end != start) {
                let found = graph.shortest_path(from, to, None).map(|path| path.delay.as_nanos());
                assert_eq!(found, distances.get(&NodeIndex::new(end)).copied());
            }
        }
    }
}

#[test]
fn k_shortest_paths_agree_with_brute_force() {
    let mut stream = Seed(12).stream("graph:yen");
    let mut compared = 0;
    for round in 0..300 {
        let graph = Graph::new(&view(&random_links(&mut stream, 7, 0.6)));
        let max_relays = [None, Some(0), Some(1), Some(2)][round % 4];
        let all = brute_force(&graph, node(1), node(2), hop_budget(max_relays));
        for k in [0, 1, 3, 1_000] {
            let found = graph.k_shortest_paths(node(1), node(2), k, max_relays);
            assert_eq!(found, all[..k.min(all.len())]);
            compared += found.len();
        }
        assert_eq!(graph.shortest_path(node(1), node(2), max_relays).as_ref(), all.first());
    }
    assert!(compared > 2_000, "the graphs have enough paths to mean anything: {compared}");
}

#[test]
fn merging_collapses_shared_beginnings_only() {
    let path =
        |nodes: &[u32]| Path { nodes: nodes.iter().map(|&id| node(id)).collect(), delay: Duration::ZERO };
    let route = merge(&[path(&[1, 3, 4]), path(&[1, 3]), path(&[1, 3, 2]), path(&[1, 5, 4, 6])]);
    assert_eq!(route.to_string(), "{3d>{2d,4d},5>4>6d}");
}

#[test]
fn a_steiner_tree_uses_a_shared_link_once() {
    // From 1, each destination is 10 ms away over a link of its own, or behind relay 2: 6 + 5 ms.
    let links = [(1, 3, 10), (1, 4, 10), (1, 5, 10), (1, 2, 6), (2, 3, 5), (2, 4, 5), (2, 5, 5), (3, 4, 8)];
    let graph = Graph::new(&view(&links));
    let destinations = [node(3), node(4), node(5)];
    // The nearest destination is 3 (10 ms, own link); then 4, 8 ms behind 3; then 5 over its own link.
    let tree = graph.steiner_paths(node(1), &destinations, None).unwrap();
    assert_eq!(merge(&tree).to_string(), "{3d>4d,5d}");
    // Without relays only the direct links remain.
    let flat = graph.steiner_paths(node(1), &destinations, Some(0)).unwrap();
    assert_eq!(merge(&flat).to_string(), "{3d,4d,5d}");
    assert_eq!(graph.steiner_paths(node(3), &[node(4), node(1)], None), Err(node(1)));
}

#[test]
fn a_hop_limit_that_chokes_the_tree_leaves_each_destination_its_own_path() {
    // The tree reaches 3 behind 2 (2 ms), which leaves no hop for 4; on its own, 4 is reached over 3 directly.
    let graph = Graph::new(&view(&[(1, 2, 1), (2, 3, 1), (1, 3, 9), (3, 4, 1)]));
    let paths = graph.steiner_paths(node(1), &[node(3), node(4)], Some(1)).unwrap();
    assert_eq!(paths.iter().map(ids).collect::<Vec<_>>(), [vec![1, 2, 3], vec![1, 3, 4]]);
    assert_eq!(merge(&paths).to_string(), "{2>3d,3>4d}");
}

#[test]
fn random_steiner_trees_are_trees() {
    // Aim: each node has one parent, each destination is delivered to once, and the tree is never dearer than
    // the destinations' own paths together.
    let mut stream = Seed(13).stream("graph:steiner");
    let mut grown = 0;
    for _ in 0..300 {
        let graph = Graph::new(&view(&random_links(&mut stream, 10, 0.3)));
        let destinations: Vec<_> = graph.ids.iter().copied().filter(|id| id.get() % 2 == 0).collect();
        let Ok(paths) = graph.steiner_paths(node(1), &destinations, None) else { continue };
        grown += 1;
        let route = merge(&paths);
        assert_eq!(route.destinations(), destinations);
        let (mut entered, mut cost) = (BTreeSet::new(), 0);
        route.for_each_edge(node(1), &mut |from, to| {
            assert!(entered.insert(to), "{to:?} is entered twice in {route}");
            cost += graph.delay(graph.index(from).unwrap(), graph.index(to).unwrap()).as_nanos();
        });
        let alone = |&to: &NodeId| graph.shortest_path(node(1), to, None).unwrap().delay.as_nanos();
        assert!(cost <= destinations.iter().map(alone).sum());
        assert_eq!(graph.steiner_paths(node(1), &destinations, None).unwrap(), paths);
    }
    assert!(grown > 50, "{grown}");
}

/// Aim: the cheapest tree within a bound on delay and hops costs as much as the best of all combinations of paths, on 200
/// random graphs; where no combination is within the bound, there is no tree.
#[test]
fn bounded_trees_agree_with_brute_force() {
    let mut stream = Seed(11).stream("bounded trees");
    let mut infeasible = 0;
    for round in 0..200 {
        let links = random_links(&mut stream, 6, 0.5);
        if links.is_empty() {
            continue;
        }
        let network = Network::of(&view(&links));
        let nodes = network.ids.len();
        let costs: Vec<f64> = network.arcs.iter().map(|_| 1.0 + stream.below(9) as f64).collect();
        let cast = Multicast {
            source: 0,
            destinations: (1..nodes).take(3).collect(),
            bound: stream.below(9) * 1_000_000,
            hops: 1 + stream.below(3) as usize,
        };
        let lists = bounded_paths(&network, &cast);
        let mut open = vec![BTreeSet::new()];
        for list in &lists {
            let longer =
                |arcs: &BTreeSet<usize>, path: &Vec<usize>| arcs.iter().chain(path).copied().collect();
            open = open.iter().flat_map(|arcs| list.iter().map(move |path| longer(arcs, path))).collect();
        }
        let cost = |arcs: &BTreeSet<usize>| arcs.iter().map(|arc| costs[*arc]).sum::<f64>();
        let least = open.iter().map(cost).fold(f64::INFINITY, f64::min);
        let found = cheapest_tree(&network, &cast, &costs, f64::INFINITY);
        assert_eq!(cheapest_tree(&network, &cast, &costs, least + 0.5), found, "round {round}");
        assert_eq!(cheapest_tree(&network, &cast, &costs, least), None, "round {round}");
        infeasible += u32::from(found.is_none());
        let arcs: Option<BTreeSet<usize>> = found.map(|paths| paths.into_iter().flatten().collect());
        assert_eq!(arcs.as_ref().map_or(f64::INFINITY, cost), least, "round {round}");
    }
    assert!((10..190).contains(&infeasible), "{infeasible} of 200 have none");
}

/// Aim: the cheapest coded multicast on 200 random graphs costs what the linear program over all paths at once says; it
/// is never dearer than the cheapest tree, and nothing is found below its own cost.
#[test]
fn coded_multicast_agrees_with_all_paths_at_once() {
    let mut stream = Seed(12).stream("coded multicast");
    let mut gains = 0;
    for round in 0..200 {
        let network = Network::of(&view(&random_links(&mut stream, 7, 0.4)));
        let nodes = network.ids.len();
        let destinations: Vec<usize> = (1..nodes).rev().take(3).collect();
        let cast = Multicast { source: 0, destinations, bound: FAR, hops: 4 };
        let costs: Vec<f64> = network.arcs.iter().map(|_| 1.0 + stream.below(9) as f64).collect();
        let Some(tree) = cheapest_tree(&network, &cast, &costs, f64::INFINITY) else { continue };
        let tree: BTreeSet<usize> = tree.into_iter().flatten().collect();
        let tree: f64 = tree.into_iter().map(|arc| costs[arc]).sum();
        let lists = bounded_paths(&network, &cast);
        let mut problem = Problem::minimize();
        let arcs: Vec<_> = costs.iter().map(|cost| problem.column("", *cost, 0.0, 1.0)).collect();
        for list in &lists {
            let rates: Vec<_> = list.iter().map(|_| (problem.column("", 0.0, 0.0, 1.0), 1.0)).collect();
            problem.row("", &rates, Relation::AtLeast, 1.0);
            for (arc, carried) in arcs.iter().enumerate() {
                let over = list.iter().zip(&rates).filter(|(path, _)| path.contains(&arc));
                let mut terms: Vec<_> = over.map(|(_, rate)| *rate).collect();
                terms.push((*carried, -1.0));
                problem.row("", &terms, Relation::AtMost, 0.0);
            }
        }
        let right = problem.solve().unwrap().objective();
        let flows = cheapest_coded(&lists, &costs, f64::INFINITY).unwrap().expect("there is a tree");
        let mut most = vec![0.0_f64; costs.len()];
        for paths in &flows {
            let mut own = vec![0.0; costs.len()];
            paths.iter().for_each(|(path, rate)| path.iter().for_each(|arc| own[*arc] += rate));
            most.iter_mut().zip(own).for_each(|(most, own)| *most = most.max(own));
            assert!(paths.iter().map(|(_, rate)| rate).sum::<f64>() > 1.0 - 1e-6);
        }
        let cost: f64 = most.iter().zip(&costs).map(|(rate, cost)| rate * cost).sum();
        assert!((cost - right).abs() <= 1e-6 * right, "round {round}: {cost}, {right} over all paths");
        assert!(cost <= tree * (1.0 + 1e-6), "round {round}: {cost}, a tree {tree}");
        assert_eq!(cheapest_coded(&lists, &costs, right * 0.999), Ok(None), "round {round}");
        gains += u32::from(cost < tree * (1.0 - 1e-6));
    }
    println!("coding was cheaper in {gains} of 200");
}
