//! Cut, degrade and heal.

use super::*;
use crate::link::Degrade;
use bellini_scenarios::model::{Jitter, JitterModel, RateTrace};

/// 1,000 bytes a millisecond.
fn plain() -> LinkModel<u64> {
    link(&spec(bps(8 * MEGABIT), tail(u64::MAX)))
}

#[test]
fn a_cut_hands_back_all_that_is_inside() {
    let mut link = plain();
    for packet in 0..30 {
        assert_eq!(link.admit(ms(0), 1_000, packet), Admit::Accepted);
    }
    link.admit_cross(ms(0), 1_000);
    // By 15 ms five have arrived, ten are on the wire, the others have not been sent.
    assert_eq!(arrivals(&mut link, ms(15)).len(), 5);
    let mut dropped = Vec::new();
    link.cut(ms(15), &mut |packet, cause| dropped.push((packet, cause)));
    assert_eq!(dropped, (5..30).map(|k| (k, DropCause::Cut)).collect::<Vec<_>>());
    assert_eq!((link.in_flight(), link.next_event(), link.is_up()), (0, None, false));
    refused(link.admit(ms(16), 1_000, 99), DropCause::Down);
    link.heal(ms(20));
    // The queue is empty: serialisation starts at once.
    assert_eq!(link.admit(ms(21), 1_000, 100), Admit::Accepted);
    assert_eq!(arrivals(&mut link, FOREVER), [(32_000_000, 100)]);
    let stats = link.stats(ms(40));
    assert_eq!((stats.dropped.get(DropCause::Cut), stats.refused.get(DropCause::Down)), (25, 1));
    assert_eq!((stats.delivered_packets, stats.cross.dropped_packets), (6, 1));
    assert_eq!(stats.busy, Duration::from_millis(15 + 1));
}

#[test]
fn a_degraded_rate_counts_for_what_is_still_queued() {
    // Four packets of 1 ms; at 1.5 ms half of the second is out. At a quarter of the rate the other half takes 2 ms,
    // each of the rest 4 ms; healed at 6.5 ms, when 3/4 of the third are out, 0.25 ms and 1 ms.
    let mut link = plain();
    for packet in 0..4 {
        assert_eq!(link.admit(ms(0), 1_000, packet), Admit::Accepted);
    }
    link.degrade(ns(1_500_000), Degrade { rate_factor: Some(0.25), ..Degrade::default() });
    assert_eq!(link.backlog(ns(3_499_999)).packets, 3);
    link.heal(ns(6_500_000));
    let at: Vec<u64> = arrivals(&mut link, FOREVER).iter().map(|(at, _)| at - 10_000_000).collect();
    assert_eq!(at, [1_000_000, 3_500_000, 6_750_000, 7_750_000]);
    assert_eq!(link.stats(ms(50)).busy, Duration::from_nanos(7_750_000));
}

#[test]
fn a_change_of_nothing_changes_nothing() {
    // The rest of the work is computed back exactly, remainder and outages included.
    let step = |nanos, rate| (Duration::from_nanos(nanos), BitRate::from_bps(rate));
    let steps = vec![step(700_001, 7_000_003), step(50_000, 0), step(333_333, 13_000_001)];
    for rate in [bps(7_000_003), Rate::Trace(RateTrace { name: String::new(), steps })] {
        for reorder in [false, true] {
            let model = JitterModel::Exponential(Duration::from_millis(3));
            let jitter = Some(Jitter { model, reorder });
            let spec = LinkSpec { jitter, ..spec(rate.clone(), tail(u64::MAX)) };
            let run = |disturbed: bool| {
                let mut link = link(&spec);
                for packet in 0..200 {
                    assert_eq!(link.admit(ns(packet * 100_000), 700, packet), Admit::Accepted);
                    if disturbed {
                        link.degrade(ns(packet * 100_000 + 31), Degrade::default());
                    }
                }
                arrivals(&mut link, FOREVER)
            };
            assert_eq!(run(false), run(true), "{reorder}");
        }
    }
}

#[test]
fn additional_delay_counts_for_what_has_not_entered_the_wire() {
    let mut link = plain();
    for packet in 0..3 {
        assert_eq!(link.admit(ms(0), 1_000, packet), Admit::Accepted);
    }
    let worse = Degrade { extra_delay: Some(Duration::from_millis(40)), ..Degrade::default() };
    link.degrade(ns(1_500_000), worse);
    assert_eq!(link.admit(ms(2), 1_000, 3), Admit::Accepted);
    // Healed once packets 0 to 2 are on the wire: 3 would overtake them and waits for 2.
    link.heal(ms(3));
    let at: Vec<u64> = arrivals(&mut link, FOREVER).iter().map(|&(at, _)| at / 1_000_000).collect();
    assert_eq!(at, [11, 52, 53, 53]);
}

#[test]
fn additional_loss_is_independent_and_ends_with_the_degradation() {
    let mut link = link(&spec(Rate::Unlimited, tail(0)));
    link.degrade(ms(0), Degrade { extra_loss: Some(0.2), ..Degrade::default() });
    // A later degradation leaves alone what it does not name.
    link.degrade(ms(0), Degrade { extra_delay: Some(Duration::from_millis(1)), ..Degrade::default() });
    let n = 1_000_000;
    let lost = (0..n).filter(|&k| link.admit(ms(0), 100, k) != Admit::Accepted).count();
    let slack = 4.5 * (n as f64 * 0.2 * 0.8).sqrt();
    assert!((lost as f64 - 0.2 * n as f64).abs() < slack, "{lost}");
    link.heal(ms(0));
    assert!((0..10_000).all(|k| link.admit(ms(0), 100, k) == Admit::Accepted));
}
