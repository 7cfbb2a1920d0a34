//! What all schedulers have in common: limits, drops, accounts, and slots that are used again.

use super::super::Scheduler;
use super::*;
use std::rc::Rc;

const SCHEDULERS: [Scheduler; 4] =
    [Scheduler::RoundRobin, Scheduler::DeficitWeighted, Scheduler::StrictPriority, Scheduler::Fifo];
const A: ConferenceId = ConferenceId(7);
const B: ConferenceId = ConferenceId(8);

fn feeder<P: Default>(scheduler: Scheduler) -> Feeder<P> {
    let limits = FeederConfig { live_bytes_max: 1000, bulk_bytes_max: 1000, ..FeederConfig::default() };
    Feeder::new(FeederConfig { scheduler, ..limits })
}

/// Pushes packet `id` and returns the ids dropped for it, or `None` when it was refused.
fn push(
    feeder: &mut Feeder<u64>,
    conference: ConferenceId,
    lane: Lane,
    bytes: u32,
    id: u64,
) -> Option<Vec<u64>> {
    let mut dropped = Vec::new();
    *feeder.push(conference, lane, bytes, &mut |&mut id, _| dropped.push(id))? = id;
    Some(dropped)
}

fn drain(feeder: &mut Feeder<u64>) -> Vec<u64> {
    core::iter::from_fn(|| feeder.pop().map(|popped| *popped.packet)).collect()
}

#[test]
fn live_lane_drops_its_oldest_and_no_more_than_it_must() {
    // Aim: 3 x 300 B of a limit of 1,000 B; one of 300 B drops one, one of 700 B drops two more.
    for scheduler in SCHEDULERS {
        let mut feeder = feeder(scheduler);
        for id in 0..3 {
            assert_eq!(push(&mut feeder, A, Lane::Live, 300, id), Some(vec![]));
        }
        assert_eq!(feeder.lane_room(A, Lane::Live), 100);
        assert_eq!(push(&mut feeder, A, Lane::Live, 300, 3), Some(vec![0]));
        assert_eq!(push(&mut feeder, A, Lane::Live, 700, 4), Some(vec![1, 2]));
        assert_eq!(push(&mut feeder, A, Lane::Live, 1000, 5), Some(vec![3, 4]), "to the byte");
        assert_eq!(push(&mut feeder, A, Lane::Live, 1001, 6), None, "larger than the lane");
        assert_eq!(feeder.stats().dropped_live_packets, 5);
        assert_eq!((feeder.stats().refused_live_packets, feeder.stats().refused_live_bytes), (1, 1001));
        assert_eq!(drain(&mut feeder), [5], "{scheduler:?}");
    }
}

#[test]
fn bulk_lane_refuses_what_does_not_fit() {
    // Aim: a full bulk lane refuses, keeps what it has, and accepts what still fits.
    for scheduler in SCHEDULERS {
        let mut feeder = feeder(scheduler);
        assert_eq!(push(&mut feeder, A, Lane::Bulk, 600, 0), Some(vec![]));
        assert_eq!(push(&mut feeder, A, Lane::Bulk, 401, 1), None);
        assert_eq!(push(&mut feeder, A, Lane::Bulk, 400, 2), Some(vec![]));
        assert_eq!(feeder.lane_room(A, Lane::Bulk), 0);
        assert_eq!((feeder.stats().refused_bulk_packets, feeder.stats().refused_bulk_bytes), (1, 401));
        assert_eq!(drain(&mut feeder), [0, 2], "{scheduler:?}");
    }
}

