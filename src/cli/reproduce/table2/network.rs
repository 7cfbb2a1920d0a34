//! Networks of hops in a row, as scenarios for the simulator and in closed form.

use super::super::common::greedy;
use super::super::{Setting, bins, equation};
use crate::cli::exit::Failure;
use bellini_scenarios::record::Scope;
use serde_json::{Value, json};

/// Payload of a symbol.
const SYMBOL_BYTES: f64 = 1_200.0;
/// The source's id and the destination's.
pub(super) const SOURCE: u32 = 1;
pub(super) const DESTINATION: u32 = 2;

/// One hop: a TFRC loop of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hop {
    /// Where it leads.
    pub(super) to: u32,
    /// There and back.
    pub(super) rtt_ms: f64,
    /// Probability that a packet is lost.
    pub(super) loss: f64,
}

/// Ways from the source to the destination; those that begin with the same hop share it. Each carries a session.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) ways: Vec<Vec<Hop>>,
    /// What the source can send in all, in Mbit/s on the wire.
    pub(super) cap_mbps: Option<f64>,
}

/// Start and end of the measuring window in seconds.
pub(super) type Window = (u64, u64);

/// Returns payload in Mbit/s that one loop carries by the equation.
pub(super) fn loop_mbps(loss: f64, rtt_ms: f64) -> f64 {
    equation::at_event_rate(loss, rtt_ms / 1e3) * SYMBOL_BYTES * 8e-6
}

/// Returns the loss at which one loop carries `mbps` of payload by the equation.
pub(super) fn loss_for(mbps: f64, rtt_ms: f64) -> f64 {
    let (mut low, mut high) = (1e-9_f64, 0.3_f64);
    for _ in 0..100 {
        let middle = (low * high).sqrt();
        if loop_mbps(middle, rtt_ms) > mbps { low = middle } else { high = middle }
    }
    (low * high).sqrt()
}

/// Returns the loss of hops in a row.
pub(super) fn in_a_row(losses: impl Iterator<Item = f64>) -> f64 {
    1.0 - losses.map(|loss| 1.0 - loss).product::<f64>()
}

impl Network {
    /// Returns payload in Mbit/s by the equation: each way carries what its slowest hop does, ways that share their
    /// first hop share its rate as evenly as their other hops let them, and all together no more than the source can
    /// send: relays whose feeders are full hold greedy sources back, so that nothing is sent in vain.
    pub(super) fn expected_mbps(&self) -> f64 {
        let mut sum = 0.0;
        for (index, way) in self.ways.iter().enumerate() {
            let is_same = |other: &&Vec<Hop>| other[0].to == way[0].to;
            if self.ways[..index].iter().any(|other| is_same(&other)) {
                continue;
            }
            let rest = |way: &Vec<Hop>| {
                way[1..].iter().map(|hop| loop_mbps(hop.loss, hop.rtt_ms)).fold(f64::INFINITY, f64::min)
            };
            let mut rests: Vec<_> = self.ways.iter().filter(is_same).map(rest).collect();
            rests.sort_by(f64::total_cmp);
            let mut left = loop_mbps(way[0].loss, way[0].rtt_ms);
            for (done, rest) in rests.iter().enumerate() {
                let part = rest.min(left / (rests.len() - done) as f64);
                (left, sum) = (left - part, sum + part);
            }
        }
        self.cap_mbps.map_or(sum, |cap| sum.min(cap * SYMBOL_BYTES / WIRE_BYTES))
    }

    /// Returns the scenario: a session over each way, which always has something to send.
    pub(super) fn scenario(&self, (from, to): Window) -> Value {
        let mut links: Vec<(u32, Hop)> = Vec::new();
        let mut nodes = vec![SOURCE, DESTINATION];
        for way in &self.ways {
            let mut at = SOURCE;
            for hop in way {
                if !links.iter().any(|(from, link)| (*from, link.to) == (at, hop.to)) {
                    links.push((at, *hop));
                }
                if !nodes.contains(&hop.to) {
                    nodes.push(hop.to);
                }
                at = hop.to;
            }
        }
        let node = |id: &u32| {
            let mut node = json!({ "id": id, "feeder": { "bulk": "1 MiB" } });
            if let (SOURCE, Some(cap)) = (*id, self.cap_mbps) {
                node["egress"] =
                    json!({ "rate": format!("{} kbit/s", (cap * 1e3).round()), "queue": "128 KiB" });
            }
            node
        };
        let link = |(from, hop): &(u32, Hop)| {
            let delay = format!("{} us", (hop.rtt_ms * 500.0).round());
            [
                json!({ "from": from, "to": hop.to, "delay": delay, "loss": hop.loss }),
                json!({ "from": hop.to, "to": from, "delay": delay }),
            ]
        };
        // Conferences of their own: those share a hop evenly, while greedy sessions of one would not.
        let conference = |(id, way): (usize, &Vec<Hop>)| {
            let stops: Vec<_> = way.iter().map(|hop| hop.to.to_string()).collect();
            json!({ "id": id + 1, "sessions": [{
                "id": 1, "source": SOURCE, "destinations": [DESTINATION], "transport": "udp",
                "routing": { "policy": "static", "flows": [{ "route": format!("{SOURCE}>{}", stops.join(">")) }] },
                "content": greedy()
            }] })
        };
        json!({
            "bellini": 1, "name": "table2", "duration": format!("{to} s"), "sample_interval": "1 s",
            "measure": { "from": format!("{from} s"), "to": format!("{to} s") },
            "nodes": nodes.iter().map(node).collect::<Vec<_>>(),
            "links": links.iter().flat_map(link).collect::<Vec<_>>(),
            "conferences": self.ways.iter().enumerate().map(conference).collect::<Vec<_>>()
        })
    }

