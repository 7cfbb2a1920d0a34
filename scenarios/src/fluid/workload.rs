//! Workloads: videos between datacenters, drawn from a seed.

use crate::policies::jetway::{Demand, Market, MarketLink};
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
    /// Videos that start together whenever some do, at least one; so many a day all the same.
    pub together: usize,
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
            together: 1,
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
        let together = spec.together.max(1);
        let mean_gap = spec.day as f64 * together as f64 / spec.videos_per_day.max(1e-9);
        let mut at = 0.0;
        loop {
            // Thinned arrivals of the highest rate.
            at += draws.exponential(mean_gap / 1.6);
            if at >= spec.intervals as f64 {
                break;
            }
            let first = at as usize;
            let mut video = || {
                let from = pick(&weights, None, draws.unit());
                let to = pick(&weights, Some(from), draws.unit());
                let rate = spec.rate.0 + (spec.rate.1 - spec.rate.0) * draws.unit();
                let spread = (spec.length.1 - spec.length.0 + 1) as u64;
                let count = spec.length.0 + draws.below(spread) as usize;
                Demand { from, to, rate, first, count: count.min(spec.intervals - first) }
            };
            let leader = video();
            let others: Vec<Demand> = (1..together).map(|_| video()).collect();
            let hour = (at / spec.day as f64 + hours[leader.from]).fract();
            let load = 0.4 + 1.2 * (1.0 - (2.0 * hour - 1.0).abs());
            if draws.unit() * 1.6 < load {
                demands.push(leader);
                demands.extend(others);
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
