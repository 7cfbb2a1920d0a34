//! TFRC's throughput equation in packets a second, written here once more so that the core is not judged by itself.

/// Returns the packets a second of RFC 5348 section 3.1 with b = 1 and t_RTO = 4 R: `p` loss event rate, `rtt_s` round
/// trip in seconds.
pub(super) fn packets_per_s(p: f64, rtt_s: f64) -> f64 {
    with_t_rto(p, rtt_s, 4.0 * rtt_s)
}

fn with_t_rto(p: f64, rtt_s: f64, t_rto: f64) -> f64 {
    let wait = t_rto * 3.0 * (3.0 * p / 8.0).sqrt() * p * (1.0 + 32.0 * p * p);
    1.0 / (rtt_s * (2.0 * p / 3.0).sqrt() + wait)
}

/// Returns the rate of loss events where each packet is lost with probability `p`, independently: an event takes in
/// the losses of the round trip after it, so that p_e = 1 / (1/p + X R) at the equation's rate X for p_e.
pub(super) fn event_rate(p: f64, rtt_s: f64) -> f64 {
    // X R grows as p_e falls, so the map is rising in p_e and iteration from above comes down to its fixed point.
    let mut event = p;
    for _ in 0..200 {
        event = 1.0 / (1.0 / p + packets_per_s(event, rtt_s) * rtt_s);
    }
    event
}

/// Returns the equation's rate at the loss event rate of independent losses.
pub(super) fn at_event_rate(p: f64, rtt_s: f64) -> f64 {
    packets_per_s(event_rate(p, rtt_s), rtt_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the columns of the reference that do not depend on ns-2: the equation at p, p_e, and the equation at p_e.
    #[test]
    fn the_reference_was_worked_out_in_the_same_way() {
        for (p, rtt, at_p, event, at_event) in [
            (0.001, 0.02, 1919.2, 0.00096, 1957.1),
            (0.01, 0.1, 112.3, 0.00893, 119.9),
            (0.05, 0.2, 18.4, 0.04107, 21.7),
            (0.1, 0.02, 88.5, 0.08149, 113.5),
        ] {
            assert!((packets_per_s(p, rtt) - at_p).abs() < 0.06, "{p} {rtt}: {}", packets_per_s(p, rtt));
            assert!((event_rate(p, rtt) - event).abs() < 6e-6, "{p} {rtt}: {}", event_rate(p, rtt));
            assert!((at_event_rate(p, rtt) - at_event).abs() < 0.06, "{p} {rtt}: {}", at_event_rate(p, rtt));
        }
    }

    /// Aim: ns-2's allowed rate with every 100th packet lost, 112,246.578872 B/s at s = 1000 B, R = 100.0832 ms and
    /// a t_RTO of 0.4 s, which it holds to twelve digits.
    #[test]
    fn the_periodic_rate_of_ns_2() {
        let rate = with_t_rto(0.01, 0.100_083_2, 0.4) * 1000.0;
        assert!((rate - 112_246.578_872).abs() < 1e-5, "{rate}");
    }
}
