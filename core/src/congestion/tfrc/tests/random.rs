//! Whatever a peer reports, and whenever.

use super::*;
use crate::congestion::{FrameArrival, Receiver};
use proptest::prelude::*;

fn feedbacks() -> impl Strategy<Value = Feedback> {
    let loss = prop_oneof![Just(0.0), Just(1.0), Just(f64::MIN_POSITIVE), Just(5e-324), 0.0..=1.0_f64];
    (any::<[u64; 5]>(), any::<[u32; 2]>(), 0_u32..200_000, any::<bool>(), loss).prop_map(
        |(totals, words, recent, is_sane, loss_event_rate)| Feedback {
            echo_us: if is_sane { 10_000_000 - recent } else { words[0] },
            held_us: if is_sane { recent / 3 } else { words[1] },
            received_bytes_per_s: if is_sane { totals[0] >> 40 } else { totals[0] },
            loss_event_rate,
            highest: totals[1],
            frames: totals[2],
            bytes: totals[3],
            lost: totals[4],
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// The rate stays finite and at least s / t_mbi, and the machine always says when it goes on.
    #[test]
    fn any_reports_leave_a_rate(
        rtt in proptest::option::of(any::<u64>()),
        is_low_credit in any::<bool>(),
        steps in proptest::collection::vec((0_u8..5, any::<u64>(), feedbacks(), any::<u32>()), 1..60),
    ) {
        let credit_max = Duration::from_nanos(if is_low_credit { 0 } else { u64::MAX });
        let config = CongestionConfig { credit_max, ..config() };
        let mut now = at(0);
        let mut sender = TfrcSender::new(config, Instant::ZERO);
        sender.on_open(now, rtt.map(Duration::from_nanos));
        for (index, (what, time, feedback, bytes)) in steps.into_iter().enumerate() {
            // Steps from nothing to half an hour, and once in a while the end of time.
            now = match what {
                0 => Instant::from_nanos(now.as_nanos().max(time)),
                _ => now.checked_add(Duration::from_nanos(time >> (23 + time % 40))).unwrap_or(now),
            };
            match what {
                1 => sender.on_sent(now, SentFrame { number: time, bytes }),
                2 => sender.on_timeout(now),
                3 => sender.on_feedback(now, &feedback),
                _ => sender.on_feedback(now, &Feedback { frames: index as u64, ..feedback }),
            }
            let answer = sender.allowance(now);
            prop_assert!(!matches!(answer, Allowance::At(at) if at <= now));
            for rate in [sender.rate, sender.rate_inst] {
                prop_assert!(rate.is_finite() && rate >= sender.segment / 64.0 * (1.0 - 1e-9), "{rate}");
                prop_assert!(rate <= RATE_MAX);
            }
            prop_assert!(sender.rtt().is_none_or(|rtt| rtt <= Duration::from_secs(64)));
        }
    }

    /// Any frames leave a loss event rate from 0 to 1 and totals that hold.
    #[test]
    fn any_frames_leave_a_report(
        frames in proptest::collection::vec(
            (any::<u64>(), any::<[u32; 3]>(), 0_u8..64, any::<bool>(), any::<bool>(), any::<u64>()), 1..80),
    ) {
        let mut receiver = Receiver::new(CongestionConfig::default());
        let mut now = Instant::ZERO;
        let mut number = 0_u64;
        for (random, words, shift, is_next, carries_packet, time) in frames {
            number = if is_next { number.wrapping_add(random & 7) } else { random >> shift };
            now = now.checked_add(Duration::from_nanos(time >> (24 + time % 40))).unwrap_or(now);
            receiver.on_timeout(now);
            let [bytes, timestamp_us, rtt_us] = words;
            let rtt_us = rtt_us >> (shift / 2);
            receiver.on_frame(now, FrameArrival { number, bytes, timestamp_us, rtt_us, carries_packet });
            prop_assert!(receiver.deadline().is_none_or(|at| at > now));
            if let Some(report) = receiver.poll_feedback(now) {
                prop_assert!((0.0..=1.0).contains(&report.loss_event_rate), "{report:?}");
                prop_assert!(!receiver.has_feedback());
            }
        }
    }
}
