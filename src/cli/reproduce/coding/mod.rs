//! `coding-*`: network coding against what theory says of it (simulated).

mod butterfly;
mod delay;
mod lab;
mod loss;
mod model;

use super::{Experiment, Findings, Setting};
use crate::Registry;
use crate::cli::exit::{self, Failure};
use bellini_core::time::Duration;
use bellini_scenarios::parse::{LoadOptions, parse_str};
use bellini_scenarios::policy::{ConferenceHook, DeliveryNotice};
use bellini_scenarios::record::{DelayRow, LinkSummary, Summary};
use bellini_sim::{NoObserver, Simulation};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "coding-butterfly",
        about: "coding in the butterfly network: 2.0 against 1.5 of the best trees (simulated)",
        run: butterfly::run,
    },
    Experiment {
        name: "coding-loss",
        about: "three lossy hops: plain, retransmission, coding, recoding against closed forms (simulated)",
        run: loss::run,
    },
    Experiment {
        name: "coding-delay",
        about: "delays of a generation, a window and retransmission at equal bytes (simulated)",
        run: delay::run,
    },
    Experiment {
        name: "coding-lab",
        about: "butterfly, three lossy hops and delays by real processes, beside the simulator (needs the lab)",
        run: lab::run,
    },
];

/// A symbol that was handed over: by reliable sessions in order, by others when it came.
#[derive(Clone, Copy, Debug)]
struct Came {
    /// When, in seconds of scenario time.
    at_s: f64,
    /// After what time.
    delay_ms: f64,
    symbol: u64,
    bytes: u32,
}

/// What a run left.
struct Played {
    summary: Summary,
    /// Distributions of delays until symbols came, in order or not.
    delays: Vec<DelayRow>,
    /// Symbols of the only session that came, by destination.
    came: BTreeMap<u32, Vec<Came>>,
}

/// Runs a scenario once and writes every delivery down.
fn play(scenario: &Value, seed: u64) -> Result<Played, Failure> {
    let options = LoadOptions { seed: Some(seed), ..LoadOptions::default() };
    let loaded = parse_str("experiment.json", &format!("{scenario:#}"), &options).map_err(|refused| {
        Failure::new(exit::SCENARIO, format!("the experiment's scenario is refused:\n{refused}"))
    })?;
    let came = Arc::new(Mutex::new(BTreeMap::new()));
    let kept = Arc::clone(&came);
    let registry = Registry::builtin().conference(move || Box::new(Deliveries { came: Arc::clone(&kept) }));
    let failed = |error| Failure::new(exit::FAILED, error);
    let simulation = Simulation::new(&loaded.scenario, seed, &registry).map_err(failed)?;
    let outcome = simulation.run(&mut NoObserver).map_err(failed)?;
    let came = core::mem::take(&mut *came.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Played { summary: outcome.summary, delays: outcome.delays, came })
}

struct Deliveries {
    came: Arc<Mutex<BTreeMap<u32, Vec<Came>>>>,
}

impl ConferenceHook for Deliveries {
    fn delivery(&mut self, notice: &DeliveryNotice) {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        came.entry(notice.node.get()).or_default().push(Came {
            at_s: notice.at.as_secs_f64(),
            delay_ms: Duration::as_millis_f64(notice.delay),
            symbol: notice.symbol,
            bytes: notice.bytes,
        });
    }
}

impl Played {
    /// Returns the measuring window.
    fn window(&self) -> [f64; 2] {
        self.summary.measure_s
    }

    fn seconds(&self) -> f64 {
        self.window()[1] - self.window()[0]
    }

    /// Returns what came to `node` within the measuring window.
    fn arrived(&self, node: u32) -> impl Iterator<Item = &Came> {
        let [from, to] = self.window();
        self.came.get(&node).into_iter().flatten().filter(move |came| came.at_s >= from && came.at_s < to)
    }

    /// Returns payload that came to `node` by the time of its arrival, in Mbit/s.
    fn goodput_mbps(&self, node: u32) -> f64 {
        self.arrived(node).map(|came| f64::from(came.bytes)).sum::<f64>() * 8e-6 / self.seconds()
    }

    /// Returns the link that carried the most bytes.
    fn fullest(&self) -> Result<&LinkSummary, Failure> {
        let links = self.summary.links.iter().max_by_key(|link| link.sent_bytes);
        links.ok_or_else(|| Failure::new(exit::FAILED, "the run has no links"))
    }

    /// Returns the figures of a link.
    fn link(&self, from: u32, to: u32) -> Result<&LinkSummary, Failure> {
        let link = self.summary.links.iter().find(|link| (link.from, link.to) == (from, to));
        link.ok_or_else(|| Failure::new(exit::FAILED, format!("the run has no link {from}>{to}")))
    }
}

/// Returns bytes on the wire for a packet, UDP and IP included.
fn packet_bytes(link: &LinkSummary) -> f64 {
    link.sent_bytes as f64 / link.sent_packets.max(1) as f64
}

/// Reads a shipped scenario.
fn shipped(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::new(exit::SCENARIO, error))
}

/// Returns the only session of a scenario.
fn session(scenario: &mut Value) -> &mut Value {
    &mut scenario["conferences"][0]["sessions"][0]
}
