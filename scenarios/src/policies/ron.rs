//! `ron`: the direct path or one intermediate node, by what was measured.

use super::Parameters;
use crate::graph::{Path, merge};
use crate::policy::{NetworkView, PolicyError, Request, RouteChoice, Routing, ViewLink};
use crate::units::parse_time;
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use serde_json::Value;
use std::collections::BTreeMap;

/// How often nodes of RON tell each other what they measured.
const UPDATE: Duration = Duration::from_secs(14);
/// The bonus of the path in use.
const HYSTERESIS: f64 = 0.05;
/// By how much an alternative must be faster than the direct path under the metric `throughput`.
const GAIN: f64 = 0.5;
/// Loss that a path is taken to have at least under that metric: else an idle path would win without end.
const LOSS_FLOOR: f64 = 0.02;
/// A difference in loss below this tells nothing: half a probe in a hundred.
const LOSS_GRAIN: f64 = 0.005;
/// By how much a path may lose more than the best one to be taken for its round-trip time: less than that, so that losses
/// about the grain do not move packets to and fro.
const LOSS_ALIKE: f64 = LOSS_GRAIN / 2.0;

/// Chooses for each destination the direct path or one over a single intermediate node, in the manner of RON (Andersen
/// et al., Resilient Overlay Networks, SOSP 2001), and merges these paths into one tree.
///
/// It sees links as the view has them: with `"view": "measured"` and `probing`, by its probes. A link whose far end does
/// not answer is not there, so that a path in outage loses to any other. Parameters:
/// - `metric`: `latency` (the sum of round-trip times), `loss` (1 - the product of 1 - loss), or `throughput` (the rate of a
///   TCP bulk transfer, sqrt(1.5) / (rtt sqrt(loss)), with a loss of at least `loss_floor`, 0.0001 to 1, default 0.02);
///   default `latency`.
/// - `hysteresis` (0 to 0.9, default 0.05): by which part another path must be better than the one in use, which at first
///   is the direct one. Under `loss` it must also be better by half a percentage point; among paths that lose alike round
///   trips are compared, with the same hysteresis.
/// - `gain` (0 to 10, default 0.5): under `throughput`, by which part an alternative must be better than the direct path.
/// - `relays`: names or ids of the nodes that may be intermediate (default: all).
/// - `update` (default 14 s): how often it wants to be asked. What the source's own probes find is told at once.
#[derive(Clone, Debug, Default)]
pub struct Ron {
    /// The path in use to each destination: over this node, or the direct one.
    used: BTreeMap<NodeId, Option<NodeId>>,
}

impl Routing for Ron {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let known = ["metric", "hysteresis", "gain", "loss_floor", "relays", "update"];
        let parameters = Parameters::of(request, &known)?;
        let metric = parameters.word("metric", &["latency", "loss", "throughput"])?.unwrap_or("latency");
        let rules = Rules {
            metric,
            hysteresis: parameters.number("hysteresis", 0.0, 0.9)?.unwrap_or(HYSTERESIS),
            gain: parameters.number("gain", 0.0, 10.0)?.unwrap_or(GAIN),
            loss_floor: parameters.number("loss_floor", 0.0001, 1.0)?.unwrap_or(LOSS_FLOOR),
        };
        parameters.time("update")?;
        let relays = parameters.nodes("relays")?;
        let links = Links::of(request.view);
        let relays = relays.unwrap_or_else(|| request.view.nodes.iter().map(|node| node.id).collect());
        let mut paths = Vec::new();
        for &to in request.destinations {
            let used = self.used.get(&to).copied().flatten();
            let over = rules
                .best(&links, request.source, to, &relays, used)
                .ok_or(PolicyError::Unreachable { from: request.source, to })?;
            self.used.insert(to, over);
            let nodes = [Some(request.source), over, Some(to)].into_iter().flatten().collect();
            paths.push(Path { nodes, delay: Duration::ZERO });
        }
        self.used.retain(|node, _| request.destinations.contains(node));
        Ok(vec![merge(&paths).into()])
    }

    fn period(&self, parameters: &BTreeMap<String, Value>) -> Option<Duration> {
        let given = parameters.get("update").and_then(Value::as_str).and_then(|text| parse_time(text).ok());
        Some(given.unwrap_or(UPDATE))
    }
}

/// What a path is like.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Quality {
    rtt_s: f64,
    loss: f64,
}

impl Quality {
    fn then(self, next: Self) -> Self {
        Self { rtt_s: self.rtt_s + next.rtt_s, loss: 1.0 - (1.0 - self.loss) * (1.0 - next.loss) }
    }
}

