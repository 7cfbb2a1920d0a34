//! Months without packets: workloads, and what each strategy makes of them.

use super::market::{Demand, Ledger, Market, MarketLink};
use super::plan::{Plan, Strategy};
use crate::lp::LpError;
use bellini_core::rng::Seed;

/// Videos between datacenters for a charging period. Everything in it is made up: it shows proportions, no money.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The datacenters' links.
    pub market: Market,
    /// Intervals of the period.
    pub intervals: usize,
    /// Videos in order of their first interval.
    pub demands: Vec<Demand>,
}

/// What makes a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkloadSpec {
    /// Datacenters, each linked to each other.
    pub nodes: usize,
    /// Intervals of the period.
    pub intervals: usize,
    /// Intervals of a day.
    pub day: usize,
    /// Videos that start in a day, in the mean.
    pub videos_per_day: f64,
    /// Fewest and most intervals of a video.
    pub length: (usize, usize),
    /// Lowest and highest rate of a video.
    pub rate: (f64, f64),
    /// Capacity of every link.
    pub capacity: f64,
    /// Most relays of a path.
    pub max_relays: usize,
}

impl Default for WorkloadSpec {
    fn default() -> Self {
        Self {
            nodes: 7,
            intervals: 8_640,
            day: 288,
            videos_per_day: 100.0,
            length: (6, 48),
            rate: (1.0, 8.0),
            capacity: 100.0,
            max_relays: 2,
        }
    }
}

impl Workload {
    /// Draws a workload: prices from 1 to 10 by link; Poisson arrivals that vary over the day between 0.4 and 1.6 of their
    /// mean, each source by its own hour; sources and destinations by weights from 1 to 4.
    #[must_use]
    pub fn draw(spec: &WorkloadSpec, seed: Seed) -> Self {
        let mut prices = seed.stream("jetway:prices");
        let mut links = Vec::new();
        for from in 0..spec.nodes {
            for to in (0..spec.nodes).filter(|to| *to != from) {
                let price = 1.0 + 9.0 * prices.unit();
                links.push(MarketLink { from, to, price, capacity: spec.capacity });
            }
        }
        let mut shape = seed.stream("jetway:shape");
        let weights: Vec<f64> = (0..spec.nodes).map(|_| 1.0 + 3.0 * shape.unit()).collect();
        let hours: Vec<f64> = (0..spec.nodes).map(|_| shape.unit()).collect();
        let mut draws = seed.stream("jetway:videos");
        let mut demands = Vec::new();
        let mean_gap = spec.day as f64 / spec.videos_per_day.max(1e-9);
        let mut at = 0.0;
        loop {
            // Thinned arrivals of the highest rate.
            at += draws.exponential(mean_gap / 1.6);
            if at >= spec.intervals as f64 {
                break;
            }
            let from = pick(&weights, None, draws.unit());
            let to = pick(&weights, Some(from), draws.unit());
            let rate = spec.rate.0 + (spec.rate.1 - spec.rate.0) * draws.unit();
            let spread = (spec.length.1 - spec.length.0 + 1) as u64;
            let count = spec.length.0 + draws.below(spread) as usize;
            let hour = (at / spec.day as f64 + hours[from]).fract();
            let load = 0.4 + 1.2 * (1.0 - (2.0 * hour - 1.0).abs());
            if draws.unit() * 1.6 < load {
                let first = at as usize;
                demands.push(Demand { from, to, rate, first, count: count.min(spec.intervals - first) });
            }
        }
        Self { market: Market::new(links, spec.max_relays), intervals: spec.intervals, demands }
    }

    /// Returns the videos by the interval in which they start.
    pub fn batches(&self) -> impl Iterator<Item = &[Demand]> {
        self.demands.chunk_by(|a, b| a.first == b.first)
    }
}

fn pick(weights: &[f64], but: Option<usize>, draw: f64) -> usize {
    let weight = |at: usize| if Some(at) == but { 0.0 } else { weights[at] };
    let mut left = draw * (0..weights.len()).map(weight).sum::<f64>();
    for at in 0..weights.len() {
        if left < weight(at) {
            return at;
        }
        left -= weight(at);
    }
    (0..weights.len()).rev().find(|at| Some(*at) != but).unwrap_or(0)
}

/// What a strategy made of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Month {
    /// What is charged, at the market's prices.
    pub cost: f64,
    /// The price of all volume carried, at the same prices.
    pub volume_cost: f64,
    /// Volume carried over links, in parts of what is charged in all intervals.
    pub utilisation: f64,
    /// Videos refused: their deadlines are missed.
    pub missed: usize,
    /// Volumes by link and interval.
    pub ledger: Ledger,
    /// What was decided, by video.
    pub plans: Plan,
}

/// Runs a workload through a strategy, interval by interval, without knowledge of what comes.
///
/// # Errors
/// When the solver fails.
pub fn run(workload: &Workload, percentile: f64, strategy: Strategy) -> Result<Month, LpError> {
    play(workload, workload.batches(), percentile, strategy)
}

/// The same, video by video: videos that start together are decided one after the other, as the policy does.
///
/// # Errors
/// When the solver fails.
pub fn run_each(workload: &Workload, percentile: f64, strategy: Strategy) -> Result<Month, LpError> {
    play(workload, workload.demands.chunks(1), percentile, strategy)
}

fn play<'w>(
    workload: &Workload,
    batches: impl Iterator<Item = &'w [Demand]>,
    percentile: f64,
    strategy: Strategy,
) -> Result<Month, LpError> {
    let market = &workload.market;
    let mut ledger = Ledger::new(market.links.len(), workload.intervals, percentile);
    let mut plans = Vec::with_capacity(workload.demands.len());
    for batch in batches {
        let plan = strategy.plan(market, &ledger, batch)?;
        for (demand, parts) in batch.iter().zip(&plan) {
            parts.iter().for_each(|(path, rate)| ledger.commit(path, demand, *rate));
        }
        plans.extend(plan);
    }
    let (mut volume, mut volume_cost, mut charged) = (0.0, 0.0, 0.0);
    for (at, link) in market.links.iter().enumerate() {
        let carried: f64 = ledger.volumes(at).iter().sum();
        volume += carried;
        volume_cost += carried * link.price;
        charged += ledger.paid(at) * workload.intervals as f64;
    }
    Ok(Month {
        cost: ledger.cost(market),
        volume_cost: volume_cost / workload.intervals.max(1) as f64,
        utilisation: if charged > 0.0 { volume / charged } else { 0.0 },
        missed: plans.iter().filter(|parts: &&Vec<_>| parts.is_empty()).count(),
        ledger,
        plans,
    })
}
