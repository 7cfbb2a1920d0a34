//! How many repairs a source adds: a fixed share of the symbols, or what the reported loss makes necessary.

use super::spec;
use crate::ids::NodeId;

/// A block of symbols, or a stretch of a window's length, is not decodable at a destination this often, if loss is as it
/// is thought to be.
pub const RESIDUAL_TARGET: f64 = 1e-3;
/// Loss that is assumed before anything was reported.
pub const LOSS_UNKNOWN: f64 = 0.05;
/// Packets by which what a destination reported before has lost all but 1/e of its weight.
pub const LOSS_MEMORY_PACKETS: f64 = 400.0;
/// Destinations whose reports are remembered; those of more are not.
pub const DESTINATIONS_MAX: usize = 64;

/// What keeps a repeated sum of shares from being rounded up to a repair too many.
const ROUNDING: f64 = 1e-9;

/// Returns the least number of repairs, at most `max`, with which a block of `size` symbols is decodable with
/// probability `1 - target` where each packet is lost with probability `loss`, independently: the smallest m with
/// P(Binomial(size + m, 1 - loss) >= size) >= 1 - target.
///
/// That probability is that of at most m losses before the `size`-th arrival, and is summed as such (negative binomial):
/// `sum_{j=0..m} C(size - 1 + j, j) loss^j (1 - loss)^size`.
#[must_use]
pub fn repairs_for(size: usize, loss: f64, target: f64, max: usize) -> usize {
    let loss = if loss.is_finite() { loss.clamp(0.0, 1.0) } else { 1.0 };
    if size == 0 || loss == 0.0 {
        return 0;
    }
    // Where this is too small for a number, no sensible number of repairs is enough either.
    let mut term = libm::pow(1.0 - loss, size as f64);
    let mut sum = term;
    for repairs in 0..max {
        if sum >= 1.0 - target {
            return repairs;
        }
        term *= loss * (size + repairs) as f64 / (repairs + 1) as f64;
        sum += term;
    }
    max
}

/// Returns the repairs per symbol, at most `max`, with which a sliding window of `size` symbols leaves few losses.
///
/// An approximation: as many on each stretch of `size` symbols as a block of them would need ([`repairs_for`]). Windows
/// that begin elsewhere have as many, within one, since repairs are evenly spread; but a loss at the end of a stretch is
/// repaired by the repairs of the next, so that the residual loss is not exactly the block's.
#[must_use]
pub fn window_rate(size: usize, loss: f64, target: f64, max: f64) -> f64 {
    if size == 0 {
        return 0.0;
    }
    let most = whole(size as f64 * max);
    repairs_for(size, loss, target, most) as f64 / size as f64
}

/// The loss on the way to one destination: a mean of its reports in which older packets weigh less, exponentially.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossEstimate {
    loss: f64,
}

impl Default for LossEstimate {
    fn default() -> Self {
        Self { loss: LOSS_UNKNOWN }
    }
}

impl LossEstimate {
    /// Takes in that of `emitted` packets `arrived` did. More than were emitted count as all.
    pub fn report(&mut self, emitted: u64, arrived: u64) {
        if emitted == 0 {
            return;
        }
        let lost = emitted.saturating_sub(arrived) as f64 / emitted as f64;
        let weight = 1.0 - libm::exp(-(emitted as f64) / LOSS_MEMORY_PACKETS);
        self.loss += weight * (lost - self.loss);
    }

    /// Returns the loss, from 0 to 1.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss
    }
}

/// The repairs that a source owes.
#[derive(Clone, Debug)]
pub struct Repairs {
    rule: spec::Repair,
    /// Repairs that are owed, or (below 0) were sent ahead.
    carry: f64,
    /// By destination.
    estimates: Vec<(NodeId, LossEstimate)>,
    /// Symbols of a window, and the rate for it: until the next report.
    window: Option<(usize, f64)>,
}

impl Repairs {
    /// Returns the state before the first symbol.
    #[must_use]
    pub fn new(rule: spec::Repair) -> Self {
        Self { rule, carry: 0.0, estimates: Vec::new(), window: None }
    }

    /// Takes in a destination's report ([`LossEstimate::report`]). `false`: there are too many destinations.
    pub fn report(&mut self, node: NodeId, emitted: u64, arrived: u64) -> bool {
        let at = self.estimates.iter().position(|(other, _)| *other == node);
        let at = match at {
            Some(at) => at,
            None if self.estimates.len() == DESTINATIONS_MAX => return false,
            None => {
                self.estimates.push((node, LossEstimate::default()));
                self.estimates.len() - 1
            }
        };
        self.estimates[at].1.report(emitted, arrived);
        self.window = None;
        true
    }

