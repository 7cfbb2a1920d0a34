//! The rules: from two samples to a verdict.
//!
//! Two questions are asked, and each kind of line asks one of them.
//!
//! - *Is it shown that they agree?* ([`agrees`], for goodput.) The whole interval must lie inside the tolerance. A
//!   comparison holds when all lines hold, so an error beyond the tolerance slips through with at most the level of
//!   one line, however many lines there are: no correction is due. Source: R. L. Berger, "Multiparameter hypothesis
//!   testing and acceptance sampling", Technometrics 24 (1982), the intersection-union test.
//! - *Is it shown that they differ?* ([`differs`], [`outside`], for all others.) The value lies beyond the tolerance and
//!   chance does not explain it. Here each line is a chance of a false alarm, so the level is shared out over all lines
//!   of this question ([`each_of`](super::sample::each_of)): equal systems pass as a whole with the stated confidence.

use super::line::{Line, Measure, Verdict};
use super::sample::{Effect, Sample};

/// Fills a line that must be shown to agree: `allowed` with its whole interval at `level`.
pub(super) fn agrees(line: &mut Line, effect: &Effect, allowed: [f64; 2], level: f64) {
    let half = place(line, effect, allowed, level);
    let Some(value) = line.value else { return };
    let [low, high] = line.interval.unwrap_or([value, value]);
    let inside = low >= allowed[0] && high <= allowed[1];
    line.verdict = if inside { Verdict::Holds } else { Verdict::Exceeded };
    if half.is_none() {
        line.why = "one run on a side: judged by the value alone".to_owned();
    } else if !inside && value >= allowed[0] && value <= allowed[1] {
        line.why = "the interval reaches out of the tolerance: more runs would narrow it".to_owned();
    }
    // An error is found as soon as the interval sticks out: the tolerance less the half width, and what power takes.
    line.detectable = half.zip(effect.power_margin()).map(|(half, margin)| {
        let edge = edge(line.measure, allowed[1]);
        change(line.measure, (edge - half + margin).max(0.0))
    });
}

/// Fills a line that exceeds when it is shown to differ: its value beyond `allowed`, and its interval, too.
pub(super) fn differs(line: &mut Line, effect: &Effect, allowed: [f64; 2], level: f64) {
    let half = place(line, effect, allowed, level);
    let Some(value) = line.value else { return };
    let [low, high] = line.interval.unwrap_or([value, value]);
    line.verdict = if value >= allowed[0] && value <= allowed[1] {
        Verdict::Holds
    } else if high < allowed[0] || low > allowed[1] {
        Verdict::Exceeded
    } else {
        Verdict::Undecided
    };
    if half.is_none() {
        line.why = "one run on a side: judged by the value alone".to_owned();
    }
    line.detectable = half.zip(effect.power_margin()).map(|(half, margin)| {
        let edge = edge(line.measure, allowed[1]);
        change(line.measure, edge + half + margin)
    });
}

/// Fills a line that exceeds when B's median lies outside A's range, `half` to both sides of A's mean, widened by
/// `floor`.
pub(super) fn outside(line: &mut Line, a: &Sample, b: &Sample, half: f64, floor: f64) {
    (line.a, line.b, line.value) = (Some(a.mean), Some(b.median), Some(b.median - a.mean));
    let reach = half + floor;
    line.allowed = Some([-reach, reach]);
    line.verdict = if (b.median - a.mean).abs() <= reach { Verdict::Holds } else { Verdict::Exceeded };
    line.detectable = (b.n > 1).then(|| b.seen_beyond(reach));
}

/// Writes value, interval and tolerance; returns the interval's half width (of the logarithm, for ratios).
fn place(line: &mut Line, effect: &Effect, allowed: [f64; 2], level: f64) -> Option<f64> {
    let back = |value: f64| match line.measure {
        Measure::Ratio => libm::exp(value),
        Measure::Difference => value,
    };
    let half = effect.half(level);
    line.value = Some(back(effect.value));
    line.interval = half.map(|half| [back(effect.value - half), back(effect.value + half)]);
    line.allowed = Some(allowed);
    half
}

/// The tolerance as a distance from no difference.
fn edge(measure: Measure, high: f64) -> f64 {
    match measure {
        Measure::Ratio => libm::log(high),
        Measure::Difference => high,
    }
}

/// A distance as a change of the line's value.
fn change(measure: Measure, distance: f64) -> f64 {
    match measure {
        Measure::Ratio => libm::expm1(distance),
        Measure::Difference => distance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::line::{Kind, blank};

    fn line(measure: Measure) -> Line {
        blank(Kind::Goodput, "", "", "", "", measure)
    }

    fn judged(rule: fn(&mut Line, &Effect, [f64; 2], f64), a: &[f64], b: &[f64]) -> Line {
        let (a, b) = (Sample::of(a).expect("values"), Sample::of(b).expect("values"));
        let mut line = line(Measure::Ratio);
        rule(&mut line, &Effect::log_ratio(&a, &b), [0.97, 1.03], 0.05);
        line
    }

    /// Aim: agreement must be shown, difference must be shown: what is too noisy fails the first question and not the
    /// second.
    #[test]
    fn the_two_questions() {
        let (quiet, same, off) = ([10.0, 10.01, 9.99], [10.02, 10.0, 10.01], [10.5, 10.51, 10.49]);
        assert_eq!(judged(agrees, &quiet, &same).verdict, Verdict::Holds);
        assert_eq!(judged(differs, &quiet, &same).verdict, Verdict::Holds);
        assert_eq!(judged(agrees, &quiet, &off).verdict, Verdict::Exceeded);
        assert_eq!(judged(differs, &quiet, &off).verdict, Verdict::Exceeded);
        let noisy = [8.0, 13.0, 10.5];
        let line = judged(agrees, &quiet, &noisy);
        assert_eq!(line.verdict, Verdict::Exceeded);
        assert_eq!(judged(differs, &quiet, &noisy).verdict, Verdict::Undecided);
        let noisy = [8.0, 12.0, 10.0];
        let line = judged(agrees, &quiet, &noisy);
        assert!(line.verdict == Verdict::Exceeded && line.why.contains("more runs"), "{line:?}");
    }

    /// Aim: one run is judged by its value and says so; identical runs are told from a shift of any size beyond the
    /// tolerance.
    #[test]
    fn single_and_identical_runs() {
        let line = judged(agrees, &[10.0], &[10.2]);
        assert_eq!((line.verdict, line.interval, line.detectable), (Verdict::Holds, None, None));
        assert!(line.why.contains("one run"));
        assert_eq!(judged(agrees, &[10.0], &[10.4]).verdict, Verdict::Exceeded);
        let line = judged(agrees, &[10.0, 10.0], &[10.2, 10.2]);
        assert_eq!(line.verdict, Verdict::Holds);
        assert!((line.detectable.expect("no spread") - 0.03).abs() < 1e-9);
    }

    /// Aim: the median is judged against the range, and the floor keeps a range of no width open.
    #[test]
    fn ranges() {
        let a = Sample::of(&[0.02, 0.02, 0.02]).expect("values");
        let b = Sample::of(&[0.021, 0.0215, 0.9]).expect("values");
        let mut of = line(Measure::Difference);
        outside(&mut of, &a, &b, a.range(0.05).expect("several"), 0.002);
        assert_eq!(of.verdict, Verdict::Holds);
        outside(&mut of, &a, &b, 0.0, 0.001);
        assert_eq!(of.verdict, Verdict::Exceeded);
    }
}
