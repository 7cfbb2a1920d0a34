//! What a policy's decisions come to: delays, rates, prices.

use super::decide::{Decision, decide, everybody};
use super::flows::Flows;
use super::fluid::{Carried, Pipe, Stream, solve};
use super::limits::{Kind, Limits};
use super::network::Network;
use super::slices::{Slice, slices};
use super::{DestinationPlan, Finding, LinkPlan, OWN, PolicyPlan, RoutePlan, SessionPlan};
use crate::account::{LinkTraffic, Statement};
use crate::model::{Conference, Node, Session};
use crate::registry::Registry;
use bellini_core::content::spec::Content;
use bellini_core::ids::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// A rate that falls short by less than this part is what was asked for.
const FULL: f64 = 1e-3;
const MBPS: f64 = 1e-6;

/// A session with what was decided for it.
struct Case<'a> {
    conference: &'a Conference,
    session: &'a Session,
    destinations: Vec<NodeId>,
    routes: Vec<(bellini_core::route::Route, f64)>,
    flows: Result<Flows, String>,
}

/// What comes of a session, averaged over the spans in which it sends.
#[derive(Clone, Debug, Default)]
struct Mean {
    seconds: f64,
    source_bps: f64,
    is_unlimited: bool,
    held_by: Option<usize>,
    /// By hop: payload bits a second that left, that arrived.
    sent_bps: Vec<f64>,
    out_bps: Vec<f64>,
    /// By hop: the tightest limit of any span.
    tightest: Vec<Option<(usize, f64)>>,
}

impl Mean {
    fn add(&mut self, seconds: f64, source: Option<f64>, held_by: Option<usize>, pipes: &[Carried]) {
        self.seconds += seconds;
        self.is_unlimited |= source.is_none();
        self.source_bps += seconds * source.unwrap_or(0.0);
        self.held_by = self.held_by.or(held_by);
        self.sent_bps.resize(pipes.len(), 0.0);
        self.out_bps.resize(pipes.len(), 0.0);
        self.tightest.resize(pipes.len(), None);
        for (index, pipe) in pipes.iter().enumerate() {
            self.sent_bps[index] += seconds * pipe.sent_bps;
            self.out_bps[index] += seconds * pipe.out_bps;
            let worse =
                pipe.tightest.filter(|(_, pass)| self.tightest[index].is_none_or(|(_, least)| *pass < least));
            self.tightest[index] = worse.or(self.tightest[index]);
        }
    }

    fn finish(&mut self) {
        let seconds = self.seconds.max(1e-9);
        self.source_bps /= seconds;
        self.sent_bps.iter_mut().chain(&mut self.out_bps).for_each(|rate| *rate /= seconds);
    }
}

