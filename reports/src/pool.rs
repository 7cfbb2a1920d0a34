//! Several runs as one summary: the mean of every figure.

use crate::error::ReportError;
use bellini_scenarios::record::{Run, Summary};
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

/// Keys that tell which thing an object is about: objects that differ in one are not averaged.
const IDENTITY: [&str; 7] = ["conference", "session", "node", "from", "to", "id", "route"];

/// Keys whose objects count by cause: a cause that a run does not list happened never.
const CAUSES: [&str; 2] = ["drops", "dropped_other"];

/// Returns the summary of the first run with every figure replaced by its mean over the runs that have it; counts are
/// rounded, and what is true in every run only is true. Things that the other runs do not list in the same place keep
/// the first run's figures. Seed, digest and notes stay those of the first run.
///
/// # Errors
/// [`ReportError::Draw`] when a summary cannot be put together again: a defect.
pub(crate) fn pooled(runs: &[Run]) -> Result<Summary, ReportError> {
    let failed =
        |error: serde_json::Error| ReportError::Draw { what: "the mean of runs", problem: error.to_string() };
    let all: Result<Vec<Value>, _> = runs.iter().map(|run| serde_json::to_value(&run.summary)).collect();
    let all = all.map_err(failed)?;
    let mut summary: Summary =
        serde_json::from_value(mean(&all.iter().collect::<Vec<_>>())).map_err(failed)?;
    if let Some(first) = runs.first() {
        (summary.seed, summary.engine) = (first.summary.seed, first.summary.engine.clone());
    }
    Ok(summary)
}

fn mean(all: &[&Value]) -> Value {
    let present: Vec<_> = all.iter().copied().filter(|value| !value.is_null()).collect();
    let Some(first) = present.first() else { return Value::Null };
    match first {
        Value::Number(_) => number(&present),
        Value::Bool(_) => present.iter().all(|value| **value == Value::Bool(true)).into(),
        Value::Array(items)
            if present.iter().all(|value| value.as_array().map(Vec::len) == Some(items.len())) =>
        {
            (0..items.len())
                .map(|index| mean(&present.iter().map(|value| &value[index]).collect::<Vec<_>>()))
                .collect()
        }
        Value::Object(object)
            if present.iter().all(|value| IDENTITY.iter().all(|key| value.get(key) == first.get(key))) =>
        {
            let field = |key: &String| {
                let parts = present.iter().map(|value| value.get(key).unwrap_or(&Value::Null));
                let parts: Vec<_> = parts.collect();
                if CAUSES.contains(&key.as_str()) { causes(&parts) } else { mean(&parts) }
            };
            Value::Object(object.keys().map(|key| (key.clone(), field(key))).collect::<Map<_, _>>())
        }
        _ => (*first).clone(),
    }
}

/// Returns the mean of counts by cause.
fn causes(all: &[&Value]) -> Value {
    let names: BTreeSet<_> = all.iter().filter_map(|value| value.as_object()).flat_map(Map::keys).collect();
    let zero = Value::from(0_u64);
    let count =
        |name: &String| number(&all.iter().map(|value| value.get(name).unwrap_or(&zero)).collect::<Vec<_>>());
    Value::Object(names.into_iter().map(|name| (name.clone(), count(name))).collect())
}

fn number(values: &[&Value]) -> Value {
    let n = values.len() as f64;
    if values.iter().all(|value| value.is_u64()) {
        let sum: u128 = values.iter().filter_map(|value| value.as_u64()).map(u128::from).sum();
        let half = values.len() as u128 / 2;
        return u64::try_from((sum + half) / values.len() as u128).unwrap_or(u64::MAX).into();
    }
    let sum: f64 = values.iter().filter_map(|value| value.as_f64()).sum();
    Number::from_f64(sum / n).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata::{Shape, run};

    /// The mean of equal runs is the run; figures of unlike runs are averaged, absent ones skipped, strangers left out.
    #[test]
    fn means_over_runs() {
        let shape = Shape { sessions: 2, destinations: 2, positions: true };
        let one = run(1, shape);
        let same = pooled(&[one.clone(), one.clone()]).expect("it pools");
        assert_eq!(same.to_json_pretty().expect("finite"), one.summary.to_json_pretty().expect("finite"));
        let mut two = one.clone();
        let d = &mut two.summary.sessions[0].destinations[0];
        (d.lost_packets, d.goodput_mbps, d.delay_ms) =
            (d.lost_packets + 10, d.goodput_mbps.map(|g| g + 1.0), None);
        two.summary.links[0].sent_packets += 4;
        two.summary.links[0].dropped_other.insert("mtu".into(), 6);
        two.summary.links.swap(1, 2);
        let mean = pooled(&[one.clone(), two]).expect("it pools");
        let (was, is) = (&one.summary.sessions[0].destinations[0], &mean.sessions[0].destinations[0]);
        assert_eq!(is.lost_packets, was.lost_packets + 5);
        assert!((is.goodput_mbps.expect("a value") - was.goodput_mbps.expect("a value") - 0.5).abs() < 1e-5);
        assert_eq!(is.delay_ms, was.delay_ms);
        assert_eq!(mean.links[0].sent_packets, one.summary.links[0].sent_packets + 2);
        assert_eq!(mean.links[0].dropped_other["mtu"], 3);
        assert_eq!(mean.links[1..3], one.summary.links[1..3]);
    }
}
