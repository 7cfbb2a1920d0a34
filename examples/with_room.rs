//! A routing policy of one's own that looks at what the others send, in a binary that has every `bellini` subcommand.
//!
//! `shortest-delay` sends every session over its fastest path, also when that is full. `with-room` gives each session the
//! fastest path that still has room for it. One word changes from the first line to the second:
//!
//! ```sh
//! cargo run --example with_room -- sim scenarios/policies/rush-hour.json
//! cargo run --example with_room -- sim scenarios/policies/rush-hour.json --set 'defaults.session.routing="with-room"'
//! ```

use bellini::graph::{Graph, Path, merge};
use bellini::policy::{PolicyError, Request, RouteChoice, Routing, ViewSession};
use bellini::{NodeId, Registry};
use std::collections::{BTreeMap, BTreeSet};

/// Content comes in bursts: only so much of a link's rate is given away.
const FILL: f64 = 0.8;
/// How many paths to each destination are looked at, and how many nodes may lie between its ends.
const PATHS: usize = 8;
const RELAYS: usize = 2;

/// What each link can still take, in bit/s.
type Room = BTreeMap<(NodeId, NodeId), f64>;

struct WithRoom;

impl Routing for WithRoom {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let graph = Graph::new(request.view);
        let mut room: Room = BTreeMap::new();
        for link in &request.view.links {
            // A link without a rate takes everything.
            let rate = link.rate.map_or(f64::INFINITY, |rate| rate.as_bps() as f64);
            room.insert((link.from, link.to), FILL * rate);
        }
        // Sessions take their places in order of their ids. Whichever of them asks, it sees all of them and comes to the
        // same places for those before it: nobody has to tell anybody anything.
        for session in &request.view.sessions {
            let paths = place(&graph, session, &mut room);
            if session.key == request.session {
                return Ok(vec![merge(&paths?).into()]);
            }
        }
        Err(PolicyError::Other(format!("session {} is not in the view", request.session)))
    }

    /// Asks to be asked again when any session comes or goes.
    fn minds_others(&self) -> bool {
        true
    }
}

/// Finds a path to each destination of a session, and takes what the session needs from the links' room.
fn place(graph: &Graph, session: &ViewSession, room: &mut Room) -> Result<Vec<Path>, PolicyError> {
    let payload = session.rate.map_or(0.0, |rate| rate.as_bps() as f64);
    let needs = payload * (1.0 + f64::from(session.header_bytes) / f64::from(session.symbol_bytes));
    let mut taken = BTreeSet::new();
    let mut paths = Vec::new();
    for &to in &session.destinations {
        let mut candidates = graph.k_shortest_paths(session.source, to, PATHS, Some(RELAYS));
        // The room of a path is that of its fullest link; where this session has a packet already, another branch is free.
        let least = |path: &Path| {
            let links = links(path).filter(|link| !taken.contains(link));
            links.map(|link| room[&link]).fold(f64::INFINITY, f64::min)
        };
        let best = match candidates.iter().position(|path| least(path) >= needs) {
            Some(fastest) => candidates.swap_remove(fastest),
            None => (candidates.into_iter().max_by(|a, b| least(a).total_cmp(&least(b))))
                .ok_or(PolicyError::Unreachable { from: session.source, to })?,
        };
        taken.extend(links(&best));
        paths.push(best);
    }
    for link in taken {
        room.entry(link).and_modify(|room| *room -= needs);
    }
    Ok(paths)
}

fn links(path: &Path) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
    path.nodes.windows(2).map(|pair| (pair[0], pair[1]))
}

fn main() -> std::process::ExitCode {
    bellini::cli::run(Registry::builtin().routing("with-room", || Box::new(WithRoom)))
}
