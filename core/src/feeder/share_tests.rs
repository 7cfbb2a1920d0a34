//! Who gets how much of a saturated hop, for each scheduler; and that a shared FIFO fails every such claim.

use super::{Feeder, FeederConfig, Lane, Scheduler};
use crate::ids::ConferenceId;
use crate::rng::Seed;

/// One conference of the experiment, whose id is its position.
#[derive(Clone, Copy)]
struct Load {
    weight: u32,
    priority: u8,
    /// Packet size; with `varied`, sizes are drawn from 1 B to this.
    bytes: u32,
    /// Packets offered for every packet served: from 1 on it saturates the hop alone.
    offered: u32,
}

const QUANTUM_BYTES: u32 = 1500;

/// What a conference was given.
#[derive(Clone, Copy, Default)]
struct Served {
    packets: u64,
    bytes: u64,
}

/// Saturates a feeder with the loads for 100,000 packets and returns what each was given, after every packet.
fn saturate(
    scheduler: Scheduler,
    lane: Lane,
    varied: bool,
    loads: &[Load],
    mut check: impl FnMut(&[Served]) -> bool,
) -> bool {
    let mut sizes = Seed(5).stream("sizes");
    let mut feeder = Feeder::<u64>::new(FeederConfig {
        scheduler,
        live_bytes_max: 64 << 10,
        bulk_bytes_max: 64 << 10,
        quantum_bytes: QUANTUM_BYTES,
        ..FeederConfig::default()
    });
    for (id, load) in loads.iter().enumerate() {
        feeder.configure(ConferenceId(id as u32), load.weight, load.priority);
    }
    let mut served = vec![Served::default(); loads.len()];
    for round in 0..100_000 {
        // The first round fills every queue, so that all are saturated from the first packet on.
        let factor = if round == 0 { 20 } else { 1 };
        for (id, load) in loads.iter().enumerate() {
            for _ in 0..load.offered * factor {
                let bytes = if varied { 1 + sizes.below(load.bytes.into()) as u32 } else { load.bytes };
                feeder.push(ConferenceId(id as u32), lane, bytes, &mut |_, _| ());
            }
        }
        let popped = feeder.pop().expect("the feeder is saturated");
        let served_now = &mut served[popped.conference.0 as usize];
        served_now.packets += 1;
        served_now.bytes += u64::from(popped.bytes);
        if !check(&served) {
            return false;
        }
    }
    true
}

/// Three conferences that offer very different loads.
fn loads() -> [Load; 3] {
    [
        Load { weight: 1, priority: 0, bytes: 1200, offered: 9 },
        Load { weight: 2, priority: 0, bytes: 300, offered: 3 },
        Load { weight: 5, priority: 0, bytes: 700, offered: 4 },
    ]
}

/// Round robin's claim: at any time, packet counts differ by one at most.
fn turns_are_equal(served: &[Served]) -> bool {
    let packets = served.iter().map(|served| served.packets);
    packets.clone().max().unwrap_or(0) - packets.min().unwrap_or(0) <= 1
}

/// Deficit round robin's claim: at any time, bytes over weights differ by no more than the base quantum plus the
/// largest packet of each.
fn bytes_follow_weights(served: &[Served], loads: &[Load]) -> bool {
    served.iter().zip(loads).all(|(a, load_a)| {
        served.iter().zip(loads).all(|(b, load_b)| {
            let (weight_a, weight_b) = (u64::from(load_a.weight), u64::from(load_b.weight));
            // Everything is multiplied by both weights, to stay with whole numbers.
            let bound = u64::from(QUANTUM_BYTES) * weight_a * weight_b
                + u64::from(load_a.bytes) * weight_b
                + u64::from(load_b.bytes) * weight_a;
            (a.bytes * weight_b).abs_diff(b.bytes * weight_a) <= bound
        })
    })
}

/// Strict priority's claim, for a first conference of low and two more of equal high priority.
fn priority_is_strict(served: &[Served]) -> bool {
    served[0].packets == 0 && served[1].packets.abs_diff(served[2].packets) <= 1
}

#[test]
fn round_robin_serves_equal_packet_counts() {
    // Aim: at any time, within one packet; the FIFO fails the same check.
    for lane in Lane::ALL {
        assert!(saturate(Scheduler::RoundRobin, lane, false, &loads(), turns_are_equal));
        assert!(!saturate(Scheduler::Fifo, lane, false, &loads(), turns_are_equal));
    }
}

#[test]
fn deficit_round_robin_serves_bytes_by_weight() {
    // Aim: at any time, within the bound, for fixed and for random packet sizes; FIFO and round robin fail it.
    for (lane, varied) in [(Lane::Live, false), (Lane::Live, true), (Lane::Bulk, false), (Lane::Bulk, true)] {
        let loads = loads();
        let holds = |scheduler| {
            saturate(scheduler, lane, varied, &loads, |served| bytes_follow_weights(served, &loads))
        };
        assert!(holds(Scheduler::DeficitWeighted), "{lane:?}, varied {varied}");
        assert!(!holds(Scheduler::Fifo));
        assert!(!holds(Scheduler::RoundRobin));
    }
}

#[test]
fn strict_priority_starves_the_low_and_alternates_equals() {
    // Aim: the low one gets nothing, the equals the same within one packet; the FIFO fails it.
    let mut loads = loads();
    (loads[1].priority, loads[2].priority) = (200, 200);
    for lane in Lane::ALL {
        assert!(saturate(Scheduler::StrictPriority, lane, false, &loads, priority_is_strict));
        assert!(!saturate(Scheduler::Fifo, lane, false, &loads, priority_is_strict));
    }
}

#[test]
fn fifo_shares_follow_the_offered_load() {
    // Aim: how unfair the control is. Whoever offers most gets most: the first conference offers 9 of 16 packets
    // and gets as many, where round robin gives it a third. Sizes are drawn alike for all, because equal ones
    // would lock service into step with the offers.
    let loads = loads().map(|load| Load { bytes: 1000, ..load });
    let mut packets = 0;
    saturate(Scheduler::Fifo, Lane::Live, true, &loads, |served| {
        packets = served[0].packets;
        true
    });
    let share = packets as f64 / 100_000.0;
    assert!((share - 9.0 / 16.0).abs() < 0.02, "{share}");
}