/// Aim: a held bulk lane is passed over, by every scheduler that can, while its conference's live packets and other
/// conferences go on; what is in it goes once it is released, in order; ending the conference takes it.
#[test]
fn a_held_bulk_lane_waits_and_nothing_else_does() {
    for scheduler in SCHEDULERS {
        let mut feeder = feeder(scheduler);
        push(&mut feeder, A, Lane::Bulk, 100, 0).unwrap();
        push(&mut feeder, B, Lane::Bulk, 100, 1).unwrap();
        assert_eq!(feeder.hold(A), scheduler != Scheduler::Fifo);
        if scheduler == Scheduler::Fifo {
            assert_eq!(drain(&mut feeder), [0, 1], "no lanes of its own");
            continue;
        }
        push(&mut feeder, A, Lane::Live, 100, 2).unwrap();
        push(&mut feeder, A, Lane::Bulk, 100, 3).unwrap();
        let mut gone = drain(&mut feeder);
        gone.sort_unstable();
        assert_eq!((gone, feeder.is_ready(), feeder.is_held(A)), (vec![1, 2], false, true), "{scheduler:?}");
        assert_eq!((feeder.backlog().packets, feeder.lane_use(A, Lane::Bulk)), (2, (200, 1_000)));
        feeder.configure(A, 2, 3);
        assert!(feeder.peek().is_none());
        feeder.release(A);
        assert_eq!(drain(&mut feeder), [0, 3], "{scheduler:?}");
        assert!(feeder.hold(A) && !feeder.is_ready());
        push(&mut feeder, A, Lane::Bulk, 100, 4).unwrap();
        assert_eq!(feeder.remove_conference(A), Removed { packets: 1, bytes: 100 });
        push(&mut feeder, A, Lane::Bulk, 100, 5).unwrap();
        assert_eq!(drain(&mut feeder), [5], "a conference that comes again is not held");
    }
}

#[test]
fn live_goes_before_bulk_except_in_arrival_order() {
    // Aim: within a conference, the live lane is served first; the control keeps the order of arrival.
    for scheduler in SCHEDULERS {
        let mut feeder = feeder(scheduler);
        for (id, lane) in [Lane::Bulk, Lane::Live, Lane::Bulk, Lane::Live].into_iter().enumerate() {
            push(&mut feeder, A, lane, 100, id as u64).unwrap();
        }
        let expected = if scheduler == Scheduler::Fifo { [0, 1, 2, 3] } else { [1, 3, 0, 2] };
        assert_eq!(drain(&mut feeder), expected, "{scheduler:?}");
    }
}

#[test]
fn limits_are_per_conference_but_shared_in_arrival_order() {
    // Aim: a full lane of one conference costs the other nothing; in the control it costs it its packets.
    for scheduler in SCHEDULERS {
        let mut feeder = feeder(scheduler);
        push(&mut feeder, A, Lane::Live, 900, 0).unwrap();
        let is_shared = scheduler == Scheduler::Fifo;
        assert_eq!(feeder.lane_room(B, Lane::Live), if is_shared { 100 } else { 1000 });
        let dropped = push(&mut feeder, B, Lane::Live, 900, 1).unwrap();
        assert_eq!(dropped, if is_shared { vec![0] } else { vec![] });
        let left = if is_shared { Backlog::default() } else { Backlog { packets: 1, bytes: 900 } };
        assert_eq!(feeder.conference_backlog(A), left);
    }
}

#[test]
fn ending_a_conference_takes_the_same_few_steps_whatever_it_queued() {
    // Aim: count the links touched by a removal, with 1 and with 10,000 packets in each lane. The control,
    // which scans, is left out.
    for scheduler in &SCHEDULERS[..3] {
        let touched = [1, 10_000].map(|packets| {
            let mut feeder = feeder(*scheduler);
            push(&mut feeder, B, Lane::Bulk, 5, u64::MAX).unwrap();
            for id in 0..packets {
                push(&mut feeder, A, Lane::Live, 0, id).unwrap();
                push(&mut feeder, A, Lane::Bulk, 0, id).unwrap();
            }
            let before = feeder.links.touched.get();
            assert_eq!(feeder.remove_conference(A), Removed { packets: 2 * packets, bytes: 0 });
            let touched = feeder.links.touched.get() - before;
            assert_eq!(feeder.backlog(), Backlog { packets: 1, bytes: 5 });
            // Nothing leaks: as many packets again fit into the slots that exist.
            let slots = feeder.links.len();
            for id in 0..2 * packets {
                push(&mut feeder, A, Lane::Live, 0, id).unwrap();
            }
            assert_eq!(feeder.links.len(), slots);
            touched
        });
        assert_eq!(touched, [2, 2], "{scheduler:?}");
    }
}

