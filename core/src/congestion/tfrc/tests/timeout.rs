//! The nofeedback timer (section 4.4).

use super::*;

/// Notes that data waits, as a hop does that asks.
fn busy(sender: &mut TfrcSender) {
    let at = sender.credit_time();
    let _ = sender.allowance(at);
}

impl TfrcSender {
    fn credit_time(&self) -> Instant {
        self.timer.map_or(at(0), |timer| timer.saturating_sub(Duration::from_millis(1)))
    }
}

fn expire(sender: &mut TfrcSender) {
    let deadline = sender.deadline().expect("the timer runs");
    sender.on_timeout(deadline.saturating_sub(Duration::from_nanos(1)));
    assert_eq!(sender.deadline(), Some(deadline), "early calls do nothing");
    sender.on_timeout(deadline);
}

/// A sender in equilibrium at p and a receive rate.
fn with_loss(loss: f64, received: u64) -> TfrcSender {
    let mut sender = open();
    for i in 1..6 {
        exhaust(&mut sender, at(i * 100 - 100));
        report(&mut sender, at(i * 100), 100, received, loss);
    }
    sender
}

/// No round trip, no report, data: the rate halves, and the timer with it.
#[test]
fn section_4_4_without_a_round_trip() {
    let mut sender = TfrcSender::new(config(), Instant::ZERO);
    sender.on_open(at(0), None);
    send(&mut sender, at(0));
    expire(&mut sender);
    near(sender.rate, SEGMENT / 2.0);
    assert_eq!(sender.deadline(), Some(at(6_000)));
    for _ in 0..20 {
        busy(&mut sender);
        expire(&mut sender);
    }
    near(sender.rate, SEGMENT / 64.0);
    assert_eq!(sender.figures().timeouts, 21);
    // Idle since: nothing changes, and nothing needs a timer.
    expire(&mut sender);
    near(sender.rate, SEGMENT / 64.0);
    assert_eq!(sender.deadline(), None);
}

/// Idle in slow start below twice the recover rate: nothing changes.
#[test]
fn section_4_4_idle_in_slow_start() {
    let mut sender = open();
    report(&mut sender, at(100), 100, 10_000, 0.0);
    near(sender.rate, INITIAL);
    expire(&mut sender);
    near(sender.rate, INITIAL);
    assert_eq!((sender.deadline(), sender.figures().timeouts), (None, 0));
    // The next packet starts it anew.
    send(&mut sender, at(60_000));
    assert_eq!(sender.deadline(), Some(at(60_400)));
}

/// Idle in slow start above it: the rate halves until it is below.
#[test]
fn section_4_4_idle_and_fast_in_slow_start() {
    let mut sender = open();
    for i in 1..=4 {
        exhaust(&mut sender, at(i * 100 - 100));
        report(&mut sender, at(i * 100), 100, 10_000_000, 0.0);
    }
    near(sender.rate, 16.0 * INITIAL);
    let mut rates = Vec::new();
    while sender.deadline().is_some() {
        expire(&mut sender);
        rates.push(sender.rate / INITIAL);
    }
    assert_eq!(rates, [8.0, 4.0, 2.0, 1.0, 1.0]);
}

/// Idle with losses and a receive rate below the recover rate: nothing changes.
#[test]
fn section_4_4_idle_with_losses() {
    let mut sender = with_loss(0.01, 30_000);
    let rate = sender.rate;
    expire(&mut sender);
    near(sender.rate, rate);
    assert_eq!(sender.deadline(), None);
}

/// Idle with losses and a receive rate above it: limits apply until it is below.
#[test]
fn section_4_4_idle_and_fast_with_losses() {
    let mut sender = with_loss(0.001, 100_000);
    let rate = sender.rate;
    expire(&mut sender);
    assert!(sender.rate < rate);
    while sender.deadline().is_some() {
        expire(&mut sender);
    }
    assert!(sender.receive_set.max() < INITIAL && sender.receive_set.max() > INITIAL / 4.0);
}

/// Busy in slow start: the rate halves, down to one frame in 64 s.
#[test]
fn section_4_4_busy_in_slow_start() {
    let mut sender = open();
    expire(&mut sender);
    near(sender.rate, INITIAL / 2.0);
    for _ in 0..30 {
        busy(&mut sender);
        expire(&mut sender);
    }
    near(sender.rate, SEGMENT / 64.0);
    assert_eq!(sender.figures().timeouts, 31);
}

/// Limited by the receive rate (the equation allows more than twice of it): the receive rate becomes the bound.
#[test]
fn section_4_4_receive_limited() {
    let mut sender = with_loss(0.001, 100_000);
    near(sender.rate, 200_000.0);
    busy(&mut sender);
    expire(&mut sender);
    near(sender.rate, 100_000.0);
    near(sender.receive_set.max(), 50_000.0);
    busy(&mut sender);
    expire(&mut sender);
    near(sender.rate, 50_000.0);
}

/// Limited by the equation: half of what it allows becomes the bound.
#[test]
fn section_4_4_equation_limited() {
    let mut sender = with_loss(0.01, 100_000);
    let allowed = equation::rate(SEGMENT, 0.1, 0.01);
    near(sender.rate, allowed);
    busy(&mut sender);
    expire(&mut sender);
    near(sender.rate, allowed / 2.0);
    near(sender.receive_set.max(), allowed / 4.0);
    // From here on the receive rate is what limits.
    busy(&mut sender);
    expire(&mut sender);
    near(sender.rate, allowed / 4.0);
}

/// The bound is never below one frame in 64 s, and the timer then waits for two frames.
#[test]
fn section_4_4_limits_have_a_floor() {
    let mut sender = with_loss(0.01, 100_000);
    for _ in 0..40 {
        busy(&mut sender);
        expire(&mut sender);
    }
    near(sender.rate, SEGMENT / 64.0);
    let now = sender.timer.unwrap().saturating_sub(Duration::from_secs(128));
    assert_eq!(sender.timer, Some(now + Duration::from_secs(128)));
}

/// A sender that waits for credit is not idle, though it asked before the timer was set.
#[test]
fn a_sender_that_waits_is_not_idle() {
    let mut sender = open();
    let Allowance::At(_) = sender.allowance(at(0)) else { panic!("the credit is spent") };
    report(&mut sender, at(10), 10, 0, 0.0);
    assert!(sender.is_busy);
    report(&mut sender, at(100), 100, 0, 0.0);
    assert!(!sender.is_busy, "it would have gone, or asked");
}