    /// Forgets a destination that has left.
    pub fn forget(&mut self, node: NodeId) {
        self.estimates.retain(|(other, _)| *other != node);
        self.window = None;
    }

    /// Returns the loss on the way to the worst destination; [`LOSS_UNKNOWN`] before any report.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.estimates.iter().map(|(_, estimate)| estimate.loss()).reduce(f64::max).unwrap_or(LOSS_UNKNOWN)
    }

    /// Returns the repairs of a generation of `size` symbols, which is closed now. A fixed share is rounded up, and what
    /// that is too much is taken from the next generations, so that the mean is the share itself.
    pub fn close(&mut self, size: usize) -> usize {
        match self.rule {
            spec::Repair::Fixed(share) => {
                self.carry += sane(share) * size as f64;
                let repairs = libm::ceil(self.carry - ROUNDING).max(0.0);
                self.carry -= repairs;
                repairs as usize
            }
            spec::Repair::Adaptive { max } => {
                repairs_for(size, self.loss(), RESIDUAL_TARGET, whole(size as f64 * sane(max)))
            }
        }
    }

    /// Returns the repairs that go out behind a symbol of a sliding window of up to `size` symbols: one after every
    /// 1/rate symbols.
    pub fn after_symbol(&mut self, size: usize) -> usize {
        let rate = match (self.rule, self.window) {
            (spec::Repair::Fixed(share), _) => sane(share),
            (spec::Repair::Adaptive { .. }, Some((known, rate))) if known == size => rate,
            (spec::Repair::Adaptive { max }, _) => {
                let rate = window_rate(size, self.loss(), RESIDUAL_TARGET, sane(max));
                self.window = Some((size, rate));
                rate
            }
        };
        self.carry += rate;
        let repairs = libm::floor(self.carry + ROUNDING).max(0.0);
        self.carry -= repairs;
        repairs as usize
    }
}

/// Returns what a share can be: a number from 0 to 255.
fn sane(share: f64) -> f64 {
    if share.is_finite() { share.clamp(0.0, 255.0) } else { 0.0 }
}

