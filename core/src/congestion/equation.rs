//! The throughput equation of TCP (RFC 5348 section 3.1), with b = 1 and t_RTO = 4 R.
//!
//! ```text
//! X = s / (R f(p)),   f(p) = sqrt(2p/3) + 12 sqrt(3p/8) p (1 + 32 p^2)
//! ```
//!
//! Everything is `f64` and computed afresh: a table of integers would put a floor below p and so a ceiling on X.

/// Smallest loss event rate that [`loss_event_rate`] looks for: 1 Tbit/s at a round trip of 80 ms.
pub const LOSS_EVENT_RATE_MIN: f64 = 1e-12;

/// Returns f(p), the round trips that one segment takes at a loss event rate of `p`, 0 to 1.
#[must_use]
pub fn round_trips_per_segment(p: f64) -> f64 {
    libm::sqrt(2.0 * p / 3.0) + 12.0 * libm::sqrt(3.0 * p / 8.0) * p * (1.0 + 32.0 * p * p)
}

/// Returns the rate `X_Bps` in bytes a second that TCP would reach with segments of `segment` bytes, a round trip of
/// `rtt` seconds and a loss event rate of `p`; infinite where `p` is 0.
#[must_use]
pub fn rate(segment: f64, rtt: f64, p: f64) -> f64 {
    segment / (rtt * round_trips_per_segment(p))
}

/// Returns the loss event rate at which TCP would send `segments_per_rtt` segments in a round trip: the inverse of
/// [`rate`]. It lies in [`LOSS_EVENT_RATE_MIN`] to 1, also where the equation has no such solution.
///
/// f grows with p, so bisection finds it; in the logarithm of p, since p spans twelve decades. RFC 5348 section 6.3.1
/// asks for 5 %, this is as close as `f64` tells.
#[must_use]
pub fn loss_event_rate(segments_per_rtt: f64) -> f64 {
    let target = 1.0 / segments_per_rtt;
    let (mut low, mut high) = (LOSS_EVENT_RATE_MIN, 1.0);
    // Each step halves the logarithm's 27.6: 60 of them reach the last bit.
    for _ in 0..60 {
        let middle = libm::sqrt(low * high);
        if round_trips_per_segment(middle) < target {
            low = middle;
        } else {
            high = middle;
        }
    }
    libm::sqrt(low * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64, relative: f64) {
        assert!((value / expected - 1.0).abs() <= relative, "{value} is not {expected}");
    }

    /// f(p) to every digit of the published table, and the rate for 1,460 bytes at 100 ms.
    #[test]
    fn section_3_1_the_equation() {
        let table = [
            (1e-8, 0.000_081_7, 1_430.5e6),
            (1e-6, 0.000_817, 143.05e6),
            (1e-5, 0.002_582, 45.23e6),
            (1e-4, 0.008_172, 14.29e6),
            (1e-3, 0.026_052, 4.483e6),
            (2e-3, 0.037_172, 3.142e6),
            (1e-2, 0.089_022, 1.312e6),
            (5e-2, 0.271_305, 0.4305e6),
            (0.1, 0.564_939, 206.7e3),
            (0.2, 1.863_717, 62.7e3),
            (0.5, 23.960_036, 4.9e3),
            (1.0, 243.315_981, 0.48e3),
        ];
        for (p, f, bits) in table {
            let digits = if p < 1e-5 { 5e-7 } else { 5.1e-7 };
            let found = round_trips_per_segment(p);
            assert!((found - f).abs() <= digits, "f({p}) = {found}, not {f}");
            close(rate(1_460.0, 0.1, p) * 8.0, bits, 0.006);
        }
    }

    /// Rates of long fat paths come back as loss event rates, which a table with a floor would miss.
    #[test]
    fn section_6_3_1_the_inverse() {
        for (bits, p, interval) in
            [(10e6, 2.04e-4, 4_905.0), (100e6, 2.05e-6, 488_696.0), (1e9, 2.05e-8, 4.9e7)]
        {
            let found = loss_event_rate(bits / 8.0 * 0.1 / 1_460.0);
            close(found, p, 0.005);
            close(1.0 / found, interval, 0.005);
        }
        for p in [1e-11, 1e-6, 1e-3, 0.02, 0.3, 0.99] {
            close(loss_event_rate(1.0 / round_trips_per_segment(p)), p, 1e-13);
        }
    }

    /// Half a packet in a round trip, the rule for a lost first packet: p = 0.2064 and an interval of 4.84.
    #[test]
    fn section_6_3_1_half_a_segment_in_a_round_trip() {
        let p = loss_event_rate(0.5);
        assert!((p - 0.2064).abs() < 5e-5, "{p}");
        assert!((1.0 / p - 4.84).abs() < 5e-3, "{p}");
    }

    /// Where the equation has no solution the answer stays a rate.
    #[test]
    fn targets_beyond_the_equation_are_bounded() {
        for (target, p) in [(0.0, 1.0), (1e-9, 1.0), (f64::INFINITY, 1e-12), (1e30, 1e-12)] {
            close(loss_event_rate(target), p, 1e-9);
        }
    }
}
