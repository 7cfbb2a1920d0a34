//! Start-up (section 4.2).

use super::*;

/// Without a round trip: one frame a second, and a timer of two.
#[test]
fn section_4_2_without_a_round_trip() {
    let mut sender = TfrcSender::new(config(), Instant::ZERO);
    sender.on_open(at(0), None);
    assert_eq!(sender.rtt(), None);
    assert_eq!(sender.deadline(), None, "nothing waits, so nothing can be missed");
    send(&mut sender, at(0));
    assert_eq!(sender.deadline(), Some(at(2_000)));
    assert_eq!(sender.allowance(at(1)), Allowance::At(at(1_000)));
    near(sender.rate, SEGMENT);
}

/// The first sample, of a report, makes the rate W_init / R; it stands for step 4, so that nothing doubles.
#[test]
fn section_4_2_first_sample_of_a_report() {
    let mut sender = TfrcSender::new(config(), Instant::ZERO);
    sender.on_open(at(0), None);
    send(&mut sender, at(0));
    report(&mut sender, at(RTT_MS), RTT_MS, 0, 0.0);
    near(sender.rate, INITIAL);
    assert_eq!(sender.rtt(), Some(Duration::from_millis(RTT_MS)));
    assert_eq!(sender.doubled_at, at(RTT_MS));
    assert_eq!(sender.deadline(), Some(at(500)));
    assert!(!sender.figures().is_data_limited, "a first report with nothing received says nothing");
    // No bound from what was received, for two round trips.
    report(&mut sender, at(2 * RTT_MS), RTT_MS, 10, 0.0);
    assert!(sender.rate < INITIAL * 1.001, "limited by data, as nothing was exhausted");
}

/// The hello's round trip counts as the first sample.
#[test]
fn section_4_2_the_hello_counts() {
    let sender = open();
    near(sender.rate, INITIAL);
    assert_eq!(sender.rate().as_bps(), 350_400);
    assert_eq!(sender.deadline(), Some(at(400)));
}

/// W_init = min(4 MSS, max(2 MSS, 4380)).
#[test]
fn section_4_2_initial_window() {
    for (segment, window) in
        [(536, 2_144), (1_000, 4_000), (1_200, 4_380), (1_460, 4_380), (2_190, 4_380), (8_960, 17_920)]
    {
        near(initial_window(f64::from(segment)), f64::from(window));
    }
}

/// A new connection knows nothing of the one before.
#[test]
fn a_new_connection_starts_over() {
    let mut sender = open();
    for i in 1..20 {
        exhaust(&mut sender, at(i * 100 - 50));
        report(&mut sender, at(i * 100), 250, 1_000_000, 0.0);
    }
    assert!(sender.rate > 2.0 * INITIAL);
    sender.on_open(at(5_000), None);
    near(sender.rate, SEGMENT_NOMINAL);
    assert_eq!((sender.rtt(), sender.deadline()), (None, None));
    assert_eq!(sender.figures().lost_frames, 0);
    // Hellos that say nonsense count as none.
    for rtt in [Duration::ZERO, Duration::from_secs(65)] {
        sender.on_open(at(6_000), Some(rtt));
        assert_eq!(sender.rtt(), None);
    }
}
