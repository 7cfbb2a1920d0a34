//! A test for each rule of the receiver, named after RFC 5348's section.

use super::*;
use std::collections::BTreeSet;

fn at(ms: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(10_000 + ms)
}

fn frame(number: u64) -> FrameArrival {
    FrameArrival { number, bytes: 1_000, timestamp_us: number as u32, rtt_us: 100_000, carries_packet: true }
}

fn receiver() -> Receiver {
    Receiver::new(CongestionConfig::default())
}

/// Takes frames in, one each 10 ms from `ms` on. Returns the last report that became due.
fn take(receiver: &mut Receiver, ms: u64, numbers: impl IntoIterator<Item = u64>) -> Option<Feedback> {
    let mut report = None;
    for (i, number) in numbers.into_iter().enumerate() {
        let now = at(ms + 10 * i as u64);
        receiver.on_timeout(now);
        receiver.on_frame(now, frame(number));
        report = receiver.poll_feedback(now).or(report);
    }
    report
}

/// A frame is lost once three later ones have arrived, whatever their numbers: not by distance.
#[test]
fn section_5_1_three_later_arrivals() {
    for (numbers, lost) in [
        (vec![0, 1, 2, 4, 5], 0),
        (vec![0, 1, 2, 4, 5, 6], 1),
        // A burst of four, and a jump: the distance is large, the arrivals are few.
        (vec![0, 1, 2, 7, 8], 0),
        (vec![0, 1, 2, 7, 8, 9], 4),
        (vec![0, 1, 2, 1_000_000], 0),
        (vec![0, 1, 2, 4, 4, 4, 4], 0),
        // Later arrivals out of order.
        (vec![0, 1, 2, 6, 5, 4], 1),
        (vec![0, 3, 2, 1, 4], 0),
    ] {
        let mut receiver = receiver();
        take(&mut receiver, 0, numbers.iter().copied());
        assert_eq!(receiver.losses.lost(), lost, "{numbers:?}");
    }
}

/// A frame that comes late after all takes its loss back, and with it the event.
#[test]
fn section_5_1_a_late_frame_fills_the_hole() {
    let mut receiver = receiver();
    take(&mut receiver, 0, (0..50).chain(51..55));
    assert_eq!(receiver.losses.lost(), 1);
    let with_loss = receiver.losses.loss_event_rate();
    assert!(with_loss > 0.0);
    take(&mut receiver, 600, [50]);
    assert_eq!((receiver.losses.lost(), receiver.losses.loss_event_rate()), (0, 0.0));
    assert_eq!(receiver.frames, 55);
    // In the middle of a burst: the rest of it still is an event, from its first loss on.
    take(&mut receiver, 700, 60..70);
    assert_eq!(receiver.losses.lost(), 5);
    take(&mut receiver, 800, [57, 55, 59]);
    assert_eq!(receiver.losses.lost(), 2);
    assert!(receiver.losses.loss_event_rate() > 0.0);
    take(&mut receiver, 900, [56, 58]);
    assert_eq!((receiver.losses.lost(), receiver.losses.loss_event_rate()), (0, 0.0));
    // And never twice.
    take(&mut receiver, 950, [56, 58, 3]);
    assert_eq!((receiver.losses.lost(), receiver.frames), (0, 70));
}

/// `T_loss` lies on the line between the neighbours that arrived.
#[test]
fn section_5_2_interpolated_times() {
    let gap = events::Gap {
        first: 11,
        last: 19,
        before: (10, at(0)),
        after: (20, at(100)),
        rtt: Duration::from_millis(40),
    };
    assert_eq!(gap.time_of(11), at(10));
    assert_eq!(gap.time_of(15), at(50));
    // Events at 11 (10 ms), then later than 50 ms: 16, then later than 100 ms: none.
    let mut events = events::Events::new(false);
    assert!(events.on_gap(&gap, 7.0));
    assert_eq!(events.loss_event_rate(20), 1.0 / 6.0, "intervals of 7 and 5, and 16 to 20 open");
}

