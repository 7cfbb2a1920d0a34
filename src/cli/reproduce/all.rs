//! `bellini reproduce all`: every figure and table of the paper, each by a process of its own, and one page over them.

use super::document::SCHEMA;
use super::unwritable;
use crate::cli::args::ReproduceOptions;
use crate::cli::exit::{self, Failure};
use crate::cli::interrupt;
use crate::cli::progress::Stages;
use bellini_reports::reproduce::{Index, IndexPart, Row};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Its name on the command line.
pub(super) const NAME: &str = "all";
/// One line of the help.
pub(super) const ABOUT: &str = "every figure and table of the paper, one page over all";

/// A figure or table of the paper.
struct Part {
    /// Its experiment.
    name: &'static str,
    title: &'static str,
    /// What the paper shows, or says where the figure itself does not survive.
    paper: &'static str,
}

/// In the paper's order.
const PARTS: &[Part] = &[
    Part {
        name: "table1",
        title: "Table I: routing policies represented by RoutingInfo",
        paper: "Direct      s -> 2d              6 \u{b9}2\n\
                Multi-hop   s -> 2 -> 3d         12 2 6 3\n\
                Multicast   s -> 3d, 2d{4d,5d}   6 \u{b9}3 18 \u{b9}2 6 \u{b9}4 6 \u{b9}5\n\
                Multi-path  (lost in the text that survives)",
    },
    Part {
        name: "fig3",
        title: "Fig. 3: a multi-hop multi-path session from node 1 to nodes 2 and 4",
        paper: "(a) a segment of the configuration file, (b) the corresponding\n\
                traffic flows; both pictures are lost. In words: two routing\n\
                policies with their rates; packets are transmitted, forwarded\n\
                and duplicated accordingly.",
    },
    Part {
        name: "fig6",
        title: "Fig. 6: packet rate against processor and memory",
        paper: "A scatter plot without numbers: \"a strong linear correlation\";\n\
                memory \"reasonably low even at a high processing rate\".",
    },
    Part {
        name: "fig7",
        title: "Fig. 7: time of routing and flow assignment",
        paper: "A distribution: mean 1.89 us a packet,\nstandard deviation no more than 0.1 us.",
    },
    Part {
        name: "fig8",
        title: "Fig. 8: time of dispatching",
        paper: "A distribution: mean 5.47 us a packet.",
    },
    Part {
        name: "fig9",
        title: "Fig. 9: conferencing over datacenters and peer to peer",
        paper: "Toronto 1, Waterloo 2, Beijing 3, Shanghai 4;\nVirginia 5 and Tokyo 6 as relays.\n\
                (a) cloud: up to 1.9 Mbit/s, 191 ms in the mean\n\
                (b) optimal peer to peer: 142 kbit/s, 157 ms",
    },
    Part {
        name: "table2",
        title: "Table II: between cities on different continents",
        paper: "cloud / P2P       Mbit/s        ms\n\
                Toronto-Beijing   14.11 / 4.04  169.8 / 142.3\n\
                Vancouver-Berlin  34.32 / 1.38  137.2 / 104.9\n\
                Seoul-Rio         20.32 / 2.32  228.6 / 203.5\n\
                improvements \"around 3-24 times\"",
    },
];

/// How an experiment ended.
struct Done {
    /// Exit code of its process.
    code: u8,
    /// What it said last, where it did not come to its end.
    reason: String,
    seconds: f64,
    /// What it left in `reproduce.json`.
    document: Value,
}

impl Done {
    fn status(&self) -> &'static str {
        match self.code {
            exit::DONE => "done",
            exit::CHECK => "misses",
            exit::ENVIRONMENT => "cannot run here",
            exit::INTERRUPTED => "stopped",
            _ => "failed",
        }
    }

    fn is_there(&self) -> bool {
        matches!(self.code, exit::DONE | exit::CHECK)
    }
}

