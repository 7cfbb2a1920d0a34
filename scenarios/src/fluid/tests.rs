//! Bounds and optima by what must hold whatever the workload.

use super::*;
use crate::policies::jetway::{Demand, Market, MarketLink, Strategy};
use bellini_core::rng::Seed;

const ALL: [Strategy; 5] =
    [Strategy::Direct, Strategy::Cheapest, Strategy::Even(2), Strategy::TwoStage, Strategy::Single];

fn small(seed: u64) -> Workload {
    let spec = WorkloadSpec {
        nodes: 4,
        intervals: 40,
        day: 40,
        videos_per_day: 25.0,
        length: (2, 8),
        capacity: 40.0,
        ..WorkloadSpec::default()
    };
    Workload::draw(&spec, Seed(seed))
}

/// Two ways from 0 to 2: one link of price 5, or two of price 1.
fn triangle(capacity: f64) -> Vec<MarketLink> {
    let link = |from, to, price| MarketLink { from, to, price, capacity };
    vec![link(0, 2, 5.0), link(0, 1, 1.0), link(1, 2, 1.0)]
}

/// Aim: nobody is cheaper than the bounds of full knowledge, cutting planes give what one program gives, and refused
/// videos do not hide in a low cost.
#[test]
fn never_cheaper_than_full_knowledge() {
    for seed in 1..=6 {
        let workload = small(seed);
        let bounds = bound(&workload, 90.0).expect("a bound");
        let exact = exact_max(&workload).expect("the whole program");
        assert!(bounds.max <= exact * (1.0 + 1e-6), "{bounds:?} {exact}");
        assert!(!bounds.is_settled || bounds.max > exact * 0.98, "{bounds:?} {exact}");
        assert!(bounds.percentile <= bounds.max * (1.0 + 1e-6), "{bounds:?}");
        for strategy in ALL {
            let month = run(&workload, 100.0, strategy).expect("a month");
            assert_eq!(month.missed, 0, "{strategy:?} refuses");
            assert!(month.cost >= exact * (1.0 - 1e-6), "{strategy:?}: {} below {exact}", month.cost);
            let percentile = run(&workload, 90.0, strategy).expect("a month");
            assert!(percentile.cost >= bounds.percentile * (1.0 - 1e-6), "{strategy:?}: {bounds:?}");
        }
    }
}

/// Aim: on a case small enough to count, free intervals are used, and nobody beats the best choice of them.
#[test]
fn bursts_against_every_choice_of_free_intervals() {
    let video = |rate, first, count| Demand { from: 0, to: 2, rate, first, count };
    let demands = vec![video(4.0, 0, 5), video(6.0, 2, 1), video(3.0, 3, 2)];
    let workload = Workload { market: Market::new(triangle(20.0), 1), intervals: 5, demands };
    let exact = exact_lasting(&workload, 80.0, 1_000).expect("an optimum").cost;
    let bounds = bound(&workload, 80.0).expect("a bound");
    let most = exact_max(&workload).expect("a program");
    // With one free interval for each link, the 6 are free; 7 of the last two intervals go over the cheap path: 7 * 2, or
    // its first interval free, too, ..; the maximum needs 10 * 2.
    assert_eq!(most, 20.0);
    assert!(exact < 14.0 + 1e-9 && exact >= bounds.percentile - 1e-9, "{exact} {bounds:?}");
    for strategy in ALL {
        let month = run(&workload, 80.0, strategy).expect("a period");
        assert!(month.cost >= exact - 1e-9, "{strategy:?}: {} below {exact}", month.cost);
    }
    let cheap = |percentile| run(&workload, percentile, Strategy::Single).expect("a period").cost;
    assert!(cheap(80.0) < cheap(100.0), "the budget of bursts is used");
}

/// Aim: branch and bound finds what trying every choice of free intervals finds, nobody who keeps videos on their
/// paths is cheaper, and the bound of those who move them is below.
#[test]
fn branch_and_bound_against_every_choice() {
    for seed in 1..=2 {
        let spec = WorkloadSpec {
            nodes: 3,
            intervals: 4,
            day: 4,
            videos_per_day: 6.0,
            length: (1, 3),
            capacity: 30.0,
            ..WorkloadSpec::default()
        };
        let workload = Workload::draw(&spec, Seed(seed));
        let found = exact_lasting(&workload, 75.0, 20_000).expect("an optimum");
        assert!(found.is_proved(), "{found:?}");
        let bounds = bound(&workload, 75.0).expect("a bound");
        assert!(found.cost >= bounds.percentile * (1.0 - 1e-6) - 1e-9, "{found:?} {bounds:?}");
        let most = exact_lasting(&workload, 100.0, 10).expect("a program");
        assert!(most.is_proved() && most.cost >= found.cost * (1.0 - 1e-3), "{most:?} {found:?}");
        for strategy in ALL {
            let month = run(&workload, 75.0, strategy).expect("a period");
            let is_fair = month.missed == 0;
            assert!(
                !is_fair || month.cost >= found.cost * (1.0 - 1e-3),
                "{strategy:?}: {} {found:?}",
                month.cost
            );
        }
        let tried = every_choice(&workload);
        assert!((tried - found.cost).abs() <= 1e-3 * tried.max(1e-6), "{tried} {found:?}");
    }
}

/// The least cost over all choices of one free interval for each link, videos kept on their paths.
fn every_choice(workload: &Workload) -> f64 {
    let market = &workload.market;
    let (links, intervals) = (market.links.len(), workload.intervals);
    let mut best = f64::INFINITY;
    for way in 0..intervals.pow(u32::try_from(links).expect("few links")) {
        let free = |link: usize| way / intervals.pow(u32::try_from(link).expect("few links")) % intervals;
        let mut problem = crate::lp::Problem::minimize();
        let charges: Vec<_> =
            market.links.iter().map(|link| problem.column("", link.price, 0.0, link.capacity)).collect();
        let mut rows = vec![vec![Vec::new(); intervals]; links];
        for video in &workload.demands {
            let mut whole = Vec::new();
            for path in market.paths(video.from, video.to) {
                let flow = problem.column("", 0.0, 0.0, f64::INFINITY);
                whole.push((flow, 1.0));
                for link in path {
                    for row in &mut rows[*link][video.first..video.first + video.count] {
                        row.push((flow, 1.0));
                    }
                }
            }
            problem.row("", &whole, crate::lp::Relation::Equal, video.rate);
        }
        for (link, rows) in rows.iter().enumerate() {
            for (at, terms) in rows.iter().enumerate() {
                let mut terms = terms.clone();
                let is_free = free(link) == at;
                terms.extend((!is_free).then_some((charges[link], -1.0)));
                let right = if is_free { market.links[link].capacity } else { 0.0 };
                problem.row("", &terms, crate::lp::Relation::AtMost, right);
            }
        }
        best = best.min(problem.solve_unproved().map_or(f64::INFINITY, |it| it.objective()));
    }
    best
}
