//! Loss intervals and their average (RFC 5348 sections 5.3 to 5.5).

/// Intervals that count (n).
const INTERVALS: usize = 8;
/// `w_i`: 1 for the newer half, then falling.
const WEIGHTS: [f64; INTERVALS] = [1.0, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2];
/// Least that discounting leaves of an old interval's weight (`THRESHOLD`).
const DISCOUNT_MIN: f64 = 0.25;

/// The last loss intervals, newest first, and what discounting has left of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Intervals {
    /// Closed intervals `I_1..I_8` in frames; the first `count` are there.
    lengths: [f64; INTERVALS],
    /// Their discount factors `DF_1..DF_8`.
    factors: [f64; INTERVALS],
    count: usize,
    discounting: bool,
}

/// The two sums of an average: weighted frames, and weights.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    frames: f64,
    weight: f64,
}

impl Sum {
    fn add(&mut self, frames: f64, weight: f64) {
        self.frames += frames * weight;
        self.weight += weight;
    }
}

impl Intervals {
    pub(super) const fn new(discounting: bool) -> Self {
        Self { lengths: [0.0; INTERVALS], factors: [1.0; INTERVALS], count: 0, discounting }
    }

    /// Closes the open interval with `length` frames.
    pub(super) fn close(&mut self, length: f64) {
        let discount = self.discount(length);
        for factor in &mut self.factors {
            *factor *= discount;
        }
        self.lengths.copy_within(..INTERVALS - 1, 1);
        self.factors.copy_within(..INTERVALS - 1, 1);
        self.lengths[0] = length;
        self.factors[0] = 1.0;
        self.count = (self.count + 1).min(INTERVALS);
    }

    /// Returns the loss event rate with an open interval of `open` frames: 0 before any interval was closed.
    pub(super) fn loss_event_rate(&self, open: f64) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let discount = self.discount(open);
        // With the open interval and without: it counts only where it makes the mean longer.
        let mut with_open = Sum::default();
        with_open.add(open, WEIGHTS[0]);
        // The same number of intervals in both sums, so the oldest falls out of this one.
        for i in 0..self.count - 1 {
            with_open.add(self.lengths[i], WEIGHTS[i + 1] * self.factors[i] * discount);
        }
        let closed = self.closed();
        (with_open.weight / with_open.frames).min(closed.weight / closed.frames).min(1.0)
    }

    fn closed(&self) -> Sum {
        let mut closed = Sum::default();
        let terms = self.lengths.iter().zip(&self.factors).zip(WEIGHTS).take(self.count);
        for ((length, factor), weight) in terms {
            closed.add(*length, weight * factor);
        }
        closed
    }

    /// Returns DF: what an open interval of `open` frames leaves of the closed ones, once it is over twice their mean.
    fn discount(&self, open: f64) -> f64 {
        if !self.discounting || self.count == 0 {
            return 1.0;
        }
        let closed = self.closed();
        let twice_mean = 2.0 * closed.frames / closed.weight;
        if open > twice_mean { (twice_mean / open).max(DISCOUNT_MIN) } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eight_of_hundred(discounting: bool) -> Intervals {
        let mut intervals = Intervals::new(discounting);
        for _ in 0..8 {
            intervals.close(100.0);
        }
        intervals
    }

    /// The published vectors: eight closed intervals of 100 and an open one.
    #[test]
    fn section_5_5_history_discounting() {
        for (open, factor, with, without) in [
            (10.0, 1.0, 0.01, 0.01),
            (200.0, 1.0, 0.008_571_4, 0.008_571_4),
            (300.0, 0.666_67, 0.006_842_1, 0.007_5),
            (500.0, 0.4, 0.004_285_7, 0.006),
            (800.0, 0.25, 0.002_432_4, 0.004_615_4),
            (2_000.0, 0.25, 0.001_058_8, 0.002_4),
        ] {
            let near = |value: f64, expected: f64, digit: f64| {
                assert!((value - expected).abs() < digit, "{value} is not {expected} with {open}");
            };
            near(eight_of_hundred(true).discount(open), factor, 5e-6);
            near(eight_of_hundred(true).loss_event_rate(open), with, 5e-8);
            near(eight_of_hundred(false).loss_event_rate(open), without, 5e-8);
        }
    }

    /// Weights 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, newest first; an old interval falls out.
    #[test]
    fn section_5_4_average_loss_interval() {
        let mut intervals = Intervals::new(false);
        for length in [999.0, 80.0, 70.0, 60.0, 50.0, 40.0, 30.0, 20.0, 10.0] {
            intervals.close(length);
        }
        let frames = 10.0 + 20.0 + 30.0 + 40.0 + 0.8 * 50.0 + 0.6 * 60.0 + 0.4 * 70.0 + 0.2 * 80.0;
        assert_eq!(intervals.loss_event_rate(1.0), 6.0 / frames);
        let with_open = 90.0 + 10.0 + 20.0 + 30.0 + 0.8 * 40.0 + 0.6 * 50.0 + 0.4 * 60.0 + 0.2 * 70.0;
        assert!((intervals.loss_event_rate(90.0) - 6.0 / with_open).abs() < 1e-15);
    }

    /// With k < 8 closed intervals both sums are over k terms.
    #[test]
    fn section_5_4_with_few_intervals() {
        let mut intervals = Intervals::new(false);
        assert_eq!(intervals.loss_event_rate(1e9), 0.0);
        intervals.close(10.0);
        assert_eq!(intervals.loss_event_rate(1.0), 0.1);
        assert_eq!(intervals.loss_event_rate(40.0), 0.025);
        intervals.close(30.0);
        assert_eq!(intervals.loss_event_rate(50.0), 1.0 / 40.0);
        assert_eq!(intervals.loss_event_rate(5.0), 1.0 / 20.0);
    }

    /// A new event freezes the factor: what was discounted stays so, the interval that did it counts in full.
    #[test]
    fn section_5_5_discounts_are_kept() {
        let mut intervals = eight_of_hundred(true);
        intervals.close(800.0);
        assert_eq!(intervals.factors, [1.0, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]);
        assert_eq!(intervals.lengths[..2], [800.0, 100.0]);
        let weight = 1.0 + 0.25 * 5.0;
        let frames = 800.0 + 25.0 * 5.0;
        assert!((intervals.loss_event_rate(1.0) - weight / frames).abs() < 1e-15);
    }
}
