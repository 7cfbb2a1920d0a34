//! Loss models of the wire.

use super::LinkStreams;
use bellini_core::rng::Stream;
use bellini_core::time::Instant;
use bellini_scenarios::model::Loss;

/// The state of a link's loss model.
pub(super) enum LossModel {
    None,
    Bernoulli(f64, Box<Stream>),
    Packets(Box<PacketChain>),
    Time(Box<TimeChain>),
    Pattern { lost: Box<[bool]>, next: usize },
}

/// Gilbert-Elliott that changes with each packet.
pub(super) struct PacketChain {
    good_to_bad: f64,
    bad_to_good: f64,
    loss: [f64; 2],
    bad: bool,
    draws: Stream,
}

/// Gilbert-Elliott in time.
pub(super) struct TimeChain {
    /// Share of time in the bad state.
    bad_share: f64,
    /// Sum of both rates of change, per nanosecond.
    relaxation: f64,
    loss: [f64; 2],
    bad: bool,
    at: Instant,
    draws: Stream,
}

impl LossModel {
    /// Returns the model in its stationary state.
    pub(super) fn new(loss: &Loss, streams: &LinkStreams) -> Self {
        match loss {
            Loss::None => Self::None,
            Loss::Bernoulli(p) => Self::Bernoulli(*p, Box::new(streams.stream("loss"))),
            &Loss::GilbertElliott { good_to_bad, bad_to_good, loss_good, loss_bad } => {
                let mut draws = streams.stream("loss");
                // A chain that never moves stays in the good state.
                let sum = good_to_bad + bad_to_good;
                let bad = sum > 0.0 && draws.chance(good_to_bad / sum);
                let loss = [loss_good, loss_bad];
                Self::Packets(Box::new(PacketChain { good_to_bad, bad_to_good, loss, bad, draws }))
            }
            &Loss::GilbertElliottTime { mean_good, mean_bad, loss_good, loss_bad } => {
                let mut draws = streams.stream("loss");
                // A stay of no length is as short as time can tell.
                let good = mean_good.as_nanos().max(1) as f64;
                let bad = mean_bad.as_nanos().max(1) as f64;
                let bad_share = bad / (good + bad);
                Self::Time(Box::new(TimeChain {
                    bad_share,
                    relaxation: 1.0 / good + 1.0 / bad,
                    loss: [loss_good, loss_bad],
                    bad: draws.chance(bad_share),
                    at: Instant::ZERO,
                    draws,
                }))
            }
            Loss::Trace(pattern) if pattern.is_empty() => Self::None,
            Loss::Trace(pattern) => Self::Pattern { lost: pattern.as_slice().into(), next: 0 },
        }
    }

    /// Draws whether the packet that enters the wire at `enter` is lost; instants must not go back.
    pub(super) fn loses(&mut self, enter: Instant) -> bool {
        match self {
            Self::None => false,
            Self::Bernoulli(p, draws) => draws.chance(*p),
            Self::Packets(chain) => chain.loses(),
            Self::Time(chain) => chain.loses(enter),
            Self::Pattern { lost, next } => {
                let this = lost[*next];
                *next += 1;
                if *next == lost.len() {
                    *next = 0;
                }
                this
            }
        }
    }
}

impl PacketChain {
    /// The packet meets the state as it is; the state changes behind it.
    fn loses(&mut self) -> bool {
        let lost = self.draws.chance(self.loss[usize::from(self.bad)]);
        let change = if self.bad { self.bad_to_good } else { self.good_to_bad };
        self.bad ^= self.draws.chance(change);
        lost
    }
}

