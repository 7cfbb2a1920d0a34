//! What the machine did to a run on the wall clock, and whether its figures can be believed.

use super::round;
use serde::{Deserialize, Serialize};

/// How well the machine kept up with a run in real time, against limits that were fixed before the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lab {
    /// Whether every limit was kept. The figures of a run that is not valid speak of the machine, not of the network.
    pub valid: bool,
    /// Which limits were passed, one sentence each; empty when valid.
    pub reasons: Vec<String>,
    /// Median lateness of the emulator: how long after its due time it released a packet, in microseconds.
    #[serde(serialize_with = "round::option")]
    pub emulator_late_p50_us: Option<f64>,
    /// 95th percentile of the same lateness.
    #[serde(serialize_with = "round::option")]
    pub emulator_late_p95_us: Option<f64>,
    /// 99th percentile of the same lateness.
    #[serde(serialize_with = "round::option")]
    pub emulator_late_p99_us: Option<f64>,
    /// Share of the time in which the emulator did not sleep.
    #[serde(serialize_with = "round::option")]
    pub emulator_busy_share: Option<f64>,
    /// Processor time of the emulator in seconds.
    #[serde(serialize_with = "round::option")]
    pub emulator_cpu_s: Option<f64>,
    /// Packets that sockets of nodes dropped because their process did not fetch them in time.
    pub host_drops: u64,
    /// Packets that the devices between nodes and emulator dropped.
    pub tun_drops: u64,
    /// The limits.
    pub limits: LabLimits,
}

/// Limits beyond which a run is not valid, fixed before it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabLimits {
    /// Most that the median of the emulator's lateness may be, in microseconds.
    #[serde(serialize_with = "round::float")]
    pub emulator_late_p50_us: f64,
    /// Most that its 95th percentile may be.
    #[serde(serialize_with = "round::float")]
    pub emulator_late_p95_us: f64,
    /// Most that the 99th percentile of the emulator's lateness may be, in microseconds.
    #[serde(serialize_with = "round::float")]
    pub emulator_late_p99_us: f64,
    /// Most packets that sockets and devices together may drop, as a share of all packets sent on links.
    #[serde(serialize_with = "round::float")]
    pub host_drop_share: f64,
    /// Largest share of the time in which the emulator may be awake.
    #[serde(serialize_with = "round::float")]
    pub emulator_busy_share: f64,
}
