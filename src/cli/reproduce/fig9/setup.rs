//! What Fig. 9 is simulated with: the two shipped scenarios, and changes of what is assumed in them.

use super::super::Setting;
use crate::cli::exit::{self, Failure};
use bellini_core::ids::NodeId;
use bellini_core::route::Route;
use bellini_scenarios::record::{DestinationSummary, Summary};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The scenarios, which differ in routing and coding alone.
pub(super) const CLOUD: &str = include_str!("../../../../scenarios/paper/fig9-cloud.json");
pub(super) const P2P: &str = include_str!("../../../../scenarios/paper/fig9-p2p.json");
/// Rates that are tried: from this one on, eight to a doubling.
const FIRST_KBPS: f64 = 40.0;
const STEPS: usize = 64;
/// A rate is carried when every destination gets this part of the symbols offered.
pub(super) const CARRIED: f64 = 0.95;
/// Rate of the links to datacenters and inside a country in the files, and of those across the ocean.
pub(super) const ACCESS_MBPS: f64 = 22.4;
pub(super) const OCEAN_KBPS: f64 = 165.0;
/// Loss of a link by the millisecond of its round trip in the files: what Table II's P2P throughput between Toronto and
/// Beijing, 4.04 Mbit/s at 284.6 ms, follows from.
pub(super) const LOSS_PER_MS: f64 = 1.04e-4 / 284.6;

/// A scenario to find the highest rate of.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) name: &'static str,
    /// What it is, for a remark.
    pub(super) what: &'static str,
    scenario: Value,
}

/// What one run gave.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) mbps: f64,
    /// Part of the symbols that came to the destination that got least.
    pub(super) worst: f64,
    /// Mean delay over all pairs of source and destination, and over those across the ocean, in milliseconds.
    pub(super) delay_ms: f64,
    pub(super) ocean_ms: f64,
    pub(super) summary: Summary,
}

/// Returns the rate of a step, in Mbit/s.
pub(super) fn rate_mbps(step: usize) -> f64 {
    FIRST_KBPS * 1e-3 * 2.0_f64.powf(step as f64 / 8.0)
}

/// Returns whether a node is in Canada; the others of the four are in China.
fn is_canadian(node: u32) -> bool {
    node <= 2
}

impl Setup {
    fn load(name: &'static str, what: &'static str, text: &str) -> Result<Self, Failure> {
        let scenario = serde_json::from_str(text).map_err(|error| Failure::new(exit::SCENARIO, error))?;
        Ok(Self { name, what, scenario })
    }

    /// Changes each link with that rate.
    fn change_links(mut self, rate: &str, change: impl Fn(&mut Value)) -> Self {
        for link in self.scenario["links"].as_array_mut().into_iter().flatten() {
            if link["rate"] == rate {
                change(link);
            }
        }
        self
    }

    fn access(self, change: impl Fn(&mut Value)) -> Self {
        self.change_links(&format!("{ACCESS_MBPS} Mbit/s"), change)
    }

    fn ocean(self, change: impl Fn(&mut Value)) -> Self {
        self.change_links(&format!("{OCEAN_KBPS} kbit/s"), change)
    }

    fn defaults(mut self, change: impl Fn(&mut serde_json::Map<String, Value>)) -> Self {
        if let Some(session) = self.scenario["defaults"]["session"].as_object_mut() {
            change(session);
        }
        self
    }

    /// Returns all setups: the shipped files first (P2P, cloud), then the cloud's with one thing changed, then P2P's.
    pub(super) fn all() -> Result<Vec<Self>, Failure> {
        let cloud = |name, what| Self::load(name, what, CLOUD);
        let p2p = |name, what| Self::load(name, what, P2P);
        let times = |link: &mut Value, factor: f64| {
            link["loss"] = json!(link["loss"].as_f64().unwrap_or(0.0) * factor);
        };
        let mut backbone = cloud(
            "cloud, lossy trunk",
            "the link between the datacenters loses by the millisecond what the others do",
        )?;
        let link = json!({ "between": ["virginia", "tokyo"], "delay": "101.5 ms", "rate": "100 Mbit/s", "queue": "1 MiB",
            "loss": 203.0 * LOSS_PER_MS });
        if let Some(links) = backbone.scenario["links"].as_array_mut() {
            links.push(link);
        }
        Ok(vec![
            p2p("P2P", "as shipped; the limit across the ocean is fitted to the paper's value")?,
            cloud("cloud", "as shipped; nothing is fitted to the paper's value")?,
            cloud("cloud, not coded", "off: coding; trees")?.defaults(|session| {
                session.remove("coding");
            }),
            cloud(
                "cloud, assumed rates halved",
                "members' links to datacenters and inside a country have half the rate",
            )?
            .access(|link| link["rate"] = json!(format!("{} Mbit/s", ACCESS_MBPS / 2.0))),
            cloud("cloud, losses tenfold", "every link that loses, loses ten times as much")?
                .access(|link| times(link, 10.0))
                .ocean(|link| times(link, 10.0)),
            backbone,
            cloud("cloud, unpaced", "off: TFRC; hops send what comes")?.defaults(|session| {
                session.insert("transport".to_owned(), json!("udp-unpaced"));
            }),
            p2p("P2P, fitted limit halved", "members' links across the ocean have half the rate")?
                .ocean(|link| link["rate"] = json!(format!("{} kbit/s", OCEAN_KBPS / 2.0))),
            p2p(
                "P2P, no fitted limit",
                "members' links across the ocean are as wide as all others, with losses as in Table II",
            )?
            .ocean(|link| {
                link["rate"] = json!(format!("{ACCESS_MBPS} Mbit/s"));
                link["queue"] = json!("64 KiB");
            }),
        ])
    }

