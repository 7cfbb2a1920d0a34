//! Controlled delay against RFC 8289.

use super::*;
use bellini_scenarios::model::Loss;

const TARGET: u64 = 5_000_000;
const INTERVAL: u64 = 100_000_000;

/// 1,000 bytes a millisecond, the RFC's default parameters.
fn codel() -> LinkModel<u64> {
    let discipline = QueueDiscipline::CoDel {
        target: Duration::from_nanos(TARGET),
        interval: Duration::from_nanos(INTERVAL),
    };
    link(&spec(bps(8 * MEGABIT), Queue { bytes: 10_000_000, discipline }))
}

/// Offers a packet of 1,000 bytes each `gap` in `time`, polls until `until`, and returns when each was dropped.
fn offer(link: &mut LinkModel<u64>, gap: u64, time: std::ops::Range<u64>, until: u64) -> Vec<u64> {
    let mut drops = Vec::new();
    let mut note = |out: Vec<(u64, Polled<u64>)>| {
        for (at, polled) in out {
            if let Polled::Dropped { cause, .. } = polled {
                assert_eq!(cause, DropCause::CoDel);
                drops.push(at);
            }
        }
    };
    for now in time.step_by(gap as usize) {
        note(drain(link, ns(now)));
        assert_eq!(link.admit(ns(now), 1_000, now), Admit::Accepted);
    }
    note(drain(link, ns(until)));
    drops
}

#[test]
fn nothing_is_dropped_below_the_target() {
    // A packet each 1 ms in bursts of five: none waits longer than 4 ms, for a minute.
    let mut link = codel();
    for burst in 0..12_000 {
        for packet in 0..5 {
            assert_eq!(link.admit(ms(burst * 5), 1_000, packet), Admit::Accepted);
        }
        assert!(drain(&mut link, ms(burst * 5 + 5)).iter().all(|(_, p)| matches!(p, Polled::Arrived(_))));
    }
    assert_eq!(link.stats(ms(60_100)).dropped.total(), 0);
}

#[test]
fn an_unresponsive_overload_is_dropped_by_the_control_law() {
    // Two packets a millisecond where one passes: the queue never recovers, so the dropping state lasts. The k-th
    // drop is due at t_1 + sum over i < k of interval / sqrt(i), and happens at the first start of a transmission
    // from then on; transmissions start on whole milliseconds.
    let drops = offer(&mut codel(), 500_000, 0..10_000_000_000, 10_000_000_000);
    // Packet k waits k * 0.5 ms: packet 10, with start 10 ms, is the first that waits 5 ms.
    let first = 10_000_000 + INTERVAL;
    let (mut due, mut expected) = (first, vec![first]);
    for count in 1_u32.. {
        due += (INTERVAL as f64 / f64::from(count).sqrt()).round() as u64;
        let start = due.next_multiple_of(1_000_000);
        if start > 10_000_000_000 {
            break;
        }
        expected.push(start);
    }
    assert!(expected.len() > 1_000);
    assert_eq!(drops, expected);
}

#[test]
fn dropping_ends_with_the_standing_queue() {
    // After the overload the queue empties, and a load below capacity is left alone.
    let mut link = codel();
    let drops = offer(&mut link, 500_000, 0..1_000_000_000, 1_000_000_000);
    assert!(!drops.is_empty());
    drain(&mut link, FOREVER);
    let before = link.stats(ms(10_000)).dropped.total();
    for packet in 0..10_000 {
        assert_eq!(link.admit(ms(10_000 + 2 * packet), 1_000, packet), Admit::Accepted);
        assert_eq!(drain(&mut link, ms(10_002 + 2 * packet)).len(), usize::from(packet >= 5));
    }
    assert_eq!(link.stats(ms(40_000)).dropped.total(), before);
}

#[test]
fn a_second_overload_soon_after_resumes_the_drop_rate() {
    // RFC 8289, section 5.5: within 16 intervals, `count` starts from the drops of the last episode less one; the
    // second drop of the new episode is due interval / sqrt(count) after its first.
    let second_gap = |link: &mut LinkModel<u64>, from: u64| {
        let drops = offer(link, 500_000, from..from + 1_000_000_000, from + 2_500_000_000);
        (drops.len(), drops[1] - drops[0])
    };
    let mut link = codel();
    let (first, gap) = second_gap(&mut link, 0);
    assert_eq!(gap, INTERVAL);
    let (_, gap) = second_gap(&mut link, 2_500_000_000);
    let due = (INTERVAL as f64 / ((first - 1) as f64).sqrt()).round() as u64;
    assert_eq!(gap, due.next_multiple_of(1_000_000));
    // Long after, it starts afresh.
    assert_eq!(second_gap(&mut link, 60_000_000_000).1, INTERVAL);
}

#[test]
fn a_queue_of_one_packet_is_never_standing() {
    // At 8 kbit/s a packet of 1,000 bytes takes a second: each waits far longer than the target, but when it leaves
    // the queue at most one MTU stays behind.
    let discipline = QueueDiscipline::CoDel {
        target: Duration::from_nanos(TARGET),
        interval: Duration::from_nanos(INTERVAL),
    };
    let mut link = link(&spec(bps(8_000), Queue { bytes: 10_000, discipline }));
    for packet in 0..3 {
        assert_eq!(link.admit(ms(0), 1_000, packet), Admit::Accepted);
    }
    for second in 1..1_000 {
        arrivals(&mut link, ms(second * 1_000));
        assert_eq!(link.admit(ms(second * 1_000), 1_000, second + 2), Admit::Accepted);
    }
    // One is on the wire, one in service, two wait; `arrivals` fails on any drop.
    assert_eq!(arrivals(&mut link, FOREVER).len(), 4);
    assert_eq!(link.stats(FOREVER).delivered_packets, 1_002);
}

#[test]
fn without_pressure_it_is_first_in_first_out_like_drop_tail() {
    let mut under_codel = codel();
    let mut plain = link(&spec(bps(8 * MEGABIT), tail(u64::MAX)));
    let mut draws = Seed(3).stream("sizes");
    let mut now = 0;
    for packet in 0..10_000 {
        let bytes = 40 + draws.below(1_400) as u32;
        for link in [&mut under_codel, &mut plain] {
            assert_eq!(link.admit(ns(now), bytes, packet), Admit::Accepted);
        }
        now += 740_000 + draws.below(2_000_000);
    }
    assert_eq!(arrivals(&mut under_codel, FOREVER), arrivals(&mut plain, FOREVER));
}

#[test]
fn the_limit_counts_waiting_bytes_and_the_wire_loses_after_transmission() {
    let discipline = QueueDiscipline::CoDel {
        target: Duration::from_nanos(TARGET),
        interval: Duration::from_nanos(INTERVAL),
    };
    let queue = Queue { bytes: 2_000, discipline };
    let loss = Loss::Trace(vec![false, true, false]);
    let mut link = link(&LinkSpec { loss, ..spec(bps(8 * MEGABIT), queue) });
    for packet in 0..3 {
        assert_eq!(link.admit(ms(0), 1_000, packet), Admit::Accepted);
    }
    refused(link.admit(ms(0), 1, 3), DropCause::Queue);
    assert_eq!((link.in_flight(), link.backlog(ms(0)).bytes), (3, 3_000));
    let lost = Polled::Dropped { packet: 1, cause: DropCause::Loss };
    let expected = [(2_000_000, lost), (11_000_000, Polled::Arrived(0)), (13_000_000, Polled::Arrived(2))];
    assert_eq!(drain(&mut link, FOREVER), expected);
}
