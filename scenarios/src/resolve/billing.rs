//! How traffic is charged.

use super::values::{number_or, text, time_or};
use crate::account::{Billing, Direction};
use crate::data;
use crate::model::Node;
use crate::parse::sink::{Sink, listed, nearest};
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

/// Fills in prices of machines that do not give their own: by region, by provider, or one for all.
pub(crate) fn machine_prices(root: &Tree, nodes: &mut [Node], sink: &mut Sink) {
    let Some(given) = root.get("billing").and_then(|billing| billing.get("vm_usd_per_hour")) else { return };
    let known = data::region_names();
    let provider = |region: &str| region.split_once(':').map(|(provider, _)| provider.to_owned());
    for member in given.members() {
        let is_known = |name: &str| {
            known.iter().any(|region| *region == name || provider(region).as_deref() == Some(name))
        };
        if !is_known(&member.key) {
            let mut providers: Vec<String> = known.iter().filter_map(|region| provider(region)).collect();
            providers.sort_unstable();
            providers.dedup();
            let message = format!("there is no provider or region \"{}\"", member.key);
            let error = sink.error("E0302", member.key_span, message, "a price of nothing");
            let names = providers.iter().map(String::as_str).chain(known.iter().copied());
            if let Some(meant) = nearest(&member.key, names) {
                error.help(format!("did you mean \"{meant}\"?"));
            }
            error.help(format!("providers: {}", listed(providers.iter().map(String::as_str))));
        }
    }
    for node in nodes.iter_mut().filter(|node| node.vm_usd_per_hour.is_none()) {
        let Some(region) = &node.region else { continue };
        let named = |name: &str| given.get(name).and_then(Tree::number);
        let by_provider = || named(&provider(region)?);
        node.vm_usd_per_hour = given.number().or_else(|| named(region)).or_else(by_provider);
    }
}
