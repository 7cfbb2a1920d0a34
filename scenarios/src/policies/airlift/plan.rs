//! The plan for all sessions: a linear program over patterns, which are made as they are needed.
//!
//! Rows: every resource, every session's rate. Columns: patterns. New ones are sought at the prices of the last solution:
//! first the cheapest tree of each session, then, where no tree is worth its price, the cheapest coded multicast. When
//! neither improves the solution, it is the best of all patterns (Dantzig and Wolfe, Decomposition principle for linear
//! programs, Operations Research 8, 1960).

use super::demand::Demand;
use super::master::Master;
use super::pattern::{Flow, Pattern, peel};
use crate::graph::{FAR, Multicast, Network, bounded_paths, cheapest_coded, cheapest_tree};
use crate::lp::LpError;
use bellini_core::route::Route;

/// What a plan makes as large as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// The sum of all sessions' rates.
    Total,
    /// The least rate (as a part of what is wanted, where all sessions say what they want), then the least of the
    /// others, and so on.
    MaxMin,
    /// The sum of the logarithms of all rates.
    Proportional,
}

/// Rounds of new patterns for one objective.
const ROUNDS_MAX: usize = 1_000;
/// Patterns from which on no more are sought: what there is then is a plan, if not the best one.
const PATTERNS_MAX: usize = 20_000;
/// Levels at which rates are frozen one after the other; what is left then stays at the last.
const LEVELS_MAX: usize = 24;
/// By what part of a session's value a pattern must be cheaper, to be worth a column. Where none is, no plan is better
/// by more than this part.
const IMPROVES: f64 = 5e-7;

/// Plans for a network and its sessions.
pub(super) struct Planner<'a> {
    pub(super) network: &'a Network,
    pub(super) demands: &'a [Demand],
    /// Whether arcs of coded patterns count as theory has it, and not as our flows load them.
    pub(super) is_ideal: bool,
    /// Of all sessions, in the order in which they were made.
    pub(super) patterns: Vec<(usize, Pattern)>,
    /// By session, for coding: paths to each destination.
    paths: Vec<Option<Vec<Vec<Vec<usize>>>>>,
    /// Rates that no session is given more than; only met where nothing limits one.
    pub(super) ceiling: f64,
    pub(super) rounds: usize,
}

/// What one linear program said.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// By session: payload bits a second.
    pub(super) rates: Vec<f64>,
    /// By pattern.
    pub(super) uses: Vec<f64>,
    /// By resource: what a bit of it more would be worth.
    pub(super) prices: Vec<f64>,
    /// By session: what a bit of its rate is worth.
    pub(super) values: Vec<f64>,
    /// By session: whether its rate is held at a level that it could not rise above.
    pub(super) held: Vec<f64>,
    pub(super) objective: f64,
    /// What no plan can be better than.
    pub(super) bound: f64,
}

impl<'a> Planner<'a> {
    /// Prepares a plan: every session has its tree of least delay.
    ///
    /// # Errors
    /// The places of sessions that no tree within their bounds serves.
    pub(super) fn new(
        network: &'a Network,
        demands: &'a [Demand],
        is_ideal: bool,
    ) -> Result<Self, Vec<usize>> {
        let all: f64 = network.resources.iter().map(|resource| resource.bps).sum();
        let wanted: f64 = demands.iter().filter_map(|demand| demand.wanted).sum();
        let mut planner = Self {
            network,
            demands,
            is_ideal,
            patterns: Vec::new(),
            paths: vec![None; demands.len()],
            ceiling: 2.0 * all.max(wanted).max(1e6),
            rounds: 0,
        };
        let delays: Vec<f64> = network.arcs.iter().map(|arc| arc.delay as f64 + 1.0).collect();
        // And one of least load: that saves rounds.
        let load = |arc: &crate::graph::Link| {
            let parts = arc.uses.iter().map(|resource| 1e6 / network.resources[*resource].bps);
            parts.sum::<f64>() + arc.delay as f64 * 1e-15 + 1e-9
        };
        let loads: Vec<f64> = network.arcs.iter().map(load).collect();
        let mut without = Vec::new();
        for (at, demand) in demands.iter().enumerate() {
            match cheapest_tree(network, &demand.cast, &delays, f64::INFINITY) {
                Some(tree) => {
                    let light = cheapest_tree(network, &demand.cast, &loads, f64::INFINITY);
                    let light = light.filter(|light| *light != tree);
                    for tree in [Some(tree), light].into_iter().flatten() {
                        let pattern = planner.tree(at, tree);
                        planner.patterns.push((at, pattern));
                    }
                }
                None => without.push(at),
            }
        }
        if without.is_empty() { Ok(planner) } else { Err(without) }
    }

