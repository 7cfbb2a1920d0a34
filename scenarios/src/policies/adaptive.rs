//! `adaptive`: shares follow what each route was measured to carry.

use super::Parameters;
use crate::policy::{FlowAssignment, NetworkView, PolicyError, Request, RouteChoice};
use crate::units::parse_time;
use bellini_core::ids::NodeId;
use bellini_core::route::Route;
use bellini_core::time::Duration;
use serde_json::Value;
use std::collections::BTreeMap;

/// Part of the session's packets that a route keeps, so that it goes on to be measured.
const FLOOR: f64 = 0.02;
/// How often it wants to be asked.
const PERIOD: Duration = Duration::from_secs(1);
/// By how much of the difference one measurement moves an estimate.
const GAIN: f64 = 0.3;

/// Gives each flow a share in proportion to its route's measured rate.
///
/// A link counts with its rate times one less its loss, a route with the least of its links, where a link that the
/// tree crosses n times counts with an n-th. Over time each route's rate is a running mean: every answer moves it by
/// `gain` of the difference. A route none of whose links has a rate counts as much as the best that has. No share
/// is below `floor`, but that of a route over a link that is not there (any more), which gets nothing.
///
/// Parameters: `floor` (0 to 0.5, default 0.02), `gain` (0.01 to 1, default 0.3), `period` (time, default 1 s): how
/// often it wants to be asked. It is made for the view `measured`; with `oracle` it soon rests at the scenario's rates.
#[derive(Clone, Debug, Default)]
pub struct Adaptive {
    /// The estimate of each route, in bits per second.
    rates: Vec<(Route, f64)>,
}

impl FlowAssignment for Adaptive {
    fn shares(&mut self, request: &Request<'_>, routes: &[RouteChoice]) -> Result<Vec<f64>, PolicyError> {
        let parameters = Parameters::of(request, &["floor", "gain", "period"])?;
        let floor = parameters.number("floor", 0.0, 0.5)?.unwrap_or(FLOOR);
        let gain = parameters.number("gain", 0.01, 1.0)?.unwrap_or(GAIN);
        parameters.time("period")?;
        let measured: Vec<f64> =
            routes.iter().map(|choice| measured_bps(request.view, request.source, &choice.route)).collect();
        if measured.iter().all(|&rate| rate == 0.0) {
            return Err(PolicyError::Other("every route crosses a link that is not there".to_owned()));
        }
        let estimates: Vec<f64> = routes
            .iter()
            .zip(&measured)
            .map(|(choice, rate)| self.estimate(&choice.route, *rate, gain))
            .collect();
        self.rates =
            routes.iter().map(|choice| choice.route.clone()).zip(estimates.iter().copied()).collect();
        let best = estimates.iter().copied().filter(|rate| rate.is_finite()).fold(0.0, f64::max);
        let best = if best > 0.0 { best } else { 1.0 };
        let rates: Vec<f64> =
            estimates.iter().map(|&rate| if rate.is_finite() { rate } else { best }).collect();
        let sum: f64 = rates.iter().zip(&measured).filter(|(_, now)| **now > 0.0).map(|(rate, _)| rate).sum();
        let share = |(rate, now): (&f64, &f64)| {
            // With many routes not all of them can have the floor.
            let least = floor.min(0.5 / routes.len() as f64);
            if *now > 0.0 { (rate / sum.max(f64::MIN_POSITIVE)).max(least) } else { 0.0 }
        };
        let shares: Vec<f64> = rates.iter().zip(&measured).map(share).collect();
        Ok(shares)
    }

    fn period(&self, parameters: &BTreeMap<String, Value>) -> Option<Duration> {
        let given = parameters.get("period").and_then(Value::as_str).and_then(|text| parse_time(text).ok());
        Some(given.unwrap_or(PERIOD))
    }
}

impl Adaptive {
    /// Moves the estimate of a route towards what was measured now: infinite while there is no rate, zero over a link
    /// that is not there. The first rate, and the first after either, is taken as it is.
    fn estimate(&self, route: &Route, measured: f64, gain: f64) -> f64 {
        let known = self.rates.iter().find(|(known, _)| known == route).map(|(_, rate)| *rate);
        match known.filter(|rate| rate.is_finite() && *rate > 0.0 && measured.is_finite() && measured > 0.0) {
            Some(rate) => rate + (measured - rate) * gain,
            None => measured,
        }
    }
}

/// Returns what a tree carries by its links' measured rates, in bits per second: infinite where none is measured,
/// zero over a missing link.
fn measured_bps(view: &NetworkView, source: NodeId, route: &Route) -> f64 {
    let mut copies = BTreeMap::<_, u32>::new();
    route.for_each_edge(source, &mut |from, to| *copies.entry((from, to)).or_default() += 1);
    let rate = |((from, to), copies): ((NodeId, NodeId), u32)| {
        let link = view.links.iter().find(|link| (link.from, link.to) == (from, to));
        link.map_or(0.0, |link| match link.rate {
            None => f64::INFINITY,
            // A measured link carries something, however small.
            Some(rate) => (rate.as_bps() as f64 * (1.0 - link.loss) / f64::from(copies)).max(1.0),
        })
    };
    copies.into_iter().map(rate).fold(f64::INFINITY, f64::min)
}
