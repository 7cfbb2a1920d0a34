//! When a run in the lab may not be believed: limits that were fixed before it ran.

use bellini_scenarios::record;

/// Limits of what the machine may do to a run. Where one is passed, the run is declared invalid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabLimits {
    /// Median lateness of the emulator, in microseconds: how long after its due time a packet left it.
    pub emulator_late_p50_us: f64,
    /// 95th percentile of it. Comparisons allow half a millisecond on p95 of queueing delays: the lab must stay
    /// well below.
    pub emulator_late_p95_us: f64,
    /// 99th percentile of it.
    pub emulator_late_p99_us: f64,
    /// Share of the packets that the machine dropped itself: full receive queues of sockets and devices.
    pub host_drop_share: f64,
    /// Share of the time in which the emulator may be awake; beyond it, lateness grows without bound.
    pub emulator_busy_share: f64,
}

impl Default for LabLimits {
    fn default() -> Self {
        Self {
            emulator_late_p50_us: 150.0,
            emulator_late_p95_us: 400.0,
            emulator_late_p99_us: 2_000.0,
            host_drop_share: 1e-4,
            emulator_busy_share: 0.9,
        }
    }
}

/// What was seen of the machine in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LabHealth {
    /// As in [`LabLimits`].
    pub emulator_late_p50_us: f64,
    /// As in [`LabLimits`].
    pub emulator_late_p95_us: f64,
    /// As in [`LabLimits`].
    pub emulator_late_p99_us: f64,
    /// As in [`LabLimits`].
    pub emulator_busy_share: f64,
    /// Processor time of the emulator in seconds.
    pub emulator_cpu_s: f64,
    /// Packets that it carried.
    pub packets: u64,
    /// Datagrams that sockets dropped because a node did not fetch them in time.
    pub socket_drops: u64,
    /// Packets that devices dropped because the emulator did not fetch them in time.
    pub device_drops: u64,
}

impl LabLimits {
    /// Returns what a run's summary says of the machine.
    #[must_use]
    pub fn record(&self, health: &LabHealth) -> record::Lab {
        let reasons = self.judge(health);
        record::Lab {
            valid: reasons.is_empty(),
            reasons,
            emulator_late_p50_us: Some(health.emulator_late_p50_us),
            emulator_late_p95_us: Some(health.emulator_late_p95_us),
            emulator_late_p99_us: Some(health.emulator_late_p99_us),
            emulator_busy_share: Some(health.emulator_busy_share),
            emulator_cpu_s: Some(health.emulator_cpu_s),
            host_drops: health.socket_drops,
            tun_drops: health.device_drops,
            limits: record::LabLimits {
                emulator_late_p50_us: self.emulator_late_p50_us,
                emulator_late_p95_us: self.emulator_late_p95_us,
                emulator_late_p99_us: self.emulator_late_p99_us,
                host_drop_share: self.host_drop_share,
                emulator_busy_share: self.emulator_busy_share,
            },
        }
    }

    /// Returns why a run may not be believed; empty when it may.
    #[must_use]
    pub fn judge(&self, health: &LabHealth) -> Vec<String> {
        let share = (health.socket_drops + health.device_drops) as f64 / health.packets.max(1) as f64;
        let rules = [
            ("median lateness of the emulator", health.emulator_late_p50_us, self.emulator_late_p50_us, "us"),
            ("p95 lateness of the emulator", health.emulator_late_p95_us, self.emulator_late_p95_us, "us"),
            ("p99 lateness of the emulator", health.emulator_late_p99_us, self.emulator_late_p99_us, "us"),
            ("share of packets dropped by the host", share, self.host_drop_share, ""),
            (
                "share of the time in which the emulator was awake",
                health.emulator_busy_share,
                self.emulator_busy_share,
                "",
            ),
        ];
        let passed = rules.iter().filter(|(_, seen, limit, _)| seen > limit);
        let text = |(what, seen, limit, unit): &(&str, f64, f64, &str)| {
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            format!("{what} was {}{unit}, the limit is {}{unit}", shown(*seen), shown(*limit))
        };
        passed.map(text).collect()
    }
}

/// A number with as many digits as say something.
fn shown(value: f64) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each limit is noticed by itself, and a quiet machine passes.
    #[test]
    fn each_limit_counts() {
        let limits = LabLimits::default();
        let quiet = LabHealth { packets: 1_000_000, socket_drops: 50, ..LabHealth::default() };
        assert_eq!(limits.judge(&quiet), Vec::<String>::new());
        let worse = [
            LabHealth { emulator_late_p50_us: 151.0, ..quiet },
            LabHealth { emulator_late_p95_us: 401.0, ..quiet },
            LabHealth { emulator_late_p99_us: 2_001.0, ..quiet },
            LabHealth { device_drops: 51, ..quiet },
            LabHealth { emulator_busy_share: 0.95, ..quiet },
        ];
        for health in worse {
            assert_eq!(limits.judge(&health).len(), 1, "{health:?}");
        }
    }
}
