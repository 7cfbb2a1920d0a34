//! A test for each rule of the sender, named after RFC 5348's section.

mod closed_loop;
mod feedback;
mod pacing;
mod random;
mod start;
mod timeout;

use super::*;

const RTT_MS: u64 = 100;
const SEGMENT: f64 = 1_000.0;
const INITIAL: f64 = 43_800.0;

/// Milliseconds after the hop opened.
fn at(ms: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(10_000 + ms)
}

fn config() -> CongestionConfig {
    CongestionConfig::default()
}

/// A sender that opened at 0 with a round trip of 100 ms, and sent one frame of 1,000 bytes.
fn open() -> TfrcSender {
    open_with(config())
}

fn open_with(config: CongestionConfig) -> TfrcSender {
    let mut sender = TfrcSender::new(config, Instant::ZERO);
    sender.on_open(at(0), Some(Duration::from_millis(RTT_MS)));
    send(&mut sender, at(0));
    sender
}

fn send(sender: &mut TfrcSender, now: Instant) {
    assert_eq!(sender.allowance(now), Allowance::Now);
    sender.on_sent(now, SentFrame { number: 0, bytes: SEGMENT as u32 });
}

/// Notes that the sender had sent all that it was allowed to.
fn exhaust(sender: &mut TfrcSender, now: Instant) {
    sender.limited.on_not_limited(micros_of(now));
}

/// Gives the sender a report at `now` of a frame that was sent `rtt_ms` ago.
fn report(sender: &mut TfrcSender, now: Instant, rtt_ms: u64, received: u64, loss: f64) {
    let last = sender.last;
    let sent = now.saturating_sub(Duration::from_millis(rtt_ms));
    let lost = last.map_or(0, |last| last.lost) + u64::from(loss > sender.loss_event_rate);
    sender.on_feedback(
        now,
        &Feedback {
            echo_us: (sent.as_nanos() / 1_000) as u32,
            held_us: 0,
            received_bytes_per_s: received,
            loss_event_rate: loss,
            highest: 0,
            frames: last.map_or(1, |last| last.frames + 1),
            bytes: 0,
            lost,
        },
    );
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() <= 1e-9 * expected.abs(), "{value} is not {expected}");
}
