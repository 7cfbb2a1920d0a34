//! No run delivers more than the network can carry: checked after every run, as the ledger is.
//!
//! What came to the destinations must lie in the network's capacity region. Take any cut between a session's source and
//! one of its destinations: all that the destination learnt crossed the cut, whatever relays copied, combined or took
//! twice. So there are flows (the *conceptual flows* of Feng, Li and Li, Airlift, ICNP 2012), one for each destination,
//! of which those of one session share links and those of different sessions add up; a linear program seeks them.

use crate::error::SimError;
use bellini_core::config::PacingConfig;
use bellini_core::ids::NodeId;
use bellini_core::units::BitRate;
use bellini_core::wire::DATA_FIXED_BYTES;
use bellini_core::wire::routing::PATHLET_HEADER_BYTES;
use bellini_scenarios::lp::{Column, Problem, Relation, Simplex};
use bellini_scenarios::model::{FaultKind, LinkSelector, Rate, Scenario, Session, Transport};
use bellini_scenarios::record::Summary;
use std::collections::BTreeMap;

/// Most columns of the program: of what is more, the smallest demands are left out. Fewer demands are a weaker check, and
/// a right one all the same.
const COLUMNS_MAX: usize = 1_500;
/// By which part of the demand flows may be short: sources' clocks, by which the measuring window is told, may drift by
/// a part in 10,000; rounding is far below.
const SLACK: f64 = 1e-3;
/// Where more room than this is, how much is not asked.
const ROOM_MAX: f64 = 10.0;

/// What came of all sessions with a common source that have one destination each, or the same ones.
struct Demand {
    source: NodeId,
    /// Destinations with the least wire bits a second that brought what they got.
    to: BTreeMap<NodeId, f64>,
    /// Whether a link carries the most of any destination; else their sum.
    is_shared: bool,
}

impl Demand {
    /// Returns the columns that it takes for each link.
    fn flows(&self) -> usize {
        if self.is_shared { self.to.len() + 1 } else { 1 }
    }
}

/// Checks that what a finished run delivered lies in the capacity region of its network. Links count with the most that
/// they ever carry, packets with the fewest bytes around their payload.
///
/// # Errors
/// [`SimError::Capacity`] if it does not: a bug of Bellini, never of the scenario.
pub(crate) fn check(scenario: &Scenario, summary: &Summary) -> Result<(), SimError> {
    match room(scenario, summary) {
        Some(room) if room < 1.0 - SLACK => Err(SimError::Capacity { percent: 100.0 / room }),
        _ => Ok(()),
    }
}

/// Returns how many times what was delivered the network could carry, at most [`ROOM_MAX`]; `None` where nothing is
/// limited or was delivered, or the program has no checked answer.
fn room(scenario: &Scenario, summary: &Summary) -> Option<f64> {
    let seconds = seconds(scenario, summary);
    let limits = limits(scenario, seconds);
    let demands = demands(scenario, summary, seconds);
    if limits.is_empty() || demands.is_empty() {
        return None;
    }
    let mut problem = Problem::maximize();
    let part = problem.column("part", 1.0, 0.0, ROOM_MAX);
    let mut loads: Vec<Option<Vec<Column>>> = vec![None; scenario.links.len()];
    limits.iter().flat_map(|(links, _)| links).for_each(|link| loads[*link] = Some(Vec::new()));
    for demand in &demands {
        if problem.columns() + demand.flows() * scenario.links.len() <= COLUMNS_MAX {
            carry(&mut problem, part, scenario, demand, &mut loads);
        }
    }
    for (links, bps) in limits {
        let terms: Vec<_> = links
            .iter()
            .filter_map(|link| loads[*link].as_ref())
            .flatten()
            .map(|load| (*load, 1.0))
            .collect();
        problem.row("limit", &terms, Relation::AtMost, bps);
    }
    Simplex::of(problem).solve().ok().map(|best| best.bound())
}