    /// Returns the pattern of a tree.
    fn tree(&self, session: usize, paths: Vec<Vec<usize>>) -> Pattern {
        let demand = &self.demands[session];
        let alone = paths.iter().map(|path| vec![(path.clone(), 1.0)]).collect::<Vec<_>>();
        let mut pattern = Pattern::new(vec![Flow { share: 1.0, paths }], demand, self.network);
        if self.is_ideal {
            pattern.loads = Pattern::ideal(&alone, demand, self.network);
        }
        pattern
    }

    /// Finds the best plan for an objective in which no session has less than its floor.
    pub(super) fn solve(&mut self, objective: Objective, floors: &[f64]) -> Result<Answer, LpError> {
        match objective {
            Objective::Total => {
                let mut master = Master::new(self, objective, floors, &[], f64::INFINITY);
                self.generate(&mut master)
            }
            Objective::MaxMin => {
                let wanted: Option<Vec<f64>> = self.demands.iter().map(|demand| demand.wanted).collect();
                let weights = wanted.unwrap_or_else(|| vec![1e6; self.demands.len()]);
                Ok(self.levels(&weights, f64::INFINITY, floors)?.0)
            }
            Objective::Proportional => self.proportional(floors),
        }
    }

    /// Raises all rates together, by their weights; those that cannot rise further stay, the others go on, up to a level
    /// of `most`. Returns the last answer, and the answer at which each session was stopped, if any.
    pub(super) fn levels(
        &mut self,
        weights: &[f64],
        most: f64,
        floors: &[f64],
    ) -> Result<(Answer, Vec<Option<Answer>>), LpError> {
        let mut frozen: Vec<Option<f64>> = vec![None; self.demands.len()];
        let mut stopped: Vec<Option<Answer>> = vec![None; self.demands.len()];
        for at in weights.iter().enumerate().filter(|(_, weight)| **weight == 0.0).map(|(at, _)| at) {
            frozen[at] = Some(0.0);
        }
        let mut master = Master::new(self, Objective::MaxMin, floors, weights, most);
        for (at, frozen) in frozen.iter().enumerate().filter(|(_, frozen)| frozen.is_some()) {
            master.freeze(at, frozen.unwrap_or(0.0));
        }
        for round in 0.. {
            let answer = self.generate(&mut master)?;
            let level = answer.objective;
            let is_last = round + 1 == LEVELS_MAX || level >= most * (1.0 - 1e-9);
            let highest = answer.held.iter().copied().fold(0.0, f64::max);
            let mut is_open = false;
            for at in 0..frozen.len() {
                if frozen[at].is_some() {
                    continue;
                }
                if answer.held[at] > highest * 1e-6 || is_last {
                    frozen[at] = Some(level * weights[at]);
                    master.freeze(at, level * weights[at]);
                    stopped[at] = (level < most * (1.0 - 1e-9)).then(|| answer.clone());
                } else {
                    is_open = true;
                }
            }
            if !is_open {
                return Ok((answer, stopped));
            }
        }
        unreachable!("the last round holds every session")
    }

    /// Sum of logarithms by tangents (Kelley, The cutting-plane method for solving convex programs, J. SIAM 8, 1960), the
    /// first of them around the rates that are fair with the patterns that there are.
    fn proportional(&mut self, floors: &[f64]) -> Result<Answer, LpError> {
        let weights = vec![1e6; self.demands.len()];
        let fair = Master::new(self, Objective::MaxMin, floors, &weights, f64::INFINITY).solve(self)?;
        let mut master = Master::new(self, Objective::Proportional, floors, &weights, f64::INFINITY);
        master.start(&fair.rates);
        let answer = self.generate(&mut master)?;
        let real = answer.rates.iter().map(|rate| libm::log(rate.max(1.0) * 1e-6)).sum();
        Ok(Answer { objective: real, ..answer })
    }

    /// Solves a linear program, and adds patterns for as long as any improves it.
    fn generate(&mut self, master: &mut Master) -> Result<Answer, LpError> {
        for round in 0.. {
            let answer = master.solve(self)?;
            self.rounds += 1;
            let before = self.patterns.len();
            if round >= ROUNDS_MAX || before >= PATTERNS_MAX {
                return Ok(Answer { bound: f64::INFINITY, ..answer });
            }
            let is_finer = master.refine(&answer.rates);
            self.improve(&answer, false)?;
            if self.patterns.len() == before && !is_finer {
                self.improve(&answer, true)?;
                if self.patterns.len() == before {
                    return Ok(answer);
                }
            }
        }
        unreachable!("the last round returns")
    }

