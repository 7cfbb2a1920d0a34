//! `jetway`: the traffic of a whole run, routed so that little is charged by percentile.
//!
//! After Feng, Li and Li, "Jetway: Minimizing Costs on Inter-Datacenter Video Traffic" (ACM Multimedia 2012): a link's
//! charge is set by its busiest intervals, so what is paid for is filled first, over several paths with other datacenters
//! as relays, and the rest goes where it raises the charge least. The formulation is a reconstruction. [`Strategy`] has the
//! paper's two stages, one linear program that does both at once, and what they are compared with; [`postcard`] lets
//! datacenters store, [`ecoflow`] lets sources wait. [`fluid`](crate::fluid) plays months of traffic without packets.

pub mod ecoflow;
mod market;
mod plan;
pub mod postcard;

pub use market::{Demand, Ledger, Market, MarketLink};
pub use plan::{Parts, Plan, Strategy, paid_share};

use super::Parameters;
use crate::account::Billing;
use crate::graph::{Path, merge};
use crate::policy::{NetworkView, PolicyError, Request, RouteChoice, Routing, ViewLink};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::time::Duration;
use std::collections::BTreeMap;

/// Routes each destination of each session as one video, when its session starts; it then stays. One object answers for
/// all sessions of a run and keeps the ledger of what it has promised.
///
/// Parameters, the same for all sessions: `form` (`single`, the default, `two-stage`, `cheapest` or `even`), `percentile`
/// (50 to 100, default 95), `interval` (default 5 min), `period` (default 30 days), `max_relays` (0 to 3, default 2).
#[derive(Debug, Default)]
pub struct Jetway {
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    strategy: Strategy,
    interval: Duration,
    nodes: Vec<NodeId>,
    market: Market,
    ledger: Ledger,
    /// By session and destination: paths with shares.
    plans: BTreeMap<(SessionKey, NodeId), Parts>,
}

/// Mbit/s that a session without a rate is counted with.
const UNKNOWN_MBPS: f64 = 1.0;

impl Routing for Jetway {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        if self.state.is_none() {
            self.state = Some(State::new(request)?);
        }
        let state = self.state.as_mut().expect("it was made just now");
        state.refresh(request.view);
        let mut each = Vec::new();
        for &to in request.destinations {
            each.push(state.parts(request, to)?);
        }
        Ok(state.flows(&each))
    }
}

impl State {
    fn new(request: &Request<'_>) -> Result<Self, PolicyError> {
        let known = ["form", "percentile", "interval", "period", "max_relays"];
        let parameters = Parameters::of(request, &known)?;
        let strategy = match request.parameters.get("form").map(|form| form.as_str()) {
            None | Some(Some("single")) => Strategy::Single,
            Some(Some("two-stage")) => Strategy::TwoStage,
            Some(Some("cheapest")) => Strategy::Cheapest,
            Some(Some("even")) => Strategy::Even(3),
            Some(_) => {
                let problem = "expected `single`, `two-stage`, `cheapest` or `even`".to_owned();
                return Err(PolicyError::Parameter { name: "form".to_owned(), problem });
            }
        };
        let default = Billing::default();
        let billing = Billing {
            percentile: parameters.number("percentile", 50.0, 100.0)?.unwrap_or(default.percentile),
            interval: parameters.time("interval")?.unwrap_or(default.interval),
            period: parameters.time("period")?.unwrap_or(default.period),
            ..default
        };
        let relays = parameters.whole("max_relays", 0, 3)?.unwrap_or(2);
        if billing.intervals() > INTERVALS_MAX || billing.period < billing.interval {
            let problem = format!("expected 1 to {INTERVALS_MAX} intervals");
            return Err(PolicyError::Parameter { name: "period".to_owned(), problem });
        }
        let view = request.view;
        let nodes: Vec<NodeId> = view.nodes.iter().map(|node| node.id).collect();
        let place = |id: NodeId| nodes.binary_search(&id).ok();
        let mut links = Vec::new();
        for link in &view.links {
            let (Some(from), Some(to)) = (place(link.from), place(link.to)) else { continue };
            let price = link.usd_per_gb.filter(|price| price.is_finite()).ok_or_else(|| {
                PolicyError::Other(format!(
                    "link {}>{} has no `usd_per_gb`: jetway cannot weigh it",
                    link.from, link.to
                ))
            })?;
            links.push(MarketLink { from, to, price, capacity: capacity(link) });
        }
        let ledger = Ledger::new(links.len(), billing.intervals(), billing.percentile);
        let market = Market::new(links, relays);
        Ok(Self { strategy, interval: billing.interval, nodes, market, ledger, plans: BTreeMap::new() })
    }

