//! What the traffic of a set of links costs.

use super::{Billing, Direction, charged_volume};

/// What a link carried, and its price.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkTraffic {
    /// Sending end and receiving end.
    pub ends: (u32, u32),
    /// Price of 10^9 bytes; `None`: not known.
    pub usd_per_gb: Option<f64>,
    /// Bytes carried.
    pub bytes: f64,
    /// Mean rate of each interval, in 10^6 bit/s.
    pub mbps: Vec<f64>,
}

/// What all links cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    /// Intervals that were seen.
    pub intervals: usize,
    /// By link, in the order given.
    pub lines: Vec<Line>,
    /// Price of the bytes of priced links; `None`: no price is known.
    pub traffic_usd: Option<f64>,
    /// Price of the charged percentiles for a period; `None`: no price is known.
    pub percentile_usd: Option<f64>,
    /// The same, were the maximum charged.
    pub max_usd: Option<f64>,
}

/// What one link costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Sending end and receiving end.
    pub ends: (u32, u32),
    /// The charged rate, in 10^6 bit/s: the percentile of its intervals, mean over the periods seen.
    pub charged_mbps: f64,
    /// The largest rate of an interval.
    pub max_mbps: f64,
    /// Price of its bytes.
    pub traffic_usd: Option<f64>,
    /// Price of its charged rate for a period; zero where the other direction is charged.
    pub percentile_usd: Option<f64>,
    /// The same, were the maximum charged.
    pub max_usd: Option<f64>,
}

impl Statement {
    /// Works out what links cost. Intervals beyond a period make further periods, whose mean is charged. Where fewer than a
    /// period's intervals were seen, they stand for all of it: costs are those of a period in which they repeat.
    #[must_use]
    pub fn of(billing: &Billing, links: &[LinkTraffic]) -> Self {
        let mut lines: Vec<Line> = links.iter().map(|link| line(billing, link)).collect();
        if billing.direction == Direction::Larger {
            let pick = |pick: fn(&Line) -> f64| lines.iter().map(pick).collect::<Vec<_>>();
            let (charged, most) = (pick(|line| line.charged_mbps), pick(|line| line.max_mbps));
            for this in 0..lines.len() {
                let (from, to) = lines[this].ends;
                let Some(back) = links.iter().position(|link| link.ends == (to, from)) else { continue };
                // Of equal directions, the first in order is charged.
                let is_less = |of: &[f64]| of[this] < of[back] || (of[this] == of[back] && back < this);
                let line = &mut lines[this];
                if is_less(&charged) {
                    line.percentile_usd = line.percentile_usd.map(|_| 0.0);
                }
                if is_less(&most) {
                    line.max_usd = line.max_usd.map(|_| 0.0);
                }
            }
        }
        let sum = |pick: fn(&Line) -> Option<f64>| {
            lines.iter().filter_map(pick).fold(None, |sum, usd| Some(sum.unwrap_or(0.0) + usd))
        };
        Self {
            intervals: links.iter().map(|link| link.mbps.len()).max().unwrap_or(0),
            traffic_usd: sum(|line| line.traffic_usd),
            percentile_usd: sum(|line| line.percentile_usd),
            max_usd: sum(|line| line.max_usd),
            lines,
        }
    }
}

fn line(billing: &Billing, link: &LinkTraffic) -> Line {
    let of_period = billing.intervals();
    let periods = link.mbps.chunks(of_period);
    let count = periods.len().max(1) as f64;
    let rest = link.mbps.len() % of_period;
    let is_short = link.mbps.len() < of_period;
    let mean = |percentile: f64| {
        let charged = periods.clone().map(|period| {
            // A last period that has only begun counts by what was seen of it, as a short run does.
            let intervals = if is_short || period.len() == rest { period.len() } else { of_period };
            charged_volume(period, intervals, percentile)
        });
        charged.sum::<f64>() / count
    };
    let (charged, most) = (mean(billing.percentile), mean(100.0));
    let by_volume = |usd: f64| usd * billing.period.as_secs_f64() * 1e6 / 8.0 * 1e-9;
    let per_mbps = billing.usd_per_mbps.or(link.usd_per_gb.map(by_volume));
    Line {
        ends: link.ends,
        charged_mbps: charged,
        max_mbps: link.mbps.iter().copied().fold(0.0, f64::max),
        traffic_usd: link.usd_per_gb.map(|usd| usd * link.bytes * 1e-9),
        percentile_usd: per_mbps.map(|usd| usd * charged),
        max_usd: per_mbps.map(|usd| usd * most),
    }
}