/// Runs all parts and writes the page over them.
pub(super) fn run(options: &ReproduceOptions) -> Result<u8, Failure> {
    let known: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
    if let Some(unknown) = options.only.iter().find(|name| !known.contains(&name.as_str())) {
        let problem = format!("--only {unknown}: of `{NAME}` there are {}", known.join(", "));
        return Err(Failure::new(exit::USAGE, problem));
    }
    let is_asked =
        |part: &&Part| options.only.is_empty() || options.only.iter().any(|name| name == part.name);
    let parts: Vec<&Part> = PARTS.iter().filter(is_asked).collect();
    let out = options.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(NAME));
    std::fs::create_dir_all(&out).map_err(|error| unwritable(&out, &error))?;
    interrupt::catch();
    let mut stages = Stages::new("reproduce all", parts.len());
    let mut all = Vec::new();
    for part in parts {
        stages.begin(part.name);
        let done = once(part, options, &out.join(part.name), &mut stages)?;
        if done.code == exit::INTERRUPTED || interrupt::was_pressed() {
            stages.finish();
            return Err(Failure::new(exit::INTERRUPTED, "stopped before everything was reproduced"));
        }
        stages.say(&format!("{}: {}", part.name, words(&done)));
        all.push((part, done));
    }
    stages.finish();
    let put = |name: &str, text: &str| {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|error| unwritable(&path, &error))
    };
    put("reproduce.json", &format!("{:#}\n", document(&all)))?;
    let page = index(&all, options.quick).render().map_err(|error| Failure::new(exit::FAILED, error))?;
    put("report.html", &page)?;
    for (part, done) in &all {
        exit::print(&format!("{:<7} {}\n", part.name, words(done)));
    }
    exit::say(format_args!("Report: {}", out.join("report.html").display()));
    let any = |code: fn(u8) -> bool| all.iter().any(|(_, done)| code(done.code));
    if any(|code| code == exit::CHECK) {
        return Ok(exit::CHECK);
    }
    let failed = any(|code| !matches!(code, exit::DONE | exit::ENVIRONMENT));
    Ok(if failed { exit::PARTIAL } else { exit::DONE })
}

/// Does one experiment in a process of its own: the lab needs one that has no threads yet, and what fails takes nothing
/// else with it.
fn once(part: &Part, options: &ReproduceOptions, out: &Path, stages: &mut Stages) -> Result<Done, Failure> {
    let environment =
        |error: std::io::Error| Failure::new(exit::ENVIRONMENT, format!("{}: {error}", part.name));
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, &error))?;
    let kept = out.join("reproduce.json");
    if kept.exists() {
        std::fs::remove_file(&kept).map_err(|error| unwritable(&kept, &error))?;
    }
    let mut command = Command::new(std::env::current_exe().map_err(environment)?);
    command.arg("reproduce").arg(part.name).arg("--out").arg(out);
    if options.quick {
        command.arg("--quick");
    }
    for (name, value) in
        [("--seeds", options.seeds), ("--seconds", options.seconds), ("--runs", options.runs)]
    {
        if let Some(value) = value {
            command.arg(name).arg(value.to_string());
        }
    }
    let started = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(environment)?;
    let mut reason = String::new();
    if let Some(said) = child.stderr.take() {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            stages.note(&line);
            if let Some(error) = line.strip_prefix("error: ") {
                error.clone_into(&mut reason);
            }
        }
    }
    let status = child.wait().map_err(environment)?;
    let mut code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::FAILED);
    let text = std::fs::read_to_string(&kept).unwrap_or_default();
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    if matches!(code, exit::DONE | exit::CHECK) && document.is_null() {
        (code, reason) = (exit::FAILED, "it left no reproduce.json".to_owned());
    }
    if reason.is_empty() && !matches!(code, exit::DONE | exit::CHECK) {
        reason = format!("it ended with {status}");
    }
    Ok(Done { code, reason, seconds: started.elapsed().as_secs_f64(), document })
}

/// Returns how many rows are judged, and how many of them miss.
fn judged(document: &Value) -> (usize, usize) {
    let rows = document["rows"].as_array().map_or(&[][..], Vec::as_slice);
    let verdicts: Vec<bool> = rows.iter().filter_map(|row| row["holds"].as_bool()).collect();
    (verdicts.len(), verdicts.iter().filter(|holds| !**holds).count())
}

/// Says how an experiment went.
fn words(done: &Done) -> String {
    let (all, misses) = judged(&done.document);
    let end = if done.is_there() {
        let rows = done.document["rows"].as_array().map_or(0, Vec::len);
        format!("{rows} rows, {all} with a band, {misses} of them miss")
    } else {
        done.reason.clone()
    };
    format!("{}: {end} ({:.0} s)", done.status(), done.seconds)
}