/// Losses within a round trip of the one that began an event belong to it; exactly one round trip is not later.
#[test]
fn section_5_2_losses_within_a_round_trip_are_one_event() {
    let rate = |lost: &[u64]| {
        let mut receiver = receiver();
        for number in (0..130).filter(|number| !lost.contains(number)) {
            receiver.on_frame(at(10 * number), frame(number));
        }
        assert_eq!(receiver.losses.lost(), lost.len() as u64);
        receiver.losses.loss_event_rate()
    };
    let one = rate(&[100]);
    for (second, is_one) in [(105, true), (110, true), (111, false)] {
        assert_eq!(rate(&[100, second]) == one, is_one, "second loss at {second}");
    }
    // What counts is the start of the event, not its last loss.
    assert!(rate(&[100, 108, 112]) > one);
}

/// An outage of any length costs a bounded number of steps, and leaves intervals of one round trip.
#[test]
fn section_5_2_long_outages() {
    for lost in [1_000, 1_000_000_000, u64::MAX / 4] {
        let gap = events::Gap {
            first: 101,
            last: 100 + lost,
            before: (100, at(0)),
            after: (101 + lost, at(0) + Duration::from_secs(100)),
            rtt: Duration::from_secs(1),
        };
        let mut events = events::Events::new(true);
        events.on_gap(&gap, 50.0);
        let rate = events.loss_event_rate(101 + lost);
        let expected = 100.0 / lost as f64;
        assert!((rate / expected - 1.0).abs() < 0.15, "{rate}, not {expected}");
    }
    let mut receiver = receiver();
    take(&mut receiver, 0, [0, 1, 2, u64::MAX - 2, u64::MAX - 1, u64::MAX, 5]);
    assert_eq!(receiver.losses.lost(), u64::MAX - 6);
}

/// The history forgets gaps beyond its bound, the events stay.
#[test]
fn gaps_are_bounded() {
    let mut receiver = receiver();
    take(&mut receiver, 0, (0..4_000).map(|i| i * 2));
    let before = receiver.losses.loss_event_rate();
    // Every second frame is lost, in intervals of one round trip: 22 frames.
    assert!((before - 1.0 / 22.0).abs() < 2e-3, "{before}");
    take(&mut receiver, 50_000, [1, 3, 5]);
    assert_eq!(receiver.frames, 4_000, "too long ago");
    let lost = receiver.losses.lost();
    // The oldest of those that are left, and one that splits nothing.
    take(&mut receiver, 50_100, [7_993, 7_995 - 256 + 2]);
    assert_eq!(receiver.losses.lost(), lost - 2);
    assert!((receiver.losses.loss_event_rate() - before).abs() < 0.01);
}

/// Losses against a model that keeps every number, over orders that are mixed within a window.
#[test]
fn losses_agree_with_a_model_that_remembers_all() {
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..200 {
        let mut receiver = receiver();
        let mut numbers: Vec<u64> = (0..60).filter(|_| draw(5) > 0).collect();
        for i in 0..numbers.len() {
            let other = (i + draw(6) as usize).min(numbers.len() - 1);
            numbers.swap(i, other);
        }
        let mut seen = BTreeSet::new();
        // The lowest of the first three is where it begins.
        let mut start = None;
        for (i, number) in numbers.into_iter().enumerate() {
            receiver.on_frame(at(i as u64), frame(number));
            seen.insert(number);
            let Some(third) = seen.iter().rev().nth(2).copied() else { continue };
            let start = *start.get_or_insert(third);
            let lost = (start..third).filter(|number| !seen.contains(number)).count() as u64;
            assert_eq!(receiver.losses.lost(), lost);
            assert_eq!(receiver.losses.highest(), seen.last().copied());
        }
    }
}

/// The interval before the first event makes the equation allow the highest receive rate.
#[test]
fn section_6_3_1_first_interval() {
    let mut receiver = receiver();
    // 100 frames a second: 10 in a round trip.
    take(&mut receiver, 0, (0..100).chain(101..105));
    let p = equation::loss_event_rate(100_000.0 * 0.1 / 1_000.0);
    assert!((receiver.losses.loss_event_rate() - p).abs() < 1e-12);
    assert!((equation::rate(1_000.0, 0.1, p) / 100_000.0 - 1.0).abs() < 1e-9);
}

