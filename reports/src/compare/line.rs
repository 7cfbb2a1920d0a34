//! One line of a comparison: a figure of one thing on both sides, and what is to be thought of it.

use serde_json::{Value, json};

/// What kind of figure a line compares; each kind has one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something exists on one side only.
    Presence,
    /// Rate of delivered payload.
    Goodput,
    /// Rate of offered payload.
    Offered,
    /// Queueing delay: least, median, 95th percentile.
    Delay,
    /// Share of lost symbols.
    Loss,
    /// Length of runs of lost symbols.
    LossRuns,
    /// Share of packets that drew a flow.
    Shares,
    /// Share of frames or messages on time.
    OnTime,
    /// Completion of files.
    Complete,
    /// Packets sent on a link.
    LinkPackets,
}

impl Kind {
    /// All kinds, in the order of tables.
    pub const ALL: [Kind; 10] = [
        Kind::Presence,
        Kind::Goodput,
        Kind::Offered,
        Kind::Delay,
        Kind::Loss,
        Kind::LossRuns,
        Kind::Shares,
        Kind::OnTime,
        Kind::Complete,
        Kind::LinkPackets,
    ];

    /// Returns the kind's word in files and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Presence => "presence",
            Kind::Goodput => "goodput",
            Kind::Offered => "offered",
            Kind::Delay => "delay",
            Kind::Loss => "loss",
            Kind::LossRuns => "loss runs",
            Kind::Shares => "flow shares",
            Kind::OnTime => "on time",
            Kind::Complete => "complete",
            Kind::LinkPackets => "link packets",
        }
    }
}

/// How the two sides of a line are set against one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// B divided by A.
    Ratio,
    /// B less A, in the line's unit.
    Difference,
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Beyond its tolerance: the comparison does not hold.
    Exceeded,
    /// Beyond its tolerance, but not by more than chance explains.
    Undecided,
    /// Within its tolerance.
    Holds,
    /// For information: nothing is required.
    Reported,
}

impl Verdict {
    /// Returns the verdict's word in files and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Exceeded => "exceeded",
            Verdict::Undecided => "undecided",
            Verdict::Holds => "holds",
            Verdict::Reported => "reported",
        }
    }
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What kind of figure.
    pub kind: Kind,
    /// What it is a figure of, as ids: `1/1@4`, `1>3`, `1/1#1>3`.
    pub id: String,
    /// The same with names.
    pub name: String,
    /// Which figure.
    pub metric: String,
    /// Its unit; empty for plain numbers and shares.
    pub unit: &'static str,
    /// Mean of A's runs (median for kinds that are judged by it); `None` where no run has a value.
    pub a: Option<f64>,
    /// The same of B's runs.
    pub b: Option<f64>,
    /// Runs with a value: A's, B's.
    pub runs: [usize; 2],
    /// How the sides are set against one another.
    pub measure: Measure,
    /// B against A.
    pub value: Option<f64>,
    /// Interval of `value`; `None` where the runs are too few.
    pub interval: Option<[f64; 2]>,
    /// Where `value` may be; `None` when nothing is required.
    pub allowed: Option<[f64; 2]>,
    /// The smallest error (as a change of `value`) that would have been found with a probability of 0.9, given spread
    /// and number of runs; `None` where the spread is not known.
    pub detectable: Option<f64>,
    /// What it says.
    pub verdict: Verdict,
    /// How it was judged, where that needs saying.
    pub why: String,
}

impl Line {
    /// Returns how far `value` is from where it would be without any difference, in tolerances: between -1 and 1 is
    /// allowed. `None` without value or requirement.
    #[must_use]
    pub fn in_tolerances(&self, value: f64) -> Option<f64> {
        let [low, high] = self.allowed?;
        let scaled = match self.measure {
            Measure::Ratio => libm::log(value),
            Measure::Difference => value,
        };
        let edge = distance(self.measure, if scaled < 0.0 { low } else { high });
        let far = if scaled == 0.0 { 0.0 } else { f64::INFINITY.copysign(scaled) };
        Some(if edge > 0.0 { scaled / edge } else { far })
    }

    /// Returns the line as `compare.json` holds it.
    #[must_use]
    pub(super) fn to_json(&self) -> Value {
        let pair = |pair: Option<[f64; 2]>| pair.map_or(Value::Null, |pair| json!(pair.map(rounded)));
        let one = |value: Option<f64>| value.map_or(Value::Null, rounded);
        json!({
            "kind": self.kind.as_str(),
            "id": self.id,
            "name": self.name,
            "metric": self.metric,
            "unit": self.unit,
            "a": one(self.a),
            "b": one(self.b),
            "runs": self.runs,
            "measure": match self.measure { Measure::Ratio => "ratio", Measure::Difference => "difference" },
            "value": one(self.value),
            "interval": pair(self.interval),
            "allowed": pair(self.allowed),
            "detectable": one(self.detectable),
            "verdict": self.verdict.as_str(),
            "why": self.why,
        })
    }
}

/// How far an edge of the tolerance is from no difference.
fn distance(measure: Measure, edge: f64) -> f64 {
    match measure {
        Measure::Ratio => libm::log(edge).abs(),
        Measure::Difference => edge.abs(),
    }
}

/// Rounds to six decimals; null where a value has none (the ratio to zero).
fn rounded(value: f64) -> Value {
    if value.is_finite() { json!((value * 1e6).round() / 1e6 + 0.0) } else { Value::Null }
}

/// A line without figures.
pub(super) fn blank(
    kind: Kind,
    id: &str,
    name: &str,
    metric: &str,
    unit: &'static str,
    measure: Measure,
) -> Line {
    Line {
        kind,
        id: id.to_owned(),
        name: name.to_owned(),
        metric: metric.to_owned(),
        unit,
        a: None,
        b: None,
        runs: [0, 0],
        measure,
        value: None,
        interval: None,
        allowed: None,
        detectable: None,
        verdict: Verdict::Reported,
        why: String::new(),
    }
}