/// Adds the flows of a demand, of which `part` is carried; what they put on links with limits goes to `loads`.
fn carry(
    problem: &mut Problem,
    part: Column,
    scenario: &Scenario,
    demand: &Demand,
    loads: &mut [Option<Vec<Column>>],
) {
    let flow = |problem: &mut Problem| -> Vec<Column> {
        scenario.links.iter().map(|_| problem.column("flow", 0.0, 0.0, f64::INFINITY)).collect()
    };
    if !demand.is_shared {
        let flow = flow(problem);
        keep(problem, part, scenario, demand.source, &demand.to, &flow);
        loads.iter_mut().zip(flow).for_each(|(load, column)| load.iter_mut().for_each(|it| it.push(column)));
        return;
    }
    let real: Vec<_> = loads
        .iter_mut()
        .map(|load| {
            let load = load.as_mut()?;
            load.push(problem.column("real", 0.0, 0.0, f64::INFINITY));
            load.last().copied()
        })
        .collect();
    for (to, bps) in &demand.to {
        let flow = flow(problem);
        keep(problem, part, scenario, demand.source, &BTreeMap::from([(*to, *bps)]), &flow);
        for (f, x) in flow.into_iter().zip(&real) {
            if let Some(x) = x {
                problem.row("shared", &[(f, 1.0), (*x, -1.0)], Relation::AtMost, 0.0);
            }
        }
    }
}

/// Adds the rows of a flow: what comes to a node and does not leave it is at least what the node got.
fn keep(
    problem: &mut Problem,
    part: Column,
    scenario: &Scenario,
    source: NodeId,
    to: &BTreeMap<NodeId, f64>,
    flow: &[Column],
) {
    for node in scenario.nodes.iter().map(|node| node.id).filter(|node| *node != source) {
        let sign = |from: NodeId, to: NodeId| f64::from(to == node) - f64::from(from == node);
        let links = scenario.links.iter().zip(flow);
        let mut terms: Vec<_> = links.map(|(link, column)| (*column, sign(link.from, link.to))).collect();
        terms.push((part, -to.get(&node).copied().unwrap_or(0.0)));
        problem.row("kept", &terms, Relation::AtLeast, 0.0);
    }
}

/// Returns what came of each session, in wire bits a second over the time in which it can have been under way; the
/// largest first.
fn demands(scenario: &Scenario, summary: &Summary, seconds: f64) -> Vec<Demand> {
    let mut joined: BTreeMap<(NodeId, Vec<NodeId>), Demand> = BTreeMap::new();
    let specs = scenario.conferences.iter().flat_map(|it| it.sessions.iter().map(|spec| (it.id.0, spec)));
    let specs: BTreeMap<_, _> = specs.map(|(conference, spec)| ((conference, spec.id.0), spec)).collect();
    for session in &summary.sessions {
        let Some(spec) = specs.get(&(session.conference, session.session)) else { continue };
        let window = scenario.measure.to.min(spec.stop).saturating_sub(scenario.measure.from.max(spec.start));
        let scale = 1e6 * window.as_secs_f64() / seconds * wire_factor(spec);
        let to = session.destinations.iter().filter_map(|found| {
            let bps = found.goodput_mbps.unwrap_or(0.0) * scale;
            (bps > 0.0).then_some((NodeId::new(found.node)?, bps))
        });
        let to: BTreeMap<NodeId, f64> = to.collect();
        let is_shared = to.len() > 1;
        // As if they were combined: more than they can be.
        let alike = if is_shared { to.keys().copied().collect() } else { Vec::new() };
        let new = || Demand { source: spec.source, to: BTreeMap::new(), is_shared };
        let demand = joined.entry((spec.source, alike)).or_insert_with(new);
        to.into_iter().for_each(|(to, bps)| *demand.to.entry(to).or_default() += bps);
    }
    let mut demands: Vec<_> = joined.into_values().filter(|demand| !demand.to.is_empty()).collect();
    let size = |demand: &Demand| demand.to.values().sum::<f64>();
    demands.sort_by(|a, b| size(b).total_cmp(&size(a)));
    demands
}

/// Returns the least bytes that a payload byte of the session takes on a link: a full packet with one Pathlet. What UDP,
/// TCP and IP add is left out, since one datagram may carry several packets.
fn wire_factor(session: &Session) -> f64 {
    let payload = f64::from(session.symbol_bytes.max(1));
    (payload + (DATA_FIXED_BYTES + PATHLET_HEADER_BYTES) as f64) / payload
}

