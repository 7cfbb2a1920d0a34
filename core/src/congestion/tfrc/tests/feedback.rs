//! What a report does (sections 4.3 and 4.5).

use super::*;

/// R = 0.9 R + 0.1 sample, held time taken off.
#[test]
fn section_4_3_step_2_round_trip() {
    let mut sender = open();
    report(&mut sender, at(200), 200, 0, 0.0);
    assert_eq!(sender.rtt(), Some(Duration::from_millis(110)));
    let feedback = Feedback {
        frames: 2,
        held_us: 150_000,
        echo_us: (at(100).as_nanos() / 1_000) as u32,
        ..sender.last.unwrap()
    };
    sender.on_feedback(at(350), &feedback);
    near(sender.path.unwrap().rtt, 0.109);
}

/// A peer that began to count anew, because it took an old hello for another connection, is heard at once; a report
/// that was overtaken is not.
#[test]
fn reports_are_in_order_of_frame_numbers() {
    let mut sender = open();
    report(&mut sender, at(200), 100, 1_000, 0.0);
    let known = Feedback { highest: 50_000, frames: 50_001, ..sender.last.unwrap() };
    sender.on_feedback(at(300), &known);
    sender.on_feedback(at(310), &Feedback { highest: 49_999, frames: 50_000, ..known });
    assert_eq!(sender.last, Some(known), "overtaken");
    let anew = Feedback { highest: 50_010, frames: 3, ..known };
    sender.on_feedback(at(400), &anew);
    assert_eq!(sender.last, Some(anew));
}

/// Timestamps run over: the sample is modulo 2^32.
#[test]
fn section_4_3_step_1_timestamps_wrap() {
    let start = Instant::from_nanos((1_u64 << 32) * 1_000 - 1_000);
    let mut sender = TfrcSender::new(config(), start);
    sender.on_open(start, None);
    send(&mut sender, start);
    report(&mut sender, start + Duration::from_millis(70), 70, 0, 0.0);
    assert_eq!(sender.rtt(), Some(Duration::from_millis(70)));
}

/// Samples that cannot be are no samples: none at all, negative ones, and over 64 s.
#[test]
fn impossible_samples_are_ignored() {
    for (rtt_ms, held_us) in [(0, 0), (100, 100_000), (100, 100_001), (100, u32::MAX), (64_001, 0)] {
        let mut sender = open();
        let now = at(60_000 + rtt_ms);
        let feedback = Feedback {
            echo_us: (at(60_000).as_nanos() / 1_000) as u32,
            held_us,
            received_bytes_per_s: 0,
            loss_event_rate: 0.0,
            highest: 0,
            frames: 1,
            bytes: 0,
            lost: 0,
        };
        sender.on_feedback(now, &feedback);
        assert_eq!(sender.rtt(), Some(Duration::from_millis(RTT_MS)), "{rtt_ms} ms held {held_us} us");
    }
}

/// The timer is max(4 R, 2 s / X), and never under the floor.
#[test]
fn section_4_3_step_3_timeout() {
    let mut sender = open();
    report(&mut sender, at(100), 100, 0, 0.0);
    assert_eq!(sender.deadline(), Some(at(500)));
    // 0.48 kbit/s at p = 1 and 1,460 bytes: two frames take 48.7 s.
    report(&mut sender, at(200), 100, 1_000, 1.0);
    near(sender.rate, SEGMENT / (0.1 * equation::round_trips_per_segment(1.0)));
    assert_eq!(sender.deadline(), Some(at(200) + Duration::from_secs_f64(2.0 * SEGMENT / sender.rate)));
    let mut lan = TfrcSender::new(config(), Instant::ZERO);
    lan.on_open(at(0), Some(Duration::from_micros(50)));
    send(&mut lan, at(0));
    assert_eq!(lan.deadline(), Some(at(20)));
}

/// The rate follows the equation while what was received allows it.
#[test]
fn section_4_3_step_4_equation() {
    let mut sender = open();
    exhaust(&mut sender, at(50));
    report(&mut sender, at(100), 50, 200_000, 0.01);
    let path = sender.path.unwrap();
    near(sender.rate, equation::rate(SEGMENT, path.rtt, 0.01));
    near(sender.figures().loss_event_rate, 0.01);
}

/// At most twice the largest receive rate of two round trips.
#[test]
fn section_4_3_step_4_receive_limit() {
    let mut sender = open();
    for (ms, received) in [(100, 20_000), (200, 30_000), (300, 25_000)] {
        exhaust(&mut sender, at(ms - 100));
        report(&mut sender, at(ms), 100, received, 1e-4);
        assert!(!sender.figures().is_data_limited, "at {ms}");
    }
    near(sender.rate, 60_000.0);
}

/// s / t_mbi is the least.
#[test]
fn section_4_3_step_4_least_rate() {
    let mut sender = open();
    exhaust(&mut sender, at(0));
    for i in 1..60 {
        exhaust(&mut sender, at(i * 100));
        report(&mut sender, at(i * 100), 100, 0, 1.0);
    }
    near(sender.rate, SEGMENT / 64.0);
}

/// Slow start doubles once in a round trip, however many reports come.
#[test]
fn section_4_3_step_4_slow_start() {
    let mut sender = open();
    let mut expected = INITIAL;
    for i in 1..=5 {
        exhaust(&mut sender, at(i * 100 - 100));
        report(&mut sender, at(i * 100), 100, 10_000_000, 0.0);
        expected *= 2.0;
        near(sender.rate, expected);
        report(&mut sender, at(i * 100 + 40), 100, 10_000_000, 0.0);
        near(sender.rate, expected);
    }
}

