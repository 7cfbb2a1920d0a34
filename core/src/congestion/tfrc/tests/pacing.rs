//! Pacing by credit (section 4.6).

use super::*;

/// Sends frames of `bytes` whenever they may go, each wake `late` after its time. Returns what was sent.
fn run(sender: &mut TfrcSender, from: Instant, until: Instant, bytes: u32, late: Duration) -> u64 {
    let (mut now, mut sent) = (from, 0);
    while now <= until {
        match sender.allowance(now) {
            Allowance::Now => {
                sender.on_sent(now, SentFrame { number: 0, bytes });
                sent += u64::from(bytes);
            }
            Allowance::At(wake) => {
                assert!(wake > now);
                now = wake + late;
            }
            Allowance::Blocked => panic!("TFRC never blocks"),
        }
    }
    sent
}

fn at_rate(rate: f64) -> TfrcSender {
    let mut sender = open();
    run(&mut sender, at(0), at(1), 1_000, Duration::ZERO);
    sender.set_rate(rate);
    sender
}

/// With data always waiting, exactly X: fractions of bytes and nanoseconds are kept.
#[test]
fn section_4_6_exactly_the_rate() {
    for rate in [700.7, 43_800.0, 1_234_567.89, 987_654_321.0] {
        let mut sender = at_rate(rate);
        let span = 5e6 / rate;
        let start = at(10_000);
        run(&mut sender, start, start, 1_000, Duration::ZERO);
        let sent =
            run(&mut sender, start, start + Duration::from_secs_f64(span), 1_000, Duration::ZERO) as f64;
        assert!((sent - 5e6).abs() <= 1_001.0, "{sent} of 5 MB at {rate}");
    }
}

/// Timers that are 200 us late cost no rate, at any rate.
#[test]
fn section_4_6_late_timers() {
    for rate in [7_000.0, 43_800.0, 1_234_567.89, 50e6] {
        let mut sender = at_rate(rate);
        let start = at(10_000);
        run(&mut sender, start, start, 1_000, Duration::ZERO);
        let until = start + Duration::from_secs_f64(5e6 / rate);
        let sent = run(&mut sender, start, until, 1_000, Duration::from_micros(200)) as f64;
        assert!((sent - 5e6).abs() <= 1_001.0 + rate * 200e-6, "{sent} of 5 MB at {rate}");
    }
}

/// After any pause no more goes at once than min(R, credit_max) X, or one frame.
#[test]
fn section_4_6_bursts() {
    for (credit_ms, rate, most) in [
        (10, 1e6, 10_000),
        (10, 43_800.0, 1_000),
        (10, 150e3, 1_000),
        // One round trip at most, which is 100 ms.
        (1_000, 1e6, 100_000),
        (1_000, 12_000.0, 1_000),
        (0, 1e6, 1_000),
    ] {
        let mut sender =
            open_with(CongestionConfig { credit_max: Duration::from_millis(credit_ms), ..config() });
        sender.set_rate(rate);
        for pause in [1, 50, 1_000, 100_000] {
            let now = sender.credit_until() + Duration::from_millis(pause);
            let sent = run(&mut sender, now, now, 1_000, Duration::ZERO);
            assert!(sent <= most, "{sent} after {pause} ms with {credit_ms} ms at {rate}");
            assert!(pause < 1_000 || sent == most, "{sent} of {most}");
        }
    }
}

impl TfrcSender {
    /// When a frame could go next.
    fn credit_until(&mut self) -> Instant {
        self.wait_until.unwrap_or(at(0))
    }
}

/// A change of the rate counts from when it came: credit is not counted anew.
#[test]
fn section_4_6_credit_survives_reports() {
    let mut sender = open();
    let Allowance::At(first) = sender.allowance(at(0)) else { panic!("one frame was sent") };
    // Half of the wait at the old rate, the rest at twice of it.
    exhaust(&mut sender, at(0));
    sender.doubled_at = Instant::ZERO;
    let half = at(0) + Duration::from_nanos((first - at(0)).as_nanos() / 2);
    let feedback = Feedback {
        echo_us: (half.as_nanos() / 1_000) as u32 - 100_000,
        held_us: 0,
        received_bytes_per_s: 0,
        loss_event_rate: 0.0,
        highest: 0,
        frames: 1,
        bytes: 0,
        lost: 0,
    };
    sender.on_feedback(half, &feedback);
    near(sender.rate, 2.0 * INITIAL);
    let Allowance::At(second) = sender.allowance(half) else { panic!("half of a frame is missing") };
    let quarter = (first - at(0)).as_nanos() / 4;
    assert!((second - half).as_nanos().abs_diff(quarter) <= 2);
}

/// The mean frame size takes a tenth of each frame in.
#[test]
fn section_4_1_segment_size() {
    let mut sender = open();
    near(sender.segment, 1_000.0);
    sender.on_sent(at(1), SentFrame { number: 1, bytes: 500 });
    near(sender.segment, 950.0);
    near(sender.segment_max, SEGMENT_NOMINAL);
    sender.on_sent(at(1), SentFrame { number: 2, bytes: 8_960 });
    near(sender.segment_max, 8_960.0);
}
