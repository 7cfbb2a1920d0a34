//! Sources and shares that follow what congestion-controlled hops measure, on the shipped scenarios.

use crate::watch::{Watch, run_watched};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::parse::{LoadOptions, load};
use bellini_scenarios::record::{Scope, Summary, View, kind};
use std::collections::BTreeSet;
use std::path::Path;

fn shipped(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/transports").join(name);
    load(&path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}")).scenario
}

fn play(name: &str) -> (Summary, Watch) {
    run_watched(&shipped(name), 1)
}

/// Values of a curve from `from` to `to` seconds.
fn within(watch: &Watch, scope: Scope, id: &str, metric: &str, (from, to): (f64, f64)) -> Vec<f64> {
    let values: Vec<f64> = watch
        .series(scope, id, metric)
        .filter(|(t, _)| *t > from && *t <= to)
        .map(|(_, value)| value)
        .collect();
    assert!(!values.is_empty(), "{metric} of {id} has values from {from} to {to} s");
    values
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Aim: an overflow at a relay, two hops from the source and behind hops that are fast, is heard of by source,
/// upstream relay and destinations, and by nobody else; the source goes down until the drops end, and comes back.
#[test]
fn an_adaptive_source_backs_off_from_an_overflow_far_away() {
    let (_, watch) = play("overflow-backoff.json");
    let heard: BTreeSet<u32> = watch.of_kind(kind::OVERFLOW).filter_map(|event| event.node).collect();
    // Node 4 only passes notices on to the destinations 5 and 6.
    assert_eq!(heard, BTreeSet::from([1, 2, 3, 5, 6]));
    assert!(watch.of_kind(kind::OVERFLOW).all(|event| event.data["at"] == 3), "the third node overflows");
    let level = |span| within(&watch, Scope::Session, "1/1", "level_mbps", span);
    let drops = |span| within(&watch, Scope::Feeder, "3>4", "dropped_packets", span).iter().sum::<f64>();
    let (before, slow, after) = (level((5.0, 10.0)), level((25.0, 35.0)), level((85.0, 95.0)));
    assert!(before.iter().all(|level| *level > 2.5), "{before:?}");
    assert!(slow.iter().all(|level| *level < 2.0), "the link carries 2 Mbit/s with headers: {slow:?}");
    assert!(after.last() > slow.last(), "{after:?}");
    assert!(drops((10.0, 20.0)) > 50.0);
    assert_eq!(drops((25.0, 35.0)), 0.0, "drops have ended");
}

/// Aim: with nothing but measurements, shares come to those of the paths' rates and follow when one changes.
#[test]
fn shares_follow_the_measured_rates_of_paths() {
    let (summary, watch) = play("adaptive-assignment.json");
    assert_eq!(summary.view, View::Measured);
    let share = |span| mean(&within(&watch, Scope::Flow, "1/1#0", "share", span));
    let (first, second, third) = (share((15.0, 30.0)), share((45.0, 60.0)), share((75.0, 90.0)));
    assert!((0.74..0.86).contains(&first), "{first}: 20 of 25 Mbit/s");
    assert!((0.38..0.62).contains(&second), "{second}: 5 of 10 Mbit/s");
    assert!((0.74..0.86).contains(&third), "{third}: 20 of 25 Mbit/s again");
}
