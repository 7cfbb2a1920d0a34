//! What was measured, as a scenario file.

use super::{PROBE_WIRE_BYTES, Way};
use bellini_core::ids::NodeId;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Returns a scenario with these nodes and ways: valid as it is, complete once sessions are added.
///
/// The delay of a link is that of an empty way less the serialisation of a measuring packet; it includes what hosts
/// and sockets take. A way that has not shown its rate has none.
#[must_use]
pub fn to_scenario(nodes: &[NodeId], ways: &[Way], when: &str) -> Value {
    let ids: BTreeSet<NodeId> = nodes.iter().copied().collect();
    let links: Vec<_> = ways.iter().map(|way| link(way, when)).collect();
    json!({
        "bellini": 1,
        "name": "calibrated",
        "description": "Measured between running nodes by bellini calibrate. Add conferences to simulate them on it.",
        "duration": "20 s",
        "nodes": ids.iter().map(|node| json!({ "id": node.get() })).collect::<Vec<_>>(),
        "links": links,
    })
}

fn link(way: &Way, when: &str) -> Value {
    let sending_ns = way.rate_bps.map_or(0.0, |rate| f64::from(PROBE_WIRE_BYTES) * 8e9 / rate);
    let delay_ns = (way.delay_ns as f64 - sending_ns).max(0.0).round() as u64;
    let mut link = json!({
        "from": way.from.get(),
        "to": way.to.get(),
        "delay": format!("{delay_ns} ns"),
        "source": "bellini calibrate",
        "date": when,
    });
    if let (Some(rate), Some(queue)) = (way.rate_bps, way.queue_bytes) {
        link["rate"] = format!("{} bit/s", rate.round().max(1.0) as u64).into();
        link["queue"] = format!("{} B", queue.max(1)).into();
    }
    let (sent, arrived) = way.unhurried;
    if arrived < sent {
        link["loss"] = ((sent - arrived) as f64 / sent as f64).into();
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::time::Duration;
    use bellini_scenarios::model::{Loss, Rate};
    use bellini_scenarios::parse::{LoadOptions, parse_str};

    /// Aim: the file is a valid scenario with the figures that were measured; serialisation is not counted twice.
    #[test]
    fn the_topology_is_a_scenario() {
        let id = |node| NodeId::new(node).expect("legal");
        let limited = Way {
            from: id(1),
            to: id(2),
            delay_ns: 31_048_000,
            unhurried: (200, 190),
            rate_bps: Some(10_000_000.0),
            queue_bytes: Some(64_000),
        };
        let fast = Way {
            from: id(2),
            to: id(1),
            delay_ns: 30_000_123,
            unhurried: (200, 200),
            rate_bps: None,
            queue_bytes: None,
        };
        let text = to_scenario(&[id(2), id(1)], &[limited, fast], "2026-11-23").to_string();
        let scenario = parse_str("calibrated.json", &text, &LoadOptions::default()).expect("valid").scenario;
        let [there, back] = &scenario.links[..] else { panic!("two links") };
        assert_eq!((there.from, there.delay), (id(1), Duration::from_millis(30)));
        assert_eq!((there.queue.bytes, &there.loss), (64_000, &Loss::Bernoulli(0.05)));
        assert!(matches!(there.rate, Rate::Constant(rate) if rate.as_bps() == 10_000_000));
        assert_eq!(
            (back.delay, &back.rate, &back.loss),
            (Duration::from_nanos(30_000_123), &Rate::Unlimited, &Loss::None)
        );
    }
}