/// A lost first frame: half a frame in a round trip, whatever came since. Without knowing the first, there is no loss.
#[test]
fn section_6_3_1_the_very_first_frame() {
    let mut receiver = receiver();
    receiver.starts_at(7);
    take(&mut receiver, 0, 8..11);
    assert_eq!(receiver.losses.lost(), 1);
    assert!((1.0 / receiver.losses.loss_event_rate() - 4.84).abs() < 5e-3);
    for known in [false, true] {
        let mut receiver = self::receiver();
        if known {
            receiver.starts_at(8);
        }
        take(&mut receiver, 0, 8..11);
        assert_eq!(receiver.losses.lost(), 0);
    }
}

/// The first frame is reported at once, with nothing received and nothing lost; then the timer runs for R.
#[test]
fn section_6_1_first_frame() {
    let mut receiver = receiver();
    assert_eq!((receiver.deadline(), receiver.has_feedback()), (None, false));
    receiver.on_frame(at(0), frame(5));
    assert_eq!(receiver.deadline(), Some(at(100)));
    let report = receiver.poll_feedback(at(3)).unwrap();
    assert_eq!(
        report,
        Feedback {
            echo_us: 5,
            held_us: 3_000,
            received_bytes_per_s: 0,
            loss_event_rate: 0.0,
            highest: 5,
            frames: 1,
            bytes: 1_000,
            lost: 0
        }
    );
    assert_eq!(receiver.poll_feedback(at(3)), None);
}

/// Frames without a round trip are reported one by one, until one has it.
#[test]
fn section_6_1_without_a_round_trip() {
    let mut receiver = receiver();
    for number in 0..4 {
        receiver.on_frame(at(number * 1_000), FrameArrival { rtt_us: 0, ..frame(number) });
        assert!(receiver.poll_feedback(at(number * 1_000)).is_some());
        assert_eq!(receiver.deadline(), None);
    }
    receiver.on_frame(at(4_000), frame(4));
    assert!(receiver.poll_feedback(at(4_000)).is_some());
    assert_eq!(receiver.deadline(), Some(at(4_100)));
    receiver.on_frame(at(4_010), frame(5));
    assert!(!receiver.has_feedback());
}

/// At the timer: the rate of the last round trip, and the next timer by the R of the highest frame.
#[test]
fn section_6_2_expiry() {
    let mut receiver = receiver();
    take(&mut receiver, 0, 0..10);
    receiver.on_frame(at(99), FrameArrival { rtt_us: 80_000, ..frame(10) });
    receiver.on_timeout(at(100));
    assert_eq!(receiver.deadline(), Some(at(180)));
    let report = receiver.poll_feedback(at(100)).unwrap();
    assert_eq!((report.received_bytes_per_s, report.frames, report.held_us), (100_000, 11, 1_000));
    // A frame that was overtaken does not take R back, nor the echo.
    receiver.on_frame(at(110), FrameArrival { rtt_us: 80_000, ..frame(12) });
    receiver.on_frame(at(120), FrameArrival { rtt_us: 500_000, ..frame(11) });
    receiver.on_timeout(at(180));
    assert_eq!(receiver.deadline(), Some(at(260)));
    assert_eq!(receiver.poll_feedback(at(180)).unwrap().echo_us, 12);
}

/// Without news there is no report; the next frame is reported at once. Nothing runs meanwhile.
#[test]
fn section_6_2_expiry_without_news() {
    let mut receiver = receiver();
    take(&mut receiver, 0, [0]);
    receiver.on_timeout(at(99));
    assert_eq!(receiver.deadline(), Some(at(100)), "early calls do nothing");
    receiver.on_timeout(at(100));
    assert_eq!((receiver.deadline(), receiver.has_feedback()), (None, false));
    for ms in [130, 100_000, 100_250] {
        receiver.on_frame(at(ms), frame(ms));
        let report = receiver.poll_feedback(at(ms)).expect("reported at once");
        // Less than a frame in a round trip counts as one (section 6.2).
        assert_eq!(report.received_bytes_per_s, 10_000, "at {ms}");
        assert_eq!(receiver.deadline(), Some(at(ms + 100)));
        receiver.on_timeout(at(ms + 100));
    }
}

