//! What a run cost, in a sentence.

use crate::format::number;
use bellini_scenarios::record::Cost;

/// Returns the run's costs in every way of billing.
pub(crate) fn sentence(cost: &Cost) -> String {
    let usd = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let charged = if cost.percentile >= 100.0 {
        format!("{} USD for the maximum", usd(cost.max_usd))
    } else {
        format!(
            "{} USD for percentile {} ({} for the maximum)",
            usd(cost.percentile_usd),
            number(cost.percentile),
            usd(cost.max_usd)
        )
    };
    let only = if cost.direction == "larger" { ", the larger direction only" } else { "" };
    let source = cost.vm_source.as_ref().map_or_else(String::new, |source| format!(" ({source})"));
    let machines = match cost.vm_usd {
        Some(price) => format!("; {} machine hours: {} USD{source}", number(cost.vm_hours), number(price)),
        None if cost.vm_hours > 0.0 => {
            format!("; {} machine hours, whose price is not known", number(cost.vm_hours))
        }
        None => String::new(),
    };
    format!(
        "Cost: by volume {} USD; a period of {} like it {charged}, from {} intervals of {}{only}{machines}.",
        usd(cost.traffic_usd),
        span(cost.period_s),
        cost.intervals,
        span(cost.interval_s),
    )
}

/// Returns a time in the largest unit that leaves it above one.
fn span(seconds: f64) -> String {
    let (unit, name) = match seconds {
        s if s >= 86_400.0 => (86_400.0, "days"),
        s if s >= 3_600.0 => (3_600.0, "h"),
        s if s >= 60.0 => (60.0, "min"),
        _ => (1.0, "s"),
    };
    format!("{} {name}", number(seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: every way of billing is named with its own figure, and what is not known is no zero.
    #[test]
    fn all_ways_in_a_sentence() {
        let mut cost = Cost {
            percentile: 95.0,
            interval_s: 300.0,
            period_s: 2_592_000.0,
            direction: "each".to_owned(),
            intervals: 12,
            traffic_usd: Some(0.5),
            percentile_usd: Some(20.0),
            max_usd: Some(30.0),
            vm_hours: 7.0,
            ..Cost::default()
        };
        let text = "Cost: by volume 0.5 USD; a period of 30 days like it 20 USD for percentile 95 (30 for the maximum), from 12 intervals of 5 min";
        assert_eq!(sentence(&cost), format!("{text}; 7 machine hours, whose price is not known."));
        cost.vm_hours = 0.0;
        assert_eq!(sentence(&cost), format!("{text}."));
        (cost.vm_hours, cost.vm_source) = (7.0, Some("a price list".to_owned()));
        (cost.direction, cost.vm_usd) = ("larger".to_owned(), Some(1.4));
        assert_eq!(
            sentence(&cost),
            format!("{text}, the larger direction only; 7 machine hours: 1.4 USD (a price list).")
        );
        (cost.traffic_usd, cost.percentile, cost.max_usd) = (None, 100.0, None);
        assert!(
            sentence(&cost)
                .starts_with("Cost: by volume - USD; a period of 30 days like it - USD for the maximum")
        );
    }
}
