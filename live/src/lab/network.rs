//! What plays the network of a lab.

use super::emulator::{EmulatorHandle, EmulatorReport};
use super::limits::LabHealth;
use super::wan::{Wan, WanError};

/// What plays the network of a lab.
pub(super) enum Network {
    /// The simulator's link model on the wall clock.
    Emulator(EmulatorHandle),
}

impl Network {
    /// Returns what can be told to it.
    pub(super) fn wan(&mut self) -> &mut dyn Wan {
        match self {
            Self::Emulator(handle) => handle,
        }
    }

    /// Ends it and says how well it did.
    ///
    /// # Errors
    /// When it had ended by itself, or packets do not add up.
    pub(super) fn stop(self) -> Result<LabHealth, WanError> {
        match self {
            Self::Emulator(handle) => handle.stop().and_then(|report| health(&report)),
        }
    }
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
