//! The fluid, by hand.

use super::fluid::{Pipe, Rates, Stream, solve};
use super::limits::{Kind, Limit, Sharing};

fn limit(capacity_bps: f64, sharing: Sharing) -> Limit {
    Limit { kind: Kind::Link(0), capacity_bps, sharing, is_estimated: false }
}

/// A stream of its own conference over limits in a row, one hop each; a wire bit for each payload bit.
fn stream(conference: usize, offered_bps: Option<f64>, path: &[usize]) -> Stream {
    let hop = |(at, limit): (usize, &usize)| Pipe {
        parent: at.checked_sub(1),
        share: 1.0,
        wire: 1.0,
        survival: 1.0,
        limits: (vec![*limit], Vec::new()),
    };
    Stream {
        conference,
        weight: 1.0,
        priority: 0,
        offered_bps,
        is_elastic: offered_bps.is_none(),
        pipes: path.iter().enumerate().map(hop).collect(),
    }
}

fn all(streams: &[Stream], limits: &[Limit]) -> Rates {
    solve(streams, &vec![true; streams.len()], limits, &vec![0.0; limits.len()])
}

fn arrives(rates: &Rates) -> Vec<f64> {
    rates.pipes.iter().map(|pipes| (pipes[pipes.len() - 1].out_bps * 1e3).round() / 1e3).collect()
}

/// Aim: one queue cuts all alike; turns protect who wants little; weights and priorities count.
#[test]
fn what_does_not_fit_is_shared_by_rule() {
    let two = [stream(0, Some(2.0), &[0]), stream(1, Some(18.0), &[0])];
    assert_eq!(arrives(&all(&two, &[limit(10.0, Sharing::Proportional)])), [1.0, 9.0]);
    assert_eq!(arrives(&all(&two, &[limit(10.0, Sharing::Weighted)])), [2.0, 8.0]);
    let mut greedy = [stream(0, Some(18.0), &[0]), stream(1, Some(18.0), &[0])];
    greedy[0].weight = 4.0;
    assert_eq!(arrives(&all(&greedy, &[limit(10.0, Sharing::Weighted)])), [8.0, 2.0]);
    greedy[1].priority = 1;
    assert_eq!(arrives(&all(&greedy, &[limit(20.0, Sharing::Priority)])), [2.0, 18.0]);
}

/// Aim: what is dropped upstream loads nothing downstream, and the tightest limit is the one that is named.
#[test]
fn drops_relieve_what_comes_after() {
    let limits = [limit(5.0, Sharing::Proportional), limit(8.0, Sharing::Proportional)];
    let rates = all(&[stream(0, Some(10.0), &[0, 1]), stream(1, Some(3.0), &[1])], &limits);
    assert_eq!(arrives(&rates), [5.0, 3.0]);
    assert_eq!(rates.pipes[0][1].tightest, Some((0, 0.5)));
    assert_eq!(rates.pipes[1][0].tightest, None);
}

/// Aim: sources that listen get max-min fair rates: on a line of two links, the long one a half of the narrow link, the short
/// one of the wide link what is left there. One that nothing limits says so.
#[test]
fn sources_that_listen_are_max_min_fair() {
    let limits = [limit(10.0, Sharing::Proportional), limit(4.0, Sharing::Proportional)];
    let streams =
        [stream(0, None, &[0, 1]), stream(1, None, &[0]), stream(2, None, &[1]), stream(3, None, &[])];
    let rates = all(&streams, &limits);
    let sources: Vec<Option<f64>> =
        rates.sources.iter().map(|rate| rate.map(|bps| (bps * 1e6).round() / 1e6)).collect();
    assert_eq!(sources, [Some(2.0), Some(8.0), Some(2.0), None]);
    assert_eq!(rates.held_by, [Some(1), Some(0), Some(1), None]);
}

/// Aim: two flows that congest each other's second link settle, and no limit passes more than it can.
#[test]
fn a_ring_settles() {
    let limits = [limit(4.0, Sharing::Proportional), limit(4.0, Sharing::Proportional)];
    let rates = all(&[stream(0, Some(5.0), &[0, 1]), stream(1, Some(5.0), &[1, 0])], &limits);
    for at in 0..2 {
        let load = rates.pipes[at][0].sent_bps + rates.pipes[1 - at][1].sent_bps;
        assert!((load - 4.0).abs() < 1e-3, "{load}");
    }
    assert!((rates.pipes[0][1].out_bps - rates.pipes[1][1].out_bps).abs() < 1e-6);
}
