//! Reports and times that make no sense.

use crate::congestion::bbr::{BbrSender, RATE_MAX, RATE_MIN};
use crate::congestion::{Allowance, CongestionConfig, CongestionControl, Feedback, SentFrame};
use crate::time::{Duration, Instant};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Open(Option<u64>),
    Wait(u64),
    Send {
        gap: u64,
        bytes: u32,
    },
    /// A report of anything.
    Report(Feedback),
    /// A report that the newest frames arrived, some of them lost.
    Plausible {
        age_us: u32,
        held_us: u32,
        lost: u64,
    },
    Timeout,
}

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, Just(u64::MAX), any::<u64>()]
}

fn step() -> impl Strategy<Value = Step> {
    let report = (any::<u32>(), any::<u32>(), any_number(), 0.0..=1.0, [(); 4].map(|()| any_number()))
        .prop_map(
            |(echo_us, held_us, received_bytes_per_s, loss_event_rate, [highest, frames, bytes, lost])| {
                Feedback {
                    echo_us,
                    held_us,
                    received_bytes_per_s,
                    loss_event_rate,
                    highest,
                    frames,
                    bytes,
                    lost,
                }
            },
        );
    prop_oneof![
        1 => proptest::option::of(any_number()).prop_map(Step::Open),
        8 => prop_oneof![0..1_000_000_000_u64, 0..1_000_000_000_000_u64].prop_map(Step::Wait),
        20 => (prop_oneof![9 => Just(1_u64), 1 => any_number()], any::<u32>())
            .prop_map(|(gap, bytes)| Step::Send { gap, bytes: bytes >> 16 }),
        6 => report.prop_map(Step::Report),
        12 => (0..500_000_u32, 0..10_000_u32, 0..3_u64)
            .prop_map(|(age_us, held_us, lost)| Step::Plausible { age_us, held_us, lost }),
        3 => Just(Step::Timeout),
    ]
}

proptest! {
    /// Aim: whatever is reported, rates stay finite and in their range, an answer names a time after now or an end of
    /// the wait, and nothing panics.
    #[test]
    fn arbitrary_reports_do_no_harm(steps in prop::collection::vec(step(), 1..300)) {
        let mut sender = BbrSender::new(CongestionConfig::default(), 1);
        let mut now = Instant::from_nanos(5);
        sender.on_open(now, None);
        let (mut number, mut sent, mut lost_sum) = (0_u64, 0_u64, 0_u64);
        for step in steps {
            match step {
                Step::Open(rtt) => sender.on_open(now, rtt.map(Duration::from_nanos)),
                Step::Wait(nanos) => now += Duration::from_nanos(nanos),
                Step::Send { gap, bytes } => {
                    number = number.saturating_add(gap);
                    sent += u64::from(bytes);
                    sender.on_sent(now, SentFrame { number, bytes });
                }
                Step::Report(report) => sender.on_feedback(now, &report),
                Step::Plausible { age_us, held_us, lost } => {
                    lost_sum += lost;
                    let echo_us = ((now.as_nanos() / 1_000) as u32).wrapping_sub(age_us);
                    sender.on_feedback(now, &Feedback {
                        echo_us,
                        held_us,
                        received_bytes_per_s: 0,
                        loss_event_rate: 0.0,
                        highest: number,
                        frames: number.saturating_sub(lost_sum),
                        bytes: sent,
                        lost: lost_sum,
                    });
                }
                Step::Timeout => {
                    now = sender.deadline().unwrap_or(now).max(now);
                    sender.on_timeout(now);
                }
            }
            let figures = sender.figures();
            prop_assert!((RATE_MIN..=RATE_MAX).contains(&figures.allowed_bytes_per_s), "{figures:?}");
            prop_assert!(sender.rate().as_bps() > 0);
            prop_assert!(sender.rtt().is_none_or(|rtt| !rtt.is_zero()));
            prop_assert!(sender.inflight_max() >= 4 * sender.frame());
            match sender.allowance(now) {
                Allowance::Now => {}
                Allowance::At(at) => prop_assert!(at > now),
                Allowance::Blocked => prop_assert!(sender.deadline().is_some()),
            }
        }
    }
}

/// Aim: a peer cannot raise the rate beyond what was sent by claiming more.
#[test]
fn claims_of_more_than_was_sent_are_worth_nothing() {
    let ms = |n| Instant::ZERO + Duration::from_millis(n);
    let mut sender = BbrSender::new(CongestionConfig::default(), 1);
    sender.on_open(ms(0), Some(Duration::from_millis(100)));
    for round in 1..50 {
        for frame in 0..10 {
            sender.on_sent(ms(round * 100), SentFrame { number: round * 10 + frame, bytes: 1_000 });
        }
        sender.on_feedback(
            ms(round * 100 + 99),
            &Feedback {
                echo_us: (round * 100_000) as u32,
                held_us: 0,
                received_bytes_per_s: u64::MAX,
                loss_event_rate: 0.0,
                highest: round * 10 + 9,
                frames: round << 40,
                bytes: round << 50,
                lost: 0,
            },
        );
    }
    let rate = sender.max_rate.get();
    assert!((95_000.0..210_000.0).contains(&rate), "{rate}");
}

/// Aim: reports of frames that were never sent, older reports and repeated ones change nothing.
#[test]
fn reports_that_teach_nothing_are_ignored() {
    let ms = |n| Instant::ZERO + Duration::from_millis(n);
    let mut sender = BbrSender::new(CongestionConfig::default(), 1);
    sender.on_open(ms(0), Some(Duration::from_millis(100)));
    let report = |highest, frames| Feedback {
        echo_us: 0,
        held_us: 0,
        received_bytes_per_s: 7,
        loss_event_rate: 0.0,
        highest,
        frames,
        bytes: frames * 1_000,
        lost: 0,
    };
    sender.on_feedback(ms(1), &report(0, 1));
    assert_eq!(sender.figures().received_bytes_per_s, None, "nothing was sent");
    for number in 0..10 {
        sender.on_sent(ms(1), SentFrame { number, bytes: 1_000 });
    }
    sender.on_feedback(ms(100), &report(10, 5));
    assert_eq!(sender.figures().received_bytes_per_s, None, "number 10 was not sent");
    sender.on_feedback(ms(100), &report(7, 8));
    assert_eq!(sender.delivery.inflight(), 2_000);
    let deadline = sender.deadline();
    sender.on_feedback(ms(150), &report(7, 8));
    sender.on_feedback(ms(150), &report(6, 9));
    assert_eq!((sender.delivery.inflight(), sender.deadline()), (2_000, deadline));
}
