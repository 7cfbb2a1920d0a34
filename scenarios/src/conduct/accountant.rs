//! The accountant of a run: volumes of links by interval, from the recorder's samples.

use crate::account::{Billing, LinkTraffic, Meter, Statement};
use crate::model::Scenario;
use crate::record::{Cost, LinkCost};

/// Collects what links carry within the measuring window.
#[derive(Debug, Default)]
pub(super) struct Accountant {
    billing: Billing,
    /// By link; empty where nothing is charged.
    meters: Vec<Meter>,
    window: (f64, f64),
}

impl Accountant {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let billing = scenario.billing.unwrap_or_default();
        let is_wanted = scenario.billing.is_some()
            || scenario.links.iter().any(|link| link.usd_per_gb.is_some())
            || scenario.nodes.iter().any(|node| node.vm_usd_per_hour.is_some());
        let links = if is_wanted { scenario.links.len() } else { 0 };
        let window = (scenario.measure.from.as_secs_f64(), scenario.measure.to.as_secs_f64());
        Self { billing, meters: vec![Meter::new(billing.interval); links], window }
    }

    /// Takes in what a link carried in a sample; a sample over an end of the window counts with its part inside.
    pub(super) fn add(&mut self, link: usize, (from, to): (f64, f64), bytes: u64) {
        let Some(meter) = self.meters.get_mut(link) else { return };
        let (start, end) = (from.max(self.window.0), to.min(self.window.1));
        if end > start {
            let part = (end - start) / (to - from);
            meter.add((start - self.window.0, end - self.window.0), bytes as f64 * part);
        }
    }

    /// Works out what the run of `seconds` within the window cost.
    pub(super) fn cost(&self, scenario: &Scenario, seconds: f64) -> Option<Cost> {
        if self.meters.is_empty() {
            return None;
        }
        let traffic = scenario.links.iter().zip(&self.meters).map(|(link, meter)| LinkTraffic {
            ends: (link.from.get(), link.to.get()),
            usd_per_gb: link.usd_per_gb,
            bytes: meter.total(),
            mbps: meter.mbps(),
        });
        let statement = Statement::of(&self.billing, &traffic.collect::<Vec<_>>());
        let machines: Vec<_> = scenario.nodes.iter().filter(|node| node.is_machine()).collect();
        let hours = seconds / 3_600.0;
        // One price that is not known makes the sum unknown.
        let prices = machines.iter().map(|node| node.vm_usd_per_hour).sum::<Option<f64>>();
        let lines = statement.lines.iter().filter(|line| line.max_mbps > 0.0);
        Some(Cost {
            percentile: self.billing.percentile,
            interval_s: self.billing.interval.as_secs_f64(),
            period_s: self.billing.period.as_secs_f64(),
            direction: self.billing.direction.as_str().to_owned(),
            intervals: statement.intervals as u64,
            traffic_usd: statement.traffic_usd,
            percentile_usd: statement.percentile_usd,
            max_usd: statement.max_usd,
            vm_hours: machines.len() as f64 * hours,
            vm_usd: prices.filter(|_| !machines.is_empty()).map(|usd| usd * hours),
            vm_source: scenario.vm_source.clone(),
            links: lines
                .map(|line| LinkCost {
                    from: line.ends.0,
                    to: line.ends.1,
                    charged_mbps: line.charged_mbps,
                    max_mbps: line.max_mbps,
                    traffic_usd: line.traffic_usd,
                    percentile_usd: line.percentile_usd,
                    max_usd: line.max_usd,
                })
                .collect(),
        })
    }
}