/// Where trains have measured the path, slow start stops at that, less the headers below frames, and losses alone decide
/// from then on; a new connection knows it still.
#[test]
fn slow_start_ends_at_the_rate_of_the_path() {
    let mut sender = open();
    sender.on_path_rate(5.0 * INITIAL);
    for i in 1..=6 {
        exhaust(&mut sender, at(i * 100 - 100));
        report(&mut sender, at(i * 100), 100, 10_000_000, 0.0);
    }
    near(sender.rate, 5.0 * INITIAL * sender.segment / (sender.segment + 28.0));
    report(&mut sender, at(700), 100, 10_000_000, 1e-6);
    assert!(sender.rate > 10.0 * INITIAL, "the equation allows more: {}", sender.rate);
    sender.on_open(at(800), None);
    assert!((sender.path_rate - 5.0 * INITIAL).abs() < 1e-9);
}

/// Slow start stops at twice what was received, and does not go below the initial rate.
#[test]
fn section_4_3_step_4_slow_start_is_bounded() {
    let mut sender = open();
    for i in 1..=6 {
        exhaust(&mut sender, at(i * 100 - 100));
        report(&mut sender, at(i * 100), 100, if i < 4 { 50_000 } else { 1_000 }, 0.0);
        match i {
            3 => near(sender.rate, 100_000.0),
            6 => near(sender.rate, INITIAL),
            _ => {}
        }
    }
}

/// A data-limited sender with losses, and 90 kB/s received.
fn data_limited() -> TfrcSender {
    let mut sender = open();
    exhaust(&mut sender, at(0));
    for ms in [100, 200] {
        report(&mut sender, at(ms), 100, 90_000, 1e-4);
    }
    assert!(sender.figures().is_data_limited);
    near(sender.rate, 180_000.0);
    sender
}

/// Data-limited without losses: the largest receive rate stays the bound, however little is sent now.
#[test]
fn section_4_3_data_limited_keeps_the_maximum() {
    let mut sender = data_limited();
    for i in 3..50 {
        report(&mut sender, at(i * 100), 100, 1_000, 1e-4);
    }
    near(sender.rate, 180_000.0);
}

/// Data-limited with a new loss: half of what was kept, or 0.85 of what is received now, and no factor of two.
#[test]
fn section_4_3_data_limited_with_a_loss() {
    for (received, limit) in [(1_000, 45_000.0), (80_000, 68_000.0)] {
        let mut sender = data_limited();
        report(&mut sender, at(300), 100, received, 2e-4);
        near(sender.rate, limit);
    }
}

/// A loss is a new event also where the loss event rate did not rise; but not twice in a round trip.
#[test]
fn section_4_3_new_losses_without_a_higher_rate() {
    let mut sender = data_limited();
    let mut feedback = sender.last.unwrap();
    let mut lose = |ms: u64, kept: f64| {
        feedback.frames += 1;
        feedback.lost += 1;
        feedback.echo_us = (at(ms - 100).as_nanos() / 1_000) as u32;
        feedback.received_bytes_per_s = 1_000;
        sender.on_feedback(at(ms), &feedback);
        near(sender.receive_set.max(), kept);
    };
    lose(400, 45_000.0);
    lose(450, 45_000.0);
    lose(501, 22_500.0);
}

/// Reports that were overtaken, and copies, change nothing.
#[test]
fn old_reports_are_ignored() {
    let mut sender = open();
    report(&mut sender, at(100), 100, 20_000, 1e-3);
    let (rate, deadline) = (sender.rate, sender.deadline());
    let last = sender.last.unwrap();
    for frames in [0, last.frames] {
        sender.on_feedback(at(200), &Feedback { frames, loss_event_rate: 1.0, ..last });
    }
    assert_eq!((sender.rate, sender.deadline()), (rate, deadline));
}

/// A round trip that doubles takes the rate to 0.7; one that shrinks does not raise it.
#[test]
fn section_4_5_damping() {
    let mut sender = open();
    let reports = |sender: &mut TfrcSender, from: u64, rtt_ms: u64| {
        exhaust(sender, at(from).saturating_sub(Duration::from_millis(rtt_ms)));
        report(sender, at(from), rtt_ms, 1_000_000, 0.01);
        sender.rate_inst / sender.rate
    };
    for i in 1..100 {
        near(reports(&mut sender, i * 100, 100), 1.0);
    }
    let factor = reports(&mut sender, 10_100, 200);
    // The mean has taken a tenth of the new one in.
    near(factor, (0.9 + 0.1 * libm::sqrt(2.0)) / libm::sqrt(2.0));
    assert!((factor - 0.7).abs() < 0.04);
    near(reports(&mut sender, 10_400, 50), 1.0);
}

/// Neither in slow start nor where it is switched off.
#[test]
fn section_4_5_no_damping() {
    for (damping, loss) in [(true, 0.0), (false, 0.01)] {
        let mut sender = open_with(CongestionConfig { damping, ..config() });
        report(&mut sender, at(100), 100, 100_000, loss);
        report(&mut sender, at(400), 300, 100_000, loss);
        near(sender.rate_inst, sender.rate);
    }
}
