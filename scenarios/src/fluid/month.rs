//! Months without packets: what each strategy makes of a workload.

use super::workload::Workload;
use crate::account::charged_volume;
use crate::lp::LpError;
use crate::policies::jetway::{Demand, Ledger, Market, Plan, Strategy};

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
    play(workload, workload.batches(), &blank(workload, percentile), strategy)
}

/// The same by somebody who knows the charges of earlier tries: the period is played again and again, each time with a part
/// of what the cheapest try so far was charged for counting as paid from the start. The cheapest of all is returned. It knows
/// too much to be used, and need not be the least cost: what nobody can undercut lies between [`bound`](super::bound) and it.
///
/// # Errors
/// When the solver fails.
pub fn with_hindsight(workload: &Workload, percentile: f64, strategy: Strategy) -> Result<Month, LpError> {
    let mut best = run(workload, percentile, strategy)?;
    let mut part = 1.0;
    for _ in 0..HINDSIGHTS {
        let charges = bill(&best.ledger, workload, percentile).into_iter().map(|charge| charge * part);
        let ledger = blank(workload, percentile).with_agreed(charges.collect());
        let next = play(workload, workload.batches(), &ledger, strategy)?;
        if next.missed <= best.missed && next.cost < best.cost * (1.0 - 1e-4) {
            best = next;
        } else {
            part *= LESS;
        }
    }
    Ok(best)
}

/// Times that a period is played with hindsight, and by what the part that counts as paid falls when that does not help.
const HINDSIGHTS: usize = 8;
const LESS: f64 = 0.92;

fn blank(workload: &Workload, percentile: f64) -> Ledger {
    Ledger::new(workload.market.links.len(), workload.intervals, percentile)
}

/// Returns what is charged of each link for what it carried.
fn bill(ledger: &Ledger, workload: &Workload, percentile: f64) -> Vec<f64> {
    let charged = |link| charged_volume(ledger.volumes(link), workload.intervals, percentile);
    (0..workload.market.links.len()).map(charged).collect()
}

/// The same, video by video: videos that start together are decided one after the other, as the policy does.
///
/// # Errors
/// When the solver fails.
pub fn run_each(workload: &Workload, percentile: f64, strategy: Strategy) -> Result<Month, LpError> {
    play(workload, workload.demands.chunks(1), &blank(workload, percentile), strategy)
}

fn play<'w>(
    workload: &Workload,
    batches: impl Iterator<Item = &'w [Demand]>,
    blank: &Ledger,
    strategy: Strategy,
) -> Result<Month, LpError> {
    let market = &workload.market;
    let mut ledger = blank.clone();
    let mut plans = Vec::with_capacity(workload.demands.len());
    for batch in batches {
        let plan = strategy.plan(market, &ledger, batch)?;
        for (demand, parts) in batch.iter().zip(&plan) {
            parts.iter().for_each(|(path, rate)| ledger.commit(path, demand, *rate));
        }
        plans.extend(plan);
    }
    let charges = bill(&ledger, workload, ledger.percentile());
    let (mut cost, mut volume, mut volume_cost, mut charged) = (0.0, 0.0, 0.0, 0.0);
    for (at, link) in market.links.iter().enumerate() {
        let carried: f64 = ledger.volumes(at).iter().sum();
        volume += carried;
        volume_cost += carried * link.price;
        cost += charges[at] * link.price;
        charged += charges[at] * workload.intervals as f64;
    }
    Ok(Month {
        cost,
        volume_cost: volume_cost / workload.intervals.max(1) as f64,
        utilisation: if charged > 0.0 { volume / charged } else { 0.0 },
        missed: plans.iter().filter(|parts: &&Vec<_>| parts.is_empty()).count(),
        ledger,
        plans,
    })
}

/// Returns what volumes, by link and interval, cost where a percentile is charged.
#[must_use]
pub fn cost(market: &Market, volumes: &[Vec<f64>], percentile: f64) -> f64 {
    let charged = |volumes: &Vec<f64>| charged_volume(volumes, volumes.len(), percentile);
    market.links.iter().zip(volumes).map(|(link, volumes)| link.price * charged(volumes)).sum()
}
