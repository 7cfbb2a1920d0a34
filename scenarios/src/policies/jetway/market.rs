//! What traffic is routed over: links with prices and capacities, and the ledger of what was promised on them.

use crate::account::{charged_volume, free_intervals};
use std::collections::BTreeMap;

/// A link of the market. Volumes are mean rates over an interval, in any unit that all share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketLink {
    /// Sending end.
    pub from: usize,
    /// Receiving end.
    pub to: usize,
    /// Price of a unit of charged volume.
    pub price: f64,
    /// Most volume in an interval; may be infinite.
    pub capacity: f64,
}

/// Links, and the paths over them that may be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Market {
    /// The links.
    pub links: Vec<MarketLink>,
    /// By pair of nodes: paths as positions of links; the first has the least price, then the fewest links.
    paths: BTreeMap<(usize, usize), Vec<Vec<usize>>>,
}

/// Most paths kept for a pair: those of the least price.
const PATHS_MAX: usize = 200;

impl Market {
    /// Returns the market of these links, with all paths over at most `max_relays` other nodes.
    #[must_use]
    pub fn new(links: Vec<MarketLink>, max_relays: usize) -> Self {
        let mut market = Self { links, paths: BTreeMap::new() };
        let mut starts: Vec<usize> = market.links.iter().map(|link| link.from).collect();
        starts.sort_unstable();
        starts.dedup();
        for start in starts {
            market.extend(start, &mut Vec::new(), max_relays);
        }
        let mut all = core::mem::take(&mut market.paths);
        for paths in all.values_mut() {
            paths.sort_by(|a, b| {
                market
                    .path_price(a)
                    .total_cmp(&market.path_price(b))
                    .then(a.len().cmp(&b.len()))
                    .then(a.cmp(b))
            });
            paths.truncate(PATHS_MAX);
        }
        Self { paths: all, ..market }
    }

    fn extend(&mut self, start: usize, path: &mut Vec<usize>, relays_left: usize) {
        let end = path.last().map_or(start, |last| self.links[*last].to);
        for next in 0..self.links.len() {
            let link = self.links[next];
            let was_there = link.to == start || path.iter().any(|passed| self.links[*passed].to == link.to);
            if link.from != end || was_there {
                continue;
            }
            path.push(next);
            self.paths.entry((start, link.to)).or_default().push(path.clone());
            if relays_left > 0 {
                self.extend(start, path, relays_left - 1);
            }
            path.pop();
        }
    }

    /// Returns the paths of a pair in order of their price; none where there is no way.
    #[must_use]
    pub fn paths(&self, from: usize, to: usize) -> &[Vec<usize>] {
        self.paths.get(&(from, to)).map_or(&[], Vec::as_slice)
    }

    /// Returns the sum of a path's prices.
    #[must_use]
    pub fn path_price(&self, path: &[usize]) -> f64 {
        path.iter().map(|link| self.links[*link].price).sum()
    }
}

/// A video: so much from one node to another in each of some intervals. Its rate is its size over the intervals that its
/// deadline leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Source.
    pub from: usize,
    /// Destination.
    pub to: usize,
    /// Volume in an interval.
    pub rate: f64,
    /// Its first interval.
    pub first: usize,
    /// Its intervals, at least one.
    pub count: usize,
}

/// Volumes promised by link and interval of a charging period, and what of them is charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    percentile: f64,
    volumes: Vec<Vec<f64>>,
    /// By link: what counts as paid whatever was carried.
    agreed: Vec<f64>,
    /// By link: the charged volume, at least what was agreed.
    paid: Vec<f64>,
    /// By link: intervals above it.
    bursts: Vec<usize>,
}

impl Ledger {
    /// Returns the ledger of a period in which nothing is promised yet.
    #[must_use]
    pub fn new(links: usize, intervals: usize, percentile: f64) -> Self {
        Self {
            percentile,
            volumes: vec![vec![0.0; intervals]; links],
            agreed: vec![0.0; links],
            paid: vec![0.0; links],
            bursts: vec![0; links],
        }
    }

    /// Lets so much of each link count as paid from the start, before anything is promised.
    #[must_use]
    pub fn with_agreed(self, agreed: Vec<f64>) -> Self {
        Self { paid: agreed.clone(), agreed, ..self }
    }

    /// Returns the percentile that is charged.
    #[must_use]
    pub fn percentile(&self) -> f64 {
        self.percentile
    }

    /// Returns what of a link is charged so far: it is paid for, whether it is used or not.
    #[must_use]
    pub fn paid(&self, link: usize) -> f64 {
        self.paid[link]
    }

    /// Returns a link's volumes by interval.
    #[must_use]
    pub fn volumes(&self, link: usize) -> &[f64] {
        &self.volumes[link]
    }

    /// Returns what all links cost at the prices of `market`.
    #[must_use]
    pub fn cost(&self, market: &Market) -> f64 {
        market.links.iter().zip(&self.paid).map(|(link, paid)| link.price * paid).sum()
    }

    /// Returns the largest volume of a link in the intervals of a demand.
    fn peak(&self, link: usize, demand: &Demand) -> f64 {
        self.window(link, demand).iter().copied().fold(0.0, f64::max)
    }

    fn window(&self, link: usize, demand: &Demand) -> &[f64] {
        let volumes = &self.volumes[link];
        let first = demand.first.min(volumes.len());
        &volumes[first..(first + demand.count).min(volumes.len())]
    }

    /// Returns what a link has left of its capacity for a demand.
    #[must_use]
    pub fn capacity_left(&self, market: &Market, link: usize, demand: &Demand) -> f64 {
        (market.links[link].capacity - self.peak(link, demand)).max(0.0)
    }

    /// Returns how much more a link can carry in all intervals of a demand while it costs nothing: up to what is paid; and
    /// above that, as far as free intervals are left in the budget of a percentile below 100.
    #[must_use]
    pub fn room(&self, market: &Market, link: usize, demand: &Demand) -> f64 {
        let (paid, left) = (self.paid[link], self.capacity_left(market, link, demand));
        let free = free_intervals(self.percentile, self.volumes[link].len());
        if free == 0 {
            return (paid - self.peak(link, demand)).clamp(0.0, left);
        }
        let budget = free.saturating_sub(self.bursts[link]);
        // Intervals above the charged volume are free already; of the others as many may get above it as the budget has.
        let mut below: Vec<f64> =
            self.window(link, demand).iter().copied().filter(|volume| *volume <= paid).collect();
        if below.len() <= budget {
            return left;
        }
        below.sort_by(|a, b| b.total_cmp(a));
        (paid - below[budget]).clamp(0.0, left)
    }

    /// Promises a demand over a path, at a rate of its own.
    pub fn commit(&mut self, path: &[usize], demand: &Demand, rate: f64) {
        let free = free_intervals(self.percentile, self.volumes.first().map_or(1, Vec::len));
        for link in path {
            let volumes = &mut self.volumes[*link];
            let first = demand.first.min(volumes.len());
            let end = (first + demand.count).min(volumes.len());
            for volume in &mut volumes[first..end] {
                *volume += rate;
                self.paid[*link] = if free == 0 { self.paid[*link].max(*volume) } else { self.paid[*link] };
            }
            if free > 0 {
                let paid = charged_volume(volumes, volumes.len(), self.percentile).max(self.agreed[*link]);
                self.paid[*link] = paid;
                self.bursts[*link] = volumes.iter().filter(|volume| **volume > paid).count();
            }
        }
    }
}
