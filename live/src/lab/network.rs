//! What plays the network of a lab: first the ground on which nodes can be started, then the network itself.

use super::emulator::{Emulator, EmulatorHandle, EmulatorReport, EmulatorSettings};
use super::error::LabError;
use super::limits::LabHealth;
use super::netns::Namespace;
use super::pace::Clock;
use super::plan::CONTROL_PORT;
use super::shaper::{KernelWan, ShaperError};
use super::tun::{Tun, TunSpec, ipv4};
use super::wan::{Wan, WanError};
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::conduct::LinkFigures;
use bellini_scenarios::model::Scenario;
use std::net::IpAddr;

/// From the moment at which everything is there to the start of the run.
const BREATH: Duration = Duration::from_millis(20);

/// Checks that the machine and the scenario allow a network, before anything is started.
///
/// # Errors
/// `Scenario` with everything that the kernel's shaper cannot play, `Environment` with what the machine lacks.
pub(super) fn check(scenario: &Scenario, kernel_shaper: bool) -> Result<(), LabError> {
    if kernel_shaper {
        KernelWan::check(scenario).map_err(|error| match error {
            ShaperError::Impossible(_) => LabError::Scenario(error.to_string()),
            other => LabError::Environment(other.to_string()),
        })
    } else {
        Tun::check().map_err(environment)
    }
}

/// Returns the address of a node, by its index: the same on every network.
pub(super) fn address(node: usize) -> IpAddr {
    IpAddr::V4(ipv4(node as u32))
}

/// What will join the nodes' namespaces once the nodes listen.
pub(super) enum Ground {
    /// A device in each namespace; the emulator is not there yet, and packets wait.
    Devices(Vec<Tun>),
    /// The kernel's shaper, which joins them already. It is large, and there is one.
    Kernel(Box<KernelWan>),
}

impl Ground {
    /// Makes a namespace for each node, in their order, with the node's address in it.
    ///
    /// # Errors
    /// When the machine does not allow it.
    pub(super) fn lay(scenario: &Scenario, kernel_shaper: bool) -> Result<(Vec<Namespace>, Self), LabError> {
        let mut namespaces = Vec::new();
        for node in &scenario.nodes {
            namespaces.push(Namespace::new(&node.name).map_err(environment)?);
        }
        if kernel_shaper {
            let wan = KernelWan::start(scenario, &namespaces).map_err(environment)?;
            return Ok((namespaces, Self::Kernel(Box::new(wan))));
        }
        let mut tuns = Vec::new();
        for (i, node) in scenario.nodes.iter().enumerate() {
            let mtu = scenario.links.iter().filter(|link| link.from == node.id).map(|link| link.mtu);
            let spec = TunSpec { mtu: mtu.max().unwrap_or(1_500), ..TunSpec::new(i as u32) };
            tuns.push(Tun::open(&namespaces[i], spec).map_err(environment)?);
        }
        Ok((namespaces, Self::Devices(tuns)))
    }

    /// Joins the nodes, all of which listen. Returns the network, and the clock that shows zero at the run's start.
    ///
    /// # Errors
    /// When the system has no thread or event queue left.
    pub(super) fn join(self, scenario: &Scenario, seed: u64) -> Result<(Network, Clock), LabError> {
        let clock = Clock::new(Clock::starting_now().origin_ns() + BREATH.as_nanos() as i64);
        let network = match self {
            Self::Devices(tuns) => {
                let zero = Instant::ZERO + scenario.settle;
                let settings = EmulatorSettings::new(clock, zero, CONTROL_PORT);
                let emulator = Emulator::start(scenario, Seed(seed), settings, tuns).map_err(environment)?;
                Network::Emulator(emulator)
            }
            Self::Kernel(wan) => Network::Kernel(wan),
        };
        Ok((network, clock))
    }
}

/// What plays the network of a lab.
#[derive(Debug)]
pub(super) enum Network {
    /// The simulator's link model on the wall clock.
    Emulator(EmulatorHandle),
    /// The kernel's queues.
    Kernel(Box<KernelWan>),
}

impl Network {
    /// Returns what can be told to it.
    pub(super) fn wan(&mut self) -> &mut dyn Wan {
        match self {
            Self::Emulator(handle) => handle,
            Self::Kernel(wan) => wan.as_mut(),
        }
    }

    /// Ends it and says how well it did.
    ///
    /// # Errors
    /// When it had ended by itself, or packets do not add up.
    pub(super) fn stop(self) -> Result<LabHealth, WanError> {
        match self {
            Self::Emulator(handle) => handle.stop().and_then(|report| health(&report)),
            Self::Kernel(mut wan) => wan.all_figures().map(|links| kernel_health(&links)),
        }
    }
}

/// The kernel neither says how late it is nor takes processor time that could be told from that of others: what is
/// left to judge are the drops of the nodes' own sockets.
fn kernel_health(links: &[LinkFigures]) -> LabHealth {
    LabHealth { packets: links.iter().map(|link| link.sent_packets).sum(), ..LabHealth::default() }
}

fn environment(error: impl std::fmt::Display) -> LabError {
    LabError::Environment(error.to_string())
}

fn health(report: &EmulatorReport) -> Result<LabHealth, WanError> {
    if let Some((taken, accounted)) = report.ledger {
        return Err(WanError::Ended(format!(
            "its packets do not add up: {taken} taken, {accounted} accounted for"
        )));
    }
    let late_us = |q| report.lateness.quantile(q).map_or(0.0, |nanos| nanos as f64 * 1e-3);
    Ok(LabHealth {
        emulator_late_p50_us: late_us(0.5),
        emulator_late_p95_us: late_us(0.95),
        emulator_late_p99_us: late_us(0.99),
        emulator_busy_share: report.busy_share(),
        emulator_cpu_s: report.cpu_s,
        packets: report.packets,
        socket_drops: 0,
        device_drops: report.device_dropped_packets + report.write_errors + report.overfull_packets,
    })
}
