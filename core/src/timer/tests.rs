//! The wheel against a sorted list, and the cases that it was built for.

use super::*;
use crate::rng::Seed;
use crate::time::Duration;
use std::collections::BTreeMap;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn drain(wheel: &mut TimerWheel<u32>, now: Instant) -> Vec<(u64, u32)> {
    core::iter::from_fn(|| wheel.pop_expired(now)).map(|(at, key)| (at.as_nanos(), key)).collect()
}

#[test]
fn fires_in_order_and_never_early() {
    let mut wheel = TimerWheel::new(at(5));
    for (i, t) in [300, 7, 1_000_000_000_000, 7, 70].into_iter().enumerate() {
        wheel.set(at(t), i as u32);
    }
    assert_eq!(wheel.next(), Some(at(7)));
    assert_eq!(drain(&mut wheel, at(6)), []);
    assert_eq!(drain(&mut wheel, at(299)), [(7, 1), (7, 3), (70, 4)]);
    assert_eq!(wheel.next(), Some(at(300)));
    assert_eq!(drain(&mut wheel, at(u64::MAX)), [(300, 0), (1_000_000_000_000, 2)]);
    assert_eq!((wheel.next(), wheel.len(), wheel.is_empty()), (None, 0, true));
}

#[test]
fn a_deadline_in_the_past_takes_its_place_among_the_expired() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    wheel.set(at(1_000), 0);
    assert_eq!(drain(&mut wheel, at(5_000)), [(1_000, 0)]);
    for (i, t) in [6_000, 4_000, 10, 4_000].into_iter().enumerate() {
        wheel.set(at(t), i as u32);
    }
    assert_eq!(wheel.next(), Some(at(10)));
    assert_eq!(drain(&mut wheel, at(5_000)), [(10, 2), (4_000, 1), (4_000, 3)]);
}

#[test]
fn the_ends_of_time_are_deadlines_too() {
    let mut wheel = TimerWheel::new(at(u64::MAX));
    for (i, t) in [u64::MAX, 0, u64::MAX, u64::MAX - 1, 0].into_iter().enumerate() {
        wheel.set(at(t), i as u32);
    }
    let fired: Vec<u32> = drain(&mut wheel, at(u64::MAX)).into_iter().map(|(_, key)| key).collect();
    assert_eq!(fired, [1, 4, 3, 0, 2]);
}

#[test]
fn stale_ids_cancel_nothing() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let first = wheel.set(at(10), 1);
    assert!(wheel.cancel(first));
    let second = wheel.set(at(20), 2);
    assert_ne!(first, second, "the place is used again");
    assert!(!wheel.cancel(first));
    assert_eq!(drain(&mut wheel, at(20)), [(20, 2)]);
    assert!(!wheel.cancel(second));
    assert!(!TimerWheel::<u32>::new(Instant::ZERO).cancel(first));
}

#[test]
#[should_panic(expected = "time runs forwards")]
fn time_does_not_go_back() {
    let mut wheel = TimerWheel::<u32>::new(Instant::ZERO);
    wheel.pop_expired(at(2));
    wheel.pop_expired(at(1));
}

/// The timers of an idle node (a report every 30 s, a lease, a keep-alive a second) take a fraction of its
/// 2 KiB, over an hour.
#[test]
fn an_idle_node_can_afford_it() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let periods = [30_000, 10_000, 1_000].map(Duration::from_millis);
    for (key, &period) in periods.iter().enumerate() {
        wheel.set(Instant::ZERO + period, key as u32);
    }
    while let Some(next) = wheel.next().filter(|t| t.as_secs_f64() < 3_600.0) {
        let (due, key) = wheel.pop_expired(next).expect("it is due");
        wheel.set(due + periods[key as usize], key);
    }
    let bytes = size_of_val(&wheel)
        + wheel.levels.capacity() * size_of::<Level>()
        + wheel.nodes.capacity() * size_of::<Node<u32>>();
    assert!(bytes <= 768, "{bytes} bytes");
}

/// Random operations against an ordered map, over all scales of time, with ties, cancels (stale ones too),
/// deadlines in the past, bursts of timers in one slot, and steps of time past many deadlines.
#[test]
fn behaves_as_an_ordered_map() {
    for round in 0..8 {
        let mut draws = Seed(round).stream("timer");
        let mut now = draws.below(1 << 40);
        let mut wheel = TimerWheel::new(at(now));
        let mut reference = BTreeMap::new();
        let mut ids: Vec<(TimerId, (u64, u64))> = Vec::new();
        let mut fired = 0;
        // From a nanosecond to nine hours; odd rounds use one scale, so that slots fill.
        let scales = if round % 2 == 0 { [4, 12, 24, 45] } else { [20; 4] };
        for seq in 0..60_000 {
            let scale = scales[draws.below(4) as usize];
            match draws.below(16) {
                0..7 => {
                    let ahead = draws.below(1 << scale);
                    let due = if draws.chance(0.1) { now.saturating_sub(ahead) } else { now + ahead };
                    // Every fourth repeats the deadline of another one.
                    let due = match ids.last() {
                        Some(&(_, (other, _))) if draws.chance(0.25) => other,
                        _ => due,
                    };
                    ids.push((wheel.set(at(due), seq), (due, seq)));
                    reference.insert((due, seq), seq);
                }
                7..10 if !ids.is_empty() => {
                    let pick = draws.below(ids.len() as u64) as usize;
                    let (id, key) = ids.swap_remove(pick);
                    assert_eq!(wheel.cancel(id), reference.remove(&key).is_some());
                }
                10 => {
                    // The earliest one, over and over.
                    for _ in 0..draws.below(8) {
                        let Some((&key, _)) = reference.first_key_value() else { break };
                        let Some(pick) = ids.iter().position(|&(_, k)| k == key) else { break };
                        assert!(wheel.cancel(ids.swap_remove(pick).0));
                        reference.remove(&key);
                        assert_eq!(wheel.next(), reference.keys().next().map(|k| at(k.0)));
                    }
                }
                11..14 => {
                    let expected = match reference.first_key_value() {
                        Some((&(due, _), _)) if due <= now => reference.pop_first(),
                        _ => None,
                    };
                    let popped = wheel.pop_expired(at(now));
                    assert_eq!(popped, expected.map(|((due, _), key)| (at(due), key)));
                    fired += u32::from(popped.is_some());
                }
                14 => now += draws.below(1 << scale) / 64,
                _ => now = now.max(reference.keys().next().map_or(now, |k| k.0)),
            }
            assert_eq!(wheel.len(), reference.len());
            assert_eq!(wheel.next(), reference.keys().next().map(|k| at(k.0)));
        }
        assert!(fired > 5_000, "{fired} fired");
        let rest = core::iter::from_fn(|| wheel.pop_expired(at(u64::MAX)));
        assert!(rest.map(|(_, key)| key).eq(reference.into_values()));
    }
}
