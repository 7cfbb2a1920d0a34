//! One decision: how the videos that start in an interval are spread over paths.

use super::market::{Demand, Ledger, Market};
use crate::lp::{Column, LpError, Problem, Relation, Solution};
use std::collections::BTreeMap;

/// How videos are routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// The link from source to destination only.
    Direct,
    /// The path of the least price that has room.
    Cheapest,
    /// Equal parts on the given number of paths of the least price.
    Even(usize),
    /// Two stages: as much as possible, in equal proportion, over what is paid for already; then the rest at the least
    /// increase of the charge.
    TwoStage,
    /// Both stages at once, as one linear program.
    Single,
}

/// Paths of one demand by the places of their links, with the part that each carries.
pub type Parts = Vec<(Vec<usize>, f64)>;

/// Parts of each demand: paths with rates. Nothing: it was refused.
pub type Plan = Vec<Parts>;

/// What a unit of flow costs beside the charge, in parts of its price: of plans that charge the same, that of the shortest
/// and cheapest paths is taken, which leaves most of what is paid for.
const TIE: f64 = 1e-4;
/// Parts of a demand below this share are rounding.
const GRAIN: f64 = 1e-6;
/// Room below this part of the largest demand is rounding.
const DUST: f64 = 1e-6;

impl Strategy {
    /// Decides for demands that start together. Where not all of them fit, the one of the tightest deadline is refused
    /// first, of those the largest.
    ///
    /// # Errors
    /// When the solver fails; not when demands do not fit.
    pub fn plan(self, market: &Market, ledger: &Ledger, batch: &[Demand]) -> Result<Plan, LpError> {
        let mut open: Vec<usize> =
            (0..batch.len()).filter(|at| !market.paths(batch[*at].from, batch[*at].to).is_empty()).collect();
        let mut plan = vec![Vec::new(); batch.len()];
        while !open.is_empty() {
            let demands: Vec<Demand> = open.iter().map(|at| batch[*at]).collect();
            let parts = match self {
                Self::Direct => fixed(market, ledger, &demands, 1, true),
                Self::Cheapest => fixed(market, ledger, &demands, 1, false),
                Self::Even(k) => fixed(market, ledger, &demands, k.max(1), false),
                Self::TwoStage => two_stage(market, ledger, &demands),
                Self::Single => least_charge(market, &rooms(market, ledger, &demands), &demands),
            };
            match parts {
                Ok(parts) => {
                    for (at, part) in open.iter().zip(parts) {
                        plan[*at] = part;
                    }
                    break;
                }
                Err(LpError::Infeasible { .. }) => {
                    tightest(&demands).map(|at| open.remove(at));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(plan)
    }
}

/// Returns which demand is refused first: of the tightest deadline, of those the largest.
pub(super) fn tightest(demands: &[Demand]) -> Option<usize> {
    let rank = |demand: &Demand| (demand.count, core::cmp::Reverse(demand.rate.to_bits()));
    (0..demands.len()).min_by_key(|at| rank(&demands[*at]))
}

/// What each link can carry more without a charge, and at most.
fn rooms(market: &Market, ledger: &Ledger, batch: &[Demand]) -> Vec<(f64, f64)> {
    // What was promised earlier only ends: the longest of the batch sees the least room.
    let Some(longest) = batch.iter().max_by_key(|demand| demand.count) else { return Vec::new() };
    let dust = DUST * batch.iter().map(|demand| demand.rate).fold(0.0, f64::max);
    // Rests of subtractions would make programs of nothing but rounding.
    let clean = |room: f64| if room > dust { room } else { 0.0 };
    let room = |link| {
        let (room, left) = (ledger.room(market, link, longest), ledger.capacity_left(market, link, longest));
        (clean(room), clean(left))
    };
    (0..market.links.len()).map(room).collect()
}

/// Routes each demand in `k` equal parts over the first paths with room, by capacity alone.
fn fixed(
    market: &Market,
    ledger: &Ledger,
    batch: &[Demand],
    k: usize,
    is_direct: bool,
) -> Result<Plan, LpError> {
    let mut left: Vec<f64> = rooms(market, ledger, batch).into_iter().map(|(_, left)| left).collect();
    let mut plan = Vec::new();
    for demand in batch {
        let part = demand.rate / k as f64;
        let mut parts = Vec::new();
        for path in market.paths(demand.from, demand.to) {
            let fits = path.iter().all(|link| left[*link] >= part * (1.0 - 1e-9));
            if parts.len() < k && fits && (!is_direct || path.len() == 1) {
                path.iter().for_each(|link| left[*link] -= part);
                parts.push((path.clone(), part));
            }
        }
        if parts.len() < k {
            return Err(LpError::Infeasible { binding: Vec::new() });
        }
        plan.push(parts);
    }
    Ok(plan)
}

/// A program over the flows of demands on their paths.
struct Flows {
    problem: Problem,
    /// By demand, in the order of its paths.
    columns: Vec<Vec<Column>>,
    /// By link: the flows that cross it.
    crossing: BTreeMap<usize, Vec<(Column, f64)>>,
}

impl Flows {
    /// Adds the flows of all demands; `cost`: of a unit of a path.
    fn new(mut problem: Problem, market: &Market, batch: &[Demand], cost: impl Fn(&[usize]) -> f64) -> Self {
        let mut crossing: BTreeMap<usize, Vec<(Column, f64)>> = BTreeMap::new();
        let mut columns = Vec::new();
        // Answers are checked in parts of their largest value: where nothing flows, that would be rounding.
        let unit = batch.iter().map(|demand| demand.rate).fold(0.0, f64::max);
        problem.column("unit", 0.0, unit, unit);
        for demand in batch {
            let mut flows = Vec::new();
            for path in market.paths(demand.from, demand.to) {
                let column = problem.column("", cost(path), 0.0, f64::INFINITY);
                path.iter().for_each(|link| crossing.entry(*link).or_default().push((column, 1.0)));
                flows.push(column);
            }
            columns.push(flows);
        }
        Self { problem, columns, crossing }
    }

    fn plan(&self, market: &Market, batch: &[Demand], solution: &Solution) -> Plan {
        let parts = |(demand, columns): (&Demand, &Vec<Column>)| {
            let flows = market.paths(demand.from, demand.to).iter().zip(columns);
            let flows = flows.map(|(path, column)| (path.clone(), solution.value(*column)));
            flows.filter(|(_, rate)| *rate > GRAIN * demand.rate).collect()
        };
        batch.iter().zip(&self.columns).map(parts).collect()
    }
}

/// The single program: `min sum price * extra` over flows and extra charges, where a link carries at most its room and its
/// extra.
fn least_charge(market: &Market, rooms: &[(f64, f64)], batch: &[Demand]) -> Result<Plan, LpError> {
    let mut flows = Flows::new(Problem::minimize(), market, batch, |path| TIE * market.path_price(path));
    for (demand, columns) in batch.iter().zip(&flows.columns) {
        let terms: Vec<_> = columns.iter().map(|column| (*column, 1.0)).collect();
        flows.problem.row("demand", &terms, Relation::Equal, demand.rate);
    }
    for (link, crossing) in &flows.crossing {
        let (room, left) = rooms[*link];
        let extra = flows.problem.column("", market.links[*link].price, 0.0, (left - room).max(0.0));
        let terms: Vec<_> = crossing.iter().copied().chain([(extra, -1.0)]).collect();
        flows.problem.row("link", &terms, Relation::AtMost, room);
    }
    let solution = flows.problem.solve_unproved()?;
    Ok(scaled(flows.plan(market, batch, &solution), batch))
}

/// The largest share of all demands, the same for each, that fits into what is paid for.
fn concurrent(market: &Market, rooms: &[(f64, f64)], batch: &[Demand]) -> Result<(f64, Plan), LpError> {
    let most = market.links.iter().map(|link| link.price).fold(f64::MIN_POSITIVE, f64::max);
    let unit = TIE / most / batch.iter().map(|demand| demand.rate).sum::<f64>().max(f64::MIN_POSITIVE);
    let mut flows = Flows::new(Problem::maximize(), market, batch, |path| -unit * market.path_price(path));
    let share = flows.problem.column("share", 1.0, 0.0, 1.0);
    for (demand, columns) in batch.iter().zip(&flows.columns) {
        let terms: Vec<_> =
            columns.iter().map(|column| (*column, 1.0)).chain([(share, -demand.rate)]).collect();
        flows.problem.row("demand", &terms, Relation::Equal, 0.0);
    }
    for (link, crossing) in &flows.crossing {
        flows.problem.row("link", crossing, Relation::AtMost, rooms[*link].0);
    }
    let solution = flows.problem.solve_unproved()?;
    Ok((solution.value(share).clamp(0.0, 1.0), flows.plan(market, batch, &solution)))
}

fn two_stage(market: &Market, ledger: &Ledger, batch: &[Demand]) -> Result<Plan, LpError> {
    let mut rooms = rooms(market, ledger, batch);
    if rooms.iter().all(|(room, _)| *room == 0.0) {
        return least_charge(market, &rooms, batch);
    }
    let (share, first) = concurrent(market, &rooms, batch)?;
    if share > 1.0 - GRAIN {
        return Ok(scaled(first, batch));
    }
    for (path, rate) in first.iter().flatten() {
        for link in path {
            let (room, left) = &mut rooms[*link];
            (*room, *left) = ((*room - rate).max(0.0), (*left - rate).max(0.0));
        }
    }
    let rest: Vec<Demand> =
        batch.iter().map(|demand| Demand { rate: demand.rate * (1.0 - share), ..*demand }).collect();
    let second = least_charge(market, &rooms, &rest)?;
    let both = first.into_iter().zip(second).map(|(mut parts, more)| {
        for (path, rate) in more {
            match parts.iter_mut().find(|(known, _)| *known == path) {
                Some((_, known)) => *known += rate,
                None => parts.push((path, rate)),
            }
        }
        parts
    });
    Ok(scaled(both.collect(), batch))
}

/// Returns the share of demands that start together which the first of the two stages carries over what is paid for: 0 where
/// one of them finds none, 1 where all of them find enough.
///
/// # Errors
/// When the solver fails.
pub fn paid_share(market: &Market, ledger: &Ledger, batch: &[Demand]) -> Result<f64, LpError> {
    Ok(concurrent(market, &rooms(market, ledger, batch), batch)?.0)
}

/// Makes parts add up to their demand to the last bit but rounding.
fn scaled(mut plan: Plan, batch: &[Demand]) -> Plan {
    for (parts, demand) in plan.iter_mut().zip(batch) {
        let sum: f64 = parts.iter().map(|(_, rate)| rate).sum();
        if sum > 0.0 {
            parts.iter_mut().for_each(|(_, rate)| *rate *= demand.rate / sum);
        }
    }
    plan
}
