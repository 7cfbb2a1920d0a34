//! Random Early Detection, gentle variant.
//!
//! Source: Floyd and Jacobson, "Random Early Detection Gateways for Congestion Avoidance", 1993 (section 4 and
//! figure 2); gentle: Floyd, "Recommendation on using the gentle_ variant of RED", 2000.

use bellini_core::rng::Stream;

/// Size of the packet whose transmission time is the unit of idle time; the paper asks for a "small" one.
const TYPICAL_BYTES: f64 = 500.0;

/// The average of one queue, and the drops that it asks for.
pub(super) struct Red {
    min_bytes: f64,
    max_bytes: f64,
    max_probability: f64,
    weight: f64,
    /// Whether no packet is dropped before 1 / probability others have come.
    wait: bool,
    /// Transmission time of a typical packet in nanoseconds.
    typical_ns: f64,
    average: f64,
    /// Packets since the last drop; -1 while the average is below the lower threshold.
    count: i64,
    draws: Stream,
}

impl Red {
    /// Returns the state of an empty queue; `mean_bps` is the rate of the serialiser behind it.
    pub(super) fn new(
        (min_bytes, max_bytes): (u64, u64),
        max_probability: f64,
        weight: f64,
        wait: bool,
        mean_bps: f64,
        draws: Stream,
    ) -> Self {
        Self {
            min_bytes: min_bytes as f64,
            max_bytes: max_bytes as f64,
            max_probability,
            weight,
            wait,
            typical_ns: typical_ns(mean_bps),
            average: 0.0,
            count: -1,
            draws,
        }
    }

    /// Follows a change of the serialiser's rate.
    pub(super) fn on_rate_changed(&mut self, mean_bps: f64) {
        self.typical_ns = typical_ns(mean_bps);
    }

    /// Says whether a packet that arrives at a serialiser idle for `idle_ns` may enter.
    ///
    /// As if m small packets had arrived at an empty queue meanwhile: `avg <- (1 - w)^m avg`, `m = idle / s`.
    pub(super) fn admits_when_idle(&mut self, idle_ns: u64) -> bool {
        self.average *= libm::pow(1.0 - self.weight, idle_ns as f64 / self.typical_ns);
        self.decide()
    }

    /// Says whether a packet that finds `waiting` bytes before it may enter: `avg <- avg + w (q - avg)`.
    pub(super) fn admits(&mut self, waiting: u64) -> bool {
        self.average += self.weight * (waiting as f64 - self.average);
        self.decide()
    }

    /// Tells that the packet just admitted did not fit.
    pub(super) fn on_overflow(&mut self) {
        self.count = 0;
    }

    fn decide(&mut self) -> bool {
        if self.average < self.min_bytes {
            self.count = -1;
            return true;
        }
        let p = self.max_probability;
        let probability = if self.average < self.max_bytes {
            p * (self.average - self.min_bytes) / (self.max_bytes - self.min_bytes)
        } else {
            p + (1.0 - p) * (self.average - self.max_bytes) / self.max_bytes
        };
        self.count += 1;
        // Spaces drops uniformly over 1 to 1 / probability - 1 packets: figure 2 of the paper counts before it draws.
        // With `wait` over 1 / probability to twice that, as ns-2 does by default (`wait_`).
        let spent = self.count as f64 * probability;
        let spaced = match (self.wait, spent) {
            (false, spent) if spent < 1.0 => probability / (1.0 - spent),
            (true, spent) if spent < 1.0 => 0.0,
            (true, spent) if spent < 2.0 => probability / (2.0 - spent),
            _ => 1.0,
        };
        if self.draws.chance(spaced) {
            self.count = 0;
            return false;
        }
        true
    }
}

