//! Whether two groups of runs may be compared.

use bellini_scenarios::record::{Mode, Run, Status};
use serde_json::Value;

/// A reason not to compare runs, unless it is asked for all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The sides ran different scenarios.
    Scenario(String),
    /// A run's figures cannot be relied on.
    Run(String),
}

impl Obstacle {
    /// Returns what is wrong, as a sentence without a full stop.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Obstacle::Scenario(text) | Obstacle::Run(text) => text,
        }
    }
}

/// Returns everything that speaks against comparing these runs: different scenarios (the seed apart), runs that did
/// not end or are not valid, the same run twice on one side.
#[must_use]
pub fn obstacles(a: &[Run], b: &[Run]) -> Vec<Obstacle> {
    let mut found = Vec::new();
    for runs in [a, b] {
        for (index, run) in runs.iter().enumerate() {
            let path = run.path.display();
            if run.summary.status != Status::Complete {
                found.push(Obstacle::Run(format!("{path} did not come to its end")));
            }
            if let Some(lab) = run.summary.lab.as_ref().filter(|lab| !lab.valid) {
                let reasons = lab.reasons.join("; ");
                found.push(Obstacle::Run(format!(
                    "{path} is not a valid run: {}",
                    reasons.trim_end_matches('.')
                )));
            }
            // Real runs of one seed differ; the simulator's are the same numbers again, which would make intervals look
            // narrower than they are.
            let again = runs[..index].iter().find(|other| {
                let simulated = other.summary.mode == Mode::Sim && run.summary.mode == Mode::Sim;
                other.path == run.path || simulated && other.summary.seed == run.summary.seed
            });
            if let Some(other) = again {
                found.push(Obstacle::Run(format!("{} and {path} are the same run", other.path.display())));
            }
        }
    }
    found.extend(different_scenarios(a, b));
    found
}

/// Looks for a difference between scenarios: for each run against the run of the same seed on the other side (what is
/// drawn from the seed is then the same), else against the first run of its own side and of the other.
fn different_scenarios(a: &[Run], b: &[Run]) -> Option<Obstacle> {
    let first = a.first().zip(b.first());
    for (runs, others, side, other_side) in [(b, a, "B", "A"), (a, b, "A", "B")] {
        for run in runs {
            let same = others.iter().find(|other| other.summary.seed == run.summary.seed);
            let partner = same.or_else(|| others.first())?;
            let path = run.path.display();
            if run.scenario.is_null() {
                return Some(Obstacle::Scenario(format!(
                    "{path} has no scenario.json: nobody knows what was run"
                )));
            }
            let mut place = String::new();
            if let Some((here, there)) = difference(&run.scenario, &partner.scenario, &mut place) {
                let drawn = match (same, first) {
                    (None, Some((a, b)))
                        if a.summary.scenario == b.summary.scenario && place.starts_with("conferences") =>
                    {
                        "; where sessions are drawn from the seed, both sides need the same seeds"
                    }
                    _ => "",
                };
                return Some(Obstacle::Scenario(format!(
                    "the scenarios differ at `{place}`: {} in {path} ({side}), {} in {} ({other_side}){drawn}",
                    brief(here),
                    brief(there),
                    partner.path.display(),
                )));
            }
        }
    }
    None
}

/// Returns the first place where two documents differ, their seeds apart; `place` becomes its path.
fn difference<'a>(
    here: &'a Value,
    there: &'a Value,
    place: &mut String,
) -> Option<(Option<&'a Value>, Option<&'a Value>)> {
    let length = place.len();
    match (here, there) {
        (Value::Object(one), Value::Object(two)) => {
            for key in one.keys().chain(two.keys().filter(|key| !one.contains_key(*key))) {
                if length == 0 && key == "seed" {
                    continue;
                }
                place.push_str(if length == 0 { "" } else { "." });
                place.push_str(key);
                match (one.get(key), two.get(key)) {
                    (Some(x), Some(y)) => {
                        if let Some(found) = difference(x, y, place) {
                            return Some(found);
                        }
                    }
                    (x, y) => return Some((x, y)),
                }
                place.truncate(length);
            }
            None
        }
        (Value::Array(one), Value::Array(two)) => {
            for index in 0..one.len().max(two.len()) {
                place.push_str(&format!("[{index}]"));
                match (one.get(index), two.get(index)) {
                    (Some(x), Some(y)) => {
                        if let Some(found) = difference(x, y, place) {
                            return Some(found);
                        }
                    }
                    (x, y) => return Some((x, y)),
                }
                place.truncate(length);
            }
            None
        }
        _ => (here != there).then_some((Some(here), Some(there))),
    }
}

fn brief(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), |value| crate::format::shorten(&value.to_string(), 60))
}

/// Returns what a reader of a comparison must know of the runs themselves.
pub(super) fn notes(a: &[Run], b: &[Run]) -> Vec<String> {
    let mut notes = Vec::new();
    let version = |runs: &[Run]| runs.first().map(|run| run.summary.version.clone()).unwrap_or_default();
    if version(a) != version(b) {
        notes.push(format!("A was run by version {}, B by version {}.", version(a), version(b)));
    }
    let digests = |runs: &[Run]| runs.iter().map(|run| run.summary.digest.clone()).collect::<Vec<_>>();
    let same =
        digests(a).into_iter().flatten().filter(|digest| digests(b).contains(&Some(digest.clone()))).count();
    if same > 0 {
        notes.push(format!(
            "{} of A and of B did exactly the same (equal digests): their agreement says nothing.",
            crate::format::plural(same, "run")
        ));
    }
    for (side, runs) in [("A", a), ("B", b)] {
        if runs.iter().any(|run| run.summary.mode != runs[0].summary.mode) {
            notes.push(format!("The runs of {side} are of different modes."));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Aim: the first difference is named by its path, the seed is none, and a missing part is one.
    #[test]
    fn differences_are_named() {
        let one = json!({"seed": 1, "links": [{"rate": "20 Mbit/s"}, {"rate": "5 Mbit/s"}], "x": 1});
        let mut two = json!({"seed": 2, "links": [{"rate": "20 Mbit/s"}, {"rate": "5 Mbit/s"}], "x": 1});
        let mut place = String::new();
        assert_eq!(difference(&one, &two, &mut place), None);
        assert_eq!(place, "");
        two["links"][1]["rate"] = "4 Mbit/s".into();
        let found = difference(&one, &two, &mut place).expect("they differ");
        assert_eq!((place.as_str(), found.1), ("links[1].rate", Some(&json!("4 Mbit/s"))));
        place.clear();
        two = json!({"seed": 2, "links": [{"rate": "20 Mbit/s"}], "x": 1});
        assert_eq!(difference(&one, &two, &mut place).map(|found| found.1), Some(None));
        assert_eq!(place, "links[1]");
    }
}