#[test]
fn stale_packets_own_their_payload_until_the_slot_is_written_again() {
    // Aim: follow one payload's reference count through removal, reuse, and taking it out after a pop.
    let payload = Rc::new(());
    let mut feeder = feeder::<Option<Rc<()>>>(Scheduler::RoundRobin);
    *feeder.push(A, Lane::Live, 100, &mut |_, _| ()).unwrap() = Some(Rc::clone(&payload));
    let _ = feeder.remove_conference(A);
    assert_eq!(Rc::strong_count(&payload), 2, "unreachable, but still in its slot");
    let slot = feeder.push(B, Lane::Live, 100, &mut |_, _| ()).unwrap();
    assert!(slot.is_some(), "the slot is handed out with its old contents");
    *slot = None;
    assert_eq!(Rc::strong_count(&payload), 1, "written again: released");

    *feeder.push(B, Lane::Live, 1000, &mut |_, _| ()).unwrap() = Some(Rc::clone(&payload));
    let mut seen = 0;
    feeder.push(B, Lane::Live, 1000, &mut |packet, _| seen += usize::from(packet.take().is_some()));
    assert_eq!((seen, Rc::strong_count(&payload)), (1, 1), "a dropped packet can be emptied at once");
    *feeder.push(A, Lane::Bulk, 1, &mut |_, _| ()).unwrap() = Some(Rc::clone(&payload));
    let _ = feeder.pop().unwrap();
    drop(feeder.pop().unwrap().packet.take());
    assert_eq!(Rc::strong_count(&payload), 1, "taken out after the pop");
}

#[test]
fn peek_is_stable_until_something_happens() {
    // Aim: repeated peeks and the pop agree; a more important packet in between changes the choice.
    for scheduler in SCHEDULERS {
        let mut feeder = feeder(scheduler);
        assert_eq!(feeder.peek(), None);
        feeder.configure(B, 1, 9);
        push(&mut feeder, A, Lane::Live, 100, 1).unwrap();
        push(&mut feeder, A, Lane::Live, 100, 2).unwrap();
        assert_eq!(feeder.peek(), Some((&1, 100)));
        assert_eq!(feeder.peek(), Some((&1, 100)));
        push(&mut feeder, B, Lane::Live, 200, 3).unwrap();
        let expected = if scheduler == Scheduler::StrictPriority { (3, 200) } else { (1, 100) };
        assert_eq!(feeder.peek(), Some((&expected.0, expected.1)), "{scheduler:?}");
        let popped = feeder.pop().unwrap();
        assert_eq!((*popped.packet, popped.bytes), expected);
    }
}

#[test]
fn churn_keeps_memory_flat() {
    // Aim: 100,000 conferences, half of them never ended, each with a few packets, two alive at a time: slots
    // and queues stay at what two conferences (and the idle ones kept) need.
    for scheduler in SCHEDULERS {
        let mut feeder = feeder(scheduler);
        for id in 0..100_000 {
            for packet in 0..3 {
                push(&mut feeder, ConferenceId(id), Lane::Bulk, 100, packet).unwrap();
            }
            if id % 2 == 0 {
                let _ = feeder.remove_conference(ConferenceId(id));
            } else {
                drain(&mut feeder);
            }
        }
        assert_eq!(feeder.links.len(), 3);
        assert!(feeder.table.queues.len() <= 4096, "{}", feeder.table.queues.len());
        assert_eq!(feeder.backlog(), Backlog::default());
        assert_eq!((feeder.stats().popped_packets, feeder.stats().removed_packets), (150_000, 150_000));
    }
}

#[test]
fn settings_outlast_idle_times_but_not_the_conference() {
    // Aim: A's priority holds after its queue ran empty, and is gone after the conference was removed.
    let mut feeder = feeder(Scheduler::StrictPriority);
    feeder.configure(A, 1, 1);
    let first = |feeder: &mut Feeder<u64>| {
        push(feeder, B, Lane::Live, 1, 2).unwrap();
        push(feeder, A, Lane::Live, 1, 1).unwrap();
        drain(feeder)[0]
    };
    assert_eq!(first(&mut feeder), 1);
    assert_eq!(first(&mut feeder), 1);
    let _ = feeder.remove_conference(A);
    assert_eq!(first(&mut feeder), 2);
}

#[test]
fn a_packet_of_many_quanta_is_served_in_the_end() {
    // Aim: no packet is too large, and packets of no bytes do not hold the turn for ever.
    let mut feeder = Feeder::new(FeederConfig {
        scheduler: Scheduler::DeficitWeighted,
        quantum_bytes: 10,
        ..FeederConfig::default()
    });
    push(&mut feeder, A, Lane::Bulk, 1000, 1).unwrap();
    for _ in 0..10_000 {
        push(&mut feeder, B, Lane::Bulk, 0, 2).unwrap();
    }
    let position = drain(&mut feeder).iter().position(|&id| id == 1);
    assert_eq!(position, Some(990), "99 further turns of 10 B each");
}
