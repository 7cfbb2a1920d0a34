//! `reproduce.json`: everything of a page for programs. `docs/reproduce.md` describes it.

use super::Findings;
use bellini_reports::reproduce::{Input, Page, Row};
use serde_json::{Value, json};

/// Version of the form.
pub(super) const SCHEMA: u32 = 2;

/// Returns the document of an experiment.
pub(super) fn of(name: &str, findings: &Findings) -> Value {
    let page = &findings.page;
    let seeds: Vec<u64> = (1..=findings.seeds).collect();
    let digests = digests(&findings.detail);
    let mut document = json!({
        "schema": SCHEMA, "name": name, "version": env!("CARGO_PKG_VERSION"), "title": page.title,
        "reference_from": page.reference, "seeds": seeds,
        "rows": page.rows.iter().map(|it| row(it, &seeds, &digests)).collect::<Vec<_>>(),
        "inputs": page.inputs.iter().map(input).collect::<Vec<_>>(), "notes": page.notes, "plots": plots(page),
    });
    if let (Some(document), Value::Object(detail)) = (document.as_object_mut(), &findings.detail) {
        document.extend(detail.clone());
    }
    document
}

fn row(row: &Row, seeds: &[u64], digests: &[String]) -> Value {
    let pair = |pair: Option<(f64, f64)>| pair.map(|(low, high)| [low, high]);
    // What is not said of a row is that of all runs.
    let seeds = if row.seeds.is_empty() { seeds } else { &row.seeds };
    let digests = if row.digests.is_empty() { digests } else { &row.digests };
    json!({ "quantity": row.quantity, "unit": row.unit, "reference": row.reference, "ours": row.ours,
        "interval_95": pair(row.interval), "band": pair(row.band), "holds": row.holds(), "remark": row.remark,
        "seeds": seeds, "digests": digests })
}

fn input(input: &Input) -> Value {
    json!({ "name": input.name, "value": input.value, "kind": input.origin.as_str(), "source": input.source })
}

/// Returns the names of the drawings' files in the order of the page, without their endings.
fn plots(page: &Page) -> Vec<String> {
    let trees = page.trees.iter().map(|it| it.slug());
    let overlays = page.overlays.iter().map(|it| it.slug());
    let maps = page.maps.iter().map(|it| it.slug());
    let plots = page.plots.iter().map(|it| it.slug());
    trees.chain(overlays).chain(maps).chain(plots).chain(page.bars.iter().map(|it| it.slug())).collect()
}

/// Returns the digests of all runs that an experiment tells of, each once: what stands in its detail under `digest` or
/// `digests`, however deep.
fn digests(detail: &Value) -> Vec<String> {
    fn walk(value: &Value, is_digest: bool, found: &mut Vec<String>) {
        match value {
            Value::String(text) if is_digest && !found.contains(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| walk(item, is_digest, found)),
            Value::Object(map) => {
                for (key, value) in map {
                    walk(value, matches!(key.as_str(), "digest" | "digests"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(detail, false, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a row has its own digests and seeds, or those of all runs; only what stands under these names is one.
    #[test]
    fn rows_name_the_runs_behind_them() {
        let own = Row { digests: vec!["own".to_owned()], seeds: vec![1], ..Row::default() };
        let page = Page {
            rows: vec![own, Row::default()],
            inputs: vec![Input::new("loss", "1 %", "measured: by us")],
            ..Page::default()
        };
        let detail = json!({ "runs": [{ "digest": "a", "seed": 1 }, { "digest": "a" }], "digests": ["b", "c"], "name2": "d" });
        let document = of("x", &Findings { page, seeds: 2, detail });
        assert_eq!(document["rows"][0]["digests"], json!(["own"]));
        assert_eq!(document["rows"][0]["seeds"], json!([1]));
        let mut all: Vec<_> = document["rows"][1]["digests"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        all.sort_unstable();
        assert_eq!(all, ["a", "b", "c"], "each once");
        assert_eq!(document["rows"][1]["seeds"], json!([1, 2]));
        assert_eq!(document["inputs"][0]["kind"], "measured");
        assert_eq!(document["inputs"][0]["source"], "by us");
    }
}
