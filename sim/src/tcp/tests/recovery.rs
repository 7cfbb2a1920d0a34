//! Losses, reordering, and what is made of them.

use super::{at, mbps, ms, options};
use crate::tcp::dumbbell::{Dumbbell, FlowSpec};
use crate::tcp::{Controller, Options, Recovery, SenderStats};
use bellini_core::rng::Seed;
use bellini_core::time::Duration;
use bellini_scenarios::model::{Jitter, JitterModel, Loss, Queue, QueueDiscipline};

const WIDE: Queue = Queue { bytes: 1 << 24, discipline: QueueDiscipline::DropTail };

/// Sends 400 segments over 10 Mbit/s and 60 ms, of which the `lost` ones (counted in the order in which they are
/// sent, repeats too, from 1) are lost. Returns the counters and the seconds until all had come.
fn send(options: Options, lost: &[usize]) -> (SenderStats, f64) {
    let bytes = 400 * 1_448;
    let mut flow = FlowSpec { bytes: Some(bytes), ..FlowSpec::greedy(options, ms(60)) };
    // The SYN and the last of the handshake come first; the latter is a segment without data.
    let mut pattern = vec![false; 5_000];
    lost.iter().for_each(|number| pattern[number + 1] = true);
    flow.loss = Loss::Trace(pattern);
    let mut bell = Dumbbell::new(mbps(10), WIDE, vec![flow], Seed(1));
    let mut done = None;
    bell.run_watched(at(60.0), &mut |bell| {
        if bell.receiver(0).receiver().next() == bytes {
            done.get_or_insert(bell.now());
        }
    });
    (bell.sender(0).sender().stats(), done.expect("all comes in the end").as_secs_f64())
}

/// Aim: many losses in one window are repaired in one recovery, each segment sent twice, without a timeout.
#[test]
fn selective_acknowledgements_repair_a_window_at_once() {
    for controller in [Controller::Reno, Controller::Cubic] {
        let lost = [101, 103, 106, 110, 111, 112, 120, 131];
        let (stats, seconds) = send(options(controller, true), &lost);
        println!("{controller:?}: {stats:?}, {seconds:.3} s");
        assert_eq!((stats.timeouts, stats.recoveries, stats.resent), (0, 1, 8), "{stats:?}");
        let (_, clean) = send(options(controller, true), &[]);
        assert!(seconds < clean + 0.4, "{seconds} s where {clean} s are needed without loss");
    }
}

/// Aim: a repeat that is lost is found by time and sent once more, without a timeout.
#[test]
fn a_lost_repeat_is_repeated() {
    // Which one the repeat is, is seen from a run where it is not lost.
    let only = |also: Option<usize>| {
        let lost: Vec<usize> = [150].into_iter().chain(also).collect();
        send(options(Controller::Reno, false), &lost).0
    };
    assert_eq!((only(None).resent, only(None).timeouts), (1, 0));
    let twice = (151..400).map(|also| only(Some(also))).filter(|stats| stats.resent == 2);
    let found: Vec<SenderStats> = twice.collect();
    assert!(found.iter().all(|stats| stats.timeouts == 0), "{found:?}");
    assert!(found.len() > 100, "each of them is either another segment or the repeat");
}

/// Aim: the last segments of a transfer have no others behind them: a probe tells of their loss, not a timeout.
#[test]
fn a_lost_tail_is_probed_for() {
    let (stats, seconds) = send(options(Controller::Cubic, true), &[400]);
    assert_eq!((stats.timeouts, stats.probes, stats.resent), (0, 1, 1), "{stats:?}");
    let (clean, clean_seconds) = send(options(Controller::Cubic, true), &[]);
    assert_eq!((clean.probes, clean.resent), (0, 0));
    // Two round trips, of which the queue is a part, and half a one.
    assert!(seconds < clean_seconds + 1.5, "{seconds} and {clean_seconds} s");
    let (stats, _) = send(options(Controller::Cubic, true), &[397, 398, 399, 400]);
    assert_eq!(stats.timeouts, 0, "{stats:?}");
}

/// Aim: without selective acknowledgements three duplicates tell of a loss, and several losses in a window take a
/// round trip each (RFC 6582).
#[test]
fn without_selective_acknowledgements_losses_go_one_by_one() {
    let plain = Options { sack: false, ..options(Controller::Reno, false) };
    let (stats, _) = send(plain, &[150]);
    assert_eq!((stats.timeouts, stats.recoveries, stats.resent), (0, 1, 1), "{stats:?}");
    let (stats, slow) = send(plain, &[150, 153, 156, 159]);
    assert_eq!((stats.timeouts, stats.resent), (0, 4), "{stats:?}");
    let (_, fast) = send(options(Controller::Reno, false), &[150, 153, 156, 159]);
    assert!(slow > fast, "{slow} and {fast} s");
}