    /// Simulates it once.
    pub(super) fn measure(
        &self,
        setting: &Setting<'_>,
        seed: u64,
        window: Window,
    ) -> Result<Measured, Failure> {
        const METRICS: &[(Scope, &str)] = &[(Scope::Destination, "goodput_mbps")];
        let run = super::super::simulate(setting.registry, &self.scenario(window), seed, METRICS)?;
        let over = (window.0 as f64, window.1 as f64);
        let way = |index: usize| {
            let seconds = run.bins("goodput_mbps", &format!("{}/1@{DESTINATION}", index + 1), over);
            bins::mean(&seconds).unwrap_or(0.0)
        };
        let mbps = (0..self.ways.len()).map(way).sum();
        let overflow = run.summary.nodes.iter().map(|node| node.overflow_drops).sum();
        Ok(Measured { mbps, overflow, seed, digest: run.summary.digest.unwrap_or_default() })
    }
}

/// Bytes of a packet on the first hop of two: payload, IP and UDP, frame, chunk, packet, two Pathlets.
const WIRE_BYTES: f64 = SYMBOL_BYTES + 28.0 + 24.0 + 3.0 + 49.0 + 12.0;

/// What one simulated run gave.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// Payload that came to the destination in the window, over all ways.
    pub(super) mbps: f64,
    /// Packets that full feeders dropped.
    overflow: u64,
    seed: u64,
    digest: String,
}

impl Measured {
    pub(super) fn json(&self) -> Value {
        json!({ "seed": self.seed, "mbps": self.mbps, "overflow_drops": self.overflow, "digest": self.digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the loss that is fitted gives the rate that it was fitted to, and two equal hops carry 2^1.5 of one over
    /// both.
    #[test]
    fn closed_forms_agree() {
        let loss = loss_for(1.38, 209.8);
        assert!((loop_mbps(loss, 209.8) / 1.38 - 1.0).abs() < 1e-6, "{loss}");
        let way = |hops: &[(u32, f64)]| {
            hops.iter()
                .map(|(to, part)| Hop { to: *to, rtt_ms: 209.8 * part, loss: loss * part })
                .collect::<Vec<_>>()
        };
        let whole = Network { ways: vec![way(&[(2, 1.0)])], cap_mbps: None };
        let cut = Network { ways: vec![way(&[(10, 0.5), (2, 0.5)])], cap_mbps: None };
        let gain = cut.expected_mbps() / whole.expected_mbps();
        assert!((gain / 2.0_f64.powf(1.5) - 1.0).abs() < 0.02, "{gain}");
    }

    /// Aim: a full source bounds the sum, and ways that share a first hop share its rate.
    #[test]
    fn sources_and_first_hops_bound() {
        let hop = |to| Hop { to, rtt_ms: 100.0, loss: 1e-4 };
        let apart = vec![vec![hop(10), hop(2)], vec![hop(11), hop(2)]];
        let free = Network { ways: apart.clone(), cap_mbps: None }.expected_mbps();
        let full = Network { ways: apart, cap_mbps: Some(free / 2.0) }.expected_mbps();
        assert!((full / free - 0.5 * SYMBOL_BYTES / WIRE_BYTES).abs() < 0.01, "{full} {free}");
        let shared =
            Network { ways: vec![vec![hop(10), hop(2)], vec![hop(10), hop(11), hop(2)]], cap_mbps: None };
        assert!((shared.expected_mbps() / free - 0.5).abs() < 0.01);
    }
}
