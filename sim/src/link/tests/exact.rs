//! Delays, limits and order, exact to the nanosecond.

use super::*;
use crate::link::{Backlog, CrossStats, ReceiveQueue};
use bellini_core::feeder::FeederConfig;
use bellini_scenarios::model::{Bottleneck, Jitter, JitterModel, Loss, Node, RateTrace, Shaper};

#[test]
fn an_unloaded_link_delays_by_serialisation_and_propagation() {
    let mut link = link(&spec(bps(7_000_000), tail(0)));
    assert_eq!(link.admit(ns(123), 1_000, 1), Admit::Accepted);
    // 8,000 bits at 7 Mbit/s: 1,142,857.14 ns, rounded up.
    assert_eq!(arrivals(&mut link, FOREVER), [(123 + 1_142_858 + 10_000_000, 1)]);
}

#[test]
fn a_burst_keeps_the_remainder() {
    // Packet k of a burst ends at ceil((k + 1) * 8,000 * 10^9 / r), not at k + 1 roundings.
    let mut link = link(&spec(bps(7_000_000), tail(u64::MAX)));
    for k in 0..10_000_u64 {
        assert_eq!(link.admit(ns(5), 1_000, k), Admit::Accepted);
    }
    for (k, (at, packet)) in (0_u64..).zip(arrivals(&mut link, FOREVER)) {
        assert_eq!((at, packet), (5 + ((k + 1) * 8_000_000).div_ceil(7) + 10_000_000, k));
    }
}

#[test]
fn drop_tail_counts_waiting_bytes_without_the_packet_in_service() {
    // 1,000 bytes at 8 Mbit/s take 1 ms. 2,500 may wait: one in service, two waiting, 500 to spare.
    let mut link = link(&spec(bps(8 * MEGABIT), tail(2_500)));
    for packet in 0..3 {
        assert_eq!(link.admit(ms(0), 1_000, packet), Admit::Accepted);
    }
    refused(link.admit(ms(0), 501, 3), DropCause::Queue);
    assert_eq!(link.admit(ms(0), 500, 4), Admit::Accepted);
    assert_eq!(link.backlog(ms(0)), Backlog { packets: 4, bytes: 3_500 });
    // One nanosecond before the first is out nothing has changed; then one starts, and 1,000 bytes are free.
    refused(link.admit(ns(999_999), 1, 5), DropCause::Queue);
    assert_eq!(link.admit(ms(1), 1_000, 6), Admit::Accepted);
    refused(link.admit(ms(1), 1, 7), DropCause::Queue);
    let stats = link.stats(ms(1));
    assert_eq!(stats.refused.get(DropCause::Queue), 3);
    assert_eq!((stats.queue_bytes_max, stats.busy), (2_500, Duration::from_millis(1)));
    assert_eq!(link.backlog(ns(4_499_999)).packets, 1);
    assert_eq!(link.backlog(ns(4_500_000)).packets, 0);
    assert_eq!(link.stats(ms(100)).busy, Duration::from_nanos(4_500_000));
}

#[test]
fn an_unlimited_rate_only_propagates() {
    let mut link = link(&spec(Rate::Shared(3), tail(0)));
    for packet in 0..100 {
        assert_eq!(link.admit(ms(1), 1_500, packet), Admit::Accepted);
    }
    assert_eq!(arrivals(&mut link, FOREVER), (0..100).map(|k| (11_000_000, k)).collect::<Vec<_>>());
    refused(link.admit(ms(20), 1_501, 0), DropCause::Mtu);
}

#[test]
fn a_packet_spans_steps_and_outages_of_a_trace() {
    // 8 Mbit/s for 1 ms, nothing for 5 ms, 4 Mbit/s for 1 ms: 12,000 bits a cycle of 7 ms.
    let step = |millis, rate| (Duration::from_millis(millis), BitRate::from_bps(rate));
    let steps = vec![step(1, 8 * MEGABIT), step(5, 0), step(1, 4 * MEGABIT)];
    let trace = Rate::Trace(RateTrace { name: "steps".into(), steps });
    let mut link = link(&spec(trace, tail(u64::MAX)));
    // From 0.5 ms: 4,000 bits until 1 ms, 4,000 until 7 ms; the next 8,000 until 8 ms; then 12 packets in 8 cycles.
    for packet in 0..14 {
        assert_eq!(link.admit(ns(500_000), 1_000, packet), Admit::Accepted);
    }
    let at: Vec<u64> = arrivals(&mut link, FOREVER).iter().map(|(at, _)| at - 10_000_000).collect();
    assert_eq!(at[..2], [7_000_000, 8_000_000]);
    // 12 packets are exactly 8 cycles of 12,000 bits, from one instant of the cycle to the same.
    assert_eq!(at[13], 8_000_000 + 8 * 7_000_000);
    // An idle link that is asked in an outage waits for its end: 2 ms into cycle 20, 6 ms are the end.
    let outage = 20 * 7 + 2;
    assert_eq!(link.admit(ms(outage), 250, 99), Admit::Accepted);
    assert_eq!(arrivals(&mut link, FOREVER), [(ms(20 * 7 + 6).as_nanos() + 500_000 + 10_000_000, 99)]);
}

