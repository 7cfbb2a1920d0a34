//! Jetway by what must hold whatever the workload.

use super::*;
use crate::fluid::{Workload, WorkloadSpec};
use bellini_core::rng::Seed;

/// Aim: from the same ledger the single program never raises the charge by more than the two stages, and what is promised
/// adds up and fits.
#[test]
fn one_program_is_no_dearer_at_any_step() {
    let mut is_dearer = 0;
    for seed in 1..=6 {
        // Several videos start in each interval: one alone is seldom routed differently.
        let spec = WorkloadSpec {
            nodes: 4,
            intervals: 20,
            day: 20,
            videos_per_day: 60.0,
            length: (2, 8),
            capacity: 60.0,
            ..WorkloadSpec::default()
        };
        let workload = Workload::draw(&spec, Seed(seed));
        let market = &workload.market;
        let mut ledger = Ledger::new(market.links.len(), workload.intervals, 100.0);
        for batch in workload.batches() {
            let after = |strategy: Strategy| {
                let mut after = ledger.clone();
                for (demand, parts) in
                    batch.iter().zip(strategy.plan(market, &ledger, batch).expect("a plan"))
                {
                    assert!((parts.iter().map(|(_, rate)| rate).sum::<f64>() - demand.rate).abs() < 1e-9);
                    parts.iter().for_each(|(path, rate)| after.commit(path, demand, *rate));
                }
                after
            };
            let [two, one] = [Strategy::TwoStage, Strategy::Single].map(after);
            let (before, two, cost) = (ledger.cost(market), two.cost(market), one.cost(market));
            // The tie breaker may cost a ten-thousandth of the volume's price.
            let volume: f64 = batch.iter().map(|demand| demand.rate).sum();
            assert!(cost - before <= two - before + 40.0 * 1e-4 * volume, "{before} {cost} {two}");
            is_dearer += u32::from(two > cost + 1e-3);
            ledger = one;
        }
        for (at, link) in market.links.iter().enumerate() {
            assert!(ledger.volumes(at).iter().all(|volume| *volume <= link.capacity * (1.0 + 1e-9)));
        }
    }
    assert!(is_dearer > 0, "the two forms never differ: the test says nothing");
}

/// Two ways from 0 to 2: one link of price 5, or two of price 1.
fn triangle(capacity: f64) -> Vec<MarketLink> {
    let link = |from, to, price| MarketLink { from, to, price, capacity };
    vec![link(0, 2, 5.0), link(0, 1, 1.0), link(1, 2, 1.0)]
}

/// Aim: what is paid for is filled first, and what does not fit is refused by the tightest deadline.
#[test]
fn paid_capacity_and_deadlines() {
    let video = |rate, first, count| Demand { from: 0, to: 2, rate, first, count };
    let mut ledger = Ledger::new(3, 10, 100.0);
    let market = Market::new(triangle(10.0), 1);
    ledger.commit(&[0], &video(6.0, 0, 1), 6.0);
    // The dear link is paid up to 6: it is free, while the cheap path would cost.
    let plan = Strategy::Single.plan(&market, &ledger, &[video(8.0, 1, 2)]).expect("a plan");
    let over =
        |path: &[usize]| plan[0].iter().find(|(known, _)| known == path).map_or(0.0, |(_, rate)| *rate);
    assert!((over(&[0]) - 6.0).abs() < 1e-6 && (over(&[1, 2]) - 2.0).abs() < 1e-6, "{plan:?}");
    let plan =
        Strategy::Single.plan(&market, &ledger, &[video(12.0, 1, 4), video(9.0, 1, 2)]).expect("a plan");
    assert!(!plan[0].is_empty() && plan[1].is_empty(), "{plan:?}");
}

/// Aim: storing costs what can be worked out by hand: a file of 4 in 4 slots over two hops has 3 slots for each.
#[test]
fn storing_by_hand() {
    let file = [Demand { from: 0, to: 2, rate: 1.0, first: 0, count: 4 }];
    let stored = postcard::run(&Market::new(triangle(10.0), 1), 4, &file).expect("a plan");
    // 4/3 on each hop at price 1; the direct link would charge 1 at price 5.
    assert!((stored.cost - 8.0 / 3.0).abs() < 1e-6 && stored.missed == 0, "{stored:?}");
    // Links that carry 0.9 in a slot: 2.7 over the cheap path, 1.3 over the other, in four slots.
    let stored = postcard::run(&Market::new(triangle(0.9), 1), 4, &file).expect("a plan");
    assert!((stored.cost - (1.8 + 5.0 * 1.3 / 4.0)).abs() < 1e-6, "{stored:?}");
    let stored = postcard::run(&Market::new(triangle(0.5), 1), 4, &file).expect("a plan");
    assert_eq!((stored.missed, stored.cost), (1, 0.0));
}

/// Aim: waiting costs what can be worked out by hand: a loose video goes under what is paid for, a tight one raises the
/// charge of its own link, and a part of it goes over others that are paid for.
#[test]
fn waiting_by_hand() {
    let video = |rate, first, count| Demand { from: 0, to: 2, rate, first, count };
    let market = Market::new(triangle(10.0), 1);
    let waited = |is_cheapest, demands: &[Demand]| ecoflow::run(&market, 10, 100.0, is_cheapest, demands);
    let paid = video(2.0, 0, 2);
    // 4 over four intervals go in two of them.
    let loose = waited(false, &[paid, video(1.0, 2, 4)]);
    assert!((loose.cost - 10.0).abs() < 1e-6 && loose.missed == 0, "{loose:?}");
    assert_eq!(loose.volumes[0][..6], [2.0, 2.0, 2.0, 2.0, 0.0, 0.0]);
    let tight = waited(false, &[paid, video(3.0, 2, 1)]);
    assert!((tight.cost - 15.0).abs() < 1e-6, "{tight:?}");
    // Over the cheap path, two links of price 1; then 12 in one interval do not fit into it.
    let full = waited(true, &[paid, video(12.0, 2, 1)]);
    assert!((full.cost - (10.0 + 10.0 + 2.0 * 5.0)).abs() < 1e-6 && full.missed == 0, "{full:?}");
    let late = waited(false, &[video(30.0, 2, 1)]);
    assert_eq!(late.missed, 1);
}
