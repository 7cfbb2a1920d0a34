//! Whole connections against what theory and the specifications say.

use super::congestion::Congestion;
use super::dumbbell::{Dumbbell, FlowSpec};
use super::*;
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_scenarios::model::{Jitter, JitterModel, Loss, Queue, QueueDiscipline};

fn mbps(n: u64) -> BitRate {
    BitRate::from_bps(n * 1_000_000).expect("a rate")
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn at(seconds: f64) -> Instant {
    Instant::ZERO + Duration::from_secs_f64(seconds)
}

fn tail_drop(bytes: u64) -> Queue {
    Queue { bytes, discipline: QueueDiscipline::DropTail }
}

fn options(controller: Controller, delayed_acks: bool) -> Options {
    Options { controller, delayed_acks, ..Options::default() }
}

/// Bytes that a path of `rate` holds in `rtt`.
fn bdp(rate: BitRate, rtt: Duration) -> u64 {
    rate.bytes_in(rtt)
}

/// Returns the utilisation that the sawtooth of one NewReno flow leaves, with a buffer of `b` bandwidth-delay
/// products, by time spent below and above the window that fills the path.
fn sawtooth(b: f64) -> f64 {
    let low = ((1.0 + b) / 2.0).min(1.0);
    let above = ((1.0 + b) * (1.0 + b) - 1.0) / 2.0;
    ((1.0 - low * low) / 2.0 + above) / ((1.0 - low) + above)
}

/// Aim: the handshake takes a round trip before the first data, and a small file is there half a one later.
#[test]
fn the_handshake_takes_one_round_trip() {
    let flow = FlowSpec { bytes: Some(1_000), ..FlowSpec::greedy(Options::default(), ms(100)) };
    let mut bell = Dumbbell::new(mbps(8_000), tail_drop(1 << 20), vec![flow], Seed(1));
    let (mut open, mut came) = (None, None);
    bell.run_watched(at(2.0), &mut |bell| {
        if bell.sender(0).state() == State::Established {
            open.get_or_insert(bell.now());
        }
        if bell.receiver(0).receiver().next() == 1_000 {
            came.get_or_insert(bell.now());
        }
    });
    // 60 and 1,052 bytes at a byte a nanosecond.
    assert_eq!(open, Some(Instant::from_nanos(100_000_060)));
    assert_eq!(came, Some(Instant::from_nanos(150_000_060 + 52 + 1_052)));
}

/// Aim: one NewReno flow uses as much of a bottleneck as its sawtooth says, from no buffer to one of a
/// bandwidth-delay product. Two packets of buffer are there for the pair that a growing window sends at once.
#[test]
fn reno_uses_what_its_sawtooth_leaves() {
    let (rate, rtt) = (mbps(24), ms(60));
    let path = bdp(rate, rtt);
    for b in [0.0, 0.125, 0.25, 0.5, 1.0] {
        let queue = tail_drop((path as f64 * b) as u64 + 2 * 1_500);
        let flow = FlowSpec::greedy(options(Controller::Reno, false), rtt);
        let mut bell = Dumbbell::new(rate, queue, vec![flow], Seed(1));
        bell.run(at(30.0));
        bell.mark();
        bell.run(at(120.0));
        let (used, due) = (bell.utilisation(), sawtooth(b));
        let sender = bell.figures()[0].sender;
        println!("buffer {b} BDP: {used:.4} of {due:.4}, {sender:?}");
        assert!((used - due).abs() < 0.03, "buffer {b} BDP: {used} of {due}");
        assert_eq!(sender.timeouts, 0);
    }
}