#[test]
fn a_shared_bottleneck_is_first_in_first_out_and_exact() {
    // Two links offer 3 and 2 packets a millisecond to 20 Mbit/s, which passes 2.5 of 1,000 bytes: it is never idle,
    // so that the n-th packet leaves at n * 0.4 ms, whoever sent it, and in the order admitted.
    let bottleneck = Bottleneck { name: "sea".into(), rate: bps(20 * MEGABIT), queue: tail(10_000) };
    let mut shared = LinkModel::new(&LinkSpec::from_bottleneck(&bottleneck), streams(1));
    let delays = [5, 40];
    let mut wires = delays.map(|delay| {
        let delay = Duration::from_millis(delay);
        link::<u64>(&LinkSpec { delay, ..spec(Rate::Shared(0), tail(0)) })
    });
    let (mut number, mut accepted, mut left) = (0, Vec::new(), Vec::new());
    for step in 0..10_000 {
        for link in [0, 1, 0, 1, 0] {
            if shared.admit(ms(step), 1_000, (link, number)) == Admit::Accepted {
                accepted.push((link, number));
            }
            number += 1;
        }
        for (at, (link, packet)) in arrivals(&mut shared, ms(step + 1)) {
            left.push((at, (link, packet)));
            assert_eq!(wires[link].admit(ns(at), 1_000, packet), Admit::Accepted);
        }
    }
    assert_eq!(left.len(), 25_000, "10 s at 2.5 packets a millisecond");
    for (k, &(at, packet)) in left.iter().enumerate() {
        assert_eq!((at, packet), ((k as u64 + 1) * 400_000, accepted[k]));
    }
    for (link, delay) in delays.into_iter().enumerate() {
        let mine = left.iter().filter(|(_, packet)| packet.0 == link);
        let expected: Vec<(u64, u64)> = mine.map(|&(at, (_, p))| (at + delay * 1_000_000, p)).collect();
        assert_eq!(arrivals(&mut wires[link], FOREVER), expected);
    }
}

#[test]
fn jitter_keeps_the_order_unless_told() {
    let jitter = |reorder| Jitter { model: JitterModel::Uniform(Duration::from_millis(50)), reorder };
    let run = |reorder| {
        let jitter = Some(jitter(reorder));
        let mut link = link(&LinkSpec { jitter, ..spec(bps(8 * MEGABIT), tail(u64::MAX)) });
        for packet in 0..1_000_u64 {
            assert_eq!(link.admit(ms(packet), 1_000, packet), Admit::Accepted);
        }
        arrivals(&mut link, FOREVER)
    };
    let (ordered, reordered) = (run(false), run(true));
    assert!(ordered.is_sorted());
    assert!(ordered.is_sorted_by_key(|&(_, packet)| packet));
    assert!(reordered.is_sorted_by_key(|&(at, _)| at));
    assert!(!reordered.is_sorted_by_key(|&(_, packet)| packet));
    // The same draws: ordered arrivals are the running maximum of the free ones.
    let mut free = reordered;
    free.sort_by_key(|&(_, packet)| packet);
    let mut latest = 0;
    for ((at, packet), &(kept, _)) in free.into_iter().zip(&ordered) {
        let enter = (packet + 1) * 1_000_000;
        assert!((enter + 10_000_000..=enter + 60_000_000).contains(&at));
        latest = at.max(latest);
        assert_eq!(kept, latest);
    }
}

#[test]
fn equal_arrivals_come_in_the_order_admitted() {
    // Jitter of no length in reordering mode leaves ties only.
    let jitter = Some(Jitter { model: JitterModel::Uniform(Duration::ZERO), reorder: true });
    let mut link = link(&LinkSpec { jitter, ..spec(Rate::Unlimited, tail(0)) });
    for packet in 0..500 {
        assert_eq!(link.admit(ms(0), 100, packet), Admit::Accepted);
    }
    assert_eq!(arrivals(&mut link, FOREVER), (0..500).map(|k| (10_000_000, k)).collect::<Vec<_>>());
}