    /// Takes in what links can carry now, and forgets plans over links that are down.
    fn refresh(&mut self, view: &NetworkView) {
        for link in &mut self.market.links {
            let ends = (self.nodes[link.from], self.nodes[link.to]);
            let found = view.links.iter().find(|link| (link.from, link.to) == ends);
            link.capacity = found.map_or(0.0, capacity);
        }
        let links = &self.market.links;
        let is_up = |link: &usize| links[*link].capacity > 0.0;
        self.plans.retain(|_, parts| parts.iter().all(|(path, _)| path.iter().all(is_up)));
    }

    /// Returns the paths of a destination with their shares, as decided before, or now.
    fn parts(&mut self, request: &Request<'_>, to: NodeId) -> Result<Parts, PolicyError> {
        let key = (request.session, to);
        if let Some(known) = self.plans.get(&key) {
            return Ok(known.clone());
        }
        let place = |id: NodeId| self.nodes.binary_search(&id).ok();
        let unreachable = PolicyError::Unreachable { from: request.source, to };
        let (Some(source), Some(sink)) = (place(request.source), place(to)) else { return Err(unreachable) };
        if self.market.paths(source, sink).is_empty() {
            return Err(unreachable);
        }
        let demand = self.demand(request, (source, sink));
        let plan = self.strategy.plan(&self.market, &self.ledger, &[demand]);
        let plan = plan.map_err(|error| PolicyError::Other(error.to_string()))?;
        let parts = plan.into_iter().next().unwrap_or_default();
        if parts.is_empty() {
            let problem =
                format!("the links that lead there have no room for {:.3} Mbit/s more", demand.rate);
            return Err(PolicyError::Other(format!(
                "no path from node {} to node {to}: {problem}",
                request.source
            )));
        }
        parts.iter().for_each(|(path, rate)| self.ledger.commit(path, &demand, *rate));
        let shares: Vec<_> = parts.into_iter().map(|(path, rate)| (path, rate / demand.rate)).collect();
        self.plans.insert(key, shares.clone());
        Ok(shares)
    }

    fn demand(&self, request: &Request<'_>, (from, to): (usize, usize)) -> Demand {
        let session = request.view.sessions.iter().find(|session| session.key == request.session);
        let payload = request.rate.map_or(UNKNOWN_MBPS, |rate| rate.as_bps() as f64 * 1e-6);
        // What is charged are bytes on the wire.
        let wire =
            session.map_or(1.0, |it| 1.0 + f64::from(it.header_bytes) / f64::from(it.symbol_bytes.max(1)));
        let intervals = self.ledger.volumes(0).len();
        let index = |at: Duration| (at.as_nanos() / self.interval.as_nanos().max(1)) as usize;
        let first = session.map_or(0, |it| index(it.start)) % intervals;
        let end = session
            .map_or(usize::MAX, |it| index(it.stop.saturating_sub(Duration::from_nanos(1))) % intervals + 1);
        let count = if end > first { (end - first).min(intervals - first) } else { intervals - first };
        Demand { from, to, rate: payload * wire, first, count }
    }

    /// Joins the parts of all destinations into trees: a packet of a share goes to each destination by the path that the
    /// destination has at that share.
    fn flows(&self, each: &[Parts]) -> Vec<RouteChoice> {
        let ends = |parts: &Parts| {
            let mut sum = 0.0;
            let ends = parts.iter().map(|(_, share)| {
                sum += share;
                sum
            });
            ends.collect::<Vec<f64>>()
        };
        let ends: Vec<Vec<f64>> = each.iter().map(ends).collect();
        let mut edges: Vec<f64> = ends.iter().flatten().copied().filter(|edge| *edge < 1.0 - 1e-6).collect();
        edges.push(1.0);
        edges.sort_by(f64::total_cmp);
        edges.dedup_by(|a, b| (*a - *b).abs() < 1e-6);
        let mut from = 0.0;
        let mut flows = Vec::new();
        for edge in edges {
            let middle = f64::midpoint(from, edge);
            let paths: Vec<Path> = each
                .iter()
                .zip(&ends)
                .map(|(parts, ends)| {
                    let at = ends.iter().position(|end| *end > middle).unwrap_or(parts.len() - 1);
                    self.path(&parts[at].0)
                })
                .collect();
            flows.push(RouteChoice { share: Some(edge - from), ..merge(&paths).into() });
            from = edge;
        }
        flows
    }

    fn path(&self, links: &[usize]) -> Path {
        let links: Vec<MarketLink> = links.iter().map(|link| self.market.links[*link]).collect();
        let first = links.first().map(|link| self.nodes[link.from]);
        let nodes = first.into_iter().chain(links.iter().map(|link| self.nodes[link.to])).collect();
        Path { nodes, delay: Duration::ZERO }
    }
}

/// Most intervals of a period.
const INTERVALS_MAX: usize = 100_000;

/// Returns what a link carries, in Mbit/s.
fn capacity(link: &ViewLink) -> f64 {
    link.rate.map_or(f64::INFINITY, |rate| rate.as_bps() as f64 * 1e-6)
}

#[cfg(test)]
mod tests;
