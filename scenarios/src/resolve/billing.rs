//! How traffic is charged.

use super::values::{number_or, text, time_or};
use crate::account::{Billing, Direction};
use crate::parse::sink::Sink;
use crate::parse::tree::Tree;
use crate::units::format_time;
use bellini_core::time::Duration;

/// Most intervals of a period.
const INTERVALS_MAX: u64 = 1_000_000;

/// Resolves `billing`, if it is given.
pub(crate) fn billing(root: &Tree, sample_interval: Duration, sink: &mut Sink) -> Option<Billing> {
    let tree = root.get("billing")?;
    let default = Billing::default();
    let billing = Billing {
        percentile: number_or(tree, "percentile", default.percentile),
        interval: time_or(tree, "interval", default.interval)?,
        period: time_or(tree, "period", default.period)?,
        direction: match text(tree, "direction") {
            Some("larger") => Direction::Larger,
            _ => Direction::Each,
        },
        usd_per_mbps: tree.get("usd_per_mbps").and_then(Tree::number),
        vm_usd_per_hour: tree.get("vm_usd_per_hour").and_then(Tree::number),
    };
    let place = |key: &str| tree.get(key).map_or(tree.span, |tree| tree.span);
    let (interval, period) = (format_time(billing.interval), format_time(billing.period));
    if billing.interval < sample_interval {
        let message = format!(
            "intervals of {interval} cannot be told apart by samples every {}",
            format_time(sample_interval)
        );
        sink.error("E0206", place("interval"), message, "too short")
            .help("lengthen it, or shorten `sample_interval`");
    }
    if billing.period < billing.interval {
        let message = format!("a period of {period} holds no interval of {interval}");
        sink.error("E0206", place("period"), message, "too short").help("a period has at least one interval");
    } else if billing.period.as_nanos() / billing.interval.as_nanos().max(1) > INTERVALS_MAX {
        let message = format!("a period of {period} has more than {INTERVALS_MAX} intervals of {interval}");
        sink.error("E0206", place("interval"), message, "too short");
    }
    Some(billing)
}
