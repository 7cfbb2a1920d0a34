//! Handshakes, acknowledgements and timers.

use super::{at, mbps, ms, options};
use crate::tcp::dumbbell::{Dumbbell, FlowSpec};
use crate::tcp::{Controller, Options, State};
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::model::{Loss, Queue, QueueDiscipline};

const WIDE: Queue = Queue { bytes: 1 << 24, discipline: QueueDiscipline::DropTail };

/// Aim: the handshake takes a round trip before the first data, which is there half a one later.
#[test]
fn the_handshake_takes_one_round_trip() {
    let flow = FlowSpec { bytes: Some(1_000), ..FlowSpec::greedy(Options::default(), ms(100)) };
    let mut bell = Dumbbell::new(mbps(8_000), WIDE, vec![flow], Seed(1));
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

/// Aim: a SYN that is lost is repeated a second later, then two more seconds later.
#[test]
fn a_lost_syn_is_repeated_after_a_second() {
    let mut flow = FlowSpec { bytes: Some(1_000), ..FlowSpec::greedy(Options::default(), ms(100)) };
    flow.loss = Loss::Trace([vec![true; 2], vec![false; 50]].concat());
    let mut bell = Dumbbell::new(mbps(8_000), WIDE, vec![flow], Seed(1));
    let mut open = None;
    bell.run_watched(at(5.0), &mut |bell| {
        if bell.sender(0).state() == State::Established {
            open.get_or_insert(bell.now());
        }
    });
    assert_eq!(open, Some(Instant::from_nanos(3_100_000_060)));
}

/// Aim: with delayed acknowledgements there is one for each two segments, once the first sixteen are over; without,
/// one for each.
#[test]
fn every_second_segment_is_acknowledged() {
    for (delayed, least, most) in [(true, 508, 512), (false, 1_000, 1_003)] {
        let flow = FlowSpec {
            bytes: Some(1_000 * 1_448),
            ..FlowSpec::greedy(options(Controller::Reno, delayed), ms(20))
        };
        let mut bell = Dumbbell::new(mbps(10), WIDE, vec![flow], Seed(1));
        bell.run(at(5.0));
        let stats = bell.receiver(0).receiver().stats();
        assert_eq!((stats.segments, bell.sender(0).sender().stats().resent), (1_000, 0));
        assert!((least..=most).contains(&stats.pure_acks), "{stats:?}");
    }
}

/// Aim: a segment that no other one follows is acknowledged after 40 ms, once the connection is not new.
#[test]
fn a_lone_segment_waits_for_40_ms() {
    let flow =
        FlowSpec { bytes: Some(17 * 1_448), ..FlowSpec::greedy(options(Controller::Reno, true), ms(10)) };
    let mut bell = Dumbbell::new(mbps(8_000), WIDE, vec![flow], Seed(1));
    let (mut came, mut done) = (None, None);
    bell.run_watched(at(2.0), &mut |bell| {
        if bell.receiver(0).receiver().next() == 17 * 1_448 {
            came.get_or_insert(bell.now());
        }
        if bell.sender(0).sender().una() == 17 * 1_448 {
            done.get_or_insert(bell.now());
        }
    });
    let waited = done.expect("it ends").saturating_since(came.expect("it came"));
    assert_eq!(waited, ms(40 + 5));
}

/// Aim: when nothing comes through any more, the timeout strikes after 200 ms and a round trip and doubles each time;
/// a probe goes before the first.
#[test]
fn timeouts_back_off() {
    let mut flow = FlowSpec::greedy(options(Controller::Reno, false), ms(100));
    // The handshake's segments and the first window come, nothing after.
    flow.loss = Loss::Trace([vec![false; 12], vec![true; 1_000]].concat());
    let mut bell = Dumbbell::new(mbps(1_000), WIDE, vec![flow], Seed(1));
    let (mut struck, mut seen) = (0, Vec::new());
    bell.run_watched(at(14.0), &mut |bell| {
        let timeouts = bell.sender(0).sender().stats().timeouts;
        if timeouts > struck {
            struck = timeouts;
            seen.push(bell.now());
        }
    });
    let gaps: Vec<f64> =
        seen.windows(2).map(|pair| pair[1].saturating_since(pair[0]).as_millis_f64()).collect();
    assert_eq!(gaps.len(), 4, "{seen:?}");
    assert!((gaps[0] - 600.0).abs() < 1.0, "twice a round trip and 200 ms: {gaps:?}");
    assert!(gaps.windows(2).all(|pair| (pair[1] / pair[0] - 2.0).abs() < 1e-6), "{gaps:?}");
    assert_eq!(bell.sender(0).sender().stats().probes, 1);
    assert_eq!(bell.sender(0).sender().window().cwnd, 1);
}

/// Aim: nothing acknowledged for the user timeout breaks the connection, at that time exactly.
#[test]
fn a_silent_peer_is_given_up() {
    let patience = Duration::from_secs(10);
    let options = Options { user_timeout: patience, ..options(Controller::Cubic, false) };
    let mut flow = FlowSpec::greedy(options, ms(100));
    flow.loss = Loss::Trace([vec![false; 12], vec![true; 1_000]].concat());
    let mut bell = Dumbbell::new(mbps(1_000), WIDE, vec![flow], Seed(1));
    let (mut first, mut gone) = (None, None);
    bell.run_watched(at(30.0), &mut |bell| {
        if bell.sender(0).sender().stats().timeouts > 0 {
            first.get_or_insert(bell.now());
        }
        if bell.sender(0).state() == State::Closed {
            gone.get_or_insert(bell.now());
        }
    });
    assert_eq!(gone.expect("it ends").saturating_since(first.expect("it struck")), patience);
}

/// Aim: a window that was not used says nothing: after a pause sending begins with the initial one.
#[test]
fn a_pause_brings_the_window_back_to_the_initial_one() {
    let mut sender = crate::tcp::Endpoint::connect(&options(Controller::Reno, false), Instant::ZERO);
    let mut receiver = crate::tcp::Endpoint::accept(&options(Controller::Reno, false), Instant::ZERO);
    let mut now = Instant::ZERO;
    let exchange =
        |sender: &mut crate::tcp::Endpoint, receiver: &mut crate::tcp::Endpoint, now: &mut Instant| {
            for _ in 0..20 {
                while let Some(segment) = sender.poll(*now) {
                    receiver.on_segment(*now + ms(10), &segment);
                }
                *now += ms(10);
                while let Some(segment) = receiver.poll(*now) {
                    sender.on_segment(*now + ms(10), &segment);
                }
                *now += ms(10);
            }
        };
    sender.write(now, 400 * 1_448);
    exchange(&mut sender, &mut receiver, &mut now);
    let grown = sender.sender().window().cwnd;
    assert!(grown >= 80, "{grown}");
    sender.write(now + Duration::from_secs(60), 1_448);
    assert_eq!(sender.sender().window().cwnd, 10);
    assert!(sender.sender().window().ssthresh >= grown / 2, "what was known is not forgotten");
}