/// Returns what is limited: the links that share a limit, and the most bits a second that pass it.
fn limits(scenario: &Scenario, seconds: f64) -> Vec<(Vec<usize>, f64)> {
    let raised = scenario.faults.iter().filter_map(|fault| match &fault.kind {
        FaultKind::Degrade { links: LinkSelector::Links(links), rate_factor: Some(factor), .. }
            if *factor > 1.0 =>
        {
            Some(links)
        }
        _ => None,
    });
    let raised: Vec<usize> = raised.flatten().copied().collect();
    let most = |rate: &Rate| match rate {
        Rate::Constant(rate) => Some(rate.as_bps() as f64),
        Rate::Trace(trace) => {
            trace.steps.iter().filter_map(|(_, rate)| *rate).map(BitRate::as_bps).max().map(|bps| bps as f64)
        }
        Rate::Unlimited | Rate::Shared(_) => None,
    };
    let links = || (0..).zip(&scenario.links).filter(|(index, _)| !raised.contains(index));
    let mut limits: Vec<(Vec<usize>, f64)> =
        links().filter_map(|(index, link)| Some((vec![index], most(&link.rate)?))).collect();
    for (number, bottleneck) in scenario.bottlenecks.iter().enumerate() {
        let shares = links().filter(|(_, link)| link.rate == Rate::Shared(number));
        limits.extend(most(&bottleneck.rate).map(|bps| (shares.map(|(index, _)| index).collect(), bps)));
    }
    limits.extend(paced(scenario, seconds));
    let all = || (0..).zip(&scenario.links);
    for node in &scenario.nodes {
        let (out, come) = (
            all().filter(|(_, link)| link.from == node.id).map(|(index, _)| index),
            all().filter(|(_, link)| link.to == node.id).map(|(index, _)| index),
        );
        limits.extend(node.egress.map(|cap| (out.collect(), cap.rate.as_bps() as f64)));
        limits.extend(node.ingress.map(|cap| (come.collect(), cap.rate.as_bps() as f64)));
    }
    limits
}

/// Returns what token buckets of hops let pass: a rate, and a burst of a quantum and a frame at each start of a node.
/// Where other transports are in use, they have hops of their own beside the paced one.
fn paced(scenario: &Scenario, seconds: f64) -> Vec<(Vec<usize>, f64)> {
    let mut sessions = scenario.conferences.iter().flat_map(|conference| &conference.sessions);
    if sessions.any(|session| session.transport != Transport::UdpUnpaced) {
        return Vec::new();
    }
    let starts = 1.0 + scenario.faults.len() as f64;
    let limit = |from: NodeId, (to, rate): &(NodeId, BitRate)| {
        let links = (0..).zip(&scenario.links).filter(|(_, link)| link.from == from && link.to == *to);
        let mtu = links.clone().map(|(_, link)| link.mtu).max()?;
        let rate = rate.as_bps() as f64;
        let burst = rate * PacingConfig::default().quantum.as_secs_f64() + 8.0 * f64::from(mtu);
        Some((links.map(|(index, _)| index).collect(), rate + starts * burst / seconds))
    };
    let hops = scenario.nodes.iter().flat_map(|node| node.hop_rates.iter().map(|hop| (node.id, hop)));
    hops.filter_map(|(from, hop)| limit(from, hop)).collect()
}

/// Returns the time in which all that counts was under way, in seconds: from the start of the measuring window until the
/// last symbol that was offered in it can have arrived.
fn seconds(scenario: &Scenario, summary: &Summary) -> f64 {
    let found = summary.sessions.iter().flat_map(|session| &session.destinations);
    let delays = found.filter_map(|found| found.delay_ms).map(|delay| delay.max * 1e-3);
    let last = scenario.measure.to.as_secs_f64() + delays.fold(0.0, f64::max);
    last.min((scenario.duration + scenario.drain).as_secs_f64()) - scenario.measure.from.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NoObserver, Simulation};
    use bellini_scenarios::parse::{LoadOptions, load};
    use bellini_scenarios::registry::Registry;
    use std::path::Path;

    /// Aim: the check is sharp. Where sources offer nearly what there is, a little more than was delivered is refused; with
    /// coding, with trees, and with streams of one destination each.
    #[test]
    fn little_more_is_refused() {
        for (name, factor) in [
            ("coding/butterfly", 1.2),
            ("policies/airlift-trees", 1.2),
            ("transports/reliable-two-paths", 1.05),
            ("transports/reliable-slow-hop", 1.05),
        ] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../scenarios/{name}.json"));
            let scenario =
                load(&path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}")).scenario;
            let simulation = Simulation::new(&scenario, 1, &Registry::builtin()).expect("it starts");
            let mut summary = simulation.run(&mut NoObserver).expect("no run beats theory").summary;
            println!("{name}: {:?} times what was delivered", room(&scenario, &summary));
            for found in summary.sessions.iter_mut().flat_map(|session| &mut session.destinations) {
                found.goodput_mbps = found.goodput_mbps.map(|mbps| mbps * factor);
            }
            let judged = check(&scenario, &summary);
            assert!(matches!(judged, Err(SimError::Capacity { percent }) if percent < 110.0), "{judged:?}");
        }
    }
}