/// Returns `reproduce.json` over all: every row and input, with the experiment that it is of.
fn document(all: &[(&Part, Done)]) -> Value {
    let of = |key: &str| -> Vec<Value> {
        let mut found = Vec::new();
        for (part, done) in all {
            for item in done.document[key].as_array().map_or(&[][..], Vec::as_slice) {
                let mut item = item.clone();
                item["experiment"] = json!(part.name);
                if key == "rows" {
                    item["reference_from"] = done.document["reference_from"].clone();
                }
                found.push(item);
            }
        }
        found
    };
    let experiment = |(part, done): &(&Part, Done)| {
        let (all, misses) = judged(&done.document);
        json!({ "name": part.name, "title": part.title, "status": done.status(), "reason": done.reason, "seconds": done.seconds,
            "judged_rows": all, "missed_rows": misses, "seeds": done.document["seeds"],
            "file": done.is_there().then(|| format!("{}/reproduce.json", part.name)) })
    };
    json!({ "schema": SCHEMA, "name": NAME, "version": env!("CARGO_PKG_VERSION"),
        "experiments": all.iter().map(experiment).collect::<Vec<_>>(), "rows": of("rows"), "inputs": of("inputs") })
}

fn index(all: &[(&Part, Done)], is_quick: bool) -> Index {
    let part = |(part, done): &(&Part, Done)| IndexPart {
        name: part.name.to_owned(),
        title: part.title.to_owned(),
        paper: part.paper.to_owned(),
        status: words(done),
        is_missing: !done.is_there(),
        reference: done.document["reference_from"].as_str().unwrap_or("paper").to_owned(),
        rows: done.document["rows"].as_array().map_or(&[][..], Vec::as_slice).iter().map(row).collect(),
        plots: done.document["plots"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .filter_map(|slug| Some(format!("{}/plots/{}.svg", part.name, slug.as_str()?)))
            .collect(),
    };
    let mut lead = "Every figure and table of the paper that shows a result or a format, done again here: what the paper prints, \
                    beside what came out. Each has a page of its own with plots, inputs and what to know before comparing."
        .to_owned();
    if is_quick {
        lead.push_str(" A short version: its figures prove nothing.");
    }
    Index { title: "The paper, reproduced".to_owned(), lead, parts: all.iter().map(part).collect() }
}

/// Returns a row of a document.
fn row(value: &Value) -> Row {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let pair = |key: &str| Some((value[key][0].as_f64()?, value[key][1].as_f64()?));
    Row {
        quantity: text("quantity"),
        unit: text("unit"),
        reference: value["reference"].as_f64(),
        ours: value["ours"].as_f64(),
        interval: pair("interval_95"),
        band: pair("band"),
        remark: text("remark"),
        ..Row::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(code: u8, document: Value) -> Done {
        Done { code, reason: "no lab".to_owned(), seconds: 1.0, document }
    }

    /// Aim: what cannot run is said, rows keep their experiment, misses are counted, and a row comes back as it was.
    #[test]
    fn one_document_over_all() {
        let rows = json!([
            { "quantity": "a", "unit": "B", "reference": 6.0, "ours": 7.0, "interval_95": [6.5, 7.5], "band": [6.0, 6.0],
              "holds": false, "remark": "", "seeds": [1], "digests": [] },
            { "quantity": "b", "unit": "", "reference": null, "ours": 1.0, "interval_95": null, "band": null, "holds": null,
              "remark": "x", "seeds": [], "digests": [] },
        ]);
        let ran = json!({ "rows": rows, "inputs": [{ "name": "n" }], "reference_from": "paper", "plots": ["tree"] });
        let all = [(&PARTS[0], done(exit::CHECK, ran)), (&PARTS[1], done(exit::ENVIRONMENT, Value::Null))];
        let document = document(&all);
        assert_eq!(document["rows"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            (&document["rows"][1]["experiment"], &document["rows"][1]["reference_from"]),
            (&json!("table1"), &json!("paper"))
        );
        assert_eq!(document["experiments"][0]["missed_rows"], 1);
        assert_eq!(document["experiments"][1]["status"], "cannot run here");
        assert_eq!(document["inputs"][0]["experiment"], "table1");
        let page = index(&all, false);
        assert_eq!(page.parts[0].rows[0].holds(), Some(false));
        assert_eq!(page.parts[0].plots, ["table1/plots/tree.svg"]);
        assert!(page.parts[1].is_missing && page.parts[1].status.contains("no lab"));
    }
}
