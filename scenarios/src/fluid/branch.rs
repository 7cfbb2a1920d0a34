//! The mixed-integer program of percentile charging, by branch and bound.

use super::workload::Workload;
use crate::account::{charged_volume, free_intervals};
use crate::lp::{Column, LpError, Problem, Relation};
use crate::policies::jetway::Market;
use std::collections::{BTreeMap, BTreeSet};

/// What a search has found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exact {
    /// The least cost found: somebody can have it.
    pub cost: f64,
    /// What nobody can undercut; equal to `cost` up to 0.01 % where the search came to its end.
    pub bound: f64,
    /// Programs solved.
    pub programs: usize,
}

impl Exact {
    /// Returns whether the search came to its end.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.bound >= self.cost * (1.0 - 2.0 * GAP)
    }
}

/// Differences of costs below this part do not matter.
const GAP: f64 = 1e-4;

/// Finds the least charge for a percentile by full knowledge, where each video keeps its paths and their shares for as long
/// as it lasts, as those of Jetway do. `programs`: most programs to solve, before the search gives up.
///
/// Whether a link's charge may be exceeded is a yes or no for each link and each stretch of intervals with the same videos.
/// A stretch is chosen only if all those of its link that carry the same videos and more fit into the budget with it.
///
/// # Errors
/// When the solver fails or not all videos fit.
pub fn exact_lasting(workload: &Workload, percentile: f64, programs: usize) -> Result<Exact, LpError> {
    let search = Search::new(workload, percentile);
    let mut found = Exact { cost: f64::INFINITY, bound: f64::INFINITY, programs: 0 };
    let mut open = vec![(0.0, Choice::new())];
    while let Some((bound, choice)) = open.pop() {
        if bound >= found.cost * (1.0 - GAP) {
            continue;
        }
        if found.programs >= programs {
            open.push((bound, choice));
            break;
        }
        found.programs += 1;
        let relaxed = match search.relaxed(&choice) {
            Ok(relaxed) => relaxed,
            Err(LpError::Infeasible { .. }) if found.programs > 1 => continue,
            Err(error) => return Err(error),
        };
        if relaxed.cost < found.cost {
            found.programs += 1;
            found.cost = found.cost.min(search.rounded(&relaxed)?);
        }
        if relaxed.cost >= found.cost * (1.0 - GAP) {
            continue;
        }
        let Some(place) = relaxed.undecided else {
            found.cost = found.cost.min(relaxed.cost);
            continue;
        };
        for is_free in [false, true] {
            let mut next = choice.clone();
            next.insert(place, is_free);
            open.push((relaxed.cost, next));
        }
        // The least bound last: it is looked at next.
        open.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.len().cmp(&b.1.len())));
    }
    let left = open.iter().map(|(bound, _)| *bound).fold(f64::INFINITY, f64::min);
    found.bound = left.min(found.cost);
    Ok(found)
}

/// Link and stretch: whether it is free.
type Choice = BTreeMap<(usize, usize), bool>;

struct Stretch {
    videos: BTreeSet<usize>,
    intervals: Vec<usize>,
    /// Intervals of those that carry the same videos and more, its own among them.
    with_more: usize,
}

struct Search<'w> {
    workload: &'w Workload,
    market: &'w Market,
    percentile: f64,
    free: usize,
    stretches: Vec<Stretch>,
}

struct Relaxed {
    cost: f64,
    undecided: Option<(usize, usize)>,
    /// By link and interval.
    volumes: Vec<Vec<f64>>,
}

impl<'w> Search<'w> {
    fn new(workload: &'w Workload, percentile: f64) -> Self {
        let mut by_videos: BTreeMap<BTreeSet<usize>, Vec<usize>> = BTreeMap::new();
        for at in 0..workload.intervals {
            let lasts = |video: &usize| {
                let it = workload.demands[*video];
                (it.first..it.first + it.count).contains(&at)
            };
            by_videos.entry((0..workload.demands.len()).filter(lasts).collect()).or_default().push(at);
        }
        by_videos.remove(&BTreeSet::new());
        let stretches = by_videos.iter().map(|(videos, intervals)| {
            let more = by_videos.iter().filter(|(other, _)| other.is_superset(videos));
            let with_more = more.map(|(_, intervals)| intervals.len()).sum();
            Stretch { videos: videos.clone(), intervals: intervals.clone(), with_more }
        });
        Self {
            workload,
            market: &workload.market,
            percentile,
            free: free_intervals(percentile, workload.intervals),
            stretches: stretches.collect(),
        }
    }

