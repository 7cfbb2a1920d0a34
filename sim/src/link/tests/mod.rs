//! Tests of whole stages against closed forms; those of the parts are beside them.

mod changes;
mod codel;
mod conservation;
mod exact;
mod queueing;

use super::{Admit, DropCause, LinkModel, LinkSpec, LinkStreams, Polled};
use bellini_core::ids::NodeId;
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_scenarios::model::{Queue, QueueDiscipline, Rate};

const MEGABIT: u64 = 1_000_000;

fn ns(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn ms(millis: u64) -> Instant {
    ns(millis * 1_000_000)
}

fn bps(rate: u64) -> Rate {
    Rate::Constant(BitRate::from_bps(rate).expect("a rate"))
}

const fn tail(bytes: u64) -> Queue {
    Queue { bytes, discipline: QueueDiscipline::DropTail }
}

/// A link of that rate and queue with 10 ms of delay.
fn spec(rate: Rate, queue: Queue) -> LinkSpec {
    LinkSpec { delay: Duration::from_millis(10), mtu: 1_500, ..LinkSpec::serialiser(rate, queue) }
}

fn streams(seed: u64) -> LinkStreams {
    let id = |n| NodeId::new(n).expect("an id");
    LinkStreams::new(Seed(seed), id(1), id(2))
}

fn link<P>(spec: &LinkSpec) -> LinkModel<P> {
    LinkModel::new(spec, streams(1))
}

/// Polls everything that comes out by `until`, each at its own instant.
fn drain<P>(link: &mut LinkModel<P>, until: Instant) -> Vec<(u64, Polled<P>)> {
    let mut out = Vec::new();
    while let Some(at) = link.next_event().filter(|&at| at <= until) {
        while let Some(polled) = link.poll(at) {
            out.push((at.as_nanos(), polled));
        }
    }
    out
}

/// The same, when nothing is dropped inside.
fn arrivals<P>(link: &mut LinkModel<P>, until: Instant) -> Vec<(u64, P)> {
    let arrived = |(at, polled)| match polled {
        Polled::Arrived(packet) => (at, packet),
        Polled::Dropped { cause, .. } => panic!("dropped inside: {cause:?}"),
    };
    drain(link, until).into_iter().map(arrived).collect()
}

fn refused<P: PartialEq + std::fmt::Debug>(admit: Admit<P>, why: DropCause) {
    assert!(matches!(admit, Admit::Dropped { cause, .. } if cause == why), "{admit:?}");
}

const FOREVER: Instant = Instant::from_nanos(u64::MAX);