/// Plans all sessions for one policy.
pub(super) fn policy_plan(network: &Network<'_>, registry: &Registry, policy: &str) -> PolicyPlan {
    let decisions = decide(network, registry, (policy != OWN).then_some(policy));
    let scenario = network.scenario;
    let sessions = scenario.conferences.iter().enumerate().flat_map(|(index, conference)| {
        conference.sessions.iter().map(move |session| (index, conference, session))
    });
    let cases: Vec<Case<'_>> = sessions
        .zip(decisions)
        .map(|((index, conference, session), decision): (_, Decision)| {
            let (routes, flows) = match decision {
                Ok(routes) => {
                    let flows = Flows::new(network, session, &routes);
                    (routes, flows)
                }
                Err(error) => (Vec::new(), Err(error)),
            };
            Case { conference, session, destinations: everybody(scenario, index, session), routes, flows }
        })
        .collect();
    let mut limits = Limits::default();
    let streams: Vec<Stream> = cases.iter().map(|case| stream(network, &mut limits, case)).collect();
    let means = means(network, &streams, &limits, &slices(scenario));
    let named = |limit: usize| limits.all[limit].name(network);
    let mut plans = Vec::new();
    let mut findings = Vec::new();
    let mut wire_bps: BTreeMap<usize, f64> = BTreeMap::new();
    for (case, mean) in cases.iter().zip(&means) {
        let shown = if policy == OWN { case.session.routing.policy.as_str() } else { policy };
        let plan = session_plan(network, case, mean, shown, &named);
        complaints(case, &plan, &mut findings);
        if let Ok(flows) = &case.flows {
            for (hop, sent) in flows.hops.iter().zip(&mean.sent_bps) {
                *wire_bps.entry(hop.link).or_insert(0.0) += sent * hop.wire;
            }
        }
        plans.push(plan);
    }
    let others = slices(scenario);
    let links: Vec<LinkPlan> =
        wire_bps.iter().map(|(&link, &bps)| link_plan(network, link, bps, &others)).collect();
    let every = plans.iter().flat_map(|plan| &plan.destinations);
    let wanted = plans.iter().map(|plan| Some(plan.offered_mbps? * plan.destinations.len() as f64));
    let costs = plans.iter().map(|plan| plan.usd_per_hour);
    let is_known = plans.iter().all(|plan| plan.usd_per_hour.is_some());
    let percentile_usd_per_hour = percentile(network, &wire_bps).filter(|_| is_known);
    let machines = machines(network, &cases);
    let prices = machines.iter().map(|node| node.vm_usd_per_hour);
    PolicyPlan {
        policy: policy.to_owned(),
        rate_mbps: every.clone().filter_map(|destination| destination.rate_mbps).sum(),
        wanted_mbps: wanted.sum(),
        delay_ms_max: every.filter_map(|destination| destination.delay_ms).reduce(f64::max),
        usd_per_hour: costs.sum(),
        percentile_usd_per_hour,
        machines: machines.len(),
        vm_usd_per_hour: prices.sum::<Option<f64>>().filter(|_| !machines.is_empty()),
        sessions: plans,
        links,
        findings,
    }
}

fn stream(network: &Network<'_>, limits: &mut Limits, case: &Case<'_>) -> Stream {
    let position = network.scenario.conferences.iter().position(|it| it.id == case.conference.id);
    let mut stream = Stream {
        conference: position.unwrap_or(0),
        weight: f64::from(case.conference.weight.max(1)),
        priority: case.conference.priority,
        offered_bps: Some(0.0),
        is_elastic: false,
        pipes: Vec::new(),
    };
    let Ok(flows) = &case.flows else { return stream };
    let crossed = limits.of(network, case.session, flows);
    stream.offered_bps = flows.packets.offered_bps;
    stream.is_elastic = flows.is_reliable || flows.packets.offered_bps.is_none();
    let pipes = flows.hops.iter().zip(crossed).map(|(hop, limits)| Pipe {
        parent: hop.parent,
        share: flows.shares[hop.route],
        wire: hop.wire,
        survival: if flows.is_reliable { 1.0 } else { 1.0 - hop.loss },
        limits,
    });
    stream.pipes = pipes.collect();
    stream
}

fn means(network: &Network<'_>, streams: &[Stream], limits: &Limits, slices: &[Slice]) -> Vec<Mean> {
    let mut means = vec![Mean::default(); streams.len()];
    for slice in slices {
        let others: Vec<f64> = limits
            .all
            .iter()
            .map(|limit| match limit.kind {
                Kind::Link(link) => slice.others_bps[link],
                Kind::Bottleneck(bottleneck) => {
                    let on = |link: &usize| network.bottleneck(*link) == Some(bottleneck);
                    (0..slice.others_bps.len()).filter(on).map(|link| slice.others_bps[link]).sum()
                }
                _ => 0.0,
            })
            .collect();
        let rates = solve(streams, &slice.active, &limits.all, &others);
        for (index, mean) in means.iter_mut().enumerate() {
            if slice.active[index] && !(slice.is_fallback && mean.seconds > 0.0) {
                mean.add(
                    slice.seconds.max(1e-9),
                    rates.sources[index],
                    rates.held_by[index],
                    &rates.pipes[index],
                );
            }
        }
    }
    means.iter_mut().for_each(Mean::finish);
    means
}