fn typical_ns(mean_bps: f64) -> f64 {
    TYPICAL_BYTES * 8e9 / mean_bps
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::rng::Seed;

    fn red(weight: f64) -> Red {
        Red::new((10_000, 30_000), 0.1, weight, false, 1e9, Seed(4).stream("red"))
    }

    #[test]
    fn drops_are_spaced_uniformly() {
        // With the average held where the probability is exactly 1/20, the gap between drops is uniform over
        // 1 to 20: each gap's count within z = 4.5, n = 10^6 packets or so.
        let mut red = red(1.0);
        let mut gaps = [0_u64; 21];
        let (mut gap, mut drops) = (0, 0_u64);
        for _ in 0..1_050_000 {
            gap += 1;
            if !red.admits(20_000) {
                // After a drop the packet that follows has count 1 already, as in the paper's figure 2.
                gaps[gap] += 1;
                drops += 1;
                gap = 0;
            }
        }
        let n = drops as f64;
        // From count = 0 at the drop, the next packet has count 1: gaps 1 to 19, each with probability 1/19.
        let p = 1.0 / 19.0;
        for &seen in &gaps[1..20] {
            assert!((seen as f64 - n * p).abs() < 4.5 * (n * p * (1.0 - p)).sqrt(), "{seen} of {n}");
        }
        assert!(gaps[20] <= 1, "only the very first drop may be 20 packets away");
    }

    #[test]
    fn waiting_drops_are_spaced_by_one_to_two_times_as_much() {
        // p = 1/20: the gap is uniform over 20 to 39, each count within z = 4.5.
        let mut red = Red { wait: true, ..red(1.0) };
        let mut gaps = [0_u64; 42];
        let (mut gap, mut drops) = (0, 0_u64);
        for _ in 0..1_050_000 {
            gap += 1;
            if !red.admits(20_000) {
                gaps[gap] += 1;
                drops += 1;
                gap = 0;
            }
        }
        let (n, p) = (drops as f64, 1.0 / 20.0);
        assert!(gaps[..20].iter().all(|seen| *seen == 0), "{gaps:?}");
        for &seen in &gaps[20..40] {
            assert!((seen as f64 - n * p).abs() < 4.5 * (n * p * (1.0 - p)).sqrt(), "{seen} of {n}");
        }
    }

    #[test]
    fn the_average_follows_its_closed_form() {
        // q constant from an empty start: avg_n = q (1 - (1 - w)^n); then idle time decays it by (1 - w)^(idle / s).
        let mut red = red(0.002);
        for n in 1..=5_000 {
            let _ = red.admits(9_000);
            let expected = 9_000.0 * (1.0 - libm::pow(1.0_f64 - 0.002, f64::from(n)));
            assert!((red.average - expected).abs() < 1e-6);
        }
        let before = red.average;
        // 500 B at 1 Gbit/s take 4 us: 400 us are 100 packets.
        assert!(red.admits_when_idle(400_000));
        assert!((red.average - before * libm::pow(1.0_f64 - 0.002, 100.0)).abs() < 1e-6);
    }

    #[test]
    fn nothing_below_the_lower_threshold_everything_at_twice_the_upper() {
        let mut red = red(1.0);
        assert!((0..10_000).all(|_| red.admits(9_999)));
        assert!((0..10_000).all(|_| !red.admits(60_000)));
    }

    #[test]
    fn gentle_region_is_linear() {
        // At 45,000 the probability is 0.1 + 0.9 / 2 = 0.55; with count 0 at a drop the next packet has
        // 0.55 / (1 - 0.55) > 1: every packet is dropped. At 36,000: 0.28; gaps 1, 2, 3 with 0.28 / 0.72,
        // then what is left; mean gap from the definition, n = 10^6, z = 4.5.
        let mut red = red(1.0);
        let _ = red.admits(45_000);
        let p: f64 = 0.1 + 0.9 * 6_000.0 / 30_000.0;
        let (mut mean, mut square, mut alive) = (0.0, 0.0, 1.0);
        for k in 1..=4 {
            let here = if f64::from(k) * p < 1.0 { (p / (1.0 - f64::from(k) * p)).min(1.0) } else { 1.0 };
            mean += alive * here * f64::from(k);
            square += alive * here * f64::from(k * k);
            alive *= 1.0 - here;
        }
        while red.admits(36_000) {}
        let n = 1_000_000;
        let drops = (0..n).filter(|_| !red.admits(36_000)).count() as f64;
        // A renewal process: drops in n packets have mean n / m and variance n s^2 / m^3.
        let variance = f64::from(n) * (square - mean * mean) / libm::pow(mean, 3.0);
        assert!((drops - f64::from(n) / mean).abs() < 4.5 * variance.sqrt() + 1.0, "{drops}");
    }
}
