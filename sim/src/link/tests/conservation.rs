//! Random operations: nothing is lost from the books, and everything is deterministic.

use super::*;
use crate::link::{Degrade, LinkStats};
use bellini_core::rng::Stream;
use bellini_scenarios::model::{Jitter, JitterModel, Loss, RateTrace};

fn random_spec(draws: &mut Stream) -> LinkSpec {
    let step = |millis, rate| (Duration::from_millis(millis), BitRate::from_bps(rate));
    let rate = match draws.below(4) {
        0 => Rate::Unlimited,
        1 => {
            let steps = vec![step(3, 7 * MEGABIT), step(2, 0), step(5, 900_001)];
            Rate::Trace(RateTrace { name: String::new(), steps })
        }
        _ => bps(1 + draws.below(20 * MEGABIT)),
    };
    let discipline = match draws.below(3) {
        0 => QueueDiscipline::DropTail,
        1 => QueueDiscipline::Red {
            min_bytes: 3_000,
            max_bytes: 9_000,
            max_probability: 0.1,
            weight: 0.2,
            wait: false,
        },
        _ => {
            QueueDiscipline::CoDel { target: Duration::from_micros(500), interval: Duration::from_millis(5) }
        }
    };
    let model = match draws.below(3) {
        0 => JitterModel::Uniform(Duration::from_millis(3)),
        1 => JitterModel::Exponential(Duration::from_millis(1)),
        _ => JitterModel::HalfNormal(Duration::from_millis(2)),
    };
    let jitter = draws.chance(0.6).then(|| Jitter { model, reorder: draws.chance(0.5) });
    let loss = match draws.below(4) {
        0 => Loss::None,
        1 => Loss::Bernoulli(0.1),
        2 => Loss::GilbertElliott { good_to_bad: 0.1, bad_to_good: 0.3, loss_good: 0.01, loss_bad: 0.7 },
        _ => Loss::GilbertElliottTime {
            mean_good: Duration::from_millis(20),
            mean_bad: Duration::from_millis(5),
            loss_good: 0.0,
            loss_bad: 0.9,
        },
    };
    let queue = Queue { bytes: draws.below(20_000), discipline };
    LinkSpec { jitter, loss, ..spec(rate, queue) }
}

/// Everything that came of a run: a line per event.
type Log = Vec<(u64, u64, Option<DropCause>)>;

struct Run {
    link: LinkModel<u64>,
    /// Where each admitted packet is: still inside, or gone once.
    inside: Vec<bool>,
    log: Log,
    ordered: bool,
    newest: u64,
}

impl Run {
    fn leave(&mut self, now: u64, packet: u64, cause: Option<DropCause>) {
        assert!(std::mem::take(&mut self.inside[packet as usize]), "packet {packet} left twice");
        if cause.is_none() && self.ordered {
            assert!(packet >= self.newest, "{packet} overtook {}", self.newest);
            self.newest = packet;
        }
        self.log.push((now, packet, cause));
    }

    fn admit(&mut self, now: u64, bytes: u32) {
        let packet = self.inside.len() as u64;
        match self.link.admit(ns(now), bytes, packet) {
            Admit::Accepted => self.inside.push(true),
            Admit::Dropped { packet, cause } | Admit::Lost { packet, cause } => {
                self.inside.push(false);
                self.log.push((now, packet, Some(cause)));
            }
        }
    }

    fn poll(&mut self, now: u64) {
        while let Some(polled) = self.link.poll(ns(now)) {
            match polled {
                Polled::Arrived(packet) => self.leave(now, packet, None),
                Polled::Dropped { packet, cause } => self.leave(now, packet, Some(cause)),
            }
        }
        assert!(self.link.next_event().is_none_or(|next| next > ns(now)));
    }