fn session_plan(
    network: &Network<'_>,
    case: &Case<'_>,
    mean: &Mean,
    policy: &str,
    named: &dyn Fn(usize) -> String,
) -> SessionPlan {
    let mut plan = SessionPlan {
        conference: case.conference.id.0,
        session: case.session.id.0,
        name: case.session.name.clone(),
        source: case.session.source.get(),
        policy: policy.to_owned(),
        offered_mbps: crate::resolve::mean_rate(&case.session.content).map(|rate| rate.as_mbps()),
        sent_mbps: None,
        routes: Vec::new(),
        destinations: Vec::new(),
        usd_per_hour: None,
        error: None,
    };
    let flows = match &case.flows {
        Ok(flows) => flows,
        Err(error) => {
            plan.error = Some(error.clone());
            plan.destinations = case.destinations.iter().map(|node| nothing(network, *node)).collect();
            return plan;
        }
    };
    plan.sent_mbps = (!mean.is_unlimited).then_some(mean.source_bps * MBPS);
    let price = |link: usize| network.link(link).usd_per_gb;
    plan.routes = case
        .routes
        .iter()
        .enumerate()
        .map(|(index, (route, share))| {
            let hops = || flows.hops.iter().filter(move |hop| hop.route == index);
            let ends = hops().filter(|hop| hop.deliver.is_some()).map(|hop| hop.delay.as_millis_f64());
            RoutePlan {
                route: format!("{}>{route}", case.session.source),
                share: *share,
                delay_ms: ends.fold(0.0, f64::max),
                usd_per_payload_gb: hops().map(|hop| Some(price(hop.link)? * hop.wire)).sum(),
            }
        })
        .collect();
    plan.destinations =
        case.destinations.iter().map(|node| destination(network, flows, mean, *node, named)).collect();
    if !mean.is_unlimited {
        let per_hour = |bps: f64| bps / 8.0 * 3600.0 * 1e-9;
        let costs = flows.hops.iter().zip(&mean.sent_bps);
        plan.usd_per_hour = costs.map(|(hop, sent)| Some(price(hop.link)? * per_hour(sent * hop.wire))).sum();
    }
    plan
}

fn nothing(network: &Network<'_>, node: NodeId) -> DestinationPlan {
    DestinationPlan {
        node: node.get(),
        name: network.name(node),
        delay_ms: None,
        delay_ms_max: None,
        rate_mbps: Some(0.0),
        part: Some(0.0),
        bound_by: "no route".to_owned(),
    }
}

fn destination(
    network: &Network<'_>,
    flows: &Flows,
    mean: &Mean,
    node: NodeId,
    named: &dyn Fn(usize) -> String,
) -> DestinationPlan {
    let ends: Vec<usize> =
        (0..flows.hops.len()).filter(|&hop| flows.hops[hop].deliver == Some(node)).collect();
    if ends.is_empty() {
        return nothing(network, node);
    }
    let delays = ends.iter().map(|&hop| flows.hops[hop].delay.as_millis_f64());
    // Copies of the same packet over several branches of a route are delivered once.
    let mut by_route: BTreeMap<usize, f64> = BTreeMap::new();
    for &hop in &ends {
        let best = by_route.entry(flows.hops[hop].route).or_insert(0.0);
        *best = best.max(mean.out_bps.get(hop).copied().unwrap_or(0.0));
    }
    let arrives: f64 = by_route.values().sum();
    let offered = flows.packets.offered_bps;
    let source =
        if flows.is_reliable || offered.is_none() { mean.source_bps } else { offered.unwrap_or(0.0) };
    // Combinations stand in for what was lost, as long as there are enough of them.
    let rate = if flows.packets.packets_per_symbol > 1.0 {
        (arrives * flows.packets.packets_per_symbol).min(source)
    } else {
        arrives
    };
    let full = offered.unwrap_or(source);
    let part = if full > 0.0 { (rate / full).min(1.0) } else { 0.0 };
    let worst = ends.iter().filter_map(|&hop| *mean.tightest.get(hop)?).min_by(|a, b| a.1.total_cmp(&b.1));
    let lost = ends.iter().map(|&hop| 1.0 - flows.survival(hop)).fold(0.0, f64::max);
    let bound_by = if mean.is_unlimited {
        "nothing".to_owned()
    } else if let Some(limit) = mean.held_by {
        named(limit)
    } else if let Some((limit, _)) = worst {
        named(limit)
    } else if part < 1.0 - FULL && lost > 0.0 {
        format!("loss of {:.2} %", lost * 100.0)
    } else if part < 1.0 - FULL && flows.share_to(node) < 1.0 - FULL {
        "routes that do not reach it".to_owned()
    } else {
        "its content".to_owned()
    };
    DestinationPlan {
        node: node.get(),
        name: network.name(node),
        delay_ms: delays.clone().reduce(f64::min),
        delay_ms_max: delays.reduce(f64::max),
        rate_mbps: (!mean.is_unlimited).then_some(rate * MBPS),
        part: (!mean.is_unlimited).then_some(part),
        bound_by,
    }
}