    /// Solves the program in which what is not chosen may be free in part.
    fn relaxed(&self, choice: &Choice) -> Result<Relaxed, LpError> {
        let mut problem = Problem::minimize();
        let charges = self.charges(&mut problem);
        let flows = self.flows(&mut problem);
        let mut parts: Vec<((usize, usize), Column)> = Vec::new();
        for (link, charge) in charges.iter().enumerate() {
            let capacity = self.market.links[link].capacity;
            let mut budget = Vec::new();
            let mut own: BTreeMap<usize, Column> = BTreeMap::new();
            for (at, stretch) in self.stretches.iter().enumerate() {
                let mut terms = self.crossing(&flows, link, stretch);
                if terms.is_empty() {
                    continue;
                }
                let chosen = choice.get(&(link, at)).copied();
                let can_be = stretch.with_more <= self.free && chosen != Some(false);
                if chosen == Some(true) {
                    problem.row("capacity", &terms, Relation::AtMost, capacity);
                } else {
                    terms.push((*charge, -1.0));
                }
                if can_be {
                    let least = if chosen == Some(true) { 1.0 } else { 0.0 };
                    let part = problem.column("free", 0.0, least, 1.0);
                    budget.push((part, stretch.intervals.len() as f64));
                    own.insert(at, part);
                    if chosen.is_none() {
                        let most: f64 = stretch.videos.iter().map(|it| self.workload.demands[*it].rate).sum();
                        terms.push((part, -most.min(capacity)));
                        parts.push(((link, at), part));
                    }
                }
                if chosen != Some(true) {
                    problem.row("link", &terms, Relation::AtMost, 0.0);
                    if can_be {
                        terms.retain(|(column, _)| *column != *charge && Some(column) != own.get(&at));
                        problem.row("capacity", &terms, Relation::AtMost, capacity);
                    }
                }
            }
            for (less, part) in &own {
                let is_more =
                    |more: &&usize| self.stretches[**more].videos.is_superset(&self.stretches[*less].videos);
                for more in own.keys().filter(is_more).filter(|more| *more != less) {
                    problem.row("with more", &[(*part, 1.0), (own[more], -1.0)], Relation::AtMost, 0.0);
                }
            }
            if !budget.is_empty() {
                problem.row("budget", &budget, Relation::AtMost, self.free as f64);
            }
        }
        let solution = problem.solve_unproved()?;
        let fraction = |part: &Column| {
            let value = solution.value(*part);
            value.min(1.0 - value)
        };
        let worst = parts.iter().max_by(|a, b| fraction(&a.1).total_cmp(&fraction(&b.1)));
        let undecided = worst.filter(|(_, part)| fraction(part) > 1e-6).map(|(place, _)| *place);
        let volumes = self.volumes(&flows, |column| solution.value(column));
        Ok(Relaxed { cost: solution.objective(), undecided, volumes })
    }

    /// Returns what a relaxed answer costs when each link's largest volumes are made free and all else is decided anew.
    fn rounded(&self, relaxed: &Relaxed) -> Result<f64, LpError> {
        let mut volumes = relaxed.volumes.clone();
        let cost = |volumes: &[Vec<f64>]| -> f64 {
            let charged = |of: &Vec<f64>| charged_volume(of, of.len(), self.percentile);
            self.market.links.iter().zip(volumes).map(|(link, of)| link.price * charged(of)).sum()
        };
        let mut best = cost(&volumes);
        loop {
            let mut problem = Problem::minimize();
            let charges = self.charges(&mut problem);
            let flows = self.flows(&mut problem);
            for (link, charge) in charges.iter().enumerate() {
                let charged = charged_volume(&volumes[link], volumes[link].len(), self.percentile);
                for stretch in &self.stretches {
                    let mut terms = self.crossing(&flows, link, stretch);
                    let is_free =
                        stretch.intervals.iter().all(|at| volumes[link][*at] > charged * (1.0 + 1e-9));
                    let right = if is_free { self.market.links[link].capacity } else { 0.0 };
                    if !is_free {
                        terms.push((*charge, -1.0));
                    }
                    problem.row("link", &terms, Relation::AtMost, right);
                }
            }
            let solution = match problem.solve_unproved() {
                Err(LpError::Infeasible { .. }) => return Ok(best),
                other => other?,
            };
            volumes = self.volumes(&flows, |column| solution.value(column));
            let now = cost(&volumes);
            if now >= best * (1.0 - GAP) {
                return Ok(best.min(now));
            }
            best = now;
        }
    }

    fn charges(&self, problem: &mut Problem) -> Vec<Column> {
        let links = self.market.links.iter();
        links.map(|link| problem.column("charge", link.price, 0.0, link.capacity)).collect()
    }

    /// Adds each video's flows by path; they make up its rate.
    fn flows(&self, problem: &mut Problem) -> Vec<Vec<Column>> {
        let mut flows = Vec::new();
        for video in &self.workload.demands {
            let paths = self.market.paths(video.from, video.to);
            let columns: Vec<Column> =
                paths.iter().map(|_| problem.column("flow", 0.0, 0.0, f64::INFINITY)).collect();
            let terms: Vec<_> = columns.iter().map(|column| (*column, 1.0)).collect();
            problem.row("video", &terms, Relation::Equal, video.rate);
            flows.push(columns);
        }
        flows
    }

    /// Returns the flows of a stretch that cross a link.
    fn crossing(&self, flows: &[Vec<Column>], link: usize, stretch: &Stretch) -> Vec<(Column, f64)> {
        let mut terms = Vec::new();
        for video in &stretch.videos {
            let it = self.workload.demands[*video];
            let paths = self.market.paths(it.from, it.to).iter().zip(&flows[*video]);
            terms.extend(paths.filter(|(path, _)| path.contains(&link)).map(|(_, column)| (*column, 1.0)));
        }
        terms
    }

    fn volumes(&self, flows: &[Vec<Column>], value: impl Fn(Column) -> f64) -> Vec<Vec<f64>> {
        let mut volumes = vec![vec![0.0; self.workload.intervals]; self.market.links.len()];
        for (video, columns) in self.workload.demands.iter().zip(flows) {
            for (path, column) in self.market.paths(video.from, video.to).iter().zip(columns) {
                let rate = value(*column);
                for link in path {
                    volumes[*link][video.first..video.first + video.count]
                        .iter_mut()
                        .for_each(|it| *it += rate);
                }
            }
        }
        volumes
    }
}