    /// Adds for each session the cheapest pattern at the answer's prices, where it is worth its price.
    fn improve(&mut self, answer: &Answer, coded: bool) -> Result<(), LpError> {
        let network = self.network;
        let dearest = answer.values.iter().copied().fold(0.0, f64::max);
        for at in 0..self.demands.len() {
            let demand = &self.demands[at];
            let value = answer.values[at];
            if value <= dearest * 1e-9 || coded && !(demand.is_coded && demand.cast.destinations.len() > 1) {
                continue;
            }
            let wire = demand.packet.wire(1);
            // A trace of delay on top: of ways that cost the same the faster one, and none in circles.
            let trace = |delay: u64| value * 1e-9 * (1.0 + delay as f64 * 1e-9);
            let cost: Vec<f64> = network
                .arcs
                .iter()
                .map(|arc| {
                    wire * arc.uses.iter().map(|resource| answer.prices[*resource]).sum::<f64>()
                        + trace(arc.delay)
                })
                .collect();
            let most = value * (1.0 - IMPROVES);
            let pattern = if coded {
                let paths = self.paths[at].get_or_insert_with(|| bounded_paths(network, &demand.cast));
                let Some(flows) = cheapest_coded(paths, &cost, most)? else { continue };
                let loads = self.is_ideal.then(|| Pattern::ideal(&flows, demand, network));
                let mut pattern = Pattern::new(peel(flows), demand, network);
                pattern.loads = loads.unwrap_or(pattern.loads);
                pattern
            } else {
                let Some(tree) = cheapest_tree(network, &demand.cast, &cost, most) else { continue };
                self.tree(at, tree)
            };
            let is_new = !self.patterns.iter().any(|(session, known)| *session == at && *known == pattern);
            if is_new && pattern.cost(&answer.prices) < most {
                self.patterns.push((at, pattern));
            }
        }
        Ok(())
    }

    /// Returns a session's flows with their rates, by its patterns' uses.
    pub(super) fn flows(&self, session: usize, uses: &[f64]) -> Vec<(Route, f64, u64)> {
        let mut flows: Vec<(Route, f64, u64)> = Vec::new();
        let own = self.patterns.iter().zip(uses).filter(|((at, _), used)| *at == session && **used > 0.0);
        for ((_, pattern), used) in own {
            for flow in &pattern.flows {
                let route = flow.route(self.network);
                match flows.iter_mut().find(|(known, ..)| *known == route) {
                    Some((_, rate, _)) => *rate += used * flow.share,
                    None => flows.push((route, used * flow.share, flow.delay(self.network))),
                }
            }
        }
        let sum: f64 = flows.iter().map(|(_, rate, _)| rate).sum();
        flows.retain(|(_, rate, _)| *rate > sum * SMALLEST_FLOW);
        flows.sort_by(|a, b| b.1.total_cmp(&a.1));
        flows
    }

    /// Says why no tree serves a session: which destination is too far.
    pub(super) fn too_far(network: &Network, demand: &Demand) -> String {
        for to in &demand.cast.destinations {
            let anyhow = network.delays(demand.cast.source, network.ids.len());
            let near = network.delays(demand.cast.source, demand.cast.hops);
            let ends = format!("from {} to {}", network.names[demand.cast.source], network.names[*to]);
            if anyhow[*to] == FAR {
                return format!("no path leads {ends}");
            }
            if near[*to] == FAR {
                return format!("no path {ends} has {} relays or fewer", demand.cast.hops - 1);
            }
            if near[*to] > demand.cast.bound {
                let path = fastest(network, demand, *to);
                let (least, bound) = (super::demand::text(near[*to]), super::demand::text(demand.cast.bound));
                let path = network.path_text(&path);
                return format!("the fastest path {ends} takes {least} ({path}), {bound} are allowed");
            }
        }
        "no tree serves all destinations within the bound".to_owned()
    }
}

/// Parts of a session's rate below which a flow is left out.
const SMALLEST_FLOW: f64 = 1e-5;

fn fastest(network: &Network, demand: &Demand, to: usize) -> Vec<usize> {
    let alone = Multicast { destinations: vec![to], bound: FAR, ..demand.cast.clone() };
    let delays: Vec<f64> = network.arcs.iter().map(|arc| arc.delay as f64 + 1.0).collect();
    let tree = cheapest_tree(network, &alone, &delays, f64::INFINITY);
    tree.and_then(|mut tree| tree.pop()).unwrap_or_default()
}