    fn disturb(&mut self, now: u64, draws: &mut Stream) {
        match draws.below(4) {
            0 => {
                let mut dropped = Vec::new();
                self.link.cut(ns(now), &mut |packet, cause| dropped.push((packet, cause)));
                for (packet, cause) in dropped {
                    self.leave(now, packet, Some(cause));
                }
                assert_eq!(self.link.in_flight(), 0);
            }
            1 => self.link.degrade(
                ns(now),
                Degrade {
                    rate_factor: draws.chance(0.7).then(|| draws.unit() * 2.0),
                    extra_delay: draws.chance(0.5).then(|| Duration::from_nanos(draws.below(9_000_000))),
                    extra_loss: draws.chance(0.5).then(|| draws.unit()),
                },
            ),
            _ => self.link.heal(ns(now)),
        }
    }

    fn check(&mut self, now: u64, limit: u64) {
        let LinkStats { admitted_packets, delivered_packets, dropped, queue_bytes_max, busy, .. } =
            *self.link.stats(ns(now));
        let inside = self.link.in_flight() as u64;
        assert_eq!(admitted_packets, delivered_packets + dropped.total() + inside);
        assert_eq!(inside, self.inside.iter().filter(|&&inside| inside).count() as u64);
        let mut seen = 0;
        self.link.for_each_packet(&mut |&packet| {
            assert!(self.inside[packet as usize]);
            seen += 1;
        });
        assert_eq!(seen, inside);
        assert!(queue_bytes_max <= limit, "{queue_bytes_max} of {limit}");
        assert!(busy.as_nanos() <= now);
    }
}

fn run(seed: u64) -> Log {
    let mut draws = Seed(seed).stream("operations");
    let spec = random_spec(&mut draws);
    let link = LinkModel::new(&spec, streams(seed));
    let ordered = !spec.jitter.is_some_and(|jitter| jitter.reorder);
    let mut run = Run { link, inside: Vec::new(), log: Vec::new(), ordered, newest: 0 };
    let mut now = 0;
    for _ in 0..300 {
        match draws.below(40) {
            0 => run.disturb(now, &mut draws),
            1..=4 => run.link.admit_cross(ns(now), draws.below(1_600) as u32),
            5..=25 => run.admit(now, draws.below(1_600) as u32),
            26..=30 => now += draws.below(3_000_000),
            // A driver may be punctual, or late, or early.
            31..=35 => {
                now =
                    run.link.next_event().map_or(now, |next| next.as_nanos().clamp(now, now + 1_000_000_000));
                run.poll(now);
            }
            36..=38 => run.poll(now),
            _ => run.check(now, spec.queue.bytes),
        }
    }
    run.check(now, spec.queue.bytes);
    // A dead link is healed, and then everything comes out.
    run.link.heal(ns(now));
    for _ in 0..10_000 {
        let Some(next) = run.link.next_event() else { break };
        now = now.max(next.as_nanos());
        run.poll(now);
    }
    assert_eq!(run.link.in_flight(), 0);
    run.check(now, spec.queue.bytes);
    run.log
}

#[test]
fn nothing_is_lost_from_the_books_and_runs_repeat() {
    let mut causes = std::collections::BTreeSet::new();
    for seed in 0..3_000 {
        let log = run(seed);
        assert_eq!(log, run(seed), "seed {seed}");
        causes.extend(log.into_iter().filter_map(|(_, _, cause)| cause));
    }
    // Every cause that a link knows has been met.
    let node = [DropCause::Processor, DropCause::Crash, DropCause::Connection];
    assert!(DropCause::ALL.iter().all(|cause| node.contains(cause) != causes.contains(cause)), "{causes:?}");
}

#[test]
fn causes_have_their_index_and_a_name_of_their_own() {
    let names: std::collections::BTreeSet<_> = DropCause::ALL.iter().map(|cause| cause.name()).collect();
    assert_eq!(names.len(), DropCause::ALL.len());
    assert!(DropCause::ALL.iter().enumerate().all(|(i, cause)| cause.index() == i));
}