/// Options of a sender that goes by duplicate acknowledgements.
fn counting() -> Options {
    Options { recovery: Recovery::DupAck, ..options(Controller::Reno, false) }
}

/// Aim: RFC 6675's threshold: with three segments behind it that came, a loss is repaired without a timeout; two, or
/// one, or none, do not tell, and there is no probe for the tail.
#[test]
fn three_behind_a_hole_tell_of_a_loss_and_two_do_not() {
    let (stats, _) = send(counting(), &[397]);
    assert_eq!((stats.recoveries, stats.timeouts, stats.resent), (1, 0, 1), "{stats:?}");
    for lost in [398, 399, 400] {
        let (stats, _) = send(counting(), &[lost]);
        assert_eq!((stats.recoveries, stats.timeouts, stats.resent), (0, 1, 1), "{lost}: {stats:?}");
        assert_eq!(stats.probes, 0);
        let (probed, _) = send(options(Controller::Reno, false), &[lost]);
        assert_eq!(probed.timeouts, 0, "by time: {probed:?}");
    }
    // Several losses in a window are still repaired in one recovery.
    let (stats, _) = send(counting(), &[101, 103, 106, 110, 111, 112, 120, 131]);
    assert_eq!((stats.timeouts, stats.recoveries, stats.resent), (0, 1, 8), "{stats:?}");
}

/// Aim: a repeat that is lost waits for the timeout, where no other second loss does.
#[test]
fn by_counting_a_lost_repeat_times_out() {
    let timeouts: Vec<u64> =
        (151..390).map(|also| send(counting(), &[150, also]).0.timeouts).filter(|count| *count > 0).collect();
    assert_eq!(timeouts, [1], "one of them is the repeat");
}

/// Aim: a path that reorders, within a quarter of a round trip, costs hardly a repeat and no window: what the first
/// surprise costs is undone.
#[test]
fn reordering_is_not_loss() {
    let mut flow = FlowSpec::greedy(options(Controller::Reno, true), ms(60));
    let model = JitterModel::Uniform(ms(10));
    flow.jitter = Some(Jitter { model, reorder: true });
    let mut bell = Dumbbell::new(mbps(10), Queue { bytes: 75_000, ..WIDE }, vec![flow], Seed(3));
    bell.run(at(5.0));
    bell.mark();
    bell.run(at(60.0));
    let stats = bell.sender(0).sender().stats();
    let out_of_order = bell.receiver(0).receiver().stats().out_of_order;
    println!("{stats:?}, {out_of_order} out of order, {:.3} used", bell.utilisation());
    assert!(out_of_order > 10_000, "{out_of_order}");
    assert!(bell.utilisation() > 0.97, "{}", bell.utilisation());
    // The queue's own drops are repeated, too: some in each sawtooth.
    assert!(stats.resent < 300, "{stats:?}");
    assert_eq!(stats.timeouts, 0);
}

/// Aim: a pause of the path longer than the timeout is not taken for congestion once what was out comes after all.
#[test]
fn a_timeout_for_nothing_is_undone() {
    let mut sender = crate::tcp::Endpoint::connect(&options(Controller::Reno, false), at(0.0));
    let mut receiver = crate::tcp::Endpoint::accept(&options(Controller::Reno, false), at(0.0));
    let mut now = at(0.0);
    sender.write(now, 2_000 * 1_448);
    for _ in 0..5 {
        while let Some(segment) = sender.poll(now) {
            receiver.on_segment(now + ms(10), &segment);
        }
        now += ms(10);
        while let Some(segment) = receiver.poll(now) {
            sender.on_segment(now + ms(10), &segment);
        }
        now += ms(10);
    }
    let before = sender.sender().window().cwnd;
    let held: Vec<_> = core::iter::from_fn(|| sender.poll(now)).collect();
    assert!(held.len() > 20);
    while sender.sender().stats().timeouts == 0 {
        now = sender.deadline().expect("something is out");
        sender.on_timer(now);
        while sender.poll(now).is_some() {}
    }
    assert_eq!(sender.sender().window().cwnd, 1);
    now += Duration::from_millis(5);
    for segment in &held {
        receiver.on_segment(now, segment);
        while let Some(ack) = receiver.poll(now) {
            sender.on_segment(now, &ack);
        }
    }
    assert_eq!(sender.sender().stats().undone, 1);
    assert!(sender.sender().window().cwnd >= before, "{} of {before}", sender.sender().window().cwnd);
}