/// Returns how many whole repairs that is, at most 65,535.
fn whole(repairs: f64) -> usize {
    let repairs = if repairs.is_finite() { repairs.clamp(0.0, 65_535.0) } else { 0.0 };
    libm::floor(repairs + ROUNDING) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// P(Binomial(n, p) >= least), each term by itself.
    fn at_least(n: usize, p: f64, least: usize) -> f64 {
        let ways = |k: usize| (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product::<f64>();
        (least..=n).map(|k| ways(n - k) * libm::pow(p, k as f64) * libm::pow(1.0 - p, (n - k) as f64)).sum()
    }

    /// Aim: it is the smallest number of repairs that is enough, by the sum that defines it.
    #[test]
    fn as_few_repairs_as_are_enough() {
        for size in [1, 8, 16, 32, 100, 255] {
            for loss in [0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4] {
                for target in [1e-2, RESIDUAL_TARGET, 1e-5] {
                    let repairs = repairs_for(size, loss, target, 1_000);
                    let with = |repairs| at_least(size + repairs, 1.0 - loss, size);
                    assert!(with(repairs) >= 1.0 - target - 1e-12, "{size} {loss} {target}: {repairs}");
                    assert!(
                        repairs == 0 || with(repairs - 1) < 1.0 - target + 1e-12,
                        "{size} {loss}: {repairs}"
                    );
                }
            }
        }
        // By hand: a symbol of which one in ten is lost, three times.
        assert_eq!(repairs_for(1, 0.1, 1.1e-3, 9), 2);
    }

    #[test]
    fn extremes_have_an_answer() {
        assert_eq!(repairs_for(32, 0.0, RESIDUAL_TARGET, 32), 0);
        assert_eq!(repairs_for(0, 0.5, RESIDUAL_TARGET, 32), 0);
        assert_eq!(repairs_for(32, 0.9, RESIDUAL_TARGET, 16), 16);
        for loss in [1.0, 7.0, f64::NAN, f64::INFINITY] {
            assert_eq!(repairs_for(255, loss, RESIDUAL_TARGET, 40), 40);
        }
        assert_eq!(repairs_for(32, -1.0, RESIDUAL_TARGET, 40), 0);
        assert_eq!(window_rate(0, 0.1, RESIDUAL_TARGET, 1.0), 0.0);
        assert_eq!(window_rate(20, 0.9, RESIDUAL_TARGET, f64::INFINITY), 0.0, "no number of repairs");
    }

    /// Aim: a fixed share is exact in the mean, whatever the sizes, and never below on the way.
    #[test]
    fn fixed_shares_are_exact_in_the_mean() {
        for share in [0.0, 0.1, 0.25, 1.0 / 3.0, 0.5, 1.0, 1.7] {
            let mut stream = Seed(1).stream("sizes");
            let mut state = Repairs::new(spec::Repair::Fixed(share));
            let (mut symbols, mut repairs) = (0, 0);
            for _ in 0..2_000 {
                let size = 1 + stream.below(32) as usize;
                symbols += size;
                repairs += state.close(size);
                let ahead = repairs as f64 - symbols as f64 * share;
                assert!((-1e-3..1.0).contains(&ahead), "{share}: {ahead}");
            }
        }
        let mut state = Repairs::new(spec::Repair::Fixed(0.1));
        let closed: Vec<usize> = (0..4).map(|_| state.close(25)).collect();
        assert_eq!(closed, [3, 2, 3, 2]);
    }

    /// Aim: a window's repairs are spread evenly.
    #[test]
    fn a_window_has_a_repair_after_every_so_many_symbols() {
        let mut state = Repairs::new(spec::Repair::Fixed(0.25));
        for symbol in 1..=4_000 {
            assert_eq!(state.after_symbol(32), usize::from(symbol % 4 == 0));
        }
        let mut state = Repairs::new(spec::Repair::Fixed(0.1));
        for symbol in 1..=4_000 {
            assert_eq!(state.after_symbol(32), usize::from(symbol % 10 == 0), "after {symbol}");
        }
        let mut state = Repairs::new(spec::Repair::Fixed(f64::NAN));
        assert_eq!(state.after_symbol(32), 0);
    }

    /// Aim: the estimate finds the loss, forgets an old one, and reports that cannot be do no harm.
    #[test]
    fn the_estimate_follows_the_loss() {
        let mut estimate = LossEstimate::default();
        let mut stream = Seed(2).stream("loss");
        for loss in [0.02, 0.2, 0.0] {
            for _ in 0..100 {
                let arrived = (0..50).filter(|_| !stream.chance(loss)).count();
                estimate.report(50, arrived as u64);
            }
            // The mean of about 2 x 400 packets: three standard deviations.
            let spread = 3.0 * libm::sqrt(loss / (2.0 * LOSS_MEMORY_PACKETS)) + 1e-4;
            assert!((estimate.loss() - loss).abs() < spread, "{} for {loss}", estimate.loss());
        }
        let before = estimate;
        estimate.report(0, 7);
        assert_eq!(estimate, before);
        estimate.report(10, u64::MAX);
        estimate.report(u64::MAX, 0);
        assert!((0.0..=1.0).contains(&estimate.loss()));
    }

    /// Aim: the worst destination counts, until it leaves; before any report a loss is assumed; never more than the cap.
    #[test]
    fn the_worst_destination_counts() {
        let node = |id| NodeId::new(id).expect("a legal id");
        let mut state = Repairs::new(spec::Repair::Adaptive { max: 0.5 });
        assert_eq!(state.close(32), repairs_for(32, LOSS_UNKNOWN, RESIDUAL_TARGET, 16));
        for _ in 0..200 {
            assert!(state.report(node(1), 100, 99) && state.report(node(2), 100, 80));
        }
        let close = |loss| repairs_for(32, loss, RESIDUAL_TARGET, 16);
        assert_eq!((state.close(32), state.close(32)), (close(0.2), close(0.2)));
        // Spread over the window's symbols: as many in the long run.
        let spread: usize = (0..3_200).map(|_| state.after_symbol(32)).sum();
        assert!(spread.abs_diff(100 * close(0.2)) <= 1);
        state.forget(node(2));
        assert_eq!(state.close(32), close(0.01));
        let spread: usize = (0..3_200).map(|_| state.after_symbol(32)).sum();
        assert!(spread.abs_diff(100 * close(0.01)) <= 1, "a report changes the rate");
        for id in 3..500 {
            state.report(node(id), 1_000_000, 0);
        }
        assert!(state.estimates.len() <= DESTINATIONS_MAX && !state.report(node(600), 1, 1));
        assert_eq!(state.close(32), 16);
    }
}