impl TimeChain {
    /// Draws the state at `enter` from the chain's exact transition probability, which costs one draw however long
    /// the gap and however short the stays: `P(bad at t + d) = b + ([bad at t] - b) exp(-(1/g + 1/B) d)`, where g
    /// and B are the mean stays and b = B / (g + B).
    fn loses(&mut self, enter: Instant) -> bool {
        let gap = enter.saturating_since(self.at);
        if !gap.is_zero() {
            let memory = libm::exp(-self.relaxation * gap.as_nanos() as f64);
            let was = if self.bad { 1.0 } else { 0.0 };
            self.bad = self.draws.chance(self.bad_share + (was - self.bad_share) * memory);
            self.at = enter;
        }
        self.draws.chance(self.loss[usize::from(self.bad)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::ids::NodeId;
    use bellini_core::rng::Seed;
    use bellini_core::time::Duration;

    const N: u32 = 2_000_000;

    fn model(loss: &Loss) -> LossModel {
        let id = |n| NodeId::new(n).expect("an id");
        LossModel::new(loss, &LinkStreams::new(Seed(11), id(1), id(2)))
    }

    /// Draws `N` packets, one each `gap`, and returns losses and the lengths of runs of losses.
    fn run(loss: &Loss, gap: Duration) -> (f64, Vec<usize>) {
        let mut model = model(loss);
        let (mut now, mut losses, mut length, mut runs) = (Instant::ZERO, 0.0, 0, Vec::new());
        for _ in 0..N {
            now += gap;
            if model.loses(now) {
                losses += 1.0;
                length += 1;
            } else if length > 0 {
                runs.push(length);
                length = 0;
            }
        }
        (losses, runs)
    }

    /// Checks that run lengths are geometric: `P(L = k) = s^(k-1) (1 - s)`, each k on its own, and the mean.
    fn assert_geometric(runs: &[usize], stay: f64) {
        let n = runs.len() as f64;
        let mean = runs.iter().sum::<usize>() as f64 / n;
        let deviation = stay.sqrt() / (1.0 - stay);
        assert!((mean - 1.0 / (1.0 - stay)).abs() < 4.5 * deviation / n.sqrt(), "mean run {mean}");
        for k in 1..=10 {
            let p = libm::pow(stay, k as f64 - 1.0) * (1.0 - stay);
            let seen = runs.iter().filter(|&&run| run == k).count() as f64;
            let slack = 4.5 * (n * p * (1.0 - p)).sqrt() + 1.0;
            assert!((seen - n * p).abs() < slack, "runs of {k}: {seen} against {}", n * p);
        }
    }

    #[test]
    fn bernoulli_rate_and_runs() {
        let (losses, runs) = run(&Loss::Bernoulli(0.03), Duration::ZERO);
        let n = f64::from(N);
        assert!((losses - 0.03 * n).abs() < 4.5 * (n * 0.03 * 0.97_f64).sqrt());
        assert_geometric(&runs, 0.03);
    }

    #[test]
    fn gilbert_elliott_rate_and_runs() {
        let (p, r) = (0.002, 0.2);
        let loss = Loss::GilbertElliott { good_to_bad: p, bad_to_good: r, loss_good: 0.0, loss_bad: 1.0 };
        let (losses, runs) = run(&loss, Duration::ZERO);
        let (n, share) = (f64::from(N), p / (p + r));
        // Correlation falls as (1 - p - r)^k: the variance of the mean grows by (1 + c) / (1 - c).
        let c = 1.0 - p - r;
        let slack = 4.5 * (n * share * (1.0 - share) * (1.0 + c) / (1.0 - c)).sqrt();
        assert!((losses - n * share).abs() < slack, "{losses} against {}", n * share);
        assert_geometric(&runs, 1.0 - r);
    }

    #[test]
    fn gilbert_elliott_loses_in_both_states() {
        let (p, r, h, k) = (0.01, 0.1, 0.02, 0.5);
        let loss = Loss::GilbertElliott { good_to_bad: p, bad_to_good: r, loss_good: h, loss_bad: k };
        let (losses, _) = run(&loss, Duration::ZERO);
        let (n, share, c) = (f64::from(N), p / (p + r), 1.0 - p - r);
        let rate = share * k + (1.0 - share) * h;
        // Independent draws, plus twice the state's covariances summed: (k - h)^2 b (1 - b) c / (1 - c).
        let chain = (k - h) * (k - h) * share * (1.0 - share) * c / (1.0 - c);
        let slack = 4.5 * (n * (rate * (1.0 - rate) + 2.0 * chain)).sqrt();
        assert!((losses - n * rate).abs() < slack, "{losses} against {}", n * rate);
    }

    #[test]
    fn gilbert_elliott_in_time_rate_and_stays() {
        // Sampled every millisecond, exponential stays make a chain whose stay in the bad state is exactly
        // s = b + (1 - b) exp(-(1/g + 1/B) d).
        let (good, bad) = (40.0_f64, 10.0_f64);
        let loss = Loss::GilbertElliottTime {
            mean_good: Duration::from_millis(40),
            mean_bad: Duration::from_millis(10),
            loss_good: 0.0,
            loss_bad: 1.0,
        };
        let (losses, runs) = run(&loss, Duration::from_millis(1));
        let (n, share) = (f64::from(N), bad / (good + bad));
        let c = libm::exp(-(1.0 / good + 1.0 / bad));
        let slack = 4.5 * (n * share * (1.0 - share) * (1.0 + c) / (1.0 - c)).sqrt();
        assert!((losses - n * share).abs() < slack, "{losses} against {}", n * share);
        assert_geometric(&runs, share + (1.0 - share) * c);
    }

    #[test]
    fn a_state_in_time_lasts_through_an_instant() {
        // Packets of one instant meet one state.
        let loss = Loss::GilbertElliottTime {
            mean_good: Duration::from_nanos(1),
            mean_bad: Duration::from_nanos(1),
            loss_good: 0.0,
            loss_bad: 1.0,
        };
        let mut model = model(&loss);
        let mut seen = [false; 2];
        for ms in 1..100 {
            let now = Instant::ZERO + Duration::from_millis(ms);
            let first = model.loses(now);
            assert!((0..20).all(|_| model.loses(now) == first));
            seen[usize::from(first)] = true;
        }
        assert_eq!(seen, [true, true]);
    }

    #[test]
    fn a_pattern_repeats() {
        let mut model = model(&Loss::Trace(vec![true, false, false]));
        let drawn: Vec<bool> = (0..7).map(|_| model.loses(Instant::ZERO)).collect();
        assert_eq!(drawn, [true, false, false, true, false, false, true]);
    }
}