/// Notes what a session's plan falls short of.
fn complaints(case: &Case<'_>, plan: &SessionPlan, findings: &mut Vec<Finding>) {
    let finding = |kind, destination, text| Finding {
        kind,
        conference: Some(plan.conference),
        session: Some(plan.session),
        destination,
        text,
    };
    if let Some(error) = &plan.error {
        findings.push(finding("routes", None, error.clone()));
        return;
    }
    let bound = super::demands::delay_bound(case.session);
    for to in &plan.destinations {
        if let (Some(bound), Some(delay)) = (bound, to.delay_ms)
            && delay > bound.as_millis_f64()
        {
            let bound = bound.as_millis_f64();
            let text = format!("{}: {delay:.1} ms without queues, and {bound:.1} ms are allowed", to.name);
            findings.push(finding("delay", Some(to.node), text));
        }
        if let (Some(part), Some(rate), Some(offered)) = (to.part, to.rate_mbps, plan.offered_mbps)
            && part < 1.0 - 0.01
        {
            let text = format!("{}: {rate:.3} of {offered:.3} Mbit/s, bound by {}", to.name, to.bound_by);
            findings.push(finding("rate", Some(to.node), text));
        }
    }
    if matches!(case.session.content, Content::Application { .. }) {
        let text = "its application's rate is not known beforehand".to_owned();
        findings.push(finding("rate", None, text));
    }
}

/// Returns what links at these wire rates cost an hour, were each period to have them throughout: what is charged by
/// percentile is then the rate itself.
fn percentile(network: &Network<'_>, wire_bps: &BTreeMap<usize, f64>) -> Option<f64> {
    let billing = network.scenario.billing.unwrap_or_default();
    let traffic = wire_bps.iter().filter(|(_, bps)| **bps > 0.0).map(|(&link, &bps)| {
        let ends = network.link(link);
        LinkTraffic {
            ends: (ends.from.get(), ends.to.get()),
            usd_per_gb: ends.usd_per_gb,
            bytes: 0.0,
            mbps: vec![bps * MBPS],
        }
    });
    let statement = Statement::of(&billing, &traffic.collect::<Vec<_>>());
    let period: Option<f64> = statement.lines.iter().map(|line| line.percentile_usd).sum();
    Some(period? / (billing.period.as_secs_f64() / 3600.0))
}

/// Returns the machines that are in use: those that a route begins at, ends at or goes by.
fn machines<'a>(network: &Network<'a>, cases: &[Case<'_>]) -> Vec<&'a Node> {
    let mut used = BTreeSet::new();
    for case in cases {
        let Ok(flows) = &case.flows else { continue };
        for hop in &flows.hops {
            let link = network.link(hop.link);
            used.extend([link.from, link.to]);
        }
    }
    network.scenario.nodes.iter().filter(|node| node.is_machine() && used.contains(&node.id)).collect()
}

fn link_plan(network: &Network<'_>, link: usize, bps: f64, slices: &[Slice]) -> LinkPlan {
    let ends = network.link(link);
    let real = || slices.iter().filter(|slice| !slice.is_fallback);
    let seconds: f64 = real().map(|slice| slice.seconds).sum();
    let others: f64 =
        real().map(|slice| slice.others_bps[link] * slice.seconds).sum::<f64>() / seconds.max(1e-9);
    let rate = network.rate(link).map(|rate| rate.as_bps() as f64);
    LinkPlan {
        from: ends.from.get(),
        to: ends.to.get(),
        mbps: bps * MBPS,
        utilisation: rate.map(|rate| ((bps + others) / rate).min(1.0)),
        usd_per_hour: ends.usd_per_gb.map(|price| price * bps / 8.0 * 3600.0 * 1e-9),
    }
}