/// A new event is reported at once, and its receive rate is still taken over a round trip.
#[test]
fn section_6_1_a_new_loss_event_is_reported_at_once() {
    let mut receiver = receiver();
    take(&mut receiver, 0, 0..31);
    receiver.on_timeout(at(300));
    assert!(receiver.poll_feedback(at(300)).is_none(), "frame 30 came with the timer");
    for (ms, number) in [(310, 31), (315, 33), (320, 34)] {
        receiver.on_frame(at(ms), frame(number));
        assert!(!receiver.has_feedback());
    }
    receiver.on_frame(at(325), frame(35));
    let report = receiver.poll_feedback(at(325)).expect("at once");
    assert!(report.loss_event_rate > 0.0 && report.lost == 1);
    // Since 200 ms: 15 frames in 125 ms, not 4 in 25 ms.
    assert_eq!(report.received_bytes_per_s, 120_000);
    assert_eq!(receiver.deadline(), Some(at(425)));
    // A loss of the same event does not.
    for (ms, number) in [(330, 37), (332, 38), (334, 39)] {
        receiver.on_frame(at(ms), frame(number));
    }
    assert_eq!(receiver.losses.lost(), 2);
    assert!(!receiver.has_feedback());
}

/// A loss that turns out to be none is told at once, too.
#[test]
fn section_5_1_an_event_that_is_taken_back_is_reported_at_once() {
    let mut receiver = receiver();
    take(&mut receiver, 0, (0..31).chain(32..35));
    assert!(receiver.losses.loss_event_rate() > 0.0 && receiver.reported_loss > 0.0);
    receiver.on_frame(at(345), frame(31));
    let report = receiver.poll_feedback(at(345)).expect("at once");
    assert_eq!((report.loss_event_rate, report.lost, report.frames), (0.0, 0, 35));
}

/// k reports in a round trip, each with the rate of a whole one.
#[test]
fn section_6_2_more_reports_in_a_round_trip() {
    let mut receiver =
        Receiver::new(CongestionConfig { feedbacks_per_rtt: 4, ..CongestionConfig::default() });
    let mut reports = Vec::new();
    for ms in 0..1_000 {
        receiver.on_frame(at(ms), frame(ms));
        receiver.on_timeout(at(ms));
        reports.extend(receiver.poll_feedback(at(ms)));
    }
    assert_eq!(reports.len(), 40);
    assert!(reports[5..].iter().all(|report| report.received_bytes_per_s == 1_000_000));
}

/// Frames that carry no packets are counted, and bring no report about, not even by a loss.
#[test]
fn reports_are_not_reported() {
    let mut receiver = receiver();
    let bare = |number| FrameArrival { carries_packet: false, ..frame(number) };
    for number in [0, 1, 3, 4, 5, 6] {
        receiver.on_frame(at(number * 10), bare(number));
    }
    assert_eq!((receiver.deadline(), receiver.has_feedback(), receiver.losses.lost()), (None, false, 1));
    receiver.on_frame(at(70), frame(7));
    let report = receiver.poll_feedback(at(70)).unwrap();
    assert_eq!((report.frames, report.lost, report.bytes), (7, 1, 7_000));
    receiver.on_frame(at(80), bare(8));
    receiver.on_timeout(at(170));
    assert!(!receiver.has_feedback());
}

/// A new connection starts with nothing.
#[test]
fn a_reset_forgets() {
    let mut receiver = receiver();
    take(&mut receiver, 0, [0, 1, 2, 4, 5, 6, 8, 9, 10]);
    receiver.reset();
    assert_eq!(
        (receiver.deadline(), receiver.has_feedback(), receiver.losses.highest()),
        (None, false, None)
    );
    let report = take(&mut receiver, 1_000, [0]).unwrap();
    assert_eq!((report.frames, report.lost, report.loss_event_rate), (1, 0, 0.0));
}