    /// Simulates it at the rate of `step`; `window`: start and end of measuring, unless as in the file.
    pub(super) fn measure(
        &self,
        setting: &Setting<'_>,
        step: usize,
        seed: u64,
        window: Option<(u64, u64)>,
    ) -> Result<Outcome, Failure> {
        let mut scenario = self.scenario.clone();
        let mbps = rate_mbps(step);
        scenario["defaults"]["session"]["content"]["rate"] = json!(format!("{} bit/s", (mbps * 1e6).round()));
        if let Some((from, to)) = window {
            scenario["duration"] = json!(format!("{to} s"));
            scenario["measure"] = json!({ "from": format!("{from} s"), "to": format!("{to} s") });
        }
        let summary = super::super::simulate(setting.registry, &scenario, seed, &[])?.summary;
        let there: Vec<(u32, &DestinationSummary)> = summary
            .sessions
            .iter()
            .flat_map(|it| it.destinations.iter().map(|there| (it.source, there)))
            .collect();
        let part = |it: &DestinationSummary| it.delivered_packets as f64 / it.sent_packets.max(1) as f64;
        let worst = there.iter().map(|(_, it)| part(it)).fold(f64::INFINITY, f64::min);
        let mean = |ocean_only: bool| {
            let across = |(from, it): &&(u32, &DestinationSummary)| {
                !ocean_only || is_canadian(*from) != is_canadian(it.node)
            };
            let delays: Vec<_> = there
                .iter()
                .filter(across)
                .filter_map(|(_, it)| it.delay_ms.map(|delay| delay.mean))
                .collect();
            super::super::bins::mean(&delays).unwrap_or(f64::NAN)
        };
        Ok(Outcome { mbps, worst, delay_ms: mean(false), ocean_ms: mean(true), summary })
    }

    /// Returns the highest step that is carried, by halving: what is above one that is not carried is not, either.
    /// `coarse`: only each eighth step.
    pub(super) fn highest(
        &self,
        setting: &Setting<'_>,
        seed: u64,
        window: Option<(u64, u64)>,
        coarse: bool,
    ) -> Result<Option<usize>, Failure> {
        let unit = if coarse { 8 } else { 1 };
        let (mut low, mut high) = (0, STEPS / unit + 1);
        // Steps are counted from 1 here, so that 0 is "none".
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            let outcome = self.measure(setting, (middle - 1) * unit, seed, window)?;
            if outcome.worst >= CARRIED { low = middle } else { high = middle }
        }
        Ok(low.checked_sub(1).map(|step| step * unit))
    }
}

/// Returns the edges of the flows of a session that carry at least `least` of its packets.
pub(super) fn edges_of(summary: &Summary, session: u32, least: f64) -> Result<BTreeSet<(u32, u32)>, Failure> {
    let mut edges = BTreeSet::new();
    let Some(session) = summary.sessions.iter().find(|it| it.session == session) else { return Ok(edges) };
    let source =
        NodeId::new(session.source).ok_or_else(|| Failure::new(exit::FAILED, "a source without an id"))?;
    for flow in session.flows.iter().filter(|flow| flow.share >= least) {
        let route = Route::parse(&flow.route).map_err(|error| Failure::new(exit::FAILED, error))?;
        route.for_each_edge(source, &mut |from, to| {
            edges.insert((from.get(), to.get()));
        });
    }
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: Fig. 9(b) is Fig. 9(a) by reconfiguration only: without name, description, routing, its assignment and
    /// coding the files are the same.
    #[test]
    fn files_differ_in_routing_and_coding_alone() {
        let [mut cloud, mut p2p] =
            [CLOUD, P2P].map(|text| serde_json::from_str::<Value>(text).expect("it is JSON"));
        assert_ne!(cloud["defaults"]["session"]["routing"], p2p["defaults"]["session"]["routing"]);
        for scenario in [&mut cloud, &mut p2p] {
            for key in ["name", "description"] {
                scenario.as_object_mut().and_then(|all| all.remove(key)).expect("it has a name");
            }
            let session = scenario["defaults"]["session"].as_object_mut().expect("sessions have defaults");
            for key in ["routing", "assignment", "coding"] {
                session.remove(key);
            }
        }
        assert_eq!(cloud, p2p);
    }

    /// Aim: each setup is another scenario than the shipped ones, so that a change that no longer finds what it changes
    /// is noticed; and the losses in the files are the stated ones.
    #[test]
    fn setups_differ() {
        let all = Setup::all().expect("the files are right");
        for (i, setup) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|other| other.scenario != setup.scenario), "{}", setup.name);
        }
        for link in all[0].scenario["links"].as_array().expect("there are links") {
            let delay = link["delay"].as_str().and_then(|text| text.strip_suffix(" ms"));
            let rtt = 2.0 * delay.and_then(|text| text.parse::<f64>().ok()).expect("a delay in ms");
            let loss = link["loss"].as_f64().expect("a loss");
            assert!((loss / (rtt * LOSS_PER_MS) - 1.0).abs() < 0.05, "{link}");
        }
    }
}
