//! Source, relay and sink on the loopback interface.

use super::process::NodeProcess;
use super::{Load, ReproduceError, SYMBOL_BYTES};
use crate::client::{ClientError, Look};
use crate::console::{Addresses, Answer, NodeSettings, Order, Origin};
use crate::node::{ClockId, read_ns};
use bellini_core::config::NodeConfig;
use bellini_core::content::spec::Content;
use bellini_core::ids::{Epoch, Incarnation, NodeId, SessionKey};
use bellini_core::io::{Command, DrawMode, HopKind, Install, MeasureWindow, SessionSpec, SinkSpec};
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use std::collections::BTreeMap;
use std::path::Path;

/// From the order to the first packet: hops open meanwhile.
const ANNOUNCED: Duration = Duration::from_millis(500);
/// Longer than any measurement.
const LONG: Duration = Duration::from_secs(86_400);

/// Three node processes that know each other.
#[derive(Debug)]
pub struct Chain {
    nodes: Vec<NodeProcess>,
    /// Monotonic time from which all clocks count.
    origin_ns: i64,
}

impl Chain {
    /// Position of the source.
    pub const SOURCE: usize = 0;
    /// Position of the relay.
    pub const RELAY: usize = 1;
    /// Position of the sink.
    pub const SINK: usize = 2;

    /// Starts the processes and tells them of each other.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(binary: &Path, load: &Load) -> Result<Self, ReproduceError> {
        // A second back, so that no clock ever shows zero.
        let origin_ns = read_ns(ClockId::CLOCK_MONOTONIC) - 1_000_000_000;
        let mut chain = Self { nodes: Vec::new(), origin_ns };
        for node in 1..=3 {
            let config = NodeConfig { report_interval: None, ..NodeConfig::new(id(node)) };
            let mut settings = NodeSettings::new(config, load.seed, Origin::MonotonicNs(origin_ns));
            settings.stopwatch = load.stopwatch;
            chain.nodes.push(NodeProcess::start(binary, &settings)?);
        }
        let mut peers: BTreeMap<NodeId, Addresses> = BTreeMap::new();
        for process in &mut chain.nodes {
            let (node, addresses) = process.console.wait(|answer| match answer {
                Answer::Ready { node, addresses, .. } => Some((node, addresses)),
                _ => None,
            })?;
            peers.insert(node, addresses);
        }
        for (index, process) in chain.nodes.iter_mut().enumerate() {
            let mut others = peers.clone();
            others.remove(&id(index as u32 + 1));
            process.console.order(&Order::Peers(others))?;
        }
        Ok(chain)
    }

    /// Starts the sessions of a load.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn command(&mut self, load: &Load) -> Result<(), ReproduceError> {
        let since = read_ns(ClockId::CLOCK_MONOTONIC) - self.origin_ns;
        let start = Instant::from_nanos(u64::try_from(since).unwrap_or(0)) + ANNOUNCED;
        for (node, command) in commands(load, start) {
            self.nodes[node].console.order(&Order::Command(Box::new(command)))?;
        }
        Ok(())
    }

    /// Reads the figures of a process.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn look(&mut self, node: usize, full: bool) -> Result<Look, ReproduceError> {
        Ok(self.nodes[node].console.look(full)?)
    }

    /// Returns the number of threads of a process.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn threads(&self, node: usize) -> Result<u64, ReproduceError> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.nodes[node].pid()))?;
        let threads = text.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok());
        threads.ok_or_else(|| self.problem(node, "the system does not tell its threads").into())
    }

    pub(super) fn problem(&self, node: usize, problem: &str) -> ClientError {
        self.nodes[node].console.problem(problem)
    }
}

/// Returns the commands of a load, by position of their node. Content starts at `start`.
pub(super) fn commands(load: &Load, start: Instant) -> Vec<(usize, Command)> {
    let mut commands = Vec::new();
    if load.packets_per_s == 0 {
        return commands;
    }
    let bits_per_s = load.packets_per_s * u64::from(SYMBOL_BYTES) * 8;
    let sessions = load.sessions.max(1);
    let Some(rate) = BitRate::from_bps(bits_per_s / u64::from(sessions)) else { return commands };
    let interval_ns = 1_000_000_000 * u64::from(sessions) / load.packets_per_s;
    let measure = MeasureWindow { from: start, to: start + LONG };
    for session in 0..sessions {
        let key = SessionKey::new(1, session + 1);
        // Sessions take turns, as if one source sent them all.
        let phase = Duration::from_nanos(interval_ns * u64::from(session) / u64::from(sessions));
        let content = Content::Constant { rate, phase };
        let sink = SinkSpec {
            key,
            source: id(1),
            content: content.clone(),
            symbol_bytes: SYMBOL_BYTES,
            delivery: bellini_core::io::Delivery::BestEffort,
            coding: None,
            seal: None,
            start,
            stop: start + LONG,
            measure,
            deliver_events: false,
        };
        commands.push((Chain::SINK, Command::JoinSession(Box::new(sink))));
        let source = SessionSpec {
            key,
            epoch: Epoch(0),
            destinations: vec![id(3)],
            content,
            symbol_bytes: SYMBOL_BYTES,
            delivery: bellini_core::io::Delivery::BestEffort,
            coding: None,
            seal: None,
            hop_kind: HopKind::Datagram,
            start,
            stop: start + LONG,
            measure,
            draw: DrawMode::Random,
            policy_period: None,
        };
        commands.push((Chain::SOURCE, Command::StartSession(Box::new(source))));
        let flows = vec![(Route::path(&[id(2), id(3)]), 1.0)];
        let install = Install { key, planner: Incarnation(1), version: 1, flows };
        commands.push((Chain::SOURCE, Command::Install(install)));
    }
    commands
}

fn id(node: u32) -> NodeId {
    NodeId::new(node).expect("1, 2 and 3 are legal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(packets_per_s: u64, sessions: u32) -> Load {
        Load { packets_per_s, sessions, millis: 1_000, seed: 1, stopwatch: None }
    }

    /// Aim: a load is what it says: all sessions together offer its packets, and idle offers none.
    #[test]
    fn sessions_share_the_load() {
        let offered = |load: &Load| -> u64 {
            let rates = commands(load, Instant::ZERO).into_iter().filter_map(|(_, command)| match command {
                Command::StartSession(spec) => match spec.content {
                    Content::Constant { rate, .. } => Some(rate.as_bps()),
                    _ => None,
                },
                _ => None,
            });
            rates.sum::<u64>() / 8 / u64::from(SYMBOL_BYTES)
        };
        assert_eq!(
            [offered(&load(0, 1)), offered(&load(10_000, 1)), offered(&load(10_000, 1_000))],
            [0, 10_000, 10_000]
        );
        assert_eq!(commands(&load(5, 1_000), Instant::ZERO).len(), 3_000);
    }

    #[test]
    fn digests_tell_loads_apart() {
        assert_eq!(load(10, 1).digest(), load(10, 1).digest());
        assert_ne!(load(10, 1).digest(), load(11, 1).digest());
        assert_eq!(load(10, 1).digest().len(), 64);
    }
}