/// Links by their ends.
struct Links(BTreeMap<(NodeId, NodeId), Quality>);

impl Links {
    fn of(view: &NetworkView) -> Self {
        Self(view.links.iter().map(|link| ((link.from, link.to), quality(link))).collect())
    }

    fn path(&self, from: NodeId, over: Option<NodeId>, to: NodeId) -> Option<Quality> {
        let link = |from, to| self.0.get(&(from, to)).copied();
        match over {
            None => link(from, to),
            Some(relay) => Some(link(from, relay)?.then(link(relay, to)?)),
        }
    }
}

/// Measured figures where there are some, else the view's.
fn quality(link: &ViewLink) -> Quality {
    let measured = link.measured.unwrap_or_default();
    Quality {
        rtt_s: measured.rtt.map_or(2.0 * link.delay.as_secs_f64(), |rtt| rtt.value).max(1e-6),
        loss: measured.loss.map_or(link.loss, |loss| loss.value).clamp(0.0, 1.0),
    }
}

struct Rules {
    metric: &'static str,
    hysteresis: f64,
    gain: f64,
    loss_floor: f64,
}

impl Rules {
    /// Returns the relay of the best path, `Some(None)` for the direct one; `None` where there is no path.
    fn best(
        &self,
        links: &Links,
        from: NodeId,
        to: NodeId,
        relays: &[NodeId],
        used: Option<NodeId>,
    ) -> Option<Option<NodeId>> {
        let others = relays.iter().filter(|&&relay| relay != from && relay != to).map(|&relay| Some(relay));
        // The direct path first, then by ids: the first of equal ones is taken.
        let all = std::iter::once(None).chain(others);
        let mut paths: Vec<(Option<NodeId>, Quality)> =
            all.filter_map(|over| Some((over, links.path(from, over, to)?))).collect();
        if self.metric == "loss" {
            let least = paths.iter().map(|(_, quality)| quality.loss).fold(1.0, f64::min);
            paths.retain(|(over, quality)| self.loses_little(quality.loss, least, *over == used));
        }
        let mut best: Option<(f64, Option<NodeId>)> = None;
        for (over, quality) in paths {
            let cost = self.cost(quality, over.is_some(), over == used);
            if best.is_none_or(|(known, _)| cost < known) {
                best = Some((cost, over));
            }
        }
        best.map(|(_, over)| over)
    }

    /// Whether a path's loss is as good as the least there is: of the path in use, unless the least is clearly better.
    fn loses_little(&self, loss: f64, least: f64, is_used: bool) -> bool {
        let slack = if is_used { LOSS_GRAIN.max(self.hysteresis * loss) } else { LOSS_ALIKE };
        loss - slack <= least
    }

    /// Returns what is compared: less is better. Under `loss` of paths that lose alike.
    fn cost(&self, quality: Quality, is_relayed: bool, is_used: bool) -> f64 {
        let bonus = if is_used { 1.0 - self.hysteresis } else { 1.0 };
        match self.metric {
            "throughput" => {
                let slower = if is_relayed { 1.0 + self.gain } else { 1.0 };
                // The inverse of the packets a second, but for its constant.
                quality.rtt_s * quality.loss.max(self.loss_floor).sqrt() * slower * bonus
            }
            _ => quality.rtt_s * bonus,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the figures of the throughput score: 86.6, 54.8 and 43.3 packets a second, and the floor under the loss.
    #[test]
    fn the_score_is_that_of_a_bulk_transfer() {
        let rules = Rules { metric: "throughput", hysteresis: 0.0, gain: 0.0, loss_floor: 0.02 };
        let score = |rtt_s, loss| 1.5_f64.sqrt() / rules.cost(Quality { rtt_s, loss }, false, false);
        for (rtt, loss, expected) in
            [(0.1, 0.02, 86.6), (0.1, 0.05, 54.8), (0.2, 0.02, 43.3), (0.1, 0.0, 86.6)]
        {
            assert!((score(rtt, loss) - expected).abs() < 0.05, "{rtt} s, {loss}: {}", score(rtt, loss));
        }
    }

    /// Aim: losses of links in a row are combined as independent ones, and round trips add up.
    #[test]
    fn links_in_a_row() {
        let path = Quality { rtt_s: 0.1, loss: 0.1 }.then(Quality { rtt_s: 0.05, loss: 0.2 });
        assert!((path.rtt_s - 0.15).abs() < 1e-12 && (path.loss - 0.28).abs() < 1e-12, "{path:?}");
    }
}