#[test]
fn a_packet_that_the_wire_loses_takes_up_queue_and_rate() {
    let loss = Loss::Trace(vec![true, false]);
    let mut link = link(&LinkSpec { loss, ..spec(bps(8 * MEGABIT), tail(1_000)) });
    assert_eq!(link.admit(ms(0), 1_000, 0), Admit::Lost { packet: 0, cause: DropCause::Loss });
    assert_eq!(link.admit(ms(0), 1_000, 1), Admit::Accepted);
    refused(link.admit(ms(0), 1_000, 2), DropCause::Queue);
    assert_eq!(arrivals(&mut link, FOREVER), [(12_000_000, 1)]);
    let stats = *link.stats(ms(20));
    assert_eq!((stats.admitted_packets, stats.dropped.get(DropCause::Loss)), (2, 1));
    assert_eq!(stats.busy, Duration::from_millis(2));
}

#[test]
fn cross_traffic_takes_up_queue_and_rate_and_vanishes() {
    let mut link = link(&spec(bps(8 * MEGABIT), tail(2_000)));
    link.admit_cross(ms(0), 1_000);
    link.admit_cross(ms(0), 1_000);
    assert_eq!(link.admit(ms(0), 1_000, 7), Admit::Accepted);
    link.admit_cross(ms(0), 1_000);
    assert_eq!(arrivals(&mut link, FOREVER), [(13_000_000, 7)]);
    let cross =
        CrossStats { admitted_packets: 2, admitted_bytes: 2_000, refused_packets: 1, dropped_packets: 0 };
    let stats = link.stats(ms(20));
    assert_eq!((stats.cross, stats.admitted_packets), (cross, 1));
    assert_eq!(stats.busy, Duration::from_millis(3));
}

fn node(ingress: Option<Shaper>, processing: Duration, receive_queue_packets: u32) -> Node {
    Node {
        id: NodeId::new(1).expect("an id"),
        name: "a".into(),
        region: None,
        position: None,
        egress: None,
        ingress,
        processing,
        receive_queue_packets,
        clock_offset_ns: 0,
        clock_drift_ppb: 0,
        feeder: FeederConfig::default(),
        recoding: true,
        hop_rates: Vec::new(),
        vm_usd_per_hour: None,
        congestion: Default::default(),
    }
}

#[test]
fn the_processor_takes_its_time_and_bounds_its_queue() {
    let node = node(None, Duration::from_millis(2), 3);
    let mut queue = ReceiveQueue::from_node(&node, Seed(1)).expect("packets cost time");
    let fits: Vec<bool> = (0..6).map(|k| queue.admit(ms(0), 100, k) == Admit::Accepted).collect();
    assert_eq!(fits, [true, true, true, true, false, false], "one in service, three waiting");
    // Done but not yet polled, the first does not count any more.
    assert_eq!(queue.admit(ms(2), 100, 6), Admit::Accepted);
    refused(queue.admit(ms(2), 100, 7), DropCause::Processor);
    for (packet, done) in [(0, 2), (1, 4), (2, 6), (3, 8), (6, 10)] {
        assert_eq!(queue.next_event(), Some(ms(done)));
        assert_eq!(queue.poll(ns(done * 1_000_000 - 1)), None);
        assert_eq!(queue.poll(ms(done)), Some(Polled::Arrived(packet)));
    }
    assert_eq!((queue.in_flight(), queue.processed(), queue.dropped().total()), (0, 5, 3));
    assert!(ReceiveQueue::<u8>::from_node(&self::node(None, Duration::ZERO, 3), Seed(1)).is_none());
}

#[test]
fn the_ingress_cap_comes_before_the_processor() {
    // 1,000 bytes at 8 Mbit/s leave the cap each ms; the processor takes 3 ms and lets one wait: of six, at 1 to
    // 6 ms, it starts at 1, 4 and 7 ms; those at 3, 5 and 6 ms find one waiting or leave as follows.
    let cap = Shaper { rate: BitRate::from_bps(8 * MEGABIT).expect("a rate"), queue_bytes: 5_000 };
    let node = node(Some(cap), Duration::from_millis(3), 1);
    let mut queue = ReceiveQueue::from_node(&node, Seed(1)).expect("there is a cap");
    for packet in 0..6 {
        assert_eq!(queue.admit(ms(0), 1_000, packet), Admit::Accepted);
    }
    refused(queue.admit(ms(0), 1_000, 6), DropCause::Queue);
    // A late driver sees what a punctual one would.
    let mut seen = Vec::new();
    while let Some(polled) = queue.poll(ms(100)) {
        seen.push(polled);
    }
    let dropped = |packet| Polled::Dropped { packet, cause: DropCause::Processor };
    let arrived = Polled::Arrived;
    // 0 works 1-4, 1 waits from 2, 2 is dropped at 3, at 4 packet 1 starts and 3 waits, 4 and 5 are dropped.
    assert_eq!(seen, [dropped(2), arrived(0), dropped(4), dropped(5), arrived(1), arrived(3)]);
}
