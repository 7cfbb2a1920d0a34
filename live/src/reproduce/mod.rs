//! Loads on real node processes, and what they cost: the measurements behind the paper's Fig. 6 to 8.
//!
//! Three processes on the loopback interface, a source, a relay and a sink, started anew for each measurement. The
//! figures are those of the relay, but for the source's own step. Everything is read through consoles, as a lab reads
//! it; processes end with the [`Chain`] that holds them.

mod chain;
mod process;

pub use chain::Chain;
pub use process::NodeProcess;

use crate::client::ClientError;
use bellini_core::stopwatch::StepTimes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// Payload of a packet in bytes: the default symbol.
pub const SYMBOL_BYTES: u32 = 1_200;
/// From the order to start sessions to the first reading: hops open, sessions start, rates settle.
const WARM_UP: Duration = Duration::from_millis(1_500);

/// Why there is no measurement.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReproduceError {
    /// A node process could not be started.
    #[error("cannot start a node: {0}")]
    Start(#[from] std::io::Error),
    /// A node process says something else than was asked for, or nothing.
    #[error(transparent)]
    Node(#[from] ClientError),
}

/// What is asked of the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Packets a second over all sessions; zero starts no session.
    pub packets_per_s: u64,
    /// Sessions, all from the source over the relay to the sink, of equal rates.
    pub sessions: u32,
    /// Length of the measurement in milliseconds.
    pub millis: u64,
    /// Root seed of the processes.
    pub seed: u64,
    /// One packet in so many is timed; `None`: none is.
    pub stopwatch: Option<u32>,
}

impl Load {
    /// Returns a digest of what runs under this load: the settings and commands that the processes are given, as
    /// hexadecimal SHA-256.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        for (node, command) in chain::commands(self, bellini_core::time::Instant::ZERO) {
            text.push_str(&format!("\n{node} {}", serde_json::to_string(&command).unwrap_or_default()));
        }
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a load cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// What was asked for.
    pub load: Load,
    /// Packets a second that the relay received.
    pub packets_per_s: f64,
    /// The relay's processor time per second: 1 is one core.
    pub cpu: f64,
    /// Largest resident memory of the relay's process in MiB.
    pub peak_rss_mib: f64,
    /// Threads of the relay's process.
    pub threads: u64,
    /// Packets that the kernel dropped at the relay because the process did not fetch them in time.
    pub host_dropped_packets: u64,
    /// Times of single packets at the source and at the relay, where a stopwatch ran.
    #[serde(skip)]
    pub steps: Option<(StepTimes, StepTimes)>,
}

/// Puts a load on fresh processes of `binary` and measures for as long as it says.
///
/// # Errors
/// When processes cannot be started or do not answer.
pub fn measure(binary: &Path, load: Load) -> Result<Sample, ReproduceError> {
    let mut chain = Chain::start(binary, &load)?;
    chain.command(&load)?;
    thread::sleep(WARM_UP);
    let from = chain.look(Chain::RELAY, false)?;
    thread::sleep(Duration::from_millis(load.millis));
    let to = chain.look(Chain::RELAY, true)?;
    let seconds = to.at.saturating_since(from.at).as_secs_f64().max(1e-9);
    let (before, after) = (&from.figures.node, &to.figures.node);
    let cpu = match (before.cpu_s, after.cpu_s) {
        (Some(before), Some(after)) => (after - before) / seconds,
        _ => return Err(chain.problem(Chain::RELAY, "it does not tell its processor time").into()),
    };
    let steps = match (load.stopwatch, to.figures.steps.clone()) {
        (Some(_), Some(relay)) => {
            let source = chain.look(Chain::SOURCE, true)?.figures.steps;
            let source = source.ok_or_else(|| chain.problem(Chain::SOURCE, "it timed no packets"))?;
            Some((source, relay))
        }
        _ => None,
    };
    let packets = after.stats.received_packets - before.stats.received_packets;
    Ok(Sample {
        load,
        packets_per_s: packets as f64 / seconds,
        cpu,
        peak_rss_mib: after.peak_rss_mib.unwrap_or(f64::NAN),
        threads: chain.threads(Chain::RELAY)?,
        host_dropped_packets: after.host_dropped_packets - before.host_dropped_packets,
        steps,
    })
}
